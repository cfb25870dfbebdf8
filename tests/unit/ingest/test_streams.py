"""Who may publish a stream, takeover, and how long a stream goes on without a publisher."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from structlog.testing import capture_logs
from tests.timeline_kit import Judge, audio, frames, video
from tests.virtual_time import run as virtually

from headwater.config.settings import Ingest, Origin, Publish
from headwater.ingest import streams as module
from headwater.ingest.auth import Refusal, Refused
from headwater.ingest.encode.ladders import Ladders
from headwater.ingest.feed import Feed
from headwater.ingest.media import Codec, Packet, StreamEnded, StreamEvent, Track
from headwater.ingest.metrics import IngestMetrics
from headwater.ingest.publisher import Wish
from headwater.ingest.state import StateStore
from headwater.ingest.stream import LiveStream
from headwater.ingest.streams import Streams, StreamStatus
from headwater.ingest.timeline import Epoch

UNIX = 1_800_000_000.0
EPOCH = Epoch(1_799_999_990, 3, 161_999_999_000_000, 1_799_999_980_000_000, 4, 520_000)


class Sink:
    """Takes H.264 only; each life of a stream has a judge."""

    def __init__(self) -> None:
        self.lives: list[tuple[str, Judge]] = []

    def open(self, name: str) -> Writer:
        judge = Judge()
        self.lives.append((name, judge))
        return Writer(judge)

    def check(self, track: Track) -> str | None:
        return None if track.codec is Codec.H264 else "only pictures"

    @property
    def ended(self) -> list[bool]:
        """Of each life, whether its end was said."""
        return [any(isinstance(event, StreamEnded) for event in judge.events) for _, judge in self.lives]


class Writer:
    def __init__(self, judge: Judge) -> None:
        self.judge = judge

    def write(self, event: StreamEvent, now: float) -> None:
        self.judge.take([event])


class Someone:
    """A publisher as the streams see it; it leaves when it is shut."""

    def __init__(self, house: House, protocol: str = "rtmp", address: str = "192.0.2.1") -> None:
        self.address, self.protocol = address, protocol
        self.received_bytes, self.bitrate, self.late_s = 7, 1_234_567.0, 0.0
        self.silent_since = house.now
        self.told: list[str] = []
        self._house = house
        self._feed = Feed(house.streams, self, 2)

    def shut(self, detail: str) -> None:
        self.told.append(detail)
        self.leave()

    def publish(self, name: str = "demo") -> LiveStream:
        stream = self._house.streams.admit(self, Wish("live", name, {}, "OBS"), self._house.now)
        assert isinstance(stream, LiveStream)
        self._feed.begin(stream, self._house.now)
        return stream

    def send(self, seconds: float = 2.5) -> None:
        """Media of so many seconds, all at once."""
        self._feed.configure(video(), self._house.now)
        for arrival in frames(fps=25, gop=25, seconds=seconds, start=self._house.now - seconds):
            assert isinstance(arrival.what, Packet)
            self._feed.packet(arrival.what, arrival.at)
            self._feed.flush(arrival.at)

    def leave(self) -> None:
        self._feed.leave(self._house.now)


class House:
    """Streams with their sink and registry."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.now = time.monotonic()
        self.unix = UNIX
        self.sink = Sink()
        self.registry = CollectorRegistry()
        ingest = Ingest(**settings)
        metrics = IngestMetrics(self.registry, lambda: self.streams.live())
        ladders = Ladders(ingest.encode, self.sink, self.registry)
        self.streams = Streams(ingest, Origin(), folder, self.sink, metrics, ladders, wall=lambda: self.unix)
        self.streams.restore()

    @property
    def names(self) -> list[str]:
        return [status.name for status in self.streams.status()]

    def judge(self, app: str = "live", name: str = "demo", key: str = "", *, proven: bool = False) -> Refusal | None:
        refused = self.streams.judge(Wish(app, name, {"key": key}, proven=proven), self.now)
        return refused.refusal if refused is not None else None

    def metric(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(f"headwater_ingest_{name}", labels) or 0.0


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def saved(folder: Path, name: str = "demo", epoch: Epoch = EPOCH, age_s: float = 5.0) -> None:
    """A state file of an earlier life."""
    folder.mkdir(exist_ok=True)
    StateStore(folder).save(name, epoch, UNIX - age_s)


async def on_air(house: House, name: str = "demo") -> LiveStream:
    """The life of a stream, in virtual time: media, nobody, the end."""
    someone = Someone(house)
    stream = someone.publish(name)
    someone.send()
    someone.leave()
    await asyncio.sleep(20.1)
    assert house.names == [] and house.sink.ended[-1]
    return stream


# -- who may publish


async def test_judging_changes_nothing(tmp_path: Path) -> None:
    house = House(tmp_path)
    assert house.judge() is None
    assert house.judge("vod") is Refusal.APPLICATION
    assert house.names == [] and house.sink.lives == []
    assert house.metric("refused_total", reason="application") == 0


@pytest.mark.parametrize(
    ("app", "name", "key", "proven", "refusal"),
    [
        ("live", "demo", "demo-key-1", False, None),
        ("live", "demo", "", True, None),
        ("live", "demo", "", False, Refusal.KEY),
        ("live", "other", "demo-key-1", False, Refusal.KEY),
        ("vod", "demo", "demo-key-1", False, Refusal.APPLICATION),
        ("live", "de mo", "", True, Refusal.NAME),
    ],
)
async def test_the_rules_of_the_settings_hold(
    tmp_path: Path, app: str, name: str, key: str, proven: bool, refusal: Refusal | None
) -> None:
    house = House(tmp_path, publish=(Publish(name="demo", key=SecretStr("demo-key-1")),))
    assert house.judge(app, name, key, proven=proven) is refusal


async def test_who_may_not_publish_learns_nothing_of_the_streams(tmp_path: Path) -> None:
    house = House(tmp_path, publish=(Publish(name="*", key=SecretStr("demo-key-1")),), max_streams=1)
    for draining in (False, True):
        house.streams.draining = draining
        assert house.judge(key="wrong") is Refusal.KEY
    assert house.judge(key="demo-key-1") is Refusal.DRAIN


async def test_a_refused_publish_is_counted_and_logged_without_its_key_and_name(tmp_path: Path) -> None:
    house = House(tmp_path)
    with capture_logs() as said:
        refused = house.streams.admit(
            Someone(house, address="203.0.113.9"), Wish("vod\n\x1b", "demo?secret", {"key": "secret"}), house.now
        )
    assert refused == Refused(Refusal.APPLICATION, "there is no such application; known: live")
    told = {"event": "publish refused", "address": "203.0.113.9", "reason": "application", "app": "vod??"}
    assert said == [{**told, "log_level": "warning"}]
    assert house.metric("refused_total", reason="application") == 1
    assert house.names == []


async def test_an_accepted_publish_opens_a_stream(tmp_path: Path) -> None:
    house = House(tmp_path)
    someone = Someone(house, "srt")
    with capture_logs() as said:
        stream = someone.publish()
    told = {"event": "publisher", "stream": "demo", "address": "192.0.2.1", "protocol": "srt", "by": "OBS"}
    assert said == [{**told, "log_level": "info"}]
    assert list(house.streams.live()) == [stream]
    assert [name for name, _ in house.sink.lives] == ["demo"]
    assert house.metric("publishers", protocol="srt") == 1


async def test_no_more_streams_than_there_is_room_for(tmp_path: Path) -> None:
    house = House(tmp_path, max_streams=2, linger_s=60)
    first, second = Someone(house), Someone(house)
    first.publish("a")
    second.publish("b")
    second.send()
    second.leave()
    assert house.names == ["a", "b"], "a stream without a publisher takes its place"
    assert house.judge(name="c") is Refusal.STREAMS
    assert house.judge(name="b") is None, "one that is known needs no other place"
    refused = house.streams.admit(Someone(house), Wish("live", "c", {}), house.now)
    assert refused == Refused(Refusal.STREAMS, "the server has no room for another stream")
    first.leave()
    assert house.judge(name="c") is None


# -- takeover


@pytest.mark.parametrize(("silent_s", "refusal"), [(-5.0, Refusal.BUSY), (2.5, Refusal.BUSY), (3.0, None), (9.0, None)])
async def test_a_name_is_busy_until_its_publisher_is_silent(
    tmp_path: Path, silent_s: float, refusal: Refusal | None
) -> None:
    house = House(tmp_path, takeover_silence_s=3)
    house.now = 1_000.0
    first = Someone(house)
    first.publish()
    first.silent_since = house.now - silent_s
    assert house.judge() is refusal
    assert house.judge(name="other") is None
    assert first.told == []


async def test_a_busy_publisher_goes_on(tmp_path: Path) -> None:
    house = House(tmp_path, takeover_silence_s=2.5)
    first, second = Someone(house), Someone(house, "srt")
    stream = first.publish()
    refused = house.streams.admit(second, Wish("live", "demo", {}), house.now)
    text = "demo has a publisher; it can be replaced once it is silent for 2.5 s"
    assert refused == Refused(Refusal.BUSY, text)
    assert stream.publisher is first and first.told == []
    assert house.metric("refused_total", reason="busy") == 1
    assert [house.metric("publishers", protocol=protocol) for protocol in ("rtmp", "srt")] == [1, 0]
    assert house.metric("takeovers_total") == 0


async def test_a_stream_on_air_goes_on_with_who_took_it_over(tmp_path: Path) -> None:
    house = House(tmp_path)
    first, second = Someone(house), Someone(house, "srt", "198.51.100.7")
    stream = first.publish()
    first.send()
    first.silent_since = house.now - 4.04
    with capture_logs() as said:
        assert second.publish() is stream
    assert first.told == ["another publisher took the stream over"]
    assert [(entry["event"], entry["log_level"]) for entry in said] == [
        ("takeover", "warning"),
        ("publisher left", "info"),
        ("publisher", "info"),
    ]
    assert said[0]["address"] == "192.0.2.1" and said[0]["silent_s"] == 4.0
    assert stream.publisher is second and stream.linger is None
    assert house.metric("takeovers_total") == 1
    assert [house.metric("publishers", protocol=protocol) for protocol in ("rtmp", "srt")] == [0, 1]
    house.streams.left(first, stream, house.now)
    assert stream.publisher is second, "who is not its publisher any more cannot leave it"


async def test_a_stream_without_media_is_another_one_after_a_takeover(tmp_path: Path) -> None:
    house = House(tmp_path, max_streams=1)
    first, second = Someone(house), Someone(house)
    stream = first.publish()
    first.silent_since = house.now - 4
    taken = second.publish()
    assert taken is not stream and taken.publisher is second
    assert list(house.streams.live()) == [taken]
    assert house.metric("publishers", protocol="rtmp") == 1


# -- without a publisher


async def test_who_leaves_without_media_leaves_nothing(tmp_path: Path) -> None:
    house = House(tmp_path)
    someone = Someone(house)
    someone.publish()
    someone.leave()
    assert house.names == []
    assert house.metric("publishers", protocol="rtmp") == 0
    assert files(tmp_path) == [], "and no number was used"


def test_a_stream_on_air_lingers_and_ends(tmp_path: Path) -> None:
    async def scene() -> None:
        house = House(tmp_path, linger_s=20)
        someone = Someone(house)
        stream = someone.publish()
        someone.send()
        someone.leave()
        await asyncio.sleep(19.9)
        assert list(house.streams.live()) == [stream] and house.sink.ended == [False]
        await asyncio.sleep(0.2)
        assert house.names == [] and house.sink.ended == [True]
        assert StateStore(tmp_path).load(UNIX)["demo"].epoch.ended

    virtually(scene())


def test_who_comes_back_in_time_goes_on_for_as_long_as_it_likes(tmp_path: Path) -> None:
    async def scene() -> None:
        house = House(tmp_path, linger_s=20)
        someone, again = Someone(house), Someone(house)
        stream = someone.publish()
        someone.send()
        someone.leave()
        await asyncio.sleep(19.9)
        assert again.publish() is stream
        assert stream.received_bytes == 14, "of both"
        await asyncio.sleep(25)
        assert house.names == ["demo"] and house.sink.ended == [False]
        again.leave()
        await asyncio.sleep(19.9)
        assert house.names == ["demo"], "the time counts from the last leave"
        await asyncio.sleep(0.2)
        assert house.names == [] and house.sink.ended == [True]

    virtually(scene())


def test_the_next_stream_of_a_name_goes_on_above_its_numbers(tmp_path: Path) -> None:
    async def scene() -> None:
        house = House(tmp_path, linger_s=20)
        stream, following = await on_air(house), await on_air(house)
        assert following is not stream and not following.restored
        first, second = (judge for _, judge in house.sink.lives)
        assert second.cuts[0].msn > first.cuts[-1].msn and second.cuts[0].time > first.cuts[-1].time
        assert first.started is not None and second.started is not None
        assert second.started.discontinuity_sequence == first.started.discontinuity_sequence + 1

    virtually(scene())


def test_numbers_of_ended_streams_are_forgotten_at_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_FILES", 1)

    async def scene() -> None:
        house = House(tmp_path, max_streams=1, linger_s=20)
        for name in ("a", "b", "c", "d"):
            await on_air(house, name)
        assert files(tmp_path) == ["c.json", "d.json"]
        assert Someone(house).publish("a").timeline.epoch is None

    virtually(scene())


# -- the end of the server, and its next start


async def test_a_server_that_stops_ends_no_stream(tmp_path: Path) -> None:
    house = House(tmp_path)
    someone, silent = Someone(house), Someone(house)
    stream = someone.publish()
    someone.send()
    silent.publish("silent")
    house.streams.draining = True
    assert house.judge(name="new") is Refusal.DRAIN
    someone.leave()
    silent.leave()
    assert house.names == ["demo", "silent"]
    assert stream.linger is None, "the next start takes it up"
    house.unix += 30
    house.streams.suspend()
    await house.streams.settle()
    house.streams.clear()
    assert house.names == [] and house.sink.ended == [False, False]
    assert files(tmp_path) == ["demo.json"]
    found = StateStore(tmp_path).load(house.unix)["demo"]
    assert found.epoch == stream.timeline.epoch and not found.epoch.ended
    assert found.saved_unix == UNIX + 30, "the next start counts from here"
    again = House(tmp_path)
    (restored,) = again.streams.live()
    assert restored.name == "demo" and restored.restored and restored.publisher is None
    assert Someone(again).publish() is restored


@pytest.mark.parametrize(
    ("age_s", "ended", "goes_on"),
    [
        (0.0, False, True),
        (19.5, False, True),
        (20.0, False, False),
        (5.0, True, False),
        (-59.0, False, True),  # the clock was set back a little
        (-60.0, False, False),
    ],
)
async def test_a_start_takes_up_what_was_alive_a_short_while_ago(
    tmp_path: Path, age_s: float, ended: bool, goes_on: bool
) -> None:
    epoch = replace(EPOCH, ended=ended)
    saved(tmp_path, epoch=epoch, age_s=age_s)
    house = House(tmp_path, linger_s=20)
    assert house.names == (["demo"] if goes_on else [])
    stream = Someone(house).publish()
    assert stream.timeline.epoch == epoch, "in any case its numbers are not used again"


async def test_a_start_says_what_goes_on(tmp_path: Path) -> None:
    saved(tmp_path, age_s=4.26)
    with capture_logs() as said:
        House(tmp_path)
    assert said == [{"event": "stream goes on", "log_level": "info", "stream": "demo", "silent_s": 4.3}]


async def test_a_start_takes_up_no_more_than_there_is_room_for(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        saved(tmp_path, name)
    assert House(tmp_path, max_streams=2).names == ["a", "b"]


@pytest.mark.parametrize("somebody_came", [False, True])
def test_what_was_taken_up_ends_when_no_media_comes(tmp_path: Path, somebody_came: bool) -> None:
    async def scene() -> None:
        saved(tmp_path)
        house = House(tmp_path, linger_s=20)
        if somebody_came:
            someone = Someone(house)
            someone.publish()
            someone.leave()
        await asyncio.sleep(19.9)
        assert house.names == ["demo"]
        await asyncio.sleep(0.2)
        assert house.names == []

    virtually(scene())


async def test_a_state_folder_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"")
    with pytest.raises(OSError, match="state"):
        House(tmp_path / "state")


# -- what is told


async def test_status(tmp_path: Path) -> None:
    house = House(tmp_path)
    first, second = Someone(house, "srt-pull", "198.51.100.7"), Someone(house)
    first.publish("b")
    house.unix += 5
    second.publish("a")
    second.send()
    second.leave()
    without, sending = house.streams.status()
    assert (without.name, without.publisher, without.protocol) == ("a", None, None)
    assert (without.since_unix, without.kilobits_per_s) == (UNIX + 5, 0.0)
    assert sending == StreamStatus("b", "198.51.100.7", "srt-pull", UNIX, 1_234.6, ())


async def test_status_names_the_tracks(tmp_path: Path) -> None:
    house = House(tmp_path)
    someone = Someone(house)
    someone.publish()
    someone.send()
    (status,) = house.streams.status()
    assert [(track.id, track.codec_string) for track in status.tracks] == [("v0", "avc1.42c01e")]


async def test_the_sink_says_which_tracks_it_takes(tmp_path: Path) -> None:
    house = House(tmp_path)
    assert house.streams.refused_track(video()) is None
    assert house.streams.refused_track(audio()) == "only pictures"


def test_the_wall_clock_is_unix_time() -> None:
    assert abs(module.wall_clock() - datetime.now(UTC).timestamp()) < 60
