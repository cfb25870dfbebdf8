"""Publishers as processes: what they say comes back, the lossy network stands in between, nothing is left behind."""

from __future__ import annotations

import asyncio

import pytest

from headwater.loadtest.bench.processes import free_port, free_udp_port
from headwater.loadtest.records import ChaosEvent
from headwater.loadtest.scenario import encoders as module
from headwater.loadtest.scenario.encoders import Encoders, NoHost
from headwater.loadtest.scenario.publishing import Publisher


async def test_a_server_that_is_not_there() -> None:
    events: asyncio.Queue[ChaosEvent] = asyncio.Queue()
    encoders = Encoders(events.put_nowait)
    try:
        await encoders.start((Publisher(url=f"rtmp://127.0.0.1:{free_port()}/live/a", width=160, height=90),), 1)
        event = await asyncio.wait_for(events.get(), 30)
    finally:
        await encoders.close()
    assert "connection failed" in event.what
    assert not event.ok


async def test_a_process_that_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MODULE", "no.such.module")
    events: asyncio.Queue[ChaosEvent] = asyncio.Queue()
    encoders = Encoders(events.put_nowait)
    await encoders.start((Publisher(url="rtmp://127.0.0.1:1/live/a"),), 1)
    event = await asyncio.wait_for(events.get(), 10)
    await encoders.close()
    assert event.what == "publisher rtmp://127.0.0.1:1/live/a: its process ended"
    assert "No module named" in event.detail


async def test_loss_comes_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MODULE", "quopri")  # gives its input back when it ends
    events = list[ChaosEvent]()
    encoders = Encoders(events.append)
    loss = {"kind": "loss", "at_s": 10, "for_s": 5, "percent": 20}
    publisher = Publisher.model_validate(
        {"url": f"srt://127.0.0.1:{free_udp_port()}?streamid=publish:live/a", "faults": [loss]}
    )
    await encoders.start((publisher,), 1)
    ((proxy, _, _),) = encoders._networks
    now = [0.0]
    running = asyncio.ensure_future(encoders.begin(0.0, lambda: now[0]))
    found = []
    for second in (5.0, 12.0, 16.0):
        now[0] = second
        await asyncio.sleep(2.5 * module.LOOK_S)
        found.append(proxy.there.link.loss)
    running.cancel()
    await encoders.close()
    assert found == [0, 0.2, 0]
    assert [event.what for event in events] == [f"{publisher.shown(1)}: 20 % loss for 5 s"]


async def test_a_host_that_nobody_knows() -> None:
    loss = {"kind": "loss", "at_s": 10, "for_s": 5, "percent": 20}
    publisher = Publisher.model_validate({"url": "srt://nowhere.invalid:1?streamid=x", "faults": [loss]})
    encoders = Encoders(lambda event: None)
    with pytest.raises(NoHost, match=r"publisher srt://nowhere\.invalid:1: "):
        await encoders.start((publisher,), 1)
    await encoders.close()
