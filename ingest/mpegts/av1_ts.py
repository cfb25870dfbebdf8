"""AV1 streams (AV1 in MPEG-2 TS; FFmpeg's private data): PES payloads to temporal units of OBUs. Sans-IO."""

from __future__ import annotations

from headwater.ingest.codecs import av1, build, is_random_access, normalise, video_track
from headwater.ingest.codecs.annexb import START_CODE
from headwater.ingest.codecs.bits import unescape
from headwater.ingest.media import MPEGTS_CLOCK, Codec, Track

from .clock import PictureClock, Times
from .output import TrackOutput

_DELIMITER = b"\x12\x00"
"""A temporal delimiter OBU with its size: how FFmpeg begins each packet."""


class Av1Stream:
    """One AV1 track.

    A PES packet holds one access unit: of FFmpeg a temporal unit, by the mapping one frame, shown or not (3.3, 3.4).
    Hidden frames wait for the shown one, which completes the temporal unit; its PTS is that of the whole, which has
    no other decode time.

    Args:
        limit: bytes of a temporal unit.
    """

    def __init__(self, out: TrackOutput, limit: int, language: str) -> None:
        self.out = out
        self._limit = limit
        self._language = language
        self._clock = PictureClock()
        self._sequence = b""
        self._hidden = b""
        """Access units whose frames are not shown."""

    def lost(self) -> None:
        """Bytes are missing here."""
        self._hidden = b""

    def end(self) -> None:
        """Nothing follows."""
        self._hidden = b""

    def pes(self, data: bytes, pts: int | None, dts: int | None, now: float, whole: bool) -> None:
        """Take the payload of a PES packet; one that is not `whole` is dropped."""
        del dts  # of a frame, not of the temporal unit
        if not whole:
            self.lost()
            return
        unit = self._hidden + obus(data)
        self._hidden = b""
        if av1.shows(unit):
            self._emit(unit, pts, now)
        elif len(unit) <= self._limit:
            self._hidden = unit
        else:
            self.out.out.counters.oversized += 1

    def _emit(self, unit: bytes, pts: int | None, now: float) -> None:
        counters = self.out.out.counters
        placed = self._clock.place(Times(pts, None))
        if placed is None:
            counters.without_time += 1
            return
        sequence = av1.find_sequence_header(unit)
        changed = sequence is not None and sequence != self._sequence
        if changed and self.out.configure(Codec.AV1, lambda: self._track(unit)):
            self._sequence = sequence or b""
        track = self.out.track
        if track is None:
            counters.before_config += 1
            return
        payload = normalise(track, unit)
        if payload:
            self.out.packet(payload, placed, is_random_access(track, payload), now)

    def _track(self, unit: bytes) -> Track:
        track = video_track(self.out.id, Codec.AV1, build.av1c(unit), clock=MPEGTS_CLOCK, language=self._language)
        self._clock.set_rate(track.frame_rate)
        return track


def is_av1(data: bytes) -> bool:
    """Whether the payload of a private PES packet is a temporal unit with a sequence header, as FFmpeg sends it."""
    return data.startswith(_DELIMITER) and av1.find_sequence_header(data) is not None


def obus(data: bytes) -> bytes:
    """The OBUs of a temporal unit, each with its size: as they are, or from the start code format.

    AV1 in MPEG-2 TS 3.2: each OBU behind a start code, with emulation prevention, with or without a size field.
    """
    if not data.lstrip(b"\x00").startswith(b"\x01") or START_CODE not in data[:8]:
        return data
    out: list[bytes] = []
    for piece in data.split(START_CODE)[1:]:
        unit = unescape(piece)
        if not unit or unit[0] & 0x80:
            continue
        if unit[0] & 2:
            out.append(unit)
            continue
        head = 2 if unit[0] & 4 else 1
        if len(unit) >= head:
            out.append(bytes((unit[0] | 2,)) + unit[1:head] + _leb128(len(unit) - head) + unit[head:])
    return b"".join(out)


def _leb128(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
