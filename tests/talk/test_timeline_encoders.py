"""Conversations with a timeline: what odd encoders and networks do, one habit each."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator

import pytest
from tests.timeline_kit import AVCC, SLICE, START, UNIX, Arrival, Talk, audio, config, frames, sound, video

from headwater.ingest.media import Hole, Packet, Sample, TrackId
from headwater.ingest.timeline import Epoch

OTHER = video(config=AVCC[:-1] + b"\x81")


def moved(arrivals: Iterable[Arrival], since: float, until: float, to: float) -> Iterator[Arrival]:
    """What would arrive between the first two comes at `to`, in a burst."""
    for arrival in arrivals:
        if since <= arrival.at < until:
            arrival.at = max(arrival.at, to)
            _arrives(arrival)
        yield arrival


def later(arrivals: Iterable[Arrival], since: float, seconds: float) -> Iterator[Arrival]:
    """What arrives from `since` on comes later; its timestamps do not say so."""
    for arrival in arrivals:
        if arrival.at >= since:
            arrival.at += seconds
            _arrives(arrival)
        yield arrival


def shifted(arrivals: Iterable[Arrival], since: float, ms: int) -> Iterator[Arrival]:
    for arrival in arrivals:
        if arrival.at >= since and isinstance(arrival.what, Packet):
            arrival.what.dts += ms
        yield arrival


def _arrives(arrival: Arrival) -> None:
    if isinstance(arrival.what, Packet):
        arrival.what.arrived = arrival.at


def play(talk: Talk, *arrivals: Iterable[Arrival], at: float = START) -> Talk:
    talk.join()
    talk.play(config(video(), at), config(audio(), at), *arrivals)
    return talk


def behind(talk: Talk, rendition: str, rate: int) -> float:
    """Seconds by which the last sample's date is before its arrival."""
    last, cut = talk.judge.samples[rendition][-1], talk.judge.cuts[-1]
    date = last.dts / rate + cut.date_us / 1e6 - cut.time / 90_000
    return last.arrived - START + UNIX - date


# -- networks


@pytest.mark.parametrize("length", [0.7, 1.3, 2.5])
@pytest.mark.parametrize(("video_s", "audio_s"), [(0, 0), (0, 0.15), (0.15, 0), (0, 0.4), (0.4, 0)])
def test_tracks_come_back_from_a_stall_one_after_the_other(length: float, video_s: float, audio_s: float) -> None:
    since = START + 5.01
    end = since + length
    talk = play(Talk(), moved(frames(), since, end, end + video_s), moved(sound(), since, end, end + audio_s))
    assert not talk.judge.holes
    assert len(talk.judge.samples["source"]) == 600
    assert len(talk.judge.samples["audio"]) == 937
    assert not talk.advice


@pytest.mark.parametrize("seconds", [0.3, 0.7, 0.9, 1.5, 2.5])
def test_sound_that_is_always_late_is_better_than_none(seconds: float) -> None:
    talk = play(Talk(), frames(), later(sound(), START, seconds))
    judge = talk.judge
    assert behind(talk, "audio", 48_000) == pytest.approx(seconds, abs=0.05)
    assert len(judge.samples["audio"]) > 937 - (2.5 + seconds) * 48
    assert "audio" not in judge.holes


@pytest.mark.parametrize("seconds", [0.7, 2.0])
def test_late_sound_comes_back_after_a_hole(seconds: float) -> None:
    talk = play(Talk(), frames(seconds=30), later(sound(seconds=30, skip=(8, 14)), START, seconds))
    after = [sample for sample in talk.judge.samples["audio"] if sample.dts / 48_000 - UNIX > 17]
    assert talk.judge.holes["audio"]
    assert len(after) == pytest.approx(13 * 48_000 / 1024, abs=2)


def test_late_video_comes_back_after_a_hole() -> None:
    """The sound is 0.9 s before the picture, so the hole must wait for the picture."""
    talk = play(Talk(), later(frames(seconds=30, skip=(8, 11)), START, 0.9), sound(seconds=30))
    judge = talk.judge
    assert judge.holes["source"]
    assert len([sample for sample in judge.samples["source"] if sample.pts / 90_000 - UNIX > 15]) > 14 * 30
    assert max(judge.lengths()) < 4.5


