"""An admin listener with pages of the edge, and a client of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Self

import aiohttp
from aiohttp import web
from prometheus_client import CollectorRegistry

from headwater.config.admin import AdminServer
from headwater.config.settings import Admin
from headwater.config.status import Status


def _no_status() -> Status:
    """Nobody looks at the status page here."""
    raise AssertionError


class AdminApi:
    """Real HTTP, for the length of an `async with` block."""

    def __init__(self, routes: Iterable[web.RouteDef]) -> None:
        self.server = AdminServer(Admin(port=0), CollectorRegistry(), lambda: None, _no_status, routes)

    async def __aenter__(self) -> Self:
        await self.server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.server.close()

    async def ask(self, method: str, path: str, body: object, kind: str) -> tuple[int, str]:
        """Status and text; `body` is sent as JSON unless it is bytes."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.server.port}{path}"
        async with aiohttp.request(method, url, data=data, headers={"Content-Type": kind}) as answer:
            return answer.status, await answer.text()
