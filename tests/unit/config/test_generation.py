"""A node and its workers with the same settings: started together, watched, ended in order."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.crew_kit import FakeSpare, Processes, install
from tests.virtual_time import run as virtually

from headwater.config.edgeplan import plan
from headwater.config.generation import START_S, Generation, Identity, Member
from headwater.config.settings import Edge, Settings
from headwater.config.sockets import Share
from headwater.config.supervisor import ChildFailed
from headwater.config.vigil import BEAT_S
from headwater.edge.post import Place

HANG_S = 4.0
SHARES = (Share((101,), (201,)), Share((102, 103), (202,)))
UPSTREAM = "http://127.0.0.1:9"


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Processes:
    return install(monkeypatch)


@pytest.fixture
def folder() -> Iterator[Path]:
    """With a path that is short enough for a socket."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        yield Path(name)


class Nodes(list[Member]):
    """That said they are ready."""


def a_generation(folder: Path, nodes: Nodes, number: int = 1) -> Generation:
    settings = Settings(edge=Edge(workers=2, hang_s=HANG_S, cache_bytes=400 << 20))
    return Generation(
        number,
        settings,
        Identity("headwater-x", b"k" * 32),
        lambda path: plan(settings.edge, UPSTREAM, 2, path),
        SHARES,
        folder,
        nodes.append,
    )


async def test_each_process_has_its_own_part_of_the_edge(folder: Path, processes: Processes) -> None:
    generation = a_generation(folder, Nodes())
    node, first, second = (one.orders for one in processes.every)
    (node_socket,) = node.post.listening
    assert [one.role for one in processes.every] == ["node", "worker", "worker"]
    assert (node.post.place, node.name, node.settings.edge.upstream) == (Place.NODE, "node", UPSTREAM)
    assert [(one.post.listening, one.post.tls_listening) for one in (first, second)] == [
        ((101,), (201,)),
        ((102, 103), (202,)),
    ]
    for worker in (first, second):
        assert [one.url for one in worker.settings.edge.upstreams] == [f"unix:{folder}/1.sock"]
        assert (worker.post.cdn_id, worker.post.viewer_key) == (node.post.cdn_id, node.post.viewer_key)
        assert worker.post.cache_bytes == 100 << 20
    assert node.post.cache_bytes == 200 << 20
    assert len({one.orders.control for one in processes.every}) == 3
    # A spare process has all descriptors, and closes those that are not for the place that it takes
    every = {101, 102, 103, 201, 202, node_socket}
    for one in processes.every:
        assert set(one.pass_fds) == {*one.orders.post.listening, *one.orders.post.tls_listening}
        assert set(one.pass_fds) | set(one.orders.others) == every
        assert not set(one.pass_fds) & set(one.orders.others)
    spare = processes.every[0].spare.__self__  # type: ignore[attr-defined]
    assert isinstance(spare, FakeSpare) and set(spare.pass_fds) == every
    await generation.stop(1.0)


async def test_two_generations_share_a_folder(folder: Path, processes: Processes) -> None:
    generations = [a_generation(folder, Nodes(), number) for number in (1, 2)]
    assert len({one.orders.control for one in processes.every}) == 6
    assert len(os.listdir(folder)) == 2
    for generation in generations:
        await generation.stop(1.0)
    assert os.listdir(folder) == []


async def test_it_is_ready_with_its_node_and_one_worker(folder: Path, processes: Processes) -> None:
    nodes = Nodes()
    generation = a_generation(folder, nodes)
    assert not generation.ready and not generation.spare
    await generation.start()
    assert generation.ready and generation.spare
    assert processes.done[-1] == ("spare", "start"), "whoever serves starts first"
    assert [member.name for member in generation.members] == ["0", "1", "node"]
    assert nodes == [generation.node]
    node, first, second = processes.every
    first.running = False
    assert generation.ready
    second.running = False
    assert not generation.ready
    first.running, node.running = True, False
    assert not generation.ready
    node.say("alive")
    first.listen()
    assert len(nodes) == 1
    node.listen()
    assert nodes == [generation.node] * 2, "each time that it has started"
    await generation.stop(1.0)


@pytest.mark.parametrize("failing", ["node", "0", "1"])
async def test_one_that_does_not_start_is_the_end_of_all(folder: Path, processes: Processes, failing: str) -> None:
    processes.failing[failing] = 2
    generation = a_generation(folder, Nodes())
    with pytest.raises(ChildFailed) as caught:
        await generation.start()
    assert caught.value.code == 2
    assert processes.running() == {}
    assert ("spare", "start") not in processes.done
    assert os.listdir(folder) == []


async def test_who_gives_up_waiting_for_it_leaves_nothing(folder: Path, processes: Processes) -> None:
    generation = a_generation(folder, Nodes())
    starting = asyncio.ensure_future(generation.start())
    await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert processes.running() == {}


@pytest.mark.parametrize(
    ("end", "sign"), [("retire", signal.SIGUSR1), ("drain", signal.SIGTERM), ("stop", signal.SIGTERM)]
)
async def test_the_node_ends_after_the_workers(
    folder: Path, processes: Processes, end: str, sign: signal.Signals
) -> None:
    generation = a_generation(folder, Nodes())
    await generation.start()
    processes.done.clear()
    await (generation.stop(1.0) if end == "stop" else getattr(generation, end)())
    assert processes.done[0] == ("spare", "close"), "nobody takes the place of who is meant to end"
    assert sorted(processes.done[1:3]) == [("0", sign.name), ("1", sign.name)]
    assert processes.done[3:] == [("node", "SIGTERM")]
    assert os.listdir(folder) == []
    await generation.stop(1.0)
    assert len(processes.done) == 4


def test_one_that_hangs_is_replaced_and_the_others_are_let_alone(folder: Path, processes: Processes) -> None:
    async def main() -> None:
        generation = a_generation(folder, Nodes())
        await generation.start()
        hanging: set[str] = set()

        async def watch(seconds: float) -> list[str]:
            processes.done.clear()
            until = asyncio.get_running_loop().time() + seconds
            while asyncio.get_running_loop().time() < until:
                for one in processes.every:
                    if one.name not in hanging:
                        one.say("alive")
                await asyncio.sleep(BEAT_S)
            return [name for name, what in processes.done if what == "give up"]

        assert await watch(100) == []
        hanging = {"1"}
        assert await watch(HANG_S - 1) == []
        assert await watch(2) == ["1"]
        hanging = {"0", "node"}
        assert await watch(HANG_S + 1) == ["node"]
        assert await watch(HANG_S) == ["0"]
        hanging = set()
        assert await watch(100) == []
        # Made way, it has time to end, whatever it says
        processes.held.clear()
        retiring = asyncio.ensure_future(generation.retire())
        hanging = {"0", "1", "node"}
        assert await watch(START_S) == []
        processes.held.set()
        await retiring

    virtually(main())
