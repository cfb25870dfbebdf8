"""Addresses: what a playlist names, resolved and ready to be written into a request. Sans-IO.

A token needs no care: it is part of the playlist's path, which relative URIs keep (RFC 3986, 5.2), or of a query,
which they keep only where the URI itself has it.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from urllib.parse import quote, urljoin, urlsplit

from headwater.origin.hls.attributes import PlaylistError

MAX_URL = 8_192
"""Longest address, characters. Why: no server takes a longer request line."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a connection goes."""

    https: bool
    host: str
    port: int

    @property
    def authority(self) -> str:
        """Of the Host field: without the scheme's own port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.https else 80) else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Address:
    """One absolute URL."""

    url: str
    origin: Origin
    target: bytes
    """Path and query as they stand in the request line."""

    def plus(self, query: str) -> bytes:
        """The target with `query` added to its query."""
        return add_query(self.target, query.encode("ascii"))


def add_query(target: bytes, query: bytes) -> bytes:
    """`target` with `query` added to its query."""
    return target + (b"&" if b"?" in target else b"?") + query


@functools.lru_cache(maxsize=16_384)
def address(url: str) -> Address:
    """Read an absolute URL. Raises PlaylistError for what is no http(s) address."""
    if len(url) > MAX_URL:
        raise PlaylistError("an address is too long")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise PlaylistError(f"bad address {url[:80]!r}: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise PlaylistError(f"no http address: {url[:80]!r}")
    https = parts.scheme == "https"
    origin = Origin(https, _host(parts.hostname), (443 if https else 80) if port is None else port)
    # What may not stand in a request line is encoded; what is encoded already stays.
    path = quote(parts.path or "/", safe="%/:=&~+!$,;'@()*")
    query = quote(parts.query, safe="%/:=&~+!$,;'@()*?")
    return Address(url, origin, (f"{path}?{query}" if query else path).encode("ascii"))


@functools.lru_cache(maxsize=16_384)
def resolve(base: str, uri: str) -> Address:
    """`uri` in the playlist at `base`. Raises PlaylistError."""
    try:
        joined = urljoin(base, uri)
    except ValueError as error:
        raise PlaylistError(f"bad URI {uri[:80]!r}: {error}") from None
    return address(joined)


def _host(name: str) -> str:
    try:
        host = name if ":" in name else name.encode("idna").decode("ascii")
    except UnicodeError:
        raise PlaylistError(f"bad host name {name[:80]!r}") from None
    if not all("!" <= char <= "~" for char in host):
        raise PlaylistError(f"bad host name {name[:80]!r}")
    return host
