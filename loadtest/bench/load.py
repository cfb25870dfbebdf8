"""What one core of the load harness drives, and our edge beside nginx and Varnish as caches of our origin.

The server has one core and the generator the other, so neither takes the other's time.

    capacity    the bad server in its good mode: parts of a second, exactly in time
    compare     one stream of our origin through each cache, the same viewers at each
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from headwater.loadtest.records import ClockOffset, Count, Mode, Timing, ViewerClass
from headwater.loadtest.results.figures import LAG_SHARE, Figures

from . import caches
from .drive import BadPeer, arrivals, drive
from .ingest import publishers
from .metrics import total
from .processes import FFMPEG, children, cpu_seconds, pin
from .server import Headwater

SERVER_CORE, CLIENT_CORE = 0, 1
QUIET_S = 2.0
"""Before the first viewer: what the generator weighs alone."""
SETTLE_S = 8.0
"""After the last viewer came, before figures count: start-up is over."""
FILL_S = 15.0
"""After the stream is there, until its window covers every hold-back."""
STREAM = "bench0"
ORIGIN = "the origin alone"
FEW = 20
"""Viewers of the origin alone: they show its own delay and no load."""
JOINS_PER_S = 500
SHIFTED = ClockOffset(0.5, 0.0, "given")
"""Frames of a stream are dated by when the first one came, so parts may come before their date. Half a second more
shows on all delays alike, and none is cut off at zero."""
SOURCE = (
    *("-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30", "-f", "lavfi", "-i", "sine=sample_rate=48000"),
    *("-t", "20", "-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "60"),
    *("-b:v", "800k", "-minrate", "800k", "-maxrate", "800k", "-bufsize", "800k", "-x264-params", "nal-hrd=cbr"),
    *("-c:a", "aac", "-b:a", "64k"),
)
"""Why so small: a thousand viewers of 6 Mbit/s are more than loopback and one core of client can carry."""


@dataclass(frozen=True)
class Capacity:
    """Of the time when all viewers were there."""

    viewers: int
    figures: Figures
    invalid: tuple[str, ...]
    """Reasons why the generator was the bottleneck; empty: it was not."""
    viewer_kib: float
    """Growth of the generator's resident memory per viewer."""
    server_cpu: float
    """Of the bad server, cores."""


def capacity(folder: Path, *, viewers: int, seconds: float, audio: bool) -> Capacity:
    """One generator process with `viewers` of the hls.js kind at parts of 1 s; with `audio` at two renditions each."""
    server = BadPeer(folder / "bad", ("--part-ms", "1000", "--part-bytes", "4000"), SERVER_CORE).start()
    ramp_s = viewers / 1_000
    start = QUIET_S + ramp_s + SETTLE_S
    cpu: list[tuple[float, float]] = []
    try:
        assert server.peer is not None  # it was started
        pid = server.peer.pid
        viewer = ViewerClass(mode=Mode.HLSJS, audio=audio)
        found = drive(
            server.url,
            arrivals(viewer, viewers, start_s=QUIET_S, over_s=ramp_s),
            folder / "generator",
            seconds=start + seconds,
            core=CLIENT_CORE,
            during=lambda _, second: cpu.append((second, cpu_seconds(pid))),
        )
    finally:
        server.stop()
    grown = found.resident_at(start + seconds) - found.resident_at(QUIET_S)
    return Capacity(
        viewers, found.figures(start, start + seconds), found.invalid, grown / viewers / 1024,
        _rate(cpu, start, start + seconds),
    )  # fmt: skip


@dataclass(frozen=True)
class Compared:
    """One cache under the viewers."""

    name: str
    figures: Figures
    invalid: tuple[str, ...]
    requests_per_part: float
    """Answers of the origin for each part that it published."""
    cpu: float
    """Of the cache's processes, cores."""


