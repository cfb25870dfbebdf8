"""The admin listener's pages for pins: GET, POST and DELETE /pins."""

from __future__ import annotations

import json
from collections.abc import Callable

from aiohttp import web

from .pins import BadPin, Pins

MAX_BODY = 4_096


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
    # A page of another site cannot send this type without asking first, and is not answered then.
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text='the body is {"path": "/…/index.m3u8"} as application/json\n')
    if (request.content_length or 0) > MAX_BODY:
        raise web.HTTPRequestEntityTooLarge(MAX_BODY, request.content_length or 0)
    body = await request.read()  # bounded by the application's client_max_size; a chunked one says no length before
    if len(body) > MAX_BODY:
        raise web.HTTPRequestEntityTooLarge(MAX_BODY, len(body))
    try:
        path = json.loads(body)["path"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise web.HTTPBadRequest(text='the body is {"path": "/…/index.m3u8"}\n') from None
    if not isinstance(path, str):
        raise web.HTTPBadRequest(text="path is not a text\n")
    return path
