"""The upstream client against real servers that behave and misbehave."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from headwater.config.settings_upstream import EdgeUpstream
from headwater.edge import fetch
from headwater.edge.fetch import Fetcher, FetchLimits
from headwater.edge.message import Failure, Purpose, UpstreamAnswer, UpstreamRequest
from headwater.loadtest.bench.certificates import self_signed

LIMITS = FetchLimits(connections=4, followers=2, object_bytes=1_000, timeout_s=0.4, connect_timeout_s=0.4)


@asynccontextmanager
async def serving(handler: Callable[[web.Request], web.StreamResponse]) -> AsyncIterator[str]:
    async def handle(request: web.Request) -> web.StreamResponse:
        return handler(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


@asynccontextmanager
async def speaking(raw: bytes | None) -> AsyncIterator[str]:
    """A server that says `raw` to whoever comes and hangs up; None: says nothing and stays."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if raw is None:
            await reader.read()
        else:
            writer.write(raw)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    await server.wait_closed()


async def get(base: str, request: UpstreamRequest, limits: FetchLimits = LIMITS) -> UpstreamAnswer:
    fetcher = Fetcher(EdgeUpstream(url=base), limits, "edge-1", "id-1")
    future: asyncio.Future[UpstreamAnswer] = asyncio.get_running_loop().create_future()
    fetcher.fetch(request, future.set_result)
    try:
        return await future
    finally:
        await fetcher.close()
        assert fetcher.open == 0


async def test_a_request_carries_nothing_of_a_viewer() -> None:
    seen: list[web.Request] = []

    def handler(request: web.Request) -> web.Response:
        seen.append(request)
        return web.Response(body=b"abc", headers={"X-A": "1", "Cache-Control": "max-age=5"})

    async with serving(handler) as base:
        answer = await get(base, UpstreamRequest("/a%2Bb?x=%2B&_HLS_msn=3", etag='"e"', last_modified="then"))
    assert (answer.status, answer.body, answer.get("x-a")) == (200, b"abc", "1")
    assert seen[0].raw_path == "/a%2Bb?x=%2B&_HLS_msn=3", "the target goes upstream as it is"
    assert seen[0].headers["Accept-Encoding"] == "identity"
    assert seen[0].headers["Via"] == "1.1 edge-1"
    assert seen[0].headers["If-None-Match"] == '"e"'
    assert seen[0].headers["If-Modified-Since"] == "then"
    assert "Cookie" not in seen[0].headers
    assert seen[0].headers["CDN-Loop"] == "id-1"


async def test_the_edges_that_were_passed_are_told() -> None:
    seen: list[str] = []

    def handler(request: web.Request) -> web.Response:
        seen.append(request.headers["CDN-Loop"])
        return web.Response()

    async with serving(handler) as base:
        await get(base, UpstreamRequest("/", loop="a, b;x=1"))
    assert seen == ["a, b;x=1, id-1"]


@asynccontextmanager
async def listening(folder: Path, *, tls: bool) -> AsyncIterator[str]:
    """On a Unix socket, or with a certificate of its own for localhost."""

    async def handle(request: web.Request) -> web.Response:
        return web.Response(text=f"{request.host}{request.path}")

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self_signed(folder))
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        yield f"https://127.0.0.1:{runner.addresses[0][1]}"
    else:
        await web.UnixSite(runner, str(folder / "socket")).start()
        yield f"unix:{folder / 'socket'}"
    await runner.cleanup()


async def ask(upstream: EdgeUpstream) -> UpstreamAnswer:
    fetcher = Fetcher(upstream, LIMITS, "e", "id-1")
    future: asyncio.Future[UpstreamAnswer] = asyncio.get_running_loop().create_future()
    fetcher.fetch(UpstreamRequest("/a?b=c"), future.set_result)
    try:
        return await future
    finally:
        await fetcher.close()


async def test_an_upstream_on_a_unix_socket(tmp_path: Path) -> None:
    async with listening(tmp_path, tls=False) as url:
        assert (await ask(EdgeUpstream(url=url))).body == b"localhost/a"
    assert (await ask(EdgeUpstream(url=url))).failure is Failure.CONNECT


async def test_an_upstream_with_tls(tmp_path: Path) -> None:
    async with listening(tmp_path, tls=True) as url:
        assert (await ask(EdgeUpstream(url=url))).failure is Failure.CONNECT, "nobody vouches for it"
        assert (await ask(EdgeUpstream(url=url, insecure=True))).status == 200
        ca = tmp_path / "certificate.pem"
        assert (await ask(EdgeUpstream(url=url, ca=ca))).status == 200
        other = EdgeUpstream(url=url, ca=ca, server_name="other.example")
        assert (await ask(other)).failure is Failure.CONNECT, "the certificate is not that name's"


async def test_an_encoding_that_was_not_asked_for_is_undone() -> None:
    def handler(request: web.Request) -> web.Response:
        return web.Response(body=gzip.compress(b"abc"), headers={"Content-Encoding": "gzip"})

    async with serving(handler) as base:
        assert (await get(base, UpstreamRequest("/"))).body == b"abc"