def compare(folder: Path, *, viewers: int, seconds: float, audio: bool = True) -> Iterator[Compared]:
    """The origin alone, then nginx, Varnish and our edge before it, one after the other, all with the same stream.
    Viewers follow the video, and with `audio` its other rendition too.

    Our edge is the last one, because it follows a stream for a while after its viewers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "360p30.mp4"
    subprocess.run([FFMPEG, "-v", "error", "-y", *SOURCE, str(source)], check=True, timeout=300)
    server = Headwater(folder / "server").start()
    try:
        pin(server.pid, SERVER_CORE)
        with publishers(source, server.rtmp, 1, folder):
            server.wait_playable(STREAM)
            time.sleep(FILL_S)
            run = _Run(server, folder, seconds, ViewerClass(audio=audio))
            port = server.ports["origin"]
            yield run.watched(ORIGIN, server.url("", at="origin"), [server.pid], viewers=FEW)
            for name, make in (("nginx", caches.nginx), ("Varnish", caches.varnish)):
                cache = make(port, folder / name, core=SERVER_CORE)
                try:
                    yield run.watched(name, cache.url(""), cache.processes(), viewers=viewers)
                finally:
                    cache.stop()
            yield run.watched("Headwater edge", server.url(""), children(server.pid), viewers=viewers)
    finally:
        server.stop()


@dataclass(frozen=True)
class _Run:
    server: Headwater
    folder: Path
    seconds: float
    viewer: ViewerClass

    def watched(self, name: str, base: str, processes: list[int], *, viewers: int) -> Compared:
        """The viewers at one address."""
        start = viewers / JOINS_PER_S + SETTLE_S
        cpu: list[tuple[float, float]] = []
        upstream: list[tuple[float, float, float]] = []

        def look(_: int, second: float) -> None:
            if upstream and second < upstream[-1][0] + 1:  # the origin's metrics cost it time
                return
            cpu.append((second, sum(map(cpu_seconds, processes))))
            text = self.server.metrics()
            answers, parts = (total(text, f"headwater_origin_{what}_total") for what in ("responses", "parts"))
            upstream.append((second, answers, parts))

        found = drive(
            f"{base}/live/{STREAM}/index.m3u8", arrivals(self.viewer, viewers, over_s=viewers / JOINS_PER_S),
            self.folder / f"generator-{name.split()[0]}", seconds=start + self.seconds, core=CLIENT_CORE, clock=SHIFTED,
            during=look,
        )  # fmt: skip
        inside = [row for row in upstream if start <= row[0] <= start + self.seconds]
        (_, asked, made), (_, answered, published) = inside[0], inside[-1]
        per_part = (answered - asked) / max(1.0, published - made)
        figures = found.figures(start, start + self.seconds)
        return Compared(name, figures, found.invalid, per_part, _rate(cpu, start, start + self.seconds))


def _rate(samples: list[tuple[float, float]], start: float, end: float) -> float:
    """Growth per second of what was sampled in a span."""
    inside = [sample for sample in samples if start <= sample[0] <= end]
    (first, before), (last, after) = inside[0], inside[-1]
    return (after - before) / (last - first)


def capacity_report(found: Capacity) -> list[str]:
    """Lines of Markdown."""
    figures = found.figures
    requests = figures.count(Count.PARTS) + figures.count(Count.PLAYLISTS)
    lags = figures.lags
    rows = [
        ("viewers", f"{figures.viewers}"),
        ("requests per second", f"{requests / figures.seconds:.0f}"),
        ("generator's CPU, busiest second, cores", f"{figures.cpu:.2f}"),
        ("generator's lag, p99 of the worst second, ms", f"{lags.p99[-1] / 1e3:.1f}"),
        ("generator's lag, worst, ms", f"{lags.largest[-1] / 1e3:.1f}"),
        ("memory per viewer, KiB", f"{found.viewer_kib:.1f}"),
        ("server's CPU, cores", f"{found.server_cpu:.2f}"),
        *((f"{timing} delay p50 / p99, ms", delays(figures, timing)) for timing in (Timing.PART, Timing.PLAYLIST)),
        (
            "stalls, fatal, errors",
            f"{_count(figures, Count.STALLS)}, {_count(figures, Count.FATAL)}, {_errors(figures)}",
        ),
        ("valid", "no: " + "; ".join(found.invalid) if found.invalid else "yes"),
    ]
    return ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]


def compare_report(found: list[Compared]) -> list[str]:
    """Lines of Markdown. Delays are above the medians of the origin alone, which the encoder's dates are part of."""
    lines = [
        "| cache | part delay p50 / p99, ms | playlist delay p50 / p99, ms | stalls | errors "
        "| origin requests per part | CPU, cores | valid |",
        "|---|---|---|---|---|---|---|---|",
    ]
    alone = next(one.figures for one in found if one.name == ORIGIN)
    base = {timing: alone.percentile_us(timing, 50) or 0 for timing in (Timing.PART, Timing.PLAYLIST)}
    for one in found:
        figures = one.figures
        shown = (
            one.name,
            *(delays(figures, timing, base[timing]) for timing in base),
            _count(figures, Count.STALLS),
            _errors(figures),
            f"{one.requests_per_part:.2f}",
            f"{one.cpu:.2f}",
            "no: " + "; ".join(one.invalid) if one.invalid else "yes",
        )
        lines.append("| " + " | ".join(map(str, shown)) + " |")
    return lines


def delays(figures: Figures, timing: Timing, base_us: int = 0) -> str:
    """p50 / p99 above `base_us`; `?` behind what the generator's own lag may have made."""
    shown = []
    for percent in (50, 99):
        value = figures.percentile_us(timing, percent)
        if value is None:
            shown.append("-")
            continue
        above = value - base_us
        holds = figures.lags.at(percent) <= LAG_SHARE * above
        shown.append(f"{above / 1e3:.1f}" + ("" if holds else "?"))
    return " / ".join(shown)


def _count(figures: Figures, name: Count) -> str:
    return str(figures.count(name))


def _errors(figures: Figures) -> str:
    return "0" if not figures.errors else ", ".join(f"{n} {kind}" for kind, n in sorted(figures.errors.items()))


def machine() -> str:
    """One line about the peers."""
    said = subprocess.run([caches.NGINX, "-v"], capture_output=True, text=True, check=True).stderr.strip()
    other = subprocess.run([caches.VARNISH, "-V"], capture_output=True, text=True, check=True).stderr.splitlines()[0]
    return f"{said}; {other}"
