"""Who watches: viewers per stream and rendition without sessions, and what their players report. Sans-IO.

    connection ── Visitor ──> Audience.saw ──> Room of (stream, rendition): two sketches, and Quality once reported

A viewer is known by the session id that its player reports (CMCD `sid`), else by address and User-Agent; both only
as a hash under a key that no other run of the server has, added to a sketch from which nobody can be read again.
Playlist requests count, once per connection, playlist and turn: the window of a count is the running turn and the
one before, 15 to 30 s.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

from headwater.config.histogram import Histogram

from .cmcd import Fault, Report, State
from .keys import path_of
from .sketch import Sketch, load

TURN_S = 15.0
"""Why: longer than a held request lasts (three target durations of 4 s), so that nobody is missed in between."""
KEY_BYTES = 32
MAX_REPORTED = 200
"""Renditions with a `Quality` of their own. Why: each is up to 46 series in Prometheus."""

Labels = tuple[str, str]
"""Stream and rendition; the rendition is empty for the stream as a whole."""
OTHER: Labels = ("other", "other")
"""For playlists with a path of another form: paths may hold what belongs into no metric."""

BUFFER_BOUNDS_S = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
THROUGHPUT_BOUNDS_BPS = (5e5, 1e6, 2e6, 4e6, 8e6, 16e6, 32e6, 64e6)
LATENCY_BOUNDS_S = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 10.0, 30.0)

_PATH = re.compile(r"(?:/t/[^/]+)?/live/([A-Za-z0-9_-]{1,64})/([A-Za-z0-9_-]{1,64})/[^/]+")


def labels_of(path: str) -> Labels:
    """Stream and rendition of a path such as `/live/NAME/RENDITION/index.m3u8`."""
    match = _PATH.fullmatch(path)
    return OTHER if match is None else (match[1], match[2])


class Visitor:
    """One connection as `Audience` sees it."""

    __slots__ = ("address", "agent", "seen", "session")

    def __init__(self, address: str) -> None:
        self.address = address
        self.agent = b""
        """User-Agent of the last counted request: behind a proxy, connections are shared."""
        self.session: bytes | None = None
        """`sid` of the last report on this connection."""
        self.seen: dict[str, int] = {}
        """Playlist -> the turn in which this connection was counted there."""


@dataclass(slots=True)
class Quality:
    """What players report of one rendition."""

    reports: int = 0
    stalls: int = 0
    states: dict[State, int] = field(default_factory=dict)
    buffer: Histogram = field(default_factory=lambda: Histogram(BUFFER_BOUNDS_S))
    throughput: Histogram = field(default_factory=lambda: Histogram(THROUGHPUT_BOUNDS_BPS))
    latency: Histogram = field(default_factory=lambda: Histogram(LATENCY_BOUNDS_S))

    def take(self, report: Report) -> None:
        """Count one report."""
        self.reports += 1
        self.stalls += report.stalled
        if report.buffer_s is not None:
            self.buffer.observe(report.buffer_s)
        if report.throughput_bps is not None:
            self.throughput.observe(report.throughput_bps)
        if report.latency_s is not None:
            self.latency.observe(report.latency_s)
        if report.state is not None:
            self.states[report.state] = self.states.get(report.state, 0) + 1


class Room:
    """The audience of one (stream, rendition), or of one stream."""

    __slots__ = ("fresh", "quality", "recent")

    def __init__(self) -> None:
        self.recent = Sketch()
        """Seen in this turn or the one before."""
        self.fresh = Sketch()
        """Seen in this turn."""
        self.quality: Quality | None = None

    def add(self, value: int) -> None:
        """Count a viewer."""
        self.recent.add(value)
        self.fresh.add(value)

    def turn(self) -> bool:
        """A turn is over; False when nobody was seen in it or came before."""
        self.recent, self.fresh = self.fresh, Sketch()
        return bool(self.recent)


class Audience:
    """All rooms of one edge. `key`: secret bytes, the same for workers whose counts are merged."""

    def __init__(self, key: bytes, most: int) -> None:
        """`most`: rooms of renditions; what is above shares one named "other"."""
        self.turn = 0
        self.faults: dict[Fault, int] = dict.fromkeys(Fault, 0)
        """Reports that were not taken."""
        self._key = key
        self._most = 2 * most  # with each stream's own
        self._rooms: dict[Labels, Room] = {}
        self._reported = 0
        self._ends: float | None = None

    def __len__(self) -> int:
        return len(self._rooms)

    def look(self, visitor: Visitor, agent: bytes, playlist: str) -> None:
        """A playlist request of a connection. Hardly ever more than a look-up: it is counted once in a turn."""
        if visitor.seen.get(playlist) != self.turn or visitor.agent != agent:
            self.saw(visitor, agent, playlist)

    def saw(self, visitor: Visitor, agent: bytes, playlist: str) -> None:
        """A playlist request of a connection that was not counted for it in this turn."""
        if visitor.agent != agent:
            visitor.agent = agent
            visitor.seen.clear()
        elif len(visitor.seen) >= self._most:
            visitor.seen.clear()
        visitor.seen[playlist] = self.turn
        value = self._hash(visitor)
        stream, rendition = labels_of(path_of(playlist))
        self._room((stream, rendition)).add(value)
        self._room((stream, "")).add(value)

    def _hash(self, visitor: Visitor) -> int:
        if visitor.session is not None:
            who = b"s" + visitor.session
        else:
            who = b"a" + visitor.address.encode("utf-8", "replace") + b"\0" + visitor.agent
        return int.from_bytes(blake2b(who, digest_size=8, key=self._key).digest(), "big")

    def _room(self, labels: Labels) -> Room:
        room = self._rooms.get(labels)
        if room is None:
            if len(self._rooms) >= self._most:
                labels = OTHER if labels[1] else (OTHER[0], "")
            room = self._rooms.setdefault(labels, Room())
        return room

    def report(self, report: Report | Fault, visitor: Visitor | None, path: str) -> None:
        """What a player told with a request for `path`."""
        if isinstance(report, Fault):
            self.faults[report] += 1
            return
        if visitor is not None and report.session is not None and report.session != visitor.session:
            visitor.session = report.session
            visitor.seen.clear()
        # Only playlists that are followed have a room: a made-up name makes no series.
        labels = labels_of(path)
        room = self._rooms.get(labels)
        if room is None or (room.quality is None and self._reported >= MAX_REPORTED):
            room = self._room(OTHER)
        if room.quality is None:
            room.quality = Quality()
            self._reported += 1
        room.quality.take(report)

    def handle_timeout(self, now: float) -> None:
        """Begin the next turn when it is time; monotonic seconds."""
        if self._ends is None:
            self._ends = now + TURN_S
        if now < self._ends:
            return
        self._ends = now + TURN_S
        self.turn += 1
        self._rooms = {labels: room for labels, room in self._rooms.items() if room.turn() or labels == OTHER}
        self._reported = sum(room.quality is not None for room in self._rooms.values())

    # -- to be read

    def viewers(self) -> dict[Labels, int]:
        """Viewers of each rendition, and of each stream (empty rendition)."""
        return {labels: round(room.recent.estimate()) for labels, room in self._rooms.items() if room.recent}

    def qualities(self) -> Iterator[tuple[Labels, Quality]]:
        """What was reported."""
        for labels, room in self._rooms.items():
            if room.quality is not None:
                yield labels, room.quality

    def dump(self) -> dict[Labels, bytes]:
        """The counts, to be merged with those of other workers."""
        return {labels: room.recent.dump() for labels, room in self._rooms.items()}


def merge(dumps: Iterable[Mapping[Labels, bytes]]) -> dict[Labels, int]:
    """Viewers over several workers that share a key: who is at two of them counts once. Raises sketch.SketchError."""
    merged: dict[Labels, Sketch] = {}
    for dump in dumps:
        for labels, data in dump.items():
            merged.setdefault(labels, Sketch()).merge(load(data))
    return {labels: round(sketch.estimate()) for labels, sketch in merged.items()}
