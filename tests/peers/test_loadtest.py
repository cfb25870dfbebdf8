"""The harness against a server that is bad in ways it was told: its figures are what was done.

All cases run at once, each a server and a generator of its own with a few viewers, so the whole costs the time of one.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from headwater.loadtest.bench.drive import BadPeer, Drive, arrivals, drive
from headwater.loadtest.records import Count, Mode, Timing, ViewerClass
from headwater.loadtest.results.figures import Figures

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120)]

SECONDS = 12.0
SETTLED_S = 4.0
"""Viewers that came at 0 have started, and faults that last for the whole run have shown."""
END_S = SECONDS - 1
VIEWERS = 8
BOTH = (ViewerClass("chrome", Mode.HLSJS), ViewerClass("iphone", Mode.SAFARI))
CHROME = (ViewerClass("chrome", Mode.HLSJS, audio=False),)
OLD = (ViewerClass("old", Mode.LEGACY, audio=False),)
FROZEN_FROM_S, FROZEN_TO_S = 6.0, 10.0
"""Since the server's start, about 1.5 s before the run's second 0."""


@dataclass(frozen=True)
class Case:
    """One server with its viewers."""

    faults: tuple[str, ...] = ()
    viewers: tuple[ViewerClass, ...] = CHROME
    part_ms: int = 500
    stopped_s: float = 0.0
    """How long the generator's process is stopped in the middle."""


CASES = {
    "good": Case(viewers=BOTH),
    "late parts": Case(("part-delay=200",), BOTH),
    "late playlists": Case(("playlist-delay=200",)),
    "some late": Case(("part-delay=300,share=0.3",)),
    "missing": Case(("status=404,share=0.1",)),
    "flaky": Case(("flaky=404,share=0.2",)),
    "broken": Case(("status=503,share=0.2", "reset,share=0.4")),
    "frozen": Case((f"freeze,from={FROZEN_FROM_S},to={FROZEN_TO_S}",)),
    "too short": Case(("pace=0.8",), part_ms=200),
    "early": Case(("early,share=0.5",)),
    "wrong dates": Case(("drift=-250",)),
    "half way": Case(("stall=400",)),
    "slow": Case(("slow=1000000",)),
    "old players": Case(("part-delay=300",), OLD),
    "stopped": Case(("part-delay=200",), stopped_s=1.5),
}


@dataclass(frozen=True)
class Outcome:
    """What the harness found, and what the server says it did."""

    found: Drive
    told: dict[str, Any]

    @property
    def settled(self) -> Figures:
        """Without the start-up."""
        return self.found.figures(SETTLED_S, END_S)

    @property
    def whole(self) -> Figures:
        return self.found.figures()


def run(name: str, folder: Path) -> Outcome:
    case = CASES[name]
    arguments = [word for fault in case.faults for word in ("--fault", fault)]
    server = BadPeer(folder, (*arguments, "--part-ms", str(case.part_ms))).start()
    stopping = threading.Event()

    def during(pid: int, second: float) -> None:
        if case.stopped_s and second > SECONDS / 2 and not stopping.is_set():
            stopping.set()
            os.kill(pid, signal.SIGSTOP)
            threading.Timer(case.stopped_s, os.kill, (pid, signal.SIGCONT)).start()

    try:
        each = VIEWERS // len(case.viewers)
        comers = tuple(arrival for viewer in case.viewers for arrival in arrivals(viewer, each))
        found = drive(server.url, comers, folder, seconds=SECONDS, during=during)
        return Outcome(found, server.told())
    finally:
        assert server.stop() == 0


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Outcome]]:
    folder = tmp_path_factory.mktemp("loadtest")
    with ThreadPoolExecutor(len(CASES)) as pool:
        running = {name: pool.submit(run, name, folder / name.replace(" ", "-")) for name in CASES}
        yield {name: one.result() for name, one in running.items()}


def delay_ms(outcome: Outcome, timing: Timing) -> float:
    value = outcome.settled.percentile_us(timing, 50)
    assert value is not None, timing
    return value / 1_000


def test_a_good_server_is_found_good(outcomes: dict[str, Outcome]) -> None:
    for name in ("good", "late parts"):
        figures = outcomes[name].whole
        assert figures.count(Count.STARTED) == VIEWERS
        assert not figures.errors
        assert [figures.count(one) for one in (Count.FATAL, Count.STALLS, Count.BEHIND, Count.GAPS)] == [0] * 4
        assert not outcomes[name].found.invalid


def test_what_was_loaded_is_what_was_answered(outcomes: dict[str, Outcome]) -> None:
    for name in ("good", "late parts", "wrong dates"):
        figures, answers = outcomes[name].whole, outcomes[name].told["answers"]
        assert figures.count(Count.PLAYLISTS) == pytest.approx(answers["200 playlist"], rel=0.05)
        assert figures.count(Count.PARTS) == pytest.approx(answers["200 part"], rel=0.05)


