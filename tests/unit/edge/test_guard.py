"""Limits per address and of all; newcomers go first."""

from __future__ import annotations

import pytest

from headwater.config.settings_viewers import ViewerLimits
from headwater.edge import guard as guard_module
from headwater.edge.guard import CALM_TICKS, FORGED_COST, RETRY_S, STRAINED_TICKS, WATCHING_S, Guard, Guest
from headwater.edge.message import Entity, Tally

HERE = "192.0.2.7"


def guard_of(connections: int = 1_000, trusted: tuple[str, ...] = (), **limits: object) -> tuple[Guard, Tally]:
    tally = Tally()
    return Guard(ViewerLimits.model_validate(limits), trusted, connections, tally, 0.0), tally


def status(answer: Entity | None) -> int:
    return 0 if answer is None else answer.status


def retry_after(answer: Entity | None) -> int:
    assert answer is not None
    return int(dict(answer.headers)["Retry-After"])


def test_connections_of_one_address() -> None:
    guard, tally = guard_of(connections_per_address=2)
    one = guard.guest(HERE, 0.0)
    assert [status(guard.connect(one, 1, 0.0)) for _ in range(3)] == [0, 0, 503]
    assert guard.connect(guard.guest("192.0.2.8", 0.0), 1, 0.0) is None
    guard.leave(one)
    guard.leave(one)
    assert guard.connect(guard.guest(HERE, 0.0), 1, 0.0) is None
    assert tally.refused == {"address-connections": 1}


def test_a_64_is_one_address() -> None:
    guard, _ = guard_of(connections_per_address=1)
    assert guard.connect(guard.guest("2001:db8:0:1::1", 0.0), 1, 0.0) is None
    assert status(guard.connect(guard.guest("2001:db8:0:1:f::9", 0.0), 2, 0.0)) == 503
    assert guard.connect(guard.guest("2001:db8:0:2::1", 0.0), 3, 0.0) is None


def test_requests_of_one_address_come_back_with_time() -> None:
    guard, tally = guard_of(requests_per_s_per_address=5)
    guest = guard.guest(HERE, 0.0)
    assert [status(guard.request(guest, 0.0)) for _ in range(11)] == [0] * 10 + [429]
    assert retry_after(guard.request(guest, 0.1)) == 1
    assert status(guard.request(guest, 0.2)) == 0
    assert status(guard.request(guest, 0.2)) == 429
    assert [status(guard.request(guest, 100.0)) for _ in range(11)] == [0] * 10 + [429]
    assert tally.refused == {"address-requests": 4}


def test_a_fine_takes_what_is_there() -> None:
    guard, _ = guard_of(requests_per_s_per_address=50)
    guest = guard.guest(HERE, 0.0)
    assert guest.bucket is not None
    guest.bucket.fine(FORGED_COST)
    assert [status(guard.request(guest, 0.0)) for _ in range(51)] == [0] * 50 + [429]
    guest.bucket.fine(FORGED_COST)
    assert status(guard.request(guest, 0.02)) == 0, "it is not owed"


def test_connections_count_as_requests_so_that_a_storm_of_them_is_refused_too() -> None:
    guard, _ = guard_of(requests_per_s_per_address=1)
    guest = guard.guest(HERE, 0.0)
    answers = []
    for _ in range(3):
        answers.append(status(guard.connect(guest, 1, 0.0)))
        guard.leave(guest)
    assert answers == [0, 0, 503]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.1.2.3", "198.51.100.9", ""])
def test_who_has_no_limits_of_its_own(address: str) -> None:
    guard, _ = guard_of(connections_per_address=1, requests_per_s_per_address=1, trusted=("198.51.100.0/24",))
    guest = guard.guest(address, 0.0)
    assert guest.bucket is None
    assert [guard.connect(guest, 1, 0.0) for _ in range(5)] == [None] * 5
    assert [guard.request(guest, 0.0) for _ in range(5)] == [None] * 5


def test_the_last_connections_are_for_those_who_watch() -> None:
    guard, tally = guard_of(connections=100)
    newcomer, viewer = guard.guest(HERE, 0.0), guard.guest("192.0.2.8", 0.0)
    viewer.watched = 0.0
    assert guard.connect(newcomer, 95, 1.0) is None
    assert status(guard.connect(newcomer, 96, 1.0)) == 503
    assert guard.connect(viewer, 96, 1.0) is None
    assert status(guard.connect(viewer, 96, WATCHING_S)) == 503
    assert tally.refused == {"connections": 2}


def test_requests_of_all_newcomers_first() -> None:
    guard, tally = guard_of(requests_per_s=5, unlimited=["0.0.0.0/0"])
    assert guard.strained
    newcomer, viewer = guard.guest(HERE, 0.0), guard.guest("192.0.2.8", 0.0)
    viewer.watched = 0.0
    assert [status(guard.request(newcomer, 0.0)) for _ in range(11)] == [0] * 10 + [503]
    assert [status(guard.request(viewer, 0.0)) for _ in range(11)] == [0] * 10 + [503]
    assert status(guard.request(newcomer, 2.0)) == 503, "what watchers took is paid back first"
    assert status(guard.request(newcomer, 2.5)) == 0
    assert tally.refused == {"requests": 3}


def strain(guard: Guard, late_s: float = 1.0, full: bool = False) -> None:
    for _ in range(STRAINED_TICKS):
        guard.look(late_s, full)


@pytest.mark.parametrize(("late_s", "full"), [(0.3, False), (0.0, True)])
def test_a_server_with_too_much_to_do_keeps_those_who_watch(late_s: float, full: bool) -> None:
    guard, tally = guard_of()
    newcomer, viewer = guard.guest(HERE, 0.0), guard.guest("127.0.0.1", 0.0)
    viewer.watched = 0.0
    guard.look(late_s, full)
    assert not guard.strained, "one long wake is no overload"
    strain(guard, late_s, full)
    assert guard.strained
    refusals = [guard.request(newcomer, 1.0) for _ in RETRY_S]
    assert {status(each) for each in refusals} == {503}
    assert [retry_after(each) for each in refusals] == list(RETRY_S), "they do not come back together"
    assert guard.request(viewer, 1.0) is None
    assert guard.request(newcomer, 1.0, health=True) is None
    assert status(guard.request(viewer, WATCHING_S)) == 503
    assert tally.refused == {"shed": len(RETRY_S) + 1}
    for _ in range(CALM_TICKS - 1):
        guard.look(0.0, False)
    guard.look(0.2, False)
    assert guard.shedding, "not yet calm"
    for _ in range(CALM_TICKS):
        guard.look(0.0, False)
    assert not guard.strained
    assert guard.request(newcomer, 1.0) is None


def test_the_table_is_bounded_and_who_is_connected_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard_module, "MAX_GUESTS", 4)
    guard, _ = guard_of()
    here = guard.guest(HERE, 0.0)
    guard.connect(here, 1, 0.0)
    for number in range(50):
        guard.guest(f"198.51.100.{number}", 0.0)
    assert len(guard) == 5
    assert guard.guest(HERE, 0.0) is here
    others = [guard.guest(f"203.0.113.{number}", 0.0) for number in range(20)]
    for other in others:
        guard.connect(other, 1, 0.0)
    assert len(guard) == 21
    for guest in (*others, here):
        guard.leave(guest)
    assert len(guard) == 4
    assert guard.guest(HERE, 0.0) is here


def test_who_is_forgotten_and_comes_back_is_new() -> None:
    guest = Guest("a", None)
    guard, _ = guard_of()
    assert not guard.watches(guest, 0.0)
