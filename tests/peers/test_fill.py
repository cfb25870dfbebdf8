"""Two nginx with one folder, an edge before them, curl: one of the nginx is killed in the middle of a file."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from headwater.config.settings import Edge, EdgeHttp
from headwater.config.settings_upstream import EdgeUpstream
from headwater.edge.app import EdgeServer
from headwater.loadtest.bench.processes import Peer, free_port, started

pytestmark = pytest.mark.peer

SIZE = 6_000_000
RATE = "2m"
"""Bytes per second at which nginx sends: the file takes three seconds."""

CONFIG = """
daemon off;
master_process off;
pid {folder}/{port}.pid;
error_log {folder}/{port}.log warn;
events {{ worker_connections 64; }}
http {{
    access_log off;
    types {{ video/mp4 mp4; }}
    client_body_temp_path {folder}/tmp-{port};
    server {{
        listen 127.0.0.1:{port};
        location / {{ root {folder}/www; limit_rate {rate}; }}
        location /status {{ stub_status; }}
    }}
}}
"""


class Nginx:
    """One process that serves `folder`/www, slowly."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        config = folder / f"{self.port}.conf"
        config.write_text(CONFIG.format(folder=folder, port=self.port, rate=RATE))
        self.peer: Peer = started(
            ["/usr/sbin/nginx", "-c", str(config), "-e", str(folder / "start.log")],
            folder / f"{self.port}.out",
            lambda _: (folder / f"{self.port}.pid").exists(),
            what="nginx serves",
            timeout_s=10,
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def sends(self) -> bool:
        """Whether it is in the middle of an answer, this one aside."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.url}/status") as response:
            return "Writing: 1 " not in await response.text()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Nginx, Nginx]]:
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "show.mp4").write_bytes(os.urandom(SIZE))
    with ExitStack() as stack:
        servers = []
        for _ in range(2):
            servers.append(Nginx(tmp_path))
            stack.callback(servers[-1].peer.kill)
        yield servers[0], servers[1]


async def curl(url: str, out: Path, *options: str) -> tuple[int, float]:
    """Its exit code, and seconds to the first byte."""
    process = await asyncio.create_subprocess_exec(
        "curl", "-s", "-o", str(out), "-w", "%{time_starttransfer}", *options, url, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    return process.returncode or 0, float(said)


async def test_a_download_survives_the_loss_of_an_upstream(pair: tuple[Nginx, Nginx], tmp_path: Path) -> None:
    registry = CollectorRegistry()
    settings = Edge(
        upstreams=tuple(EdgeUpstream(url=server.url, name=f"n{number}") for number, server in enumerate(pair)),
        http=EdgeHttp(host="127.0.0.1", port=0),
    )
    edge = EdgeServer(settings, "", registry)
    await edge.start()
    try:
        url = f"http://127.0.0.1:{edge.port}/show.mp4"
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(curl(url, tmp_path / "first"))]
            await asyncio.sleep(0.5)
            tasks.append(group.create_task(curl(url, tmp_path / "late")))
            tasks.append(group.create_task(curl(url, tmp_path / "ranged", "-r", "3000000-3000999")))
            await asyncio.sleep(0.5)
            busy = [server for server in pair if await server.sends()]
            assert len(busy) == 1, "one upstream request for all of them"
            busy[0].peer.kill()
        results = [task.result() for task in tasks]
        assert registry.get_sample_value("headwater_edge_fills_resumed_total") == 1
    finally:
        await edge.close()
    assert [code for code, _ in results] == [0, 0, 0]
    assert results[0][1] < 1.0, "the first byte came long before the last"
    assert results[1][1] < 1.0, "and so it did for who came later"
    media = (tmp_path / "www" / "show.mp4").read_bytes()
    for name in ("first", "late"):
        assert hashlib.sha256((tmp_path / name).read_bytes()).digest() == hashlib.sha256(media).digest()
    assert (tmp_path / "ranged").read_bytes() == media[3_000_000:3_001_000]
