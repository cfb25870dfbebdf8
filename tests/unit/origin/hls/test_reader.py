from __future__ import annotations

import pytest

from headwater.origin.hls import reader
from headwater.origin.hls.attributes import PlaylistError
from headwater.origin.hls.model import ByteRange, HintType, Map, Part, RenditionReport, ServerControl
from headwater.origin.hls.reader import read
from headwater.origin.hls.writer import render

FULL = """#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:4
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.560,HOLD-BACK=12.000,CAN-SKIP-UNTIL=24.000,X-MORE="a,b"
#EXT-X-PART-INF:PART-TARGET=0.520
#EXT-X-MEDIA-SEQUENCE:100
#EXT-X-DISCONTINUITY-SEQUENCE:7
#EXT-X-DEFINE:NAME="host",VALUE="cdn"
#EXT-X-VENDOR:1
#EXT-X-DATERANGE:ID="ad",START-DATE="2025-11-20T11:16:09.123Z"
#EXT-X-KEY:METHOD=AES-128,URI="k1",IV=0x1
#EXT-X-MAP:URI="init-1.mp4"
#EXT-X-BITRATE:800
#EXT-X-PROGRAM-DATE-TIME:2025-11-20T11:16:09.123Z
#EXTINF:2.000,
s1.m4s
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI="init-2.mp4",BYTERANGE="700@0"
#EXT-X-CUE-OUT:30
#EXT-X-PROGRAM-DATE-TIME:2025-11-20T11:16:11.123Z
#EXT-X-PART:DURATION=0.520,URI="p1.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.520,URI="p2.m4s",BYTERANGE="10@0",X-NEW=1
#EXT-X-PART:DURATION=0.520,URI="p3.m4s",GAP=YES
#EXTINF:1.560,a title
s2.m4s
#EXT-X-PROGRAM-DATE-TIME:2025-11-20T11:16:12.683Z
#EXT-X-GAP
#EXTINF:2.000,
#EXT-X-BYTERANGE:500@100
s3.m4s
#EXT-X-PROGRAM-DATE-TIME:2025-11-20T11:16:14.683Z
#EXT-X-PART:DURATION=0.520,URI="p5.m4s",INDEPENDENT=YES
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="p6.m4s",BYTERANGE-START=5,BYTERANGE-LENGTH=9
#EXT-X-PRELOAD-HINT:TYPE=MAP,URI="init-3.mp4"
#EXT-X-RENDITION-REPORT:URI="../audio/index.m3u8",LAST-MSN=102,LAST-PART=3
"""


def playlist(*lines: str, head: str = "#EXT-X-TARGETDURATION:4") -> str:
    return "\n".join(("#EXTM3U", head, *lines)) + "\n"


def test_reads_everything() -> None:
    found = read(FULL)
    assert (found.version, found.target_duration, found.part_target) == (6, 4, 0.52)
    assert found.control == ServerControl(True, 24, False, 12, 1.56, ',X-MORE="a,b"')
    assert (found.media_sequence, found.discontinuity_sequence, found.last_msn) == (100, 7, 102)
    assert [s.msn for s in found.segments] == [100, 101, 102]
    assert [s.uri for s in found.segments] == ["s1.m4s", "s2.m4s", "s3.m4s"]
    first, second, third = found.segments
    assert first.map == Map("init-1.mp4")
    assert first.date_us == 1_763_637_369_123_000
    assert second.map is third.map
    assert second.map == Map("init-2.mp4", ByteRange(700, 0))
    assert second.discontinuity
    assert second.parts == (
        Part("p1.m4s", 0.52, independent=True),
        Part("p2.m4s", 0.52, byterange=ByteRange(10, 0), extra=",X-NEW=1"),
        Part("p3.m4s", 0.52, gap=True),
    )
    assert (second.title, second.part_count, second.tags) == ("a title", 3, ("#EXT-X-CUE-OUT:30",))
    assert third.gap
    assert third.byterange == ByteRange(500, 100)
    assert found.open is not None
    assert (found.open.msn, found.open.uri, found.open.duration) == (103, None, 0.52)
    assert [hint.type for hint in found.hints] == [HintType.PART, HintType.MAP]
    assert found.reports == (RenditionReport("../audio/index.m3u8", 102, 3),)
    assert found.position.open_parts == 1
    assert found.position.last_part_count == 0


def test_renders_what_it_read() -> None:
    """Nothing of another origin's playlist is lost on its way through an edge."""
    assert render(read(FULL)) == FULL


def test_line_ends_and_comments() -> None:
    text = FULL.replace("\n", "\r\n").replace("s1.m4s", "# a comment\r\n\r\ns1.m4s")
    assert read(text) == read(FULL)


def test_a_tag_that_says_the_same_again_changes_nothing() -> None:
    again = FULL.replace("#EXT-X-CUE-OUT:30", '#EXT-X-CUE-OUT:30\n#EXT-X-MAP:URI="init-2.mp4",BYTERANGE="700@0"')
    assert read(again) == read(FULL)


def test_parts_of_one_file_follow_each_other() -> None:
    """Rule 55."""
    found = read(
        playlist(
            "#EXT-X-PART-INF:PART-TARGET=1",
            '#EXT-X-PART:DURATION=1,URI="a.mp4",BYTERANGE="10@5"',
            '#EXT-X-PART:DURATION=1,URI="a.mp4",BYTERANGE="20"',
            "#EXTINF:2,", "a.mp4",
            '#EXT-X-PART:DURATION=1,URI="b.mp4",BYTERANGE="7"',
        )
    )  # fmt: skip
    assert [p.byterange for p in found.segments[0].parts] == [ByteRange(10, 5), ByteRange(20, 15)]
    assert found.open is not None
    assert found.open.parts[0].byterange == ByteRange(7, 0)


