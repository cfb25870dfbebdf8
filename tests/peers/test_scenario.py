"""`headwater loadtest` as a whole: real encoders, a real server, real generator processes, faults, chaos, reports."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from headwater.loadtest.bench.drive import BadPeer
from headwater.loadtest.bench.processes import children
from headwater.loadtest.bench.server import Headwater
from headwater.loadtest.records import Count, Timing
from headwater.loadtest.results.document import from_json
from headwater.loadtest.results.figures import figures_of_run
from headwater.loadtest.results.model import RunResult

pytestmark = pytest.mark.peer

VIEWERS = 30
SCENARIO = """
name = "everything at once"
url = "{url}"
processes = 2
metrics = ["{origin}", "{edge}"]

[[viewers]]
name = "a"

[[viewers]]
name = "b"
mode = "safari"

[[viewers]]
name = "c"
mode = "legacy"

[[phases]]
name = "calm"
duration_s = 6
arrivals = [{{ kind = "flash", viewers = {viewers}, for_s = 2 }}]
invariants = ["fatal == 0", "viewers == {viewers}", "parts > 0"]

[[phases]]
name = "faults"
duration_s = 8
invariants = ["fatal == 0", "headwater_origin_parts_total > 0"]
chaos = [
    {{ do = "pause", at_s = 1, pid_file = "edge.pid", for_s = 1.5 }},
    {{ do = "run", at_s = 1, command = ["true"] }},
]

[[publishers]]
url = "{rtmp}"
count = 2
width = 320
height = 180
faults = [{{ kind = "disconnect", at_s = 9, for_s = 1 }}]
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Headwater]:
    headwater = Headwater(tmp_path_factory.mktemp("scenario")).start()
    yield headwater
    assert headwater.stop() == 0


def loadtest(*words: object, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "headwater.config.cli", "loadtest", *map(str, words)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def edge_of(server: Headwater) -> int:
    """Process id of its edge."""
    (found,) = [
        pid for pid in children(server.pid) if b"edge" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    ]
    return found


def joined(result: RunResult) -> int:
    return sum(tick.counts.get(Count.JOINED, 0) for tick in result.ticks)


def test_a_scenario(server: Headwater, tmp_path: Path) -> None:
    (tmp_path / "edge.pid").write_text(str(edge_of(server)))
    metrics = {"origin": server.url("/metrics", at="origin_admin"), "edge": server.url("/metrics", at="edge_admin")}
    addresses = {"url": server.url("/live/camera1/index.m3u8"), "rtmp": server.rtmp("camera{n}"), **metrics}
    (tmp_path / "s.toml").write_text(SCENARIO.format(viewers=VIEWERS, **addresses))
    files = [word for name in ("json", "markdown", "html") for word in (f"--{name}", f"report.{name}")]
    run = loadtest("--scenario", "s.toml", *files, folder=tmp_path)
    out, err = run.communicate(timeout=90)
    assert run.returncode == 0, out + err
    result = from_json((tmp_path / "report.json").read_text())
    whole, calm, _ = figures_of_run(result)
    assert joined(result) == VIEWERS
    assert not result.invalid
    assert [verdict.ok for verdict in result.verdicts] == [True] * 5
    assert calm.percentile_us(Timing.PART, 50) is not None
    assert whole.percentile_us(Timing.STARTUP, 50) is not None
    events = [(event.what.partition(" (")[0], event.ok) for event in result.chaos]
    assert sorted(events) == [
        ("pause edge.pid", True),
        *((f"publisher {server.rtmp(f'camera{number}')}: disconnect for 1 s", True) for number in (1, 2)),
        ("resume edge.pid", True),
        ("run true", True),
    ]
    for event in result.chaos:
        expected = {"pause": 7, "run": 7, "resume": 8.5, "publisher": 9}[event.what.split()[0]]
        assert event.second == pytest.approx(expected, abs=1)
    assert result.clock.source == "same machine"
    assert (tmp_path / "report.html").read_text().startswith("<!DOCTYPE html>")
    assert "phase faults" in out


@pytest.fixture
def stream(tmp_path: Path) -> Iterator[str]:
    """The URL of a stream that needs no encoder."""
    server = BadPeer(tmp_path / "stream").start()
    yield server.url
    server.stop()


def test_ctrl_c_and_an_assertion_that_fails(stream: str, tmp_path: Path) -> None:
    options = ("--viewers", 5, "--arrive", "1s", "--assert", "part max < 1 us", "--json", "c.json")
    run = loadtest(stream, *options, folder=tmp_path)
    assert run.stdout is not None
    assert "viewers" in run.stdout.readline()
    time.sleep(2)  # some parts
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=20)
    assert run.returncode == 1, out + err
    assert "headwater loadtest: failed in phase run: part max < 1 us: " in err
    result = from_json((tmp_path / "c.json").read_text())
    assert joined(result) == 5
    assert 1 < result.seconds < 15
    assert not result.invalid
    compared = loadtest("compare", "c.json", "c.json", folder=tmp_path)
    assert "part p50" in compared.communicate(timeout=20)[0]
    assert compared.returncode == 0
