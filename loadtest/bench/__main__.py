"""`python -m headwater.loadtest.bench [ingest|delay|ladder|srt|soak|…|all]`: a Markdown table per benchmark."""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from . import chain, delay, held, hits, http2, ingest, ladder, ladder_soak, load, node, prometheus, soak, srt, srt_watch


def _ingest(folder: Path, arguments: argparse.Namespace) -> int:
    source = ingest.encode_source(folder)
    count, warm_s, seconds = arguments.streams, arguments.warm, arguments.seconds
    peer = ingest.nginx(source, folder, count=count, warm_s=min(warm_s, 15), seconds=seconds)
    ours = ingest.headwater(source, folder, count=count, warm_s=warm_s, seconds=seconds)
    print(
        f"\n{count} passthrough streams of 1080p30 at 6 Mbit/s + AAC, {seconds:.0f} s measured after {warm_s:.0f} s\n"
    )
    print("| server | CPU per stream, % of a core | resident memory per stream, MiB |")
    print("|---|---|---|")
    print(f"| Headwater (LL-HLS, media in memory) | {ours.cpu_percent:.2f} | {ours.resident_mib:.0f} |")
    print(f"| nginx-rtmp (HLS, media in files) | {peer.cpu_percent:.2f} | {peer.resident_mib:.1f} |")
    print(f"| ratio | {ours.cpu_percent / peer.cpu_percent:.2f} | |")
    return 0


def _delay(folder: Path, arguments: argparse.Namespace) -> int:
    source = ingest.encode_source(folder)
    found = delay.measure(source, folder, seconds=arguments.seconds)
    print(f"\nDelay from the packet that closes a part to the part at a client of the edge, {found.parts} parts\n")
    print("| p50, ms | p99, ms | worst, ms |")
    print("|---|---|---|")
    print(f"| {found.p50_ms:.1f} | {found.p99_ms:.1f} | {found.worst_ms:.1f} |")
    return 0


def _soak(folder: Path, arguments: argparse.Namespace) -> int:
    source = ingest.encode_source(folder)
    found = soak.run(source, folder, seconds=arguments.soak_seconds, say=print)
    memory = found.memory_mib
    print(f"memory {memory[0]:.0f} MiB at the start, {max(memory):.0f} at most, {memory[-1]:.0f} at the end")
    for problem in found.problems[:20]:
        print(f"PROBLEM {problem}")
    return 1 if found.problems else 0


def _ladder(folder: Path, arguments: argparse.Namespace) -> int:
    source = ingest.encode_source(folder)
    found = ladder.measure(source, folder, seconds=arguments.seconds, threads=arguments.threads)
    for line in ladder.report(found):
        print(line)
    return 0


def _ladder_soak(folder: Path, arguments: argparse.Namespace) -> int:
    source = ingest.encode_source(folder)
    # On a disk: 5 Mbit/s for twenty minutes.
    with tempfile.TemporaryDirectory(prefix="headwater-soak-") as kept:
        found = ladder_soak.run(source, Path(kept), seconds=arguments.ladder_seconds, say=print)
    memory = found.memory_mib
    print(f"{found.parts} parts in {found.seconds:.0f} s, {found.cpu:.2f} cores, slowest {min(found.speeds):.2f}x")
    print(f"boundaries off by at most {found.misalignment_ms} ms; frames {found.frames}")
    print(f"encoder's memory {memory[0]:.0f} MiB at the start, {max(memory):.0f} at most, {memory[-1]:.0f} at the end")
    for problem in found.problems[:20]:
        print(f"PROBLEM {problem}")
    return 1 if found.problems else 0


HELD_VIEWERS = (1_000, 3_000)
COST_CALLERS = (4, 16, 28)
"""Of 8 Mbit/s. Why several: a process that sleeps between frames finds its caches cold, one with more to do not."""


