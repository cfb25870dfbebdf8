"""The admin listener's /purge over real HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
from tests.admin_kit import AdminApi
from tests.edge_kit import Script, Viewer, make_core

from headwater.edge.core import Core
from headwater.edge.purge import Order, Purged
from headwater.edge.purgeapi import routes


class Api(AdminApi):
    """A listener, and a client of it. `core` may be None."""

    def __init__(self) -> None:
        self.script = Script()
        self.core: Core | None = make_core(self.script)
        super().__init__(routes(self.purge))

    def purge(self, order: Order) -> Purged | None:
        return None if self.core is None else self.core.purge(order, 2.0)[1]

    async def call(self, body: object, kind: str = "application/json") -> tuple[int, str]:
        return await self.ask("POST", "/purge", body, kind)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with Api() as made:
        yield made


async def test_a_purge_says_what_it_found(api: Api) -> None:
    assert api.core is not None
    Viewer(api.core).get("/a/b.m4s", 1.0)
    api.script.answer("/a/b.m4s", 1.0, b"x", cache_control="max-age=60")
    Viewer(api.core).get("/a/c.m4s", 1.0)
    status, text = await api.call({"prefix": "/a/", "soft": True})
    assert (status, json.loads(text)) == (200, {"purged": {"objects": 1, "playlists": 0, "fetches": 1, "disk": 0}})


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "the body is"),
        (b"{", "the body is"),
        (b"[]", "not a JSON object"),
        ({"url": "b"}, "the request-target is not a path"),
        ({"url": "/a", "stream": "/b.m3u8"}, "one of url, prefix and stream has to be there"),
    ],
)
async def test_what_is_no_order_is_400_with_the_reason(api: Api, body: object, why: str) -> None:
    status, text = await api.call(body)
    assert status == 400
    assert text.startswith(why)
    assert '{"stream": "/…/index.m3u8"}' in text


async def test_other_sites_pages_cannot_purge(api: Api) -> None:
    assert (await api.call({"url": "/a"}, "text/plain"))[0] == 415


async def test_bodies_are_bounded(api: Api) -> None:
    assert (await api.call(b" " * 5_000))[0] == 413
    assert (await api.call(b"[" * 4_000))[0] == 400


async def test_without_a_running_edge_it_is_503(api: Api) -> None:
    api.core = None
    assert (await api.call({"url": "/a"}))[0] == 503
