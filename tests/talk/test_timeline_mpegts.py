"""Conversations with a timeline whose publisher counts as MPEG-TS does: 90 kHz in 33 bits, exact times, B-frames."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from tests.timeline_kit import IDR, SLICE, START, UNIX, Arrival, Talk, audio, config, video

from headwater.ingest.media import MPEGTS_CLOCK, Packet, Sample, TrackId
from headwater.ingest.mpegts import Demuxer
from headwater.ingest.mpegts.pes import offset_us
from headwater.ingest.tracks import TrackConfigured, TracksAnnounced

SPAN = 1 << MPEGTS_CLOCK.bits
FRAME = 3_003
"""Ticks of a frame at 29.97 fps."""
CAPTURES = Path(__file__).parents[1] / "captures"


def pictures(base: int, *, seconds: float = 20.0, gop: int = 60) -> Iterator[Arrival]:
    """I P B B: presentation is up to three frames behind decoding. `base`: time of the first, ticks."""
    for n in range(int(seconds * 90_000 / FRAME)):
        key = n % gop == 0
        step = 1 if key else (3 if n % gop % 3 == 1 else 0)
        dts = (base + n * FRAME) % SPAN
        arrived = START + n * FRAME / 90_000
        offset = offset_us(dts + step * FRAME, dts)
        yield Arrival(arrived, n, Packet(TrackId("v0"), dts, offset, key, IDR if key else SLICE, arrived))


def sound(base: int, *, seconds: float = 20.0, since: float = 0.0) -> Iterator[Arrival]:
    """AAC at 48 kHz: 1,920 ticks a frame. Presented with the first picture, which is one frame behind its decoding."""
    for n in range(int(since * 90_000 / 1_920), int(seconds * 90_000 / 1_920)):
        arrived = START + n * 1_920 / 90_000
        dts = (base + FRAME + n * 1_920) % SPAN
        yield Arrival(arrived, n, Packet(TrackId("a0"), dts, 0, True, b"\x21" * 20, arrived))


def changed(arrivals: Iterable[Arrival], since: float, ticks: int) -> Iterator[Arrival]:
    """Add `ticks` to the times of what arrives from `since` seconds on."""
    for arrival in arrivals:
        if arrival.at >= START + since and isinstance(arrival.what, Packet):
            arrival.what.dts = (arrival.what.dts + ticks) % SPAN
        yield arrival


def play(*arrivals: Iterable[Arrival]) -> Talk:
    talk = Talk()
    talk.join()
    tracks = [dataclasses.replace(track, clock=MPEGTS_CLOCK) for track in (video(), audio())]
    talk.play(config(tracks[0]), config(tracks[1]), *arrivals)
    return talk


def apart(talk: Talk) -> float:
    """Seconds by which the last sound is presented before or behind the last picture, less their arrivals' distance."""
    picture = max(talk.judge.samples["source"][-12:], key=lambda sample: sample.pts)
    last = talk.judge.samples["audio"][-1]
    # A picture is presented one to three frames behind its decoding; sound like the first picture, one frame behind.
    shift = (picture.pts - picture.dts) / 90_000
    return (picture.pts / 90_000 - shift - picture.arrived) - (last.pts / 48_000 - last.arrived)


@pytest.mark.parametrize("before_s", [0.0, 3.3, 10.0, 19.0])
def test_the_wrap_after_26_hours_is_not_seen(before_s: float) -> None:
    base = SPAN - int(before_s * 90_000) - 1
    talk = play(pictures(base), sound(base))
    judge = talk.judge
    assert (talk.timeline.counters.jumps, judge.discontinuities(), judge.holes) == (0, 0, {})
    samples = judge.samples["source"]
    assert len(samples) == 599
    assert {later.dts - earlier.dts for earlier, later in pairwise(samples)} == {FRAME}
    assert {later.dts - earlier.dts for earlier, later in pairwise(judge.samples["audio"])} == {1_024}
    assert {sample.pts - sample.dts for sample in samples} == {0, -FRAME, 2 * FRAME}
    assert apart(talk) == pytest.approx(0, abs=0.002)


