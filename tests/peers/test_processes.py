"""`headwater up` as the process tree that an operator sees: started, watched, killed, ended."""

from __future__ import annotations

import os
import re
import signal
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from headwater.loadtest.bench.processes import Peer, children, wait_until

pytestmark = pytest.mark.peer

FREE = [
    argument
    for key in ("ingest.rtmp", "ingest.srt", "origin.http", "origin.admin", "edge.http", "edge.admin")
    for argument in (f"--{key}.port", "0")
]
UP = [sys.executable, "-m", "headwater.config.cli", "up", *FREE]


class Server:
    """A `headwater up` on free ports."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.peer = Peer([*UP, "--state.dir", str(folder / "state"), *arguments], folder / "log")

    def started(self) -> Server:
        wait_until(lambda: "Ctrl-C stops it" in self.peer.text(), timeout_s=60, what="the start", peer=self.peer)
        return self

    def port(self, label: str) -> int:
        """A port out of the start-up text: of `Watch` or `Metrics`."""
        found = re.search(rf"{label} .*?localhost:(\d+)", self.peer.text())
        assert found
        return int(found[1])

    def children(self) -> dict[str, int]:
        """Process ids by role."""
        found = {}
        for pid in children(self.peer.pid):
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if b"headwater.config.child" in arguments:
                found[arguments[arguments.index(b"headwater.config.child") + 1].decode()] = pid
        return found


def lives(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def gone(pid: int) -> bool:
    """True when the process has ended, reaped or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers, each in a folder of its own; none outlives the test."""
    servers: list[Server] = []

    def start(*arguments: str) -> Server:
        folder = tmp_path / str(len(servers))
        folder.mkdir()
        servers.append(Server(folder, *arguments))
        return servers[-1]

    yield start
    for server in servers:
        server.peer.kill()


@pytest.fixture
def server(launch: Callable[..., Server]) -> Server:
    return launch("--edge.http.host", "127.0.0.1")


def test_sigterm_ends_everything_with_0(server: Server) -> None:
    server.started()
    edge = server.children()["edge"]
    assert lives(server.port("Watch"))
    assert lives(server.port("Metrics"))
    server.peer.stop()
    assert server.peer.returncode == 0, server.peer.text()
    assert gone(edge)
    assert "Traceback" not in server.peer.text()


def test_ctrl_c_of_a_terminal_reaches_all_and_ends_with_0(server: Server) -> None:
    server.started()
    os.killpg(server.peer.pid, signal.SIGINT)
    assert server.peer.wait(20) == 0, server.peer.text()
    assert "Traceback" not in server.peer.text()


def test_sighup_ends_neither_server_nor_edge_and_says_what_it_takes(server: Server) -> None:
    server.started()
    before, port = server.children(), server.port("Watch")
    for times in (1, 2):
        os.kill(server.peer.pid, signal.SIGHUP)
        wait_until(
            lambda times=times: server.peer.text().count("edge.workers of 2 or more") == times,  # type: ignore[misc]
            timeout_s=20,
            what="the reason",
            peer=server.peer,
        )
    os.kill(before["edge"], signal.SIGHUP)
    wait_until(lambda: server.peer.text().count("edge.workers of 2 or more") == 3, timeout_s=20, what="another one")
    assert server.children() == before
    assert lives(port)
    assert server.peer.stop() == 0, server.peer.text()


def test_children_do_not_outlive_a_killed_parent(server: Server) -> None:
    server.started()
    edge = server.children()["edge"]
    os.kill(server.peer.pid, signal.SIGKILL)
    wait_until(lambda: gone(edge), timeout_s=20, what="the end of the edge")


def test_a_killed_edge_comes_back_on_its_port(server: Server) -> None:
    server.started()
    first, port = server.children()["edge"], server.port("Watch")
    os.kill(first, signal.SIGKILL)
    peer = server.peer
    wait_until(lambda: server.children().get("edge", first) != first, timeout_s=20, what="another edge", peer=peer)
    wait_until(lambda: lives(port), timeout_s=20, what="the edge on its port", peer=peer)
    assert server.peer.stop() == 0


def test_an_edge_that_cannot_start_ends_everything_and_says_why(launch: Callable[..., Server]) -> None:
    first = launch("--edge.http.host", "127.0.0.1").started()
    second = launch("--edge.http.host", "127.0.0.1", "--edge.http.port", str(first.port("Watch")))
    assert second.peer.wait(60) == 1
    assert "edge.http.port: cannot listen: " in second.peer.text()
    assert "Traceback" not in second.peer.text()


def test_the_demo_plays_and_its_key_is_nowhere_to_be_seen(tmp_path: Path, launch: Callable[..., Server]) -> None:
    config = tmp_path / "headwater.toml"
    config.write_text('[[ingest.publish]]\nname = "*"\nkey = "tell-nobody"\n[ingest.rtmp]\nhost = "127.0.0.1"\n')
    small = ("--demo.width", "320", "--demo.height", "180", "--edge.http.host", "127.0.0.1")
    server = launch("--demo", "--config", str(config), "--origin.first_playlist_s", "1", *small).started()
    url = f"http://127.0.0.1:{server.port('Watch')}/live/demo/index.m3u8"
    with urllib.request.urlopen(url, timeout=30) as answer:
        assert b"#EXT-X-STREAM-INF" in answer.read()
    for pid in (server.peer.pid, *server.children().values()):
        for secret_place in ("cmdline", "environ"):
            assert b"tell-nobody" not in Path(f"/proc/{pid}/{secret_place}").read_bytes()
    assert sorted(server.children()) == ["edge", "publish"]
    publisher = server.children()["publish"]
    assert server.peer.stop() == 0, server.peer.text()
    assert gone(publisher)
    assert "tell-nobody" not in server.peer.text()


def test_the_demo_needs_its_listener(launch: Callable[..., Server]) -> None:
    server = launch("--demo", "--ingest.rtmp.enabled", "false")
    assert server.peer.wait(60) == 2
    assert "ingest.rtmp.enabled" in server.peer.text()
