"""A node of two workers under thousands of viewers: how often it asks its origin for a part, and what viewers see.

Viewers follow one small rendition in parts of a second, so that one generator drives them all. Nothing is pinned to a
core: two workers, their node, the origin and the generator share what there is.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from headwater.loadtest.records import Count, Timing, ViewerClass
from headwater.loadtest.results.figures import Figures

from .chainnodes import PARTS, WORKERS
from .chainnodes import SOURCE as SMALL
from .drive import arrivals, drive
from .edge import EdgeNode
from .ingest import publishers
from .load import JOINS_PER_S, SETTLE_S, STREAM, delays
from .metrics import total
from .processes import FFMPEG, children, cpu_seconds, wait_until
from .server import Headwater

MEDIA = ("object", "prefetch")
"""Purposes of upstream requests for media."""


@dataclass(frozen=True)
class Seen:
    """Of the time when all viewers were there."""

    figures: Figures
    invalid: tuple[str, ...]
    """Reasons why the generator was the bottleneck; empty: it was not."""
    parts: float
    """That the origin published of the rendition that is watched."""
    asked: float
    """Requests for parts, of the node at the origin."""
    cpu: float
    """Of all processes of the edge, cores."""


def measure(folder: Path, *, viewers: int, seconds: float) -> Seen:
    """Run it. Raises TimeoutError or PeerEnded when a process does not come up."""
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "144p15.mkv"
    subprocess.run([FFMPEG, "-v", "error", "-y", *SMALL, str(source)], check=True, timeout=120)
    origin = Headwater(folder / "origin", role="origin", env=PARTS).start()
    try:
        with publishers(source, origin.rtmp, 1, folder):
            origin.wait_playable(STREAM)
            edge = EdgeNode(folder, "edge", {"origin": origin.url("", at="origin")}, workers=WORKERS)
            try:
                wait_until(edge.whole, timeout_s=90, what="both workers", peer=edge.peer)
                return _watched(origin, edge, folder, viewers, seconds)
            finally:
                edge.peer.stop()
    finally:
        origin.stop()


def _watched(origin: Headwater, edge: EdgeNode, folder: Path, viewers: int, seconds: float) -> Seen:
    start = viewers / JOINS_PER_S + SETTLE_S
    looks: list[tuple[float, float, float, float]] = []

    def look(_: int, second: float) -> None:
        if looks and second < looks[-1][0] + 1:
            return
        busy = sum(map(cpu_seconds, children(edge.peer.pid)))
        published = origin.metric("headwater_origin_parts_total", rendition="source")
        looks.append((second, busy, published, _fetched(edge)))

    found = drive(
        f"{edge.base}/live/{STREAM}/index.m3u8",
        arrivals(ViewerClass(audio=False), viewers, over_s=viewers / JOINS_PER_S),
        folder / "generator",
        seconds=start + seconds,
        during=look,
    )
    inside = [one for one in looks if start <= one[0] <= start + seconds]
    (began, busy, published, asked), (ended, *last) = inside[0], inside[-1]
    return Seen(
        found.figures(start, start + seconds), found.invalid, last[1] - published, last[2] - asked,
        (last[0] - busy) / (ended - began),
    )  # fmt: skip


def _fetched(edge: EdgeNode) -> float:
    """Requests for media that the origin got: workers ask their node, and only that one asks it."""
    text = edge.metrics()
    name = "headwater_edge_upstream_fetches_total"
    return sum(total(text, name, worker="node", purpose=purpose) for purpose in MEDIA)


def report(seen: Seen) -> list[str]:
    """Lines of Markdown."""
    figures = seen.figures
    requests = figures.count(Count.PARTS) + figures.count(Count.PLAYLISTS)
    rows = [
        ("viewers", f"{figures.viewers}"),
        ("requests per second", f"{requests / figures.seconds:.0f}"),
        ("parts published", f"{seen.parts:.0f}"),
        ("requests for parts at the origin", f"{seen.asked:.0f}"),
        ("requests per part", f"{seen.asked / max(1.0, seen.parts):.2f}"),
        ("CPU of the edge, cores", f"{seen.cpu:.2f}"),
        *((f"{timing} delay p50 / p99, ms", delays(figures, timing)) for timing in (Timing.PART, Timing.PLAYLIST)),
        ("stalls, fatal", f"{figures.count(Count.STALLS)}, {figures.count(Count.FATAL)}"),
        ("valid", "no: " + "; ".join(seen.invalid) if seen.invalid else "yes"),
    ]
    return ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]
