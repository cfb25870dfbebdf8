"""What the system of the generators may not allow, said before a run and not after it."""

from __future__ import annotations

import heapq
import resource
import socket
from collections.abc import Sequence
from pathlib import Path

from headwater.loadtest.generator.plan import Arrival

CONNECTIONS = 2
"""Of a viewer: two requests at a time, or video and audio. Over HTTP/2 it is one."""
SPARE_FILES = 64
PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def most_at_once(arrivals: Sequence[Arrival]) -> int:
    """Viewers that are there at the same time, at the most."""
    leaving: list[float] = []
    staying = most = 0
    for arrival in arrivals:
        while leaving and leaving[0] <= arrival.at:
            heapq.heappop(leaving)
        if arrival.stay_s is None:
            staying += 1
        else:
            heapq.heappush(leaving, arrival.at + arrival.stay_s)
        most = max(most, staying + len(leaving))
    return most


def ports() -> int:
    """Local ports of one address towards one server."""
    try:
        first, last = map(int, PORT_RANGE.read_text().split())
    except (OSError, ValueError):
        return 28_000
    return last - first + 1


def unusable(address: str) -> str | None:
    """Why no connection can leave from an IP address; None: it is one of this machine."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError as error:
            return error.strerror or str(error)
    return None


def warnings(arrivals: Sequence[Arrival], processes: int, addresses: int, *, http2: bool = False) -> list[str]:
    """What will probably fail, each with its remedy. `addresses`: of the generators, 0: the system's choice."""
    connections = (1 if http2 else CONNECTIONS) * most_at_once(arrivals)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    found = []
    if hard != resource.RLIM_INFINITY and connections / processes + SPARE_FILES > hard:
        found.append(
            f"up to {connections // processes:,} connections in a process, and {hard:,} open files are allowed: "
            f"raise the hard limit (ulimit -Hn), or use more --processes"
        )
    if connections > (room := ports() * max(1, addresses)):
        found.append(
            f"up to {connections:,} connections, and there are ports for {room:,}: use more --source-addresses, as "
            "127.0.0.2,127.0.0.3 for a server on this machine"
        )
    return found
