"""Dice: the same seed, the same draws."""

from __future__ import annotations

import statistics

import pytest

from headwater.loadtest.players.dice import Dice


def test_the_same_seed_is_the_same_viewer() -> None:
    assert [Dice(1, 2, 3).bits() for _ in range(2)] == [Dice(1, 2, 3).bits()] * 2
    assert len({Dice(1, process, viewer).bits() for process in range(4) for viewer in range(500)}) == 2_000


def test_uniform() -> None:
    dice = Dice(7)
    draws = [dice.between(2.0, 4.0) for _ in range(2_000)]
    assert 2.0 <= min(draws) < 2.05
    assert 3.95 < max(draws) < 4.0
    assert statistics.mean(draws) == pytest.approx(3.0, abs=0.05)


def test_exponential() -> None:
    dice = Dice(7)
    draws = [dice.distance(5.0) for _ in range(4_000)]
    assert min(draws) >= 0
    assert statistics.mean(draws) == pytest.approx(5.0, rel=0.05)
    assert sum(draw > 5.0 for draw in draws) / len(draws) == pytest.approx(0.368, abs=0.03)
