"""The servers of the chain, its publisher, and the supervisor that starts again what was killed.

    ffmpeg ─┬─ RTMP ─> primary ─┐
            └─ RTMP ─> second ──┴─> shield ─┬─> leaf-1 (two workers)
                                            └─> leaf-2 (two workers)

One ffmpeg publishes each stream to both and connects again to whichever it lost. Each origin dates what it gets by its
own clock, so names and numbers of the two differ: the harder case of ADR 15. A leaf asks the shield, and the origins
where that is gone: what comes later in a tier's order has a thousandth of the weight.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from .chainreport import NodeLook
from .edge import EdgeNode
from .metrics import samples, total
from .processes import FFMPEG, PeerEnded, running, wait_until
from .server import Headwater

STREAM = "chain"
PICTURE = "chain-picture"
"""The same without sound: half the requests of a player, and half the processor."""
STREAMS = {STREAM: "", PICTURE: "select=v:"}
"""With what ffmpeg's tee picks of the source for each."""
PINS = f"pins = {[f'/live/{name}/index.m3u8' for name in STREAMS]}"
RESTART_S = 1.0
"""From a kill to the next start: RestartSec of deploy/headwater.service."""
WEIGHTS = {"shield": 1_000.0, "primary": 1.0, "second": 0.001}
WORKERS = 2
SOURCE = (
    *("-f", "lavfi", "-i", "testsrc2=size=128x72:rate=10", "-f", "lavfi", "-i", "sine=sample_rate=16000"),
    *("-t", "60", "-pix_fmt", "yuv420p", "-c:v", "libx264", "-profile:v", "baseline", "-preset", "veryfast"),
    *("-tune", "zerolatency", "-g", "20", "-b:v", "40k", "-maxrate", "40k", "-bufsize", "40k"),
    *("-c:a", "aac", "-b:a", "24k"),
)
"""Why so small: many players decode it on the cores that serve it. Kept as Matroska: a tag of MP4 would stop ffmpeg
when it opens an output again."""
PARTS = {"HEADWATER_ORIGIN__PART_TARGET_MS": "1050"}
"""Why: viewers ask half as often as with the default of 520 ms. Two thousand of them are a core, with what serves
them. And 50 ms above a second: frames of sound do not fill a second exactly, and each segment would have a third part
for the one that is over."""
FIFO = "attempt_recovery=1:recover_any_error=1:recovery_wait_time=1:restart_with_keyframe=1:drop_pkts_on_overflow=1"
"""Of ffmpeg's fifo: an output that is lost is opened again after a second, and begins with a keyframe."""


