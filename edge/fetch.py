"""The upstream client (`message.Upstream`) on aiohttp.

Requests carry nothing of any viewer. A held request is never repeated because it is quiet; what it may cost is
bounded by time (`upstream_timeout_s`), size (`object_bytes`) and number. A body that somebody takes as it comes
(`message.Arriving`) has `upstream_stall_s` for each piece instead, and its size is the taker's business.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import aiohttp
import structlog
from yarl import URL

from headwater.config.settings_upstream import EdgeUpstream

from .message import Cancel, Done, Failure, Purpose, UpstreamAnswer, UpstreamRequest
from .relay import Relay, TooLarge

log = structlog.get_logger("headwater.edge")

HELD_PER_FOLLOWER = 4
"""Connections that a follower may hold: its playlist, a hinted part, a hinted init section; the fourth is for
playlists that are held although they are not followed."""
BUSY_S = 5.0
"""Longest wait for a free connection. Why: a viewer that is told 503 comes back; one that is told nothing is lost."""
_HELD = frozenset((Purpose.PLAYLIST, Purpose.BLOCKING, Purpose.PREFETCH))


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """From `config.settings.Edge`."""

    connections: int
    followers: int
    object_bytes: int
    timeout_s: float
    connect_timeout_s: float
    stall_s: float = 10.0
    """Between two pieces of a body that is taken as it comes."""


def trust_of(upstream: EdgeUpstream) -> ssl.SSLContext | bool:
    """Whose certificates are accepted. Raises OSError (ssl.SSLError is one) when `ca` is no usable PEM file."""
    if upstream.insecure:
        return False
    return True if upstream.ca is None else ssl.create_default_context(cafile=upstream.ca)


class Fetcher:
    """GETs at `upstream`. Belongs to the running loop. `cdn_id`: this edge's entry in CDN-Loop; empty: the
    upstream is the node of this same edge, to which we are no hop."""

    def __init__(self, upstream: EdgeUpstream, limits: FetchLimits, node: str, cdn_id: str) -> None:
        self._socket = upstream.url.removeprefix("unix:") if upstream.url.startswith("unix:") else None
        # RFC 9110 section 7.2 wants a Host; a Unix socket has none.
        self._base = "http://localhost" if self._socket is not None else upstream.url.rstrip("/")
        self._name = upstream.label
        self._trust = trust_of(upstream)
        self._server_name = upstream.server_name
        self._cdn_id = cdn_id
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._under_way = 0
        """Requests that use, or wait for, one of the plain connections."""
        # Held requests have connections of their own: they must never wait for one, nor keep others waiting.
        self._held = self._session(limits.followers * HELD_PER_FOLLOWER, node)
        self._plain = self._session(limits.connections, node)

    def _session(self, connections: int, node: str) -> aiohttp.ClientSession:
        connect_s = self._limits.connect_timeout_s
        # The whole transfer has a deadline of its own, which moves while a body is handed on (`_get`).
        timeout = aiohttp.ClientTimeout(total=None, connect=connect_s + BUSY_S, sock_connect=connect_s)
        connector: aiohttp.BaseConnector = (
            aiohttp.TCPConnector(limit=connections, keepalive_timeout=30, ssl=self._trust)
            if self._socket is None
            else aiohttp.UnixConnector(self._socket, limit=connections, keepalive_timeout=30)
        )
        return aiohttp.ClientSession(
            connector=connector,
            timeout=timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={
                "User-Agent": "headwater-edge",
                "Accept-Encoding": "identity",
                **({"Via": f"1.1 {node}"} if self._cdn_id else {}),
            },
        )

    @property
    def open(self) -> int:
        """Requests under way."""
        return len(self._tasks)

    def fetch(self, request: UpstreamRequest, done: Done) -> Cancel:
        """Begin a GET; `done` is called once, from a later turn of the loop, unless it was cancelled."""
        cancelled = ending = False

        plain = request.purpose not in _HELD

        async def run() -> None:
            nonlocal ending
            self._under_way += plain
            try:
                answer = await self._get(request, lambda: cancelled)
            finally:
                self._under_way -= plain
            ending = True
            if not cancelled:
                done(answer)

        task = self._loop.create_task(run(), name=f"fetch {request.purpose.value}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)

        def cancel() -> None:
            nonlocal cancelled
            cancelled = True
            # From inside `done` the task is the caller, and ends by itself.
            if not ending:
                task.cancel()

        return cancel

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("fetch-bug", exc_info=error)

    async def _get(self, request: UpstreamRequest, stopped: Callable[[], bool]) -> UpstreamAnswer:
        try:
            async with asyncio.timeout(self._limits.timeout_s) as deadline:
                return await self._transfer(request, deadline, stopped)
        except TooLarge:
            return self._failed(request, Failure.TOO_LARGE)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            busy = isinstance(error, aiohttp.ConnectionTimeoutError) and self._under_way > self._limits.connections
            return self._failed(request, Failure.BUSY if busy else Failure.CONNECT, error)
        except TimeoutError:
            return self._failed(request, Failure.TIMEOUT)
        except (aiohttp.ClientPayloadError, aiohttp.ClientConnectionError, ConnectionError, OSError) as error:
            return self._failed(request, Failure.RESET, error)
        except (aiohttp.ClientError, ValueError) as error:
            return self._failed(request, Failure.INVALID, error)
        except Exception as error:  # viewers wait: whatever it is, they are told
            log.error("fetch-bug", exc_info=error)
            return self._failed(request, Failure.INVALID, error)

    async def _transfer(
        self, request: UpstreamRequest, deadline: asyncio.Timeout, stopped: Callable[[], bool]
    ) -> UpstreamAnswer:
        # RFC 8586: who already passed it on, and we
        passed = ", ".join(filter(None, (request.loop, self._cdn_id)))
        headers = {"CDN-Loop": passed} if passed else {}
        if request.etag is not None:
            headers["If-None-Match"] = request.etag
        if request.last_modified is not None:
            headers["If-Modified-Since"] = request.last_modified
        if request.range is not None:
            headers["Range"] = request.range
        if request.if_range is not None:
            headers["If-Range"] = request.if_range
        session = self._held if request.purpose in _HELD else self._plain
        # `encoded`: the key is canonical already, and must reach the upstream as it is
        url = URL(self._base + request.target, encoded=True)
        async with session.get(
            url, headers=headers, allow_redirects=False, server_hostname=self._server_name
        ) as response:
            head = UpstreamAnswer(
                at=self._loop.time(),
                unix=time.time(),  # noqa: TID251  (compared with the upstream's Expires)
                status=response.status,
                headers=tuple((name.lower(), value) for name, value in response.headers.items()),
                began=time.perf_counter(),
            )
            # Length and ranges count encoded bytes, and these are decoded here
            streams = response.status in (200, 206) and "Content-Encoding" not in response.headers
            relay = Relay(
                request.arriving if streams else None,
                head,
                response.content_length,
                most=self._limits.object_bytes,
                deadline=deadline,
                stall_s=self._limits.stall_s,
                stopped=stopped,
            )
            body = await relay.body(response.content)
            return replace(head, at=self._loop.time(), unix=time.time(), body=body)  # noqa: TID251

    def _failed(self, request: UpstreamRequest, failure: Failure, error: Exception | None = None) -> UpstreamAnswer:
        log.warning(
            "upstream-failed",
            upstream=self._name,
            target=request.target.partition("?")[0],
            purpose=request.purpose.value,
            failure=failure.name.lower(),
            error=type(error).__name__ if error is not None else None,
        )
        return UpstreamAnswer(at=self._loop.time(), unix=time.time(), failure=failure)  # noqa: TID251

    async def close(self) -> None:
        """End all requests and connections."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._held.close()
        await self._plain.close()
