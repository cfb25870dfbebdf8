"""Conversations with the ingest server over real sockets on loopback."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import uvloop
from prometheus_client import CollectorRegistry, generate_latest
from pydantic import SecretStr
from tests.codec_vectors import ASC_LC, AVCC_BASELINE
from tests.rtmp_client import Publisher, chunk_header
from tests.timeline_kit import IDR, SLICE, Judge

from headwater.config.settings import Ingest, Origin, Publish, Rtmp, RtmpLimits
from headwater.config.settings_srt import Srt
from headwater.ingest.media import Codec, Cut, Kind, Sample, StreamEnded, StreamEvent, Track
from headwater.ingest.server import IngestServer, IngestStartError
from headwater.loadtest.bench.certificates import self_signed

VIDEO_CONFIG = b"\x17\x00\x00\x00\x00" + AVCC_BASELINE
AUDIO_CONFIG = b"\xaf\x00" + ASC_LC


class JudgingSink:
    """Keeps every stream's events; refuses the codecs it is told to."""

    def __init__(self, folder: Path) -> None:
        self.judges: dict[str, list[Judge]] = {}
        self.refuse: dict[Codec, str] = {}
        self.folder = folder
        self.unsaved: list[Cut] = []

    def open(self, name: str) -> JudgingStream:
        judge = Judge()
        self.judges.setdefault(name, []).append(judge)
        return JudgingStream(self, name, judge)

    def check(self, track: Track) -> str | None:
        return self.refuse.get(track.codec)

    def judge(self, name: str = "demo") -> Judge:
        return self.judges[name][-1]


class JudgingStream:
    def __init__(self, sink: JudgingSink, name: str, judge: Judge) -> None:
        self.sink, self.name, self.judge = sink, name, judge

    def write(self, event: StreamEvent, now: float) -> None:
        if isinstance(event, Cut):
            saved = json.loads((self.sink.folder / f"{self.name}.json").read_text())
            if saved["next_msn"] <= event.msn:
                self.sink.unsaved.append(event)
        self.judge.take([event])


class Client:
    """A publisher on a socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.rtmp = Publisher()
        self.at_ms = 0
        self.sounds = 0

    async def open(self, key: str = "demo", app: str = "live") -> list[str]:
        """Ask to publish; the codes of the answers once the decision is there."""
        self.writer.write(self.rtmp.opening(key, app))
        async with asyncio.timeout(10):
            while not any("Publish" in code or "Invalid" in code or "Rejected" in code for code in self.rtmp.codes()):
                data = await self.reader.read(65_536)
                if not data:
                    break
                self.rtmp.receive(data)
        return self.rtmp.codes()

    def configure(self, audio: bool = True) -> None:
        self.writer.write(self.rtmp.video(VIDEO_CONFIG, self.at_ms))
        if audio:
            self.writer.write(self.rtmp.audio(AUDIO_CONFIG, self.at_ms))

    async def media(self, seconds: float, speed: float = 20.0) -> None:
        """Video at 25 frames/s with keyframes every second, and sound, at `speed` times real time."""
        end = self.at_ms + int(seconds * 1000)
        while self.at_ms < end:
            key = self.at_ms % 1000 == 0
            self.writer.write(
                self.rtmp.video(b"\x17\x01\x00\x00\x00" + IDR if key else b"\x27\x01\x00\x00\x00" + SLICE, self.at_ms)
            )
            while self.sounds * 1024 / 48 < self.at_ms + 40:
                self.writer.write(self.rtmp.audio(b"\xaf\x01" + b"\x21" * 30, round(self.sounds * 1024 / 48)))
                self.sounds += 1
            self.at_ms += 40
            await asyncio.sleep(0.04 / speed)

    async def closed(self) -> bytes:
        """Read until the server closes."""
        async with asyncio.timeout(10):
            rest = b""
            while data := await self.reader.read(65_536):
                rest += data
            self.rtmp.receive(rest)
            return rest

    def close(self) -> None:
        self.writer.close()


async def until(true: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


class House:
    """A server with its sink and registry."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        rtmp = settings.pop("rtmp", Rtmp(port=0, tls_port=0))
        self.folder = folder
        self.sink = JudgingSink(folder)
        self.registry = CollectorRegistry()
        self.clients: list[Client] = []
        settings = {"ahead_s": 3_600, **settings}
        self.server = IngestServer(
            Ingest(rtmp=rtmp, srt=Srt(port=0), **settings), Origin(), folder, self.sink, self.registry
        )

    async def client(self, protocol: str = "rtmp", context: ssl.SSLContext | None = None) -> Client:
        port = self.server.ports[protocol]
        client = Client(*await asyncio.open_connection("127.0.0.1", port, ssl=context))
        self.clients.append(client)
        return client

    def metric(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"headwater_ingest_{name}", labels)


