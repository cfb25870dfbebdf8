"""Thousands of viewers who wait for the next playlist: our edge beside nginx and Varnish, before the same origin.

    bad server (without a fault), parts of 333 ms  ──  a cache  ──  viewers of `heldviewers`

Once more with media, at our edge alone: parts of a second of 1 Mbit/s, and each viewer loads them too.

The delay is from when a part is due at the origin to the last byte of the playlist with it in a viewer's socket, by the
kernel's stamp: that the viewers' process is slow to take it does not count, and is shown beside it as "behind". Origin
and cache share one core, the viewers have the other.
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

from headwater.loadtest.results.collector import BUSY_CORES

from . import caches
from .delay import Delay
from .drive import BadPeer
from .edge import EdgeNode
from .heldviewers import JOINS_PER_S, SETTLE_S, Found, Job
from .load import CLIENT_CORE, SERVER_CORE
from .processes import children, cpu_seconds, fetched, pinned

PART_MS, PARTS = 333, 4
PLAYLIST = "/live/bad/sd/index.m3u8"
MEDIA_PART_MS, MEDIA_PART_BYTES = 1_000, 125_000
MEDIA_PLAYLIST = "/live/bad/hd/index.m3u8"
"""The rendition whose parts have all of the bytes."""
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
        port = _origin(folder, ("--part-ms", str(PART_MS), "--parts", str(PARTS)), stack)
        for name, make in (("nginx", caches.nginx), ("Varnish", caches.varnish)):
            cache = make(port, folder / name, core=SERVER_CORE, health=PLAYLIST)
            try:
                for count in audiences:
                    yield _watched(folder, name, cache.url(PLAYLIST), cache.processes(), count, seconds)
            finally:
                cache.stop()
        edge = _edge(folder, port, stack)
        for count in audiences:
            yield _watched(folder, "Headwater edge", edge.base + PLAYLIST, _processes(edge), count, seconds)


def with_media(folder: Path, *, viewers: int, seconds: float) -> Held:
    """Our edge alone. Raises as `measure`."""
    with ExitStack() as stack:
        shape = ("--part-ms", str(MEDIA_PART_MS), "--parts", "2", "--part-bytes", str(MEDIA_PART_BYTES))
        edge = _edge(folder, _origin(folder, shape, stack), stack)
        url = edge.base + MEDIA_PLAYLIST
        return _watched(folder, "Headwater edge", url, _processes(edge), viewers, seconds, media=True)


def _origin(folder: Path, shape: tuple[str, ...], stack: ExitStack) -> int:
    """Its port."""
    server = BadPeer(folder / "bad", shape, SERVER_CORE).start()
    stack.callback(server.stop)
    port = urlsplit(server.url).port
    assert port is not None  # it listens
    return port


def _edge(folder: Path, origin: int, stack: ExitStack) -> EdgeNode:
    edge = EdgeNode(folder / "edge", "edge", {"origin": f"http://127.0.0.1:{origin}"}, core=SERVER_CORE)
    stack.callback(edge.peer.stop)
    return edge


def _processes(edge: EdgeNode) -> list[int]:
    return [edge.peer.pid, *children(edge.peer.pid)]


def _watched(
    folder: Path, name: str, url: str, pids: list[int], viewers: int, seconds: float, *, media: bool = False
) -> Held:
    if fetched(url, 10)[0] != 200:
        raise RuntimeError(f"{name} has no playlist")
    path = folder / "viewers.json"
    part_ms, parts = (MEDIA_PART_MS, 2) if media else (PART_MS, PARTS)
    path.write_text(json.dumps(asdict(Job(url, parts, part_ms / 1_000, viewers, seconds, media))))
    before = sum(map(cpu_seconds, pids))
    lasts_s = viewers / JOINS_PER_S + SETTLE_S + seconds
    ended = subprocess.run(
        [*pinned(CLIENT_CORE), sys.executable, "-m", f"{__package__}.heldviewers", str(path)],
        stdout=subprocess.PIPE, text=True, check=True, timeout=2 * lasts_s + START_S,
    )  # fmt: skip
    cpu = (sum(map(cpu_seconds, pids)) - before) / lasts_s
    found = json.loads(ended.stdout)
    for kind in ("playlists", "parts", "behind"):
        found[kind] = found[kind] and Delay(**found[kind])
    return Held(name, viewers, seconds, Found(**found), cpu)


def report(found: list[Held]) -> list[str]:
    """Lines of Markdown."""
    lines = [
        "| viewers | cache | delay p50 / p99 / most, ms | updates that came, of those due | errors | CPU, cores "
        "| client, cores | client behind p50 / p99 / most, ms |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in found:
        came = 100 * one.found.playlists.parts * PART_MS / 1_000 / (one.viewers * one.seconds)
        shown = (
            one.viewers, one.name, _delays(one, one.found.playlists), f"{came:.0f} %", one.found.errors,
            f"{one.cpu:.2f}", f"{one.found.cpu:.2f}", _ms(one.found.behind),
        )  # fmt: skip
        lines.append("| " + " | ".join(map(str, shown)) + " |")
    return lines


def media_report(one: Held) -> list[str]:
    """Lines of Markdown."""
    delays = [_delays(one, found) for found in (one.found.playlists, one.found.parts)]
    shown = (
        one.viewers, *delays, one.found.late, one.found.errors, f"{one.cpu:.2f}", f"{one.found.cpu:.2f}",
        _ms(one.found.behind),
    )  # fmt: skip
    return [
        "| viewers | playlist p50 / p99 / most, ms | part p50 / p99 / most, ms | late parts | errors | CPU, cores "
        "| client, cores | client behind p50 / p99 / most, ms |",
        "|---|---|---|---|---|---|---|---|",
        "| " + " | ".join(map(str, shown)) + " |",
    ]


def _delays(one: Held, delay: Delay | None) -> str:
    """p50 / p99 / most, ms; `?` where the client was so busy that it asks late, too."""
    return "-" if delay is None else _ms(delay, "?" if one.found.cpu > BUSY_CORES else "")


def _ms(delay: Delay, mark: str = "") -> str:
    return " / ".join(f"{ms:.0f}{mark}" for ms in (delay.p50_ms, delay.p99_ms, delay.worst_ms))
