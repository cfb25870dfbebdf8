"""The server that tests and benchmarks start: told apart when it ends early, and gone then."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from headwater.loadtest.bench.processes import PeerEnded
from headwater.loadtest.bench.server import Headwater, violations
from headwater.origin.metrics import OriginMetrics


def test_one_that_cannot_start_says_why_and_is_gone(tmp_path: Path) -> None:
    server = Headwater(tmp_path, extra="[nonsense]\nkey = 1\n")
    with pytest.raises(PeerEnded, match=r"(?s)exit code 2 before: the server is ready.*nonsense"):
        server.start()
    assert server.peer is not None
    assert server.peer.returncode == 2
    assert "nonsense" in server.text()


def test_nobody_there_is_no_answer(tmp_path: Path) -> None:
    server = Headwater(tmp_path)
    for ask in (server.stop, server.kill, server.text, lambda: server.pid):
        with pytest.raises(RuntimeError, match="not started"):
            ask()


def test_ports_are_its_own(tmp_path: Path) -> None:
    server = Headwater(tmp_path, ports={"edge": 1, "origin": 2, "rtmp": 3, "rtmps": 4})
    assert server.url("/x") == "http://127.0.0.1:1/x"
    assert server.url("/x", at="origin") == "http://127.0.0.1:2/x"
    assert (server.rtmp("a"), server.rtmps("a")) == ("rtmp://127.0.0.1:3/live/a", "rtmps://127.0.0.1:4/live/a")
    assert server.get("/x") == (0, b"")
    with pytest.raises(KeyError):
        server.url("/x", at="edge_admin")


def test_what_was_published_against_rules_is_read_from_the_metrics() -> None:
    registry = CollectorRegistry()
    metrics = OriginMetrics(registry)
    assert violations(generate_latest(registry).decode()) == []
    metrics.violations.labels("42").inc(3)
    assert violations(generate_latest(registry).decode()) == ["42 (3x)"]
