"""The pages for pins where an edge has workers: they are the node's. What was pinned at run time outlives the node."""

from __future__ import annotations

import json
from collections.abc import Callable

from aiohttp import web

from headwater.edge.jsonbody import read_body

from .control import Answer, Control

PATH = "/pins"
JSON = "application/json"


class PinProxy:
    """`node()`: the control of the node that runs now; None: there is none."""

    def __init__(self, node: Callable[[], Control | None]) -> None:
        self._node = node
        self._kept: dict[str, None] = {}
        """Paths that were pinned here; the node bounds their number."""

    def routes(self) -> list[web.RouteDef]:
        """For the parent's admin listener."""
        return [web.get(PATH, self._show), web.post(PATH, self._add), web.delete(PATH, self._remove)]

    async def restore(self, node: Control) -> None:
        """Pin at a node that has just started what was pinned at the one before."""
        for path in list(self._kept):
            await node.ask("POST", PATH, json.dumps({"path": path}).encode(), JSON)

    async def _show(self, request: web.Request) -> web.Response:
        return (await self._passed_on(request, b"")).response()

    async def _add(self, request: web.Request) -> web.Response:
        body = await read_body(request)
        answer = await self._passed_on(request, body)
        if answer.status == 201:
            self._kept[str(json.loads(answer.body)["path"])] = None
        return answer.response()

    async def _remove(self, request: web.Request) -> web.Response:
        body = await read_body(request)
        answer = await self._passed_on(request, body)
        if answer.status == 204:
            self._kept.pop(str(json.loads(body)["path"]), None)
        return answer.response()

    async def _passed_on(self, request: web.Request, body: bytes) -> Answer:
        node = self._node()
        answer = None
        if node is not None:
            answer = await node.ask(request.method, PATH, body, request.headers.get("Content-Type", ""))
        if answer is None:
            raise web.HTTPServiceUnavailable(text="the node is starting or stopped\n")
        return answer
