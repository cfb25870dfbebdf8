"""One honest SRT caller and its viewers while strangers attack the port: the honest lose nothing.

All attacks of `srthostile` run at once against one real server while ffmpeg publishes over a bad network, encrypted,
and two clients watch at the edge. `TEST_FUZZ=deep` sends a hundred times as much.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import random
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import uvloop
from tests.profile import DEEP

from headwater.loadtest.bench.processes import Peer, children, resident_bytes
from headwater.loadtest.bench.server import Headwater
from headwater.loadtest.bench.srtpeers import ffmpeg_caller
from headwater.loadtest.follow import FollowError, PartFollower, ReceivedPart
from headwater.loadtest.udpproxy import Link, UdpProxy

from .matrix import playable
from .sources import SOURCES
from .srthostile import ATTACKS, WITHOUT_COOKIE, Stranger, Victim, worth_replaying
from .test_hostile import MIB, Sizes, value, values

CASES = 200_000 if DEEP else 2_000
"""Datagrams of each attack."""
pytestmark = [pytest.mark.peer, pytest.mark.timeout(1_800 if DEEP else 240)]

SOURCE = dataclasses.replace(SOURCES["h264-aac"], name="honest-srt", seconds=20)
SEED = 20_261_127
PASSPHRASE = "only-the-honest-one-knows"
KEY = "key-of-everybody"
LATENCY_MS = 600
CAPTURED = 2_000
"""Datagrams of the honest caller that are kept for the attackers."""
GROWTH_BYTES = 100 * MIB
RULES = f"""
[[ingest.publish]]
name = "honest"
key = "{KEY}"
passphrase = "{PASSPHRASE}"
[[ingest.publish]]
name = "vault"
key = "{KEY}"
passphrase = "{PASSPHRASE}"
"""
LIMITS = """
[ingest.srt.limits]
connections_per_address = 20
half_open_per_address = 10
media_idle_s = 2
"""


@dataclass(repr=False)
class Outcome:
    """All that the run showed."""

    parts: dict[str, list[ReceivedPart]]
    errors: list[str]
    sizes: dict[str, Sizes]
    metrics: str
    strangers: dict[str, list[Stranger]]
    publisher_code: int | None
    log: str = ""
    exit_code: int = -1


class Server(Headwater):
    """Open to every name but `honest`, which has a passphrase; with limits that a short run reaches."""

    def _toml(self) -> str:
        text = super()._toml().replace("[ingest.rtmp]", "[ingest]\nmax_streams = 20\nlinger_s = 3\n[ingest.rtmp]")
        return text + RULES + f'[[ingest.publish]]\nname = "*"\nkey = "{KEY}"\n' + LIMITS


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """The whole run."""
    folder = tmp_path_factory.mktemp("srt-hostile")
    path = SOURCE.make(folder)
    server = Server(folder / "server").start()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            found = runner.run(_run(server, path, folder))
    finally:
        code = server.stop()
    found.exit_code, found.log = code, server.text()
    return found


async def _run(server: Headwater, path: Path, folder: Path) -> Outcome:
    captured: list[bytes] = []

    def keep(datagram: bytes, _: float) -> None:
        if len(captured) < CAPTURED and worth_replaying(datagram):
            captured.append(datagram)

    link = Link(loss=0.01, delay_s=0.02)
    proxy = UdpProxy(("127.0.0.1", server.ports["srt"]), there=link, back=link, seed=SEED, tap=keep)
    port = await proxy.start()
    call = server.srt("honest", latency_ms=LATENCY_MS, passphrase=PASSPHRASE, key_bytes=32)
    command = ffmpeg_caller(path, dataclasses.replace(call, port=port), loop=True)
    push = await asyncio.to_thread(Peer, command, folder / "push.log")
    try:
        return await _attacked(server, push, Victim(server.ports["srt"], KEY, proxy, captured, cases=CASES))
    finally:
        await asyncio.to_thread(push.kill)
        await proxy.close()


async def _attacked(server: Headwater, push: Peer, victim: Victim) -> Outcome:
    (edge,) = children(server.pid)
    pids = {"origin": server.pid, "edge": edge}
    parts: dict[str, list[ReceivedPart]] = {"source": [], "audio": []}
    errors: list[str] = []
    async with aiohttp.ClientSession() as session:
        await playable(session, server.url("/live/honest/index.m3u8"), push)
        watching = [
            asyncio.ensure_future(_follow(session, server.url(f"/live/honest/{rendition}/index.m3u8"), seen, errors))
            for rendition, seen in parts.items()
        ]
        await asyncio.sleep(3)
        sizes = {name: Sizes(resident_bytes(pid)) for name, pid in pids.items()}
        watching.append(asyncio.ensure_future(_measure(pids, sizes)))
        dice = random.Random(SEED)
        async with asyncio.TaskGroup() as group:
            for attack in ATTACKS:
                group.create_task(attack(victim, random.Random(dice.random())))
        await asyncio.sleep(5)
        metrics = (await asyncio.to_thread(server.get, "/metrics", at="origin_admin"))[1].decode()
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
    return Outcome(parts, errors, sizes, metrics, victim.strangers, push.returncode)


async def _follow(session: aiohttp.ClientSession, url: str, seen: list[ReceivedPart], errors: list[str]) -> None:
    try:
        async for part in PartFollower(session, url).parts():
            seen.append(part)
    except (FollowError, aiohttp.ClientError) as error:
        errors.append(repr(error))


async def _measure(pids: dict[str, int], sizes: dict[str, Sizes]) -> None:
    while True:
        for name, pid in pids.items():
            sizes[name].most = max(sizes[name].most, resident_bytes(pid))
        await asyncio.sleep(0.1)


# -- the honest ------------------------------------------------------------------------------------------------------


def test_the_honest_caller_stayed(outcome: Outcome) -> None:
    assert outcome.publisher_code is None
    assert outcome.log.count("publisher ") >= 1
    assert "takeover" not in outcome.log


@pytest.mark.parametrize("rendition", ["source", "audio"])
def test_the_viewers_lost_nothing(outcome: Outcome, rendition: str) -> None:
    assert outcome.errors == []
    seen = outcome.parts[rendition]
    assert sum(part.part.duration for part in seen) > 8
    for earlier, later in itertools.pairwise(seen):
        assert (later.msn, later.index) in ((earlier.msn, earlier.index + 1), (earlier.msn + 1, 0))
    assert not [part for part in seen if part.download is None]


def test_nothing_of_the_honest_caller_was_given_up(outcome: Outcome) -> None:
    def of(name: str) -> float:
        return values(outcome.metrics, f"headwater_srt_{name}", "stream").get("honest", 0)

    assert of("packets_total") > 500
    assert of("dropped_packets_total") == of("undecryptable_packets_total") == 0
    assert of("duplicate_packets_total") + of("belated_packets_total") >= CASES * 0.2


# -- the strangers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("attack", WITHOUT_COOKIE)
def test_nobody_is_answered_with_more_than_was_sent(outcome: Outcome, attack: str) -> None:
    for stranger in outcome.strangers[attack]:
        assert stranger.heard <= stranger.sent
    assert sum(stranger.sent for stranger in outcome.strangers[attack]) > CASES * 30


def test_no_guess_was_right(outcome: Outcome) -> None:
    heard = [kind for stranger in outcome.strangers["guesses"] for kind in stranger.kinds]
    assert heard.count(1_010) >= 20, heard
    assert 0xFFFF_FFFF not in heard


def test_one_address_got_no_more_than_its_share(outcome: Outcome) -> None:
    heard = [kind for stranger in outcome.strangers["one_address"] for kind in stranger.kinds]
    assert heard.count(0xFFFF_FFFF) <= 20
    assert sum(kind >= 1_000 and kind != 0xFFFF_FFFF for kind in heard) >= 20


def test_accepted_strangers_were_closed(outcome: Outcome) -> None:
    assert sum(0xFFFF_FFFF in stranger.kinds for stranger in outcome.strangers["streams"]) >= 8
    assert value(outcome.metrics, "headwater_ingest_publishers") == 1
    assert value(outcome.metrics, "headwater_ingest_connections") == 1


# -- the server ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("process", ["origin", "edge"])
def test_memory_is_bounded(outcome: Outcome, process: str) -> None:
    size = outcome.sizes[process]
    shown = {name: f"{value / MIB:.0f} MiB" for name, value in vars(size).items()}
    print(process, shown)
    assert size.most - size.before < GROWTH_BYTES, shown


def test_refusals_are_counted_and_said(outcome: Outcome) -> None:
    dropped = values(outcome.metrics, "headwater_srt_datagrams_dropped_total", "reason")
    for reason in ("malformed", "unknown_session", "wrong_address", "induction_rate", "bad_cookie"):
        assert dropped[reason] > 0, dropped
    assert dropped["outgoing"] == 0
    handshakes = values(outcome.metrics, "headwater_srt_handshakes_total", "outcome")
    assert min(handshakes[outcome] for outcome in ("induction", "asked", "refused", "rejected", "repeated")) > 0
    refused = values(outcome.metrics, "headwater_ingest_refused_total", "reason")
    assert {"secret", "key", "address"} <= set(refused), refused
    for reason in ("reason=secret", "reason=address"):
        assert reason in outcome.log


def test_nothing_was_unexpected(outcome: Outcome) -> None:
    for sign in ("Traceback", "Task exception", "never retrieved", "srt session failed", "[error", "critical"):
        assert sign not in outcome.log, outcome.log[max(0, outcome.log.index(sign) - 2_000) :][:4_000]
    assert outcome.exit_code == 0
    for secret in (PASSPHRASE, KEY, "guess-"):
        assert secret not in outcome.log
    assert len(outcome.log) < 400_000
