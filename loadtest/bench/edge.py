"""A real `headwater edge` for tests and benchmarks, in front of whatever upstreams it is given."""

from __future__ import annotations

import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from .processes import Peer, free_port, wait_until


class EdgeNode:
    """One edge process. `upstreams`: base URLs by name. `extra` is TOML of [edge] that is put in."""

    def __init__(self, folder: Path, name: str, upstreams: Mapping[str, str], extra: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port, self.admin = free_port(), free_port()
        entries = "\n".join(f'[[edge.upstreams]]\nname = "{label}"\nurl = "{url}"' for label, url in upstreams.items())
        config = folder / f"{name}.toml"
        config.write_text(
            f"""
[log]
format = "human"
[edge]
node = "{name}"
{extra}
[edge.http]
host = "127.0.0.1"
port = {self.port}
[edge.admin]
port = {self.admin}
{entries}
"""
        )
        command = [sys.executable, "-m", "headwater.config.cli", "edge", "--config", str(config)]
        self.peer = Peer(command, folder / f"{name}.log")
        try:
            wait_until(self._ready, timeout_s=40, what=f"{name} is ready", peer=self.peer)
        except BaseException:
            self.peer.kill()
            raise

    @property
    def base(self) -> str:
        """Its address for viewers and for edges below."""
        return f"http://127.0.0.1:{self.port}"

    def metrics(self) -> dict[str, float]:
        """All series of its metrics, by name and labels as they stand in the text."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {series: float(value) for series, value in pairs}

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.base}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False
