"""A publisher's packets, its stream, the ladder and the origin together: what viewers get."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from tests.worker_kit import Clip, audio, video

from headwater.config.settings import Origin
from headwater.config.settings_encode import AudioRendition, Encode, Overload, Rung, Thumbnails, Worker
from headwater.config.stages import Stage, StageTime
from headwater.ingest.encode.capacity import Capacity
from headwater.ingest.encode.ladders import Ladders
from headwater.ingest.media import VIDEO_TIMESCALE, Kind, Packet, SourceClock, Track
from headwater.ingest.metrics import IngestMetrics
from headwater.ingest.state import StateStore
from headwater.ingest.stream import LiveStream
from headwater.ingest.timeline import TimelineSettings
from headwater.origin.hls import multivariant, reader
from headwater.origin.hls.model import MediaPlaylist
from headwater.origin.hub import Hub
from headwater.origin.stream import StreamState
from headwater.origin.window import Found

pytestmark = pytest.mark.waits

CLOCK = SourceClock(90_000, 33)
ORIGIN = Origin(first_playlist_s=0)
PROBED = "for name in ('libx264', 'aac', 'libopus', 'mjpeg', 'libwebp'): print('{\"opens\": \"%s\"}' % name)"
SETTINGS = Encode(
    enabled=True,
    rungs=(Rung(height=120), Rung(height=90)),
    thumbnails=Thumbnails(interval_s=0),
    overload=Overload(step_down_speed=0.5, step_up_speed=9, step_down_lag_s=20, max_lag_s=30),
    worker=Worker(hang_s=5, queue_s=30),
)
RUNGS = ("120p", "90p")


def short() -> Clip:
    """Two GOPs, 4 s."""
    return video("testsrc2=size=320x180:rate=25", "-c:v libx264 -preset ultrafast -g 50 -bf 0", 4.0)


def long() -> Clip:
    """One GOP, 10 s."""
    return video("testsrc2=size=320x180:rate=25", "-c:v libx264 -preset ultrafast -g 250 -bf 0", 10.0)


def sound() -> Clip:
    """4 s."""
    return audio(seconds=4.0)


@pytest.fixture(scope="module", autouse=True)
def _clips() -> None:
    """Made before anything is on air."""
    short(), long(), sound()


class Wall:
    """Unix seconds as of the last packet, so that two streams read the same."""

    now = 0.0

    def __call__(self) -> float:
        return self.now + 800_000_000.0


WALL = Wall()


class Encoder:
    """A publisher of clips, again and again, in real time."""

    address = protocol = "test"
    received_bytes = 0
    bitrate = 0.0
    silent_since = late_s = 0.0

    def __init__(self, *clips: Clip) -> None:
        self._clips = [(clip, replace(clip.track, clock=CLOCK)) for clip in clips]
        self._sent = [0] * len(clips)
        self.began = time.monotonic()

    def shut(self, detail: str) -> None:
        raise AssertionError(detail)

    def join(self, *streams: LiveStream) -> None:
        now = WALL.now = time.monotonic()
        for stream in streams:
            stream.join(self, now)
            for _, track in self._clips:
                stream.configure(track, now)

    async def play(self, seconds: float, *streams: LiveStream) -> None:
        """Go on for some seconds."""
        over = time.monotonic() + seconds
        while (now := time.monotonic()) < over:
            self.send(now, *streams)
            await asyncio.sleep(0.01)

    async def play_until(self, true: Callable[[], object], *streams: LiveStream, within_s: float = 30.0) -> None:
        """Go on until something is true."""
        async with asyncio.timeout(within_s):
            while not true():
                await self.play(0.05, *streams)

    def send(self, now: float, *streams: LiveStream) -> None:
        WALL.now = now
        for index, (clip, track) in enumerate(self._clips):
            while (packet := self._packet(index, clip, track, now)) is not None:
                for stream in streams:
                    stream.packet(packet, now)
        for stream in streams:
            stream.flush(now)

    def _packet(self, index: int, clip: Clip, track: Track, now: float) -> Packet | None:
        sent, samples, scale = self._sent[index], clip.samples, clip.track.timescale
        step = samples[1].dts - samples[0].dts
        at = sent * step
        if at / scale > now - self.began:
            return None
        self._sent[index] += 1
        sample = samples[sent % len(samples)]
        dts = at * VIDEO_TIMESCALE // scale
        return Packet(track.id, dts, (sample.pts - sample.dts) * 100 // 9, sample.independent, sample.payload, now)


class Server:
    """What streams share."""

    def __init__(self, folder: Path, settings: Encode) -> None:
        registry = CollectorRegistry()
        self.hub = Hub(ORIGIN, registry)
        self.ladders = Ladders(
            settings, self.hub, registry, capacity=Capacity((), command=(sys.executable, "-c", PROBED))
        )
        self._metrics = IngestMetrics(registry, list)
        self._store = StateStore(folder)
        folder.mkdir(exist_ok=True)

    def stream(self) -> LiveStream:
        """The stream `demo`."""
        settings = TimelineSettings()
        return LiveStream("demo", settings, None, self.hub, self._store, WALL, self._metrics, self.ladders, "live")

    def stages(self) -> dict[Stage, StageTime]:
        """Those that media passed without a request."""
        package = self.hub.stages[Stage.PACKAGE]
        return {**self._metrics.stages, Stage.PACKAGE: package}

    def names(self) -> set[str]:
        stream = self.hub.stream("demo")
        return set() if stream is None else set(stream.renditions)

    def live(self) -> bool:
        stream = self.hub.stream("demo")
        return stream is not None and stream.state is StreamState.LIVE

    def playlist(self, rendition: str) -> MediaPlaylist:
        stream = self.hub.stream("demo")
        assert stream is not None
        body = stream.media_playlist(stream.renditions[rendition], delta=False, compressed=False)
        return reader.read(body.data.decode())

    def offered(self) -> list[str]:
        """Folders of the variants, in order."""
        stream = self.hub.stream("demo")
        assert stream is not None
        found = multivariant.read(stream.multivariant_playlist(compressed=False).data.decode())
        return [variant.uri.partition("/")[0] for variant in found.variants]

    def file(self, rendition: str, name: str) -> bytes:
        stream = self.hub.stream("demo")
        assert stream is not None
        _, found = stream.find(rendition, name)
        assert isinstance(found, Found), (rendition, name, found)
        return b"".join(found.data)


@asynccontextmanager
async def serving(folder: Path, settings: Encode = SETTINGS) -> AsyncIterator[tuple[Server, LiveStream]]:
    server = Server(folder, settings)
    await server.ladders.start()
    stream = server.stream()
    try:
        yield server, stream
    finally:
        stream.suspend(time.monotonic())
        await stream.settle()
        await server.ladders.close()
        server.hub.close()


def boundaries(server: Server, *names: str) -> list[list[tuple[int, int]]]:
    """Number and date of the segments of some renditions, as far as all have them."""
    lists = [[(s.msn, s.date_us or 0) for s in server.playlist(name).segments] for name in names]
    shortest = min(map(len, lists))
    return [found[:shortest] for found in lists]


async def test_the_source_is_the_same_with_and_without_a_ladder(tmp_path: Path) -> None:
    async with (
        serving(tmp_path / "with") as (server, stream),
        serving(tmp_path / "without", Encode()) as (other, plain),
    ):
        encoder = Encoder(short(), sound())
        encoder.join(stream, plain)
        await encoder.play(7.0, stream, plain)
        assert set(RUNGS) <= server.names()
        assert other.names() == {"source", "audio"}
        for name in ("source", "audio"):
            one, two = server.playlist(name), other.playlist(name)
            assert replace(one, reports=(), hints=()) == replace(two, reports=(), hints=())
            for segment in two.segments:
                assert server.file(name, str(segment.uri)) == other.file(name, str(segment.uri))


async def test_renditions_begin_together_and_share_segments(tmp_path: Path) -> None:
    async with serving(tmp_path) as (server, stream):
        encoder = Encoder(short(), sound())
        encoder.join(stream)
        await encoder.play_until(server.live, stream)
        assert server.names() == {"source", "audio", *RUNGS}
        await encoder.play(4.0, stream)
        source, *others = boundaries(server, "source", "audio", *RUNGS)
        assert len(source) >= 2
        for other in others:
            assert [msn for msn, _ in other] == [msn for msn, _ in source]
            assert max(abs(a[1] - b[1]) for a, b in zip(source, other, strict=True)) < 22_000  # a frame of sound
        for name in RUNGS:
            assert not any(segment.gap for segment in server.playlist(name).segments)
            assert server.playlist(name).independent_segments
        assert server.offered() == ["120p", "source", "90p"]
        for stage, seconds in server.stages().items():
            assert seconds.count > 20, stage
            assert 0 < seconds.sum / seconds.count < 3, stage


@pytest.mark.parametrize("setting", ["drop-source", "keep-source"])
async def test_keyframes_that_are_too_rare(tmp_path: Path, setting: str) -> None:
    """The ladder keeps its own regular segments without the source, or all go by the source's."""
    settings = SETTINGS.model_copy(update={"long_gop": setting})
    async with serving(tmp_path, settings) as (server, stream):
        encoder = Encoder(long())
        encoder.join(stream)
        await encoder.play_until(lambda: stream.timeline.counters.cuts >= 4, stream)
        await encoder.play(0.7, stream)
        source, *rungs = boundaries(server, "source", *RUNGS)
        assert rungs == [source, source]
        seconds = [round(segment.duration) for segment in server.playlist("120p").segments]
        if setting == "drop-source":
            assert server.offered() == ["120p", "90p"]
            assert seconds[0] == 4
            assert set(seconds[1:]) == {2}
            assert not stream.timeline.cuts_on_keyframes
        else:
            assert server.offered() == ["120p", "source", "90p"]
            assert min(seconds) >= 2
            assert stream.timeline.cuts_on_keyframes
        assert not any(segment.gap for segment in server.playlist("120p").segments)
        for segment in server.playlist("90p").segments:
            assert all(part.independent for part in segment.parts[:1])


