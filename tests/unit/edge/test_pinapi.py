"""The admin listener's /pins over real HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
from tests.admin_kit import AdminApi
from tests.edge_kit import Script, make_core

from headwater.edge.pinapi import routes
from headwater.edge.pins import Pins


class Api(AdminApi):
    """A listener, and a client of it. `pins` may be None."""

    def __init__(self) -> None:
        self.pins: Pins | None = Pins(make_core(Script()), ("/fixed.m3u8",), 30.0)
        super().__init__(routes(lambda: self.pins))

    async def call(self, method: str, body: object = None, kind: str = "application/json") -> tuple[int, str]:
        return await self.ask(method, "/pins", body, kind)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with Api() as made:
        yield made


async def test_pins_come_and_go(api: Api) -> None:
    path = {"path": "/live/x/index.m3u8"}
    assert (await api.call("POST", path))[0] == 201
    assert (await api.call("POST", path))[0] == 200
    listed = json.loads((await api.call("GET"))[1])["pins"]
    assert [pin["path"] for pin in listed] == ["/fixed.m3u8", "/live/x/index.m3u8"]
    assert (await api.call("DELETE", path))[0] == 204
    assert (await api.call("DELETE", path))[0] == 404


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"path": 5}', b'{"path": "/a.mp4"}', b'{"path": "/\xff"}'])
async def test_what_is_no_pin_is_400(api: Api, body: bytes) -> None:
    assert (await api.call("POST", body))[0] == 400


async def test_pins_of_the_settings_stay(api: Api) -> None:
    status, text = await api.call("DELETE", {"path": "/fixed.m3u8"})
    assert (status, text) == (400, "it is pinned by edge.pins in the settings\n")


async def test_other_sites_pages_cannot_pin(api: Api) -> None:
    assert (await api.call("POST", {"path": "/a.m3u8"}, "text/plain"))[0] == 415


async def test_bodies_are_bounded(api: Api) -> None:
    assert (await api.call("POST", b" " * 5_000))[0] == 413
    assert (await api.call("POST", b"[" * 4_000))[0] == 400


@pytest.mark.parametrize(
    ("pieces", "status"), [((b'{"path": ', b'"/live/x/index.m3u8"}'), 201), ((b" " * 3_000,) * 2, 413)]
)
async def test_a_body_may_come_in_pieces(api: Api, pieces: tuple[bytes, ...], status: int) -> None:
    async def body() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece
            await asyncio.sleep(0.02)

    url, headers = f"http://127.0.0.1:{api.server.port}/pins", {"Content-Type": "application/json"}
    async with aiohttp.request("POST", url, data=body(), headers=headers) as answer:
        assert answer.status == status


async def test_without_a_running_edge_it_is_503(api: Api) -> None:
    api.pins = None
    assert (await api.call("GET"))[0] == 503
