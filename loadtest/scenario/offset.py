"""Asks the server what time it is there, and whether it answers at all."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from headwater.loadtest.doctor.client import Client
from headwater.loadtest.doctor.values import Answer as HttpAnswer
from headwater.loadtest.doctor.values import Ask
from headwater.loadtest.records import ClockOffset

from .clock import GOOD_S, ROUNDS, Answer, Estimator, parse_age, parse_date
from .limits import unusable

SAME_MACHINE = ClockOffset(0.0, 0.0, "same machine")
UNKNOWN = ClockOffset(0.0, 1.0, "not known: no Date in the answers")
LIMIT_S = 2.5
"""For the whole estimate. Why: people wait for it."""
ASK_S = 2.0
"""Longest for one request of it."""
FIRST_S = 10.0
"""For the first answer of the server."""
PLAYLIST_BYTES = 1 << 20
AGAIN_S = 0.5


class NoAnswer(Exception):
    """The URL gives no playlist; the text says what it gives."""


def wall() -> float:
    """Unix time of our clock."""
    return time.time_ns() / 1e9


async def reach(client: Client, url: str, wait_s: float) -> None:
    """Wait until the URL gives a playlist. Raises NoAnswer after `wait_s`, or at once where that is 0."""
    loop = asyncio.get_running_loop()
    end = loop.time() + wait_s
    while True:
        answer = await client.fetch(Ask(url, timeout_s=FIRST_S, max_bytes=PLAYLIST_BYTES))
        if (wrong := _wrong(answer)) is None:
            return
        if loop.time() >= end:
            raise NoAnswer(wrong)
        await asyncio.sleep(AGAIN_S)


def _wrong(answer: HttpAnswer) -> str | None:
    if answer.failure:
        return answer.failure
    if answer.status != 200:
        return f"status {answer.status}"
    return None if answer.body.lstrip(b"\xef\xbb\xbf").startswith(b"#EXTM3U") else "no playlist"


async def estimate(client: Client, url: str) -> ClockOffset:
    """The server's clock minus ours; says where it has that from."""
    if await asyncio.to_thread(_is_local, urlsplit(url).hostname or ""):
        return SAME_MACHINE
    return await measured(client, url)


async def measured(client: Client, url: str, clock: Callable[[], float] = wall) -> ClockOffset:
    """The same, asked of the server wherever it is. `clock`: ours, Unix time."""
    estimator = Estimator()
    # A first request opens the connection: the time of that must not count.
    await client.fetch(Ask(url, timeout_s=ASK_S, max_bytes=PLAYLIST_BYTES))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LIMIT_S):
            for _ in range(1 + ROUNDS):
                await _round(client, url, estimator, clock)
                if estimator.known and estimator.uncertainty_s <= GOOD_S:
                    break
    return estimator.offset() if estimator.known else UNKNOWN


async def _round(client: Client, url: str, estimator: Estimator, clock: Callable[[], float]) -> None:
    """Asks until a second of the server has begun between two answers."""
    first: float | None = None
    for moment in estimator.moments(clock()):
        if (wait := moment - clock()) > 0:
            await asyncio.sleep(wait)
        answer = await client.fetch(Ask(url, timeout_s=ASK_S, max_bytes=PLAYLIST_BYTES))
        ahead = clock() - asyncio.get_running_loop().time()
        date = parse_date(answer.headers.get("date", ""))
        if answer.failure or date is None:
            return
        found = Answer(answer.sent + ahead, answer.first + ahead, date, parse_age(answer.headers.get("age", "")))
        estimator.take(found)
        first = found.second if first is None else first
        if found.second != first:
            return


def _is_local(host: str) -> bool:
    """Every address of the host is one of this machine."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return bool(found) and all(unusable(str(address[0])) is None for *_, address in found)
