"""UDP addresses as the shell hands them in. Sans-IO."""

from __future__ import annotations

import ipaddress

Address = tuple[str, int] | tuple[str, int, int, int]
"""(host, port), for IPv6 also flow information and scope: as the socket gives it, and as it is sent to."""


def network_of(address: Address) -> str:
    """Who is behind an address, for limits: an IPv4 address, or the /64 network of an IPv6 address.

    Why /64: that is what one customer has at the least, so its lower half costs nothing to change.
    """
    host = address[0].partition("%")[0]
    if ":" not in host:
        return host
    try:
        number = ipaddress.IPv6Address(host)
    except ValueError:
        return host
    if number.ipv4_mapped is not None:
        return str(number.ipv4_mapped)
    return number.packed[:8].hex(":", 2) + "::/64"


def field_of(address: Address) -> bytes:
    """The peer address field of a handshake: 16 bytes (draft section 3.2.1).

    Each of the four words is in the byte order that libsrt writes, which is the reverse of the network's. No peer is
    known to read it.
    """
    host = address[0].partition("%")[0]
    try:
        packed = ipaddress.ip_address(host).packed
    except ValueError:
        packed = b""
    padded = packed.ljust(16, b"\0")
    return b"".join(padded[at : at + 4][::-1] for at in range(0, 16, 4))
