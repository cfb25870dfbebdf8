"""The processes that `headwater up` starts, seen from their parent."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from headwater.config.load import handover
from headwater.config.settings import Settings


@contextmanager
def child(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    pipe = subprocess.PIPE
    command = [sys.executable, "-m", "headwater.config.child", *arguments]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
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


def test_an_edge_says_where_it_listens_and_ends_with_0_on_sigterm_but_not_on_ctrl_c() -> None:
    with child("edge") as process:
        hand_over(process, edge_settings())
        message = said(process)
        assert message["event"] == "listening"
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


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
