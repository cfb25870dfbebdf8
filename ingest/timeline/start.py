"""Where a publisher's media begins: packets are kept until there is a keyframe to begin with. Sans-IO."""

from __future__ import annotations

from collections import deque

from headwater.ingest.codecs import is_random_access
from headwater.ingest.media import Kind, Packet, Track, TrackId

MOST_PACKETS = 4_000
MOST_BYTES = 48 * 1024 * 1024
"""Bounds of what is kept. Why: half a second of eight video and eight audio tracks at 100 Mbit/s is below both."""
BEFORE_KEY_S = 1.0
"""Seconds of other tracks kept before the keyframe. Why: they may be interleaved earlier than they belong."""
SILENT_VIDEO_S = 3.0
"""Seconds without a video packet before a configured video track is taken as audio only."""
MOST_BURST_S = 5.0
"""Most that a publisher is taken to have stored before it began. Why: encoders and relays keep a few seconds; a
file that is pushed as fast as the network goes is paced instead."""
LEAST_BURST_S = 0.1
"""Less is jitter."""
ENOUGH = {Kind.VIDEO: 8, Kind.AUDIO: 2}
"""Packets of each track that measure its rate. Why: cameras jitter by milliseconds; audio says its own length."""


class Gather:
    """The beginning of one publisher.

    Args:
        late_s: longest wait for further tracks after the keyframe.
        expected: tracks that the stream had before, so likely again.
    """

    def __init__(self, late_s: float, expected: frozenset[TrackId]) -> None:
        self.tracks: dict[TrackId, Track] = {}
        self.packets: deque[Packet] = deque()
        self.key_at: float | None = None
        """Arrival of the keyframe that the stream begins with."""
        self._late_s = late_s
        self._expected = expected
        self._bytes = 0
        self._counts: dict[TrackId, int] = {}
        self._first_at: float | None = None
        self._video_at: float | None = None
        self._video_is_silent = False
        self._last: Packet | None = None

    @property
    def primary(self) -> TrackId | None:
        """The track that will decide the cuts: the first video track that sends, else the first audio track."""
        video = sorted(key for key, track in self.tracks.items() if track.kind is Kind.VIDEO)
        if video and not self._video_is_silent:
            return video[0]
        audio = sorted(key for key, track in self.tracks.items() if track.kind is Kind.AUDIO)
        return audio[0] if audio else None

    def expect(self, tracks: frozenset[TrackId]) -> None:
        """The publisher says that it sends these."""
        self._expected |= tracks

    def configure(self, track: Track) -> None:
        """A track, or another configuration of it: what came with the old one cannot begin the stream."""
        if track.id in self.tracks and self.tracks[track.id] != track:
            self._forget(track.id)
        self.tracks[track.id] = track

    def packet(self, packet: Packet, now: float) -> int:
        """Keep one packet; how many were dropped for it."""
        track = self.tracks.get(packet.track)
        if track is None:
            return 1
        if self._first_at is None:
            self._first_at = now
        if track.kind is Kind.VIDEO:
            self._video_at = now
            self._video_is_silent = False
        if packet.track == self.primary and self.key_at is None:
            if track.kind is Kind.VIDEO and not is_random_access(track, packet.payload):
                return 1
            if track.kind is Kind.VIDEO:
                self.key_at = now
        self._add(packet)
        if packet.track == self.primary:
            self._last = packet
        return self._trim(now)

    def ready(self, now: float) -> bool:
        """Whether the stream can begin now."""
        primary = self.primary
        if primary is None or self._first_at is None:
            return False
        if self.tracks[primary].kind is Kind.VIDEO:
            if self.key_at is None:
                if self._video_at is None and now - self._first_at >= SILENT_VIDEO_S:
                    self._video_is_silent = True
                    return self.ready(now)
                return False
            return self._complete(primary) or now - self.key_at >= self._late_s or self._full()
        return bool(self._counts.get(primary)) and now - self._first_at >= self._late_s

    @property
    def found(self) -> bool:
        """The packet that the stream begins with is there; `ready` follows within the longest wait."""
        if self.key_at is not None:
            return True
        primary = self.primary
        return primary is not None and self.tracks[primary].kind is Kind.AUDIO and self.seen(primary)

    def seen(self, track: TrackId) -> bool:
        """Whether there is a packet of the track."""
        return bool(self._counts.get(track))

    def times(self, track: TrackId) -> list[int]:
        """Raw decode times of what is kept of a track."""
        return [packet.dts for packet in self.packets if packet.track == track]

    def burst_s(self, track: TrackId) -> float:
        """Seconds by which packets of a track came sooner after its first one than their times say.

        What had been stored comes at once; so the first packet is that much older than its arrival.
        """
        packets = [packet for packet in self.packets if packet.track == track]
        sooner = (self._between_s(packets[0], packet) - packet.arrived + packets[0].arrived for packet in packets)
        most = max(sooner, default=0.0)
        return min(most, MOST_BURST_S) if most >= LEAST_BURST_S else 0.0

    def ahead_s(self, now: float) -> float:
        """Seconds by which media has run ahead of real time, beyond what may have been stored."""
        first = next((packet for packet in self.packets if packet.track == self.primary), None)
        if first is None or self._last is None or self._last.track != first.track:
            return 0.0
        return self._between_s(first, self._last) - (now - first.arrived) - MOST_BURST_S

    def _between_s(self, first: Packet, packet: Packet) -> float:
        """Seconds of source time from one packet of a track to a later one."""
        clock = self.tracks[first.track].clock
        span = 1 << clock.bits
        return ((packet.dts - first.dts + (span >> 1)) % span - (span >> 1)) / clock.rate

    def _complete(self, primary: TrackId) -> bool:
        """Everything that can be expected is there, with enough packets to measure."""
        counts = self._counts
        if not all(counts.get(key, 0) >= ENOUGH[track.kind] for key, track in self.tracks.items()):
            return False
        if self._expected:
            return self._expected <= self.tracks.keys()
        return any(track.kind is Kind.AUDIO for track in self.tracks.values())

    def _full(self) -> bool:
        return len(self.packets) >= MOST_PACKETS or self._bytes >= MOST_BYTES

    def _add(self, packet: Packet) -> None:
        self.packets.append(packet)
        self._bytes += len(packet.payload)
        self._counts[packet.track] = self._counts.get(packet.track, 0) + 1

    def _trim(self, now: float) -> int:
        """Before the keyframe only the latest packets matter; never keep more than the bounds."""
        dropped = 0
        waiting = self.key_at is None and any(track.kind is Kind.VIDEO for track in self.tracks.values())
        while self.packets and (self._over() or (waiting and self.packets[0].arrived < now - BEFORE_KEY_S)):
            old = self.packets.popleft()
            self._bytes -= len(old.payload)
            self._counts[old.track] -= 1
            dropped += 1
        return dropped

    def _over(self) -> bool:
        return len(self.packets) > MOST_PACKETS or self._bytes > MOST_BYTES

    def _forget(self, gone: TrackId) -> None:
        keep = [packet for packet in self.packets if packet.track != gone]
        self._bytes -= sum(len(packet.payload) for packet in self.packets if packet.track == gone)
        self.packets = deque(keep)
        self._counts[gone] = 0
        if gone == self.primary:
            self.key_at = None
