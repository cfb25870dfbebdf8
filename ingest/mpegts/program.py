"""The program that is taken, and its streams: tables to tracks (ISO/IEC 13818-1 2.4.4). Sans-IO."""

from __future__ import annotations

from dataclasses import dataclass

from headwater.ingest.media import Codec, Kind, TrackId
from headwater.ingest.tracks import TrackFinished, TracksAnnounced

from .adts import AdtsFraming
from .assembly import Channel, PesChannel, PesReader, SectionChannel
from .audio import AudioStream
from .av1_ts import Av1Stream, is_av1
from .framing import Ac3Framing, Framing, MpaFraming
from .latm import LatmFraming
from .limits import Limits
from .opus_ts import OpusFraming
from .output import Output, TrackOutput
from .packet import NULL_PID
from .sections import Pmt, Stream
from .streams import KINDS, Elementary, Format, identify
from .video import NalStream

RESERVED = frozenset(range(16)) | {NULL_PID}
"""PIDs of the other tables, and of no data (table 2-3): no streams."""


class ClockChannel(Channel):
    """A PID of which only the clock is read."""

    __slots__ = ()

    def take(self, head: int, payload: bytes, stuffed: bool) -> None:
        """See `Channel`."""

    def lose(self) -> None:
        """See `Channel`."""


class CueChannel(SectionChannel):
    """A PID with SCTE-35 sections."""

    __slots__ = ()


@dataclass(slots=True)
class _Active:
    """A stream of the program that is read."""

    what: Elementary
    track: TrackOutput | None
    """None: no track, or not yet."""


