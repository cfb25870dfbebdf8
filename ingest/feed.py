"""From a publisher's tracks and packets into its stream: the same for every protocol."""

from __future__ import annotations

from typing import Protocol

import structlog

from headwater.ingest.media import Packet, Track, TrackId

from .auth import Refusal
from .publisher import Publisher
from .stream import LiveStream

log = structlog.get_logger("headwater.ingest")

TRACKS_S = 2.0
"""Seconds after a refused track in which an acceptable one, or a packet of it, may come."""


class Directory(Protocol):
    """What a feed needs of the streams."""

    def refused_track(self, track: Track) -> str | None:
        """Why the sink cannot take a track."""

    def refuse(self, refusal: Refusal) -> None:
        """Count a refusal."""

    def left(self, publisher: Publisher, stream: LiveStream, now: float) -> None:
        """The publisher feeds `stream` no more."""


class Feed:
    """One publisher's way into a stream, from an accepted publish to its end.

    Args:
        streams: where its streams come from.
        publisher: whom it belongs to.
        ahead_s: how far media may run ahead of real time.
    """

    def __init__(self, streams: Directory, publisher: Publisher, ahead_s: float) -> None:
        self.stream: LiveStream | None = None
        self._streams = streams
        self._publisher = publisher
        self._may_be_ahead_s = ahead_s
        self._tracks: set[TrackId] = set()
        self._refused_at: float | None = None

    def begin(self, stream: LiveStream, now: float) -> None:
        """The publish was accepted."""
        self.stream = stream
        self._tracks.clear()
        self._refused_at = None
        stream.join(self._publisher, now)

    def expect(self, tracks: frozenset[TrackId]) -> None:
        """The publisher says which tracks it sends, before it configures them."""
        if self.stream is not None:
            self.stream.expect(tracks)

    def configure(self, track: Track, now: float) -> None:
        """The publisher configures a track."""
        if self.stream is None:
            return
        reason = self._streams.refused_track(track)
        if reason is not None and not self.stream.makes(track):
            self._tracks.discard(track.id)
            self.refuse(track.id, track.codec.value, reason, now)
            return
        self._tracks.add(track.id)
        self._refused_at = None
        log.info("track", stream=self.stream.name, track=track.id, codec=track.codec_string)
        self.stream.configure(track, now)

    def refuse(self, track: TrackId, codec: str, reason: str, now: float) -> None:
        """A track, or its new configuration, cannot be taken."""
        # What was configured before may go on (a broken repetition): its next packet shows it.
        if self._tracks <= {track} and self._refused_at is None:
            self._refused_at = now
        self._streams.refuse(Refusal.TRACK)
        name = self.stream.name if self.stream is not None else ""
        log.warning("track refused", stream=name, track=track, codec=codec, reason=reason)

    def packet(self, packet: Packet, now: float) -> None:
        """One packet; `flush` follows when all that came with it was given."""
        if self.stream is not None and packet.track in self._tracks:
            self._refused_at = None
            self.stream.packet(packet, now)

    def cue(self, pts: int, section: bytes) -> None:
        """A cue (SCTE-35 splice_info_section) about the raw source time `pts`."""
        if self.stream is not None:
            self.stream.cue(pts, section)

    def flush(self, now: float) -> None:
        """Hand on what the stream's timeline says."""
        if self.stream is not None:
            self.stream.flush(now)

    def leave(self, now: float) -> None:
        """The publish is over. Idempotent."""
        stream, self.stream = self.stream, None
        if stream is not None:
            self._streams.left(self._publisher, stream, now)

    def undeliverable(self, now: float) -> bool:
        """None of the tracks can be delivered, and the time for another one is over."""
        if self._refused_at is None or now - self._refused_at < TRACKS_S:
            return False
        self._streams.refuse(Refusal.TRACKS)
        return True

    def ahead_s(self, now: float) -> float:
        """Seconds by which media is further ahead of real time than it may be; at most 0 when it is not."""
        if self.stream is None:
            return 0.0
        return self.stream.timeline.ahead_s(now) - self._may_be_ahead_s
