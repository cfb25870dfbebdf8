"""The admin listener's page for purges: POST /purge."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from .jsonbody import read_json
from .purge import BadOrder, Order, Purged, read_order

USAGE = 'the body is {"url": "/…"}, {"prefix": "/…/"} or {"stream": "/…/index.m3u8"}, with "soft": true where wanted'


def routes(purge: Callable[[Order], Purged | None]) -> list[web.RouteDef]:
    """For an aiohttp application. `purge` carries an order out; None while there is no running edge."""

    async def post(request: web.Request) -> web.Response:
        try:
            order = read_order(await read_json(request, USAGE))
        except BadOrder as error:
            raise web.HTTPBadRequest(text=f"{error}; {USAGE}\n") from None
        purged = purge(order)
        if purged is None:
            raise web.HTTPServiceUnavailable(text="starting or stopped\n")
        return web.json_response({"purged": purged.to_json()})

    return [web.post("/purge", post)]
