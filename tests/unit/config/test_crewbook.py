"""What the parent of an edge with workers tells of it, from what its processes have answered."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge

from headwater.config import crewbook
from headwater.config.control import Answer
from headwater.config.crewbook import CrewBook
from headwater.config.crewmetrics import Restart
from headwater.config.generation import Generation
from headwater.config.report import Report, families_of
from headwater.config.status import Facts, RenditionStatus, StreamStatus, UpstreamStatus
from headwater.config.supervisor import Cause
from headwater.edge.sketch import Sketch

UPSTREAM = UpstreamStatus("http://origin", True, "last answer 0.2 s ago")
STREAM = StreamStatus("show", "following", "since now", None, (RenditionStatus("720p", "following"),))


def seen_by(*values: int) -> bytes:
    sketch = Sketch()
    for value in values:
        sketch.add(value)
    return sketch.dump()


def report(*, stale: int = 0, connections: int = 0, viewers: bytes | None = None, facts: Facts = Facts(())) -> Report:  # noqa: B008  (immutable)
    registry = CollectorRegistry()
    Counter("headwater_edge_requests", "Requests", ["outcome"], registry=registry).labels("stale").inc(stale)
    Gauge("headwater_edge_connections", "Open", registry=registry).set(connections)
    sketches = {} if viewers is None else {("show", "720p"): viewers, ("show", ""): viewers}
    return Report(families_of(registry), sketches, facts)


class Process:
    """A member that tells `told`; None: it does not answer."""

    def __init__(self, name: str, told: Report | None) -> None:
        self.name = name
        self.told = told
        self.asked = 0
        self.answering = asyncio.Event()
        self.answering.set()
        self.control = self
        self.supervisor = SimpleNamespace(running=True, pid=7, restarts=0, lost=dict.fromkeys(Cause, 0))

    async def report(self) -> Report | None:
        self.asked += 1
        await self.answering.wait()
        return self.told

    async def ask(self, method: str, path: str) -> Answer | None:
        assert (method, path) == ("GET", "/debug/tasks")
        return None if self.told is None else Answer(200, "text/plain", f"tasks of {self.name}".encode())


class Crew:
    """A node, two workers, and the book about them."""

    def __init__(self) -> None:
        both = Facts((STREAM,), UPSTREAM)
        self.first = Process("0", report(connections=3, viewers=seen_by(1, 2)))
        self.second = Process("1", report(stale=2, connections=4, viewers=seen_by(2, 3)))
        self.node = Process("node", report(stale=9, connections=2, facts=both))
        self.members = [self.first, self.second, self.node]
        self.generation = SimpleNamespace(members=self.members, spare=True, spares_lost=0)
        self.current: object = self.generation
        self.book = CrewBook(lambda: cast(Generation | None, self.current), lambda: None)

    def value(self, name: str, **labels: str) -> float | None:
        """Of the series with exactly these labels."""
        for metric in self.book.collect():
            for sample in metric.samples:
                if sample.name == name and sample.labels == labels:
                    return sample.value
        return None


@pytest.fixture
def crew() -> Crew:
    return Crew()


async def test_every_series_has_its_process_and_viewers_have_none(crew: Crew) -> None:
    await crew.book.gather()
    assert [crew.value("headwater_edge_connections", worker=name) for name in ("0", "1", "node")] == [3, 4, 2]
    assert crew.value("headwater_edge_viewers", stream="show", rendition="720p") == 3, "one is at both"
    assert crew.value("headwater_edge_stream_viewers", stream="show") == 3
    assert crew.value("process_start_time_seconds", worker="parent") is not None


async def test_who_does_not_answer_has_no_figures_and_its_standing_all_the_same(crew: Crew) -> None:
    await crew.book.gather()
    crew.second.told = None
    await crew.book.gather()
    assert crew.value("headwater_edge_connections", worker="1") is None
    assert crew.value("headwater_edge_stream_viewers", stream="show") == 2
    assert crew.value("headwater_edge_worker_up", worker="1") == 1
    (first, second, _) = crew.book.status().workers
    assert (first.state, first.connections, second.state, second.connections) == ("ready", 3, "silent", 0)
    crew.second.supervisor.running, crew.second.supervisor.pid = False, None
    assert crew.value("headwater_edge_worker_up", worker="1") == 0
    assert [(one.state, one.pid) for one in crew.book.status().workers][1] == ("starting", None)


async def test_what_died_and_what_hung(crew: Crew) -> None:
    crew.first.supervisor.lost = {Cause.DIED: 2, Cause.HUNG: 1}
    crew.first.supervisor.restarts = 3
    crew.generation.spares_lost = 5
    crew.generation.spare = False

    def restarts(worker: str, cause: Cause) -> float | None:
        return crew.value("headwater_edge_worker_restarts_total", worker=worker, cause=cause.value)

    assert (restarts("0", Cause.DIED), restarts("0", Cause.HUNG), restarts("1", Cause.HUNG)) == (2, 1, 0)
    assert (restarts("spare", Cause.DIED), crew.value("headwater_edge_worker_up", worker="spare")) == (5, 0)
    status = crew.book.status()
    assert [one.restarts for one in status.workers] == [3, 0, 0]
    told = [problem.what for problem in status.problems]
    assert "Process 0 of the edge died 2 times" in told
    assert "Process 0 of the edge hung 1 time" in told


async def test_the_status_page_has_playlists_of_the_node_and_viewers_of_the_workers(crew: Crew) -> None:
    assert crew.book.status().streams == ()
    await crew.book.gather()
    status = crew.book.status()
    ((stream,), upstream) = (status.streams, status.upstream)
    assert (stream.name, stream.viewers, stream.renditions[0].viewers, upstream) == ("show", 3, 3, UPSTREAM)
    # What viewers were answered is the workers', and not the node's too
    (problem,) = [one.what for one in status.problems if "stale" in one.what]
    assert problem.startswith("2 answers were stale")


async def test_sketches_that_cannot_be_read_cost_the_viewers_and_nothing_else(crew: Crew) -> None:
    crew.first.told = report(connections=3, viewers=b"nonsense")
    await crew.book.gather()
    assert crew.value("headwater_edge_stream_viewers", stream="show") is None
    assert crew.value("headwater_edge_connections", worker="0") == 3


async def test_hot_restarts_are_counted(crew: Crew) -> None:
    for result in (Restart.DONE, Restart.DONE, Restart.FAILED):
        crew.book.restarted(result)
    counts = [crew.value("headwater_edge_hot_restarts_total", result=result.value) for result in Restart]
    assert counts == [2, 0, 1]


async def test_before_the_first_generation_there_is_nothing_to_tell(crew: Crew) -> None:
    crew.current = None
    await crew.book.gather()
    assert crew.value("headwater_edge_worker_up", worker="0") is None
    assert crew.book.status().workers == ()
    assert await crew.book.tasks() == ""


async def test_who_looks_at_the_same_time_waits_for_the_same_answers(crew: Crew) -> None:
    crew.node.answering.clear()
    visitors = [asyncio.ensure_future(crew.book.gather()) for _ in range(3)]
    await asyncio.sleep(0)
    visitors[0].cancel()
    await asyncio.sleep(0)
    crew.node.answering.set()
    await asyncio.gather(*visitors[1:])
    assert crew.node.asked == 1
    await crew.book.gather()
    assert crew.node.asked == 2


async def test_tasks_of_every_process(crew: Crew) -> None:
    crew.second.told = None
    text = await crew.book.tasks()
    assert text == "\n== 0\ntasks of 0\n\n== 1\nno answer\n\n== node\ntasks of node\n"


async def test_it_looks_now_and_then_until_it_is_stopped(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crewbook, "EVERY_S", 0.01)
    crew.book.start()
    async with asyncio.timeout(5):
        while crew.node.asked < 3:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    crew.book.stop()
    crew.book.stop()
    await asyncio.sleep(0.05)
    asked = crew.node.asked
    await asyncio.sleep(0.05)
    assert crew.node.asked == asked
