"""When a body is handed on while it comes, against real servers."""

from __future__ import annotations

import asyncio
import gzip
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from tests.edge_house import until

from headwater.config.settings_upstream import EdgeUpstream
from headwater.edge import relay
from headwater.edge.fetch import Fetcher, FetchLimits
from headwater.edge.growing import Flow
from headwater.edge.message import Cancel, Failure, UpstreamAnswer, UpstreamRequest

LIMITS = FetchLimits(4, 2, object_bytes=300_000, timeout_s=0.5, connect_timeout_s=0.4, stall_s=0.5)
LARGE = bytes(200_000)


class Taker:
    """`message.Arriving` that notes everything."""

    def __init__(self, *, wants: bool = True) -> None:
        self.heads: list[tuple[UpstreamAnswer, int | None]] = []
        self.got = bytearray()
        self.pieces = 0
        self.flow: Flow | None = None
        self.on_piece: Callable[[], None] = lambda: None
        self._wants = wants

    def head(self, answer: UpstreamAnswer, length: int | None, flow: Flow) -> bool:
        self.heads.append((answer, length))
        self.flow = flow
        return self._wants

    def piece(self, data: bytes, at: float) -> None:
        self.got += data
        self.pieces += 1
        self.on_piece()


Handler = Callable[[web.Request, web.StreamResponse], Awaitable[None]]


class Client:
    """A fetcher at a server that lets `handler` write the body."""

    def __init__(self, fetcher: Fetcher) -> None:
        self.fetcher = fetcher
        self.cancel: Cancel = lambda: None

    def get(self, taker: Taker | None, path: str = "/") -> asyncio.Future[UpstreamAnswer]:
        future: asyncio.Future[UpstreamAnswer] = asyncio.get_running_loop().create_future()
        self.cancel = self.fetcher.fetch(UpstreamRequest(path, arriving=taker), future.set_result)
        return future


@asynccontextmanager
async def serving(
    handler: Handler, status: int = 200, length: int | None = None, headers: dict[str, str] | None = None
) -> AsyncIterator[Client]:
    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=status, headers=headers)
        response.content_length = length
        await response.prepare(request)
        await handler(request, response)
        return response

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    fetcher = Fetcher(EdgeUpstream(url=base), LIMITS, "edge-1", "id-1")
    try:
        yield Client(fetcher)
    finally:
        await fetcher.close()
        assert fetcher.open == 0
        await runner.cleanup()


def writing(*pieces: bytes, pause_s: float = 0.0) -> Handler:
    async def handler(request: web.Request, response: web.StreamResponse) -> None:
        for number, piece in enumerate(pieces):
            if number:
                await asyncio.sleep(pause_s)
            await response.write(piece)

    return handler


async def test_a_small_answer_is_whole_and_never_offered() -> None:
    taker = Taker()
    async with serving(writing(b"abc"), length=3) as client:
        answer = await client.get(taker)
    assert answer.body == b"abc"
    assert not taker.heads


async def test_a_large_answer_is_handed_on_and_done_has_no_body() -> None:
    taker = Taker()
    async with serving(writing(LARGE), length=len(LARGE), headers={"ETag": '"a"'}) as client:
        answer = await client.get(taker)
    ((head, length),) = taker.heads
    assert (head.status, head.get("etag"), length, head.body) == (200, '"a"', len(LARGE), b"")
    assert taker.got == LARGE
    assert (answer.status, answer.failure, answer.body) == (200, None, b"")
    assert head.at <= answer.at


async def test_a_small_answer_that_takes_its_time_is_handed_on() -> None:
    taker = Taker()
    async with serving(writing(b"abc", b"def", pause_s=0.1)) as client:
        answer = await client.get(taker)
    assert len(taker.heads) == 1
    assert (bytes(taker.got), answer.body, taker.heads[0][1]) == (b"abcdef", b"", None)


async def test_an_unknown_length_is_handed_on_once_it_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "PATIENCE_S", 10.0)
    taker = Taker()
    async with serving(writing(LARGE)) as client:
        await client.get(taker)
    assert taker.heads[0][1] is None
    assert taker.got == LARGE


@pytest.mark.parametrize("status", [404, 500, 302])
async def test_only_answers_with_content_are_offered(status: int) -> None:
    taker = Taker()
    async with serving(writing(LARGE), status) as client:
        answer = await client.get(taker)
    assert (answer.status, answer.body == LARGE, taker.heads) == (status, True, [])


async def test_encoded_answers_are_decoded_and_whole() -> None:
    taker, body = Taker(), os.urandom(200_000)
    async with serving(writing(gzip.compress(body)), headers={"Content-Encoding": "gzip"}) as client:
        assert (await client.get(taker)).body == body
    assert not taker.heads, "lengths and ranges would be those of other bytes"


async def test_what_is_not_taken_is_whole_or_too_large() -> None:
    taker = Taker(wants=False)
    async with serving(writing(LARGE), length=len(LARGE)) as client:
        assert (await client.get(taker)).body == LARGE
        assert len(taker.heads) == 1
    async with serving(writing(LARGE, LARGE)) as client:
        assert (await client.get(taker)).failure is Failure.TOO_LARGE
    async with serving(writing(LARGE, LARGE), length=400_000) as client:
        assert (await client.get(taker)).failure is Failure.TOO_LARGE
        assert (await client.get(Taker())).failure is None, "whose size is the taker's business"


async def test_a_body_that_stalls_is_a_time_out_and_one_that_goes_on_is_none() -> None:
    async with serving(writing(LARGE, *[b"x"] * 6, pause_s=0.2), length=len(LARGE) + 6) as client:
        taker = Taker()
        answer = await client.get(taker)
        assert (answer.failure, len(taker.got)) == (None, len(LARGE) + 6), "longer than the whole may take"
    async with serving(writing(LARGE, b"x", pause_s=1.0), length=len(LARGE) + 1) as client:
        answer = await client.get(Taker())
        assert answer.failure is Failure.TIMEOUT


async def test_a_body_that_breaks_off() -> None:
    async def handler(request: web.Request, response: web.StreamResponse) -> None:
        await response.write(LARGE)
        assert request.transport is not None
        request.transport.close()

    for length in (len(LARGE) + 1, None):
        async with serving(handler, length=length) as client:
            taker = Taker()
            answer = await client.get(taker)
            assert (answer.failure, bytes(taker.got)) == (Failure.RESET, LARGE)


async def test_a_taker_may_pause_for_longer_than_an_upstream_may_stall() -> None:
    taker = Taker()
    async with serving(writing(*[LARGE] * 20), length=20 * len(LARGE)) as client:

        def pause() -> None:
            assert taker.flow is not None
            if taker.pieces == 1:
                taker.flow.pause()

        taker.on_piece = pause
        future = client.get(taker)
        await asyncio.sleep(0.8)
        assert (taker.pieces, future.done()) == (1, False)
        assert taker.flow is not None
        taker.flow.resume()
        assert (await future).failure is None
        assert len(taker.got) == 20 * len(LARGE)


@pytest.mark.parametrize("within", [True, False])
async def test_nothing_is_handed_on_after_a_cancel(within: bool) -> None:
    taker = Taker()
    async with serving(writing(*[LARGE] * 20, pause_s=0.05), length=20 * len(LARGE)) as client:
        taker.on_piece = (lambda: client.cancel()) if within else (lambda: None)
        future = client.get(taker)
        await until(lambda: taker.pieces)
        client.cancel()
        seen = taker.pieces
        await until(lambda: not client.fetcher.open)
        assert taker.pieces == seen
        assert not future.done()
