"""One HTTP request at a time, bounded in bytes, time and redirects: whatever the server does, an Answer comes back."""

from __future__ import annotations

import asyncio
import ssl
import zlib
from collections.abc import Mapping
from typing import Protocol
from urllib.parse import urlsplit

import aiohttp
import yarl

from .values import Answer, Ask

MAX_REDIRECTS = 5
"""Why: players follow a few; more is a loop."""
CHUNK = 1 << 16
HEADER_BYTES = 32_768
AGENT = "headwater-doctor"


class Client(Protocol):
    """What `watch` and `probes` need of the network."""

    async def fetch(self, ask: Ask) -> Answer:
        """Never raises for what a server does."""
        ...

    async def offers_http2(self, url: str) -> bool | None:
        """Whether a TLS server would speak HTTP/2; None: no TLS, or it does not answer."""
        ...


class HttpClient:
    """HTTP/1.1 with aiohttp. Use as an async context manager."""

    def __init__(self, *, insecure: bool = False, headers: Mapping[str, str] | None = None) -> None:
        """`insecure`: take any certificate. `headers` go with every request."""
        self._insecure = insecure
        self._headers = {"User-Agent": AGENT, "Accept-Encoding": "gzip", **(headers or {})}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> HttpClient:
        connector = aiohttp.TCPConnector(limit=128, ssl=not self._insecure)
        self._session = aiohttp.ClientSession(
            connector=connector,
            headers=self._headers,
            auto_decompress=False,  # a body must not grow without bound while it is unpacked
            cookie_jar=aiohttp.DummyCookieJar(),
            max_line_size=HEADER_BYTES,
            max_field_size=HEADER_BYTES,
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def fetch(self, ask: Ask) -> Answer:
        """Send `ask`, follow redirects, read the body."""
        loop = asyncio.get_running_loop()
        reading = _Reading(ask, loop.time())
        try:
            async with asyncio.timeout(ask.timeout_s):
                await self._follow(ask, reading)
        except TimeoutError:
            reading.failure = f"not finished after {ask.timeout_s:.1f} s"
        except (aiohttp.ClientError, OSError, ValueError, zlib.error, ssl.SSLError) as error:
            # ValueError: what yarl and the header parsers say of malformed addresses and fields
            reading.failure = f"{type(error).__name__}: {error}".rstrip(": ")
        return reading.answer(loop.time())

    async def _follow(self, ask: Ask, reading: _Reading) -> None:
        assert self._session is not None  # used as a context manager
        url = ask.url
        for _ in range(MAX_REDIRECTS + 1):
            reading.url = url
            target = yarl.URL(url, encoded=True)
            if target.scheme not in ("http", "https") or not target.host:
                raise ValueError(f"not an HTTP address: {url[:100]}")
            async with self._session.request(
                ask.method, target, headers=dict(ask.headers), allow_redirects=False
            ) as response:
                location = response.headers.get("Location")
                if response.status in (301, 302, 303, 307, 308) and location:
                    url = str(target.join(yarl.URL(location)))
                    reading.redirects += 1
                    continue
                await _body(ask, response, reading)
                return
        raise ValueError(f"more than {MAX_REDIRECTS} redirects")

    async def offers_http2(self, url: str) -> bool | None:
        """By ALPN, without sending a request."""
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname:
            return None
        context = ssl.create_default_context()
        if self._insecure:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2", "http/1.1"])
        try:
            async with asyncio.timeout(5):
                _, writer = await asyncio.open_connection(parts.hostname, parts.port or 443, ssl=context)
        except (OSError, TimeoutError, ValueError):
            return None
        chosen = writer.get_extra_info("ssl_object").selected_alpn_protocol()
        writer.transport.abort()
        return bool(chosen == "h2")


class _Reading:
    """An answer as it comes in."""

    def __init__(self, ask: Ask, now: float) -> None:
        self.ask, self.sent, self.url = ask, now, ask.url
        self.status, self.redirects, self.failure = 0, 0, ""
        self.headers: dict[str, str] = {}
        self.body = b""
        self.first = self.first_byte = 0.0

    def answer(self, now: float) -> Answer:
        first = self.first or now
        return Answer(
            self.ask, self.status, self.headers, self.body, self.url, self.sent, first, self.first_byte or now, now,
            self.redirects, self.failure,
        )  # fmt: skip


async def _body(ask: Ask, response: aiohttp.ClientResponse, reading: _Reading) -> None:
    loop = asyncio.get_running_loop()
    reading.first = loop.time()
    reading.status = response.status
    reading.headers = {name.lower(): value for name, value in response.headers.items()}
    unpack = _unpacker(reading.headers.get("content-encoding", "")) if ask.method != "HEAD" else None
    kept = bytearray()
    async for chunk in response.content.iter_chunked(CHUNK):
        reading.first_byte = reading.first_byte or loop.time()
        room = ask.max_bytes - len(kept)
        kept += chunk[: room + 1] if unpack is None else unpack.decompress(chunk, room + 1)
        reading.body = bytes(kept[: ask.max_bytes]) if len(kept) > ask.max_bytes else b""
        if len(kept) > ask.max_bytes:
            raise ValueError(f"larger than {ask.max_bytes} bytes")
    if unpack is not None and kept and not unpack.eof:
        raise ValueError("the content coding ends before its end")
    reading.body = bytes(kept)


def _unpacker(coding: str) -> zlib._Decompress | None:
    match coding.strip().lower():
        case "" | "identity":
            return None
        case "gzip" | "x-gzip":
            return zlib.decompressobj(zlib.MAX_WBITS | 16)
        case "deflate":
            return zlib.decompressobj(zlib.MAX_WBITS)
    raise ValueError(f"content coding {coding[:40]!r} was not asked for")
