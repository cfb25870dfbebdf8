"""One honest publisher and its viewers while strangers attack every listener: the honest lose nothing.

All attacks of `hostile` run against one real server while ffmpeg publishes and three clients watch at the edge.
Every test looks at another side of that one run.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import random
import re
from collections.abc import Awaitable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from headwater.loadtest.bench.processes import Peer, children, resident_bytes
from headwater.loadtest.bench.server import Headwater
from headwater.loadtest.follow import FollowError, PartFollower, ReceivedPart

from . import hostile
from .hostile import HTTP_ATTACKS, RTMP_ATTACKS, Attack, Victim, publish_code
from .matrix import playable
from .sources import SOURCES

pytestmark = [pytest.mark.peer, pytest.mark.timeout(360)]

SOURCE = dataclasses.replace(SOURCES["h264-aac"], name="honest", seconds=20)
SEED = 20_261_120
MIB = 1 << 20
GROWTH_BYTES = 100 * MIB
"""Most that a process may grow over the whole run, its own live window included."""
MAX_SERIES = 2_000
"""Most series of one process: STREAMS live ones and those that ended within the last window have some 30 each."""

LIMITS = """
[ingest.rtmp.limits]
handshake_s = 2
publish_s = 2
connections_per_address = 20
outgoing_bytes = 65536
"""
STREAMS = 20
"""Strangers may open this many, less the honest one: the listener is open."""
EDGE_LIMITS = """
header_s = 2
write_stall_s = 2
"""


@dataclass
class Viewer:
    """What one honest viewer saw."""

    parts: list[ReceivedPart] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    error: str = ""


@dataclass
class Sizes:
    """Resident bytes of one process."""

    before: int
    most: int = 0
    after: int = 0


@dataclass(repr=False)
class Outcome:
    """All that the run showed."""

    viewers: dict[str, Viewer]
    sizes: dict[str, Sizes]
    metrics: dict[str, str]
    answers: dict[str, dict[str, list[str]]]
    publisher_code: int | None
    push_log: str
    log: str
    exit_code: int = -1


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """The whole run."""
    folder = tmp_path_factory.mktemp("hostile")
    path = SOURCE.make(folder)
    server = Server(folder / "server").start()
    push = Peer(SOURCE.push_command(path, server.rtmp("honest"), loop=True), folder / "push.log")
    try:
        found = asyncio.run(_run(server, push))
    finally:
        push.stop()
        code = server.stop()
    found.exit_code = code
    found.log = server.text()
    return found


class Server(Headwater):
    """With limits that a short run reaches."""

    def _toml(self) -> str:
        text = super()._toml()
        text = text.replace("[ingest.rtmp]", f"[ingest]\nmax_streams = {STREAMS}\nlinger_s = 3\n[ingest.rtmp]")
        return text.replace("[edge.admin]", f"{EDGE_LIMITS}[edge.admin]") + LIMITS


async def _run(server: Headwater, push: Peer) -> Outcome:
    (edge,) = children(server.pid)
    pids = {"origin": server.pid, "edge": edge}
    viewers = {name: Viewer() for name in ("source", "audio", "poller")}
    ports = server.ports
    victims = {at: Victim(ports["rtmp"], ports[at], "honest") for at in ("edge", "origin")}
    async with aiohttp.ClientSession() as session:
        await playable(session, server.url("/live/honest/index.m3u8"), push)
        watching = [
            asyncio.ensure_future(_follow(session, server, "source", viewers["source"])),
            asyncio.ensure_future(_follow(session, server, "audio", viewers["audio"])),
            asyncio.ensure_future(_poll(session, server, viewers["poller"])),
        ]
        await asyncio.sleep(3)
        sizes = {name: Sizes(resident_bytes(pid)) for name, pid in pids.items()}
        measuring = asyncio.ensure_future(_measure(pids, sizes))
        dice = random.Random(SEED)
        await _wave(RTMP_ATTACKS, victims["edge"], dice)
        await _wave(HTTP_ATTACKS, victims["edge"], dice)
        await _wave(HTTP_ATTACKS, victims["origin"], dice)
        await asyncio.sleep(4)
        metrics = {at: (await asyncio.to_thread(server.get, "/metrics", at=f"{at}_admin"))[1].decode() for at in pids}
        for task in (*watching, measuring):
            task.cancel()
        await asyncio.gather(*watching, measuring, return_exceptions=True)
    for name, pid in pids.items():
        sizes[name].after = resident_bytes(pid)
    answers = {at: victim.answers for at, victim in victims.items()}
    return Outcome(viewers, sizes, metrics, answers, push.returncode, push.text(), "")


async def _wave(attacks: tuple[Attack, ...], victim: Victim, dice: random.Random) -> None:
    """All at once; an attack is over when the server has had enough of it."""

    async def one(attack: Attack) -> None:
        with contextlib.suppress(*hostile.GONE):
            await attack(victim, random.Random(dice.random()))

    async with asyncio.timeout(90), asyncio.TaskGroup() as group:
        for attack in attacks:
            group.create_task(one(attack))


async def _follow(session: aiohttp.ClientSession, server: Headwater, rendition: str, seen: Viewer) -> None:
    follower = PartFollower(session, server.url(f"/live/honest/{rendition}/index.m3u8"))
    try:
        async for part in follower.parts():
            seen.parts.append(part)
    except (FollowError, aiohttp.ClientError) as error:
        seen.error = repr(error)


async def _poll(session: aiohttp.ClientSession, server: Headwater, seen: Viewer) -> None:
    """A player without parts: playlists again and again, and the newest segment."""

    async def fetch(path: str) -> str:
        async with session.get(server.url(path)) as answer:
            text = await answer.read()
        seen.statuses.append(answer.status)
        return text.decode(errors="replace") if path.endswith("m3u8") else ""

    try:
        while True:
            await fetch("/live/honest/index.m3u8")
            listed = re.findall(r"\n(s\w+\.m4s)", await fetch("/live/honest/source/index.m3u8"))
            await fetch(f"/live/honest/source/{listed[-1]}")
            await asyncio.sleep(0.5)
    except aiohttp.ClientError as error:
        seen.error = repr(error)


async def _measure(pids: dict[str, int], sizes: dict[str, Sizes]) -> None:
    while True:
        for name, pid in pids.items():
            sizes[name].most = max(sizes[name].most, resident_bytes(pid))
        await asyncio.sleep(0.1)


# -- the honest ------------------------------------------------------------------------------------------------------


def test_the_publisher_stayed(outcome: Outcome) -> None:
    assert outcome.publisher_code is None, outcome.push_log


@pytest.mark.parametrize("rendition", ["source", "audio"])
def test_every_part_reached_the_follower(outcome: Outcome, rendition: str) -> None:
    seen = outcome.viewers[rendition]
    assert seen.error == ""
    assert sum(part.part.duration for part in seen.parts) > 15
    for earlier, later in zip(seen.parts, seen.parts[1:], strict=False):
        assert (later.msn, later.index) in ((earlier.msn, earlier.index + 1), (earlier.msn + 1, 0))
    assert not [part for part in seen.parts if part.download is None]


def test_the_poller_was_always_answered(outcome: Outcome) -> None:
    seen = outcome.viewers["poller"]
    assert seen.error == ""
    assert len(seen.statuses) > 30
    assert set(seen.statuses) == {200}


# -- the server ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("process", ["origin", "edge"])
def test_memory_is_bounded(outcome: Outcome, process: str) -> None:
    size = outcome.sizes[process]
    shown = {name: f"{value / MIB:.0f} MiB" for name, value in vars(size).items()}
    print(process, shown)
    assert size.most - size.before < GROWTH_BYTES, shown


def test_nothing_was_unexpected(outcome: Outcome) -> None:
    for sign in ("Traceback", "Task exception", "never retrieved", "request failed", "fetch-bug", "[error", "critical"):
        assert sign not in outcome.log, outcome.log[max(0, outcome.log.index(sign) - 2_000) :][:4_000]
    assert outcome.exit_code == 0


def values(text: str, name: str, label: str) -> dict[str, float]:
    """The values of a metric by one of its labels."""
    found: dict[str, float] = {}
    for labels, value in re.findall(rf"^{name}\{{(.*?)\}} (\S+)$", text, re.M):
        key = re.search(rf'{label}="(.*?)"', labels)
        assert key
        found[key[1]] = found.get(key[1], 0) + float(value)
    return found


def value(text: str, name: str) -> float:
    """The sum of all series of a metric."""
    return sum(float(found) for found in re.findall(rf"^{name}(?:\{{.*?\}})? (\S+)$", text, re.M))


def test_refusals_are_counted_and_said(outcome: Outcome) -> None:
    ingest = values(outcome.metrics["origin"], "headwater_ingest_refused_total", "reason")
    assert ingest["busy"] >= 40
    assert ingest["address"] >= 30
    assert ingest["streams"] > 0
    closed = values(outcome.metrics["origin"], "headwater_ingest_closed_total", "reason")
    assert {"handshake", "limit", "peer", "protocol", "rejected", "timeout"} <= set(closed)
    assert values(outcome.metrics["origin"], "headwater_ingest_pauses_total", "reason")["work"] > 0
    origin = values(outcome.metrics["origin"], "headwater_origin_refused_total", "reason")
    assert {"malformed", "slow request"} <= set(origin)
    edge = values(outcome.metrics["edge"], "headwater_edge_refused_total", "reason")
    assert {"head", "malformed", "slow-request", "target", "body"} <= set(edge)
    assert value(outcome.metrics["edge"], "headwater_edge_slow_readers_closed_total") >= 40
    for reason in ("reason=busy", "reason=address", "reason=limit", "no handshake in time", "reason=rejected"):
        assert reason in outcome.log


def test_labels_are_bounded(outcome: Outcome) -> None:
    for text in outcome.metrics.values():
        assert len(re.findall(r"^headwater_", text, re.M)) < MAX_SERIES
        assert not re.search(r'"u\d+-', text)


def test_gauges_are_as_before(outcome: Outcome) -> None:
    origin, edge = outcome.metrics["origin"], outcome.metrics["edge"]
    assert value(origin, "headwater_ingest_publishers") == 1
    assert value(origin, "headwater_ingest_connections") == 1
    assert value(edge, "headwater_edge_connections") <= 10
    assert value(edge, "headwater_edge_held") <= 6
    assert value(edge, "headwater_edge_followers") <= 3
    assert value(edge, "headwater_edge_flights") <= 4
    assert value(origin, "headwater_origin_held_requests") <= 6


def test_hijackers_hear_bad_name(outcome: Outcome) -> None:
    assert outcome.answers["edge"]["rtmp_hijack"] == ["NetStream.Publish.BadName"] * 40
    assert outcome.answers["edge"]["rtmp_many"].count("refused") >= 30
    assert outcome.answers["edge"]["rtmp_slow"] == ["closed"] * 40


@pytest.mark.parametrize("at", ["edge", "origin"])
def test_http_attackers_hear_4xx(outcome: Outcome, at: str) -> None:
    answers = outcome.answers[at]
    assert set(answers["http_absurd"]) <= {"200", "308", "400", "404", "414", "431"}
    assert set(answers["http_bombs"]) <= {"200", "400", "413", "414", "431"}
    assert set(answers["http_unknown"]) <= {"200", "404"}
    assert len(answers["http_unknown"]) == 20 * 150
    assert set(answers["http_future"]) == {"400"}


def test_heads_that_do_not_end_are_timed_out(outcome: Outcome) -> None:
    assert outcome.answers["edge"]["http_slow"] == ["408"] * 40
    assert outcome.answers["origin"]["http_slow"] == ["closed"] * 40


# -- keys ------------------------------------------------------------------------------------------------------------

SECRET = "let-me-in-0815"
NEAR = ("", "?key=", "?key=let-me-in-081", "?key=let-me-in-08155", "?key=LET-ME-IN-0815", f"?KEY={SECRET}",
        f"&key={SECRET}", f"?key={SECRET}%00", f"/{SECRET}", f"?token={SECRET}")  # fmt: skip


async def test_wrong_keys_are_denied_and_the_key_is_told_to_nobody(tmp_path: Path) -> None:
    rules = f'\n[[ingest.publish]]\nname = "mine"\nkey = "{SECRET}"\n'
    server = await asyncio.to_thread(Headwater(tmp_path / "server", extra=rules).start)
    dice = random.Random(SEED)
    port = server.ports["rtmp"]

    def code(key: str, app: str = "live") -> Awaitable[str]:
        return publish_code(port, dice, key, app)

    try:
        codes = [await code(f"mine{near}") for near in NEAR]
        codes += [await code(f"other?key={SECRET}"), await code("mine", f"live/{SECRET}")]
        codes += [await code("mine", f"live\n00:00:00 [info] forged\x1b[2J key={SECRET}")]
        assert "NetStream.Publish.Start" not in codes
        assert await code(f"mine?key={SECRET}") == "NetStream.Publish.Start"
        shown = [(await asyncio.to_thread(server.get, "/metrics", at=at))[1] for at in ("origin_admin", "edge_admin")]
        shown += [(await asyncio.to_thread(server.get, "/streams.json"))[1]]
    finally:
        assert await asyncio.to_thread(server.stop) == 0
    assert SECRET.encode() not in b"".join(shown)
    log = server.text()
    assert SECRET not in log
    assert "\x1b[2J" not in log
    assert not re.search(r"^00:00:00 \[info\] forged", log, re.M)
    assert log.count("publish refused") == len(codes)
