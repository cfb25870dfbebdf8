"""The node and the workers that run at one time with the same settings. A hot restart is a second generation.

Whatever dies or hangs is replaced at once, the others go on; the sockets that they listen on belong to the parent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from headwater.edge.post import Place, Post

from .control import Control
from .edgemember import RETIRE, Orders
from .edgeplan import NODE, EdgePlan
from .running import DRAIN_S
from .settings import Settings
from .sockets import NodeSocket, Share
from .spare import Spare
from .supervisor import Message, Supervisor
from .vigil import LOOK_S, Vigil, Watched

MAX_PAUSE_S = 4.0
"""Longest pause before a process that keeps dying is started again. Why: what came to its socket waits meanwhile."""
START_S = 60.0
"""For all processes to say that they listen. Why: they load at the same time, on a machine that is in use."""
GRACE_S = 3.0
"""What a process has beyond its drain to end."""

log = structlog.get_logger("headwater.config")


@dataclass(frozen=True, slots=True)
class Identity:
    """What stays the same over all generations of an edge."""

    cdn_id: str
    viewer_key: bytes


class Member:
    """One process: its supervisor and the way to it. Belongs to the running loop."""

    def __init__(
        self, orders: Orders, ready: Callable[[Member], None], heard: Callable[[str], None], spare: Spare
    ) -> None:
        """`ready`: called when it has started, each time; `heard`: with its name, at each message."""
        self.name = orders.name
        self.control = Control(orders.control)
        self._ready = ready
        self._heard = heard
        self.supervisor = Supervisor(
            orders.post.place.value,
            orders.to_line,
            self._said,
            at_once=True,
            max_pause_s=MAX_PAUSE_S,
            start_s=START_S,
            pass_fds=(*orders.post.listening, *orders.post.tls_listening),
            spare=spare.take,
            name=f"edge {orders.name}",
        )

    @property
    def watched(self) -> Watched:
        """For the vigil."""
        return Watched(self.name, self.supervisor.pid, self.supervisor.running)

    def _said(self, message: Message) -> None:
        self._heard(self.name)
        if message.get("event") == "listening":
            self._ready(self)

    async def close(self) -> None:
        """No more connections to it."""
        await self.control.close()


class Generation:
    """`folder`: private to this edge; `number`: tells generations apart there. `node_ready` is called whenever a node
    has started, the first time included."""

    def __init__(
        self,
        number: int,
        settings: Settings,
        identity: Identity,
        plan_with: Callable[[str], EdgePlan],
        listening: Sequence[Share],
        folder: Path,
        node_ready: Callable[[Member], None],
    ) -> None:
        """`plan_with`: gives the plan for the path of the node's socket; `listening`: for each worker.
        Raises OSError."""
        self.number = number
        self._socket = NodeSocket(folder / f"{number}.sock")
        plan = plan_with(str(self._socket.path))
        every = (self._socket.descriptor, *(one for share in listening for one in (*share.http, *share.tls)))
        self._spare = Spare(every)
        self._vigil = Vigil(settings.edge.hang_s, START_S)
        self._looking: asyncio.TimerHandle | None = None

        def orders(name: str, place: Place) -> Orders:
            is_node = place is Place.NODE
            mine = Share((self._socket.descriptor,)) if is_node else listening[int(name)]
            cache_bytes = plan.node_cache_bytes if is_node else plan.worker_cache_bytes
            post = Post(place, identity.cdn_id, identity.viewer_key, cache_bytes, mine.http, mine.tls)
            edge = plan.node if is_node else plan.worker
            others = tuple(descriptor for descriptor in every if descriptor not in (*mine.http, *mine.tls))
            control = folder / f"{number}-{name}.sock"
            return Orders(name, control, settings.model_copy(update={"edge": edge}), post, others)

        heard = self._vigil.heard
        self.node = Member(orders(NODE, Place.NODE), node_ready, heard, self._spare)
        self.workers = [
            Member(orders(str(index), Place.WORKER), lambda _: None, heard, self._spare)
            for index in range(plan.workers)
        ]

    @property
    def members(self) -> list[Member]:
        """The workers, then the node."""
        return [*self.workers, self.node]

    @property
    def spare(self) -> bool:
        """A process waits, loaded, to take the place of whoever dies."""
        return self._spare.pid is not None

    @property
    def spares_lost(self) -> int:
        """How many of these came to nothing."""
        return self._spare.lost

    @property
    def ready(self) -> bool:
        """The node and a worker run."""
        return self.node.supervisor.running and any(worker.supervisor.running for worker in self.workers)

    async def start(self) -> None:
        """Return when all are ready. Raises supervisor.ChildFailed; nothing is left running then."""
        starts = [asyncio.ensure_future(member.supervisor.start(wait=True)) for member in self.members]
        try:
            await asyncio.gather(*starts)
            self._spare.start()
            self._look()
        except BaseException:
            for start in starts:
                start.cancel()
            await asyncio.gather(*starts, return_exceptions=True)
            await self.stop(1.0)
            raise

    def _look(self) -> None:
        """Replace whoever hangs."""
        loop = asyncio.get_running_loop()
        self._looking = loop.call_later(LOOK_S, self._look)
        members = {member.name: member for member in (self.node, *self.workers)}
        hung = self._vigil.look(loop.time(), [member.watched for member in members.values()])
        if hung is not None:
            log.error("a process hangs and is ended", worker=hung.name, pid=hung.pid, silent_s=hung.silent_s)
            members[hung.name].supervisor.give_up()

    async def _unwatch(self) -> None:
        """From here on every process has its own time to end, and nobody takes its place."""
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None
        await self._spare.close()

    async def retire(self) -> None:
        """Make way for a generation that accepts on the same sockets; return when all have ended."""
        await self._unwatch()
        limit_s = DRAIN_S + GRACE_S
        await asyncio.gather(*(worker.supervisor.stop(limit_s, RETIRE) for worker in self.workers))
        await self._end_node()
        log.info("edge-generation-ended", generation=self.number)

    async def drain(self) -> None:
        """Answer what is held now, end."""
        await self._unwatch()
        await asyncio.gather(*(worker.supervisor.stop(DRAIN_S) for worker in self.workers))
        await self._end_node()

    async def stop(self, within_s: float) -> None:
        """End all within some seconds. Idempotent."""
        await self._unwatch()
        await asyncio.gather(*(worker.supervisor.stop(within_s) for worker in self.workers))
        await self._end_node()

    async def _end_node(self) -> None:
        # After the workers: as long as one of them drains it may ask.
        await self.node.supervisor.stop(GRACE_S)
        self._socket.close()
        for member in self.members:
            await member.close()
