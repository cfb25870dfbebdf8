"""Who gets a ladder, and what it may cost."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from prometheus_client import CollectorRegistry
from tests.ladder_kit import Cutter, Judge, cut, until
from tests.live_feed import audio_track, video_track

from headwater.config.settings_encode import Encode, StreamOverride
from headwater.ingest.encode.capacity import Capacity
from headwater.ingest.encode.host import Ladder
from headwater.ingest.encode.ladders import Ladders
from headwater.ingest.media import (
    Codec,
    LadderState,
    Planned,
    Rendition,
    StreamSink,
    StreamStarted,
    Track,
    TrackStarted,
)

PROBED = """
for name in ("libx264", "aac", "libopus"): print('{"opens": "%s"}' % name)
for line in ('{"decode": RATE}', '{"scale": RATE}', '{"encode": "libx264", "rate": RATE}', '{"done": true}'):
    print(line.replace("RATE", "SPEED"))
"""


class Origin:
    """A sink that takes all but MP2."""

    def open(self, name: str) -> StreamSink:
        raise AssertionError(name)

    def check(self, track: Track) -> str | None:
        return "players do not know it" if track.codec is Codec.MP2 else None


@asynccontextmanager
async def ladders(settings: Encode, speed: float = 1_000.0) -> AsyncIterator[tuple[Ladders, CollectorRegistry]]:
    registry = CollectorRegistry()
    capacity = Capacity((), command=(sys.executable, "-c", PROBED.replace("SPEED", f"{speed:.1f}")))
    made = Ladders(settings, Origin(), registry, capacity=capacity)
    await made.start()
    try:
        yield made, registry
    finally:
        await made.close()


def begin(made: Ladders, name: str = "demo", *tracks: tuple[str, Track]) -> tuple[Ladder, Judge]:
    """A stream whose tracks are known."""
    sink = Judge()
    ladder = made.ladder(name, "live", sink, Cutter())
    assert ladder is not None
    ladder.feed(StreamStarted(4, 520_000, 0), 0.0)
    for rendition, track in tracks or (("source", video_track()),):
        ladder.feed(TrackStarted(Rendition(rendition), track), 0.0)
    ladder.feed(cut(0), 0.0)
    return ladder, sink


async def test_without_the_setting_there_is_nothing() -> None:
    async with ladders(Encode()) as (made, _):
        assert not made.enabled
        assert made.ladder("demo", "live", Judge(), Cutter()) is None


async def test_streams_may_have_settings_of_their_own() -> None:
    settings = Encode(stream=(StreamOverride(name="cam-*", enabled=True),))
    async with ladders(settings) as (made, _):
        assert made.enabled
        assert made.ladder("demo", "live", Judge(), Cutter()) is None
        assert made.ladder("cam-1", "live", Judge(), Cutter()) is not None


async def test_a_plan_is_made_of_all_tracks_with_what_opens_here() -> None:
    async with ladders(Encode(enabled=True)) as (made, _):
        mp2 = replace(audio_track(), codec=Codec.MP2)
        ladder, sink = begin(made, "demo", ("source", video_track()), ("audio", mp2))
        assert ladder.plan is not None
        assert [rung.rendition for rung in ladder.plan.video] == ["480p", "360p"]
        assert {rung.encoder for rung in ladder.plan.video} == {"libx264"}
        assert [(rung.source, rung.codec) for rung in ladder.plan.audio] == [("audio", Codec.AAC)]
        assert sink.of(Planned) == [Planned(("480p", "360p", "audio-128k"))]  # type: ignore[arg-type]


async def test_a_machine_that_is_too_small_makes_no_ladder() -> None:
    settings = Encode(enabled=True, refuse_over_capacity="refuse")
    async with ladders(settings, speed=1.0) as (made, registry):
        ladder, _ = begin(made)
        assert (ladder.state, ladder.plan, ladder.crew.worker) == (LadderState.REFUSED, None, None)
        assert registry.get_sample_value("headwater_encode_refused_total") == 1


async def test_or_makes_it_and_says_so() -> None:
    async with ladders(Encode(enabled=True), speed=1.0) as (made, registry):
        ladder, _ = begin(made)
        assert ladder.plan is not None
        assert registry.get_sample_value("headwater_encode_refused_total") == 0


async def test_room_is_shared_and_freed_with_a_stream() -> None:
    settings = Encode(enabled=True, refuse_over_capacity="refuse")
    async with ladders(settings, speed=80.0) as (made, _):
        first, _ = begin(made, "one")
        assert first.plan is not None
        second, _ = begin(made, "two")
        third, _ = begin(made, "three")
        assert LadderState.REFUSED in (second.state, third.state)
        for ladder in (first, second, third):
            ladder.close()
            made.gone(ladder)
        again, _ = begin(made, "four")
        assert again.plan is not None


async def test_series_of_a_stream_come_and_go_with_its_ladder() -> None:
    async with ladders(Encode(enabled=True)) as (made, registry):
        ladder, _ = begin(made)
        labels = {"stream": "demo"}
        assert registry.get_sample_value("headwater_encode_level", labels) == 0
        await until(lambda: (registry.get_sample_value("headwater_encode_resident_bytes", labels) or 0) > 0)
        crash = {**labels, "reason": "crash"}
        assert registry.get_sample_value("headwater_encode_restarts_total", crash) == 0
        assert registry.get_sample_value("headwater_encode_holes_total", {**labels, "rendition": "480p"}) == 0
        ladder.close()
        made.gone(ladder)
        assert registry.get_sample_value("headwater_encode_level", labels) is None
        await made.close()
        assert registry.get_sample_value("headwater_encode_level", labels) is None
