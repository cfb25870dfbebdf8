"""The page for purges where an edge has workers: first the node forgets, then each worker: it would fetch the old."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence

from aiohttp import web

from headwater.edge.jsonbody import read_body

from .control import Answer, Control

PATH = "/purge"


Members = Callable[[], tuple[Sequence[Control], Sequence[Control]]]
"""The controls of nodes and of workers that run now; empty while there are none."""


class PurgeProxy:
    """Passes each purge on."""

    def __init__(self, members: Members) -> None:
        self._members = members

    def routes(self) -> list[web.RouteDef]:
        """For the parent's admin listener."""
        return [web.post(PATH, self._purge)]

    async def _purge(self, request: web.Request) -> web.Response:
        body = await read_body(request)
        nodes, workers = self._members()
        if not nodes:
            raise web.HTTPServiceUnavailable(text="starting or stopped\n")
        kind = request.headers.get("Content-Type", "")
        answers = list(await asyncio.gather(*(node.ask("POST", PATH, body, kind) for node in nodes)))
        for told in answers:
            if told is not None and told.status != 200:  # a bad order is told as the node tells it
                return told.response()
        answers += await asyncio.gather(*(worker.ask("POST", PATH, body, kind) for worker in workers))
        done = [answer for answer in answers if answer is not None and answer.status == 200]
        if len(done) < len(answers):
            # A process that has just died keeps nothing; one that does not answer may.
            text = f"{len(answers) - len(done)} of {len(answers)} processes of the edge did not answer: ask again\n"
            raise web.HTTPServiceUnavailable(text=text)
        return web.json_response({"purged": _sum(done)})


def _sum(answers: Sequence[Answer]) -> dict[str, int]:
    found: dict[str, int] = {}
    for answer in answers:
        for name, count in json.loads(answer.body)["purged"].items():
            found[name] = found.get(name, 0) + int(count)
    return found