def _srt(folder: Path, arguments: argparse.Namespace) -> int:
    crowd = srt.crowd(folder, count=arguments.callers, seconds=arguments.seconds)
    warm_s = min(arguments.warm, 15)
    costs = [srt.cost(folder, count=count, warm_s=warm_s, seconds=arguments.seconds) for count in COST_CALLERS]
    source = ingest.encode_source(folder)
    delays = {"RTMP": delay.measure(source, folder, seconds=arguments.seconds)}
    delays["SRT"] = srt.delay(source, folder, seconds=arguments.seconds)
    print(f"\n{crowd.callers} SRT callers of 2 Mbit/s, AES-256, followed for {arguments.seconds:.0f} s\n")
    print("| CPU, % of a core | parts followed | GAP parts | packets | lost on the way | given up | kernel drops |")
    print("|---|---|---|---|---|---|---|")
    shown = (
        f"{crowd.cpu_percent:.0f}",
        crowd.parts,
        crowd.gaps,
        crowd.packets,
        crowd.lost,
        crowd.dropped,
        crowd.kernel_drops,
    )
    print("| " + " | ".join(map(str, shown)) + " |")
    print("\nCPU per caller of 8 Mbit/s, % of a core\n")
    print("| callers | Headwater, SRT with AES-256 | Headwater, RTMP | srt-live-transmit, AES-256, to /dev/null |")
    print("|---|---|---|---|")
    for count, cost in zip(COST_CALLERS, costs, strict=True):
        print(f"| {count} | {cost.srt:.2f} | {cost.rtmp:.2f} | {cost.transmit:.2f} |")
    print("\nDelay from the last byte of the packet (RTMP), or its last datagram (SRT), to the part it closes\n")
    print("| protocol | parts | p50, ms | p99, ms | worst, ms |")
    print("|---|---|---|---|---|")
    for name, found in delays.items():
        print(f"| {name} | {found.parts} | {found.p50_ms:.1f} | {found.p99_ms:.1f} | {found.worst_ms:.1f} |")
    return 1 if crowd.gaps or crowd.dropped else 0


def _srt_soak(folder: Path, arguments: argparse.Namespace) -> int:
    found = srt_watch.run(folder, seconds=arguments.srt_seconds, ladder=True, say=print)
    print(f"{found.stalls} stalls, {found.latency_s:.1f} s behind live at the end; packets {found.packets}")
    worst = {name: 1e3 * max(values, key=abs) for name, values in
             (("content", found.content_s), ("picture", found.picture_s))}  # fmt: skip
    print(
        f"sound and picture at most {worst['content']:.0f} ms apart in the stream, {worst['picture']:.0f} on the page"
    )
    for problem in found.problems:
        print(f"PROBLEM {problem}")
    return 1 if found.problems else 0


