"""A run that cannot begin, and the phases of one that ended early. Whole runs: tests/peers/test_scenario.py."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from tests.live_server import LiveServer
from tests.results_kit import tick

from headwater.loadtest.bench.certificates import self_signed
from headwater.loadtest.bench.processes import free_port
from headwater.loadtest.records import ClockOffset, PhaseSpan, Protocol
from headwater.loadtest.results.collector import Snapshot
from headwater.loadtest.scenario.arrivals import arrivals_of
from headwater.loadtest.scenario.controller import Controller, Order, within
from headwater.loadtest.scenario.offset import NoAnswer
from headwater.loadtest.scenario.options import Options, scenario_of
from headwater.loadtest.scenario.settings import Scenario


class Nowhere:
    """Shows nothing, and remembers what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def update(self, snapshot: Snapshot) -> None:
        """Nothing."""

    def say(self, text: str) -> None:
        self.said.append(text)


async def test_nobody_answers() -> None:
    scenario = scenario_of(Options({"url": f"http://127.0.0.1:{free_port()}/x.m3u8"}))
    assert scenario.url
    controller = Controller(Order(scenario, scenario.url, arrivals_of(scenario), "headwater"), Nowhere())
    with pytest.raises(NoAnswer):
        await controller.run()
    assert not controller.begun
    assert not controller.finishing


async def test_a_server_without_http2(tmp_path: Path) -> None:
    server = LiveServer()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(self_signed(tmp_path))
    async with server.serve(tls) as base:
        url = f"{base}/live/index.m3u8"
        scenario = scenario_of(Options({"url": url, "http2": True, "insecure": True}))
        with pytest.raises(NoAnswer, match="does not choose HTTP/2"):
            await Controller(Order(scenario, url, arrivals_of(scenario), "headwater"), Nowhere()).run()


def test_who_gets_no_http2_in_a_run_is_told_of_once() -> None:
    url, view = "https://h/live/index.m3u8", Nowhere()
    scenario = scenario_of(Options({"url": url, "http2": True}))
    controller = Controller(Order(scenario, url, arrivals_of(scenario), "headwater"), view)
    controller._take(tick(3, errors={"reset part": 1}))
    assert view.said == []
    for second in (4, 5):
        controller._take(tick(second, errors={"no h2 part": 2}))
    assert [text.partition(":")[0] for text in view.said] == ["4 s"]
    result = controller._result(0.0, 6.0, ClockOffset(0.0, 0.0, "given"))
    assert result.protocol is Protocol.HTTP2
    assert [reason for reason in result.invalid if "did not choose HTTP/2" in reason]


async def test_publishers_that_failed_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headwater.loadtest.scenario.controller.PUBLISHED_S", 1.0)
    monkeypatch.setattr("headwater.loadtest.scenario.encoders.MODULE", "no.such.module")
    port = free_port()
    phases = [{"name": "a", "duration_s": 1, "arrivals": [{"kind": "constant", "rate": 1}]}]
    publishers = [{"url": f"rtmp://127.0.0.1:{port}/live/a"}]
    scenario = Scenario.model_validate({"phases": phases, "publishers": publishers})
    controller = Controller(Order(scenario, f"http://127.0.0.1:{port}/a", (), "headwater"), Nowhere())
    with pytest.raises(NoAnswer, match=rf"publisher rtmp://127\.0\.0\.1:{port}/live/a: its process ended: "):
        await controller.run()


def test_a_run_that_ended_early_has_seen_fewer_phases() -> None:
    phases = (PhaseSpan("a", 0, 10), PhaseSpan("b", 10, 20), PhaseSpan("c", 20, 30))
    assert within(phases, 30) == phases
    assert within(phases, 12.5) == (phases[0], PhaseSpan("b", 10, 12.5))
    assert within(phases, 10) == phases[:1]
