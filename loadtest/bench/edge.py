"""A real `headwater edge` for tests and benchmarks, in front of whatever upstreams it is given."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from .metrics import samples
from .processes import fetched, free_port, pinned, started


class EdgeNode:
    """One edge. `upstreams`: base URLs by name; `workers`: processes that serve viewers; `own`: lines of [edge],
    `extra`: more tables, as TOML; `core`: the one that it runs on."""

    def __init__(
        self,
        folder: Path,
        name: str,
        upstreams: Mapping[str, str],
        *,
        workers: int = 1,
        own: str = "",
        extra: str = "",
        core: int | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port, self.admin = free_port(), free_port()
        entries = "\n".join(f'[[edge.upstreams]]\nname = "{label}"\nurl = "{url}"' for label, url in upstreams.items())
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
        command = [*pinned(core), sys.executable, "-m", "headwater.config.cli", "edge", "--config", str(config)]
        self.peer = started(
            command, folder / f"{name}.log", lambda _: self._ready(), what=f"{name} is ready", timeout_s=40
        )

    @property
    def base(self) -> str:
        """Its address for viewers and for edges below."""
        return f"http://127.0.0.1:{self.port}"

    def metric(self, name: str, /, **labels: str) -> float:
        """Sum of the series of one metric that have these labels.

        Raises KeyError when there are none, RuntimeError when there is no page of metrics.
        """
        status, body = fetched(f"http://127.0.0.1:{self.admin}/metrics", 5)
        if status != 200:
            raise RuntimeError(f"/metrics answered {status}")
        if not (found := samples(body.decode(), name, **labels)):
            raise KeyError(name)
        return sum(sample.value for sample in found)

    def _ready(self) -> bool:
        return fetched(f"{self.base}/readyz", 2)[0] == 200