def _load_capacity(folder: Path, arguments: argparse.Namespace) -> int:
    whole = arguments.viewers
    # As many requests either way: with audio a viewer follows two playlists.
    runs = [
        load.capacity(folder / "video", viewers=whole, seconds=arguments.seconds, audio=False),
        load.capacity(folder / "audio", viewers=whole // 2, seconds=arguments.seconds, audio=True),
    ]
    for found, what in zip(runs, ("video", "video and audio"), strict=True):
        print(f"\n{found.viewers} viewers of {what} from one generator process, parts of 1 s\n")
        print("\n".join(load.capacity_report(found)))
    return 1 if any(found.invalid for found in runs) else 0


def _load_compare(folder: Path, arguments: argparse.Namespace) -> int:
    viewers = arguments.cache_viewers
    audio = not arguments.video_only
    found = list(load.compare(folder / "compare", viewers=viewers, seconds=arguments.seconds, audio=audio))
    print(f"\n{viewers} viewers of one stream (800 kbit/s{' and AAC' if audio else ''}); {load.machine()}\n")
    print("\n".join(load.compare_report(found)))
    return 0


def _node(folder: Path, arguments: argparse.Namespace) -> int:
    found = node.measure(folder / "node", viewers=arguments.node_viewers, seconds=arguments.seconds)
    print("\nOne node of two workers, parts of a second, everything on two cores\n")
    print("\n".join(node.report(found)))
    return 1 if found.asked > found.parts + 1 else 0


def _held(folder: Path, arguments: argparse.Namespace) -> int:
    found = list(held.measure(folder / "held", audiences=HELD_VIEWERS, seconds=min(arguments.seconds, 20)))
    print(f"\nViewers who hold the next playlist, parts of {held.PART_MS} ms; {load.machine()}\n")
    print("\n".join(held.report(found)))
    loading = held.with_media(folder / "media", viewers=arguments.viewers, seconds=min(arguments.seconds, 20))
    print("\nViewers who load 1 Mbit/s as well, parts of a second, at our edge\n")
    print("\n".join(held.media_report(loading)))
    return 0


def _hits(folder: Path, arguments: argparse.Namespace) -> int:
    found = hits.measure(folder / "hits", seconds=min(arguments.seconds, 10))
    print(f"\nEverything in the cache, HTTP/1.1, {hits.CONNECTIONS} connections, one core each\n")
    print("\n".join(hits.report(found)))
    return 0


def _http2(folder: Path, arguments: argparse.Namespace) -> int:
    found = list(http2.measure(folder / "http2", seconds=min(arguments.seconds, 15)))
    print(f"\nTLS and HTTP/2, {http2.CONNECTIONS} connections, one core each\n")
    print("\n".join(http2.report(found)))
    return 0


def _prometheus_soak(folder: Path, arguments: argparse.Namespace) -> int:
    found = prometheus.run(folder, seconds=arguments.prometheus_seconds, say=print)
    print(f"{found.scrapes} scrapes, the slowest {found.slowest_s:.2f} s; {found.queries} dashboard queries")
    print(f"series at most: {found.series}")
    for problem in found.problems[:20]:
        print(f"PROBLEM {problem}")
    return 1 if found.problems else 0


def _chain(folder: Path, arguments: argparse.Namespace) -> int:
    players, sounding, viewers = arguments.players, arguments.sounding, arguments.chain_viewers
    found = chain.run(folder, players=players, sounding=sounding, viewers=viewers, say=print)
    print("\nTwo origins, shield, two leaves of two workers")
    print(f"{players} hls.js players, {sounding} of them with sound, {viewers} scripted viewers\n")
    print("\n".join([*found.lines, "", *found.notes]))
    for problem in found.problems[:20]:
        print(f"PROBLEM {problem}")
    return 1 if found.problems else 0


BENCHES: dict[str, Callable[[Path, argparse.Namespace], int]] = {
    "ingest": _ingest,
    "delay": _delay,
    "ladder": _ladder,
    "srt": _srt,
    "load-capacity": _load_capacity,
    "load-compare": _load_compare,
    "held": _held,
    "node": _node,
    "hits": _hits,
    "h2": _http2,
    "soak": _soak,
    "ladder-soak": _ladder_soak,
    "srt-soak": _srt_soak,
    "prometheus-soak": _prometheus_soak,
    "chain": _chain,
}


SHORT = ["ingest", "delay", "ladder", "srt", "load-capacity", "load-compare", "held", "node", "hits", "h2"]
"""What `all` are: the figures of docs/benchmarks.md; a soak, and the chain, are asked for by their names."""


def main() -> int:
    """Run the named benchmarks; exit code 1 when one of them found something broken."""
    parser = argparse.ArgumentParser(prog="headwater.loadtest.bench", description=__doc__)
    parser.add_argument("benches", nargs="*", default="all", choices=["all", *BENCHES])
    parser.add_argument("--streams", type=int, default=10, help="publishers at once (default 10)")
    parser.add_argument("--warm", type=float, default=150, help="seconds before measuring: the window fills (150)")
    parser.add_argument("--seconds", type=float, default=60, help="seconds measured (60)")
    parser.add_argument("--soak-seconds", type=float, default=1_800, help="length of the soak (1800)")
    parser.add_argument("--ladder-seconds", type=float, default=1_200, help="length of the ladder's soak (1200)")
    parser.add_argument("--srt-seconds", type=float, default=600, help="length of the soak of SRT (600)")
    parser.add_argument("--prometheus-seconds", type=float, default=600, help="length of prometheus-soak (600)")
    parser.add_argument("--callers", type=int, default=50, help="callers at once in `srt` (50)")
    parser.add_argument(
        "--viewers", type=int, default=8_000, help="viewers in `load-capacity`, and with media in `held` (8000)"
    )
    parser.add_argument("--cache-viewers", type=int, default=1_000, help="viewers in `load-compare` (1000)")
    parser.add_argument("--node-viewers", type=int, default=5_000, help="viewers in `node` (5000)")
    parser.add_argument("--video-only", action="store_true", help="no audio for the viewers in `load-compare`")
    parser.add_argument("--players", type=int, default=20, help="hls.js players in `chain` (20)")
    parser.add_argument("--sounding", type=int, default=8, help="those of them that have sound (8)")
    parser.add_argument("--chain-viewers", type=int, default=2_000, help="scripted viewers in `chain` (2000)")
    parser.add_argument("--threads", type=int, default=1, help="of each of ffmpeg's encoders in `ladder` (1)")
    arguments = parser.parse_args()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # a soak's progress is to be seen in a file, too
    asked = [arguments.benches] if isinstance(arguments.benches, str) else arguments.benches
    names = [name for one in asked for name in (SHORT if one == "all" else [one])]
    with tempfile.TemporaryDirectory(prefix="headwater-bench-", dir=_memory_folder()) as folder:
        return max(BENCHES[name](Path(folder), arguments) for name in names)


def _memory_folder() -> str | None:
    """A folder in memory where there is one, so that a disk is not what is measured."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


if __name__ == "__main__":
    sys.exit(main())
