"""The hub on a stepped clock: what is listed, when it is ready, who is woken."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry
from tests.live_feed import Feed, video_track

from headwater.config.settings import Origin, OriginHttp
from headwater.ingest.media import Codec, Kind, StreamEnded, Track, TrackId
from headwater.origin.held import Outcome
from headwater.origin.hub import Hub
from headwater.origin.stream import StreamState


class Clock:
    """Monotonic seconds that only a test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def hub(clock: Clock, registry: CollectorRegistry) -> Iterator[Hub]:
    hub = Hub(Origin(http=OriginHttp(max_held=3)), registry, clock=clock)
    yield hub
    hub.close()


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(name, labels)


async def test_a_stream_is_starting_until_it_has_its_hold_back(hub: Hub, clock: Clock) -> None:
    sink = hub.open("demo")
    stream = hub.stream("demo")
    assert stream is not None
    feed = Feed(sink, clock)
    feed.start()
    feed.until(11.9)
    assert (stream.state, stream.playable("source")) == (StreamState.STARTING, None)
    feed.until(12.6)
    assert stream.state is StreamState.LIVE
    assert stream.playable("source") is not None
    assert stream.playable("nothing") is None


async def test_open_goes_on_with_a_stream_that_has_not_ended(hub: Hub, clock: Clock) -> None:
    sink = hub.open("demo")
    assert hub.open("demo") is sink
    assert [stream.name for stream in hub.streams()] == ["demo"]


async def test_a_stream_that_never_had_media_goes_at_once(hub: Hub, clock: Clock) -> None:
    hub.open("demo").write(StreamEnded(), clock())
    assert hub.stream("demo") is None


async def test_an_ended_stream_stays_for_its_window(hub: Hub, clock: Clock, registry: CollectorRegistry) -> None:
    feed = Feed(hub.open("demo"), clock)
    feed.start()
    feed.until(14)
    assert value(registry, "headwater_origin_segments_total", stream="demo", rendition="source") == 6
    feed.end()
    stream = hub.stream("demo")
    assert stream is not None
    assert stream.state is StreamState.ENDED
    assert stream.playable("source") is not None
    assert value(registry, "headwater_origin_streams", state="ended") == 1
    entry = hub._streams["demo"]
    hub.forget(entry)
    assert hub.stream("demo") is None
    assert value(registry, "headwater_origin_segments_total", stream="demo", rendition="source") is None
    assert value(registry, "headwater_origin_streams", state="ended") == 0


async def test_a_new_stream_of_the_same_name_keeps_the_old_files(hub: Hub, clock: Clock) -> None:
    feed = Feed(hub.open("demo"), clock)
    feed.start()
    feed.until(14)
    old = hub.stream("demo")
    assert old is not None
    name = old.renditions["source"].snapshot.segments[0].uri
    assert name is not None
    feed.end()
    hub.open("demo")
    new = hub.stream("demo")
    assert new is not None and new is not old
    assert new.state is StreamState.STARTING
    rendition, found = new.find("source", name)
    assert rendition is old.renditions["source"]
    assert type(found).__name__ == "Found"


async def test_refuses_codecs_that_cannot_be_delivered(hub: Hub) -> None:
    assert hub.check(video_track()) is None
    mp3 = Track(TrackId("a0"), Kind.AUDIO, Codec.MP3, b"", "mp4a.40.34", 44_100)
    assert "MP3" in (hub.check(mp3) or "")


async def test_parts_are_published_and_counted_when_their_event_comes(
    hub: Hub, clock: Clock, registry: CollectorRegistry
) -> None:
    feed = Feed(hub.open("demo"), clock)
    feed.start(audio=False)
    feed.until(12.4)
    stream = hub.stream("demo")
    assert stream is not None
    rendition = stream.renditions["source"]
    before = rendition.position.open_parts
    waiter = asyncio.ensure_future(
        hub.held.hold(rendition.waiting_playlists, (rendition.position.last_msn + 1, before), "playlist", 30)
    )
    await asyncio.sleep(0)
    assert len(hub.held) == 1
    assert value(registry, "headwater_origin_held_requests", kind="playlist") == 1
    clock.now += 0.01
    feed.until(12.8)
    assert rendition.position.open_parts > before
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert waiter.done()
    assert value(registry, "headwater_origin_held_requests", kind="playlist") == 0
    parts = value(registry, "headwater_origin_part_latency_seconds_count", kind="video")
    assert parts == value(registry, "headwater_origin_parts_total", stream="demo", rendition="source")


async def test_a_part_without_a_successor_is_closed_by_the_timer(clock: Clock) -> None:
    """The encoder stalls right after the last frame of a part: its end is known, so it is published."""
    loop = asyncio.get_running_loop()
    hub = Hub(Origin(), CollectorRegistry(), clock=loop.time)
    feed = Feed(hub.open("demo"), loop.time, exact=False)
    feed.start(audio=False)
    feed.until(12.52)
    stream = hub.stream("demo")
    assert stream is not None
    rendition = stream.renditions["source"]
    assert rendition.position.open_parts == 0
    first = (rendition.position.last_msn + 1, 0)
    assert await hub.held.hold(rendition.waiting_playlists, first, "playlist", 5) is Outcome.WOKEN
    assert rendition.position.open_parts == 1
    hub.close()


async def test_late_audio_has_the_numbers_of_the_video(hub: Hub, clock: Clock) -> None:
    feed = Feed(hub.open("demo"), clock)
    feed.start(audio=False)
    feed.until(21)
    stream = hub.stream("demo")
    assert stream is not None
    feed.start_audio()
    assert stream.expects("audio")
    feed.until(24.8)
    video, audio = stream.renditions["source"].snapshot, stream.renditions["audio"].snapshot
    assert audio.media_sequence == video.media_sequence
    assert audio.last_msn == video.last_msn
    assert [segment.gap for segment in audio.segments] == [True] * 10 + [False, False]
    assert [segment.msn for segment in audio.segments] == [segment.msn for segment in video.segments]
    assert "audio/index.m3u8" in stream.multivariant_playlist(compressed=False).data.decode()


async def test_a_bounded_stream_gives_up_its_oldest_segments(clock: Clock) -> None:
    hub = Hub(Origin(stream_bytes=1_000_000), CollectorRegistry(), clock=clock)
    feed = Feed(hub.open("demo"), clock)
    feed.start()
    feed.until(60)
    stream = hub.stream("demo")
    assert stream is not None
    windows = [rendition.window for rendition in stream.renditions.values()]
    assert sum(window.stored_bytes for window in windows) <= 1_000_000
    assert len(stream.renditions["source"].snapshot.segments) >= 6
    hub.close()


async def test_nothing_is_taken_after_the_end(hub: Hub, clock: Clock) -> None:
    sink = hub.open("demo")
    feed = Feed(sink, clock)
    feed.start()
    feed.until(14)
    feed.end()
    stream = hub.stream("demo")
    assert stream is not None
    version = stream.renditions["source"].version
    feed.until(20)
    assert stream.renditions["source"].version == version


async def test_series_of_a_stream_that_came_back_with_fewer_tracks(
    hub: Hub, clock: Clock, registry: CollectorRegistry
) -> None:
    feed = Feed(hub.open("demo"), clock)
    feed.start()
    feed.until(14)
    feed.end()
    again = Feed(hub.open("demo"), clock, first_msn=feed.msn + 1)
    again.frames = feed.frames
    again.start(audio=False)
    again.until(28)
    labels = {"stream": "demo", "rendition": "audio"}
    assert value(registry, "headwater_origin_parts_total", **labels) is None