async def test_sound_that_players_cannot_get_is_delivered_by_the_ladder_alone(tmp_path: Path) -> None:
    mp2 = audio(options="-c:a mp2 -b:a 128k", seconds=4.0)
    async with serving(tmp_path) as (server, stream):
        assert stream.makes(mp2.track)
        assert not stream.makes(short().track)
        encoder = Encoder(short(), mp2)
        encoder.join(stream)
        await encoder.play_until(lambda: server.live() and len(server.playlist("source").segments) >= 2, stream)
        (name,) = server.names() - {"source", *RUNGS}
        assert name.startswith("audio-")
        assert server.playlist(name).segments[-1].uri is not None
        assert not server.playlist(name).segments[-1].gap


async def test_an_encoder_that_leaves_and_returns(tmp_path: Path) -> None:
    async with serving(tmp_path) as (server, stream):
        encoder = Encoder(short())
        encoder.join(stream)
        await encoder.play_until(server.live, stream)
        WALL.now = time.monotonic()
        stream.leave(WALL.now)
        await asyncio.sleep(1.5)
        again = Encoder(short())
        again.join(stream)
        before = len(server.playlist("90p").segments)
        await again.play_until(lambda: len(server.playlist("90p").segments) >= before + 3, stream)
        source, *rungs = boundaries(server, "source", *RUNGS)
        assert rungs == [source, source]
        last = server.playlist("120p").segments[-1]
        assert not last.gap
        assert not any(segment.discontinuity for segment in server.playlist("120p").segments)
        assert last.map == server.playlist("120p").segments[0].map


