"""All fills of an edge: which answers go out while they come, and what becomes of them at their end. Sans-IO."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

from .collapse import Flight, Waiter
from .entities import is_playlist
from .fill import Fill, Verdict
from .judge import Judge
from .kept import Kept
from .keys import path_of
from .marks import HitForMiss, Marks
from .message import Entity, Tally, Upstream, UpstreamAnswer
from .paths import Paths
from .ranges import wanted
from .select import bounds

MAX_LARGE = 64
"""Fills at once that are larger than may be kept. Why: each has a connection for as long as its viewers read."""
PARTIAL_S = 600.0
"""How long a URL that a playlist names by byte ranges, or that is too large, is fetched by ranges."""


class Host(Protocol):
    """What fills need of the core."""

    tally: Tally
    upstream: Upstream
    paths: Paths

    def again(self, waiters: list[Waiter], now: float) -> None:
        """Handle these requests anew."""


class Owner(Protocol):
    """What fills need of the objects."""

    kept: Kept
    judge: Judge
    alone: HitForMiss
    """URLs whose answers may not be shared; likewise such as are fetched by ranges."""
    partial: Marks

    def divide(self, flight: Flight, now: float, *, ignores: bool) -> tuple[list[Waiter], list[Waiter]]:
        """Those whom the answer is for, and those who asked for more than its URL."""

    def send_all(
        self, flight: Flight, waiters: list[Waiter], entity: Entity, now: float, *, alone: bool = False
    ) -> None:
        """Answer these with the right form of `entity`."""


class Fills:
    """`fill.Host`. What is larger than `object_bytes` is not kept."""

    def __init__(self, owner: Owner, host: Host, object_bytes: int) -> None:
        self.object_bytes = object_bytes
        self.several = host.paths.several
        self.tally = host.tally
        self.upstream = host.upstream
        self._owner = owner
        self._host = host
        self._open: dict[Fill, None] = {}

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Fill]:
        return iter(list(self._open))

    # -- fill.Host

    def head(self, flight: Flight, answer: UpstreamAnswer) -> Verdict | None:
        """What to make of a 200 or 206 whose body is yet to come; None: a playlist, which goes out complete only."""
        if is_playlist(path_of(flight.key), answer.get("content-type") or ""):
            return None
        _, life = self._owner.judge.life(flight.key, 200, answer)
        entity = self._owner.kept.entity(answer, life)
        return Verdict(entity, life, self._owner.kept.wants(flight, entity, life))

    def room_for_large(self) -> bool:
        """Whether one more fill may be larger than `object_bytes`; a refusal is counted."""
        if sum(fill.large for fill in self._open) < MAX_LARGE:
            return True
        self.tally.refuse("large")
        return False

    def opened(self, fill: Fill) -> None:
        """Its head was taken."""
        self._open[fill] = None

    def closed(self, fill: Fill) -> bool:
        """It is over; False: it was before."""
        return self._open.pop(fill, fill) is None

    def divide(self, fill: Fill, now: float) -> tuple[list[Waiter], list[Waiter]]:
        """Empty the fill's line: those whom the answer is for, and those who have to ask again."""
        flight, life = fill.flight, fill.verdict.life
        ranged = fill.first.status == 206
        mine, others = (flight.take(), []) if ranged else self._owner.divide(flight, now, ignores=False)
        self._owner.alone.judged(flight.key, life.why, now)
        if not life.share and not fill.alone:
            return mine[:1], mine[1:] + others
        return mine, others

    def again(self, waiters: list[Waiter], now: float) -> None:
        """Handle these requests anew."""
        self._host.again(waiters, now)

    def filled(self, fill: Fill, now: float) -> None:
        """It is whole: keep it where it may be, end its body, answer who still waits for that."""
        flight, body, life = fill.flight, fill.body, fill.verdict.life
        assert body is not None
        if fill.large:
            body.finish()
            return
        # Its Age counts from its head: that is how old its first byte is
        entity = self._owner.kept.entity(replace(fill.first, body=body.whole()), life)
        self._owner.kept.keep(flight, entity, life)
        body.finish()
        mine, others = self.divide(fill, now)
        self._owner.send_all(flight, mine, entity, now, alone=fill.alone)
        self.again(others, now)

    def too_large(self, fill: Fill, now: float) -> None:
        """It will not be kept: whoever waits for a range of it asks for that.

        Not from an upstream that was asked for a range and sends all of it. Nor with If-Range: the range could be of a
        later version.
        """
        flight, body = fill.flight, fill.body
        assert body is not None
        if flight.range is not None:
            return
        self._owner.partial.set(flight.key, now + PARTIAL_S)
        elsewhere = []
        for waiter in flight.waiting():
            request = waiter.request
            if wanted(request) is None and request.range is not None and request.if_range is None and body.length:
                found = bounds(request.range, body.length)
                if found is not None and found[0] <= found[1]:
                    request.range = f"bytes={found[0]}-{found[1]}"  # the last N bytes, which are known now
            if wanted(request) is not None:
                flight.leave(waiter)
                elsewhere.append(waiter)
        self.again(elsewhere, now)

    # -- time

    def handle_timeout(self, now: float) -> None:
        """Let all do what is due."""
        for fill in self:
            fill.handle_timeout(now)

    def stop(self) -> None:
        """End all; nobody is answered any more."""
        for fill in self:
            fill.stop()
