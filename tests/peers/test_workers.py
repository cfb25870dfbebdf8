"""An edge of two workers and a node in front of a real origin: counted, killed, restarted under load."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from headwater.loadtest.bench.certificates import self_signed
from headwater.loadtest.bench.edge import EdgeNode
from headwater.loadtest.bench.processes import Peer, children, fetched, free_port, running, wait_until
from headwater.loadtest.bench.server import Headwater
from headwater.loadtest.follow import FollowError, PartFollower

from .sources import SOURCES
from .test_processes import UP, gone

pytestmark = [pytest.mark.peer, pytest.mark.timeout(180)]

SOURCE = dataclasses.replace(SOURCES["h264-aac"], name="workers", seconds=30)
PLAYLIST = "/live/workers/source/index.m3u8"
PART_S = 0.52
TARGET_S = 4.0
HANG_S = 4.0
VIEWERS = 8
"""With so many both workers have some, but for one time in 128."""


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Headwater]:
    folder = tmp_path_factory.mktemp("workers")
    file = SOURCE.make(folder)
    with ExitStack() as stack:
        server = Headwater(folder / "origin").start()
        stack.callback(server.kill)
        stack.enter_context(running(SOURCE.push_command(file, server.rtmp("workers"), loop=True), folder / "ffmpeg"))
        server.wait_playable("workers")
        yield server


@pytest.fixture(scope="module")
def started(origin: Headwater, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeNode]:
    """One edge for all tests, whatever they did to its processes."""
    folder = tmp_path_factory.mktemp("edge")
    certificates = f'[[edge.http.tls.certificates]]\ncertificate = "{self_signed(folder)}"'
    tls = f"[edge.http.tls]\nport = {free_port()}\n{certificates}"
    upstreams = {"origin": origin.url("", at="origin")}
    node = EdgeNode(folder, "edge", upstreams, workers=2, own=f"hang_s = {HANG_S}", extra=tls)
    yield node
    node.peer.kill()


@pytest.fixture
def edge(started: EdgeNode) -> EdgeNode:
    """With all its processes."""
    wait_until(started.whole, timeout_s=90, what="all processes", peer=started.peer)
    return started


@dataclasses.dataclass
class Seen:
    """What a viewer got, with the time (monotonic) of each part, and what went wrong."""

    parts: list[tuple[int, int, float]] = dataclasses.field(default_factory=list)
    broken: int = 0
    """Connections that broke off under a request: players ask again."""
    errors: list[str] = dataclasses.field(default_factory=list)

    @property
    def longest_pause(self) -> float:
        return max(b[2] - a[2] for a, b in itertools.pairwise(self.parts))

    def complete(self) -> None:
        """No part is missing."""
        for earlier, later in itertools.pairwise(part[:2] for part in self.parts):
            assert later in ((earlier[0], earlier[1] + 1), (earlier[0] + 1, 0)), "a part was missed"


async def view(base: str, until: float) -> Seen:
    """Follow the stream part by part until `until`. A connection that breaks is opened anew, as players do."""
    seen = Seen()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        while time.monotonic() < until:
            try:
                async for part in PartFollower(session, base + PLAYLIST).parts():
                    if not seen.parts or (part.msn, part.index) > seen.parts[-1][:2]:
                        seen.parts.append((part.msn, part.index, time.monotonic()))
                    if time.monotonic() >= until:
                        break
            except FollowError as error:
                seen.errors.append(str(error))
            except aiohttp.ClientError:
                seen.broken += 1
    return seen


async def watch(base: str, seconds: float, blow: Callable[[], None] | None = None) -> list[Seen]:
    """Several viewers at once; `blow` after a third of the time."""
    until = time.monotonic() + seconds
    viewers = [asyncio.ensure_future(view(base, until)) for _ in range(VIEWERS)]
    if blow is not None:
        await asyncio.sleep(seconds / 3)
        await asyncio.to_thread(blow)
    return await asyncio.gather(*viewers)


def upstream_parts(edge: EdgeNode) -> float:
    """Objects that the node has fetched."""
    return sum(
        edge.metric("headwater_edge_upstream_fetches_total", worker="node", purpose=purpose, result="2xx")
        for purpose in ("prefetch", "object")
        if edge_has(edge, purpose)
    )


def edge_has(edge: EdgeNode, purpose: str) -> bool:
    with contextlib.suppress(KeyError):
        edge.metric("headwater_edge_upstream_fetches_total", worker="node", purpose=purpose, result="2xx")
        return True
    return False


async def test_a_part_is_fetched_once_for_viewers_on_both_workers(edge: EdgeNode) -> None:
    first = await watch(edge.base, 4)
    before = await asyncio.to_thread(upstream_parts, edge)
    began = max(seen.parts[-1][:2] for seen in first)
    loads: list[float] = []

    def look() -> None:
        loads.extend(edge.metric("headwater_edge_connections", worker=worker) for worker in "01")

    seen = await watch(edge.base, 12, look)
    fetches = await asyncio.to_thread(upstream_parts, edge) - before
    parts = {part[:2] for one in seen for part in one.parts if part[:2] > began}
    assert all(load > 0 for load in loads), loads
    assert not any(one.errors or one.broken for one in seen)
    for one in seen:
        one.complete()
    # The one part more or less is what is on its way at either end
    assert abs(fetches - len(parts)) <= 1, (fetches, len(parts))
    watching = await asyncio.to_thread(edge.metric, "headwater_edge_stream_viewers", stream="workers")
    assert watching == 1  # one address, one User-Agent: the same viewer at both workers


async def struck(edge: EdgeNode, blow: signal.Signals, seconds: float) -> list[Seen]:
    """What viewers see while worker 0, which has some of them, is sent a signal, and another one takes its place."""
    before = edge.processes()
    loads: list[float] = []

    def strike() -> None:
        loads.append(edge.metric("headwater_edge_connections", worker="0"))
        os.kill(before["0"], blow)

    seen = await watch(edge.base, seconds, strike)
    after = edge.processes()
    assert loads[0] > 0
    assert after["1"] == before["1"] and after["node"] == before["node"]
    assert after["0"] != before["0"]
    return seen


async def test_a_killed_worker_is_back_and_no_viewer_is_told_of_an_error(edge: EdgeNode) -> None:
    seen = await struck(edge, signal.SIGKILL, 12)
    assert edge.metric("headwater_edge_worker_restarts_total", worker="0") == 1
    for one in seen:
        assert one.errors == []
        one.complete()
        assert one.longest_pause < 2 * TARGET_S  # less than a part, once the process that takes its place is loaded
    assert any(not one.broken for one in seen), "the other worker's viewers notice nothing"


async def test_a_killed_node_is_back_and_no_viewer_notices(edge: EdgeNode) -> None:
    before = edge.processes()
    seen = await watch(edge.base, 12, lambda: os.kill(before["node"], signal.SIGKILL))
    after = edge.processes()
    assert {name: pid for name, pid in after.items() if name != "node"} == {
        name: pid for name, pid in before.items() if name != "node"
    }
    assert after["node"] != before["node"]
    for one in seen:
        assert (one.errors, one.broken) == ([], 0)
        one.complete()
        assert one.longest_pause < 2 * TARGET_S  # less than a part, once the process that takes its place is loaded


def hung(edge: EdgeNode, name: str) -> float:
    return edge.metric("headwater_edge_worker_restarts_total", worker=name, cause="hung")


async def test_a_worker_that_hangs_is_replaced_and_its_viewers_come_back(edge: EdgeNode) -> None:
    seen = await struck(edge, signal.SIGSTOP, 18)
    assert (hung(edge, "0"), hung(edge, "1"), hung(edge, "node")) == (1, 0, 0)
    assert "a process hangs and is ended" in edge.peer.text()
    pauses = sorted(one.longest_pause for one in seen)
    assert HANG_S - 2 * PART_S < pauses[-1] < HANG_S + 2 * TARGET_S
    assert pauses[0] < HANG_S - 2 * PART_S, "the other worker's viewers notice nothing"
    newest = max(one.parts[-1][0] for one in seen)
    for one in seen:
        assert one.errors == []
        assert newest - one.parts[-1][0] <= 1, "it has come back"
        if not one.broken:  # who has to begin again does so at the newest segment
            one.complete()


async def test_a_node_that_hangs_is_a_pause_and_no_error(edge: EdgeNode) -> None:
    before = edge.processes()
    seen = await watch(edge.base, 18, lambda: os.kill(before["node"], signal.SIGSTOP))
    after = edge.processes()
    assert {name for name, pid in after.items() if pid != before[name]} == {"node"}
    assert hung(edge, "node") == 1
    for one in seen:
        assert (one.errors, one.broken) == ([], 0)
        one.complete()
        assert HANG_S - 2 * PART_S < one.longest_pause < HANG_S + 2 * TARGET_S


async def test_an_edge_that_was_stopped_as_a_whole_loses_no_process(edge: EdgeNode) -> None:
    """As a laptop that is closed, a container that is paused: nobody hung."""
    before = edge.processes()
    counts = [hung(edge, name) for name in before]
    family = [edge.peer.pid, *before.values()]
    for pid in family:
        os.kill(pid, signal.SIGSTOP)
    await asyncio.sleep(2 * HANG_S)
    for pid in family:
        os.kill(pid, signal.SIGCONT)
    seen = await watch(edge.base, 2 * HANG_S)
    assert edge.processes() == before
    assert [hung(edge, name) for name in before] == counts
    assert all(one.errors == [] and len(one.parts) > 4 for one in seen)


def test_a_purge_reaches_the_node_and_every_worker(edge: EdgeNode) -> None:
    seen = asyncio.run(watch(edge.base, 4))
    assert not any(one.errors for one in seen)
    purged = purge(edge, PLAYLIST)
    assert purged.returncode == 0, purged.stderr
    found = {name: int(count) for count, name in re.findall(r"(\d+) (\w+)", purged.stdout)}
    assert found["playlists"] == 3, purged.stdout  # followed by the node and by both workers
    assert found["objects"] >= 6, purged.stdout
    refused = purge(edge, "live")
    assert refused.returncode == 2 and "400" in refused.stderr, refused.stderr


def purge(edge: EdgeNode, playlist: str) -> subprocess.CompletedProcess[str]:
    """`headwater purge --stream`."""
    command = [sys.executable, "-m", "headwater.config.cli", "purge", "--stream", playlist]
    command += ["--admin", f"http://127.0.0.1:{edge.admin}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


# -- hot restart


class Raw:
    """A client that forgives nothing: whatever is not a whole answer to each request is an error."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.answers = 0
        self.connections = 0
        self.closes = 0
        """Answers that said `Connection: close`."""

    async def get(self, target: str, *, keep: bool = True) -> tuple[int, bytes]:
        """One request, on the connection before when that is open. Raises for everything but a whole answer."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 22)
            self.connections += 1
        reader, writer = self._streams
        writer.write(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        body = await reader.readexactly(length)
        self.answers += 1
        told = "connection: close" in head
        self.closes += told
        if told or not keep:
            self.close()
        return int(head.split()[1]), body

    def close(self) -> None:
        """End the connection."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


