"""What the parent's admin listener says of an edge with workers: gathered from all of them when somebody looks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

from headwater.edge.sketch import SketchError
from headwater.edge.viewers import Labels, merge

from . import report
from .crewmetrics import CrewMetrics, Restart, Standing
from .edgeplan import NODE
from .generation import Generation, Member
from .loopwatch import LoopWatch
from .merge import as_one, labelled, value_of, watching
from .report import Report
from .running import new_registry
from .status import Facts, Snapshot, Status, StreamStatus, WorkerStatus
from .statusbook import EVERY_S, METRICS, StatusBook
from .supervisor import Cause

PARENT = "parent"
"""The parent's own value of the label `worker`."""
SPARE = "spare"
"""That of the process which waits to take a place."""


class CrewBook:
    """`generation()`: the processes that serve now. `ready`: why the edge wants no traffic, or None."""

    def __init__(self, generation: Callable[[], Generation | None], ready: Callable[[], str | None]) -> None:
        self._generation = generation
        self._process = new_registry()
        self._watch = LoopWatch(self._process)
        self._own = CollectorRegistry()
        self._metrics = CrewMetrics(self._standing, self._own)
        self._reports: dict[str, Report] = {}
        self._viewers: dict[Labels, int] = {}
        self._gathering: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._book = StatusBook("edge", self._snapshot, ready, self._facts)

    def start(self) -> None:
        """Look now and then, for the status page's window."""
        self._watch.start()
        self._looking = asyncio.get_running_loop().create_task(self._look(), name="status of the workers")

    def stop(self) -> None:
        """No more. Idempotent."""
        self._watch.stop()
        for task in (self._looking, self._gathering):
            if task is not None:
                task.cancel()
        self._looking = self._gathering = None

    def restarted(self, result: Restart) -> None:
        """A hot restart ended."""
        self._metrics.restarts[result] += 1

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            await self.gather()
            self._book.keep()

    # -- from the processes

    def _members(self) -> list[Member]:
        generation = self._generation()
        return generation.members if generation is not None else []

    async def gather(self) -> None:
        """Ask every process; who looks at the same time waits for the same answers."""
        if self._gathering is None or self._gathering.done():
            self._gathering = asyncio.get_running_loop().create_task(self._gather(), name="gather")
        # A visitor who leaves ends nobody else's wait.
        await asyncio.shield(self._gathering)

    async def _gather(self) -> None:
        members = self._members()
        answers = await asyncio.gather(*(member.control.report() for member in members))
        # Who does not answer is not there: what it said before would stand still and look alive.
        self._reports = {
            member.name: answer for member, answer in zip(members, answers, strict=True) if answer is not None
        }
        try:
            self._viewers = merge(told.viewers for name, told in self._reports.items() if name != NODE)
        except SketchError:
            self._viewers = {}

    async def tasks(self) -> str:
        """What the tasks of every process wait for."""
        members = self._members()
        answers = await asyncio.gather(*(member.control.ask("GET", "/debug/tasks") for member in members))
        texts = ["no answer" if answer is None else answer.body.decode(errors="replace") for answer in answers]
        return "".join(f"\n== {member.name}\n{text}\n" for member, text in zip(members, texts, strict=True))

    # -- admin.Figures

    def collect(self) -> Iterable[Metric]:
        """All families of all processes, as gathered last."""
        processes = {name: told.families for name, told in self._reports.items()}
        families = labelled({**processes, PARENT: report.families_of(self._process)})
        yield from report.metrics_of([*families, *watching(self._viewers)])
        yield from self._own.collect()

    # -- the status page

    def status(self) -> Status:
        """How the edge does, as gathered last."""
        return self._book.status()

    def _snapshot(self) -> Snapshot:
        own = {
            (sample.name, tuple(sorted(sample.labels))): sample.value
            for family in report.families_of(self._own)
            for sample in family.samples
            if sample.name in METRICS
        }
        return {**as_one({name: told.families for name, told in self._reports.items()}, METRICS), **own}

    def _facts(self) -> Facts:
        node = self._reports.get(NODE)
        workers = tuple(self._worker(member) for member in self._members())
        if node is None:
            return Facts((), None, workers)
        streams = tuple(self._watched(stream) for stream in node.facts.streams)
        return Facts(streams, node.facts.upstream, workers)

    def _watched(self, stream: StreamStatus) -> StreamStatus:
        """The node knows the playlists, the workers who watches them."""
        renditions = tuple(
            replace(one, viewers=self._viewers.get((stream.name, one.name), 0)) for one in stream.renditions
        )
        return replace(stream, viewers=self._viewers.get((stream.name, ""), 0), renditions=renditions)

    def _worker(self, member: Member) -> WorkerStatus:
        told = self._reports.get(member.name)
        families = () if told is None else told.families
        running = member.supervisor.running
        return WorkerStatus(
            name=member.name,
            state="starting" if not running else "silent" if told is None else "ready",
            pid=member.supervisor.pid,
            restarts=member.supervisor.restarts,
            connections=int(value_of(families, "headwater_edge_connections")),
            held=int(value_of(families, "headwater_edge_held")),
            followers=int(value_of(families, "headwater_edge_followers")),
            store_bytes=int(value_of(families, "headwater_edge_store_bytes")),
        )

    def _standing(self) -> dict[str, Standing]:
        generation = self._generation()
        if generation is None:
            return {}
        found = {one.name: Standing(one.supervisor.running, one.supervisor.lost) for one in generation.members}
        return {**found, SPARE: Standing(generation.spare, {Cause.DIED: generation.spares_lost})}
