"""JSON bodies of requests to the admin listener, over real HTTP."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from tests.admin_kit import AdminApi

from headwater.edge.jsonbody import MAX_BODY, read_body, read_json

USAGE = 'the body is {"a": 1}'
JSON = "application/json"


class Api(AdminApi):
    """Tells what it read: `/json` as a document, `/body` as bytes."""

    def __init__(self) -> None:
        super().__init__([web.post("/json", self._json), web.post("/body", self._body)])
        self.documents: list[object] = []
        self.bodies: list[bytes] = []

    async def _json(self, request: web.Request) -> web.Response:
        self.documents.append(await read_json(request, USAGE))
        return web.Response()

    async def _body(self, request: web.Request) -> web.Response:
        self.bodies.append(await read_body(request))
        return web.Response()

    async def chunked(self, path: str, body: bytes, size: int = 1_000) -> int:
        """The status; no length is said before."""

        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(body), size):
                yield body[start : start + size]

        url = f"http://127.0.0.1:{self.server.port}{path}"
        async with aiohttp.request("POST", url, data=pieces(), headers={"Content-Type": JSON}) as answer:
            assert answer.request_info.headers.get("Content-Length") is None
            return answer.status


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with Api() as made:
        yield made


@pytest.mark.parametrize("document", [{"a": [1, 2.5, None]}, [], "text", 0, None, False, {"ü": "…"}])
async def test_any_document_is_read_as_it_is(api: Api, document: object) -> None:
    assert (await api.ask("POST", "/json", document, JSON))[0] == 200
    assert api.documents == [document]


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON"])
async def test_the_type_may_have_parameters_and_any_case(api: Api, kind: str) -> None:
    assert (await api.ask("POST", "/json", {"a": 1}, kind))[0] == 200
    assert api.documents == [{"a": 1}]


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonp", "text/json"],
)
async def test_rfc_9110_section_15_5_16_what_a_page_of_another_site_can_send_is_415(api: Api, kind: str) -> None:
    assert await api.ask("POST", "/json", {"a": 1}, kind) == (415, f"{USAGE} as application/json\n")
    assert api.documents == []


async def test_the_type_is_looked_at_before_the_body(api: Api) -> None:
    assert (await api.ask("POST", "/json", b"x" * (MAX_BODY + 1), "text/plain"))[0] == 415


@pytest.mark.parametrize(
    "body", [b"", b" ", b"{", b"{} {}", b"'a'", b"\xff", b'"\xc3', b"[" * MAX_BODY, b'{"a":' * 800, b"1e", b"\x00"]
)
async def test_what_is_no_document_is_400_with_the_usage_and_nothing_of_the_body(api: Api, body: bytes) -> None:
    assert await api.ask("POST", "/json", body, JSON) == (400, f"{USAGE}\n")
    assert api.documents == []


@pytest.mark.parametrize("path", ["/json", "/body"])
async def test_a_body_may_have_as_many_bytes_as_it_may_and_no_more(api: Api, path: str) -> None:
    whole = json.dumps("x" * (MAX_BODY - 2)).encode()
    assert len(whole) == MAX_BODY
    assert (await api.ask("POST", path, whole, JSON))[0] == 200
    assert (await api.ask("POST", path, whole + b" ", JSON))[0] == 413


@pytest.mark.parametrize("path", ["/json", "/body"])
async def test_a_body_that_says_no_length_before_is_bounded_likewise(api: Api, path: str) -> None:
    whole = json.dumps("x" * (MAX_BODY - 2)).encode()
    assert await api.chunked(path, whole) == 200
    assert await api.chunked(path, whole + b" ") == 413


async def test_a_body_that_is_announced_as_too_large_is_refused_before_it_comes(api: Api) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", api.server.port)
    head = f"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: {MAX_BODY + 1}\r\n\r\n"
    try:
        writer.write(head.encode())
        async with asyncio.timeout(5.0):
            assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
    finally:
        writer.close()
        await writer.wait_closed()


async def test_a_body_that_is_small_only_while_it_is_compressed_is_413(api: Api) -> None:
    packed = zlib.compress(b" " * 100_000 + b"{}")
    assert len(packed) < MAX_BODY
    url = f"http://127.0.0.1:{api.server.port}/json"
    headers = {"Content-Type": JSON, "Content-Encoding": "deflate"}
    async with aiohttp.request("POST", url, data=packed, headers=headers) as answer:
        assert answer.status == 413


async def test_bytes_are_handed_on_as_they_came_whatever_they_are(api: Api) -> None:
    for body in (b"", b"\x00\xff{", b"[1, 2]"):
        assert (await api.ask("POST", "/body", body, "text/plain"))[0] == 200
    assert api.bodies == [b"", b"\x00\xff{", b"[1, 2]"]