@contextlib.asynccontextmanager
async def load(port: int, errors: list[str], clients: list[Raw]) -> AsyncIterator[None]:
    """Connections that are opened for each request, and some that are kept busy with held requests and plain ones."""
    stop = asyncio.Event()

    async def client(target: Callable[[], str], keep: bool) -> None:
        raw = Raw(port)
        clients.append(raw)
        while not stop.is_set():
            try:
                status, body = await raw.get(target(), keep=keep)
                if status != 200 or not body:
                    errors.append(f"{status} {target()}")
            except (OSError, asyncio.IncompleteReadError) as error:
                errors.append(f"{type(error).__name__}: {error}")
                raw.close()
            await asyncio.sleep(0.005)
        raw.close()

    tasks = [asyncio.ensure_future(client(lambda: PLAYLIST, False)) for _ in range(3)]
    tasks += [asyncio.ensure_future(client(lambda: "/live/workers/index.m3u8", True)) for _ in range(3)]
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*tasks)


async def test_sighup_under_load_breaks_nothing(edge: EdgeNode) -> None:
    before = edge.processes()
    errors: list[str] = []
    clients: list[Raw] = []
    viewers = asyncio.ensure_future(watch(edge.base, 20))
    async with load(edge.port, errors, clients):
        await asyncio.sleep(4)
        os.kill(edge.peer.pid, signal.SIGHUP)
        await asyncio.to_thread(wait_until, partial(restarted, edge, 1), timeout_s=90, what="the restart")
        seen = await viewers
    after = edge.processes()
    assert errors == []
    assert sum(client.answers for client in clients) > 500
    assert any(client.closes for client in clients)
    assert set(after) == set(before) and not set(after.values()) & set(before.values())
    for one in seen:
        assert (one.errors, one.broken) == ([], 0)
        one.complete()
    await asyncio.to_thread(over_tls, edge)
    # Of the first generation nobody is left: node, two workers, and the process that waits to take a place
    await asyncio.to_thread(wait_until, lambda: len(children(edge.peer.pid)) == 4, timeout_s=30, what="the end")


