"""Our edge and nginx over TLS and HTTP/2 under h2load: requests per second and CPU per request.

Both have one core, h2load the other; the same certificate, the same two files, 100 connections. nginx sends them from
memory (`sendfile` has no use under TLS); our edge has them in its store.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from .caches import NGINX
from .certificates import self_signed
from .edge import EdgeNode
from .files import serve_files
from .load import CLIENT_CORE, SERVER_CORE
from .processes import children, cpu_seconds, free_port, pinned, started

H2LOAD = "/usr/bin/h2load"
SIZES = {"1.5 kB": 1_500, "60 kB": 60_000}
STREAMS = (1, 10)
"""Requests at once on each connection: a player's playlist, and a player that fills its buffer."""
CONNECTIONS = 100
ROUNDS = 3

CONFIG = """
daemon off;
user root;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
worker_processes 1;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    tcp_nodelay on;
    keepalive_timeout 75s;
    keepalive_requests 100000000;
    types {{ video/mp4 mp4; }}
    server {{
        listen 127.0.0.1:{port} ssl http2 backlog=4096;
        ssl_certificate {folder}/certificate.pem;
        ssl_certificate_key {folder}/certificate.pem;
        open_file_cache max=16;
        root {folder}/files;
    }}
}}
"""
EDGE = """
[edge.http.tls]
port = {port}
[[edge.http.tls.certificates]]
certificate = "{certificate}"
"""


@dataclass(frozen=True)
class Measured:
    """One server, one size, one number of streams."""

    server: str
    size: str
    streams: int
    per_s: float
    cpu_us: float
    """User and system time of the serving process per request."""


def measure(folder: Path, *, seconds: float) -> Iterator[Measured]:
    """Raises what `loaded` does."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "files").mkdir()
    for size in SIZES.values():
        (folder / "files" / f"{size}.mp4").write_bytes(os.urandom(size))
    certificate = self_signed(folder)
    with ExitStack() as stack:
        servers = {"nginx": _nginx(folder, stack), "Headwater edge": _edge(folder, certificate, stack)}
        for streams in STREAMS:
            for name, size in SIZES.items():
                yield from in_turn(
                    partial(
                        loaded,
                        server,
                        name,
                        f"https://127.0.0.1:{port}/{size}.mp4",
                        pid,
                        seconds,
                        connections=CONNECTIONS,
                        streams=streams,
                    )
                    for server, (port, pid) in servers.items()
                )


def report(found: list[Measured]) -> list[str]:
    """Lines of Markdown."""
    lines = [
        "| object | streams per connection | nginx, requests/s | Headwater, requests/s | ratio "
        "| nginx, CPU us per request | Headwater | ratio |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for peer, ours in zip(found[::2], found[1::2], strict=True):
        lines.append(
            f"| {ours.size} | {ours.streams} | {peer.per_s:.0f} | {ours.per_s:.0f} | {ours.per_s / peer.per_s:.2f} "
            f"| {peer.cpu_us:.1f} | {ours.cpu_us:.1f} | {ours.cpu_us / peer.cpu_us:.2f} |"
        )
    return lines


def in_turn(loads: Iterable[Callable[[], Measured]]) -> list[Measured]:
    """The better one of `ROUNDS` of each. They take turns, so that a slow moment of the machine is one of all."""
    each = list(loads)
    rounds = [[load() for load in each] for _ in range(ROUNDS)]
    return [min(found, key=lambda one: one.cpu_us) for found in zip(*rounds, strict=True)]


def loaded(
    server: str,
    name: str,
    url: str,
    pid: int,
    seconds: float,
    *,
    connections: int,
    streams: int = 1,
    options: Sequence[str] = (),
) -> Measured:
    """What h2load gets from `url`, and what that costs the process `pid`."""
    command = [*pinned(CLIENT_CORE), H2LOAD, "-c", str(connections), "-m", str(streams), "-t", "1", *options]
    subprocess.run([*command, "-n", "1000", url], check=True, capture_output=True, timeout=60)  # into the store
    before = cpu_seconds(pid)
    said = subprocess.run(
        [*command, "-D", str(int(seconds)), url], check=True, capture_output=True, text=True, timeout=seconds + 60
    ).stdout
    used = cpu_seconds(pid) - before
    done = re.search(r"(\d+) done, (\d+) succeeded, (\d+) failed", said)
    if done is None or done[1] != done[2] or int(done[1]) == 0:
        raise RuntimeError(f"{server}: {said[-500:]}")
    count = int(done[1])
    return Measured(server, name, streams, count / int(seconds), used * 1e6 / count)


def _nginx(folder: Path, stack: ExitStack) -> tuple[int, int]:
    """Its port, and the process that serves."""
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(folder=folder, port=port))
    if not Path(NGINX).exists():
        raise FileNotFoundError(f"{NGINX}: install nginx")
    command = [*pinned(SERVER_CORE), NGINX, "-c", str(config)]
    peer = started(command, folder / "nginx.log", lambda one: bool(children(one.pid)), what="nginx", timeout_s=10)
    stack.callback(peer.stop)
    return port, children(peer.pid)[0]


def _edge(folder: Path, certificate: Path, stack: ExitStack) -> tuple[int, int]:
    """The same of our edge."""
    upstream, port = serve_files(folder / "files"), free_port()
    tls = EDGE.format(port=port, certificate=certificate)
    edge = EdgeNode(folder, "edge", {"files": f"http://127.0.0.1:{upstream}"}, extra=tls, core=SERVER_CORE)
    stack.callback(edge.peer.stop)
    return port, edge.peer.pid
