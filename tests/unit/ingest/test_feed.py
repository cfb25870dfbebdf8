"""A publisher's way into its stream, whatever its protocol."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from prometheus_client import CollectorRegistry
from tests.timeline_kit import IDR, Judge, audio, video

from headwater.config.settings import Ingest, Origin
from headwater.ingest.auth import Refused
from headwater.ingest.encode.ladders import Ladders
from headwater.ingest.feed import TRACKS_S, Feed
from headwater.ingest.media import Codec, Packet, StreamEvent, Track, TrackId
from headwater.ingest.metrics import IngestMetrics
from headwater.ingest.publisher import Wish
from headwater.ingest.stream import LiveStream
from headwater.ingest.streams import Streams

NOW = 1_000.0


class Sink:
    """Takes H.264 only."""

    def __init__(self) -> None:
        self.judge = Judge()

    def open(self, name: str) -> Sink:
        return self

    def check(self, track: Track) -> str | None:
        return None if track.codec is Codec.H264 else "only pictures"

    def write(self, event: StreamEvent, now: float) -> None:
        self.judge.take([event])


class Someone:
    """A publisher as the streams see it."""

    def __init__(self, protocol: str, silent_since: float = NOW) -> None:
        self.address, self.protocol = "192.0.2.1", protocol
        self.received_bytes, self.bitrate = 7, 1.0
        self.silent_since = silent_since
        self.late_s = 0.0
        self.feed: Feed | None = None
        self.told: list[str] = []

    def shut(self, detail: str) -> None:
        self.told.append(detail)
        if self.feed is not None:
            self.feed.leave(NOW)


class House:
    def __init__(self, folder: Path) -> None:
        self.sink = Sink()
        self.registry = CollectorRegistry()
        metrics = IngestMetrics(self.registry, lambda: self.streams.live())
        ladders = Ladders(Ingest().encode, self.sink, self.registry)
        self.streams = Streams(Ingest(), Origin(), folder, self.sink, metrics, ladders, wall=lambda: 1_800_000_000.0)

    def publish(self, someone: Someone) -> LiveStream | Refused:
        admitted = self.streams.admit(someone, Wish("live", "demo", {}), NOW)
        if not isinstance(admitted, Refused):
            someone.feed = Feed(self.streams, someone, 2)
            someone.feed.begin(admitted, NOW)
        return admitted

    def metric(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"headwater_ingest_{name}", labels)


def key(at_ms: int) -> Packet:
    return Packet(TrackId("v0"), at_ms, 0, True, IDR, NOW)


async def test_packets_of_configured_tracks_reach_the_stream(tmp_path: Path) -> None:
    house, someone = House(tmp_path), Someone("srt")
    stream = cast(LiveStream, house.publish(someone))
    feed = cast(Feed, someone.feed)
    feed.packet(key(0), NOW)
    assert stream.packets == {}
    feed.configure(video(), NOW)
    feed.packet(key(0), NOW)
    feed.flush(NOW)
    assert stream.packets == {"source": 1}
    assert feed.ahead_s(NOW) <= 0
    feed.leave(NOW)
    feed.leave(NOW)
    assert stream.publisher is None and stream.received_bytes == 7
    feed.packet(key(40), NOW)
    feed.cue(0, b"")
    assert stream.packets == {"source": 1} and feed.ahead_s(NOW) == 0


async def test_who_has_no_track_that_can_be_delivered_is_found_out(tmp_path: Path) -> None:
    house, someone = House(tmp_path), Someone("srt")
    house.publish(someone)
    feed = cast(Feed, someone.feed)
    feed.configure(audio(), NOW)
    assert not feed.undeliverable(NOW + TRACKS_S - 0.1)
    assert feed.undeliverable(NOW + TRACKS_S)
    feed.configure(video(), NOW)
    feed.refuse(TrackId("a1"), "mp2", "not here", NOW)
    assert not feed.undeliverable(NOW + 2 * TRACKS_S)
    assert house.metric("refused_total", reason="track") == 2
    assert house.metric("refused_total", reason="tracks") == 1


async def test_a_silent_publisher_is_taken_over_across_protocols(tmp_path: Path) -> None:
    house = House(tmp_path)
    first, second, third = Someone("rtmp", NOW - 1), Someone("srt", NOW - 10), Someone("srt-pull")
    stream = cast(LiveStream, house.publish(first))
    refused = house.publish(second)
    assert isinstance(refused, Refused) and first.told == []
    first.silent_since = NOW - 3
    assert not isinstance(house.publish(second), Refused)
    assert first.told == ["another publisher took the stream over"]
    assert house.metric("publishers", protocol="rtmp") == 0
    assert house.metric("publishers", protocol="srt") == 1
    stream = next(iter(house.streams.live()))
    assert stream.publisher is second
    house.streams.draining = True
    assert isinstance(house.publish(third), Refused)
    assert [status.protocol for status in house.streams.status()] == ["srt"]
    house.streams.suspend()