def over_tls(edge: EdgeNode) -> None:
    """Viewers over HTTP/2 find every worker."""
    port = int(edge.config.read_text().partition("[edge.http.tls]\nport = ")[2].split()[0])
    for _ in range(16):
        url = f"https://127.0.0.1:{port}/live/workers/index.m3u8"
        command = [
            "curl",
            "-sk",
            "--http2",
            "--max-time",
            "10",
            "-o",
            "/dev/null",
            "-w",
            "%{http_version} %{http_code}",
            url,
        ]
        assert subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout == "2 200"
    for worker in "01":
        assert edge.metric("headwater_edge_tls_connections_total", worker=worker, protocol="h2") > 0


def test_up_restarts_its_edge_and_keeps_its_origin(tmp_path: Path) -> None:
    ports = {name: free_port() for name in ("http", "admin")}
    flags = [item for key, port in ports.items() for item in (f"--edge.{key}.port", str(port))]
    peer = Peer([*UP, "--state.dir", str(tmp_path / "state"), *flags, "--edge.workers", "2"], tmp_path / "log")
    try:
        wait_until(lambda: "Ctrl-C stops it" in peer.text(), timeout_s=90, what="the start", peer=peer)

        def done() -> bool:
            status, body = fetched(f"http://127.0.0.1:{ports['admin']}/metrics", 5)
            return status == 200 and b'hot_restarts_total{result="done"} 1.0' in body

        os.kill(peer.pid, signal.SIGHUP)
        wait_until(done, timeout_s=60, what="the hot restart", peer=peer)
        assert fetched(f"http://127.0.0.1:{ports['http']}/streams.json", 5)[0] == 200
        (edge,) = children(peer.pid)
        family = [edge, *children(edge)]
        assert len(family) >= 4
        os.kill(peer.pid, signal.SIGKILL)
        wait_until(lambda: all(map(gone, family)), timeout_s=30, what="the end of all processes")
    finally:
        peer.kill()


