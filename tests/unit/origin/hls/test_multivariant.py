from __future__ import annotations

import pytest

from headwater.origin.hls.attributes import PlaylistError
from headwater.origin.hls.multivariant import Media, Multivariant, Variant, read, render

TEXT = """#EXTM3U
#EXT-X-VERSION:6
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-CONTENT-STEERING:SERVER-URI="/steering"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="English",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="audio/index.m3u8"
#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="cc",NAME="CC1",AUTOSELECT=YES,INSTREAM-ID="CC1"
#EXT-X-STREAM-INF:BANDWIDTH=5000000,AVERAGE-BANDWIDTH=4000000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=29.970,VIDEO-RANGE=PQ,AUDIO="a",CLOSED-CAPTIONS="cc",SCORE=2.0
source/index.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=100000,CLOSED-CAPTIONS=NONE
audio/index.m3u8
"""


def test_round_trip() -> None:
    found = read(TEXT)
    assert render(found) == TEXT
    assert found.independent_segments
    assert found.variants[0].resolution == (1280, 720)
    assert found.variants[0].frame_rate == 29.97
    assert found.variants[0].extra == ",SCORE=2.0"
    assert found.media[0] == Media("AUDIO", "a", "English", "audio/index.m3u8", "en", "2", True, True)


def test_least() -> None:
    text = render(Multivariant((Variant("x.m3u8", 1),)))
    assert text == "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-STREAM-INF:BANDWIDTH=1\nx.m3u8\n"
    assert read(text.replace("\n", "\r\n# a comment\r\n")) == Multivariant((Variant("x.m3u8", 1),))


def test_default_is_always_autoselect() -> None:
    """Rule 178."""
    assert "DEFAULT=YES,AUTOSELECT=YES" in render(Multivariant((), (Media("AUDIO", "a", "n", default=True),)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "#EXTM3U8\n",
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n",
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n#EXT-X-STREAM-INF:BANDWIDTH=1\nx\n",
        "#EXTM3U\n#EXT-X-STREAM-INF:CODECS=\"x\"\nx\n",
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=1280\nx\n",
        "#EXTM3U\nx.m3u8\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:4\n",
        "#EXTM3U\n#EXT-X-MEDIA:TYPE=SMELL,GROUP-ID=\"a\",NAME=\"b\"\n",
        "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,NAME=\"b\"\n",
        "#EXTM3U\n" + " " * (1 << 20),
    ],
)  # fmt: skip
def test_refuses(text: str) -> None:
    with pytest.raises(PlaylistError):
        read(text)
