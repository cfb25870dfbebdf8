"""Pauses between workers."""

from __future__ import annotations

from headwater.ingest.encode.restarts import (
    FIRST_REST_S,
    LONGEST_REST_S,
    STORM,
    WINDOW_S,
    Again,
    Rest,
    Restarts,
)


def test_the_first_replacement_is_at_once_and_pauses_double() -> None:
    restarts = Restarts(0.1, 10.0)
    assert [restarts.lost(now) for now in (0.0, 1.0, 2.0, 3.0)] == [Again(0.0), Again(0.1), Again(0.2), Again(0.4)]


def test_pauses_have_a_limit() -> None:
    restarts = Restarts(1.0, 3.0)
    assert [restarts.lost(now) for now in (0.0, 1.0, 2.0, 3.0)][-1] == Again(3.0)


def test_losses_that_are_far_apart_are_each_the_first() -> None:
    restarts = Restarts(0.1, 10.0)
    assert {restarts.lost(number * WINDOW_S) for number in range(20)} == {Again(0.0)}


def test_a_storm_is_followed_by_a_rest_and_each_further_one_by_a_longer_rest() -> None:
    restarts = Restarts(0.1, 10.0)
    now, rests = 0.0, []
    for number in range(5 * STORM):
        answer = restarts.lost(now)
        now += 1.0
        assert isinstance(answer, Rest) == (number % STORM == STORM - 1)
        if isinstance(answer, Rest):
            rests.append(answer.pause_s)
    assert rests[:2] == [FIRST_REST_S, 2 * FIRST_REST_S]
    assert rests[-1] == LONGEST_REST_S


def test_a_long_good_run_forgets_the_rests() -> None:
    restarts = Restarts(0.1, 10.0)
    for number in range(STORM - 1):
        restarts.lost(number)
    assert restarts.lost(10.0) == Rest(FIRST_REST_S)
    restarts.lost(100.0)
    for number in range(STORM - 2):
        restarts.lost(1_000.0 + number)
    assert restarts.lost(1_010.0) == Again(0.1 * 2 ** (STORM - 3))
    assert restarts.lost(1_011.0) == Rest(FIRST_REST_S)
