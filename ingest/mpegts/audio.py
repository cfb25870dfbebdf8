"""Audio streams: PES payloads to packets with times (ISO/IEC 13818-1 2.4.3.7). Sans-IO."""

from __future__ import annotations

from functools import partial

from headwater.ingest.codecs import BadConfig, audio_samples, audio_track
from headwater.ingest.media import MPEGTS_CLOCK, Track

from .framing import Framing, Unit
from .output import TrackOutput

MAX_FRAME = 1 << 16
"""Bytes that are kept of a frame whose rest is to come. Why: LATM and ADTS count in 13 bits, Opus is below 64 KiB."""


class AudioStream:
    """One audio track.

    A time stamp belongs to the first frame that begins in its PES packet; frames behind it are counted on by their
    samples. Frames may go on in the next PES packet.
    """

    def __init__(self, out: TrackOutput, framing: Framing, language: str, name: str) -> None:
        self.out = out
        self._framing = framing
        self._language = language
        self._name = name
        self._carry = b""
        """The beginning of a frame whose rest is to come."""
        self._carry_pts: int | None = None
        """The time stamp of that frame, when it is the first of its PES packet."""
        self._aligned = False
        """The last frame was whole, so one begins behind it."""
        self._base: int | None = None
        """Time of the last stamped frame, ticks of 90 kHz."""
        self._counted = 0
        """Samples since then."""
        self._mark = b""
        self._rest = 0
        """Where the bytes begin that wait for more."""

    def lost(self) -> None:
        """Bytes are missing here."""
        self._carry = b""
        self._carry_pts = None
        self._aligned = False

    def end(self) -> None:
        """Nothing follows; whole frames were handed on already."""

    def pes(self, data: bytes, pts: int | None, dts: int | None, now: float, whole: bool) -> None:
        """Take the payload of a PES packet; not `whole`: bytes at its end are missing."""
        del dts  # decode and presentation time of audio are the same
        begun = len(self._carry)
        buffer = self._carry + data
        at = 0
        stamp = pts
        while (found := self._next(buffer, at)) is not None:
            start, at = found
            if start < begun:
                self._stamp(self._carry_pts)
            else:
                self._stamp(stamp)
                stamp = None
            self._carry_pts = None
            self._frame(buffer[start:at], now)
        at = self._rest
        if whole and len(buffer) - at <= MAX_FRAME:
            if at >= begun:
                self._carry_pts = stamp
            self._carry = buffer[at:]
        else:
            self.lost()

    def _next(self, buffer: bytes, at: int) -> tuple[int, int] | None:
        """Start and end of the next whole frame; None when there is none, and `_rest` says what is to be kept."""
        framing = self._framing
        while at < len(buffer):
            size = framing.size(buffer, at)
            end = at + size
            if size < 0 or end > len(buffer):
                self._rest = at
                return None
            # The sync word alone may be data: away from a known border, another frame has to follow.
            if size and (self._aligned or end == len(buffer) or framing.size(buffer, end)):
                self._aligned = True
                return at, end
            if self._aligned:
                self._aligned = False
                self.out.out.counters.malformed += 1
            found = buffer.find(framing.sync, at + 1)
            at = found if found >= 0 else len(buffer)
        self._rest = at
        return None

    def _stamp(self, pts: int | None) -> None:
        if pts is not None:
            self._base, self._counted = pts, 0

    def _frame(self, frame: bytes, now: float) -> None:
        try:
            units = self._framing.read(frame)
        except BadConfig as error:
            self.out.out.refuse(self.out.id, self._framing.codec, str(error))
            self.out.out.counters.malformed += 1
            return
        for unit in units:
            self._unit(unit, now)

    def _unit(self, unit: Unit, now: float) -> None:
        if unit.mark != self._mark or self.out.track is None:
            if not self.out.configure(unit.codec, partial(self._track, unit)):
                self.out.out.counters.before_config += 1
                return
            self._mark = unit.mark
        track = self.out.track
        assert track is not None
        if self._base is None:
            self.out.out.counters.without_time += 1
            return
        time = self._base + self._counted * MPEGTS_CLOCK.rate // track.timescale
        self._counted += audio_samples(track, unit.payload)
        self.out.packet(unit.payload, (time, time), True, now)

    def _track(self, unit: Unit) -> Track:
        return audio_track(
            self.out.id,
            unit.codec,
            unit.config(),
            clock=MPEGTS_CLOCK,
            language=self._language,
            name=self._name,
        )
