"""Makes connections: names resolved once, source addresses in turn, TLS where the address says so."""

from __future__ import annotations

import asyncio
import itertools
import ssl
from collections.abc import Callable

from headwater.loadtest.players.address import Origin
from headwater.loadtest.players.retry import TIMEOUT
from headwater.loadtest.records import NO_HTTP2

from .http2 import ALPN

MAX_DIALS = 512
"""Connections that are being made at once. Why: below every usual listen backlog; more wait, which counts for them."""


class Dialer:
    """Of one process."""

    def __init__(
        self, source_addresses: tuple[str, ...], *, insecure: bool, timeout_s: float, http2: bool = False
    ) -> None:
        """`http2`: ask for it by ALPN, and make no connection without TLS."""
        self._sources = itertools.cycle(source_addresses) if source_addresses else None
        self._timeout_s = timeout_s
        self._free = asyncio.Semaphore(MAX_DIALS)
        self._resolved: dict[tuple[str, int], asyncio.Future[str]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._context: ssl.SSLContext | None = None
        self._insecure = insecure
        self._http2 = http2

    def dial(
        self, origin: Origin, made: Callable[[], asyncio.BufferedProtocol], refused: Callable[[str], None]
    ) -> None:
        """Connect, with `made`'s protocol; `refused` is told why that cannot be."""
        task = asyncio.get_running_loop().create_task(self._dial(origin, made, refused))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Give up what is being made."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _dial(
        self, origin: Origin, made: Callable[[], asyncio.BufferedProtocol], refused: Callable[[str], None]
    ) -> None:
        loop = asyncio.get_running_loop()
        if self._http2 and not origin.https:
            refused(NO_HTTP2)
            return
        try:
            async with self._free, asyncio.timeout(self._timeout_s):
                host = await self._resolve(origin.host, origin.port)
                await loop.create_connection(
                    made,
                    host,
                    origin.port,
                    ssl=self._tls() if origin.https else None,
                    server_hostname=origin.host if origin.https else None,
                    local_addr=(next(self._sources), 0) if self._sources is not None else None,
                )
        except TimeoutError:
            refused(TIMEOUT)
        except ssl.SSLError:
            refused("tls")
        except ConnectionRefusedError:
            refused("refused")
        except OSError:
            refused("unreachable")

    async def _resolve(self, host: str, port: int) -> str:
        """The first address of a name; asked for once."""
        key = (host, port)
        known = self._resolved.get(key)
        if known is None:
            known = self._resolved[key] = asyncio.get_running_loop().create_future()
            try:
                found = await asyncio.get_running_loop().getaddrinfo(host, port)
                known.set_result(str(found[0][4][0]))
            except BaseException as error:
                del self._resolved[key]
                known.set_exception(error if isinstance(error, OSError) else OSError("not resolved"))
                known.exception()  # whoever waits hears of it; nobody has to
                raise
        return await asyncio.shield(known)

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = ssl.create_default_context()
            if self._insecure:
                self._context.check_hostname = False
                self._context.verify_mode = ssl.CERT_NONE
            if self._http2:
                # As browsers do: a server without HTTP/2 says so, and does not just end the handshake
                self._context.set_alpn_protocols([ALPN, "http/1.1"])
        return self._context
