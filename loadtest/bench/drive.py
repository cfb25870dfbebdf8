"""One generator process of the load harness, and the bad server, as children: for benchmarks and for the peer tests."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from headwater.loadtest import records_json
from headwater.loadtest.generator.plan import Arrival, GeneratorPlan
from headwater.loadtest.records import ClockOffset, PhaseSpan, Tick, ViewerClass
from headwater.loadtest.results.collector import bottlenecks
from headwater.loadtest.results.figures import Figures, figures_of

from .processes import Peer, pinned, resident_bytes, started

SAME_CLOCK = ClockOffset(0.0, 0.0, "given")
"""Server and generator are on one machine."""
START_S = 2.0
"""That the start of a generator takes at most."""
LOOK_S = 0.1
"""Between looks at it."""
GRACE_S = 20.0
"""Beyond its plan that a generator may take: start of the interpreter, and the last answers."""


@dataclass
class BadPeer:
    """A process of `headwater.loadtest.badserver`. `arguments`: as on its command line."""

    folder: Path
    arguments: tuple[str, ...] = ()
    core: int | None = None
    url: str = ""
    peer: Peer | None = None

    def start(self) -> BadPeer:
        """Start it and wait for its address; raises TimeoutError or PeerEnded."""
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [*pinned(self.core), sys.executable, "-m", "headwater.loadtest.badserver", *self.arguments]
        self.peer = started(
            command, self.folder / "badserver.log", lambda peer: peer.text().endswith("\n"),
            what="the bad server listens", timeout_s=20,
        )  # fmt: skip
        self.url = self.peer.text().strip()
        return self

    def told(self) -> dict[str, Any]:
        """What it says that it did."""
        with urllib.request.urlopen(urljoin(self.url, "/told"), timeout=10) as answer:
            told: dict[str, Any] = json.load(answer)
            return told

    def stop(self) -> int:
        """SIGTERM: the exit code."""
        if self.peer is None:
            raise RuntimeError("not started")
        return self.peer.stop()


def arrivals(viewer: ViewerClass, count: int, *, start_s: float = 0.0, over_s: float = 0.0) -> tuple[Arrival, ...]:
    """`count` viewers that come evenly over a time and stay."""
    return tuple(Arrival(start_s + over_s * n / count, viewer, None) for n in range(count))


@dataclass
class Drive:
    """What one generator process found."""

    seconds: float
    epoch: float
    """Unix time of second 0."""
    ticks: tuple[Tick, ...] = ()
    resident: list[tuple[float, int]] = field(default_factory=list)
    """(second of the run, bytes), ten times a second."""

    def figures(self, start: float = 0.0, end: float | None = None) -> Figures:
        """Of a span of the run; the whole of it by default."""
        return figures_of(PhaseSpan("span", start, self.seconds + 5 if end is None else end), self.ticks, ())

    @property
    def invalid(self) -> tuple[str, ...]:
        """Why the generator, not the server, made the figures."""
        return bottlenecks(self.ticks, self.seconds)

    def resident_at(self, second: float) -> int:
        """Bytes at the last look before that second."""
        return max(((at, size) for at, size in self.resident if at <= second), default=self.resident[0])[1]


def drive(
    url: str,
    comers: tuple[Arrival, ...],
    folder: Path,
    *,
    seconds: float,
    core: int | None = None,
    epoch: float | None = None,
    clock: ClockOffset = SAME_CLOCK,
    during: Callable[[int, float], None] | None = None,
) -> Drive:
    """Run one generator process. `during(pid, second)` is called ten times a second.

    `epoch`: Unix time of second 0, by which the process should be up; by default START_S from now. Raises RuntimeError
    when the process fails, TimeoutError when it does not end.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if epoch is None:
        epoch = time.time() + START_S  # noqa: TID251  (viewers come by the wall clock)
    plan = GeneratorPlan(
        process=0, url=url, seed=1, epoch_monotonic_wall=epoch, clock=clock, duration_s=seconds, arrivals=comers
    )
    found = Drive(seconds, epoch)
    out, log = folder / "ticks.jsonl", folder / "generator.log"
    command = [*pinned(core), sys.executable, "-m", "headwater.loadtest.generator"]
    with (
        out.open("wb") as ticks,
        log.open("wb") as said,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=ticks, stderr=said) as process,
    ):
        try:
            assert process.stdin is not None  # a pipe was asked for
            process.stdin.write(plan.to_json().encode() + b"\n")
            process.stdin.flush()
            _watch(process, found, during)
        finally:
            process.kill()
    if process.returncode:
        raise RuntimeError(f"the generator ended with {process.returncode}: {log.read_text()[-3_000:]}")
    found.ticks = tuple(records_json.from_text(Tick, line) for line in out.read_text().splitlines())
    return found


def _watch(process: subprocess.Popen[bytes], found: Drive, during: Callable[[int, float], None] | None) -> None:
    while process.poll() is None:
        second = time.time() - found.epoch  # noqa: TID251
        if second > found.seconds + GRACE_S:
            raise TimeoutError(f"the generator did not end {GRACE_S:.0f} s after its plan")
        found.resident.append((second, resident_bytes(process.pid)))
        if during is not None:
            during(process.pid, second)
        time.sleep(LOOK_S)
