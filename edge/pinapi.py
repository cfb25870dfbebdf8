"""The admin listener's pages for pins: GET, POST and DELETE /pins."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from .jsonbody import read_json
from .pins import BadPin, Pins


def routes(pins: Callable[[], Pins | None]) -> list[web.RouteDef]:
    """For an aiohttp application. `pins` gives those of the running edge; None while there is none."""

    async def show(request: web.Request) -> web.Response:
        return web.json_response({"pins": _running(pins).listing()})

    async def add(request: web.Request) -> web.Response:
        path = await _path(request)
        return web.json_response({"path": path}, status=201 if _tried(lambda: _running(pins).add(path)) else 200)

    async def remove(request: web.Request) -> web.Response:
        path = await _path(request)
        if not _tried(lambda: _running(pins).remove(path)):
            raise web.HTTPNotFound(text="not pinned\n")
        return web.Response(status=204)

    return [web.get("/pins", show), web.post("/pins", add), web.delete("/pins", remove)]


def _running(pins: Callable[[], Pins | None]) -> Pins:
    found = pins()
    if found is None:
        raise web.HTTPServiceUnavailable(text="starting or stopped\n")
    return found


def _tried(action: Callable[[], bool]) -> bool:
    try:
        return action()
    except BadPin as error:
        raise web.HTTPBadRequest(text=f"{error}\n") from None


async def _path(request: web.Request) -> str:
    usage = 'the body is {"path": "/…/index.m3u8"}'
    document = await read_json(request, usage)
    if not isinstance(document, dict) or "path" not in document:
        raise web.HTTPBadRequest(text=f"{usage}\n")
    path = document["path"]
    if not isinstance(path, str):
        raise web.HTTPBadRequest(text="path is not a text\n")
    return path
