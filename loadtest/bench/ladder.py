"""The ladder 1080p30 at 6 Mbit/s -> 720p, 480p, 360p (veryfast): cost, quality, delay and start-up, beside ffmpeg.

One run. First our server alone, with ffmpeg pushing in real time: clients of the edge keep every part of the source
and of the rungs. Then ffmpeg alone, in real time, with the same settings, from the very pictures that were kept. So
both made the same frames, with keyframes at the same ones, and their files are compared with the same source.

    cost       CPU seconds per second of media: what the kernel counted for our worker process and its children, and
               for ffmpeg; what the origin process took on top of passthrough is told apart
    quality    SSIM and PSNR of each rung, both against the source scaled to its size
    delay      from the source's part at a client to the rung's part with the same end at the same client
    start-up   from the first keyframe in the socket to the first part of a rung at a client
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .capture import Heard, added_delays, common, listen, misalignment_s, percentile
from .delay import push
from .ingest import publishers
from .ladder_peer import RUNGS, SEGMENT_S, Made, make
from .processes import children, cpu_seconds, resident_bytes, wait_until
from .quality import Quality, compare
from .server import Headwater

STREAM = "bench0"
FPS = 30
WARM_S = 10
SETTLE_S = 4.0
"""Left out of the comparison: ffmpeg's rate control begins there, ours has been running."""

DISTURBED = ("level_changes_total", "level", "skips_total", "frames_dropped_total", "frames_duplicated_total",
             "holes_total", "decode_errors_total")  # fmt: skip
"""Metrics of a ladder that was too slow, or had to mend something: then the figures are not of the job."""

ENCODE = "[ingest.encode]\nenabled = true\n[ingest.encode.thumbnails]\ninterval_s = {thumbnails}\n"


def settings(*, thumbnails_s: float = 0) -> str:
    """The ladder's part of `headwater.toml`. Without thumbnails both sides do the same work."""
    return ENCODE.format(thumbnails=thumbnails_s) + "".join(rung.toml for rung in RUNGS)


@dataclass
class Ours:
    """What our server did over `media_s` seconds."""

    heard: Mapping[str, Heard]
    worker_cpu_s: float
    origin_cpu_s: float
    resident_mib: float
    """Of the worker, at the end."""
    media_s: float
    disturbed: dict[str, float]
    """What an undisturbed ladder has none of: metric (without its prefix) -> how much it grew meanwhile, or is."""


@dataclass
class Compared:
    """All figures of one run."""

    ours: Ours
    peer: Made
    quality: dict[str, tuple[Quality, Quality]] = field(default_factory=dict)
    """Per rung: ours, ffmpeg's."""
    delays: dict[str, list[float]] = field(default_factory=dict)
    """Per rung, seconds, sorted."""
    start: dict[str, float] = field(default_factory=dict)
    """Per rendition, seconds."""


def workers(server: Headwater) -> list[int]:
    """Process ids of the encoder processes of `server`, and of their children."""
    found, waiting = [], children(server.pid)
    while waiting:
        pid = waiting.pop()
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
            waiting += children(pid)
        except OSError:  # it is gone
            continue
        if "encode" in words:
            found.append(pid)
    return found


def _cpu(pids: list[int]) -> float:
    return sum(cpu_seconds(pid) for pid in pids)


def ours(source: Path, folder: Path, *, seconds: float) -> Ours:
    """Run our server; RuntimeError when its worker was replaced meanwhile."""
    server = Headwater(folder / "ladder", extra=settings()).start()
    names = ["source", *(rung.name for rung in RUNGS)]
    try:
        with publishers(source, server.rtmp, 1, folder):
            server.wait_playable(STREAM)
            wait_until(lambda: offered(server) >= {*names}, timeout_s=30, what="every rung is offered")
            time.sleep(WARM_S)
            pids = workers(server)
            before, origin, began = _cpu(pids), cpu_seconds(server.pid), time.monotonic()
            counted = _counted(server)
            heard = asyncio.run(listen(server.url(f"/live/{STREAM}/"), names, seconds))
            if workers(server) != pids:
                raise RuntimeError("the worker was replaced while it was measured")
            return Ours(
                heard,
                worker_cpu_s=_cpu(pids) - before,
                origin_cpu_s=cpu_seconds(server.pid) - origin,
                resident_mib=sum(resident_bytes(pid) for pid in pids) / (1 << 20),
                media_s=time.monotonic() - began,
                disturbed=_disturbed(counted, _counted(server)),
            )
    finally:
        server.stop()


def _counted(server: Headwater) -> dict[str, float]:
    return {name: server.metric(f"headwater_encode_{name}") for name in DISTURBED}


