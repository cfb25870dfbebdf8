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
