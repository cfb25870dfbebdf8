from __future__ import annotations

import re
from dataclasses import replace

import pytest
from tests.unit.origin.hls.playlists import live

from headwater.origin.hls.directives import Skip
from headwater.origin.hls.model import MediaPlaylist, Part, Segment, ServerControl
from headwater.origin.hls.reader import read
from headwater.origin.hls.writer import render


def tags(text: str) -> list[str]:
    return [line.partition(":")[0] for line in text.splitlines()]


def test_head() -> None:
    lines = render(live()).splitlines()
    assert lines[:8] == [
        "#EXTM3U",
        "#EXT-X-VERSION:6",
        "#EXT-X-TARGETDURATION:4",
        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.560,HOLD-BACK=12.000,CAN-SKIP-UNTIL=24.000",
        "#EXT-X-PART-INF:PART-TARGET=0.520",
        "#EXT-X-MEDIA-SEQUENCE:100",
        "#EXT-X-DISCONTINUITY-SEQUENCE:3",
        '#EXT-X-MAP:URI="init-old.mp4"',
    ]


def test_order_within_a_segment() -> None:
    """Rules 39 to 41."""
    text = render(live(count=8, new_map_at=102))
    at = text.index("#EXT-X-DISCONTINUITY\n")
    assert tags(text[at:])[:9] == [
        "#EXT-X-DISCONTINUITY", "#EXT-X-MAP", "#EXT-X-PROGRAM-DATE-TIME", "#EXT-X-PART", "#EXT-X-PART",
        "#EXT-X-PART", "#EXT-X-PART", "#EXTINF", "s102.m4s",
    ]  # fmt: skip


def test_end_of_a_live_playlist() -> None:
    """Rules 61, 74 to 77: the open parent's parts, the hint, the reports."""
    lines = render(live()).splitlines()
    assert lines[-5:] == [
        "#EXT-X-PROGRAM-DATE-TIME:2025-11-20T11:20:29.123Z",
        '#EXT-X-PART:DURATION=0.520,URI="p1300.m4s",INDEPENDENT=YES',
        '#EXT-X-PART:DURATION=0.520,URI="p1301.m4s"',
        '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="p1302.m4s"',
        '#EXT-X-RENDITION-REPORT:URI="../audio/index.m3u8",LAST-MSN=130,LAST-PART=1',
    ]


def test_end_of_an_ended_playlist() -> None:
    """Rules 24 and 102."""
    ended = replace(live(), open=None, hints=(), ended=True)
    text = render(ended)
    assert text.endswith("#EXT-X-ENDLIST\n")
    assert "PRELOAD-HINT" not in text
    assert render(ended, delta=Skip.YES) == text


def test_nothing_is_said_that_is_not_supported() -> None:
    """Rule 32."""
    plain = MediaPlaylist(6, 1, segments=(Segment(1, "1.ts", 6.0),), control=ServerControl(can_skip_dateranges=True))
    assert render(plain) == (
        "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:1\n"
        "#EXT-X-DISCONTINUITY-SEQUENCE:0\n#EXTINF:6.000,\n1.ts\n"
    )


def test_once_only_tags() -> None:
    """Rule 3."""
    for text in (render(live()), render(live(), delta=Skip.YES)):
        found = tags(text)
        for tag in ("VERSION", "TARGETDURATION", "MEDIA-SEQUENCE", "DISCONTINUITY-SEQUENCE", "PART-INF",
                    "SERVER-CONTROL"):  # fmt: skip
            assert found.count(f"#EXT-X-{tag}") == 1


@pytest.mark.parametrize(("target", "duration"), [(0.5, 0.5), (0.333333, 0.3333330000001), (1 / 3, 1 / 3)])
def test_printed_parts_are_not_above_the_target(target: float, duration: float) -> None:
    """Rule 42."""
    open_ = Segment(2, None, duration, (Part("p.m4s", min(duration, target)),), 1)
    text = render(replace(live(), part_target=target, open=open_))
    printed_target = re.search(r"PART-TARGET=([0-9.]+)", text)
    printed = re.search(r'DURATION=([0-9.]+),URI="p.m4s"', text)
    assert printed_target and printed
    assert float(printed[1]) <= float(printed_target[1])


@pytest.mark.parametrize("skip", [Skip.YES, Skip.V2])
def test_delta_update(skip: Skip) -> None:
    """Rules 7, 103 to 105, 108, 252."""
    text = render(live(), delta=skip)
    lines = text.splitlines()
    assert lines[1] == "#EXT-X-VERSION:9"
    at = lines.index("#EXT-X-SKIP:SKIPPED-SEGMENTS=17")
    assert lines[at - 2 : at] == ["#EXT-X-MEDIA-SEQUENCE:100", "#EXT-X-DISCONTINUITY-SEQUENCE:3"]
    # The map of the first segment that is not skipped is not said again; every date is.
    assert lines[at + 1 : at + 4] == ["#EXT-X-PROGRAM-DATE-TIME:2025-11-20T11:20:03.123Z", "#EXTINF:2.000,", "s117.m4s"]
    assert "EXT-X-MAP" not in text
    assert text.endswith("\n".join(render(live()).splitlines()[-5:]) + "\n")


def test_nothing_to_skip() -> None:
    """Rule 107."""
    short = live(count=13)
    assert render(short, delta=Skip.YES) == render(short)
    assert render(live(), delta=Skip.NO) == render(live())


def test_a_map_inside_the_delta_stays() -> None:
    """Rule 111."""
    text = render(live(new_map_at=120), delta=Skip.YES)
    at = text.index("#EXT-X-DISCONTINUITY\n")
    assert tags(text[at:])[1] == "#EXT-X-MAP"


def test_text_of_a_segment_is_kept() -> None:
    one = live()
    assert render(one) == render(one)
    assert all(segment.memo for segment in one.segments)
    assert replace(one.segments[0], title="x").memo == []
    assert one == read(render(one)) or read(render(one)).last_msn == one.last_msn
