"""The beep: 100 ms of 1 kHz at the start of every UTC second, else silence. Sans-IO."""

from __future__ import annotations

import math
from array import array

from .picture import FLASH_MS

RATE = 48_000
"""Samples per second."""
FREQUENCY = 1_000
AMPLITUDE = 0.2
"""Of full scale (-14 dB). Why: audible, and nobody jumps."""
RAMP_S = 0.002
"""Rise and fall. Why: no click, and an onset that is sharp to a tenth of a video frame."""
BEEP_SAMPLES = RATE * FLASH_MS // 1000
_BYTES = 4  # of a sample: 32-bit float


class Beep:
    """Makes samples for any moment; 32-bit float, one channel."""

    def __init__(self) -> None:
        ramp = RATE * RAMP_S
        wave = array("f")
        for i in range(BEEP_SAMPLES):
            gain = min(1.0, i / ramp, (BEEP_SAMPLES - i) / ramp)
            wave.append(AMPLITUDE * gain * math.sin(2 * math.pi * FREQUENCY * i / RATE))
        # One whole second, twice over: any stretch up to a second is one slice.
        second = wave.tobytes() + bytes((RATE - BEEP_SAMPLES) * _BYTES)
        self._seconds = second + second

    def samples(self, unix_samples: int, count: int) -> bytes:
        """`count` (<= 48,000) samples from the moment that is `unix_samples` after the Unix epoch."""
        start = unix_samples % RATE * _BYTES
        return self._seconds[start : start + count * _BYTES]
