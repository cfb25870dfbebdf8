"""What strangers may do to the origin's listener, over a real socket."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from headwater.config.settings import Origin, OriginHttp
from headwater.origin import guard
from headwater.origin.app import OriginServer
from headwater.origin.hub import Hub

PAGES = Path(__file__).parents[3] / "origin" / "pages"


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"", "slow request"), (b"GET / HT", "slow request"), (b"\xffRUBBISH\r\n\r\n", "malformed")],
)
async def test_peers_that_ask_for_nothing_are_closed_and_counted(
    data: bytes, reason: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(guard, "FIRST_REQUEST_S", 0.3)
    registry = CollectorRegistry()
    settings = Origin(http=OriginHttp(port=0))
    server = OriginServer(settings, Hub(settings, registry), registry, PAGES)
    await server.start()
    try:
        good = await asyncio.open_connection("127.0.0.1", server.port)
        good[1].write(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
        assert b"200" in await good[0].readuntil(b"ok\n")
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(data)
        await asyncio.wait_for(reader.read(-1), 10)
        assert registry.get_sample_value("headwater_origin_refused_total", {"reason": reason}) == 1
        writer.close()
        await asyncio.sleep(0.4)
        good[1].write(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
        assert b"200" in await good[0].readuntil(b"ok\n"), "who has asked once may be silent"
        good[1].close()
    finally:
        await server.close()
    assert "Traceback" not in caplog.text


async def test_connections_above_the_limit_are_told_so() -> None:
    registry = CollectorRegistry()
    settings = Origin(http=OriginHttp(port=0, connections=1))
    server = OriginServer(settings, Hub(settings, registry), registry, PAGES)
    await server.start()
    try:
        good = await asyncio.open_connection("127.0.0.1", server.port)
        good[1].write(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
        assert b"200" in await good[0].readuntil(b"ok\n")
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        assert (await asyncio.wait_for(reader.read(-1), 10)).startswith(b"HTTP/1.1 503 ")
        writer.close()
        assert registry.get_sample_value("headwater_origin_refused_total", {"reason": "connections"}) == 1
        good[1].close()
    finally:
        await server.close()


async def test_a_client_that_does_not_read_is_closed_and_counted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each would keep its answer in memory; one that reads slowly goes on."""
    size = 8_000_000  # more than the socket buffers of both sides hold
    (tmp_path / "big.txt").write_bytes(bytes(size))
    monkeypatch.setattr(guard, "STALL_S", 1.0)
    registry = CollectorRegistry()
    settings = Origin(http=OriginHttp(port=0))
    server = OriginServer(settings, Hub(settings, registry), registry, tmp_path)
    await server.start()
    try:
        request = b"GET /assets/big.txt HTTP/1.1\r\nHost: h\r\n\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=4096)
        writer.write(request)
        slow, slow_writer = await asyncio.open_connection("127.0.0.1", server.port, limit=4096)
        slow_writer.write(request)
        taken = 0
        async with asyncio.timeout(20):
            while not registry.get_sample_value("headwater_origin_refused_total", {"reason": "slow reader"}):
                taken += len(await slow.read(50_000))
                await asyncio.sleep(0.05)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(reader.readexactly(size), 10)
        while taken < size:
            data = await slow.read(50_000)
            assert data, "who reads slowly goes on"
            taken += len(data)
        writer.close()
        slow_writer.close()
    finally:
        await server.close()