@pytest.mark.parametrize("kind", ["both", "video", "audio"])
@pytest.mark.parametrize("seconds", [2.0, 4.0, 8.0])
def test_an_encoder_that_pauses_and_goes_on_is_heard_again(kind: str, seconds: float) -> None:
    """Its clock stood still too, so what it sends is old by the pause from then on."""
    talk = Talk()
    talk.join()
    parts: list[Iterable[Arrival]] = []
    if kind != "audio":
        parts += [config(video()), later(frames(seconds=40), START + 7, seconds)]
    if kind != "video":
        parts += [config(audio()), later(sound(seconds=40), START + 7, seconds)]
    talk.play(*parts)
    for samples in talk.judge.samples.values():
        rate = 90_000 if samples[0].rendition == "source" else 48_000
        assert samples[-1].dts / rate - UNIX == pytest.approx(40, abs=0.1)
        missing = sum(later.dts - one.dts - one.duration for one, later in itertools.pairwise(samples)) / rate
        assert missing <= seconds + 2.1


# -- clocks


def test_a_small_step_back_keeps_sound_and_picture_together() -> None:
    base = 100_000
    since = START + 7
    talk = play(Talk(), shifted(frames(base_ms=base), since, -700), shifted(sound(base_ms=base), since, -700))
    judge = talk.judge
    assert behind(talk, "source", 90_000) == pytest.approx(behind(talk, "audio", 48_000), abs=0.05)
    assert judge.discontinuities() == 1 and not judge.holes
    assert len(judge.samples["source"]) == 600


@pytest.mark.parametrize("seconds", [5.0, 5.01, 6, 9])
def test_media_that_leaps_ahead_is_a_jump_and_stays_in_step(seconds: float) -> None:
    """Taken for a hole it would be paced: late by as much for ever."""
    ms = int(seconds * 1_000)
    talk = play(Talk(), shifted(frames(), START + 7, ms), shifted(sound(), START + 7, ms))
    assert behind(talk, "source", 90_000) == pytest.approx(behind(talk, "audio", 48_000), abs=0.1)
    assert len(talk.judge.samples["audio"]) == pytest.approx(937, abs=3)


@pytest.mark.parametrize("base", [0, 77_000])
def test_a_new_configuration_with_new_timestamps_is_one_discontinuity(base: int) -> None:
    talk = play(Talk(), frames(seconds=7.1), sound(seconds=7.1))
    at = START + 7.1
    talk.play(config(OTHER, at), frames(seconds=8, start=at, base_ms=base), sound(seconds=8, start=at, base_ms=base))
    assert talk.judge.discontinuities() == 1
    assert not talk.judge.holes
    assert len(talk.judge.samples["source"]) == 213 + 240


@pytest.mark.parametrize("jitter", [5, 20])
def test_timestamps_that_jitter_change_nothing(jitter: int) -> None:
    dice = random.Random(jitter)

    def uneven(arrivals: Iterable[Arrival]) -> Iterator[Arrival]:
        for arrival in arrivals:
            assert isinstance(arrival.what, Packet)
            arrival.what.dts = max(0, arrival.what.dts + dice.randint(-jitter, jitter))
            yield arrival

    talk = play(Talk(), uneven(frames()), uneven(sound()))
    assert not talk.judge.holes and not talk.judge.discontinuities() and not talk.advice
    assert talk.timeline.counters.dropped <= 2


class Stepped(Talk):
    """A talk whose wall clock is set by `step` seconds at START + 15."""

    step = 0.0

    @property
    def unix(self) -> float:
        return UNIX + self.now - START + (self.step if self.now > START + 15 else 0.0)


@pytest.mark.parametrize("step", [30.0, -30.0, 86_400.0, -2.5])
def test_a_wall_clock_that_is_set_moves_dates_slowly_and_nothing_else(step: float) -> None:
    talk = Stepped()
    talk.step = step
    play(talk, frames(seconds=40), sound(seconds=40))
    assert set(talk.judge.lengths()) == {2.0} and not talk.judge.holes and not talk.advice
    talk.leave()
    talk.until(START + 46)
    at = START + 46
    play(talk, frames(seconds=30, start=at), sound(seconds=30, start=at), at=at)
    judge = talk.judge
    assert judge.samples["source"][-1].dts / 90_000 - UNIX == pytest.approx(76, abs=0.2)
    assert "jump" not in talk.kinds() and not judge.discontinuities()
    dates = [cut.date_us - cut.time * 100 / 9 for cut in judge.cuts]
    steps = [after - before for before, after in itertools.pairwise(dates)]
    assert max(map(abs, steps)) <= 1_001
    # It goes on towards the wall clock after the return.
    assert sum(steps[-6:]) * step > 0
    talk.leave()
    before = len(judge.cuts)
    talk.until(talk.now + 10)
    assert len(judge.cuts) - before == pytest.approx(5, abs=2)


def test_an_earlier_life_in_the_future() -> None:
    """The clock was set back by an hour while the server was down."""
    hour = 3_600
    epoch = Epoch(2_000, 3, int((UNIX + hour) * 90_000), int((UNIX + hour - 5) * 1e6), 4, 520_000)
    talk = play(Talk(epoch=epoch), frames(), sound())
    judge = talk.judge
    assert judge.cuts[0].msn == 2_000 and judge.cuts[0].time >= epoch.end
    assert judge.discontinuities() == 1
    media = next(cut for cut in judge.cuts if cut.discontinuity)
    assert media.date_us / 1e6 == pytest.approx(UNIX, abs=0.1)