def test_a_track_that_starts_behind_the_wrap_is_in_step() -> None:
    base = SPAN - 5 * 90_000
    talk = play(pictures(base), sound(base, since=8.0))
    assert (talk.timeline.counters.jumps, talk.judge.discontinuities()) == (0, 0)
    assert apart(talk) == pytest.approx(0, abs=0.002)


@pytest.mark.parametrize("ticks", [90_000 * 36_000, -90_000 * 18_000, 1 << 32, 90_000 * 20, -90_000 * 5])
def test_an_encoder_that_restarts_goes_on_in_step(ticks: int) -> None:
    base = SPAN - 90_000 * 3
    talk = play(changed(pictures(base), 7.5, ticks), changed(sound(base), 7.5, ticks))
    judge = talk.judge
    assert judge.discontinuities() == 1
    assert not judge.holes
    assert len(judge.samples["source"]) == 599
    assert judge.samples["source"][-1].dts / 90_000 - UNIX == pytest.approx(20, abs=0.15)
    assert apart(talk) == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("ticks", [2_000, 18_000, 180_000, -9_000])
def test_a_small_step_of_the_clock_keeps_sound_and_picture_together(ticks: int) -> None:
    """A PCR discontinuity by less than a jump: time that is missing, or that comes twice."""
    talk = play(changed(pictures(90_000), 7.5, ticks), changed(sound(90_000), 7.5, ticks))
    assert talk.judge.discontinuities() == 0
    assert apart(talk) == pytest.approx(0, abs=0.06)


def test_a_lost_picture_leaves_the_others_where_they_are() -> None:
    """What refers to it is handed on: decoders show damage up to the next key picture."""
    lost = [arrival for arrival in pictures(90_000) if arrival.order not in (100, 101)]
    talk = play(lost, sound(90_000))
    judge = talk.judge
    assert (judge.discontinuities(), judge.holes, talk.timeline.counters.dropped) == (0, {}, 0)
    assert len(judge.samples["source"]) == 597
    assert max(later.dts - earlier.dts for earlier, later in pairwise(judge.samples["source"])) == 3 * FRAME


@pytest.mark.parametrize("name", ["wrap", "h264-aac", "hevc-aac", "languages"])
def test_real_streams_come_through_whole(name: str) -> None:
    demuxer = Demuxer()
    data = (CAPTURES / f"{name}.ts").read_bytes()
    talk = Talk()
    talk.join()
    sent: dict[str, int] = {}
    for number, at in enumerate(range(0, len(data), 188)):
        # FFmpeg's second of media, spread over a second.
        talk.until(START + number * 188 / len(data))
        demuxer.receive_data(data[at : at + 188], talk.now)
        feed(talk, demuxer, sent)
    demuxer.receive_eof(talk.now)
    feed(talk, demuxer, sent)
    talk.leave()
    judge = talk.judge
    assert talk.timeline.counters.jumps == 0
    assert judge.discontinuities() == 0
    assert len(judge.samples["source"]) == sent["v0"]
    pictures_ = judge.samples["source"]
    assert {later.dts - earlier.dts for earlier, later in pairwise(pictures_)} == {3_600}
    for rendition in judge.samples.keys() - {"source"}:
        samples: list[Sample] = judge.samples[rendition]
        # Sound before the first picture has no place.
        assert len(samples) >= len(pictures_)
        assert len({later.dts - earlier.dts for earlier, later in pairwise(samples)}) == 1


def feed(talk: Talk, demuxer: Demuxer, sent: dict[str, int]) -> None:
    for event in demuxer.events_received():
        if isinstance(event, TracksAnnounced):
            talk.timeline.expect(event.tracks)
        elif isinstance(event, TrackConfigured):
            talk.timeline.configure(event.track, talk.now, talk.unix)
        elif isinstance(event, Packet):
            sent[event.track] = sent.get(event.track, 0) + 1
            talk.timeline.packet(event, talk.now, talk.unix)
        talk._collect()
