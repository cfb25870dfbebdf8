"""HTTP/2 viewers that others wrote: curl, and Chromium that plays the page over https."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from headwater.loadtest.bench.certificates import self_signed
from headwater.loadtest.bench.chromium import browser, figures, wait_playing
from headwater.loadtest.bench.ingest import publishers
from headwater.loadtest.bench.processes import free_port
from headwater.loadtest.bench.server import Headwater

from .sources import SOURCES

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120)]

SOURCE = dataclasses.replace(SOURCES["h264-aac"], name="http2", seconds=60)
STREAM = "bench0"
PROTOCOLS = """() => performance.getEntriesByType('resource')
    .filter(entry => entry.name.includes('/live/'))
    .map(entry => [entry.name.split('?')[0].split('.').pop(), entry.nextHopProtocol])"""


@dataclasses.dataclass
class Server:
    """A server with TLS for viewers, and a stream."""

    server: Headwater
    tls: int

    @property
    def base(self) -> str:
        return f"https://127.0.0.1:{self.tls}"


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder, port = tmp_path_factory.mktemp("http2"), free_port()
    certificate = self_signed(folder)
    extra = f'[edge.http.tls]\nport = {port}\n[[edge.http.tls.certificates]]\ncertificate = "{certificate}"\n'
    server = Headwater(folder / "server", extra=extra).start()
    try:
        with publishers(SOURCE.make(folder), server.rtmp, 1, folder):
            server.wait_playable(STREAM)
            yield Server(server, port)
    finally:
        assert server.stop() == 0


def curl(*arguments: str) -> str:
    command = ["curl", "--silent", "--show-error", "--insecure", "--max-time", "20", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout


def test_curl(serving: Server, tmp_path: Path) -> None:
    shown = "%{http_version} %{response_code} %{size_download}\n"
    url = f"{serving.base}/live/{STREAM}/index.m3u8"
    for option, version in (("--http2", "2"), ("--http1.1", "1.1"), ("--tls-max", "2")):
        arguments = [option, "1.2"] if option == "--tls-max" else [option]
        said = curl(*arguments, "--write-out", shown, "--output", str(tmp_path / "out"), url).split()
        assert said[:2] == [version, "200"]
        assert int(said[2]) == len((tmp_path / "out").read_bytes()) > 0
    assert "HTTP/2 405" in curl("--include", "--data", "x" * 1_000, url)
    # Two at once on one connection.
    parallel = curl("--parallel", "--parallel-immediate", "--write-out", shown, "--output", "/dev/null", url, url)
    assert parallel.count("2 200") >= 1


def test_chromium_plays_the_page_over_http2(serving: Server, tmp_path: Path) -> None:
    with browser() as chromium:
        page = chromium.new_context(ignore_https_errors=True, viewport={"width": 800, "height": 600}).new_page()
        page.goto(f"{serving.base}/live/{STREAM}/")
        start = wait_playing(page)
        page.wait_for_timeout(6_000)
        seen = figures(page)
        page.screenshot(path=str(tmp_path / "page.png"))
        requests = page.evaluate(PROTOCOLS)
    assert seen["stalls"] == start["stalls"], seen
    assert seen["time"] - start["time"] > 4, (start, seen)
    kinds = {kind for kind, _ in requests}
    assert {"m3u8"} < kinds, kinds
    assert {protocol for _, protocol in requests} == {"h2"}, requests
    assert serving.server.metric("headwater_edge_tls_connections_total", at="edge_admin", protocol="h2") >= 1