async def test_redirects_are_passed_on() -> None:
    def handler(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/b"})

    async with serving(handler) as base:
        answer = await get(base, UpstreamRequest("/a"))
    assert (answer.status, answer.get("location")) == (302, "/b")


async def test_cookies_are_not_kept() -> None:
    cookies: list[str | None] = []

    def handler(request: web.Request) -> web.Response:
        cookies.append(request.headers.get("Cookie"))
        return web.Response(headers={"Set-Cookie": "a=b"})

    async with serving(handler) as base:
        fetcher = Fetcher(EdgeUpstream(url=base), LIMITS, "e", "id-1")
        for _ in range(2):
            done = asyncio.Event()
            fetcher.fetch(UpstreamRequest("/"), lambda answer, done=done: done.set())  # type: ignore[misc]
            await done.wait()
        await fetcher.close()
    assert cookies == [None, None]


@pytest.mark.parametrize("declared", [True, False])
async def test_an_answer_that_is_too_large(declared: bool) -> None:
    size = 1_001
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n" if declared else "HTTP/1.1 200 OK\r\nConnection: close\r\n"
    async with speaking(head.encode() + b"\r\n" + b"x" * size) as base:
        assert (await get(base, UpstreamRequest("/"))).failure is Failure.TOO_LARGE


async def test_a_bomb_is_bounded_by_what_it_becomes() -> None:
    bomb = gzip.compress(b"0" * 10_000_000)

    def handler(request: web.Request) -> web.Response:
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})

    limits = FetchLimits(4, 2, 100_000, 2.0, 0.4)
    async with serving(handler) as base:
        assert (await get(base, UpstreamRequest("/"), limits)).failure is Failure.TOO_LARGE


@pytest.mark.parametrize(
    ("raw", "failure"),
    [
        (None, Failure.TIMEOUT),
        (b"", Failure.RESET),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", Failure.RESET),
        (b"NONSENSE\r\n\r\n", Failure.INVALID),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", None),
    ],
)
async def test_failures_have_names(raw: bytes | None, failure: Failure | None) -> None:
    async with speaking(raw) as base:
        answer = await get(base, UpstreamRequest("/", Purpose.PLAYLIST))
    assert answer.failure is failure or failure is None
    assert answer.failure is not None
    assert answer.status == 0


async def test_nobody_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert (await get(f"http://127.0.0.1:{port}", UpstreamRequest("/"))).failure is Failure.CONNECT


async def test_a_cancelled_request_answers_nothing() -> None:
    async with speaking(None) as base:
        fetcher = Fetcher(EdgeUpstream(url=base), LIMITS, "e", "id-1")
        answers: list[UpstreamAnswer] = []
        cancel = fetcher.fetch(UpstreamRequest("/"), answers.append)
        await asyncio.sleep(0.01)
        cancel()
        cancel()
        await asyncio.sleep(0.01)
        assert fetcher.open == 0
        assert answers == []
        await fetcher.close()


async def test_held_requests_do_not_wait_behind_others() -> None:
    async def handle(request: web.Request) -> web.Response:
        if request.path == "/slow":
            await asyncio.sleep(5)
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    fetcher = Fetcher(
        EdgeUpstream(url=f"http://127.0.0.1:{runner.addresses[0][1]}"), FetchLimits(1, 2, 1_000, 5.0, 1.0), "e", "id-1"
    )
    fetcher.fetch(UpstreamRequest("/slow"), lambda answer: None)
    done = asyncio.Event()
    fetcher.fetch(UpstreamRequest("/live", Purpose.PLAYLIST), lambda answer: done.set())
    await asyncio.wait_for(done.wait(), 2)
    await fetcher.close()
    await runner.cleanup()


async def test_who_finds_no_free_connection_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "BUSY_S", 0.1)
    async with speaking(None) as base:
        fetcher = Fetcher(EdgeUpstream(url=base), FetchLimits(1, 2, 1_000, 5.0, 0.1), "e", "id-1")
        fetcher.fetch(UpstreamRequest("/slow"), lambda answer: None)
        future: asyncio.Future[UpstreamAnswer] = asyncio.get_running_loop().create_future()
        await asyncio.sleep(0)
        fetcher.fetch(UpstreamRequest("/b"), future.set_result)
        assert (await future).failure is Failure.BUSY
        await fetcher.close()


async def test_a_playlist_that_is_held_takes_no_plain_connection() -> None:
    async with speaking(None) as slow:
        fetcher = Fetcher(EdgeUpstream(url=slow), FetchLimits(1, 1, 1_000, 0.3, 0.1), "e", "id-1")
        answers: list[UpstreamAnswer] = []
        fetcher.fetch(UpstreamRequest("/a", Purpose.BLOCKING), answers.append)
        fetcher.fetch(UpstreamRequest("/b"), answers.append)
        while fetcher.open:  # noqa: ASYNC110  (what is waited for is a count)
            await asyncio.sleep(0.01)
        assert [answer.failure for answer in answers] == [Failure.TIMEOUT, Failure.TIMEOUT], "both had a connection"
        await fetcher.close()


async def test_a_range_goes_up_and_its_206_comes_back() -> None:
    def handle(request: web.Request) -> web.Response:
        assert request.headers["Range"] == "bytes=2-3"
        return web.Response(status=206, body=b"cd", headers={"Content-Range": "bytes 2-3/10"})

    async with serving(handle) as base:
        answer = await get(base, UpstreamRequest("/a", range="bytes=2-3"))
    assert (answer.status, answer.body, answer.get("content-range")) == (206, b"cd", "bytes 2-3/10")


async def test_an_error_in_the_receiver_is_not_lost(capsys: pytest.CaptureFixture[str]) -> None:
    def broken(answer: UpstreamAnswer) -> None:
        raise RuntimeError("a bug")

    async with speaking(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as base:
        fetcher = Fetcher(EdgeUpstream(url=base), LIMITS, "e", "id-1")
        fetcher.fetch(UpstreamRequest("/"), broken)
        while fetcher.open:  # noqa: ASYNC110  (what is waited for is a count)
            await asyncio.sleep(0.005)
        await fetcher.close()
    assert "fetch-bug" in capsys.readouterr().out
