"""Addresses of viewers: one spelling for each, and the block that counts as one viewer's. Sans-IO."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

BLOCK_BITS = 64
"""Of an IPv6 address. Why: the least that a provider gives to one customer, who then has all addresses in it."""


def canonical(text: str) -> str:
    """The one spelling of an address, an IPv4 address within IPv6 as IPv4; empty when it is none."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    if address.version == 6 and (inner := address.ipv4_mapped) is not None:
        return str(inner)
    return str(address)


def block(address: str) -> str:
    """What limits count as one: an IPv4 address, or the /64 of an IPv6 address. `address` is canonical."""
    if ":" not in address:
        return address
    network = int(ipaddress.IPv6Address(address)) >> BLOCK_BITS << BLOCK_BITS
    return f"{ipaddress.IPv6Address(network)}/{BLOCK_BITS}"


class Networks:
    """A set of networks."""

    def __init__(self, texts: Iterable[str]) -> None:
        """Raises ValueError."""
        self._networks: list[Network] = [ipaddress.ip_network(text, strict=False) for text in texts]

    def __contains__(self, address: str) -> bool:
        """Whether the canonical `address` is in one of them."""
        if not self._networks or not address:
            return False
        parsed = ipaddress.ip_address(address)
        return any(parsed in network for network in self._networks)