def _disturbed(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """The level counts as it is: one that was given up before is no better."""
    return {name: after[name] - (0 if name == "level" else before[name]) for name in DISTURBED}


def offered(server: Headwater, stream: str = STREAM) -> set[str]:
    """Renditions that the multivariant playlist names."""
    status, body = server.get(f"/live/{stream}/index.m3u8")
    lines = body.decode().splitlines() if status == 200 else []
    return {line.split("/")[0] for line in lines if line.endswith("/index.m3u8")}


def start_up(source: Path, folder: Path) -> dict[str, float]:
    """Seconds from the first packet, a keyframe, in the socket to the first part of each rendition at a client."""
    server = Headwater(folder / "start", extra=settings(), first_playlist_s=0).start()
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    process = context.Process(target=push, args=(str(source), server.rtmp(STREAM), 8.0, theirs))
    try:
        process.start()
        names = ["source", *(rung.name for rung in RUNGS)]
        arrived = asyncio.run(_first_parts(server, names))
        if not mine.poll(30):
            raise TimeoutError("the publisher did not end")
        began = mine.recv()[0][1]
        return {name: at - began for name, at in arrived.items()}
    finally:
        process.join(5)
        process.kill()
        server.stop()


async def _first_parts(server: Headwater, names: list[str]) -> dict[str, float]:
    async def one(name: str) -> float:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            # Held while the stream starts; 404 before anybody publishes it, which an edge would remember for a while.
            status, body = await asyncio.to_thread(server.get, f"/live/{STREAM}/{name}/index.m3u8", at="origin")
            parts = [line for line in body.decode().splitlines() if line.startswith("#EXT-X-PART:")]
            if status == 200 and any("GAP=YES" not in line for line in parts):
                return time.monotonic()
            await asyncio.sleep(0.01)
        raise TimeoutError(f"{name} never had a part")

    found = await asyncio.gather(*(one(name) for name in names))
    return dict(zip(names, found, strict=True))


def measure(source: Path, folder: Path, *, seconds: float, threads: int) -> Compared:
    """The whole comparison. `threads`: of each encoder, on both sides."""
    mine = ours(source, folder, seconds=seconds)
    msns = common(mine.heard)
    if len(msns) * SEGMENT_S < SETTLE_S + 2 * SEGMENT_S:
        raise RuntimeError(f"only {len(msns)} segments came whole in every rendition; {mine.disturbed}")
    first, last = msns[0], msns[-1]
    if msns != list(range(first, last + 1)):
        raise RuntimeError(f"segments are missing: {msns}")
    reference = mine.heard["source"].save(folder / "kept-source.mp4", msns)
    media_s = mine.heard["source"].whole()[last][-1].end - mine.heard["source"].whole()[first][0].start
    peer = make(reference, folder, media_s=media_s, threads=threads)
    found = Compared(mine, peer)
    for rung in RUNGS:
        kept = mine.heard[rung.name].save(folder / f"kept-{rung.name}.mp4", msns)
        pair = [
            compare(
                path,
                reference,
                size=(rung.width, rung.height),
                fps=FPS,
                seconds=media_s - SETTLE_S,
                skip_s=SETTLE_S,
            )
            for path in (kept, peer.files[rung.name])
        ]
        found.quality[rung.name] = (pair[0], pair[1])
        found.delays[rung.name] = added_delays(mine.heard["source"], mine.heard[rung.name])
    found.start = start_up(source, folder)
    return found


def report(found: Compared) -> list[str]:
    """The tables, in Markdown."""
    mine, peer = found.ours, found.peer
    ours_cost, peer_cost = mine.worker_cpu_s / mine.media_s, peer.cpu_s / peer.media_s
    frames = {name: sum(part.frames for part in one.parts) for name, one in mine.heard.items()}
    lines = [
        f"\nLadder 1080p30 at 6 Mbit/s -> {', '.join(rung.name for rung in RUNGS)} (libx264 veryfast), "
        f"{mine.media_s:.0f} s\n",
        "| | CPU seconds per media second | resident memory, MiB |",
        "|---|---|---|",
        f"| Headwater's worker | {ours_cost:.3f} | {mine.resident_mib:.0f} |",
        f"| ffmpeg, same encoders and settings | {peer_cost:.3f} | |",
        f"| ratio | {ours_cost / peer_cost:.2f} | |",
        f"| Headwater's origin process beside it | {mine.origin_cpu_s / mine.media_s:.3f} | |",
        "\n| rung | kbit/s, ours | ffmpeg's | SSIM, ours, dB | ffmpeg's | difference | PSNR, ours, dB | ffmpeg's "
        "| difference |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, (a, b) in found.quality.items():
        lines.append(
            f"| {name} | {a.bitrate / 1e3:.0f} | {b.bitrate / 1e3:.0f} | {a.ssim_db:.2f} | {b.ssim_db:.2f} "
            f"| {a.ssim_db - b.ssim_db:+.2f} | {a.psnr_db:.2f} | {b.psnr_db:.2f} | {a.psnr_db - b.psnr_db:+.2f} |"
        )
    lines += ["\n| rung | parts | added delay p50, ms | p99, ms | first part after the first keyframe, s |"]
    lines += ["|---|---|---|---|---|"]
    lines.append(f"| source | | | | {found.start['source']:.2f} |")
    for name, delays in found.delays.items():
        p50, p99 = percentile(delays, 0.5), percentile(delays, 0.99)
        lines.append(f"| {name} | {len(delays)} | {1e3 * p50:.1f} | {1e3 * p99:.1f} | {found.start[name]:.2f} |")
    lines += [
        f"\nDISTURBED: {name} {count:g}: the machine has too much to do; this is not the whole job."
        for name, count in mine.disturbed.items()
        if count
    ]
    lines.append(f"\nFrames heard: {frames}.")
    lines.append(f"\nBoundaries of all renditions differ by at most {1e3 * misalignment_s(mine.heard):.1f} ms.")
    return lines
