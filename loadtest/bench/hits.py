"""Our edge and nginx `proxy_cache` over HTTP/1.1, everything in the cache: CPU per request, memory per idle viewer.

Both have one core, the client the other; keep-alive, the fields that Chromium sends, tokens off.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from . import caches
from .edge import EdgeNode
from .files import serve_files
from .http2 import Measured, in_turn, loaded
from .load import SERVER_CORE
from .processes import resident_bytes

SIZES = {"1.5 kB": 1_500, "40 kB": 40_000, "160 kB": 160_000}
CONNECTIONS = 64
IDLE = 2_000
"""Connections that are opened, asked one thing, and kept."""
FIELDS = (
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "Accept: */*",
    "Accept-Language: en-GB,en;q=0.9",
    "Accept-Encoding: gzip, deflate, br, zstd",
    "Origin: https://player.example",
    "Referer: https://player.example/",
    "Sec-Fetch-Dest: empty",
    "Sec-Fetch-Mode: cors",
    "Sec-Fetch-Site: cross-site",
)


@dataclass(frozen=True)
class Server:
    """One that is measured."""

    name: str
    port: int
    pid: int


@dataclass(frozen=True)
class Found:
    """CPU per request by size, and memory per idle connection, of both."""

    hits: dict[str, tuple[Measured, Measured]]
    """nginx, ours."""
    idle_kib: tuple[float, float]


def measure(folder: Path, *, seconds: float) -> Found:
    """Raises what `http2.loaded` does."""
    files = folder / "files"
    files.mkdir(parents=True)
    for size in SIZES.values():
        (files / f"{size}.m4s").write_bytes(os.urandom(size))
    (files / "healthz").write_bytes(b"alive")
    upstream = serve_files(files)
    with ExitStack() as stack:
        pair = _nginx(upstream, folder, stack), _edge(upstream, folder, stack)
        hits = {name: _best(pair, name, size, seconds) for name, size in SIZES.items()}
        return Found(hits, (_idle_kib(pair[0]), _idle_kib(pair[1])))


def report(found: Found) -> Iterator[str]:
    """Lines of Markdown."""
    yield "| object | nginx proxy_cache, CPU us per request | Headwater | ratio | requests/s, nginx | Headwater |"
    yield "|---|---|---|---|---|---|"
    for name, (peer, ours) in found.hits.items():
        yield (
            f"| {name} | {peer.cpu_us:.1f} | {ours.cpu_us:.1f} | {ours.cpu_us / peer.cpu_us:.2f} "
            f"| {peer.per_s:.0f} | {ours.per_s:.0f} |"
        )
    yield ""
    nginx, edge = found.idle_kib
    yield f"Resident memory per idle connection: nginx {nginx:.1f} KiB, Headwater {edge:.1f} KiB"


def _best(pair: tuple[Server, Server], name: str, size: int, seconds: float) -> tuple[Measured, Measured]:
    options = ["--h1", *(part for field in FIELDS for part in ("-H", field))]
    peer, ours = in_turn(
        partial(
            loaded,
            server.name,
            name,
            f"http://127.0.0.1:{server.port}/{size}.m4s",
            server.pid,
            seconds,
            connections=CONNECTIONS,
            options=options,
        )
        for server in pair
    )
    return peer, ours


def _nginx(upstream: int, folder: Path, stack: ExitStack) -> Server:
    cache = caches.nginx(upstream, folder / "nginx", core=SERVER_CORE)
    stack.callback(cache.stop)
    # Of its children only the worker serves.
    return Server("nginx", cache.port, cache.processes()[0])


def _edge(upstream: int, folder: Path, stack: ExitStack) -> Server:
    edge = EdgeNode(folder, "edge", {"files": f"http://127.0.0.1:{upstream}"}, core=SERVER_CORE)
    stack.callback(edge.peer.stop)
    return Server("Headwater edge", edge.port, edge.peer.pid)


def _idle_kib(server: Server) -> float:
    """Growth of the process while `IDLE` connections, each with one answer behind it, are open."""
    request = "\r\n".join(("GET /1500.m4s HTTP/1.1", "Host: 127.0.0.1", *FIELDS, "", "")).encode()
    before = resident_bytes(server.pid)
    with ExitStack() as stack:
        for _ in range(IDLE):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=5))
            connection.sendall(request)
            received = 0
            while received < 1_500:
                received += len(connection.recv(1 << 16))
        time.sleep(1)
        return (resident_bytes(server.pid) - before) / 1024 / IDLE
