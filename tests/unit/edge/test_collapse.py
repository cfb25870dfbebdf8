"""Lines and tickets."""

from __future__ import annotations

from dataclasses import replace

from headwater.edge.collapse import Answers, Flight, Line
from headwater.edge.message import Entity, Method, Outcome, Request, Tally


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


def test_many_share_an_answer_for_each_form_and_outcome() -> None:
    entity = Entity(200, (), b"body", received=100.0, age=2.0)
    part = replace(entity, body=b"bo")
    answers = Answers(entity, 103.5, collapsed=True)
    one = answers.of(entity, Outcome.JOIN)
    assert (one.entity, one.outcome, one.age, one.collapsed) == (entity, Outcome.JOIN, 5, True)
    assert answers.of(entity, Outcome.JOIN) is one
    assert answers.of(entity, Outcome.FETCH).outcome is Outcome.FETCH
    assert answers.of(part, Outcome.JOIN).entity is part
    # Forms that nothing else keeps do not come to stand for one another
    assert len({id(answers.of(replace(entity, body=b"%d" % one), Outcome.JOIN).entity) for one in range(50)}) == 50
    own = Answers(replace(entity, own=True), 103.5).of(entity, Outcome.REJECT)
    assert (own.age, own.collapsed) == (None, False)
