"""SRT callers that are refused, that take over from one another and from RTMP, and that are no ffmpeg."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import shlex
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import pytest

from headwater.loadtest.bench.processes import Peer, wait_until
from headwater.loadtest.bench.server import Headwater
from headwater.loadtest.bench.srtpeers import Call, ffmpeg_caller, transmit_caller
from headwater.loadtest.follow import PartFollower, ReceivedPart

from .sources import SOURCES

pytestmark = [pytest.mark.peer, pytest.mark.timeout(300)]

KEY = "publish-key-of-all"
PASSPHRASE = "only-for-this-stream"
LATENCY_MS = 2_000
"""As in test_srt_publish."""
SILENT_S = 3.5
"""Longer than `ingest.takeover_silence_s`, shorter than the 5 s after which a silent SRT caller is gone."""
RULES = f"""
[[ingest.publish]]
name = "*"
key = "{KEY}"
[[ingest.publish]]
name = "secret"
key = "{KEY}"
passphrase = "{PASSPHRASE}"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of sources and logs."""
    return tmp_path_factory.mktemp("srt-callers")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Headwater]:
    """One server for all."""
    server = Headwater(folder / "server", extra=RULES).start()
    yield server
    assert server.stop() == 0
    assert "Traceback" not in server.text(), server.text()


def call(server: Headwater, name: str) -> Call:
    """How a stream is published: with the key."""
    return server.srt(name, latency_ms=LATENCY_MS, key=KEY)


# -- refusals --------------------------------------------------------------------------------------------------------

REFUSED = {
    "no key": (Call(0, 120, "publish:live/closed"), "PREDEFINED:403"),
    "wrong key": (Call(0, 120, "#!::r=live/closed,m=publish,s=wrong-key-0815"), "PREDEFINED:403"),
    "unknown application": (Call(0, 120, f"publish:other/closed?key={KEY}"), "PREDEFINED:404"),
    "a player": (Call(0, 120, "#!::r=live/closed,m=request"), "PREDEFINED:405"),
    "no name": (Call(0, 120, "#!::m=publish"), "PREDEFINED:400"),
    "busy": (Call(0, 120, f"publish:live/busy?key={KEY}"), "PREDEFINED:409"),
    "wrong passphrase": (Call(0, 120, "publish:live/secret", "not-the-passphrase", 32), "ERROR:BADSECRET"),
    "no passphrase": (Call(0, 120, "publish:live/secret"), "ERROR:UNSECURE"),
    "needless passphrase": (Call(0, 120, f"publish:live/closed?key={KEY}", PASSPHRASE, 16), "ERROR:UNSECURE"),
}


def test_the_broadcaster_sees_why(server: Headwater, folder: Path) -> None:
    path = SOURCES["h264-aac"].make(folder)
    busy = Peer(ffmpeg_caller(path, call(server, "busy")), folder / "busy.log")
    peers: dict[str, Peer] = {}
    try:
        server.wait_playable("busy")
        for fault, (asked, _) in REFUSED.items():
            there = replace(asked, port=server.ports["srt"])
            peers[fault] = Peer(ffmpeg_caller(path, there), folder / f"{fault}.log")
        for fault, peer in peers.items():
            assert peer.wait(15) != 0, fault
            assert REFUSED[fault][1] in peer.text(), (fault, peer.text())
        assert busy.returncode is None
        assert server.get("/live/busy/index.m3u8")[0] == 200
    finally:
        for peer in (busy, *peers.values()):
            peer.kill()
    assert server.metric("headwater_ingest_refused_total") >= len(REFUSED)
    for secret in (KEY, PASSPHRASE, "not-the-passphrase", "wrong-key-0815"):
        assert secret not in server.text()


# -- from one protocol to the other ----------------------------------------------------------------------------------


TAKEOVERS = [("srt", "rtmp"), ("rtmp", "srt"), ("srt", "srt")]


@dataclass
class Takeover:
    """A stream whose publisher fell silent, and was replaced by another one."""

    parts: list[ReceivedPart]
    second_code: int | None
    second_log: str


@pytest.fixture(scope="module")
def takeovers(server: Headwater, folder: Path) -> dict[tuple[str, str], Takeover]:
    """All of them at once."""
    path = SOURCES["h264-aac"].make(folder)
    with ThreadPoolExecutor(len(TAKEOVERS)) as pool:
        found = {pair: pool.submit(_take_over, server, path, folder, *pair) for pair in TAKEOVERS}
        return {pair: future.result(120) for pair, future in found.items()}


def _take_over(server: Headwater, path: Path, folder: Path, first: str, second: str) -> Takeover:
    name = f"{first}-{second}"
    commands = {
        "srt": ffmpeg_caller(path, call(server, name), loop=True),
        "rtmp": SOURCES["h264-aac"].push_command(path, f"{server.rtmp(name)}?key={KEY}", loop=True),
    }
    old = Peer(commands[first], folder / f"{name}-1.log")
    new: Peer | None = None
    try:
        server.wait_playable(name)
        with ThreadPoolExecutor(1) as pool:
            following = pool.submit(asyncio.run, _follow(server.url(f"/live/{name}/source/index.m3u8"), 24))
            time.sleep(2)
            os.kill(old.pid, signal.SIGSTOP)
            time.sleep(SILENT_S)
            new = Peer(commands[second], folder / f"{name}-2.log")
            return Takeover(following.result(100), new.returncode, new.text())
    finally:
        old.kill()
        if new is not None:
            new.kill()


@pytest.mark.parametrize("pair", TAKEOVERS, ids="-".join)
def test_takeover_across_protocols(
    server: Headwater, takeovers: dict[tuple[str, str], Takeover], pair: tuple[str, str]
) -> None:
    """The same URL goes on: numbers without a jump, GAP for the silence, then media again."""
    found, name = takeovers[pair], "-".join(pair)
    assert found.second_code is None, found.second_log
    for earlier, later in itertools.pairwise(found.parts):
        assert (later.msn, later.index) in ((earlier.msn, earlier.index + 1), (earlier.msn + 1, 0))
    whole = [part.download is not None for part in found.parts]
    assert whole[0] and whole[-1] and sum(whole) >= len(whole) / 2
    assert re.search(rf"takeover .*stream={name}\b", server.text())
    assert re.search(rf"publisher .*protocol={pair[1]} stream={name}\b", server.text())


async def _follow(url: str, count: int) -> list[ReceivedPart]:
    """The next `count` parts."""
    found: list[ReceivedPart] = []
    async with aiohttp.ClientSession() as session, asyncio.timeout(80):
        async for part in PartFollower(session, url).parts():
            found.append(part)
            if len(found) == count:
                break
    return found


def transport_stream(folder: Path) -> Path:
    path = folder / "transmit.ts"
    if not path.exists():
        command = [*ffmpeg_caller(SOURCES["h264-aac"].make(folder), Call(0))[:-1], str(path)]
        assert Peer(command, folder / "maker.log").wait(60) == 0
    return path


def test_a_broadcaster_that_pauses_has_nothing_to_complain_of(server: Headwater, folder: Path) -> None:
    """Keep-alives are all that it hears: libsrt says it for each of them that it does not understand."""
    begin = f"(head -c {500 * 188} {transport_stream(folder)}; sleep {SILENT_S + 1})"
    caller = ffmpeg_caller(Path("pipe:"), call(server, "pauses"))
    at = caller.index("-i")
    caller[at:at] = ["-probesize", "50000", "-analyzeduration", "300000", "-f", "mpegts"]
    peer = Peer(["sh", "-c", f"{begin} | {shlex.join(caller)}"], folder / "pauses.log")
    try:
        wait_until(
            lambda: server.metric("headwater_srt_packets_total", stream="pauses") > 50,
            timeout_s=10,
            what="it publishes",
            peer=peer,
        )
        assert peer.wait(20) == 0
    finally:
        peer.kill()
    assert "SRT" not in peer.text(), peer.text()


def test_srt_live_transmit_publishes(server: Headwater, folder: Path) -> None:
    """A transport stream that another muxer made, in pieces that are cut anywhere."""
    shell = f"while sleep 0.02; do dd bs=2000 count=1 status=none; done < {transport_stream(folder)}"
    command = shlex.join(transmit_caller(call(server, "transmit")))
    with_pipe = Peer(["sh", "-c", f"({shell}) | {command}"], folder / "transmit.log")
    try:
        server.wait_playable("transmit")
        wait_until(
            lambda: server.metric("headwater_srt_packets_total") > 0 and with_pipe.returncode is None,
            timeout_s=5,
            what="packets are counted",
        )
    finally:
        with_pipe.kill()
