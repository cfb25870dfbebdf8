"""What each process of an edge with workers gets of the settings. Sans-IO.

    | of `[edge]`                       | node                               | each of K workers            |
    |-----------------------------------|------------------------------------|------------------------------|
    | upstreams, tiers, pins            | as configured                      | the node; no probes, no pins |
    | cache_bytes                       | half                               | the other half / K           |
    | http.connections, held, limits    | none but what K workers may need   | its share                    |
    | tokens, proxy                     | none: its callers are the workers  | as configured                |
    | disk                              | as configured                      | none                         |

A share of a number of viewers is a K-th and three standard deviations more: the kernel spreads connections by chance,
and the worker that has most of them must not refuse while the others have room.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt

from .settings import Edge, EdgeHttp
from .settings_freshness import EdgeDisk
from .settings_upstream import EdgeUpstream
from .settings_viewers import Proxy, Tokens, ViewerLimits
from .units import KIB, MAX_COUNT

NODE = "node"
"""What the node is called: as the workers' upstream, and in the label `worker` of metrics."""
SPREAD = 3.0
"""Standard deviations above the even share. Why: one worker in a thousand has more by chance."""
PER_FOLLOWER = 4
"""Connections to the node that a worker may hold for a playlist that it follows (`edge.fetch.HELD_PER_FOLLOWER`)."""
NODE_GRACE_S = 10.0
"""Longest that the node follows a playlist which no worker asks for. Why: they have waited `follow_grace_s` already;
this bridges a worker's restart."""
LATER_S = 2.0
"""What a worker waits longer than the node does, so that the node's own answer arrives first."""
MAX_WAIT_S = 86_400.0
NEVER_SHED_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class EdgePlan:
    """Settings and shares of the processes of one edge."""

    workers: int
    node: Edge
    worker: Edge
    node_cache_bytes: int
    worker_cache_bytes: int


def plan(edge: Edge, upstream: str, workers: int, socket: str) -> EdgePlan:
    """For `workers` workers and a node that listens at the path `socket`. `upstream`: where the settings say none."""
    node_cache = edge.cache_bytes // 2
    return EdgePlan(
        workers,
        _node(edge, upstream, workers),
        _worker(edge, workers, socket),
        node_cache,
        (edge.cache_bytes - node_cache) // workers,
    )


def _node(edge: Edge, upstream: str, workers: int) -> Edge:
    http = EdgeHttp(
        connections=min(MAX_COUNT, workers * (edge.upstream_connections + PER_FOLLOWER * edge.followers)),
        header_bytes=edge.http.header_bytes + 4 * KIB,  # what a worker adds
        # A worker stops reading while its viewer does, and how long that may be is the worker's business
        write_stall_s=MAX_WAIT_S,
        write_least_bytes_s=1,
    )
    return edge.model_copy(
        update={
            "upstream": None if edge.upstreams else upstream,
            "http": http,
            "follow_grace_s": min(edge.follow_grace_s, NODE_GRACE_S),
            "tokens": Tokens(),
            "limits": ViewerLimits(shed_lag_ms=NEVER_SHED_MS),
            "proxy": Proxy(),
        }
    )


def _worker(edge: Edge, workers: int, socket: str) -> Edge:
    limits = edge.limits
    every = limits.requests_per_s
    return edge.model_copy(
        update={
            "upstream": None,
            "upstreams": (EdgeUpstream(url=f"unix:{socket}", name=NODE),),
            "upstream_timeout_s": min(edge.upstream_timeout_s + LATER_S, MAX_WAIT_S),
            "upstream_stall_s": min(edge.upstream_stall_s + LATER_S, MAX_WAIT_S),
            "pins": (),
            "disk": EdgeDisk(),
            "held": share(edge.held, workers),
            "http": edge.http.model_copy(update={"connections": share(edge.http.connections, workers)}),
            "limits": limits.model_copy(
                update={
                    "connections_per_address": share(limits.connections_per_address, workers),
                    "requests_per_s_per_address": share(limits.requests_per_s_per_address, workers),
                    "requests_per_s": None if every is None else share(every, workers),
                }
            ),
        }
    )


def share(limit: int, workers: int) -> int:
    """A worker's part of a limit of all viewers."""
    even = limit / workers
    return min(limit, ceil(even + SPREAD * sqrt(even)))
