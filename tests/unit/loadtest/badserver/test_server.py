"""Holding and waking, and the server's bounds."""

from __future__ import annotations

import asyncio
import json

import pytest
from tests.badserver_kit import answer, get, running

from headwater.loadtest.badserver import server as module


async def test_all_who_wait_are_answered_when_the_part_is_due() -> None:
    async with running() as site:
        clients = [await site.connect() for _ in range(20)]
        number = site.next
        for _, writer in clients:
            writer.write(get(f"hd/index.m3u8?_HLS_msn={number // 5}&_HLS_part={number % 5}"))
        got = await asyncio.gather(*(answer(reader) for reader, _ in clients))
        late_ms = site.server.now_ms() - site.server.stream.schedule.due(number)
        assert {status for status, _ in got} == {200}
        assert all(f"p{number}.m4s" in body.decode() for _, body in got)
        assert -1 < late_ms < 150
        assert site.server.stream.told.answers == {"200 playlist": 20}


async def test_who_asks_again_gets_a_flaky_part() -> None:
    async with running("flaky=404") as site:
        path = f"hd/p{site.next}.m4s"
        for _ in range(2):
            reader, writer = await site.connect()
            writer.write(get(path) * 2 + get(path))
            assert [(await answer(reader))[0] for _ in range(3)] == [404, 200, 404]
        assert site.server.stream.told.answers == {"404 part": 4, "200 part": 2}


async def test_told_is_json() -> None:
    async with running("reset,share=0.5") as site:
        reader, writer = await site.connect()
        writer.write(b"GET /told HTTP/1.1\r\nHost: x\r\n\r\n")
        status, body = await answer(reader)
        assert status == 200
        told = json.loads(body)
        assert (told["part_s"], told["open_connections"], told["faults"][0]["share"]) == (0.2, 1, 0.5)


async def test_who_leaves_is_forgotten() -> None:
    async with running() as site:
        _, writer = await site.connect()
        writer.write(get(f"hd/p{site.next}.m4s"))
        await asyncio.sleep(0.02)
        writer.close()
        await asyncio.sleep(0.02)
        assert not site.server._connections
        assert all(not held.connections for held in site.server._held.values())


async def test_too_many_connections_are_refused() -> None:
    async with running(connections=1) as site:
        first = await site.connect()
        second, _ = await site.connect()
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await second.readexactly(1)
        first[1].write(get("index.m3u8"))
        assert (await answer(first[0]))[0] == 200
        assert site.server.stream.told.refused == 1


async def test_a_hold_ends_after_three_target_durations() -> None:
    async with running("freeze,to=60") as site:
        reader, writer = await site.connect()
        writer.write(get(f"hd/p{site.next}.m4s"))
        await asyncio.sleep(0.02)
        (held,) = site.server._held.values()
        assert held.until_ms == pytest.approx(site.server.now_ms() + 3_000, abs=200)
        held.until_ms = site.server.now_ms()
        site.server._tick()
        assert (await answer(reader))[0] == 503


async def test_targets_held_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_HELD_TARGETS", 1)
    async with running("freeze,to=60") as site:
        (_, first), (reader, second) = await site.connect(), await site.connect()
        first.write(get(f"hd/p{site.next}.m4s"))
        await asyncio.sleep(0.02)
        second.write(get(f"sd/p{site.next}.m4s"))
        assert (await answer(reader))[0] == 503


async def test_idle_connections_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SWEEP_S", 0.01)
    async with running() as site:
        reader, _ = await site.connect()
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(reader.readexactly(1), 2)
