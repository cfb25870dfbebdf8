"""The client against real servers that behave badly."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from headwater.loadtest.doctor.client import MAX_REDIRECTS, HttpClient
from headwater.loadtest.doctor.values import Answer, Ask

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def server(handler: Handler) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    test = TestServer(app)
    await test.start_server()
    try:
        yield f"http://127.0.0.1:{test.port}/"
    finally:
        await test.close()


async def fetch(handler: Handler, path: str = "a.m3u8", **options: object) -> Answer:
    async with server(handler) as base, HttpClient() as client:
        return await client.fetch(Ask(base + path, **options))  # type: ignore[arg-type]


@asynccontextmanager
async def raw(data: bytes) -> AsyncIterator[str]:
    """A server that sends these bytes whatever it is asked."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(data)
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with listener:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/"


async def test_a_good_answer() -> None:
    async def handler(request: web.Request) -> web.Response:
        assert request.headers["Accept-Encoding"] == "gzip"
        return web.Response(body=gzip.compress(b"#EXTM3U\n", mtime=0), headers={"Content-Encoding": "gzip", "X-A": "b"})

    answer = await fetch(handler)
    assert (answer.status, answer.ok, answer.body, answer.header("x-a")) == (200, True, b"#EXTM3U\n", "b")
    assert answer.sent <= answer.first <= answer.first_byte <= answer.done
    assert answer.bare().body == b""


async def test_redirects_are_followed_and_counted() -> None:
    async def handler(request: web.Request) -> web.Response:
        if request.path == "/a.m3u8":
            raise web.HTTPFound("b.m3u8?x=1")
        return web.Response(text=request.path_qs)

    answer = await fetch(handler)
    assert (answer.body, answer.redirects) == (b"/b.m3u8?x=1", 1)
    assert answer.url.endswith("/b.m3u8?x=1")


async def test_a_redirect_loop_ends() -> None:
    count = 0

    async def handler(request: web.Request) -> web.Response:
        nonlocal count
        count += 1
        raise web.HTTPFound("/a.m3u8")

    answer = await fetch(handler)
    assert not answer.ok
    assert "redirects" in answer.failure
    assert count == MAX_REDIRECTS + 1


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://127.0.0.1/", "http://[bad", "http://"])
async def test_a_redirect_away_from_http_is_refused(to: str) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": to})

    answer = await fetch(handler)
    assert not answer.ok
    assert answer.failure


async def test_an_endless_body_is_cut_off() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65_536)

    answer = await fetch(handler, max_bytes=100_000)
    assert answer.failure == "ValueError: larger than 100000 bytes"
    assert len(answer.body) <= 100_000


async def test_a_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(b"\0" * (64 << 20))

    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})

    answer = await fetch(handler, max_bytes=1 << 20)
    assert "larger than" in answer.failure


async def test_a_slow_body_is_given_up() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(200):
            await response.write(b"x")
            await asyncio.sleep(0.05)
        return response

    answer = await fetch(handler, timeout_s=1.0)
    assert answer.failure == "not finished after 1.0 s"
    assert answer.status == 200


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", b"this is no gzip"),
        ("gzip", gzip.compress(b"x" * 1000, mtime=0)[:-8]),
        ("deflate", b"\1\2\3"),
        ("br", b"abc"),
    ],
)
async def test_wrong_codings_are_failures(coding: str, body: bytes) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=body, headers={"Content-Encoding": coding})

    answer = await fetch(handler)
    assert not answer.ok
    assert answer.failure


async def test_deflate_is_read() -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=zlib.compress(b"fine"), headers={"Content-Encoding": "deflate"})

    assert (await fetch(handler)).body == b"fine"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\1\2\3",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nLocation: \xff\xfe\r\nContent-Length: 0\r\nDate: \xff\r\n\r\n",
    ],
)
async def test_no_http_at_all(data: bytes) -> None:
    async with raw(data) as base, HttpClient() as client:
        answer = await client.fetch(Ask(base, timeout_s=2))
    assert answer.failure or answer.status == 200


async def test_nobody_listens() -> None:
    async with HttpClient() as client:
        answer = await client.fetch(Ask("http://127.0.0.1:1/", timeout_s=5))
        assert (answer.status, answer.ok) == (0, False)
        assert answer.failure
        assert await client.offers_http2("http://127.0.0.1:1/") is None
        assert await client.offers_http2("https://127.0.0.1:1/") is None
