"""The beep stands at the start of the second."""

from __future__ import annotations

from array import array

from headwater.loadtest.publish.tone import AMPLITUDE, BEEP_SAMPLES, RATE, Beep


def samples(start: int, count: int) -> array[float]:
    return array("f", Beep().samples(start, count))


def test_beep_then_silence() -> None:
    second = samples(17 * RATE, RATE)
    assert len(second) == RATE
    assert 0.9 * AMPLITUDE < max(second[:BEEP_SAMPLES]) <= AMPLITUDE * 1.0001
    assert not any(second[BEEP_SAMPLES:])


def test_over_the_second() -> None:
    across = samples(3 * RATE - 512, 1024)
    assert not any(across[:512])
    assert across[512:] == samples(0, 512)
