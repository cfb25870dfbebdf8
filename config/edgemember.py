"""One process of an edge that has several: the node, or a worker. Run by `config.child`, supervised by `config.crew`.

SIGTERM drains at once. SIGUSR1 makes way for a successor that accepts on the same sockets: no request is lost then.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from aiohttp import web

from headwater.edge import pinapi, purgeapi
from headwater.edge.app import EdgeServer
from headwater.edge.post import Place, Post
from headwater.edge.unusable import Unusable

from . import facts, report
from .admin import AdminServer
from .load import from_handover, handover
from .loopwatch import LoopWatch
from .report import Report
from .running import DRAIN_S, EDGE_YOUNG, StartError, check_open_files, new_registry, run_role, until, within
from .settings import Settings
from .statusbook import StatusBook
from .supervisor import Message
from .vigil import BEAT_S

RETIRE = signal.SIGUSR1
"""Asks a process to make way."""


@dataclass(frozen=True, slots=True)
class Orders:
    """The hand-over of one process. `settings` are those of this process alone (`edgeplan`)."""

    name: str
    control: Path
    """Its control socket."""
    settings: Settings
    post: Post
    others: tuple[int, ...] = ()
    """Inherited descriptors that are for the other processes: a spare one has them all."""

    def to_line(self) -> str:
        """JSON in one line, secrets in clear: for a pipe only."""
        post = self.post
        return json.dumps(
            {
                "name": self.name,
                "control": str(self.control),
                "others": self.others,
                "settings": json.loads(handover(self.settings)),
                "post": {
                    "place": post.place.value,
                    "cdn_id": post.cdn_id,
                    "viewer_key": base64.b64encode(post.viewer_key).decode(),
                    "cache_bytes": post.cache_bytes,
                    "listening": post.listening,
                    "tls_listening": post.tls_listening,
                },
            }
        )

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Orders:
        """What `to_line` wrote, read as JSON. Raises load.ConfigError."""
        post = document["post"]
        return cls(
            document["name"],
            Path(document["control"]),
            from_handover(json.dumps(document["settings"])),
            Post(
                Place(post["place"]),
                post["cdn_id"],
                base64.b64decode(post["viewer_key"]),
                post["cache_bytes"],
                tuple(post["listening"]),
                tuple(post["tls_listening"]),
            ),
            tuple(document["others"]),
        )


class EdgeMember:
    """`EdgeServer` with its metrics and pages behind the control socket."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._registry = new_registry()
        self._watch = LoopWatch(self._registry)
        self._server = EdgeServer(
            orders.settings.edge, orders.settings.edge.upstream or "", self._registry, orders.post
        )
        role = f"edge {orders.name}"
        self._book = StatusBook(role, self._registry, self._why_not_ready, lambda: facts.of_edge(self._server))
        pages = [
            *pinapi.routes(lambda: self._server.pins),
            *purgeapi.routes(lambda order: self._server.purge(order)),
            web.get(report.PATH, self._report),
        ]
        self._admin = AdminServer(orders.control, self._registry, self._why_not_ready, self._book.status, pages)

    async def start(self) -> None:
        """Listen. Raises StartError."""
        try:
            await self._admin.start()
            self._watch.start()
            await self._server.start()
            check_open_files("edge.http.connections", self._orders.settings.edge.http.connections)
        except Unusable as error:
            await self.close()
            raise StartError(error.line, code=2) from error
        except OSError as error:
            await self.close()
            raise StartError(f"edge {self._orders.name}: {error.strerror or error}") from error

    async def drain(self) -> None:
        """Answer what is held now, end."""
        await within(DRAIN_S, "viewers", self._server.drain())

    async def retire(self) -> None:
        """Make way, end."""
        await within(DRAIN_S + 1.0, "viewers", self._server.retire())

    async def close(self) -> None:
        """Let everything go; also after a failed start."""
        self._watch.stop()
        await within(DRAIN_S, "edge", self._server.close())
        await within(DRAIN_S, "admin", self._admin.close())
        with suppress(OSError):
            self._orders.control.unlink()

    async def _report(self, request: web.Request) -> web.Response:
        told = Report(report.families_of(self._registry), self._server.sketches(), facts.of_edge(self._server))
        return web.json_response(report.to_json(told))

    def _why_not_ready(self) -> str | None:
        return None if self._server.ready else "starting or draining"


async def _beat(alive: Callable[[], None]) -> None:
    """Signs of life for as long as the loop turns."""
    while True:
        alive()
        await asyncio.sleep(BEAT_S)


def serve_member(document: Mapping[str, Any], say: Callable[[Message], None], alive: Callable[[], None]) -> int:
    """Run one process until a signal; the exit code. `alive` gives the parent a sign of life.

    Raises load.ConfigError.
    """
    orders = Orders.of(document)
    for descriptor in orders.others:
        with suppress(OSError):  # a process that was started for this post alone has not inherited it
            os.close(descriptor)
    structlog.contextvars.bind_contextvars(worker=orders.name)

    async def body(stop: asyncio.Event) -> None:
        member = EdgeMember(orders)
        leaving = asyncio.Event()

        def leave() -> None:
            leaving.set()
            stop.set()

        async def drain() -> None:
            await (member.retire() if leaving.is_set() else member.drain())

        asyncio.get_running_loop().add_signal_handler(RETIRE, leave)
        await member.start()
        say({"event": "listening"})
        beating = asyncio.get_running_loop().create_task(_beat(alive), name="signs of life")
        try:
            await until(stop, drain, member.close, young=EDGE_YOUNG)
        finally:
            beating.cancel()

    return run_role(orders.settings, body)
