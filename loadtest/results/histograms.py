"""Encoded HdrHistograms: read with bounds, added up, asked for percentiles. Microseconds. Sans-IO.

Why not the library's own `decode` and `get_value_at_percentile` alone: the first believes the sizes in the bytes it
reads, and reports come from files; the second walks 23,000 counters in Python for each question.
"""

from __future__ import annotations

import base64
import binascii
import bisect
import ctypes
import itertools
import zlib
from collections.abc import Iterable, Sequence

from hdrh import codec
from hdrh.histogram import HdrHistogram

from headwater.loadtest.records import DIGITS, HIGHEST_US, LOWEST_US

MAX_ENCODED = 1 << 20
"""Longest encoded histogram, characters. Why: all 23,552 counters in use make less than 300 KiB."""
_MAX_PLAIN = codec.payload_header_size + 23_552 * codec.V2_MAX_WORD_SIZE_IN_BYTES
"""Longest payload: every counter of our range in the longest form."""
_MAX_COUNT = 1 << 53
"""Most samples of one histogram: what a JSON number still says exactly."""


class HistogramError(ValueError):
    """Bytes are not a histogram of ours; the message says why."""


class Histogram:
    """Durations in microseconds. Mutable: `add` takes in another's."""

    __slots__ = ("_cumulated", "_hdr")

    def __init__(self, hdr: HdrHistogram | None = None) -> None:
        self._hdr = HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS) if hdr is None else hdr
        self._cumulated: list[int] | None = None

    @classmethod
    def of(cls, values_us: Iterable[int]) -> Histogram:
        """A histogram of these values; what is beyond an hour counts as an hour."""
        made = cls()
        for value in values_us:
            made._hdr.record_value(min(max(value, LOWEST_US), HIGHEST_US))
        return made

    @classmethod
    def decode(cls, encoded: bytes) -> Histogram:
        """Raises HistogramError for anything but an encoding of our range and precision."""
        _check(encoded)
        try:
            hdr = HdrHistogram.decode(encoded)
        except (
            codec.HdrCookieException,
            codec.HdrLengthException,
            codec.HdrHistogramSettingsException,
            ArithmeticError,
            IndexError,
            TypeError,
            ValueError,
            zlib.error,
        ) as error:
            raise HistogramError(f"not a histogram: {error}") from None
        if not 0 <= hdr.get_total_count() <= _MAX_COUNT:
            raise HistogramError("not a histogram: its counts are out of range")
        return cls(hdr)

    @classmethod
    def merged(cls, encoded: Iterable[bytes]) -> Histogram:
        """The sum of encoded histograms. Raises HistogramError."""
        total = cls()
        for one in encoded:
            total.add(cls.decode(one))
        return total

    def add(self, other: Histogram) -> None:
        """Takes in the samples of `other`."""
        if other.count:
            self._hdr.add(other._hdr)
            self._cumulated = None

    def encode(self) -> bytes:
        """V2, base64: as a tick carries it."""
        encoded: bytes = self._hdr.encode()
        return encoded

    @property
    def count(self) -> int:
        """Samples."""
        return int(self._hdr.get_total_count())

    @property
    def maximum(self) -> int:
        """The largest sample, to three digits; 0 without samples."""
        return int(self._hdr.get_max_value()) if self.count else 0

    def percentile(self, percent: float) -> int:
        """The value that `percent` of the samples do not exceed, to three digits; 0 without samples."""
        return self.percentiles((percent,))[0]

    def percentiles(self, percents: Sequence[float]) -> tuple[int, ...]:
        """The same for several, in their order."""
        if not self.count:
            return (0,) * len(percents)
        cumulated = self._counts()
        return tuple(self._upper(bisect.bisect_left(cumulated, self._rank(percent))) for percent in percents)

    def distribution(self, values_us: Sequence[int]) -> list[int]:
        """How many samples do not exceed each of `values_us`."""
        if not self.count:
            return [0] * len(values_us)
        cumulated = self._counts()
        last = len(cumulated) - 1
        return [cumulated[min(last, int(self._hdr.get_counts_array_index(value)))] for value in values_us]

    def _rank(self, percent: float) -> int:
        return int(self._hdr.get_target_count_at_percentile(percent))

    def _upper(self, index: int) -> int:
        return int(self._hdr.get_highest_equivalent_value(self._hdr.get_value_from_index(index)))

    def _counts(self) -> list[int]:
        """Samples up to and including each counter, up to the largest that is used."""
        if self._cumulated is None:
            used = int(self._hdr.get_counts_array_index(self._hdr.max_value)) + 1
            self._cumulated = list(itertools.accumulate(self._hdr.counts[:used]))
        return self._cumulated


def _check(encoded: bytes) -> None:
    """The sizes that the library would believe."""
    if len(encoded) > MAX_ENCODED:
        raise HistogramError("not a histogram: too long")
    try:
        raw = base64.b64decode(encoded, validate=True)
        inflate = zlib.decompressobj()
        plain = inflate.decompress(raw[codec.ext_header_size :], _MAX_PLAIN)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise HistogramError(f"not a histogram: {error}") from None
    if not inflate.eof or inflate.unused_data or len(plain) < codec.payload_header_size:
        raise HistogramError("not a histogram: its length is wrong")
    header = codec.PayloadHeader.from_buffer_copy(plain)
    if (header.lowest_trackable_value, header.highest_trackable_value, header.significant_figures) != (
        LOWEST_US,
        HIGHEST_US,
        DIGITS,
    ):
        raise HistogramError("not a histogram of a load run: another range or precision")
    if header.payload_len != len(plain) - ctypes.sizeof(codec.PayloadHeader):
        raise HistogramError("not a histogram: its length is wrong")
