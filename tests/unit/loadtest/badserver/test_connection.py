"""One client's requests in order, bodies that are spoilt, and a connection's bounds."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from tests.badserver_kit import answer, get, running

from headwater.loadtest.badserver.connection import MAX_HEAD_BYTES, MAX_QUEUED


def dues(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Gets the seconds since its head at which each later piece of a spoilt body is due: what the server asks its loop
    for. By how much the loop is late is the machine's doing."""
    found: list[float] = []
    loop = asyncio.get_running_loop()
    call_at = loop.call_at

    def noting(when: float, callback: Any, *words: Any, **more: Any) -> asyncio.TimerHandle:
        if "_Drip" in callback.__qualname__:
            found.append(when - callback.__self__._began)
        return call_at(when, callback, *words, **more)

    monkeypatch.setattr(loop, "call_at", noting)
    return found


async def test_pipelined_requests_are_answered_in_their_order() -> None:
    async with running() as site:
        reader, writer = await site.connect()
        number = site.next
        writer.write(get(f"hd/p{number}.m4s") + get("index.m3u8") + get("hd/nothing"))
        got = [await answer(reader) for _ in range(3)]
        assert [status for status, _ in got] == [200, 200, 404]
        assert len(got[0][1]) == 2_000
        writer.write(get("index.m3u8", version="1.0"))
        assert (await answer(reader))[0] == 200
        assert await reader.read() == b"", "HTTP/1.0: closed"


async def test_a_body_stalls_half_way(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running("stall=150") as site:
        reader, writer = await site.connect()
        due, began = dues(monkeypatch), time.monotonic()
        writer.write(get(f"hd/p{site.next}.m4s"))
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(1_000)
        await reader.readexactly(1_000)
        assert time.monotonic() - began > 0.14
        assert due == [pytest.approx(0.15)]
        writer.write(get("index.m3u8"))
        assert (await answer(reader))[0] == 200


async def test_a_body_comes_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running("slow=80000") as site:
        reader, writer = await site.connect()
        due, began = dues(monkeypatch), time.monotonic()
        writer.write(get(f"hd/p{site.next}.m4s"))
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(2_000)
        assert time.monotonic() - began > 0.19
        assert due == pytest.approx([0.05, 0.1, 0.15, 0.2]), "2000 bytes at 80 kbit/s"


async def test_a_body_ends_in_a_reset() -> None:
    async with running("reset") as site:
        reader, writer = await site.connect()
        writer.write(get(f"hd/p{site.next}.m4s"))
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(1_000)
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(1_000)


@pytest.mark.parametrize(
    "data",
    [
        b"rubbish\r\n\r\n", b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"a" * MAX_HEAD_BYTES,
        get("index.m3u8")[:-2] + b"A: b\r\n" * 4_000,
    ],
)  # fmt: skip
async def test_what_is_not_asked_for_properly_ends_the_connection(data: bytes) -> None:
    async with running() as site:
        reader, writer = await site.connect()
        writer.write(data)
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)


async def test_requests_behind_a_held_one_are_bounded() -> None:
    async with running() as site:
        reader, writer = await site.connect()
        writer.write(get(f"hd/p{site.next}.m4s") + get("index.m3u8") * (MAX_QUEUED + 1))
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        assert site.server.stream.told.refused == 1
