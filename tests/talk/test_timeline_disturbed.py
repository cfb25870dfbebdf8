"""Conversations with a timeline: clocks that jump and freeze, tracks and publishers that stop and come back."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.timeline_kit import AVCC, START, UNIX, Arrival, Judge, Talk, audio, config, frames, sound, video

from headwater.ingest.media import Cut, Packet, Sample, StreamEnded, StreamStarted
from headwater.ingest.timeline import Epoch, TimelineSettings


def shifted(arrivals: Iterable[Arrival], since: float, ms: int) -> Iterator[Arrival]:
    """Add `ms` to the source times of what arrives from `since` on."""
    for arrival in arrivals:
        if arrival.at >= since and isinstance(arrival.what, Packet):
            arrival.what.dts = (arrival.what.dts + ms) % (1 << 32)
        yield arrival


def stalled(arrivals: Iterable[Arrival], since: float, until: float) -> Iterator[Arrival]:
    """What would arrive between the two comes at `until`, in a burst."""
    for arrival in arrivals:
        if since <= arrival.at < until:
            arrival.at = until
            if isinstance(arrival.what, Packet):
                arrival.what.arrived = until
        yield arrival


def play(talk: Talk, *arrivals: Iterable[Arrival]) -> None:
    talk.join()
    talk.play(config(video()), config(audio()), *arrivals)


# -- clocks


@pytest.mark.parametrize("ms", [3_600_000, -3_600_000, 20_000, -5_000, 1 << 30])
def test_a_jump_of_both_clocks_goes_on_without_a_gap_and_in_step(ms: int) -> None:
    talk = Talk()
    play(
        talk,
        shifted(frames(base_ms=7_200_000), START + 7.1, ms),
        shifted(sound(base_ms=7_200_000), START + 7.13, ms),
    )
    judge = talk.judge
    assert talk.timeline.counters.jumps == 2
    assert judge.discontinuities() == 1
    assert not judge.holes
    last_video, last_audio = judge.samples["source"][-1], judge.samples["audio"][-1]
    assert last_video.pts / 90_000 - UNIX == pytest.approx(last_video.arrived - START, abs=0.06)
    assert last_audio.pts / 48_000 - UNIX == pytest.approx(last_audio.arrived - START, abs=0.06)
    assert len(judge.samples["source"]) == 600
    assert "jump" in talk.kinds()


def test_a_frozen_clock_is_replaced_by_arrival() -> None:
    talk = Talk()

    def frozen(arrivals: Iterable[Arrival]) -> Iterator[Arrival]:
        for arrival in arrivals:
            if arrival.at > START + 5 and isinstance(arrival.what, Packet):
                arrival.what.dts = 5_000
            yield arrival

    play(talk, frozen(frames()), frozen(sound()))
    judge = talk.judge
    assert judge.lengths()[-3:] == pytest.approx([2, 2, 2], abs=0.1)
    assert judge.samples["source"][-1].dts / 90_000 - UNIX == pytest.approx(20, abs=0.2)
    assert judge.samples["audio"][-1].dts / 48_000 - UNIX == pytest.approx(20, abs=0.2)
    assert "frozen" in talk.kinds()


def test_a_clock_that_is_frozen_from_the_start() -> None:
    talk = Talk()

    def frozen(arrivals: Iterable[Arrival]) -> Iterator[Arrival]:
        for arrival in arrivals:
            if isinstance(arrival.what, Packet):
                arrival.what.dts = 0
            yield arrival

    play(talk, frozen(frames()), frozen(sound()))
    assert 8 <= len(talk.judge.cuts) <= 11


def test_unrelated_bases_are_placed_by_arrival() -> None:
    talk = Talk()
    play(talk, frames(base_ms=1_000_000), sound())
    judge = talk.judge
    assert not judge.holes
    assert judge.samples["audio"][-1].pts / 48_000 - UNIX == pytest.approx(20, abs=0.1)
    assert "jump" in talk.kinds()


def test_jittering_arrivals_change_nothing() -> None:
    talk = Talk()

    def jitter(arrivals: Iterable[Arrival]) -> Iterator[Arrival]:
        late = START
        for index, arrival in enumerate(arrivals):
            late = max(late, arrival.at + (index * 7919 % 97) / 400)
            arrival.at = late
            yield arrival

    play(talk, jitter(frames()), jitter(sound()))
    assert set(talk.judge.lengths()) == {2.0}
    assert not talk.judge.holes


@pytest.mark.parametrize("ppm", [-100, 100])
def test_drift_over_hours_keeps_dates_near_the_wall_clock(ppm: int) -> None:
    talk = Talk()
    speed = 1 + ppm / 1_000_000
    hours = 2
    play(
        talk,
        frames(fps=2, gop=4, seconds=hours * 3_600, speed=speed),
        sound(rate=8_000, seconds=hours * 3_600, speed=speed),
    )
    judge = talk.judge
    arrived = {sample.dts: sample.arrived for sample in judge.samples["source"]}
    errors = [abs(cut.date_us / 1e6 - UNIX - (arrived[cut.time] - START)) for cut in judge.cuts if cut.time in arrived]
    assert len(errors) > 3_500
    assert max(errors) < 0.01
    steps = {
        b.date_us - a.date_us - (b.time - a.time) * 100 / 9 for a, b in zip(judge.cuts, judge.cuts[1:], strict=False)
    }
    assert max(map(abs, steps)) <= 1_001
    assert talk.most_held < 60
    assert talk.timeline.ahead_s(talk.now) < 0.1


# -- silence


def test_audio_that_stops_and_comes_back_is_a_hole_in_audio_only() -> None:
    talk = Talk()
    play(talk, frames(), sound(skip=(5, 12)))
    judge = talk.judge
    assert set(judge.lengths()) == {2.0}
    assert list(judge.holes) == ["audio"]
    untils = [hole.until / 48_000 - UNIX for hole in judge.holes["audio"]]
    assert untils[-1] == pytest.approx(12, abs=0.1)
    assert max(b - a for a, b in itertools.pairwise(untils)) < 1.2


def test_video_that_stops_leaves_cuts_going_on_and_returns_at_a_keyframe() -> None:
    talk = Talk()
    play(talk, frames(seconds=30, skip=(5, 12.5)), sound(seconds=30))
    judge = talk.judge
    assert max(judge.lengths()) < 3
    assert list(judge.holes) == ["source"]
    back = next(sample for sample in judge.samples["source"] if sample.pts / 90_000 > UNIX + 6)
    assert back.independent
    assert back.pts / 90_000 - UNIX == pytest.approx(14, abs=0.05)
    assert back.pts in {cut.time for cut in judge.cuts}


@pytest.mark.parametrize("phase_ms", range(0, 66, 6))
@pytest.mark.parametrize("length", [1.3, 2.5])
def test_a_short_network_stall_loses_nothing(phase_ms: int, length: float) -> None:
    """Whichever track was the last one before it."""
    talk = Talk()
    since = START + 5 + phase_ms / 1_000
    play(talk, stalled(frames(), since, since + length), stalled(sound(), since, since + length))
    assert not talk.judge.holes
    assert len(talk.judge.samples["source"]) == 600
    assert set(talk.judge.lengths()) == {2.0}


def test_a_long_network_stall_is_listed_and_the_old_data_dropped() -> None:
    talk = Talk()
    play(
        talk,
        stalled(frames(seconds=30), START + 5, START + 12.8),
        stalled(sound(seconds=30), START + 5, START + 12.8),
    )
    judge = talk.judge
    assert set(judge.holes) == {"source", "audio"}
    assert max(judge.lengths()) < 3
    back = next(sample for sample in judge.samples["source"] if sample.pts / 90_000 > UNIX + 6)
    assert back.independent and back.pts / 90_000 - UNIX == pytest.approx(14, abs=0.05)
    assert talk.timeline.counters.dropped > 0


def test_nothing_at_all_goes_on_as_gap_segments_in_real_time() -> None:
    talk = Talk()
    play(talk, frames(seconds=5), sound(seconds=5))
    talk.until(START + 30)
    judge = talk.judge
    # A segment has media or none: the one that was open when the last track fell silent ends there.
    assert [cut.time / 90_000 - UNIX for cut in judge.cuts[2:]] == pytest.approx([4, *range(5, 30, 2)], abs=0.1)
    assert all(holes[-1].until > 0 for holes in judge.holes.values())
    assert judge.holes["source"][-1].until / 90_000 - UNIX == pytest.approx(30, abs=0.5)


def test_holes_come_in_whole_parts() -> None:
    """Each hole is a GAP part, and a request of every player: three whole parts and a rest in a segment of 2 s."""
    talk = Talk()
    play(talk, frames(seconds=5), sound(seconds=5))
    talk.until(START + 30)
    for name, rate in (("source", 90_000), ("audio", 48_000)):
        ends = [hole.until / rate - UNIX for hole in talk.judge.holes[name]]
        steps = [later - earlier for earlier, later in itertools.pairwise(ends) if earlier > 10]
        assert len(steps) == pytest.approx(4 * 20 / 2, abs=4)
        assert max(steps) <= 0.52


def test_a_bit_of_frame_dropping_is_no_hole() -> None:
    talk = Talk()
    play(talk, frames(skip=(5.1, 5.8)), sound())
    assert not talk.judge.holes
    assert set(talk.judge.lengths()) == {2.0}


# -- publishers


def test_a_publisher_that_returns_goes_on_at_its_first_keyframe() -> None:
    talk = Talk()
    play(talk, frames(seconds=5), sound(seconds=5))
    talk.leave()
    talk.until(START + 9)
    start = START + 9.2
    play(
        talk,
        config(video(), start),
        frames(seconds=10, start=start, base_ms=77_000),
        sound(seconds=10, start=start, base_ms=77_000),
    )
    judge = talk.judge
    assert judge.discontinuities() == 0
    assert max(judge.lengths()) < 2.5
    back = next(sample for sample in judge.samples["source"] if sample.pts / 90_000 > UNIX + 6)
    assert back.independent and back.pts / 90_000 - UNIX == pytest.approx(9.2, abs=0.1)
    assert back.pts in {cut.time for cut in judge.cuts}
    last = judge.cuts[-1]
    assert last.date_us / 1e6 == pytest.approx(last.time / 90_000, abs=0.02)


def test_another_encoder_starts_a_discontinuity() -> None:
    talk = Talk()
    play(talk, frames(seconds=5), sound(seconds=5))
    talk.leave()
    talk.now = START + 7
    other = video(config=AVCC[:-1] + b"\x81")
    talk.join()
    talk.play(
        config(other, talk.now),
        config(audio(), talk.now),
        frames(seconds=9, start=talk.now),
        sound(seconds=9, start=talk.now),
    )
    assert talk.judge.discontinuities() == 1
    assert talk.judge.tracks["source"].config == other.config


def test_a_takeover_without_a_pause() -> None:
    talk = Talk()
    play(talk, frames(seconds=5.5), sound(seconds=5.5))
    start = START + 5.5
    talk.now = start
    play(talk, frames(seconds=8, start=start), sound(seconds=8, start=start))
    assert len(talk.judge.samples["source"]) == 165 + 240
    assert max(talk.judge.lengths()) <= 2.01


def test_a_track_that_does_not_come_back_ends() -> None:
    talk = Talk()
    play(talk, frames(seconds=5), sound(seconds=5))
    talk.leave()
    talk.until(START + 7)
    talk.join()
    talk.play(config(video(), START + 7), frames(seconds=30, start=START + 7))
    assert talk.judge.ended == ["audio"]
    assert set(talk.judge.tracks) == {"source"}


def test_a_publisher_without_media_leaves_no_trace() -> None:
    talk = Talk()
    talk.join()
    talk.play(config(video()))
    talk.leave()
    talk.until(START + 60)
    talk.end()
    assert talk.judge.events == [StreamEnded()]
    assert talk.saved is None


def test_the_end_comes_once_and_nothing_follows() -> None:
    talk = Talk()
    play(talk, frames(seconds=5), sound(seconds=5))
    talk.end()
    talk.end()
    talk.until(START + 60)
    assert isinstance(talk.judge.events[-1], StreamEnded)
    assert talk.saved is not None and talk.saved.ended


# -- restart


def restarted(talk: Talk, after: float, settings: TimelineSettings | None = None) -> Talk:
    """The server is killed now and comes back `after` seconds later."""
    return Talk(settings, talk.saved, talk.now + after)


@pytest.mark.parametrize("after", [0.5, 5.0, 25.0, 300.0])
def test_a_restart_goes_on_above_everything(after: float) -> None:
    talk = Talk()
    play(talk, frames(seconds=9), sound(seconds=9))
    again = restarted(talk, after)
    start = again.now
    again.join()
    again.play(
        config(video(), start), config(audio(), start), frames(seconds=9, start=start), sound(seconds=9, start=start)
    )
    before, judge = talk.judge, again.judge
    assert judge.started is not None and before.started is not None
    assert judge.cuts[0].msn == before.cuts[-1].msn + 1
    assert judge.started.target_duration_s == before.started.target_duration_s
    assert judge.cuts[0].time > max(before.samples["source"][-1].pts, before.cuts[-1].time)
    assert judge.cuts[0].date_us > before.cuts[-1].date_us
    media = next(cut for cut in judge.cuts if cut.discontinuity)
    assert media is not judge.cuts[0]
    assert judge.discontinuities() == 1
    assert media.date_us / 1e6 == pytest.approx(UNIX + start - START, abs=0.02)
    hole = (media.time - judge.cuts[0].time) / 90_000
    assert 0.4 < hole <= 60.1
    assert abs(hole - min(60, after)) < 2.1


def test_a_stream_that_ended_begins_anew_with_higher_numbers() -> None:
    talk = Talk()
    play(talk, frames(seconds=5), sound(seconds=5))
    talk.end()
    again = restarted(talk, 20)
    start = again.now
    again.join()
    again.play(
        config(video(), start), config(audio(), start), frames(seconds=5, start=start), sound(seconds=5, start=start)
    )
    assert again.judge.started is not None
    assert again.judge.started.discontinuity_sequence == 1
    assert again.judge.cuts[0].msn == talk.judge.cuts[-1].msn + 1
    assert not again.judge.holes and not again.judge.discontinuities()


def test_discontinuities_are_counted_into_the_epoch() -> None:
    talk = Talk()
    play(
        talk,
        shifted(frames(base_ms=1 << 22), START + 5, -(1 << 21)),
        shifted(sound(base_ms=1 << 22), START + 5, -(1 << 21)),
    )
    assert talk.judge.discontinuities() == 1
    assert talk.saved is not None and talk.saved.discontinuity_sequence == 1
    again = restarted(talk, 3)
    start = again.now
    again.join()
    again.play(
        config(video(), start), config(audio(), start), frames(seconds=5, start=start), sound(seconds=5, start=start)
    )
    assert again.judge.started == StreamStarted(4, 520_000, 1)
    assert again.saved is not None and again.saved.discontinuity_sequence == 2


def test_part_target_of_an_earlier_life_is_kept() -> None:
    talk = Talk(epoch=Epoch(100, 3, int(UNIX * 90_000), int(UNIX * 1e6), 6, 700_000))
    play(talk, frames(seconds=8), sound(seconds=8))
    assert talk.judge.started == StreamStarted(6, 700_000, 3)
    assert talk.judge.cuts[0].msn == 100


segment = st.tuples(
    st.sampled_from(["play", "stall", "leave", "jump", "video stops", "audio stops"]),
    st.floats(0.3, 7.0),
)


@given(st.lists(segment, min_size=1, max_size=5), st.floats(0.0, 1.0), st.floats(0.1, 20.0))
def test_no_number_and_no_start_is_used_twice_after_a_kill(
    script: list[tuple[str, float]], where: float, after: float
) -> None:
    """SIGKILL after any prefix of the events: what the saved epoch leads to is above all that was said."""
    talk = Talk()
    run(talk, script)
    flat = [(saved, event) for saved, batch in talk.batches for event in batch]
    if not flat:
        return
    killed = flat[: max(1, int(len(flat) * where))]
    again = Talk(None, killed[-1][0], talk.now + after)
    run(again, [("play", 3.0)])
    cuts = [event for _, event in killed if isinstance(event, Cut)]
    if not cuts or not again.judge.cuts:
        return
    assert again.judge.cuts[0].msn > cuts[-1].msn
    first = again.judge.cuts[0].time
    for _, event in killed:
        if isinstance(event, Sample):
            scale = 90_000 // 9_000 if event.rendition == "source" else 0
            end = event.pts + event.duration if scale else (event.pts + event.duration) * 90_000 // 48_000
            assert end <= first


def run(talk: Talk, script: list[tuple[str, float]]) -> None:
    """A publisher that lives through the script."""
    base = 5_000_000
    talk.join()
    for what, seconds in script:
        start = talk.now
        if what == "leave":
            talk.leave()
            talk.until(start + seconds)
            talk.join()
            continue
        if what == "stall":
            talk.until(start + seconds)
            continue
        base += 5_000_000 if what == "jump" else 0
        ms = base + int((start - START) * 1000)
        parts = [config(video(), start), config(audio(), start)]
        if what != "video stops":
            parts.append(list(frames(seconds=seconds, start=start, base_ms=ms, gop=45)))
        if what != "audio stops":
            parts.append(list(sound(seconds=seconds, start=start, base_ms=ms)))
        talk.play(heapq.merge(*parts))


def test_the_judge_notices() -> None:
    judge = Judge()
    judge.take([StreamStarted(4, 520_000, 0), Cut(1, 0, 0), Cut(2, 90_000, 1_000_000)])
    with pytest.raises(AssertionError):
        judge.take([Cut(4, 180_000, 2_000_000)])
