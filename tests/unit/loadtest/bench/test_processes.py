"""Peers are started, waited for, and never left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from headwater.loadtest.bench.processes import (
    FIRST_PORT,
    Peer,
    PeerEnded,
    children,
    cpu_seconds,
    fetched,
    free_port,
    pin,
    pinned,
    resident_bytes,
    running,
    started,
    wait_until,
)

SLEEP = (sys.executable, "-c", "print('up', flush=True); import time; time.sleep(60)")


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_ports_are_free_below_the_kernel_s_own_and_never_given_twice() -> None:
    ports = [free_port() for _ in range(50)]
    assert len(set(ports)) == 50
    ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for port in ports:
        assert FIRST_PORT <= port < ephemeral
    with socket.create_server(("127.0.0.1", ports[0])) as listener:
        assert listener.getsockname()[1] == ports[0]


def test_a_port_that_is_taken_is_passed_over() -> None:
    first = free_port()
    with socket.create_server(("127.0.0.1", first + 1)):
        assert free_port() != first + 1


def test_another_process_starts_elsewhere() -> None:
    code = "from headwater.loadtest.bench.processes import free_port; print(free_port())"
    others = {
        int(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout) for _ in range(2)
    }
    assert len(others | {free_port()}) == 3


def test_a_peer_from_start_to_end(tmp_path: Path) -> None:
    with running(SLEEP, tmp_path / "log", env={"MORE": "1"}) as peer:
        wait_until(lambda: "up" in peer.text(), timeout_s=20, what="a word", peer=peer)
        assert peer.returncode is None
        assert b"MORE=1" in Path(f"/proc/{peer.pid}/environ").read_bytes().split(b"\0")
        assert peer.pid in children(os.getpid())
        assert cpu_seconds(peer.pid) >= 0
        assert resident_bytes(peer.pid) > 1 << 20
    assert peer.returncode == -signal.SIGTERM
    assert not is_there(peer.pid)


def test_a_deaf_peer_is_killed_with_its_children(tmp_path: Path) -> None:
    code = (
        "import signal, subprocess, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "print('up', flush=True); child.wait()"
    )
    peer = Peer((sys.executable, "-c", code), tmp_path / "log")
    try:
        wait_until(lambda: "up" in peer.text(), timeout_s=20, what="a word", peer=peer)
        (child,) = children(peer.pid)
        assert peer.stop(0.1) == -signal.SIGKILL
        wait_until(lambda: not is_there(child) or _is_zombie(child), timeout_s=10, what="the end of the child")
    finally:
        peer.kill()


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_a_wait_that_fails_says_what_is_so_then() -> None:
    words: list[str] = []

    def never() -> bool:
        words.append("asked")
        return False

    with pytest.raises(TimeoutError, match=r"not within 0\.1 s: asked .* times"):
        wait_until(never, timeout_s=0.1, what=lambda: f"asked {len(words)} times")
    assert len(words) > 1


def test_a_wait_ends_with_the_peer_and_has_its_last_words(tmp_path: Path) -> None:
    with running((sys.executable, "-c", "print('out of paper'); raise SystemExit(3)"), tmp_path / "log") as peer:
        began = time.monotonic()
        with pytest.raises(PeerEnded, match=r"exit code 3 before: a page; .*log ends:\nout of paper"):
            wait_until(lambda: False, timeout_s=60, what="a page", peer=peer)
        assert time.monotonic() - began < 60


def test_a_wait_that_is_too_long_has_the_peer_s_words(tmp_path: Path) -> None:
    with running(SLEEP, tmp_path / "log") as peer:
        wait_until(lambda: "up" in peer.text(), timeout_s=20, what="a word", peer=peer)
        with pytest.raises(TimeoutError, match=r"not within 0 s: a page; .*log ends:\nup"):
            wait_until(lambda: False, timeout_s=0, what="a page", peer=peer)


def test_the_last_thing_that_a_peer_did_counts(tmp_path: Path) -> None:
    peer = Peer((sys.executable, "-c", "print('done')"), tmp_path / "log")
    assert peer.wait(20) == 0
    wait_until(lambda: "done" in peer.text(), timeout_s=0, what="done", peer=peer)


def test_a_peer_that_gets_ready_is_given(tmp_path: Path) -> None:
    peer = started(SLEEP, tmp_path / "log", lambda peer: "up" in peer.text(), what="a word", timeout_s=20)
    try:
        assert peer.returncode is None
        assert "up" in peer.text()
    finally:
        peer.kill()


def test_a_peer_that_does_not_get_ready_is_gone(tmp_path: Path) -> None:
    seen: list[Peer] = []

    def never(peer: Peer) -> bool:
        seen.append(peer)
        return False

    with pytest.raises(TimeoutError, match=r"not within 0\.1 s: a page; .*log ends:"):
        started(SLEEP, tmp_path / "log", never, what="a page", timeout_s=0.1)
    assert seen[0].returncode == -signal.SIGKILL
    assert not is_there(seen[0].pid)


def test_what_an_address_gives_or_nothing() -> None:
    port = free_port()
    assert fetched(f"http://127.0.0.1:{port}/x", 2) == (0, b"")

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status = 200 if self.path == "/x" else 404
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b"a page" if status == 200 else b"none")

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            pass

    with HTTPServer(("127.0.0.1", port), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            assert fetched(f"http://127.0.0.1:{port}/x", 20) == (200, b"a page")
            assert fetched(f"http://127.0.0.1:{port}/y", 20) == (404, b"none")
        finally:
            server.shutdown()
            thread.join()


def test_a_command_on_one_core() -> None:
    assert pinned(None) == []
    assert pinned(1) == ["taskset", "-c", "1"]


def test_a_process_is_bound_to_one_core(tmp_path: Path) -> None:
    with running(SLEEP, tmp_path / "log") as peer:
        core = min(os.sched_getaffinity(peer.pid))
        pin(peer.pid, core)
        assert os.sched_getaffinity(peer.pid) == {core}
