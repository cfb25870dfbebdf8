"""The link with faults, and a publisher whose server is not there."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Mapping

import pytest
from tests.unit.loadtest.scenario.test_faults import AVC

from headwater.loadtest import records_json
from headwater.loadtest.bench.processes import free_port
from headwater.loadtest.publish.amf import Value
from headwater.loadtest.publish.flv import TagKind
from headwater.loadtest.publish.rtmp import Event, Lost
from headwater.loadtest.records import ChaosEvent
from headwater.loadtest.scenario import encoder as module
from headwater.loadtest.scenario.encoder import Encoder, FaultyLink, Job
from headwater.loadtest.scenario.faults import Faults
from headwater.loadtest.scenario.publishing import Disconnect, Fault, Jump, Publisher, Spike, Stall


class Wire:
    """Remembers what is sent."""

    shown, bytes_sent, unsent = "rtmp://here", 7, 3

    def __init__(self) -> None:
        self.metadata: list[Mapping[str, Value]] = []
        self.media: list[tuple[TagKind, int, bytes]] = []
        self.exchanges = 0

    def send_metadata(self, values: Mapping[str, Value]) -> None:
        self.metadata.append(values)

    def send_media(self, kind: TagKind, timestamp: int, payload: bytes) -> None:
        self.media.append((kind, timestamp, payload))

    def exchange(self, until: float) -> list[Event]:
        self.exchanges += 1
        return []


def link(wire: Wire, *faults: Fault, now: float = 0.0, stopped: bool = False) -> FaultyLink:
    return FaultyLink(wire, Faults(faults), lambda: now, lambda: stopped)


def test_without_a_fault_nothing_changes() -> None:
    wire = Wire()
    through = link(wire)
    through.send_metadata({"a": 1.0})
    through.send_media(TagKind.AUDIO, 40, b"x")
    assert through.exchange(0) == []
    assert (through.shown, through.bytes_sent, through.unsent) == ("rtmp://here", 7, 3)
    assert wire.media == [(TagKind.AUDIO, 40, b"x")]
    assert wire.metadata == [{"a": 1.0}]
    assert wire.exchanges == 1


def test_timestamps_jump_and_pictures_grow() -> None:
    wire = Wire()
    faults = (Jump(kind="jump", at_s=1, by_s=2.5), Spike(kind="spike", at_s=1, for_s=1, factor=3))
    link(wire, *faults, now=1.5).send_media(TagKind.VIDEO, 40, AVC)
    ((_, timestamp, payload),) = wire.media
    assert timestamp == 2_540
    assert len(payload) == 3 * len(AVC)


def test_a_disconnect_is_a_lost_connection() -> None:
    (event,) = link(Wire(), Disconnect(kind="disconnect", at_s=1, for_s=2), now=2).exchange(0)
    assert isinstance(event, Lost)


def test_a_stall_lasts_until_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    wire, times = Wire(), iter([1.0, 1.5, 2.9, 3.1])
    through = FaultyLink(wire, Faults([Stall(kind="stall", at_s=1, for_s=2)]), lambda: next(times), lambda: False)
    assert through.exchange(0) == []
    assert wire.exchanges == 4  # three while it stalls: the connection is kept alive
    assert next(times, None) is None


def test_a_stall_does_not_outlive_the_run() -> None:
    wire = Wire()
    assert link(wire, Stall(kind="stall", at_s=1, for_s=3_000), now=2, stopped=True).exchange(0) == []
    assert wire.exchanges == 1


def test_a_server_that_is_not_there_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AGAIN_S", 0.01)
    publisher = Publisher(url=f"rtmp://127.0.0.1:{free_port()}/live/a", width=160, height=90)
    stop, out = threading.Event(), io.StringIO()
    encoder = Encoder(Job(publisher=publisher, shown=publisher.shown(1)), stop, out)
    encoder.epoch = time.monotonic() - 5
    thread = threading.Thread(target=encoder.run)
    thread.start()
    time.sleep(0.3)
    stop.set()
    thread.join(5)
    assert not thread.is_alive()
    (line,) = out.getvalue().splitlines()
    event = records_json.from_text(ChaosEvent, line)
    assert event.what == f"{publisher.shown(1)}: connection failed"
    assert not event.ok
    assert "cannot connect" in event.detail
    assert event.second == pytest.approx(5, abs=2)


def test_a_file_that_is_not_there(tmp_path: object) -> None:
    publisher = Publisher.model_validate({"url": f"rtmp://127.0.0.1:{free_port()}/live/a", "file": f"{tmp_path}/no"})
    out = io.StringIO()
    encoder = Encoder(Job(publisher=publisher, shown="publisher a"), threading.Event(), out)
    assert encoder.run() == 1
    assert "cannot publish" in out.getvalue()
