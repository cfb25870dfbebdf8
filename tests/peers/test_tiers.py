"""Leaf, shields and origins as processes: one of them is killed or frozen, and a client of parts goes on."""

from __future__ import annotations

import dataclasses
import itertools
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import pytest

from headwater.loadtest.bench.edge import EdgeNode
from headwater.loadtest.bench.processes import running
from headwater.loadtest.bench.server import Headwater
from headwater.loadtest.follow import FollowError, PartFollower

from .sources import SOURCES

pytestmark = [pytest.mark.peer, pytest.mark.timeout(180)]

SOURCE = dataclasses.replace(SOURCES["h264-aac"], name="tiers", seconds=30)
PLAYLIST = "/live/tiers/source/index.m3u8"
PART_S = 0.52
TARGET_S = 4.0
BEFORE = 8
"""Parts before the blow."""


@pytest.fixture(scope="module")
def origins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Headwater, Headwater]]:
    """Two servers that get the same file, each from a publisher of its own: their names and numbers differ."""
    folder = tmp_path_factory.mktemp("tiers")
    file = SOURCE.make(folder)
    with ExitStack() as stack:
        servers = []
        for name in ("a", "b"):
            server = Headwater(folder / name).start()
            stack.callback(server.kill)
            stack.enter_context(
                running(SOURCE.push_command(file, server.rtmp("tiers"), loop=True), folder / f"{name}.ffmpeg")
            )
            servers.append(server)
        for server in servers:
            server.wait_playable("tiers")
        yield servers[0], servers[1]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Callable[..., EdgeNode]]:
    """Starts edges; none outlives the test."""
    with ExitStack() as stack:

        def start(name: str, **upstreams: str) -> EdgeNode:
            edge = EdgeNode(tmp_path, name, upstreams)
            stack.callback(edge.peer.kill)
            return edge

        yield start


@dataclasses.dataclass
class Seen:
    """What a client got, with the time (monotonic) of each part."""

    parts: list[tuple[int, int, float]] = dataclasses.field(default_factory=list)
    errors: list[str] = dataclasses.field(default_factory=list)

    @property
    def longest_pause(self) -> float:
        return max(b[2] - a[2] for a, b in itertools.pairwise(self.parts))


async def watch(base: str, blow: Callable[[], None], seconds: float) -> Seen:
    """Follow the stream; `blow` after some parts; on for `seconds`. A jump is resynchronised, as players do."""
    seen = Seen()
    end = float("inf")
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        while time.monotonic() < end:
            try:
                async for part in PartFollower(session, base + PLAYLIST).parts():
                    if not seen.parts or (part.msn, part.index) > seen.parts[-1][:2]:
                        seen.parts.append((part.msn, part.index, time.monotonic()))
                    if len(seen.parts) == BEFORE and end == float("inf"):
                        blow()
                        end = time.monotonic() + seconds
                    if time.monotonic() >= end:
                        break
            except FollowError as error:
                seen.errors.append(str(error))
    return seen


def in_use(leaf: EdgeNode) -> str:
    """The upstream that has the stream."""
    return max("ab", key=lambda name: leaf.metric("headwater_edge_upstream_streams", upstream=name))


async def test_a_killed_shield_costs_at_most_one_part(
    origins: tuple[Headwater, Headwater], node: Callable[..., EdgeNode]
) -> None:
    origin = origins[0].url("", at="origin")
    shields = {name: node(f"shield-{name}", origin=origin) for name in "ab"}
    leaf = node("leaf", **{name: shield.base for name, shield in shields.items()})

    seen = await watch(leaf.base, lambda: shields[in_use(leaf)].peer.kill(), 5)

    assert seen.errors == []
    numbers = [part[:2] for part in seen.parts]
    for earlier, later in itertools.pairwise(numbers):
        assert later in ((earlier[0], earlier[1] + 1), (earlier[0] + 1, 0)), "a part was missed"
    assert seen.longest_pause < 3 * PART_S
    taken = [leaf.metric("headwater_edge_upstream_takeovers_total", names="same", upstream=name) for name in "ab"]
    assert sorted(taken)[0] == 0 and sorted(taken)[1] >= 1
    assert "an upstream does not answer" in leaf.peer.text()


@pytest.mark.parametrize("blow", [signal.SIGSTOP, signal.SIGKILL])
async def test_an_origin_that_freezes_or_dies_is_left_in_time(
    origins: tuple[Headwater, Headwater], node: Callable[..., EdgeNode], blow: signal.Signals
) -> None:
    servers = dict(zip("ab", origins, strict=True))
    leaf = node("leaf", **{name: server.url("", at="origin") for name, server in servers.items()})
    struck: list[int] = []

    def strike() -> None:
        struck.append(servers[in_use(leaf)].pid)
        os.kill(struck[0], blow)

    try:
        seen = await watch(leaf.base, strike, 9)
    finally:
        for pid in struck:
            os.kill(pid, signal.SIGCONT)
    numbers = [part[:2] for part in seen.parts]
    assert numbers == sorted(set(numbers)), "numbers never go back"
    # A client that asks twice for the part that died with its origin is refused twice.
    refused = {error.partition(" for ")[2].partition(": ")[0] or error for error in seen.errors}
    assert len(refused) <= 1, seen.errors
    assert seen.longest_pause < (1.5 * TARGET_S if blow is signal.SIGSTOP else 2.0 + 2 * PART_S)
    assert len(seen.parts) > BEFORE + 8
