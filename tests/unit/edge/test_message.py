"""Values between the stages."""

from __future__ import annotations

import pytest

from headwater.edge.message import Entity, Failure, Outcome, Purpose, Tally, UpstreamAnswer


def test_age_counts_from_the_last_byte_on_top_of_the_upstreams() -> None:
    entity = Entity(200, (), b"", received=100.0, age=3.0, lifetime=10.0)
    assert entity.age_at(100.9) == 3
    assert entity.age_at(101.0) == 4
    assert entity.age_at(99.0) == 2
    assert entity.fresh_at(106.9)
    assert not entity.fresh_at(107.0)


@pytest.mark.parametrize("failure", list(Failure))
def test_a_failure_has_a_status_and_words(failure: Failure) -> None:
    assert failure.status in (502, 503, 504)
    assert failure.reason


def test_repeated_fields_are_joined() -> None:
    answer = UpstreamAnswer(0.0, 0.0, 200, (("via", "a"), ("x", "y"), ("via", "b")))
    assert answer.get("via") == "a, b"
    assert answer.get("none") is None


def test_the_tally_has_bounded_labels() -> None:
    tally = Tally()
    tally.fetched(Purpose.OBJECT, UpstreamAnswer(0.0, 0.0, 404))
    tally.fetched(Purpose.OBJECT, UpstreamAnswer(0.0, 0.0, 410))
    tally.fetched(Purpose.PLAYLIST, UpstreamAnswer(0.0, 0.0, failure=Failure.TIMEOUT))
    tally.refuse("head")
    assert tally.fetches == {("object", "4xx"): 2, ("playlist", "timeout"): 1}
    assert tally.refused == {"head": 1}
    assert set(tally.requests) == set(Outcome)
