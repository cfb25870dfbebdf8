"""The grid: sources of every rate, with jitter, losses, holes and wrong clocks, against places and IDRs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.ingest.encode.grid import MAX_DIVISOR, Grid, Place, RungGrid, Take

START = 1_700_000_000 * 90_000 + 17
RATES = [
    Fraction(24_000, 1_001),
    Fraction(25),
    Fraction(30_000, 1_001),
    Fraction(30),
    Fraction(50),
    Fraction(60_000, 1_001),
    Fraction(60),
]
RATE_NAMES = ["23.976", "25", "29.97", "30", "50", "59.94", "60"]
every_rate = pytest.mark.parametrize("rate", RATES, ids=RATE_NAMES)


@dataclass
class Ladder:
    """A grid and its rungs, driven as the worker does it."""

    grid: Grid
    rungs: dict[int, RungGrid]
    places: list[Place] = field(default_factory=list)
    takes: dict[int, list[Take]] = field(default_factory=dict)

    def frame(self, pts: int) -> list[Place]:
        return self.place(self.grid.frame(pts))

    def place(self, places: list[Place]) -> list[Place]:
        for place in places:
            self.places.append(place)
            for divisor, rung in self.rungs.items():
                take = rung.take(place)
                if take is not None:
                    self.takes.setdefault(divisor, []).append(take)
        return places

    def cut(self, time: int) -> None:
        for rung in self.rungs.values():
            rung.cut(time)

    def hole(self, until: int) -> None:
        self.grid.hole(until)
        for rung in self.rungs.values():
            rung.restart()


def ladder(rate: Fraction, anchor: int | None = START, divisors: Iterable[int] = (1, 2)) -> Ladder:
    return Ladder(Grid(rate, anchor), {divisor: RungGrid(divisor) for divisor in divisors})


def source(rate: Fraction, count: int, *, ms: bool = False, ppm: int = 0) -> list[int]:
    """`pts` of a source: exact, or rounded to whole milliseconds as RTMP does, with a clock that is off."""
    period = 90_000 / (rate * (1 + Fraction(ppm, 1_000_000)))
    unit = 90 if ms else 1
    return [START + round(number * period / unit) * unit for number in range(count)]


def check_continuity(made: Ladder) -> None:
    """What holds for every rung of every source without holes."""
    assert len({place.number for place in made.places}) == len(made.places)
    for takes in made.takes.values():
        for before, take in pairwise(takes):
            assert take.dts == before.dts + before.duration
            assert before.pts < take.pts
        assert all(take.dts - take.duration < take.pts < take.dts + take.duration for take in takes)


def check_cuts(made: Ladder, cuts: list[int]) -> None:
    """Exactly one IDR per cut, at the first frame that is not before it."""
    for takes in made.takes.values():
        wanted = {next(take.pts for take in takes if take.pts >= cut) for cut in cuts if takes[-1].pts >= cut}
        assert {take.pts for take in takes if take.idr} == wanted
        assert len(wanted) == len([cut for cut in cuts if takes[-1].pts >= cut])


@every_rate
@pytest.mark.parametrize("ms", [False, True], ids=["exact", "milliseconds"])
def test_a_complete_source_is_taken_as_it_is(rate: Fraction, ms: bool) -> None:
    made = ladder(rate)
    cuts = []
    for number, pts in enumerate(source(rate, 1_000, ms=ms)):
        if number % 50 == 0:
            cuts.append(pts)
            made.cut(pts)
        (place,) = made.frame(pts)
        assert place.shown == pts and not place.repeated
        assert abs(place.time - pts) <= 91
    assert (made.grid.duplicated, made.grid.dropped) == (0, 0)
    check_continuity(made)
    check_cuts(made, cuts)
    period = 90_000 / rate
    assert {take.duration for take in made.takes[1]} <= {int(period), -int(-period // 1)}
    assert len(made.takes[2]) == 500


@every_rate
@settings(max_examples=10)
@given(seed=st.integers(0, 1 << 32), cut_every=st.integers(7, 130))
def test_jitter_neither_repeats_nor_drops(rate: Fraction, seed: int, cut_every: int) -> None:
    dice = Random(seed)
    period = float(90_000 / rate)
    made, cuts = ladder(rate), []
    for number, exact in enumerate(source(rate, 400)):
        pts = exact + (round(dice.uniform(-0.35, 0.35) * period) if number else 0)
        if number % cut_every == 0:
            cuts.append(pts)
            made.cut(pts)
        assert [place.shown for place in made.frame(pts)] == [pts]
    assert (made.grid.duplicated, made.grid.dropped) == (0, 0)
    check_continuity(made)
    check_cuts(made, cuts)


@every_rate
@settings(max_examples=15)
@given(seed=st.integers(0, 1 << 32), part=st.floats(0.02, 0.6))
def test_lost_frames_are_repeated_exactly(rate: Fraction, seed: int, part: float) -> None:
    dice = Random(seed)
    made, lost, after = ladder(rate), 0, 0
    for number, pts in enumerate(source(rate, 300, ms=True)):
        if number and dice.random() < part:
            after += 1
            continue
        lost, after = lost + after, 0
        made.frame(pts)
    assert (made.grid.duplicated, made.grid.dropped) == (lost, 0)
    check_continuity(made)


STEPS = st.one_of(st.just(0), st.integers(181, 4_000), st.integers(181, 90_000))
"""Ticks between frames. Frames closer than 2 ms, and a cut between them, are left out: no frame can be taken back."""


@settings(max_examples=60)
@given(
    st.sampled_from(RATES),
    st.lists(STEPS, min_size=1, max_size=80),
    st.integers(20, 400_000),
    st.sets(st.integers(1, MAX_DIVISOR), min_size=1, max_size=3),
)
def test_any_source(rate: Fraction, steps: list[int], cut_every: int, divisors: set[int]) -> None:
    """Screen captures, frozen time, bursts: whatever comes, rungs stay gapless and cuts have their IDR."""
    made = ladder(rate, divisors=sorted(divisors))
    pts, cuts, next_cut = START, [START], START + cut_every
    made.cut(START)
    shown = 0
    for step in [0, *steps]:
        pts += step
        while pts >= next_cut and len(cuts) < 60:
            cuts.append(next_cut)
            made.cut(next_cut)
            next_cut += cut_every
        places = made.frame(pts)
        assert all(place.repeated for place in places[:-1])
        shown += any(not place.repeated for place in places)
    assert shown + made.grid.dropped == len(steps) + 1
    assert len(made.places) == shown + made.grid.duplicated
    check_continuity(made)
    period = float(90_000 / rate)
    for place in made.places:
        assert place.repeated or abs(place.time - place.shown) <= 0.75 * period + 1
    for divisor, takes in made.takes.items():
        wanted = {next((t.pts for t in takes if t.pts >= cut), None) for cut in cuts} - {None}
        assert {take.pts for take in takes if take.idr} == wanted, divisor


def test_screen_capture_shows_each_change_at_its_time() -> None:
    made = ladder(Fraction(30))
    for pts in (0, 90_000, 91_000, 135_000):
        made.frame(START + pts)
    assert [place.number for place in made.places if not place.repeated] == [0, 30, 45]
    assert (made.grid.duplicated, made.grid.dropped) == (43, 1)


def test_twice_the_rate_drops_every_other_frame() -> None:
    for ms in (False, True):
        made = ladder(Fraction(30))
        for pts in source(Fraction(60), 1_200, ms=ms):
            made.frame(pts)
        assert made.grid.duplicated == 0
        assert abs(made.grid.dropped - 600) <= 12
        check_continuity(made)


def test_half_the_rate_shows_every_frame_twice() -> None:
    made = ladder(Fraction(50))
    for pts in source(Fraction(25), 500, ms=True):
        made.frame(pts)
    assert (made.grid.duplicated, made.grid.dropped) == (499, 0)


@every_rate
@pytest.mark.parametrize("moved", [-0.42, 0.3, 0.42, 0.6, 1.5, -1.5])
def test_a_phase_that_moved_is_followed(rate: Fraction, moved: float) -> None:
    period = float(90_000 / rate)
    made = ladder(rate)
    dice = Random(7)
    for number, pts in enumerate(source(rate, 900, ms=True)):
        shift = round(moved * period) if number >= 200 else 0
        made.frame(pts + shift + dice.randint(-90, 90) * (number > 0))
    whole = abs(round(moved))
    assert made.grid.duplicated + made.grid.dropped in ({1, 2, 3} if abs(moved) == 1.5 else {whole})
    assert all(abs(place.time - place.shown) <= 350 for place in made.places[-200:])
    check_continuity(made)


@pytest.mark.parametrize("ppm", [-100, 100])
@pytest.mark.parametrize(("rate", "hours"), [(Fraction(1, 4), 24), (Fraction(24_000, 1_001), 0.2), (Fraction(30), 0.2)])
def test_a_day_with_a_clock_that_is_off(rate: Fraction, hours: float, ppm: int) -> None:
    """0.2 hours at the usual rates, and a day at a frame each four seconds, are two frames of drift already."""
    grid, rung = Grid(rate, START), RungGrid()
    period = (90_000 / (rate * (1 + Fraction(ppm, 1_000_000)))).as_integer_ratio()
    end, worst = START, 0
    for number in range(int(hours * 3_600 * rate)):
        pts = START + number * period[0] // period[1] // 90 * 90
        (place,) = grid.frame(pts)
        take = rung.take(place)
        assert take is not None and take.dts == end
        end += take.duration
        worst = max(worst, abs(place.time - pts))
    assert (grid.duplicated, grid.dropped) == (0, 0)
    assert worst < period[0] / period[1] / 5


def test_frozen_and_backward_time_is_dropped() -> None:
    made = ladder(Fraction(25))
    for pts in (0, 3_600, 3_600, 3_000, 7_200):
        made.frame(START + pts)
    assert [place.shown - START for place in made.places] == [0, 3_600, 7_200]
    assert (made.grid.duplicated, made.grid.dropped) == (0, 2)


def test_a_hole_starts_the_grid_anew_with_an_idr() -> None:
    made = ladder(Fraction(25))
    made.cut(START)
    for number in range(3):
        made.frame(START + 3_600 * number)
    made.hole(START + 500_000)
    assert made.grid.next_time is None
    assert made.frame(START + 499_999) == []
    for number in range(4):
        made.frame(START + 500_001 + 3_600 * number)
    assert [t.dts - START for t in made.takes[1] if t.idr] == [0, 500_001]
    assert [t.dts - START for t in made.takes[2] if t.idr] == [0, 500_001]
    assert made.grid.duplicated == 0


def test_a_gap_beyond_the_longest_repetition_is_a_hole() -> None:
    made = ladder(Fraction(25))
    made.frame(START)
    (place,) = made.frame(START + 90_000 * 7 + 5)
    assert place.time == START + 90_000 * 7 + 5
    assert made.grid.duplicated == 0


def test_a_replaced_worker_goes_on_at_the_same_places() -> None:
    first, frames = ladder(Fraction(30)), source(Fraction(30), 100, ms=True)
    for pts in frames[:60]:
        first.frame(pts)
    end = first.takes[1][-1].dts + first.takes[1][-1].duration
    second = ladder(Fraction(30), anchor=end)
    for pts in frames[40:]:
        second.frame(pts)
    assert second.places[0].time == end and second.takes[1][0].idr and second.takes[2][0].idr
    assert second.places[0].shown == frames[60]
    assert (second.grid.duplicated, second.grid.dropped) == (0, 0)


def test_what_is_late_can_be_left_out() -> None:
    made = ladder(Fraction(25))
    frames = source(Fraction(25), 20)
    made.cut(START)
    for pts in frames[:5]:
        made.frame(pts)
    made.frame(frames[4])
    made.grid.restart(frames[10])
    for rung in made.rungs.values():
        rung.restart()
    for pts in frames[5:]:
        made.frame(pts)
    assert [place.shown for place in made.places] == frames[:5] + frames[10:]
    assert [take.dts for take in made.takes[1] if take.idr] == [frames[0], frames[10]]
    assert (made.grid.duplicated, made.grid.dropped) == (0, 1)


def test_what_was_missed_before_the_resumption_is_repeated() -> None:
    made = ladder(Fraction(25), anchor=START + 36_000)
    made.frame(START)
    made.frame(START + 36_000 + 7_200)
    assert [place.shown - START for place in made.places] == [0, 0, 43_200]
    assert made.takes[1][0].idr


def test_a_cut_on_a_frame_whose_place_is_earlier_moves_only_its_presentation() -> None:
    made = ladder(Fraction(30), divisors=(1,))
    made.frame(START)
    made.cut(START + 3_030)
    made.frame(START + 3_030)
    made.frame(START + 6_000)
    assert [(t.dts - START, t.pts - START, t.idr) for t in made.takes[1]] == [
        (0, 0, True),
        (3_000, 3_030, True),
        (6_000, 6_000, False),
    ]


def test_a_divisor_changes_at_a_cut() -> None:
    made = ladder(Fraction(30), divisors=(1,))
    rung = made.rungs[1]
    frames = source(Fraction(30), 20)
    for number, pts in enumerate(frames):
        if number == 3:
            rung.set_divisor(2)
        if number == 7:
            rung.cut(pts)
        if number == 11:
            rung.set_divisor(1)
            rung.cut(pts + 3_000)
        made.frame(pts)
    assert [round((t.dts - START) / 3_000) for t in made.takes[1]] == [
        *range(7), 7, 9, 11, *range(13, 20),
    ]  # fmt: skip
    assert [round((t.dts - START) / 3_000) for t in made.takes[1] if t.idr] == [0, 7, 13]
    check_continuity(made)
    assert rung.divisor == 1


@pytest.mark.parametrize("rate", [Fraction(0), Fraction(-1), Fraction(1_000)])
def test_impossible_rates(rate: Fraction) -> None:
    with pytest.raises(ValueError, match="frames per second"):
        Grid(rate)


@pytest.mark.parametrize("divisor", [0, MAX_DIVISOR + 1])
def test_impossible_divisors(divisor: int) -> None:
    with pytest.raises(ValueError, match="frame"):
        RungGrid(divisor)
