"""For the tests of players: a live stream on a stepped clock, and the port between it and a player.

Part n of the stream is published at `UNIX + (n + 1) * part_s` (+ `late_s`); segments have four parts. Times in tests
are seconds since UNIX.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from headwater.loadtest.players.address import address
from headwater.loadtest.players.lane import Answer, Kind, Lane, Owner, kept
from headwater.loadtest.players.ledger import Ledger
from headwater.loadtest.players.library import Library
from headwater.loadtest.players.player import Player
from headwater.loadtest.players.retry import TIMEOUT
from headwater.loadtest.records import ViewerClass
from headwater.origin.hls import dates

UNIX = 1_800_000_000.0
PARTS = 4
MULTIVARIANT = """#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="main",DEFAULT=YES,AUTOSELECT=YES,URI="audio/index.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=800000,RESOLUTION=640x360,AUDIO="a"
360p/index.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=4000000,RESOLUTION=1280x720,AUDIO="a"
720p/index.m3u8
"""
TIMEOUT_S = 10.0
PART_BYTES = 10_000


@dataclass
class Stream:
    """What the server serves, as a function of time."""

    part_s: float = 1.0
    window: int = 15
    blocks: bool = True
    parts: bool = True
    dated: bool = True
    skips: bool = False
    late_s: float = 0.0
    gaps: frozenset[int] = frozenset()
    """Parts, by number."""
    frozen: tuple[float, float] | None = None
    """Nothing is published between these times; then all of it at once."""
    ended_at: float | None = None
    """Published after so many seconds, with ENDLIST."""

    @property
    def segment_s(self) -> float:
        return self.part_s * PARTS

    def due(self, n: int) -> float:
        """When part n is listed."""
        at = (n + 1) * self.part_s + self.late_s
        if self.frozen and self.frozen[0] <= at < self.frozen[1]:
            return self.frozen[1]
        return at

    def count(self, at: float) -> int:
        """Parts that are published."""
        n = int((at - self.late_s) / self.part_s + 1e-6)
        while n > 0 and self.due(n - 1) > at + 1e-9:
            n -= 1
        return n

    def playlist(self, count: int, *, ended: bool, skip: bool) -> str:
        msn, opened = divmod(count, PARTS)
        first = max(0, msn - self.window)
        target = int(self.segment_s + 0.999)
        lines = ["#EXTM3U", "#EXT-X-VERSION:9", f"#EXT-X-TARGETDURATION:{target}"]
        control = ["CAN-BLOCK-RELOAD=YES"] if self.blocks else []
        if self.parts:
            lines.append(f"#EXT-X-PART-INF:PART-TARGET={self.part_s}")
            control.append(f"PART-HOLD-BACK={3 * self.part_s}")
        if self.skips:
            control.append(f"CAN-SKIP-UNTIL={6 * target}")
        if control:
            lines.append("#EXT-X-SERVER-CONTROL:" + ",".join(control))
        lines.append(f"#EXT-X-MEDIA-SEQUENCE:{first}")
        from_msn = first
        if skip and self.skips and msn - first > 6:
            from_msn = msn - 6
            lines.append(f"#EXT-X-SKIP:SKIPPED-SEGMENTS={from_msn - first}")
        else:
            lines.append('#EXT-X-MAP:URI="init.mp4"')
        for number in range(from_msn, msn + 1):
            lines += self._segment(number, opened if number == msn else PARTS, msn)
        if ended:
            lines.append("#EXT-X-ENDLIST")
        elif self.parts:
            lines.append(f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="p{count}.m4s"')
            last = divmod(count - 1, PARTS)
            lines += [
                f'#EXT-X-RENDITION-REPORT:URI="../{name}/index.m3u8",LAST-MSN={last[0]},LAST-PART={last[1]}'
                for name in ("360p", "720p", "audio")
            ]
        return "\n".join(lines) + "\n"

    def _segment(self, number: int, parts: int, msn: int) -> list[str]:
        found = []
        if parts and self.dated and (self.parts or number < msn):
            date = dates.write(int((UNIX + number * self.segment_s) * 1e6))
            found.append(f"#EXT-X-PROGRAM-DATE-TIME:{date}")
        if self.parts and number >= msn - 3:
            for index in range(parts):
                n = number * PARTS + index
                flags = (",INDEPENDENT=YES" if index == 0 else "") + (",GAP=YES" if n in self.gaps else "")
                found.append(f'#EXT-X-PART:DURATION={self.part_s},URI="p{n}.m4s"{flags}')
        if number < msn:
            found += [f"#EXTINF:{self.segment_s},", f"s{number}.m4s"]
        return found


@dataclass
class Asked:
    """A request that was sent."""

    at: float
    target: str
    extra: str
    kind: Kind


@dataclass
class Theatre:
    """A player, the server, and the clock; the port of the player."""

    stream: Stream = field(default_factory=Stream)
    begin: float = 100.25
    """The player joins; the stream began at 0."""
    wire_s: float = 0.01
    """From the server to the player."""
    fault: Callable[[str, float], int | str | None] = lambda target, at: None
    """What a request comes to: a status, `reset`, `timeout`; None: what the server says."""
    age: int = 0
    part_bytes: int = PART_BYTES
    transfer_s: float = 0.0
    """Of a part, first to last byte."""

    def __post_init__(self) -> None:
        self.at = self.begin
        self.asked: list[Asked] = []
        self.abandoned: list[str] = []
        self.ledger = Ledger()
        self.library = Library()
        self.left: list[object] = []
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._answers: dict[int, int] = {}

    @property
    def now(self) -> float:
        return UNIX + self.at

    def join(self, viewer: ViewerClass | None = None, url: str = "http://h/live/720p/index.m3u8") -> Player:
        player = Player(self, self.library, self.ledger, viewer or ViewerClass(), address(url), (1, 2), self.now)
        player.join(self.now)
        self._sample(player)
        return player

    def _sample(self, player: Player) -> None:
        def sample() -> None:
            if not player.gone:
                player.sample(self.now)
                self._sample(player)

        self._later(self.at + 1.0, sample)

    def run(self, until: float) -> None:
        """Let time pass."""
        while self._events and self._events[0][0] <= until:
            at, _, act = heapq.heappop(self._events)
            self.at = max(self.at, at)
            act()
        self.at = until

    def _later(self, at: float, act: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (at, self._count, act))

    def targets(self, kind: Kind, since: float = 0.0) -> list[str]:
        """Targets of a kind that were asked for."""
        return [asked.target for asked in self.asked if asked.kind is kind and asked.at >= since]

    # -- players.lane.Port

    def send(self, lane: Lane) -> None:
        target = lane.target.decode()
        self.asked.append(Asked(self.at, target, lane.extra.decode(), lane.kind))
        self._count += 1
        self._answers[id(lane)] = ticket = self._count
        fault = self.fault(target, self.at)
        if fault == TIMEOUT:
            self._later(self.at + (lane.patience or TIMEOUT_S), lambda: self._failed(lane, ticket, TIMEOUT))
        elif isinstance(fault, str):
            self._later(self.at + self.wire_s, lambda: self._failed(lane, ticket, fault))
        elif fault is not None:
            self._later(self.at + self.wire_s, lambda: self._answered(lane, ticket, fault, b"", 10))
        else:
            self._serve(lane, ticket, target)

    def abandon(self, lane: Lane) -> None:
        self.abandoned.append(lane.target.decode())
        self._answers.pop(id(lane), None)
        lane.busy = False

    def wake(self, at: float, owner: Owner) -> None:
        self._later(at - UNIX, lambda: owner.woken(self.now))

    def gone(self, player: object) -> None:
        self.left.append(player)

    # -- the server

    def _serve(self, lane: Lane, ticket: int, target: str) -> None:
        path, _, query = target.partition("?")
        directives: dict[str, Any] = parse_qs(query)
        if path == "/live/index.m3u8":
            self._reply(self.at, lane, ticket, lambda: MULTIVARIANT.encode())
        elif path.endswith("index.m3u8"):
            at = self.at
            if "_HLS_msn" in directives:
                n = int(directives["_HLS_msn"][0]) * PARTS + int(directives.get("_HLS_part", ["3"])[0])
                at = max(at, self.stream.due(n))
            if lane.patience and at > self.at + lane.patience:
                self._later(self.at + lane.patience, lambda: self._failed(lane, ticket, TIMEOUT))
                return
            skip = "_HLS_skip" in directives
            self._reply(at, lane, ticket, lambda: self._playlist(skip=skip))
        else:
            found = re.search(r"/p(\d+)\.m4s$", path)
            at = self.at if found is None else max(self.at, self.stream.due(int(found[1])))
            self._reply(at, lane, ticket, lambda: b"")

    def _playlist(self, *, skip: bool) -> bytes:
        at, stream = self.at - self.wire_s, self.stream
        ended = stream.ended_at is not None and at >= stream.ended_at
        count = stream.count(stream.ended_at if ended and stream.ended_at is not None else at)
        if ended:
            count -= count % PARTS
        return stream.playlist(count, ended=ended, skip=skip).encode()

    def _reply(self, at: float, lane: Lane, ticket: int, body: Callable[[], bytes]) -> None:
        size = self.part_bytes if lane.kind in (Kind.PART, Kind.SEGMENT) else 800
        took = self.transfer_s if lane.kind in (Kind.PART, Kind.SEGMENT) else 0.0
        self._later(at + self.wire_s + took, lambda: self._answered(lane, ticket, 200, body(), size))

    def _answered(self, lane: Lane, ticket: int, status: int, body: bytes, size: int) -> None:
        if self._answers.get(id(lane)) != ticket:
            return
        lane.busy = False
        body = body if kept(lane.kind) else b""
        size = len(body) or size
        lane.owner.answered(lane, Answer(status, body, size, self.age, self.now - self.transfer_s), self.now)

    def _failed(self, lane: Lane, ticket: int, why: str) -> None:
        if self._answers.get(id(lane)) == ticket:
            lane.busy = False
            lane.owner.failed(lane, why, self.now)