class Program:
    """The streams of the program that is taken.

    A track keeps its id as long as its PID stays; ids that got free are given again, lowest first, so that an encoder
    that comes back with other PIDs is the same to its viewers.

    Args:
        channels: PID -> channel, of the whole demultiplexer; entries of streams are put in and taken out.
    """

    def __init__(self, out: Output, limits: Limits, channels: dict[int, Channel]) -> None:
        self.pcr_pid = -1
        self._out = out
        self._limits = limits
        self._channels = channels
        self._active: dict[int, _Active] = {}
        self._announced: frozenset[TrackId] = frozenset()

    @staticmethod
    def has_media(pmt: Pmt) -> bool:
        """Whether there is a stream that may become a track."""
        return any((what := identify(stream).format) in KINDS or what is Format.PRIVATE for stream in pmt.streams)

    def update(self, pmt: Pmt, taken: frozenset[int]) -> None:
        """Read the streams of this table from now on. `taken`: PIDs of tables, which are no streams."""
        wanted: dict[int, Elementary] = {}
        for stream in pmt.streams:
            if stream.pid not in taken and stream.pid not in wanted:
                self._want(stream, wanted)
        for pid in [
            pid for pid, active in self._active.items() if pid not in wanted or self._other(active, wanted[pid])
        ]:
            self._stop(pid)
        for pid, what in wanted.items():
            active = self._active.get(pid)
            if active is None or active.what != what:
                self._begin(what, active.track.id if active is not None and active.track is not None else None)
        self._announce()
        if self.pcr_pid not in self._active and isinstance(self._channels.get(self.pcr_pid), ClockChannel):
            del self._channels[self.pcr_pid]
        self.pcr_pid = pmt.pcr_pid
        if pmt.pcr_pid not in taken and pmt.pcr_pid not in self._channels:
            self._channels[pmt.pcr_pid] = ClockChannel(self._out.counters)

    def close(self) -> None:
        """The program is gone."""
        for pid in list(self._active):
            self._stop(pid)
        self._announce()
        if isinstance(self._channels.get(self.pcr_pid), ClockChannel):
            del self._channels[self.pcr_pid]
        self.pcr_pid = -1

    def _want(self, stream: Stream, wanted: dict[int, Elementary]) -> None:
        what = identify(stream)
        if what.format is Format.REFUSED:
            self._out.counters.refused += 1
            self._out.refuse(_by_pid(stream.pid), what.codec, "this codec is not supported")
        elif what.format is not Format.IGNORED:
            if len(wanted) >= self._limits.streams:
                self._out.counters.refused += 1
                self._out.refuse(_by_pid(stream.pid), what.format, f"there are already {len(wanted)} streams")
                return
            wanted[stream.pid] = what

    def _announce(self) -> None:
        tracks = frozenset(active.track.id for active in self._active.values() if active.track is not None)
        if tracks != self._announced:
            self._announced = tracks
            self._out.events.append(TracksAnnounced(tracks))

    @staticmethod
    def _other(active: _Active, what: Elementary) -> bool:
        """Whether a PID carries another kind of thing now."""
        return KINDS.get(active.what.format) is not KINDS.get(what.format)

    def _stop(self, pid: int) -> None:
        active = self._active.pop(pid)
        if isinstance(self._channels.get(pid), PesChannel | CueChannel):
            del self._channels[pid]
        if active.track is not None and active.track.track is not None:
            self._out.events.append(TrackFinished(active.track.id))

    def _begin(self, what: Elementary, track: TrackId | None) -> None:
        """Read a stream. `track`: the id that it has already."""
        counters = self._out.counters
        kind = KINDS.get(what.format)
        active = _Active(what, None)
        if what.format is Format.CUE:
            self._channels[what.pid] = CueChannel(counters)
        elif kind is None:
            self._channels[what.pid] = self._channel(what, _Sniffer(self, active))
        else:
            active.track = self._track(kind, what, track)
            if active.track is None:
                return
            self._channels[what.pid] = self._channel(what, self._reader(what, active.track))
        self._active[what.pid] = active

    def _channel(self, what: Elementary, reader: PesReader) -> PesChannel:
        reason = "its payload is encrypted (scrambled)"
        return PesChannel(
            self._out.counters,
            reader,
            self._limits.pes_bytes,
            lambda: self._out.refuse(_by_pid(what.pid), what.format, reason),
        )

    def _track(self, kind: Kind, what: Elementary, track: TrackId | None) -> TrackOutput | None:
        """The output of a track with a free id; None when there are too many."""
        if track is None:
            used = {active.track.id for active in self._active.values() if active.track is not None}
            ids = (TrackId(f"{kind[0]}{number}") for number in range(self._limits.tracks_per_kind))
            track = next((one for one in ids if one not in used), None)
        if track is None:
            reason = f"there are already {self._limits.tracks_per_kind} {kind} tracks"
            self._out.counters.refused += 1
            self._out.refuse(_by_pid(what.pid), what.format, reason)
            return None
        return TrackOutput(self._out, track)

    def _reader(self, what: Elementary, track: TrackOutput) -> PesReader:
        if what.format in (Format.H264, Format.HEVC):
            codec = Codec.H264 if what.format is Format.H264 else Codec.HEVC
            return NalStream(track, codec, self._limits.pes_bytes, what.language)
        if what.format is Format.AV1:
            return Av1Stream(track, self._limits.pes_bytes, what.language)
        return AudioStream(track, _framing(what), what.language, what.name)

    def found_av1(self, active: _Active) -> Av1Stream | None:
        """A private stream turned out to be AV1; None when there is no room for the track."""
        active.track = self._track(Kind.VIDEO, active.what, None)
        if active.track is None:
            return None
        stream = Av1Stream(active.track, self._limits.pes_bytes, active.what.language)
        channel = self._channels.get(active.what.pid)
        if isinstance(channel, PesChannel):
            channel.reader = stream
        return stream


class _Sniffer:
    """Reads a private stream whose descriptors say nothing, until it shows what it is."""

    def __init__(self, program: Program, active: _Active) -> None:
        self._program = program
        self._active = active

    def lost(self) -> None:
        """See `PesReader`."""

    def end(self) -> None:
        """See `PesReader`."""

    def pes(self, data: bytes, pts: int | None, dts: int | None, now: float, whole: bool) -> None:
        """See `PesReader`."""
        if whole and is_av1(data):
            stream = self._program.found_av1(self._active)
            if stream is not None:
                stream.pes(data, pts, dts, now, whole)


def _framing(what: Elementary) -> Framing:
    if what.format is Format.ADTS:
        return AdtsFraming()
    if what.format is Format.LATM:
        return LatmFraming()
    if what.format is Format.AC3:
        return Ac3Framing()
    if what.format is Format.OPUS:
        return OpusFraming(what.channels)
    return MpaFraming()


def _by_pid(pid: int) -> TrackId:
    """The name in a refusal of what has no track id."""
    return TrackId(f"pid-{pid}")
