"""The generator's watch over itself."""

from __future__ import annotations

from headwater.loadtest.generator.selfwatch import SelfWatch


def test_lags_of_a_second() -> None:
    watch = SelfWatch()
    for turn in range(100):
        watch.turn(turn / 100, turn / 100 + (0.05 if turn == 50 else 0.001))
    cpu, most, p99 = watch.second()
    assert most in (49_999, 50_000)
    assert p99 in (999, 1_000)
    assert 0 <= cpu < 2


def test_a_second_without_a_turn() -> None:
    watch = SelfWatch()
    watch.turn(2.0, 1.0)
    assert watch.second()[1:] == (0, 0), "a timer that comes early is not late"
    assert watch.second()[1:] == (0, 0)
