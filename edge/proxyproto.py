"""The PROXY protocol, versions 1 and 2: the address that a load balancer speaks for. Sans-IO.

haproxy.org/download/2.9/doc/proxy-protocol.txt. The header is expected or not, never guessed (section 2).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from .addresses import canonical

MAX_V1_BYTES = 107
"""Section 2.1: the longest line, its end included."""
MAX_V2_BYTES = 4_096
"""Why: addresses have 36 bytes, and what load balancers add (TLS names, ids) some hundreds."""

_V2 = b"\r\n\r\n\x00\r\nQUIT\n"
_V2_FIXED = 16
_FAMILIES = {0x11: (4, 12), 0x12: (4, 12), 0x21: (16, 36), 0x22: (16, 36)}
"""Family and transport -> bytes of the source address, and of the whole block."""


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """A whole header."""

    address: str
    """Of the viewer, canonical; empty: the peer speaks for itself (a health check)."""
    size: int
    """Bytes of the header; the request begins behind them."""


class BadProxyHeader(ValueError):
    """What came is no PROXY header."""


def read_header(data: bytes) -> ProxyHeader | None:
    """The header at the start of `data`; None while it is not whole. Raises BadProxyHeader."""
    if _V2.startswith(data[:12]):
        return _read_v2(data)
    if b"PROXY ".startswith(data[:6]):
        return _read_v1(data)
    raise BadProxyHeader("no PROXY protocol header")


def _read_v1(data: bytes) -> ProxyHeader | None:
    end = data.find(b"\r\n", 0, MAX_V1_BYTES)
    if end < 0:
        if len(data) >= MAX_V1_BYTES or b"\n" in data:
            raise BadProxyHeader("the line does not end")
        return None
    words = data[:end].split(b" ")
    if words[1] == b"UNKNOWN":
        return ProxyHeader("", end + 2)
    if len(words) != 6 or words[1] not in (b"TCP4", b"TCP6"):
        raise BadProxyHeader("not PROXY TCP4 or TCP6 with two addresses and two ports")
    texts = [word.decode("latin-1") for word in words[2:]]
    version = 4 if words[1] == b"TCP4" else 6
    for text in texts[:2]:
        try:
            parsed = ipaddress.ip_address(text)
        except ValueError:
            raise BadProxyHeader("an address is none") from None
        if parsed.version != version:
            raise BadProxyHeader("an address of the other family")
    if not all(text.isascii() and text.isdigit() and len(text) <= 5 and int(text) < 65_536 for text in texts[2:]):
        raise BadProxyHeader("a port is none")
    return ProxyHeader(canonical(texts[0]), end + 2)


def _read_v2(data: bytes) -> ProxyHeader | None:
    if len(data) < _V2_FIXED:
        return None
    version, command = data[12] >> 4, data[12] & 15
    if version != 2 or command > 1:
        raise BadProxyHeader("not version 2, or a command that is not known")
    length = int.from_bytes(data[14:16], "big")
    size = _V2_FIXED + length
    if size > MAX_V2_BYTES:
        raise BadProxyHeader(f"longer than {MAX_V2_BYTES} bytes")
    if len(data) < size:
        return None
    family = _FAMILIES.get(data[13])
    # Section 2.2: LOCAL, and families that are not known here, mean the peer itself.
    if command == 0 or family is None:
        return ProxyHeader("", size)
    source, block = family
    if length < block:
        raise BadProxyHeader("shorter than its addresses")
    return ProxyHeader(canonical(str(ipaddress.ip_address(data[_V2_FIXED : _V2_FIXED + source]))), size)