async def test_another_source_size_is_no_matter_for_the_rungs(tmp_path: Path) -> None:
    """The source has a discontinuity, so all renditions have; the rungs keep their configuration."""
    larger = video("testsrc2=size=480x270:rate=25", "-c:v libx264 -preset ultrafast -g 50 -bf 0", 4.0)
    async with serving(tmp_path) as (server, stream):
        encoder = Encoder(short())
        encoder.join(stream)
        await encoder.play_until(server.live, stream)
        WALL.now = time.monotonic()
        stream.leave(WALL.now)
        other = Encoder(larger)
        other.join(stream)
        before = len(server.playlist("90p").segments)
        await other.play_until(lambda: len(server.playlist("90p").segments) >= before + 3, stream)
        for name in ("source", *RUNGS):
            segments = server.playlist(name).segments
            (jump,) = [segment for segment in segments if segment.discontinuity]
            same = segments[0].map == segments[-1].map
            assert same == (name != "source")
            assert jump.msn == next(s.msn for s in server.playlist("source").segments if s.discontinuity)


async def test_the_end_of_a_stream_waits_for_the_last_of_its_ladder(tmp_path: Path) -> None:
    async with serving(tmp_path) as (server, stream):
        encoder = Encoder(short())
        encoder.join(stream)
        await encoder.play_until(server.live, stream)
        WALL.now = time.monotonic()
        stream.leave(WALL.now)
        stream.end(time.monotonic())
        assert stream.finishing is not None
        assert server.live()
        await stream.settle()
        hub_stream = server.hub.stream("demo")
        assert hub_stream is not None
        assert hub_stream.state is StreamState.ENDED
        for name in ("source", *RUNGS):
            assert server.playlist(name).ended
        lengths = {name: sum(s.duration for s in server.playlist(name).segments) for name in ("source", *RUNGS)}
        assert max(lengths.values()) - min(lengths.values()) < 0.2