@asynccontextmanager
async def house(folder: Path, **settings: Any) -> AsyncIterator[House]:
    it = House(folder, **settings)
    await it.server.start()
    try:
        yield it
    finally:
        for client in it.clients:
            client.writer.transport.abort()
            with suppress(ConnectionError):
                await client.writer.wait_closed()
        await it.server.close()


async def publishing(it: House, key: str = "demo", seconds: float = 3.0) -> Client:
    client = await it.client()
    assert "NetStream.Publish.Start" in await client.open(key)
    client.configure()
    await client.media(seconds)
    return client


async def test_a_publisher_becomes_a_stream(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        client = await publishing(it, seconds=8)
        await until(lambda: len(it.sink.judge().cuts) >= 4)
        (status,) = it.server.streams()
        assert (status.name, status.publisher, status.protocol) == ("demo", "127.0.0.1", "rtmp")
        assert [track.codec for track in status.tracks] == [Codec.H264, Codec.AAC]
        assert set(it.sink.judge().lengths()) == {2.0}
        assert it.sink.unsaved == []
        assert it.metric("publishers", protocol="rtmp") == 1
        assert it.metric("connections", protocol="rtmp") == 1
        assert (it.metric("packets_total", stream="demo", rendition="source") or 0) >= 150
        client.close()
        await until(lambda: it.server.streams()[0].publisher is None)
        assert it.metric("publishers", protocol="rtmp") == 0


async def test_a_stream_ends_after_its_linger_and_its_series_go(tmp_path: Path) -> None:
    async with house(tmp_path, linger_s=0.3) as it:
        client = await publishing(it)
        assert 'stream="demo"' in generate_latest(it.registry).decode()
        client.close()
        await until(lambda: not it.server.streams())
        assert isinstance(it.sink.judge().events[-1], StreamEnded)
        assert 'stream="demo"' not in generate_latest(it.registry).decode()
        first = it.sink.judge().cuts
        assert json.loads((tmp_path / "demo.json").read_text())["ended"] is True
        await publishing(it)
        await until(lambda: it.sink.judge().cuts)
        assert it.sink.judge().cuts[0].msn == first[-1].msn + 1
        assert it.sink.judge().cuts[0].time > first[-1].time


async def test_a_publisher_that_returns_goes_on_with_its_stream(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        client = await publishing(it)
        client.close()
        await until(lambda: it.server.streams()[0].publisher is None)
        await publishing(it)
        assert len(it.sink.judges["demo"]) == 1
        await until(lambda: it.sink.judge().holes)


async def test_a_publisher_without_media_leaves_no_stream(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        client = await it.client()
        await client.open()
        client.close()
        await until(lambda: not it.server.streams())
        assert not (tmp_path / "demo.json").exists()


@pytest.mark.parametrize(
    ("key", "app", "code", "reason"),
    [
        ("demo?key=correct-horse", "live", "NetStream.Publish.Start", None),
        ("demo?key=correct%2Dhorse", "live", "NetStream.Publish.Start", None),
        ("other?key=any-name-key", "live", "NetStream.Publish.Start", None),
        ("demo", "live", "NetStream.Publish.Denied", "key"),
        ("demo?key=", "live", "NetStream.Publish.Denied", "key"),
        ("demo?key=correct-horsf", "live", "NetStream.Publish.Denied", "key"),
        ("other?key=correct-horse", "live", "NetStream.Publish.Denied", "key"),
        ("de.mo?key=correct-horse", "live", "NetStream.Publish.BadName", "name"),
        ("demo?key=correct-horse", "nope", "NetConnection.Connect.InvalidApp", "application"),
    ],
)
async def test_who_may_publish(tmp_path: Path, key: str, app: str, code: str, reason: str | None) -> None:
    rules = (
        Publish(name="demo", key=SecretStr("correct-horse")),
        Publish(name="*", key=SecretStr("any-name-key")),
    )
    rtmp = Rtmp(host="127.0.0.1", port=0)
    async with house(tmp_path, publish=rules, rtmp=rtmp) as it:
        client = await it.client()
        assert code in await client.open(key, app)
        if reason is not None:
            await client.closed()
            assert it.metric("refused_total", reason=reason) == 1
            assert it.server.streams() == []


async def test_a_busy_name_is_refused_and_a_silent_one_taken_over(tmp_path: Path) -> None:
    async with house(tmp_path, takeover_silence_s=0.5) as it:
        first = await publishing(it, seconds=3)
        second = await it.client()
        assert "NetStream.Publish.BadName" in await second.open()
        await second.closed()
        assert it.metric("refused_total", reason="busy") == 1
        await asyncio.sleep(0.6)
        third = await publishing(it)
        await first.closed()
        assert it.metric("takeovers_total") == 1
        assert len(it.sink.judges["demo"]) == 1
        assert it.server.streams()[0].publisher is not None
        third.close()


async def test_a_refused_track_leaves_the_others(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        it.sink.refuse[Codec.AAC] = "no mapping"
        await publishing(it)
        await until(lambda: it.sink.judge().samples.get("source"))
        assert set(it.sink.judge().tracks) == {"source"}
        assert it.metric("refused_total", reason="track") == 1


async def test_a_broken_repetition_of_a_configuration_does_not_end_a_track(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        client = await publishing(it, seconds=1)
        client.writer.write(client.rtmp.video(VIDEO_CONFIG[:9], client.at_ms))
        await until(lambda: it.metric("refused_total", reason="track") == 1)
        before = len(it.sink.judge().samples["source"])
        await client.media(4)
        await until(lambda: len(it.sink.judge().samples["source"]) > before + 50)


async def test_a_stream_whose_only_codec_becomes_a_refused_one_is_closed(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        client = await it.client()
        await client.open()
        client.configure(audio=False)
        for at_ms in range(0, 4_000, 40):
            client.writer.write(client.rtmp.video(b"\x12" + SLICE, at_ms))
        await client.closed()
        assert it.metric("refused_total", reason="tracks") == 1


async def test_a_stream_of_refused_tracks_is_closed(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        it.sink.refuse = {Codec.AAC: "no mapping", Codec.H264: "no mapping"}
        client = await publishing(it, seconds=1)
        await client.closed()
        assert it.metric("refused_total", reason="tracks") == 1
        await until(lambda: not it.server.streams())


async def test_limits_of_connections_and_streams(tmp_path: Path) -> None:
    limits = RtmpLimits(connections=3, connections_per_address=2)
    async with house(tmp_path, max_streams=1, rtmp=Rtmp(port=0, limits=limits)) as it:
        await publishing(it, seconds=1)
        second = await it.client()
        assert "NetStream.Publish.Denied" in await second.open("another")
        assert it.metric("refused_total", reason="streams") == 1
        await second.closed()
        second.close()
        await until(lambda: it.metric("connections", protocol="rtmp") == 1)
        await it.client()
        await until(lambda: it.metric("connections", protocol="rtmp") == 2)
        fourth = await it.client()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await fourth.reader.readexactly(1)
        assert it.metric("refused_total", reason="address") == 1


async def test_idle_media_and_silent_peers_are_closed(tmp_path: Path) -> None:
    limits = RtmpLimits(media_idle_s=0.5, handshake_s=0.5, publish_s=0.5)
    async with house(tmp_path, rtmp=Rtmp(port=0, limits=limits)) as it:
        silent = await it.client()
        idle = await publishing(it, seconds=1)
        await silent.closed()
        await idle.closed()
        await until(lambda: it.metric("connections", protocol="rtmp") == 0)
        assert it.server.streams()[0].publisher is None
        assert it.metric("closed_total", reason="timeout") == 1
        assert it.metric("closed_total", reason="server") == 1


async def test_garbage_hurts_nobody_else(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        good = await publishing(it, seconds=1)
        for junk in (b"GET / HTTP/1.1\r\n\r\n" * 100, bytes(5_000), b"\x03" + b"\xff" * 9_000, b""):
            bad = await it.client()
            bad.writer.write(junk)
            bad.writer.write_eof()
            with suppress(ConnectionError):
                await bad.closed()
            bad.close()
        await good.media(2)
        assert len(it.sink.judge().samples["source"]) > 50


async def test_media_faster_than_real_time_is_paced(tmp_path: Path) -> None:
    async with house(tmp_path, ahead_s=0.5) as it:
        client = await it.client()
        await client.open()
        client.configure()
        began = time.monotonic()
        client.writer.transport.set_write_buffer_limits(high=1 << 24)
        task = asyncio.ensure_future(client.media(600, speed=1e6))
        await asyncio.sleep(2.0)
        samples = it.sink.judge().samples["source"]
        ahead = (samples[-1].pts - samples[0].pts) / 90_000 - (time.monotonic() - began)
        # What a publisher may have had stored, and a slice of such small frames.
        assert ahead < 5 + 0.5 + 3
        assert it.metric("pauses_total", reason="ahead")
        assert it.server.streams()[0].publisher is not None
        task.cancel()


async def test_a_publisher_that_is_far_ahead_is_not_silent(tmp_path: Path) -> None:
    """It waits for us: it is neither idle, nor may another one take its name."""
    rtmp = Rtmp(port=0, tls_port=0, limits=RtmpLimits(media_idle_s=1))
    async with house(tmp_path, ahead_s=0.5, takeover_silence_s=1, rtmp=rtmp) as it:
        client = await it.client()
        await client.open()
        client.configure()
        # A clock that leaps by less than a jump again and again is ahead at once, whatever the socket holds.
        for second in range(0, 600, 4):
            client.at_ms = second * 1_000
            client.writer.write(client.rtmp.video(b"\x17\x01\x00\x00\x00" + IDR, client.at_ms))
        await asyncio.sleep(3.0)
        assert it.server.streams()[0].publisher is not None
        other = await it.client()
        assert "NetStream.Publish.BadName" in await other.open()


async def test_the_bit_rate_cap_slows_reading(tmp_path: Path) -> None:
    limits = RtmpLimits(bitrate=400_000)
    async with house(tmp_path, rtmp=Rtmp(port=0, limits=limits)) as it:
        client = await it.client()
        await client.open()
        client.configure()
        block = client.rtmp.video(b"\x17\x01\x00\x00\x00" + IDR * 20, 0)
        client.writer.write(block * 400)
        await asyncio.sleep(1.5)
        received = it.metric("received_bytes_total", stream="demo") or 0
        assert received < 700_000
        assert len(block) * 400 > 3_000_000


async def test_a_flood_of_empty_messages_is_read_in_doses(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        client = await it.client()
        await client.open()
        client.writer.write(chunk_header(6, 0, 0, 0, 9, 1) + b"\xc6" * 8_000_000)
        await until(lambda: (it.metric("pauses_total", reason="work") or 0) > 0)
        received = it.metric("received_bytes_total", stream="demo") or 0
        assert received < 8_000_000
        await publishing(it, "another", seconds=3)
        await until(lambda: len(it.sink.judge("another").samples["source"]) > 50)


async def test_drain_lets_a_restart_go_on(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        client = await publishing(it, seconds=5)
        await it.server.drain()
        await client.closed()
        judge = it.sink.judge()
        assert not any(isinstance(event, StreamEnded) for event in judge.events)
        last = judge.cuts[-1]
    async with house(tmp_path) as it:
        assert [status.name for status in it.server.streams()] == ["demo"]
        assert it.sink.judge().events == []
        await publishing(it, seconds=3)
        await until(lambda: it.sink.judge().samples.get("source"))
        assert it.sink.judge().cuts[0].msn == last.msn + 1
        assert it.sink.judge().discontinuities() == 1
        before = {event.dts for event in judge.events if isinstance(event, Sample)}
        assert not before & {event.dts for event in it.sink.judge().events if isinstance(event, Sample)}


async def test_a_stream_that_nobody_takes_up_again_ends(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        await publishing(it, seconds=2)
    async with house(tmp_path, linger_s=0.4) as it:
        await until(lambda: not it.server.streams())
    if it.sink.judges:
        assert it.sink.judge().events == [StreamEnded()]


async def test_rtmps(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    trusted = ssl.create_default_context(cafile=str(certificate))
    async with house(tmp_path / "state", rtmp=Rtmp(port=0, tls_port=0, certificate=certificate)) as it:
        client = await it.client("rtmps", trusted)
        assert "NetStream.Publish.Start" in await client.open()
        client.configure()
        await client.media(3)
        await until(lambda: it.sink.judge().samples.get("source"))
        assert it.server.streams()[0].protocol == "rtmps"
        old = ssl.create_default_context(cafile=str(certificate))
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        assert "NetStream.Publish.BadName" in await (await it.client("rtmps", old)).open()


async def test_start_errors_say_what_and_why(tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("nothing")
    async with house(tmp_path) as it:
        port = it.server.ports["rtmp"]
        with pytest.raises(IngestStartError, match=rf"ingest.rtmp.port = {port}: cannot listen on 127.0.0.1"):
            await House(tmp_path, rtmp=Rtmp(port=port)).server.start()
        for certificate, text in ((tmp_path / "none.pem", "no such file"), (tmp_path / "bad.pem", "not a PEM chain")):
            with pytest.raises(IngestStartError, match=text):
                await House(tmp_path, rtmp=Rtmp(port=0, tls_port=0, certificate=certificate)).server.start()
        with pytest.raises(IngestStartError, match=r"state\.dir"):
            await House(tmp_path / "bad.pem").server.start()


async def test_without_keys_only_loopback_is_bound(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        (server,) = it.server._rtmp._servers
        assert [sock.getsockname()[0] for sock in server.sockets] == ["127.0.0.1"]
    keys = (Publish(name="*", key=SecretStr("any-name-key")),)
    async with house(tmp_path, publish=keys) as it:
        (server,) = it.server._rtmp._servers
        assert [sock.getsockname()[0] for sock in server.sockets] in (["::"], ["0.0.0.0"])


def test_the_same_on_uvloop(tmp_path: Path) -> None:
    async def talk() -> None:
        certificate = self_signed(tmp_path)
        trusted = ssl.create_default_context(cafile=str(certificate))
        async with house(tmp_path / "state", rtmp=Rtmp(port=0, tls_port=0, certificate=certificate)) as it:
            client = await publishing(it)
            refused = await it.client("rtmps", trusted)
            assert "NetStream.Publish.BadName" in await refused.open()
            await refused.closed()
            refused.close()
            assert set(it.sink.judge().tracks) == {"source", "audio"}
            assert {track.kind for track in it.server.streams()[0].tracks} == {Kind.VIDEO, Kind.AUDIO}
            await it.server.drain()
            await client.closed()
            client.close()

    run: Callable[[Coroutine[Any, Any, None]], None] = uvloop.run
    run(talk())
