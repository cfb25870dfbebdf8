"""What one process is among those of an edge: all of it, the node behind its workers, or one of these. Sans-IO.

    viewers ──> worker 0 ─┐
    viewers ──> worker 1 ─┼── Unix socket ──> node ──> upstreams
    viewers ──> worker 2 ─┘

To the world they are one edge: they share the entry in CDN-Loop, and Via names them once. Cache-Status names the node
apart, with `NODE_SUFFIX`, for it tells of two caches.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

NODE_SUFFIX = ".workers"
"""What stands behind `edge.node` in Cache-Status for the cache that all workers share."""


class Place(enum.StrEnum):
    """The value goes to the process in its hand-over."""

    ALONE = "alone"
    """One process is the edge."""
    NODE = "node"
    """Asks the upstreams, once for all workers; its viewers are the workers."""
    WORKER = "worker"
    """Serves viewers; its upstream is the node."""


@dataclass(frozen=True, slots=True)
class Post:
    """Of one process. What is empty or None is made, or taken from the settings, by the process itself."""

    place: Place = Place.ALONE
    cdn_id: str = ""
    """Entry in CDN-Loop (RFC 8586 section 2), the same for all processes of an edge."""
    viewer_key: bytes = b""
    """Secret under which viewers are hashed, the same for all workers: `viewers.KEY_BYTES`."""
    cache_bytes: int | None = None
    """Its share of `edge.cache_bytes`. Not in its settings, where no object may be larger than the cache."""
    listening: tuple[int, ...] = ()
    """Descriptors of inherited sockets that are bound, in place of `edge.http.host` and `port`."""
    tls_listening: tuple[int, ...] = ()
    """The same for `edge.http.tls.port`."""

    @property
    def is_node(self) -> bool:
        """Its callers are workers, not viewers."""
        return self.place is Place.NODE

    @property
    def is_worker(self) -> bool:
        """Its upstream is the node of the same edge."""
        return self.place is Place.WORKER

    def cache_name(self, node: str) -> str:
        """Name in Cache-Status of the edge called `node`."""
        return f"{node}{NODE_SUFFIX}" if self.is_node else node
