"""Thousands of viewers who wait for the next playlist: our edge beside nginx and Varnish, before the same origin.

    bad server (without a fault), parts of 333 ms  ──  a cache  ──  viewers of `heldviewers`

The delay is from when a part is due at the origin to the last byte of the playlist with it at a viewer. Origin and
cache share one core, the viewers have the other.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from . import caches
from .drive import BadPeer
from .edge import EdgeNode
from .heldviewers import JOINS_PER_S, SETTLE_S, Found, Job
from .load import CLIENT_CORE, SERVER_CORE
from .processes import children, cpu_seconds, fetched, pinned

PART_MS, PARTS = 333, 4
PLAYLIST = "/live/bad/sd/index.m3u8"
BUSY = 0.9
"""Of a core: a client above it is what the delays are of."""
START_S = 10.0
"""Beyond their plan that the viewers' process may take."""


@dataclass(frozen=True)
class Held:
    """One cache and its viewers."""

    name: str
    viewers: int
    seconds: float
    found: Found
    cpu: float
    """Of the cache's processes, cores, from the first viewer on."""


def measure(folder: Path, *, audiences: tuple[int, ...], seconds: float) -> Iterator[Held]:
    """Each cache with each number of viewers. Raises TimeoutError or PeerEnded when a process does not come up."""
    with ExitStack() as stack:
        shape = ("--part-ms", str(PART_MS), "--parts", str(PARTS))
        server = BadPeer(folder / "bad", shape, SERVER_CORE).start()
        stack.callback(server.stop)
        port = urlsplit(server.url).port
        assert port is not None  # it listens
        for name, make in (("nginx", caches.nginx), ("Varnish", caches.varnish)):
            cache = make(port, folder / name, core=SERVER_CORE, health=PLAYLIST)
            try:
                for count in audiences:
                    yield _watched(folder, name, cache.url(PLAYLIST), cache.processes(), count, seconds)
            finally:
                cache.stop()
        edge = EdgeNode(folder / "edge", "edge", {"origin": f"http://127.0.0.1:{port}"}, core=SERVER_CORE)
        stack.callback(edge.peer.stop)
        for count in audiences:
            pids = [edge.peer.pid, *children(edge.peer.pid)]
            yield _watched(folder, "Headwater edge", edge.base + PLAYLIST, pids, count, seconds)


def _watched(folder: Path, name: str, url: str, pids: list[int], viewers: int, seconds: float) -> Held:
    if fetched(url, 10)[0] != 200:
        raise RuntimeError(f"{name} has no playlist")
    path = folder / "viewers.json"
    path.write_text(json.dumps(asdict(Job(url, PARTS, PART_MS / 1_000, viewers, seconds))))
    before = sum(map(cpu_seconds, pids))
    lasts_s = viewers / JOINS_PER_S + SETTLE_S + seconds
    ended = subprocess.run(
        [*pinned(CLIENT_CORE), sys.executable, "-m", f"{__package__}.heldviewers", str(path)],
        stdout=subprocess.PIPE, text=True, check=True, timeout=2 * lasts_s + START_S,
    )  # fmt: skip
    cpu = (sum(map(cpu_seconds, pids)) - before) / lasts_s
    return Held(name, viewers, seconds, Found(**json.loads(ended.stdout)), cpu)


def report(found: list[Held]) -> list[str]:
    """Lines of Markdown."""
    lines = [
        "| viewers | cache | delay p50 / p99 / most, ms | updates that came, of those due | errors | CPU, cores "
        "| client, cores |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in found:
        mark = "?" if one.found.cpu > BUSY else ""
        delays = " / ".join(f"{one.found.delays_ms[name]:.0f}{mark}" for name in ("p50", "p99", "most"))
        came = 100 * one.found.updates * PART_MS / 1_000 / (one.viewers * one.seconds)
        shown = (
            one.viewers, one.name, delays, f"{came:.0f} %", one.found.errors, f"{one.cpu:.2f}", f"{one.found.cpu:.2f}",
        )  # fmt: skip
        lines.append("| " + " | ".join(map(str, shown)) + " |")
    return lines
