"""The processes that `headwater up` starts, seen from their parent."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from headwater.config.edgemember import Orders
from headwater.config.load import handover
from headwater.config.settings import Edge, Settings
from headwater.config.settings_upstream import EdgeUpstream
from headwater.config.vigil import BEAT_S
from headwater.edge.post import Place, Post


@contextmanager
def child(*arguments: str, inherits: Sequence[int] = ()) -> Iterator[subprocess.Popen[str]]:
    pipe = subprocess.PIPE
    command = [sys.executable, "-m", "headwater.config.child", *arguments]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, pass_fds=inherits) as process:
        try:
            yield process
        finally:
            process.kill()


def hand_over(process: subprocess.Popen[str], document: str) -> None:
    assert process.stdin is not None
    process.stdin.write(document + "\n")
    process.stdin.flush()


def said(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The next message to the parent."""
    assert process.stdout is not None
    message: dict[str, Any] = json.loads(process.stdout.readline())
    return message


def errors(process: subprocess.Popen[str]) -> str:
    """What it wrote to standard error until its end."""
    assert process.stderr is not None
    return process.stderr.read()


def edge_settings() -> str:
    free = {"port": 0}
    edge = {"http": {"host": "127.0.0.1", **free}, "admin": free, "upstream": "http://127.0.0.1:9"}
    return handover(Settings.model_validate({"edge": edge}))


@pytest.mark.parametrize("arguments", [(), ("origin",), ("edge", "publish")])
def test_other_roles_are_bad_usage(arguments: tuple[str, ...]) -> None:
    with child(*arguments) as process:
        hand_over(process, "{}")
        assert process.wait(60) == 2
        assert "no such role" in errors(process)


def test_a_document_that_is_no_configuration_is_told() -> None:
    with child("edge") as process:
        hand_over(process, '{"edge": {"upstream": 5}}')
        assert process.wait(60) == 2
        assert "edge.upstream" in errors(process)


def test_an_edge_says_where_it_listens_and_ends_with_0_on_sigterm_but_not_on_sighup_or_ctrl_c() -> None:
    with child("edge") as process:
        hand_over(process, edge_settings())
        ports = said(process)
        assert ports["event"] == "listening"
        process.send_signal(signal.SIGHUP)
        assert process.stdin is not None and process.stderr is not None
        told = next(line for line in process.stderr if "SIGHUP" in line)
        assert "edge.workers of 2 or more" in told
        hand_over(process, edge_settings())  # as `headwater up` passes a SIGHUP on
        assert any("SIGHUP" in line for line in process.stderr)
        with socket.create_connection(("127.0.0.1", ports["http"]), timeout=20) as viewer:
            viewer.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert viewer.recv(64).startswith(b"HTTP/1.1 200")
        process.send_signal(signal.SIGINT)
        process.terminate()
        assert process.wait(60) == 0


def orders(folder: Path, listening: int, node: str) -> str:
    """Of a worker."""
    edge = Edge(upstreams=(EdgeUpstream(url=f"unix:{node}", name="node"),))
    post = Post(Place.WORKER, "headwater-x", b"k" * 32, 1 << 20, (listening,))
    return Orders("0", folder / "c", Settings(edge=edge), post).to_line()


def test_a_worker_gives_signs_of_life_while_its_loop_turns(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        child("worker", inherits=(listening.fileno(),)) as process,
    ):
        hand_over(process, orders(tmp_path, listening.fileno(), "/nowhere"))
        assert said(process) == {"event": "listening"}
        assert [said(process) for _ in range(3)] == [{"event": "alive"}] * 3
        process.send_signal(signal.SIGSTOP)
        assert process.stdout is not None
        pipe = process.stdout.fileno()
        while select.select((pipe,), (), (), 4 * BEAT_S)[0]:  # what it had said by then
            os.read(pipe, 1 << 16)
        process.send_signal(signal.SIGCONT)
        assert select.select((pipe,), (), (), 20)[0]
        assert b'"alive"' in os.read(pipe, 1 << 16)
        process.terminate()
        assert process.wait(60) == 0


def test_a_sign_of_life_does_not_wait_for_a_parent_that_does_not_read() -> None:
    code = "from headwater.config.child import alive\nfor _ in range(10_000): alive()"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stderr is not None
        try:
            assert process.wait(20) == 0  # a pipe has room for some 3,000 of them
            assert process.stderr.read() == ""
        finally:
            process.kill()


def test_a_child_ends_when_its_parent_is_gone() -> None:
    with child("edge") as process:
        hand_over(process, edge_settings())
        said(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(60) == 0


def test_a_publisher_says_that_it_started() -> None:
    with child("publish") as process:
        url = {"url": "rtmp://127.0.0.1:9/live/x", "width": 160, "height": 90, "fps": 10, "bitrate": 100_000}
        hand_over(process, json.dumps(url))
        assert said(process) == {"event": "started"}
        assert process.stderr is not None
        assert "Connection refused" in process.stderr.readline()  # it runs: signals are heeded from here on
        process.terminate()
        assert process.wait(60) == 0
