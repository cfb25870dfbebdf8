"""Where segments end."""

from __future__ import annotations

import pytest

from headwater.ingest.timeline.cuts import Cuts, Place
from headwater.ingest.timeline.model import TimelineSettings

FRAME = 3_600


def lengths(gop: int, count: int = 2_000, **settings: float) -> list[tuple[float, Place]]:
    """Segments of 25 frames/s with a keyframe every `gop` frames: (seconds, how the next one started)."""
    cuts = Cuts(TimelineSettings(**settings))  # type: ignore[arg-type]
    cuts.started(0, True)
    found: list[tuple[float, Place]] = []
    for n in range(count):
        time = n * FRAME
        place = cuts.video(time, time, FRAME, n % gop == 0, False)
        if place is not Place.INSIDE:
            found.append(((time - cuts.last) / 90_000, place))
            cuts.started(time, place is Place.AT_KEYFRAME)
    return found


@pytest.mark.parametrize(("gop", "seconds"), [(13, 2.08), (25, 2), (48, 1.92), (50, 2), (75, 3), (100, 4)])
def test_keyframes_near_the_aim_end_segments(gop: int, seconds: float) -> None:
    assert set(lengths(gop)) == {(seconds, Place.AT_KEYFRAME)}


@pytest.mark.parametrize("gop", [110, 150, 250, 1_000, 10_000])
def test_long_gops_are_divided_and_never_pass_the_target(gop: int) -> None:
    found = lengths(gop)
    assert max(seconds for seconds, _ in found) < 4.5
    assert min(seconds for seconds, _ in found) >= 0.3
    at_keys = sum(place is Place.AT_KEYFRAME for _, place in found)
    assert at_keys >= 2_000 // gop - 1


def test_audio_ends_segments_at_the_nearest_frame() -> None:
    cuts = Cuts(TimelineSettings())
    cuts.started(0, True)
    assert cuts.audio(178_000, 1_920, False) is Place.INSIDE
    assert cuts.audio(179_200, 1_920, False) is Place.AT_KEYFRAME
    assert cuts.audio(20_000, 1_920, True) is Place.INSIDE
    assert cuts.audio(30_000, 1_920, True) is Place.AT_KEYFRAME


def test_a_wanted_cut_comes_at_the_next_keyframe() -> None:
    cuts = Cuts(TimelineSettings())
    cuts.started(0, True)
    assert cuts.video(36_000, 36_000, FRAME, True, True) is Place.AT_KEYFRAME
    assert cuts.video(36_000, 36_000, FRAME, False, True) is Place.INSIDE
    assert cuts.interval == 0


def on_grid(gops: list[int], *, allowed: bool = True) -> tuple[list[tuple[float, Place]], Cuts]:
    """Segments of 25 frames/s with these GOPs, where the grid may be used."""
    cuts = Cuts(TimelineSettings())
    cuts.may_be_regular = allowed
    cuts.started(0, True)
    keys = {sum(gops[:index]) for index in range(len(gops))}
    found: list[tuple[float, Place]] = []
    for n in range(sum(gops)):
        place = cuts.video(n * FRAME, n * FRAME, FRAME, n in keys, False)
        if place is not Place.INSIDE:
            found.append(((n * FRAME - cuts.last) / 90_000, place))
            cuts.started(n * FRAME, place is Place.AT_KEYFRAME)
    return found, cuts


def test_keyframes_that_are_too_rare_give_way_to_a_grid() -> None:
    found, cuts = on_grid([250] * 4)
    assert cuts.regular
    assert found[0][0] > 4
    assert all(1.75 <= seconds <= 2.05 for seconds, _ in found[1:]), found
    assert {place for _, place in found[1:]} == {Place.ON_GRID, Place.AT_KEYFRAME}


def test_without_leave_there_is_no_grid() -> None:
    found, cuts = on_grid([250] * 4, allowed=False)
    assert not cuts.regular
    assert max(seconds for seconds, _ in found) > 3


def test_a_grid_goes_when_keyframes_have_been_near_enough_for_a_while() -> None:
    """Not at once: the source would come and go in the playlists."""
    _, cuts = on_grid([250, 50, 50, 50])
    assert cuts.regular
    found, cuts = on_grid([250] + [50] * 12)
    assert not cuts.regular
    assert {place for _, place in found[-4:]} == {Place.AT_KEYFRAME}


def test_the_grid_waits_for_presentation_order_but_not_for_ever() -> None:
    cuts = Cuts(TimelineSettings())
    cuts.may_be_regular = cuts.regular = True
    cuts.started(0, True)
    assert cuts.video(170_000, 180_000, FRAME, False, False) is Place.INSIDE
    assert cuts.video(183_600, 183_600, FRAME, False, False) is Place.ON_GRID
    assert cuts.video(350_000, 361_000, FRAME, False, False) is Place.ON_GRID
