"""The loop guard: requests that went in a circle end with 508 (RFC 8586, RFC 5842 section 7.2). Sans-IO."""

from __future__ import annotations

MAX_TIERS = 8
"""Edges that one request may pass. Why: a chain has three or four; a longer one is a circle of others."""

MAX_CHARS = 1_024
"""Of the field. Why: an edge's entry has some twenty; it goes into every request upstream."""


def looping(passed: str, cdn_id: str) -> str | None:
    """Why a request with this CDN-Loop is refused by the edge `cdn_id`; None when it is not."""
    if len(passed) > MAX_CHARS or not (passed.isascii() and passed.isprintable()):
        return "CDN-Loop is not a list of edges"
    ids = [entry.partition(";")[0].strip() for entry in passed.split(",")]
    if cdn_id in ids:
        return "this request came from this edge: its upstreams lead back to it"
    if len(ids) > MAX_TIERS:
        return f"this request passed more than {MAX_TIERS} edges"
    return None