# -- frames


def test_ten_second_gops_at_one_frame_a_second_stay_in_the_target_duration() -> None:
    talk = play(Talk(), frames(fps=1, gop=10, seconds=60), sound(seconds=60))
    assert max(talk.judge.lengths()) <= 4.2
    assert not talk.judge.holes


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("longest", [0.9, 1.5, 3.0])
def test_a_screen_share_of_uneven_frames(seed: int, longest: float) -> None:
    """The judge knows the target duration."""
    dice = random.Random(seed)

    def shared() -> Iterator[Arrival]:
        media, number, key_at = 0.0, 0, -10.0
        while media < 60:
            key = media - key_at >= 8
            key_at = media if key else key_at
            payload = next(frames(seconds=0.1)).what if key else None
            body = payload.payload if isinstance(payload, Packet) else SLICE
            at = START + media
            yield Arrival(at, number, Packet(TrackId("v0"), round(media * 1_000), 0, key, body, at))
            number += 1
            media += dice.uniform(0.1, longest)

    talk = play(Talk(), shared(), sound(seconds=60))
    judge = talk.judge
    assert judge.cuts[-1].time / 90_000 - UNIX > 54
    assert not judge.discontinuities()
    assert "audio" not in judge.holes


def test_a_pause_of_frames_across_the_longest_segment_is_a_hole() -> None:
    talk = play(Talk(), frames(gop=300, skip=(3.9, 4.85)), sound())
    assert max(talk.judge.lengths()) <= 4.4
    assert [event.rendition for event in talk.judge.events if isinstance(event, Hole)] == ["source"]
    assert len(talk.judge.samples["source"]) == pytest.approx(600 - 0.95 * 30, abs=1)


# -- configurations


def test_a_configuration_without_a_keyframe_behind_it_does_not_stop_the_stream() -> None:
    talk = play(Talk(), [Arrival(START + 6.5, -1, OTHER)], frames(gop=300), sound())
    judge = talk.judge
    assert max(judge.lengths()) < 4.5
    assert judge.discontinuities() == 1
    assert "gap" in talk.kinds()
    assert len(judge.samples["audio"]) == 937


def test_configurations_that_change_with_every_frame_are_bounded() -> None:
    changes = (Arrival(START + 6 + n / 30 - 0.001, -1, OTHER if n % 2 else video()) for n in range(1, 61))
    talk = play(Talk(), changes, frames(gop=1), sound())
    assert min(talk.judge.lengths()) >= 0.3
    assert talk.judge.discontinuities() <= 10
    assert isinstance(talk.judge.events[-1], Sample)


@pytest.mark.parametrize("pause", [0.2, 5.0, 50.0])
@pytest.mark.parametrize("other", [False, True])
def test_a_publisher_that_leaves_and_returns(pause: float, other: bool) -> None:
    talk = play(Talk(), frames(seconds=7.1, base_ms=50_000), sound(seconds=7.1, base_ms=50_000))
    talk.until(START + 7.1)
    talk.leave()
    at = START + 7.1 + pause
    talk.until(at)
    talk.join()
    tone = audio(rate=44_100, config=b"\x12\x10") if other else audio()
    talk.play(
        config(OTHER if other else video(), at),
        config(tone, at),
        frames(seconds=8, start=at),
        sound(rate=tone.sample_rate, seconds=8, start=at),
    )
    judge = talk.judge
    assert judge.discontinuities() == other
    assert max(judge.lengths()) < 2.1
    assert len(judge.samples["source"]) == 213 + 240
    assert judge.samples["source"][-1].dts / 90_000 - UNIX == pytest.approx(at + 8 - START, abs=0.3)


def test_a_return_behind_sound_that_was_far_ahead_keeps_segments_short() -> None:
    """The sound is the primary of the second publisher, and its rendition is filled beyond the last cuts."""
    talk = play(Talk(), frames(seconds=5), sound(seconds=5))
    talk.play(burst_of(sound(seconds=13, since=5, base_ms=0)))
    talk.leave()
    talk.until(START + 8.8)
    talk.join()
    talk.play(config(audio(), talk.now), sound(seconds=8, start=talk.now))
    assert max(talk.judge.lengths()) <= 4.31


def burst_of(arrivals: Iterable[Arrival]) -> Iterator[Arrival]:
    """All at once, at START + 5."""
    for arrival in arrivals:
        arrival.at = START + 5
        _arrives(arrival)
        yield arrival