def test_segments_of_one_file_follow_each_other() -> None:
    found = read(playlist("#EXTINF:2,", "#EXT-X-BYTERANGE:10@5", "a.mp4", "#EXTINF:2,", "#EXT-X-BYTERANGE:20", "a.mp4"))
    assert found.segments[1].byterange == ByteRange(20, 15)


def test_keys_hold_until_the_next_of_their_format() -> None:
    found = read(
        playlist(
            '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="a",KEYFORMAT="x"',
            '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="b"',
            "#EXTINF:2,", "1.m4s", "#EXTINF:2,", "2.m4s",
            '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="c",KEYFORMAT="x"',
            "#EXTINF:2,", "3.m4s",
            "#EXT-X-KEY:METHOD=NONE",
            "#EXTINF:2,", "4.m4s",
            '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="d"',
            "#EXTINF:2,", "5.m4s",
        )
    )  # fmt: skip
    uris = [[line.split('URI="')[-1][:1] for line in segment.keys] for segment in found.segments]
    assert uris == [["a", "b"], ["a", "b"], ["b", "c"], ["#"], ["d"]]
    assert read(render(found)).segments == found.segments


def test_tags_before_a_part_make_an_open_segment_without_parts() -> None:
    found = read(playlist("#EXTINF:2,", "1.m4s", "#EXT-X-DISCONTINUITY"))
    assert found.open is not None
    assert found.open.discontinuity
    assert found.position.open_parts == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "#EXTINF:2,\n1.m4s\n",
        "\ufeff" + FULL,  # rule 1
        FULL.replace("s1.m4s", "s1\x00.m4s"),
        FULL.replace("#EXT-X-TARGETDURATION:4\n", ""),
        FULL.replace("#EXT-X-TARGETDURATION:4", "#EXT-X-TARGETDURATION:0"),
        FULL.replace("#EXT-X-TARGETDURATION:4", "#EXT-X-TARGETDURATION:4.5"),
        FULL.replace("#EXT-X-VERSION:6", "#EXT-X-VERSION:6\n#EXT-X-VERSION:6"),  # rule 3
        FULL + "#EXT-X-MEDIA-SEQUENCE:100\n",
        FULL.replace("#EXT-X-MEDIA-SEQUENCE:100\n", "") + "#EXT-X-MEDIA-SEQUENCE:100\n",  # rule 11
        FULL.replace("#EXT-X-DISCONTINUITY-SEQUENCE:7\n", "") + "#EXT-X-DISCONTINUITY-SEQUENCE:7\n",
        FULL.replace("#EXT-X-PART-INF:PART-TARGET=0.520\n", ""),  # rule 27
        FULL.replace("PART-TARGET=0.520", "PART-TARGET=0"),
        FULL + "#EXT-X-STREAM-INF:BANDWIDTH=1\n",  # rule 4
        FULL + "#EXTINF:2,\n",
        FULL + "naked.m4s\n",
        FULL + "#EXTINF:2,\n#EXTINF:2,\nx.m4s\n",
        FULL + '#EXTINF:2,\n#EXT-X-PART:DURATION=1,URI="x"\nx.m4s\n',  # rule 41
        FULL + "#EXTINF:x,\nx.m4s\n",
        FULL + "#EXT-X-PLAYLIST-TYPE:LIVE\n",
        FULL + "#EXT-X-SKIP:SKIPPED-SEGMENTS=1\n",
        FULL + '#EXT-X-PART:DURATION=1\n',
        FULL + '#EXT-X-PART:DURATION=1,DURATION=1,URI="x"\n',  # rule 5
        playlist("#EXT-X-SKIP:SKIPPED-SEGMENTS=99999999"),
        playlist("#EXT-X-SKIP:SKIPPED-SEGMENTS=1", "#EXT-X-SKIP:SKIPPED-SEGMENTS=1"),
        playlist("#EXT-X-SKIP:SKIPPED-SEGMENTS=1", "#EXT-X-MEDIA-SEQUENCE:5"),  # rule 105
        playlist("#EXTINF:2,", "#EXT-X-BYTERANGE:5", "x.mp4"),
        playlist("#EXT-X-PROGRAM-DATE-TIME:yesterday", "#EXTINF:2,", "x.mp4"),
        playlist(*(f'#EXT-X-KEY:METHOD=AES-128,URI="k",KEYFORMAT="{n}"' for n in range(17))),
    ],
)  # fmt: skip
def test_refuses(text: str) -> None:
    with pytest.raises(PlaylistError):
        read(text)


def test_says_the_line() -> None:
    with pytest.raises(PlaylistError, match="line 3: "):
        read(playlist("#EXT-X-VERSION:x"))


def test_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_LINES", 20)
    with pytest.raises(PlaylistError, match="lines"):
        read(FULL)
    monkeypatch.setattr(reader, "MAX_CHARS", 100)
    with pytest.raises(PlaylistError, match="long"):
        read(FULL)


def test_unknown_hints_and_bare_reports() -> None:
    found = read(playlist('#EXT-X-PRELOAD-HINT:TYPE=SOON,URI="x"', '#EXT-X-RENDITION-REPORT:URI="../a.m3u8"'))
    assert found.hints == ()
    assert found.reports == (RenditionReport("../a.m3u8", None, None),)
    assert "LAST" not in render(found)
