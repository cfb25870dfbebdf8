"""Lines and tickets."""

from __future__ import annotations

from headwater.edge.collapse import Flight, Line
from headwater.edge.message import Method, Request, Tally


def request() -> Request:
    return Request(Method.GET, b"/")


def test_who_leaves_is_forgotten_and_nobody_else() -> None:
    tally = Tally()
    line = Line(tally)
    waiters = [line.join(request(), lambda response: None) for _ in range(3)]
    assert tally.held == 3
    waiters[1].cancel()
    waiters[1].cancel()
    assert tally.held == 2
    assert line.take() == [waiters[0], waiters[2]]
    assert tally.held == 0
    waiters[0].cancel()
    assert tally.held == 0
    assert len(line) == 0


def test_taking_begins_at_a_rotated_place() -> None:
    line = Line(Tally())
    waiters = [line.join(request(), lambda response: None) for _ in range(4)]
    assert line.take(0.5) == [*waiters[2:], *waiters[:2]]


def test_who_is_overdue_is_taken_out() -> None:
    tally = Tally()
    line = Line(tally)
    first = line.join(request(), lambda response: None, deadline=10.0)
    second = line.join(request(), lambda response: None, deadline=11.0)
    assert line.overdue(9.9) == []
    assert line.overdue(10.0) == [first]
    assert len(line) == 1
    assert tally.held == 1
    assert line.take() == [second]


def test_a_ticket_follows_its_request() -> None:
    tally = Tally()
    flight = Flight("/a", tally)
    waiter = flight.join(request(), lambda response: None)
    flight.take()
    second = Line(tally)
    waiter.follow(second.join(request(), lambda response: None))
    assert tally.held == 1
    waiter.cancel()
    assert tally.held == 0
    waiter.follow(None)
    waiter.cancel()
