"""Connections: TLS, names, source addresses, and why there is none."""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop
from tests.live_server import LiveServer

from headwater.loadtest.bench.certificates import self_signed
from headwater.loadtest.generator.dial import Dialer
from headwater.loadtest.generator.plan import Arrival
from headwater.loadtest.players.address import Origin
from headwater.loadtest.records import Count, Mode, ViewerClass

from .test_process import plan, run


def _same(protocol: asyncio.BufferedProtocol) -> asyncio.BufferedProtocol:
    return protocol


class Quiet(asyncio.BufferedProtocol):
    """Says when it is connected."""

    def __init__(self) -> None:
        self.made = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.made.set_result(transport)

    def get_buffer(self, sizehint: int) -> bytearray:
        return bytearray(100)


async def why(dialer: Dialer, origin: Origin) -> str:
    """Why there is no connection."""
    refused: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    dialer.dial(origin, Quiet, refused.set_result)
    try:
        return await asyncio.wait_for(refused, 5)
    finally:
        await dialer.close()


def server_context(folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(folder))
    return context


async def watch_over_tls(folder: Path) -> None:
    server = LiveServer(part=b"x" * 70_000)
    async with server.serve(server_context(folder)) as base:
        arrivals = tuple(Arrival(0.0, ViewerClass(), None) for _ in range(2))
        made = plan(server, f"{base}/live/index.m3u8", arrivals, 20.0, insecure=True)
        ticks, sums = await run(made, until=lambda: server.seen("/p") >= 2 * 2 * 6)
    assert not any(tick.errors for tick in ticks)
    assert sums[Count.STARTED] == 2
    assert sums[Count.PARTS] > 4


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run])
def test_https(runner: Callable[..., None], tmp_path: Path) -> None:
    runner(watch_over_tls(tmp_path))


async def watch_over_http2(folder: Path) -> None:
    server = LiveServer(part=b"x" * 70_000)
    async with server.serve(server_context(folder), http2=True) as base:
        arrivals = tuple(Arrival(0.0, ViewerClass(mode=mode), None) for mode in Mode)
        made = plan(server, f"{base}/t/TOKEN/live/index.m3u8", arrivals, 20.0, insecure=True, http2=True)
        ticks, sums = await run(made, until=lambda: server.seen("/p") >= 40 and server.seen("/s") >= 4)
    assert not any(tick.errors for tick in ticks)
    assert sums[Count.STARTED] == sums[Count.CONNECTIONS] == 3, "one for video and audio, playlists and parts"
    assert sums[Count.PARTS] > 10
    assert sums[Count.FATAL] == sums[Count.STALLS] == 0
    assert all(target.startswith("/t/TOKEN/live/") for target in server.requests), "a token in the path is kept"


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run])
def test_http2(runner: Callable[..., None], tmp_path: Path) -> None:
    runner(watch_over_http2(tmp_path))


@pytest.mark.parametrize("tls", [True, False])
async def test_without_http2_there_is_no_other_way(tls: bool, tmp_path: Path) -> None:
    server = LiveServer()
    async with server.serve(server_context(tmp_path) if tls else None) as base:
        arrivals = (Arrival(0.0, ViewerClass(), None),)
        # Without TLS nobody is asked at all; a handshake takes its time where the machine is busy.
        seconds = 1.5 if tls else 0.2
        ticks, _ = await run(plan(server, f"{base}/live/index.m3u8", arrivals, seconds, insecure=True, http2=True))
    assert {kind for tick in ticks for kind in tick.errors} == {"no h2 multivariant"}
    assert server.requests == []


async def test_certificates_are_verified(tmp_path: Path) -> None:
    server = LiveServer()
    async with server.serve(server_context(tmp_path)):
        dialer = Dialer((), insecure=False, timeout_s=5.0)
        assert await why(dialer, Origin(True, "127.0.0.1", server.port)) == "tls"


async def test_reasons() -> None:
    server = LiveServer()
    async with server.serve():
        pass
    assert await why(Dialer((), insecure=False, timeout_s=5.0), Origin(False, "127.0.0.1", server.port)) == "refused"
    assert await why(Dialer((), insecure=False, timeout_s=5.0), Origin(False, "h.invalid", 80)) == "unreachable"
    assert await why(Dialer((), insecure=False, timeout_s=0.0), Origin(False, "127.0.0.1", 80)) == "timeout"
    foreign = Dialer(("192.0.2.1",), insecure=False, timeout_s=5.0)
    assert await why(foreign, Origin(False, "127.0.0.1", server.port)) == "unreachable"


async def test_sources_take_turns() -> None:
    server = LiveServer()
    async with server.serve():
        dialer = Dialer(("127.0.0.4", "127.0.0.5"), insecure=False, timeout_s=5.0)
        protocols = [Quiet() for _ in range(4)]
        refused: list[str] = []
        for protocol in protocols:
            dialer.dial(Origin(False, "localhost", server.port), functools.partial(_same, protocol), refused.append)
        transports = [await protocol.made for protocol in protocols]
        assert sorted(transport.get_extra_info("sockname")[0] for transport in transports) == [
            "127.0.0.4", "127.0.0.4", "127.0.0.5", "127.0.0.5",
        ]  # fmt: skip
        for transport in transports:
            transport.abort()
        await dialer.close()
