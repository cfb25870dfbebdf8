from __future__ import annotations

from headwater.loadtest.doctor import choose
from headwater.origin.hls import multivariant

TEXT = """#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="English",LANGUAGE="en",URI="en/index.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="Deutsch",LANGUAGE="de",URI="de/index.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=3,AUDIO="a"
1080/index.m3u8?k=1
#EXT-X-STREAM-INF:BANDWIDTH=2,AUDIO="a"
720/index.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"
//elsewhere.example/1080/index.m3u8
"""


def test_the_first_of_each_kind_comes_first() -> None:
    records, left_out = choose.renditions(multivariant.read(TEXT), "https://host/live/x.m3u8", 4)
    assert [record.name for record in records] == ["1080", "en", "720", "1080 (4)"]
    assert left_out == 1
    assert records[0].url == "https://host/live/1080/index.m3u8?k=1"
    assert records[3].url == "https://elsewhere.example/1080/index.m3u8"
    assert records[1].media is not None


def test_one_address_is_followed_once() -> None:
    text = TEXT.replace("720/index.m3u8", "1080/index.m3u8?k=1")
    records, _ = choose.renditions(multivariant.read(text), "https://host/live/x.m3u8", 9)
    assert len(records[0].variants) == 2


def test_names() -> None:
    assert choose.short("a/b/index.m3u8?x") == "b"
    assert choose.short("a/b/video_1.m3u8") == "video_1.m3u8"
    assert choose.short("index.m3u8") == "index.m3u8"
    assert choose.short("http://[bad") == "[bad"
    assert len(choose.short("x" * 500)) == 60


def test_addresses_of_what_is_no_playlist() -> None:
    assert choose.addresses("#EXTM3U\n\n a.m3u8\n#x\nb.m3u8", "http://h/c/") == [
        "http://h/c/a.m3u8",
        "http://h/c/b.m3u8",
    ]