def test_a_delay_of_200_ms_shows_as_200_ms(outcomes: dict[str, Outcome]) -> None:
    good = outcomes["good"]
    for name, timing in (("late parts", Timing.PART), ("late playlists", Timing.PLAYLIST)):
        assert delay_ms(outcomes[name], timing) - delay_ms(good, timing) == pytest.approx(200, abs=10), name
    assert outcomes["late parts"].settled.holds(Timing.PART, 99)


def test_dates_that_are_off_show_as_a_constant_delay(outcomes: dict[str, Outcome]) -> None:
    assert delay_ms(outcomes["wrong dates"], Timing.PART) - delay_ms(outcomes["good"], Timing.PART) == pytest.approx(
        250, abs=10
    )


def test_as_many_parts_are_late_as_were_told(outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes["some late"]
    delays = outcome.whole.timings[Timing.PART]
    (in_time,) = delays.distribution((200_000,))
    told = outcome.told["done"]["part-delay"]
    assert delays.count - in_time == pytest.approx(told, rel=0.05)
    assert told / outcome.told["answers"]["200 part"] == pytest.approx(0.3, abs=0.06)


def test_errors_are_counted_by_what_they_are(outcomes: dict[str, Outcome]) -> None:
    missing, broken, flaky = (outcomes[name] for name in ("missing", "broken", "flaky"))
    figures = flaky.whole
    assert figures.errors["status 404 part"] == pytest.approx(flaky.told["answers"]["404 part"], rel=0.05)
    hit = flaky.told["hit"]["flaky"] / flaky.told["listed"]
    assert figures.errors["status 404 part"] / figures.timings[Timing.PART].count == pytest.approx(hit, rel=0.05)
    assert missing.whole.errors["status 404 part"] == pytest.approx(missing.told["answers"]["404 part"], rel=0.05)
    assert broken.whole.errors["status 503 part"] == pytest.approx(broken.told["answers"]["503 part"], rel=0.05)
    assert broken.whole.errors["reset part"] == pytest.approx(broken.told["done"]["reset"], rel=0.05)


def test_a_freeze_shows_as_the_stall_that_it_makes(outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes["frozen"]
    told, found = outcome.told, outcome.found
    part_s, start = told["part_s"], told["start"]
    # The media that was listed last ends at the last due time before the freeze.
    last_end = (start + FROZEN_FROM_S) // part_s * part_s
    before = int(start + FROZEN_FROM_S - found.epoch)
    latency_us = found.figures(before - 2, before).percentile_us(Timing.LATENCY, 50)
    assert latency_us is not None
    expected_s = start + FROZEN_TO_S - (last_end + latency_us / 1e6)
    whole = outcome.whole
    assert whole.count(Count.STALLS) == VIEWERS
    assert whole.count(Count.STALLED_US) / 1e6 / VIEWERS == pytest.approx(expected_s, rel=0.05)
    assert whole.count(Count.FATAL) == 0


def test_media_that_is_shorter_than_its_time_stalls_for_the_difference(outcomes: dict[str, Outcome]) -> None:
    figures = outcomes["too short"].settled
    assert figures.stall_ratio == pytest.approx(0.2, abs=0.01)


def test_reloads_without_anything_new_are_counted(outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes["early"]
    assert outcome.whole.count(Count.BEHIND) == pytest.approx(outcome.told["done"]["early"], rel=0.05)


def test_bodies_that_stop_or_drip_take_their_time(outcomes: dict[str, Outcome]) -> None:
    good = delay_ms(outcomes["good"], Timing.PART)
    assert delay_ms(outcomes["half way"], Timing.PART) - good == pytest.approx(400, abs=20)
    # 20,000 bytes at 1 Mbit/s.
    assert delay_ms(outcomes["slow"], Timing.PART) - good == pytest.approx(160, abs=10)


def test_players_without_low_latency_see_segments_late(outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes["old players"]
    assert outcome.whole.count(Count.SEGMENTS) == pytest.approx(outcome.told["answers"]["200 segment"], rel=0.05)
    assert outcome.whole.count(Count.PARTS) == 0
    assert outcome.whole.count(Count.STALLS) == 0
    assert not outcome.whole.errors


def test_a_generator_kept_from_its_cpu_marks_what_it_found(outcomes: dict[str, Outcome]) -> None:
    stopped, free = outcomes["stopped"].whole, outcomes["late parts"].settled
    assert free.holds(Timing.PART, 99)
    assert not stopped.holds(Timing.PART, 99)
    assert stopped.lags.largest[-1] == pytest.approx(1_500_000, rel=0.1)
