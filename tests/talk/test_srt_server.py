"""Conversations with the ingest server over SRT: real UDP on loopback, our own sender, the whole way into the sink."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop
from prometheus_client import CollectorRegistry, generate_latest
from structlog.testing import capture_logs
from tests.srt_feed import PAYLOAD, Client, transport_stream
from tests.srt_sender import Profile, handshake, text
from tests.timeline_kit import Judge

from headwater.config.settings import Ingest, Origin
from headwater.ingest.media import Cut, StreamEvent, Track
from headwater.ingest.server import IngestServer, IngestStartError
from headwater.loadtest.bench.processes import free_udp_port

PASSPHRASE = "correct-horse-battery"
KEYS = [{"name": "demo", "key": "key-of-demo"}]
QUICK = {"ahead_s": 3_600}
"""Media may come faster than real time, so that a test is quick."""


class JudgingSink:
    """Keeps every stream's events."""

    def __init__(self, folder: Path) -> None:
        self.judges: dict[str, list[Judge]] = {}
        self.folder = folder

    def open(self, name: str) -> JudgingStream:
        judge = Judge()
        self.judges.setdefault(name, []).append(judge)
        return JudgingStream(self, name, judge)

    def check(self, track: Track) -> str | None:
        return None

    def judge(self, name: str = "demo") -> Judge:
        return self.judges[name][-1]


class JudgingStream:
    def __init__(self, sink: JudgingSink, name: str, judge: Judge) -> None:
        self.sink, self.name, self.judge = sink, name, judge

    def write(self, event: StreamEvent, now: float) -> None:
        if isinstance(event, Cut):
            assert json.loads((self.sink.folder / f"{self.name}.json").read_text())["next_msn"] > event.msn
        self.judge.take([event])


class House:
    """A server on free ports, its sink and its callers."""

    def __init__(self, folder: Path, **tree: Any) -> None:
        self.sink = JudgingSink(folder)
        self.registry = CollectorRegistry()
        self.clients: list[Client] = []
        srt = {"port": 0, **tree.pop("srt", {})}
        settings = Ingest.model_validate({"rtmp": {"enabled": False}, "srt": srt, **QUICK, **tree})
        self.server = IngestServer(settings, Origin(), folder, self.sink, self.registry)

    async def client(self, profile: Profile | None = None) -> Client:
        client = await Client(profile or Profile()).open(self.server.ports["srt"])
        self.clients.append(client)
        return await client.connect()

    def metric(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"headwater_{name}", labels)


@asynccontextmanager
async def house(folder: Path, **tree: Any) -> AsyncIterator[House]:
    it = House(folder, **tree)
    await it.server.start()
    try:
        yield it
    finally:
        for client in it.clients:
            client.close()
        await asyncio.sleep(0.01)
        await it.server.close()


