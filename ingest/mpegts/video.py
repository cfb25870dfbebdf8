"""H.264 and HEVC streams: PES payloads to access units with lengths (ISO/IEC 13818-1 2.14, 2.17). Sans-IO."""

from __future__ import annotations

from dataclasses import dataclass

from headwater.ingest.codecs import video_track
from headwater.ingest.codecs.annexb import START_CODE, length_prefixed, media_units, split
from headwater.ingest.media import MPEGTS_CLOCK, Codec, Track

from .clock import PictureClock, Times
from .output import TrackOutput
from .sets import Change, ParameterSets
from .units import AccessUnit, continues, first_field, has_slice, is_key, is_pair, split_pictures

_UNSENT = Times(None, None)


@dataclass(slots=True)
class _Field:
    """The first field of a frame, whose second is to come."""

    units: AccessUnit
    times: Times
    number: tuple[int, bool]
    now: float


class NalStream:
    """One H.264 or HEVC track.

    Encoders put one picture into each PES packet: it is handed on as soon as that is whole. Where pictures begin
    anywhere ("loose"), one is handed on when the next begins. Two fields of a frame become one packet.

    Args:
        limit: bytes of a picture.
    """

    def __init__(self, out: TrackOutput, codec: Codec, limit: int, language: str) -> None:
        self.out = out
        self._codec = codec
        self._limit = limit
        self._language = language
        self._sets = ParameterSets(codec)
        self._stale = False
        """Parameter sets changed since the track was configured."""
        self._clock = PictureClock()
        self._loose = False
        self._pending = b""
        """The last picture, as sent, when pictures begin anywhere."""
        self._pending_times = _UNSENT
        self._arrived = 0.0
        """Of the last byte of `_pending`."""
        self._field: _Field | None = None

    def lost(self) -> None:
        """Bytes are missing here: what is not whole is dropped."""
        self._pending = b""
        self._field = None

    def end(self) -> None:
        """Nothing follows: hand on what waits for the next picture."""
        if self._pending:
            for group in split_pictures(self._codec, split(self._pending)):
                self._picture(group, self._pending_times, self._arrived)
        if self._field is not None:
            held = self._field
            self._emit(held.units, held.times, held.now)
        self.lost()

    def pes(self, data: bytes, pts: int | None, dts: int | None, now: float, whole: bool) -> None:
        """Take the payload of a PES packet; one that is not `whole` is dropped."""
        if not whole:
            self.lost()
            return
        times = Times(pts, dts)
        if not self._loose:
            units = split(data)
            lead = data.find(START_CODE)
            # What precedes the first start code, or a slice that is not its picture's first, belongs to the PES before.
            if lead >= 0 and not data[:lead].strip(b"\x00") and not continues(self._codec, units):
                for group in split_pictures(self._codec, units):
                    self._picture(group, times, now)
                    times = _UNSENT
                return
            self._loose = True
        self._take_loose(data, times, now)

    def _take_loose(self, data: bytes, times: Times, now: float) -> None:
        begun = bool(self._pending)
        data = self._pending + data
        groups = split_pictures(self._codec, split(data))
        if not groups:
            return
        if begun:
            following = [self._pending_times, times]
        else:
            # Its beginning was in a packet that is lost.
            following = [times]
            if continues(self._codec, groups[0]):
                self.out.out.counters.damaged += 1
                del groups[0]
        following += [_UNSENT] * len(groups)
        for group, stamp in zip(groups[:-1], following, strict=False):
            self._picture(group, stamp, now)
        self._pending = _tail(data, groups[-1]) if groups else b""
        self._arrived = now
        self._pending_times = following[max(0, len(groups) - 1)]
        if len(self._pending) > self._limit:
            self.out.out.counters.oversized += 1
            self._pending = b""

    def _picture(self, units: AccessUnit, times: Times, now: float) -> None:
        """Put fields together; frames go on as they are."""
        held, sequence = self._field, self._sets.sequence
        if held is not None:
            self._field = None
            number = first_field(sequence, units) if sequence is not None else None
            if is_pair(held.number, number):
                self._emit(held.units + units, held.times, now)
                return
            self._emit(held.units, held.times, held.now)
        change = self._sets.take(units)
        sequence = self._sets.sequence
        number = first_field(sequence, units) if sequence is not None else None
        if number is not None:
            self._configure(units, change)
            self._field = _Field(units, times, number, now)
            return
        self._configure(units, change)
        self._emit(units, times, now)

    def _configure(self, units: AccessUnit, change: Change) -> None:
        """Say another configuration where a decoder can take it: with a new sequence, or before a key picture."""
        if change is not Change.NONE:
            self._stale = True
        if not self._stale or not self._sets.complete:
            return
        if change is Change.SEQUENCE or self.out.track is None or is_key(self._codec, units):
            self._stale = not self.out.configure(self._codec, self._track)

    def _emit(self, units: AccessUnit, times: Times, now: float) -> None:
        counters = self.out.out.counters
        if not has_slice(self._codec, units):
            return
        placed = self._clock.place(times)
        if placed is None:
            counters.without_time += 1
            return
        if self.out.track is None:
            counters.before_config += 1
            return
        kept = media_units(self._codec, units)
        if self._stale:
            # Between key pictures no configuration can change: decoders find the new sets in the picture itself.
            kept = [unit for unit in units if self._sets.kind(unit) is not None] + kept
        self.out.packet(length_prefixed(kept), placed, is_key(self._codec, units), now)

    def _track(self) -> Track:
        track = video_track(self.out.id, self._codec, self._sets.config(), clock=MPEGTS_CLOCK, language=self._language)
        self._clock.set_rate(track.frame_rate)
        return track


def _tail(data: bytes, units: AccessUnit) -> bytes:
    """`data` from the start code of the first of these units on, which are its last ones."""
    at = len(data)
    for unit in reversed(units):
        at = data.rfind(START_CODE + unit[:16], 0, at)
    return data[max(at, 0) :]
