"""Requests that wait for a publication: bounded, woken together, freed when their client leaves.

held      a request that waits; it is counted until it is answered or cancelled
waiting   the requests of one playlist or file, by what they wait for
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable
from typing import Generic, TypeVar

from prometheus_client import Gauge

Key = TypeVar("Key")


class Outcome(enum.Enum):
    """Why a held request goes on."""

    WOKEN = "woken"
    """What it waited for may be there: look again."""
    TIMED_OUT = "timed out"
    DRAINING = "draining"
    """The server goes away."""
    FULL = "full"
    """Too many requests are held already; this one was not."""


class Waiting(Generic[Key]):
    """Futures of held requests by what they wait for."""

    def __init__(self) -> None:
        self._futures: dict[Key, set[asyncio.Future[Outcome]]] = {}

    def __len__(self) -> int:
        return len(self._futures)

    def add(self, key: Key, future: asyncio.Future[Outcome]) -> None:
        """`future` waits for `key`."""
        self._futures.setdefault(key, set()).add(future)

    def discard(self, key: Key, future: asyncio.Future[Outcome]) -> None:
        """`future` waits no longer."""
        futures = self._futures.get(key)
        if futures is not None:
            futures.discard(future)
            if not futures:
                del self._futures[key]

    def wake(self, done: Callable[[Key], bool]) -> None:
        """Let go on whoever waits for a key that is done."""
        for key in [key for key in self._futures if done(key)]:
            for future in self._futures.pop(key):
                if not future.done():
                    future.set_result(Outcome.WOKEN)


class HeldRequests:
    """All held requests of this process: their bound, their count, and the drain."""

    def __init__(self, limit: int, gauge: Gauge) -> None:
        self._limit = limit
        self._gauge = gauge
        self._futures: set[asyncio.Future[Outcome]] = set()
        self._draining = False

    def __len__(self) -> int:
        return len(self._futures)

    async def hold(self, waiting: Waiting[Key], key: Key, kind: str, timeout_s: float) -> Outcome:
        """Wait until `key` is woken, for at most `timeout_s`. Cancellation frees everything."""
        if self._draining:
            return Outcome.DRAINING
        if len(self._futures) >= self._limit:
            return Outcome.FULL
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        waiting.add(key, future)
        self._futures.add(future)
        gauge = self._gauge.labels(kind)
        gauge.inc()
        try:
            async with asyncio.timeout(timeout_s):
                return await future
        except TimeoutError:
            return Outcome.TIMED_OUT
        finally:
            gauge.dec()
            self._futures.discard(future)
            waiting.discard(key, future)

    def drain(self) -> None:
        """Let all go on, and hold none from now on."""
        self._draining = True
        for future in self._futures:
            if not future.done():
                future.set_result(Outcome.DRAINING)