async def until(true: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("key_length", [0, 16, 24, 32])
async def test_a_publisher_reaches_the_sink(tmp_path: Path, key_length: int) -> None:
    secret: dict[str, Any] = {"srt": {"passphrase": PASSPHRASE}} if key_length else {}
    async with house(tmp_path, **secret) as it:
        client = await it.client(Profile(passphrase=PASSPHRASE if key_length else "", key_length=key_length or 16))
        assert client.sender.connected
        await client.send(4, speed=8)
        judge = it.sink.judge()
        await until(lambda: len(judge.samples.get("source", ())) >= 95)
        (status,) = it.server.streams()
        assert (status.name, status.publisher, status.protocol) == ("demo", "127.0.0.1", "srt")
        assert it.metric("srt_encrypted", stream="demo") == bool(key_length)
        assert it.metric("ingest_publishers", protocol="srt") == 1
        await until(lambda: it.metric("srt_packets_total", stream="demo") == len(transport_stream(4)))
        client.close()
        await until(lambda: it.metric("ingest_publishers", protocol="srt") == 0)
        assert it.metric("ingest_closed_total", reason="peer") == 1
        assert it.metric("ingest_connections", protocol="srt") == 0
    assert {track.codec_string[:4] for track in judge.tracks.values()} == {"avc1", "mp4a"}
    assert "stream=" not in generate_latest(it.registry).decode()


async def test_lost_packets_are_asked_for_and_the_stream_is_whole(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        client = await it.client(Profile(latency_ms=2_000))
        lose = frozenset(range(5, len(transport_stream(4)) - 20, 17))
        await client.send(4, speed=4, lose=lose)
        judge = it.sink.judge()
        await until(lambda: len(judge.samples.get("source", ())) >= 95)
        assert client.sender.retransmitted >= len(lose)
        assert it.metric("srt_lost_packets_total", stream="demo") == len(lose)
        assert it.metric("srt_dropped_packets_total", stream="demo") == 0
        assert not judge.holes


@pytest.mark.parametrize(
    ("tree", "profile", "code", "reason"),
    [
        ({"srt": {"passphrase": PASSPHRASE}}, Profile(passphrase="another-passphrase"), 1010, "secret"),
        ({"srt": {"passphrase": PASSPHRASE}}, Profile(), 1011, "unsecure"),
        ({}, Profile(passphrase=PASSPHRASE), 1011, "unsecure"),
        ({"publish": KEYS}, Profile(stream_id="publish:live/demo"), 2403, "key"),
        ({"publish": KEYS}, Profile(stream_id="publish:live/demo?key=key-of-demx"), 2403, "key"),
        ({}, Profile(stream_id="publish:vod/demo"), 2404, "application"),
        ({}, Profile(stream_id="publish:live/de mo"), 2400, "name"),
        ({}, Profile(stream_id=""), 2400, "name"),
        ({}, Profile(stream_id="#!::r=live/demo,m=request"), 2405, "mode"),
        ({}, Profile(stream_id="#!::{"), 2400, "name"),
        ({}, Profile(version=0x010203), 1008, "handshake"),
        ({}, Profile(extensions=[(6, text("file"))]), 1013, "handshake"),
    ],
)
async def test_who_is_refused_hears_why(
    tmp_path: Path, tree: dict[str, Any], profile: Profile, code: int, reason: str
) -> None:
    async with house(tmp_path, **tree) as it:
        with capture_logs() as logs:
            client = await it.client(profile)
            await until(lambda: it.metric("ingest_refused_total", reason=reason))
        assert client.sender.rejected == code
        assert it.server.streams() == []
        said = str(logs)
        assert "refused" in said and "key-of" not in said and "passphrase" not in said.replace("publish key", "")


async def test_keys_and_passphrases_open_names(tmp_path: Path) -> None:
    publish = [
        {"name": "demo", "key": "key-of-demo", "passphrase": "passphrase-of-demo"},
        {"name": "other", "key": "key-of-other"},
    ]
    async with house(tmp_path, publish=publish, srt={"host": "127.0.0.1"}) as it:
        own = await it.client(Profile(stream_id="publish:live/demo", passphrase="passphrase-of-demo"))
        keyed = await it.client(Profile(stream_id="#!::r=live/other,m=publish,key=key-of-other", socket_id=78))
        wrong = await it.client(Profile(stream_id="publish:live/demo", passphrase="passphrase-of-none", socket_id=79))
        assert own.sender.connected and keyed.sender.connected
        assert wrong.sender.rejected == 2409, "it is busy: nothing is computed for it"
        assert it.metric("srt_keys_derived_total") == 1


async def test_the_default_stream_of_who_does_not_say(tmp_path: Path) -> None:
    async with house(tmp_path, srt={"default_stream": "studio"}) as it:
        client = await it.client(Profile(stream_id=""))
        assert client.sender.connected
        assert [status.name for status in it.server.streams()] == ["studio"]


async def test_a_silent_publisher_is_taken_over_and_a_busy_one_is_not(tmp_path: Path) -> None:
    async with house(tmp_path, takeover_silence_s=1) as it:
        first = await it.client()
        await first.send(2, speed=4)
        second = await it.client(Profile(socket_id=78))
        assert second.sender.rejected == 2409
        await asyncio.sleep(1.1)
        third = await it.client(Profile(socket_id=79))
        assert third.sender.connected
        await until(lambda: first.sender.closed)
        await third.send(3, speed=4)
        judge = it.sink.judge()
        await until(lambda: len(judge.samples["source"]) > 100)
        assert it.metric("ingest_takeovers_total") == 1
        assert len(it.sink.judges["demo"]) == 1


async def test_who_sends_no_media_is_closed(tmp_path: Path) -> None:
    async with house(tmp_path, srt={"limits": {"media_idle_s": 1}}) as it:
        client = await it.client()
        for number in range(300):
            client.sender.send(bytes((0x47, 0x1F, 0xFF, 0x10 + number % 16)) + b"\xff" * 184, time.monotonic())
            client.flush()
            await asyncio.sleep(0.005)
        await until(lambda: client.sender.closed)
        assert it.metric("ingest_closed_total", reason="server") == 1
        assert it.server.streams() == []


async def test_media_faster_than_real_time_is_held_and_then_closed_with_the_reason(tmp_path: Path) -> None:
    async with house(tmp_path, ahead_s=1, srt={"limits": {"inbox_bytes": 700_000}}) as it:
        with capture_logs() as logs:
            client = await it.client()
            await client.send(6, speed=4)
            await until(lambda: client.sender.closed)
        assert any("ffmpeg -re" in entry.get("detail", "") for entry in logs), logs
        assert (it.metric("ingest_pauses_total", reason="ahead") or 0) > 0


async def test_a_bit_rate_above_the_cap_is_closed(tmp_path: Path) -> None:
    async with house(tmp_path, srt={"limits": {"bitrate": 500_000, "inbox_bytes": 70_000}}) as it:
        with capture_logs() as logs:
            client = await it.client()
            await client.send(6, speed=5)
            await until(lambda: client.sender.closed)
        assert any("limits.bitrate" in entry.get("detail", "") for entry in logs)


async def test_drain_takes_leave_and_refuses(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        client = await it.client()
        await client.send(3, speed=4)
        await it.server.drain()
        await until(lambda: client.sender.closed)
        late = await it.client(Profile(socket_id=78))
        assert late.sender.rejected == 2503
    assert [status.name for status in it.server.streams()] == []


async def test_bounds_of_the_port(tmp_path: Path) -> None:
    limits = {"connections": 2, "connections_per_address": 64}
    async with house(tmp_path, srt={"limits": limits}) as it:
        for number in range(2):
            client = await it.client(Profile(stream_id=f"live/s{number}", socket_id=100 + number))
            assert client.sender.connected
        third = await it.client(Profile(stream_id="live/s2", socket_id=102))
        assert third.sender.rejected == 1003
        assert it.metric("ingest_refused_total", reason="connections") == 1
        assert it.metric("ingest_connections", protocol="srt") == 2


async def test_rubbish_reaches_nobody_and_a_live_publisher_loses_nothing(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        client = await it.client()
        port = it.server.ports["srt"]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hostile:
            hostile.setblocking(False)
            sending = asyncio.ensure_future(client.send(3, speed=2))
            for number in range(3_000):
                kind = number % 4
                junk = (
                    bytes(number % 1_600),
                    handshake(1, version=4, flags=2, socket_id=number, stamp=number),
                    handshake(0xFFFF_FFFF, cookie=number, socket_id=number),
                    client.sender.data_packet(number, bytes(PAYLOAD), 0),
                )[kind]
                try:
                    hostile.sendto(junk, ("127.0.0.1", port))
                except BlockingIOError:
                    await asyncio.sleep(0.001)
                if number % 50 == 0:
                    await asyncio.sleep(0.01)
            await sending
        judge = it.sink.judge()
        await until(lambda: len(judge.samples.get("source", ())) >= 70)
        assert not judge.holes
        for reason in ("malformed", "bad_cookie", "wrong_address"):
            assert (it.metric("srt_datagrams_dropped_total", reason=reason) or 0) > 0
        assert it.metric("ingest_connections", protocol="srt") == 1


async def test_wrong_passphrases_are_not_computed_for_ever(tmp_path: Path) -> None:
    async with house(tmp_path, srt={"passphrase": PASSPHRASE, "limits": {"key_derivations_per_s": 100}}) as it:
        codes = set()
        for number in range(60):
            client = await it.client(Profile(passphrase="another-passphrase", socket_id=200 + number))
            codes.add(client.sender.rejected)
            if client.sender.rejected != 1010:
                break
        assert codes == {1010, 2402}
        assert (it.metric("srt_keys_derived_total") or 0) < 50


async def test_what_cannot_be_bound_is_told(tmp_path: Path) -> None:
    port = free_udp_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", port))
        it = House(tmp_path, srt={"port": port})
        with pytest.raises(IngestStartError, match=rf"ingest.srt.port = {port}: cannot listen on 127.0.0.1/udp"):
            await it.server.start()


async def test_where_it_listens(tmp_path: Path) -> None:
    for tree, every in (({}, False), ({"publish": KEYS}, True), ({"srt": {"passphrase": PASSPHRASE}}, True)):
        async with house(tmp_path, **tree) as it:
            bound = it.server._srt.udp
            assert bound is not None
            assert (bound._sock.getsockname()[0] in ("::", "0.0.0.0")) is every


def test_the_same_on_uvloop(tmp_path: Path) -> None:
    async def talk() -> None:
        async with house(tmp_path, srt={"passphrase": PASSPHRASE}) as it:
            client = await it.client(Profile(passphrase=PASSPHRASE, key_length=32))
            await client.send(3, speed=6)
            await until(lambda: len(it.sink.judge().samples.get("source", ())) >= 70)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(talk())
