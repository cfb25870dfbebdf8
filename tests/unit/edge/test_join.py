"""One presentation after another: numbers, discontinuities, dates."""

from __future__ import annotations

import dataclasses

import pytest
from tests.edge_kit import LiveStream

from headwater.edge.join import BESIDE, MOST_BACK, Join, join, joined, last_shown
from headwater.origin.hls import reader, writer
from headwater.origin.hls.model import MediaPlaylist, RenditionReport


def stream(first_msn: int, parts: int, **options: str) -> LiveStream:
    """`parts` in the open segment."""
    made = LiveStream(first_msn=first_msn, **options)  # type: ignore[arg-type]
    for _ in range(parts):
        made.step()
    return made


def model(first_msn: int, parts: int) -> MediaPlaylist:
    return stream(first_msn, parts, prefix="other-").model


@pytest.mark.parametrize("theirs_first", [1, 95, 100, 103, 5_000])
@pytest.mark.parametrize("parts", [0, 1, 3])
def test_numbers_go_on_above_what_was_seen_and_are_never_lowered(theirs_first: int, parts: int) -> None:
    ours, theirs = stream(100, parts).model, model(theirs_first, 2)
    at = join(ours, theirs)
    assert at.shift >= 0
    assert at.first + at.shift > last_shown(ours) + BESIDE
    if theirs_first < 100:
        assert at.first + at.shift == last_shown(ours) + 1 + BESIDE, "no number is left out without need"
    elif theirs_first > 100:
        assert at.shift <= 1, "who is ahead keeps its own numbers"


def test_it_begins_where_the_dates_say() -> None:
    ours = stream(100, 0)
    theirs = LiveStream(first_msn=500, segments=12, prefix="other-")  # three segments of 2 s more
    at = join(ours.model, theirs.model)
    assert at.first == theirs.msn - 3
    shown = joined(theirs.model, at)
    assert shown is not None
    assert [segment.msn for segment in shown.segments] == [509, 510, 511]
    assert shown.segments[0].date_us == (ours.model.segments[-1].date_us or 0) + 2_000_000


def test_a_date_of_another_clock_moves_it_by_a_few_segments_only() -> None:
    ours, theirs = stream(100, 0).model, LiveStream(first_msn=500, segments=29).model
    assert join(ours, theirs).first == theirs.last_msn + 1 - MOST_BACK


def test_without_dates_it_begins_with_the_newest_segment() -> None:
    theirs = model(500, 2)
    bare = dataclasses.replace(
        theirs, segments=tuple(dataclasses.replace(segment, date_us=None) for segment in theirs.segments), open=None
    )
    assert join(stream(100, 1).model, bare).first == bare.last_msn


@pytest.mark.parametrize("parts", [0, 1, 3])
@pytest.mark.parametrize("behind", [0, 1, 2])
def test_there_is_a_whole_segment_from_the_start(parts: int, behind: int) -> None:
    """What is shown ends where the open segment of the other one begins, or later."""
    ours, theirs = stream(100, 2 * behind + 1).model, model(500, parts)
    shown = joined(theirs, join(ours, theirs))
    assert shown is not None
    assert shown.segments[-1].uri == theirs.segments[-1].uri
    assert shown.segments[0].discontinuity


def test_the_only_segment_is_begun_with_where_there_is_no_whole_one() -> None:
    theirs = stream(500, 0)
    fresh = LiveStream(first_msn=theirs.msn, segments=0, prefix="other-")
    fresh.step()
    shown = joined(fresh.model, join(stream(100, 1).model, fresh.model))
    assert shown is not None and shown.open is not None
    assert (shown.segments, len(shown.open.parts)) == ((), 1)


def test_nothing_is_shown_before_there_is_a_part() -> None:
    theirs = stream(100, 0)
    at = Join(theirs.msn, 5, 0)
    assert joined(theirs.model, at) is None
    theirs.step()
    shown = joined(theirs.model, at)
    assert shown is not None and shown.open is not None
    assert (shown.open.msn, shown.open.discontinuity) == (theirs.msn + 5, True)
    assert shown.position.last_msn == theirs.msn + 4


def test_the_discontinuity_is_counted_when_it_slides_out() -> None:
    ours = dataclasses.replace(stream(100, 2).model, discontinuity_sequence=7)
    theirs = LiveStream(first_msn=40, window=10, prefix="other-")
    at = join(ours, theirs.model)
    numbers: dict[int, int] = {}
    for _ in range(20 * 4):
        theirs.step()
        shown = joined(theirs.model, at)
        if shown is None:
            continue
        assert reader.read(writer.render(shown)).segments == shown.segments
        turn = shown.discontinuity_sequence
        for segment in shown.segments:
            turn += segment.discontinuity
            assert numbers.setdefault(segment.msn, turn) == turn, "rule 189"
    assert set(numbers.values()) == {8}
    assert shown is not None and shown.discontinuity_sequence == 8


def test_reports_have_the_shifted_numbers_too() -> None:
    theirs = dataclasses.replace(
        model(40, 2), reports=(RenditionReport("a.m3u8", 48, 1), RenditionReport("b.m3u8", None, None))
    )
    shown = joined(theirs, join(stream(100, 0).model, theirs))
    assert shown is not None
    assert shown.reports[0].last_msn == 48 + (shown.last_msn - theirs.last_msn)
    assert shown.reports[1].last_msn is None
