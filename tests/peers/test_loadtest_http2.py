"""`headwater loadtest --http2` at an edge of two workers with TLS and playback tokens, by the real command line."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from headwater.loadtest.bench.certificates import self_signed
from headwater.loadtest.bench.edge import EdgeNode
from headwater.loadtest.bench.processes import fetched, free_port, running, wait_until
from headwater.loadtest.bench.server import Headwater

from .sources import SOURCES

pytestmark = [pytest.mark.peer, pytest.mark.heavy, pytest.mark.timeout(240)]

SOURCE = dataclasses.replace(SOURCES["h264-aac"], name="loadtest-http2", seconds=10)
STREAM = "/live/crowd/index.m3u8"
KEYS = '[edge.tokens]\nkeys = [{ id = "a", secret = "a-secret-of-some-length" }]\n'
ASSERTED = ("fatal == 0", "errors == 0", "stalls == 0")
VIEWERS = 60
TIMES = 3
"""How often what was disturbed, as the generator itself says, is run."""
SETTLED_S = 3.5
"""All viewers are there, and what was published before they came is fetched."""


@dataclass
class Serving:
    """A real origin with a stream, and the edge before it."""

    origin: Headwater
    edge: EdgeNode
    tls: int
    certificate: Path
    token_path: str

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.tls}{self.token_path}"

    def connections(self, worker: str, protocol: str) -> float:
        """TLS connections that a worker has taken."""
        with contextlib.suppress(KeyError):
            return self.edge.metric("headwater_edge_tls_connections_total", worker=worker, protocol=protocol)
        return 0.0


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder, port = tmp_path_factory.mktemp("http2"), free_port()
    certificate = self_signed(folder)
    tls = f'[edge.http.tls]\nport = {port}\n[[edge.http.tls.certificates]]\ncertificate = "{certificate}"\n'
    with ExitStack() as stack:
        file = SOURCE.make(folder)
        origin = Headwater(folder / "origin").start()
        stack.callback(origin.kill)
        stack.enter_context(running(SOURCE.push_command(file, origin.rtmp("crowd"), loop=True), folder / "ffmpeg"))
        upstream = {"origin": origin.url("", at="origin")}
        edge = EdgeNode(folder, "edge", upstream, workers=2, extra=f"{tls}{KEYS}")
        stack.callback(edge.peer.kill)
        command = [sys.executable, "-m", "headwater.config.cli", "token", STREAM, "--config", str(edge.config)]
        path = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout.strip()
        wait_until(lambda: fetched(edge.base + path, 5)[0] == 200, timeout_s=40, what="the stream", peer=edge.peer)
        yield Serving(origin, edge, port, certificate, path)


def loadtest(serving: Serving, report: Path, *words: str, trust: bool = False) -> dict[str, Any]:
    """Run it to a good end: its document. `trust`: the system knows the certificate."""
    command = [sys.executable, "-m", "headwater.config.cli", "loadtest", serving.url, "--json", str(report), *words]
    command += ["--metrics-url", serving.origin.url("/metrics", at="origin_admin"), "--quiet"]
    command += [word for text in ASSERTED for word in ("--assert", text)]
    environment = os.environ | ({"SSL_CERT_FILE": str(serving.certificate)} if trust else {})
    for _ in range(TIMES):
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environment)
        assert report.exists(), ended.stderr
        document: dict[str, Any] = json.loads(report.read_text())
        if not document["run"]["invalid"]:
            break
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return document


def upstream(document: dict[str, Any]) -> tuple[float, float]:
    """Files that the origin was asked for since all viewers were there, and parts that it published in that time."""
    samples = [sample["values"] for sample in document["run"]["server"] if sample["second"] > SETTLED_S]
    asked, published = (samples[-1][name] - samples[0][name] for name in ("origin_requests", "parts"))
    return asked, published


def test_a_crowd_over_http2(serving: Serving, tmp_path: Path) -> None:
    assert fetched(f"{serving.edge.base}{STREAM}", 5)[0] == 403, "a token is needed"
    markdown = tmp_path / "report.md"
    words = ("--http2", "--viewers", str(VIEWERS), "--arrive", "2s", "--duration", "8s", "--mode", "safari")
    document = loadtest(serving, tmp_path / "h2.json", *words, "--markdown", str(markdown), trust=True)
    assert document["run"]["protocol"] == "h2"
    assert "HTTP/2 over TLS (h2)" in markdown.read_text()
    figures = document["figures"][0]
    counts = figures["counts"]
    assert (counts["joined"], counts["started"], counts["connections"]) == (VIEWERS,) * 3
    assert figures["timings"]["part"]["count"] > VIEWERS * 5
    asked, published = upstream(document)
    assert published >= 10
    # The one of video and of audio more or less are what is on its way at either end
    assert abs(asked - published) <= 2, (asked, published)
    assert all(serving.connections(worker, "h2") > 0 for worker in "01"), "both workers have viewers"


def test_the_same_over_http1(serving: Serving, tmp_path: Path) -> None:
    words = ("--insecure", "--viewers", "50", "--arrive", "1s", "--duration", "4s")
    document = loadtest(serving, tmp_path / "h1.json", *words)
    assert document["run"]["protocol"] == "http/1.1"
    counts = document["figures"][0]["counts"]
    assert (counts["joined"], counts["started"], counts["connections"]) == (50, 50, 100), (
        "video and audio have one each"
    )
    assert sum(serving.connections(worker, "http/1.1") for worker in "01") >= 50
