"""X-Forwarded-For and Forwarded (RFC 7239): the viewer behind trusted proxies. Sans-IO."""

from __future__ import annotations

import re

from .addresses import Networks, canonical

MAX_HOPS = 16
"""Entries that are looked at, from the last one on. Why: each is a proxy of ours; there are one to three."""

_NODE = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::\w+)?|([0-9.]+)(?::\w+)?|([0-9A-Fa-f:.]+)")
"""RFC 7239 section 6: an address, with or without a port, IPv6 in brackets; many proxies write it without."""
_FOR = re.compile(r'(?:^|;)\s*for\s*=\s*(?:"([^"\\]*)"|([^;\s"]+))', re.IGNORECASE)


def viewer_of(peer: str, field: bytes, trusted: Networks, *, rfc7239: bool) -> str:
    """The canonical address of the viewer that `peer` (trusted) speaks for.

    From the last entry on, each was written by the proxy behind the one before it: the first that is not trusted is
    the viewer. An entry that is no address ends the chain; whoever told it is the last that is known.
    """
    known = peer
    for entry in reversed(field.decode("latin-1").split(",")[-MAX_HOPS:]):
        text = entry.strip()
        if rfc7239:
            found = _FOR.search(text)
            text = (found[1] or found[2] or "") if found is not None else ""
        match = _NODE.fullmatch(text)
        address = canonical(match[1] or match[2] or match[3]) if match is not None else ""
        if not address:
            return known
        known = address
        if address not in trusted:
            return known
    return known
