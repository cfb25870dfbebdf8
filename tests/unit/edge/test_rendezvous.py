"""Highest random weight: fair, alike everywhere, and little moves."""

from __future__ import annotations

from collections import Counter

import pytest

from headwater.edge.rendezvous import most_streams, rank, score

STREAMS = [f"/live/stream-{n}/" for n in range(4_000)]


def firsts(weights: dict[str, float]) -> dict[str, str]:
    return {stream: rank(stream, weights)[0] for stream in STREAMS}


def test_every_upstream_gets_its_share_by_weight() -> None:
    counts = Counter(firsts({"a": 1, "b": 1, "c": 2}).values())
    assert counts["a"] == pytest.approx(1_000, rel=0.1)
    assert counts["b"] == pytest.approx(1_000, rel=0.1)
    assert counts["c"] == pytest.approx(2_000, rel=0.1)


def test_the_order_of_the_configuration_does_not_matter() -> None:
    assert firsts({"a": 1, "b": 1, "c": 1}) == firsts({"c": 1, "a": 1, "b": 1})


def test_who_goes_moves_only_its_own_streams_and_spreads_them() -> None:
    before = firsts({"a": 1, "b": 1, "c": 1, "d": 1})
    after = firsts({"a": 1, "b": 1, "c": 1})
    moved = {stream for stream in STREAMS if before[stream] != after[stream]}
    assert moved == {stream for stream in STREAMS if before[stream] == "d"}
    heirs = Counter(after[stream] for stream in moved)
    assert max(heirs.values()) < 1.3 * min(heirs.values())


def test_a_weight_that_grows_takes_from_others_and_gives_nothing() -> None:
    before, after = firsts({"a": 1, "b": 1}), firsts({"a": 1.5, "b": 1})
    assert all(after[stream] == "a" for stream in STREAMS if before[stream] == "a")


def test_the_second_in_rank_is_who_gets_it_when_the_first_is_gone() -> None:
    for stream in STREAMS[:100]:
        first, second, *_ = rank(stream, {"a": 1, "b": 1, "c": 1})
        rest = {name: 1.0 for name in "abc" if name != first}
        assert rank(stream, rest)[0] == second


def test_scores_are_finite_and_the_same_in_every_process() -> None:
    assert score("/live/x/", "a", 1.0) == pytest.approx(0.5598, abs=0.0001), (
        "another value would move every stream at an upgrade"
    )
    assert score("/live/x/", "a", 2.0) == 2 * score("/live/x/", "a", 1.0)


def test_bounded_load_is_the_fair_share_times_the_factor_rounded_up() -> None:
    assert most_streams(100, 1, 4, 1.25) == 32
    assert most_streams(1, 1, 4, 1.25) == 1
    assert most_streams(100, 3, 4, 1.0) == 75
