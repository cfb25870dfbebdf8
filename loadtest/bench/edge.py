"""A real `headwater edge` for tests and benchmarks, in front of whatever upstreams it is given."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from .metrics import samples
from .processes import Peer, fetched, free_port, pinned, started


class EdgeNode:
    """One edge. `upstreams`: base URLs by name; `weights`: of those that are not 1; `workers`: processes that serve
    viewers; `own`: lines of [edge], `extra`: more tables, as TOML; `core`: the one that it runs on."""

    def __init__(
        self,
        folder: Path,
        name: str,
        upstreams: Mapping[str, str],
        *,
        weights: Mapping[str, float] | None = None,
        workers: int = 1,
        own: str = "",
        extra: str = "",
        core: int | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port, self.admin = free_port(), free_port()
        weights = weights or {}
        entries = "\n".join(
            f'[[edge.upstreams]]\nname = "{label}"\nurl = "{url}"\nweight = {weights.get(label, 1)}'
            for label, url in upstreams.items()
        )
        self.config = config = folder / f"{name}.toml"
        config.write_text(
            f"""
[log]
format = "human"
[edge]
node = "{name}"
workers = {workers}
{own}
[edge.http]
host = "127.0.0.1"
port = {self.port}
[edge.admin]
port = {self.admin}
{entries}
{extra}
"""
        )
        self._command = [*pinned(core), sys.executable, "-m", "headwater.config.cli", "edge", "--config", str(config)]
        self._folder, self._name, self._workers, self._starts = folder, name, workers, 0
        self.peer = self._start()

    def restart(self) -> None:
        """Start it again, on the same ports, after it has ended. Raises TimeoutError or PeerEnded."""
        self.peer = self._start()

    def _start(self) -> Peer:
        self._starts += 1
        log = self._folder / (f"{self._name}.log" if self._starts == 1 else f"{self._name}-{self._starts}.log")
        return started(self._command, log, lambda _: self._ready(), what=f"{self._name} is ready", timeout_s=40)

    @property
    def base(self) -> str:
        """Its address for viewers and for edges below."""
        return f"http://127.0.0.1:{self.port}"

    def metric(self, name: str, /, **labels: str) -> float:
        """Sum of the series of one metric that have these labels.

        Raises KeyError when there are none, RuntimeError when there is no page of metrics.
        """
        if not (found := samples(self.metrics(), name, **labels)):
            raise KeyError(name)
        return sum(sample.value for sample in found)

    def metrics(self) -> str:
        """The text of /metrics. Raises RuntimeError when there is none."""
        status, body = fetched(f"http://127.0.0.1:{self.admin}/metrics", 5)
        if status != 200:
            raise RuntimeError(f"/metrics answered {status}")
        return body.decode()

    def whole(self) -> bool:
        """Of several workers: all of them run, their node too, and one more waits to take the place of whoever dies."""
        try:
            return self.metric("headwater_edge_worker_up") == self._workers + 2
        except (KeyError, RuntimeError):  # not there yet
            return False

    def processes(self) -> dict[str, int]:
        """Process ids by name, of those that run now. Raises RuntimeError when there is no status page."""
        status, body = fetched(f"http://127.0.0.1:{self.admin}/status.json", 5)
        if status != 200:
            raise RuntimeError(f"/status.json answered {status}")
        return {one["name"]: one["pid"] for one in json.loads(body)["workers"] if one["state"] == "ready"}

    def _ready(self) -> bool:
        return fetched(f"{self.base}/readyz", 2)[0] == 200
