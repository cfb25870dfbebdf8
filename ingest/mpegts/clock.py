"""Times of pictures where the stream leaves them out (ISO/IEC 13818-1 2.4.3.7, 2.7.4). Sans-IO."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from .pes import signed_difference

_RATE = 90_000
_LONGEST_STEP = _RATE
"""A step between two pictures that is taken for a pause or a jump, not for the duration of one."""


@dataclass(frozen=True, slots=True)
class Times:
    """Time stamps as sent: raw ticks of 90 kHz, None where there is none."""

    pts: int | None
    dts: int | None


class PictureClock:
    """Places pictures: as stamped, else one picture behind the last."""

    __slots__ = ("_last", "_offset", "_step")

    def __init__(self) -> None:
        self._last: int | None = None
        """Decode time of the last picture."""
        self._offset = 0
        """Presentation minus decode time of the last one that was stamped."""
        self._step = 0
        """Ticks of a picture; 0 until known."""

    def set_rate(self, rate: Fraction | None) -> None:
        """Frames per second by the stream's own parameters; measured steps replace it."""
        if rate is not None:
            self._step = round(_RATE / rate)

    def place(self, times: Times) -> tuple[int, int] | None:
        """(decode, presentation) time of the next picture; None before the first time stamp."""
        dts = times.dts if times.dts is not None else times.pts
        if dts is None:
            if self._last is None:
                return None
            self._last += self._step or _RATE // 25
            return self._last, self._last + self._offset
        pts = times.pts if times.pts is not None else dts
        if self._last is not None:
            step = signed_difference(dts, self._last)
            if 0 < step < _LONGEST_STEP:
                self._step = step
        self._last, self._offset = dts, signed_difference(pts, dts)
        return dts, pts
