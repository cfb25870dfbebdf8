"""A process that lives and does nothing is found; a machine that stood still is no reason to end anybody."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from headwater.config.vigil import BEAT_S, LOOK_S, Hung, Vigil, Watched

HANG_S = 10.0
START_S = 60.0


class Parent:
    """Looks every `LOOK_S` at processes that give signs of life, those in `hanging` excepted."""

    def __init__(self, *names: str) -> None:
        self.vigil = Vigil(HANG_S, START_S)
        self.processes = {name: Watched(name, 100 + at, running=True) for at, name in enumerate(names)}
        self.hanging: set[str] = set()
        self.now = 1_000.0
        self.ended: list[tuple[float, Hung]] = []

    def pass_time(self, seconds: float, each: Callable[[], None] = lambda: None) -> None:
        until = self.now + seconds
        while self.now < until:
            self.now += LOOK_S
            each()
            for name in self.processes.keys() - self.hanging:
                self.vigil.heard(name)
            hung = self.vigil.look(self.now, self.processes.values())
            if hung is not None:
                self.ended.append((self.now, hung))

    def stand_still(self, seconds: float) -> None:
        """Nobody runs, the parent included."""
        self.now += seconds

    def replace(self, name: str, pid: int | None, *, running: bool) -> None:
        self.processes[name] = Watched(name, pid, running)


@pytest.fixture
def parent() -> Parent:
    made = Parent("node", "0", "1")
    made.pass_time(5)
    return made


def test_who_gives_signs_of_life_is_left_alone(parent: Parent) -> None:
    assert BEAT_S < HANG_S / 4
    parent.pass_time(3_600)
    assert parent.ended == []


def test_one_that_says_nothing_is_ended_after_the_time_of_the_setting(parent: Parent) -> None:
    began = parent.now
    parent.hanging = {"1"}
    parent.pass_time(HANG_S - LOOK_S)
    assert parent.ended == []
    parent.pass_time(2 * LOOK_S)
    ((at, hung),) = parent.ended
    assert hung == Hung("1", 102, HANG_S)
    assert HANG_S <= at - began <= HANG_S + LOOK_S


def test_a_sign_at_the_last_moment_counts(parent: Parent) -> None:
    for _ in range(5):
        parent.hanging = {"0"}
        parent.pass_time(HANG_S - LOOK_S)
        parent.hanging = set()
        parent.pass_time(LOOK_S)
    assert parent.ended == []


def test_a_machine_that_was_suspended_ends_nobody(parent: Parent) -> None:
    for _ in range(20):
        parent.stand_still(3_600)
        parent.hanging = set(parent.processes)  # what they said before has not been read yet
        parent.pass_time(LOOK_S)
        parent.hanging = set()
        parent.pass_time(LOOK_S)
    assert parent.ended == []


def test_the_count_begins_anew_when_the_parent_itself_was_late(parent: Parent) -> None:
    parent.hanging = {"0"}
    parent.pass_time(HANG_S - 1)
    parent.stand_still(HANG_S / 2)
    parent.pass_time(HANG_S)
    assert parent.ended == []
    parent.pass_time(2 * LOOK_S)
    assert [hung.name for _, hung in parent.ended] == ["0"]


def test_a_parent_that_is_slow_counts_what_it_has_seen_and_not_the_clock(parent: Parent) -> None:
    """Twice as slow as it should be: everybody else is, too, on a machine without a core to spare."""
    began = parent.now
    parent.hanging = {"0"}
    parent.pass_time(4 * HANG_S, each=lambda: parent.stand_still(LOOK_S))
    assert parent.ended[0][0] - began >= 2 * HANG_S


def test_never_more_than_one_in_that_time_and_the_node_first(parent: Parent) -> None:
    parent.hanging = {"0", "1", "node"}
    parent.pass_time(6 * HANG_S)
    times = [at for at, _ in parent.ended]
    assert parent.ended[0][1].name == "node"
    assert {hung.name for _, hung in parent.ended} == {"node", "0", "1"}
    assert all(later - earlier >= HANG_S for earlier, later in itertools.pairwise(times))


def test_the_one_in_its_place_has_its_own_time(parent: Parent) -> None:
    parent.hanging = {"0"}
    parent.pass_time(HANG_S + 2 * LOOK_S)
    parent.replace("0", None, running=False)
    parent.pass_time(LOOK_S)
    parent.replace("0", 200, running=False)
    parent.pass_time(START_S)
    assert len(parent.ended) == 1
    parent.replace("0", 200, running=True)
    parent.pass_time(HANG_S)
    assert len(parent.ended) == 1
    parent.pass_time(2 * LOOK_S)
    assert [hung.pid for _, hung in parent.ended] == [101, 200]


def test_one_that_never_gets_ready_is_ended_too(parent: Parent) -> None:
    parent.replace("1", 300, running=False)
    parent.hanging = {"1"}
    parent.pass_time(START_S)
    assert parent.ended == []
    parent.pass_time(2 * LOOK_S)
    assert [(hung.pid, hung.silent_s) for _, hung in parent.ended] == [(300, START_S)]


def test_where_there_is_no_process_there_is_nobody_to_end(parent: Parent) -> None:
    parent.replace("1", None, running=False)
    parent.hanging = {"1"}
    parent.pass_time(10 * START_S)
    assert parent.ended == []