async def test_a_server_that_stops_lets_the_ladder_give_out_what_it_holds(tmp_path: Path) -> None:
    """The stream goes on after a restart: nothing is ended."""
    async with serving(tmp_path) as (server, stream):
        encoder = Encoder(short())
        encoder.join(stream)
        await encoder.play_until(server.live, stream)
        stream.suspend(time.monotonic())
        await stream.settle()
        ends = {name: server.playlist(name).position for name in ("source", *RUNGS)}
        assert {end.last_msn for end in ends.values()} == {ends["source"].last_msn}
        assert not any(server.playlist(name).ended for name in RUNGS)
        await stream.settle()


async def test_a_new_stream_of_the_name_does_not_wait_for_the_end_of_the_old(tmp_path: Path) -> None:
    async with serving(tmp_path) as (server, stream):
        encoder = Encoder(short())
        encoder.join(stream)
        await encoder.play_until(server.live, stream)
        stream.end(time.monotonic())
        stream.cut_short()
        old = server.hub.stream("demo")
        assert old is not None
        assert old.state is StreamState.ENDED
        await stream.settle()
        fresh = server.stream()
        assert server.hub.stream("demo") is not old
        fresh.suspend(time.monotonic())
        await fresh.settle()


async def test_pictures_reach_the_origin(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"thumbnails": Thumbnails(interval_s=0.5, width=160)})
    async with serving(tmp_path, settings) as (server, stream):
        encoder = Encoder(short())
        encoder.join(stream)

        def there() -> bool:
            found = server.hub.stream("demo")
            return found is not None and None not in (found.stills.find("thumb.jpg"), found.stills.find("thumb.webp"))

        await encoder.play_until(there, stream)
        found = server.hub.stream("demo")
        assert found is not None
        body = found.stills.find("thumb.jpg")
        assert body is not None
        assert body.data.startswith(b"\xff\xd8")
        assert found.summary()["thumbnail"] == "live/demo/thumb.jpg"


async def test_a_second_bit_rate_of_the_sound_goes_with_the_small_pictures(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"audio": (AudioRendition(bitrate=48_000),)})
    async with serving(tmp_path, settings) as (server, stream):
        encoder = Encoder(short(), sound())
        encoder.join(stream)
        await encoder.play_until(server.live, stream)
        found = server.hub.stream("demo")
        assert found is not None
        playlist = multivariant.read(found.multivariant_playlist(compressed=False).data.decode())
        groups = {variant.uri.partition("/")[0]: variant.audio for variant in playlist.variants}
        assert groups == {"120p": "audio-aac", "source": "audio-aac", "90p": "audio-aac-48k"}
        assert [track.kind for track in stream.timeline.tracks] == [Kind.VIDEO, Kind.AUDIO]