class Chain:
    """Made by `chain`. `primary` and `second` are origins, `leaves` two edges."""

    def __init__(self, folder: Path) -> None:
        self.primary = Headwater(folder / "primary", role="origin", env=PARTS)
        self.second = Headwater(folder / "second", role="origin", env=PARTS)
        self.shield: EdgeNode
        self.leaves: tuple[EdgeNode, ...] = ()
        self.restarts: dict[str, Future[float]] = {}
        """What the supervisor has started again: seconds from the kill until it was ready."""
        self._folder = folder
        self._supervisor: ThreadPoolExecutor

    @property
    def nodes(self) -> dict[str, EdgeNode]:
        """The edges by name."""
        return {"leaf-1": self.leaves[0], "leaf-2": self.leaves[1], "shield": self.shield}

    def start(self, stack: contextlib.ExitStack) -> None:
        """Start it all; `stack` ends it. Raises TimeoutError or PeerEnded."""
        for origin in (self.primary, self.second):
            stack.callback(_end, origin)
            origin.start()
        origins = {"primary": self.primary.url("", at="origin"), "second": self.second.url("", at="origin")}
        push = stack.enter_context(running(self._push(), self._folder / "ffmpeg.log"))
        for origin in (self.primary, self.second):
            for stream in STREAMS:
                origin.wait_playable(stream)
        folder = self._folder
        self.shield = EdgeNode(folder, "shield", origins, weights=WEIGHTS, own=PINS)
        stack.callback(lambda: self.shield.peer.kill())
        for name in ("leaf-1", "leaf-2"):
            upstreams = {"shield": self.shield.base, **origins}
            leaf = EdgeNode(folder, name, upstreams, weights=WEIGHTS, own=PINS, workers=WORKERS)
            stack.callback(leaf.peer.kill)
            self.leaves += (leaf,)
            wait_until(leaf.whole, timeout_s=90, what=f"{name} is whole", peer=leaf.peer)
        self._supervisor = stack.enter_context(ThreadPoolExecutor(2))
        stack.push(lambda *_: _still_there(push.returncode, push.log))

    def _push(self) -> list[str]:
        source = self._folder / "72p10.mkv"
        subprocess.run([FFMPEG, "-v", "error", "-y", *SOURCE, str(source)], check=True, timeout=120)
        outputs = "|".join(
            f"[{picks}f=flv:onfail=ignore]{origin.rtmp(stream)}"
            for origin in (self.primary, self.second)
            for stream, picks in STREAMS.items()
        )
        command = [FFMPEG, "-hide_banner", "-v", "warning", "-re", "-stream_loop", "-1", "-i", str(source)]
        command += ["-map", "0", "-c", "copy", "-flags", "+global_header"]
        return [*command, "-f", "tee", "-use_fifo", "1", "-fifo_options", FIFO, outputs]

    # -- blows

    def kill_worker(self) -> None:
        """SIGKILL of a process of leaf-1 that serves viewers."""
        pids = [pid for name, pid in self.leaves[0].processes().items() if name.isdigit()]
        if not pids:
            raise RuntimeError("no worker of leaf-1 is ready")
        os.kill(pids[0], signal.SIGKILL)

    def kill_shield(self) -> None:
        """SIGKILL of the shield; it is started again."""
        self.shield.peer.kill()
        self._again("shield", self.shield.restart)

    def kill_primary(self) -> None:
        """SIGKILL of the origin that is followed; it is started again with its state."""
        self.primary.kill()
        self._again("primary origin", self.primary.start)

    def _again(self, name: str, start: Callable[[], object]) -> None:
        killed = time.monotonic()

        def restart() -> float:
            time.sleep(RESTART_S)
            start()
            return time.monotonic() - killed

        self.restarts[name] = self._supervisor.submit(restart)

    # -- figures

    def look(self) -> dict[str, NodeLook]:
        """Of the edges that run."""
        found = {}
        for name, node in self.nodes.items():
            with contextlib.suppress(RuntimeError):  # it is away
                found[name] = _node_look(node.metrics())
        return found

    def parts(self) -> float:
        """That the second origin, which nobody kills, has published."""
        return self.second.metric("headwater_origin_parts_total")


@contextlib.contextmanager
def chain(folder: Path) -> Iterator[Chain]:
    """All of it for the length of a `with` block. Raises TimeoutError, PeerEnded when one does not start or ends."""
    folder.mkdir(parents=True, exist_ok=True)
    found = Chain(folder)
    with contextlib.ExitStack() as stack:
        found.start(stack)
        yield found


def connections(leaf: EdgeNode) -> int:
    """Of viewers, at all its workers."""
    text = leaf.metrics()
    return round(sum(total(text, "headwater_edge_connections", worker=str(n)) for n in range(WORKERS)))


def _end(origin: Headwater) -> None:
    if origin.peer is not None:
        origin.kill()


def _still_there(code: int | None, log: Path) -> None:
    if code is not None:
        raise PeerEnded(f"the publisher ended with {code}: {log.read_text()[-500:]}")


def _node_look(text: str) -> NodeLook:
    def of_node(name: str) -> list[tuple[dict[str, str], float]]:
        found = samples(text, name)  # a process of its own where there are workers; only it asks upstreams
        return [(one.labels, one.value) for one in found if one.labels.get("worker", "node") == "node"]

    asked: dict[str, float] = {}
    for labels, value in of_node("headwater_edge_upstream_requests_total"):  # by result, too
        asked[labels["upstream"]] = asked.get(labels["upstream"], 0.0) + value
    fetches = of_node("headwater_edge_upstream_fetches_total")
    return NodeLook(sum(value for labels, value in fetches if labels["purpose"] != "probe"), asked)