async def test_settings_that_cannot_be_used_change_nothing(edge: EdgeNode) -> None:
    before = edge.processes()
    good = edge.config.read_text()
    edge.config.write_text(good.replace("workers = 2", "wokers = 3"))
    os.kill(edge.peer.pid, signal.SIGHUP)
    await asyncio.to_thread(wait_until, lambda: hot(edge, "refused") == 1, timeout_s=10, what="the refusal")
    assert "wokers" in edge.peer.text() and "nothing changes" in edge.peer.text()
    assert edge.processes() == before
    # One worker more or less: the sockets of all are still served
    restarts = int(hot(edge, "done"))
    for workers, done in ((3, restarts + 1), (1, restarts + 2)):
        edge.config.write_text(good.replace("workers = 2", f"workers = {workers}"))
        os.kill(edge.peer.pid, signal.SIGHUP)
        await asyncio.to_thread(wait_until, partial(restarted, edge, done), timeout_s=90, what="the restart")
        assert len(edge.processes()) == workers + 1
        for _ in range(20):
            assert fetched(f"{edge.base}/healthz", 5)[0] == 200
    assert edge.peer.stop() == 0, edge.peer.text()
    assert "Traceback" not in edge.peer.text()


def restarted(edge: EdgeNode, times: int) -> bool:
    return hot(edge, "done") == times


def hot(edge: EdgeNode, result: str) -> float:
    return edge.metric("headwater_edge_hot_restarts_total", result=result)
