"""A real `headwater up` (or `headwater origin`) for tests and benchmarks: its own ports, its own state folder, stopped
with SIGTERM."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .metrics import samples, total
from .processes import Peer, fetched, free_port, free_udp_port, wait_until
from .srtpeers import Call


class Violations(Exception):
    """The server published something that a rule forbids."""


def violations(text: str) -> list[str]:
    """Rules that an origin has published against, by its own metrics, with how often."""
    found = samples(text, "headwater_conformance_violations_total")
    return [f"{sample.labels['rule']} ({sample.value:.0f}x)" for sample in found if sample.value]


@dataclass
class Headwater:
    """One server. `extra` is TOML that is appended to its configuration."""

    folder: Path
    extra: str = ""
    certificate: Path | None = None
    """PEM chain and key in one file: RTMPS is on."""
    srt_settings: str = ""
    """TOML of [ingest.srt]."""
    demo: bool = False
    """Start its demo publisher as well."""
    first_playlist_s: float = 2
    env: dict[str, str] = field(default_factory=dict)
    """Environment beside ours."""
    ports: dict[str, int] = field(default_factory=dict)
    role: str = "up"
    """Or `origin`: that role alone, without an edge."""
    peer: Peer | None = None
    starts: int = 0

    def start(self) -> Headwater:
        """Start it, or start it again on the same ports and state."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.ports:
            names = ("rtmp", "rtmps", "origin", "edge", "origin_admin", "edge_admin")
            self.ports = {name: free_port() for name in names}
            self.ports["srt"] = free_udp_port()
        config = self.folder / "headwater.toml"
        config.write_text(self._toml())
        self.starts += 1
        log = self.folder / f"headwater-{self.starts}.log"
        command = [sys.executable, "-m", "headwater.config.cli", self.role, "--config", str(config)]
        self.peer = Peer(command + ["--demo"] * self.demo, log, env=self.env)
        try:
            wait_until(self._ready, timeout_s=40, what="the server is ready", peer=self.peer)
        except BaseException:
            self.peer.kill()
            raise
        return self

    def wait_playable(self, name: str, *, timeout_s: float = 30) -> None:
        """Until the edge (the origin, where it is alone) has the stream `name`; TimeoutError or PeerEnded when it never
        does."""
        at = "edge" if self.role == "up" else "origin"
        wait_until(
            lambda: self.get(f"/live/{name}/index.m3u8", at=at)[0] == 200,
            timeout_s=timeout_s,
            what=f"{name} is playable",
            peer=self.peer,
        )

    def stop(self) -> int:
        """SIGTERM and wait: the exit code. Raises Violations, once it is down, when it has published against a rule."""
        with self._judged() as peer:
            return peer.stop()

    def kill(self) -> None:
        """SIGKILL of the whole process group: nothing is saved or said any more. Raises as `stop` does."""
        with self._judged() as peer:
            peer.kill()

    @contextlib.contextmanager
    def _judged(self) -> Iterator[Peer]:
        """It ends inside: what it says of its own publications is asked before, and raised after."""
        if self.peer is None:
            raise RuntimeError("not started")
        status, body = self.get("/metrics", at="origin_admin", timeout_s=5)
        found = violations(body.decode()) if status == 200 else []
        yield self.peer
        if found:
            said = [line for line in self.text().splitlines() if "published against a rule" in line]
            raise Violations("\n".join([f"published against rules {', '.join(found)}", *said[:5]]))

    @property
    def pid(self) -> int:
        """Process id of the origin (the process that `headwater up` is); the edge is its child."""
        if self.peer is None:
            raise RuntimeError("not started")
        return self.peer.pid

    def text(self) -> str:
        """What the server has logged since its last start."""
        if self.peer is None:
            raise RuntimeError("not started")
        return self.peer.text()

    def rtmp(self, name: str) -> str:
        """The address to publish `name` at."""
        return f"rtmp://127.0.0.1:{self.ports['rtmp']}/live/{name}"

    def rtmps(self, name: str) -> str:
        """The same over TLS."""
        return f"rtmps://127.0.0.1:{self.ports['rtmps']}/live/{name}"

    def srt(self, name: str, *, latency_ms: int = 120, key: str = "", passphrase: str = "", key_bytes: int = 0) -> Call:
        """How to publish `name` over SRT. `key`: the publish key."""
        stream_id = f"publish:live/{name}" + (f"?key={key}" if key else "")
        return Call(self.ports["srt"], latency_ms, stream_id, passphrase, key_bytes)

    def url(self, path: str, *, at: str = "edge") -> str:
        """A URL at the `edge`, `origin`, `origin_admin` or `edge_admin` listener."""
        return f"http://127.0.0.1:{self.ports[at]}{path}"

    def get(self, path: str, *, at: str = "edge", timeout_s: float = 15) -> tuple[int, bytes]:
        """Status and body of a plain GET; (0, b"") when nobody answers."""
        return fetched(self.url(path, at=at), timeout_s)

    def metrics(self, *, at: str = "origin_admin") -> str:
        """The text of /metrics, for `bench.metrics`. Raises RuntimeError when there is none."""
        status, body = self.get("/metrics", at=at)
        if status != 200:
            raise RuntimeError(f"/metrics answered {status}")
        return body.decode()

    def metric(self, name: str, /, *, at: str = "origin_admin", **labels: str) -> float:
        """Sum of the series of one metric that have these labels; 0 when there are none."""
        return total(self.metrics(at=at), name, **labels)

    def _ready(self) -> bool:
        listeners = ("edge", "origin") if self.role == "up" else ("origin",)
        return all(self.get("/readyz", at=listener)[0] == 200 for listener in listeners)

    def _toml(self) -> str:
        ports = self.ports
        certificate = f'certificate = "{self.certificate}"' if self.certificate else ""
        return f"""
[log]
level = "info"
format = "human"
[state]
dir = "{self.folder / "state"}"
[ingest.rtmp]
host = "127.0.0.1"
port = {ports["rtmp"]}
tls_port = {ports["rtmps"]}
{certificate}
[ingest.srt]
host = "127.0.0.1"
port = {ports["srt"]}
{self.srt_settings}
[origin]
first_playlist_s = {self.first_playlist_s}
[origin.http]
port = {ports["origin"]}
[origin.admin]
port = {ports["origin_admin"]}
[edge]
upstream = "http://127.0.0.1:{ports["origin"]}"
[edge.http]
host = "127.0.0.1"
port = {ports["edge"]}
[edge.admin]
port = {ports["edge_admin"]}
{self.extra}
"""
