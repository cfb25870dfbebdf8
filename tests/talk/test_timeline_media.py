"""Conversations with a timeline: what publishers send, and where it ends up."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import pytest
from tests.timeline_kit import AVCC, START, UNIX, Talk, audio, config, frames, sound, video

from headwater.ingest.timeline import TimelineSettings

NTSC = Fraction(30_000, 1_001)


def both(talk: Talk, seconds: float = 20.0, **kwargs: Any) -> None:
    talk.join()
    talk.play(config(video()), config(audio()), frames(seconds=seconds, **kwargs), sound(seconds=seconds, **kwargs))


def test_a_plain_stream() -> None:
    talk = Talk()
    both(talk)
    judge = talk.judge
    assert judge.started is not None
    assert (judge.started.target_duration_s, judge.started.part_target_us) == (4, 520_000)
    assert judge.started.discontinuity_sequence == 0
    assert judge.cuts[0].msn == int(UNIX)
    assert judge.cuts[0].time == pytest.approx(UNIX * 90_000, abs=1)
    assert abs(judge.cuts[0].date_us - UNIX * 1e6) < 20
    assert judge.lengths() == [2.0] * 9
    assert all(sample is not None and sample.independent for sample in judge.starts())
    assert judge.tracks["source"].frame_rate == 30
    assert len(judge.samples["source"]) == 600
    assert len(judge.samples["audio"]) == len(list(sound())) - 1 or len(judge.samples["audio"]) > 930
    assert not judge.holes and not talk.advice


def test_how_late_media_may_come_is_fixed_at_the_start_and_over_a_restart_rule_10() -> None:
    media = (config(video()), frames(seconds=10.0))
    first = Talk()
    first.join(late_s=0.6)
    first.play(*media)
    again = Talk(epoch=first.timeline.epoch, now=first.now + 5)
    again.join(late_s=0.12)
    again.play(config(video()), frames(seconds=10.0, start=again.now))
    assert first.judge.started is not None and again.judge.started is not None
    assert (first.judge.started.late_us, again.judge.started.late_us) == (600_000, 600_000)
    first.end()
    after = Talk(epoch=first.timeline.epoch, now=first.now + 5)
    after.join(late_s=0.12)
    after.play(config(video()), frames(seconds=10.0, start=after.now))
    assert after.judge.started is not None and after.judge.started.late_us == 120_000


def test_samples_leave_at_once_and_audio_waits_for_the_primary() -> None:
    talk = Talk()
    both(talk, 5)
    video_samples = talk.judge.samples["source"]
    assert abs(video_samples[-1].dts - video_samples[0].dts - 149 * 3_000) <= 90
    assert talk.timeline.held <= 3


@pytest.mark.parametrize(
    ("fps", "gop", "lengths"),
    [
        (NTSC, 60, {2.002}),
        (Fraction(60_000, 1_001), 120, {2.002}),
        (Fraction(24_000, 1_001), 48, {2.002}),
        (25, 25, {2.0}),
        (50, 25, {2.0}),
        (25, 48, {1.92}),
        (25, 100, {4.0}),
        (NTSC, 120, {4.004}),
        (5, 10, {2.0}),
    ],
)
def test_gops_make_segments(fps: Fraction, gop: int, lengths: set[float]) -> None:
    talk = Talk()
    talk.join()
    track = video(frame_rate=Fraction(fps))
    talk.play(config(track), config(audio()), frames(fps=fps, gop=gop, seconds=30), sound(seconds=30))
    assert len(talk.judge.cuts) > 5
    for length in talk.judge.lengths():
        assert min(abs(length - wanted) for wanted in lengths) < 0.002
    assert all(sample is not None and sample.independent for sample in talk.judge.starts())
    assert talk.judge.tracks["source"].frame_rate == fps
    assert talk.timeline.counters.cuts_without_keyframe == 0


def test_rounded_ntsc_times_stay_on_the_publishers_grid() -> None:
    talk = Talk()
    talk.join()
    talk.play(config(video(frame_rate=NTSC)), config(audio()), frames(fps=NTSC, seconds=60), sound(seconds=60))
    samples = talk.judge.samples["source"]
    for n, sample in enumerate(samples):
        assert abs(sample.dts - samples[0].dts - n * 3_003) <= 90
        assert abs(sample.duration - 3_003) <= 1


def test_b_frames_keep_presentation_and_shift_decoding() -> None:
    talk = Talk()
    talk.join()
    talk.play(config(video()), config(audio()), frames(fps=25, gop=49, bframes=True), sound())
    keys = [sample for sample in talk.judge.samples["source"] if sample.independent]
    assert all(key.dts == key.pts for key in keys)
    assert any(sample.pts < sample.dts for sample in talk.judge.samples["source"])
    times = sorted(sample.pts for sample in talk.judge.samples["source"])[:-5]
    assert {b - a for a, b in itertools.pairwise(times)} == {3_600}
    assert set(talk.judge.lengths()) == {1.96}


@pytest.mark.parametrize("bits", [31, 32])
@pytest.mark.parametrize("before_ms", [0, 500, 5_000])
def test_wraps_are_invisible(bits: int, before_ms: int) -> None:
    talk = Talk()
    both(talk, base_ms=(1 << bits) - before_ms, wrap=bits)
    assert set(talk.judge.lengths()) == {2.0}
    assert talk.judge.discontinuities() == 0 and not talk.judge.holes
    assert talk.timeline.counters.jumps == 0
    assert len(talk.judge.samples["source"]) == 600


@pytest.mark.parametrize("fps", [25, 30])
def test_a_ten_second_gop_is_cut_and_explained(fps: int) -> None:
    talk = Talk()
    talk.join()
    talk.play(config(video()), config(audio()), frames(fps=fps, gop=10 * fps, seconds=62), sound(seconds=62))
    assert max(talk.judge.lengths()) < 4.5
    starts = talk.judge.starts()
    keys = [sample for sample in talk.judge.samples["source"] if sample.independent]
    starting = {sample.dts for sample in starts if sample is not None}
    assert all(key.dts in starting for key in keys[1:])
    assert talk.timeline.counters.cuts_without_keyframe >= 10
    assert "no_keyframe" in talk.kinds()
    assert "long_gop" in talk.kinds()


def test_a_varying_gop_is_cut_at_its_keyframes() -> None:
    talk = Talk()
    talk.join()
    talk.play(
        config(video()), config(audio()), frames(fps=30, gop=[70, 20, 100, 45, 61], seconds=60), sound(seconds=60)
    )
    assert all(sample is not None and sample.independent for sample in talk.judge.starts())
    assert max(talk.judge.lengths()) <= 4.0


def test_no_keyframe_at_all_after_the_first() -> None:
    talk = Talk()
    talk.join()
    talk.play(config(video()), config(audio()), frames(gop=100_000, seconds=60), sound(seconds=60))
    assert max(talk.judge.lengths()) < 4.5
    assert len(talk.judge.cuts) >= 14


def test_b_frames_with_a_long_gop_are_cut_in_presentation_order() -> None:
    talk = Talk()
    talk.join()
    talk.play(config(video()), config(audio()), frames(fps=25, gop=250, bframes=True, seconds=40), sound(seconds=40))
    judge = talk.judge
    for cut, start in zip(judge.cuts, judge.starts(), strict=True):
        if start is None:
            continue
        index = judge.samples["source"].index(start)
        assert all(sample.pts < cut.time for sample in judge.samples["source"][:index])
        assert all(sample.pts >= cut.time for sample in judge.samples["source"][index:])


def test_five_frames_a_second_raise_the_part_target() -> None:
    talk = Talk()
    talk.join()
    talk.play(config(video()), config(audio()), frames(fps=5, gop=10), sound())
    assert talk.judge.started is not None
    assert talk.judge.started.part_target_us == 600_000
    assert "part_target" in talk.kinds()
    assert "1.80 s behind live instead of 1.56 s" in talk.advice[0].text


def test_eight_kilohertz_aac_fits_the_default() -> None:
    talk = Talk()
    talk.join()
    talk.play(config(video()), config(audio(rate=8_000)), frames(), sound(rate=8_000))
    assert talk.judge.started is not None
    assert talk.judge.started.part_target_us == 520_000
    assert {sample.duration for sample in talk.judge.samples["audio"]} == {1024}
    assert not talk.judge.holes


def test_audio_only() -> None:
    talk = Talk()
    talk.join()
    talk.play(config(audio()), sound(seconds=20))
    assert list(talk.judge.samples) == ["audio"]
    assert all(abs(length - 2) < 0.022 for length in talk.judge.lengths())
    assert len(talk.judge.samples["audio"]) == len(list(sound(seconds=20)))
    assert not talk.advice


def test_video_only_starts_after_the_wait_for_audio() -> None:
    talk = Talk()
    talk.join()
    talk.play(config(video()), frames(seconds=0.4))
    assert talk.judge.started is None
    talk.play(frames(seconds=10, skip=(0, 0.39)))
    assert set(talk.judge.lengths()) == {2.0}
    assert talk.judge.cuts[0].time == pytest.approx(UNIX * 90_000, abs=1)
    assert len(talk.judge.samples["source"]) == 300


def test_late_audio_starts_at_a_cut_in_step_with_the_picture() -> None:
    talk = Talk()
    talk.join()
    talk.play(config(video()), config(audio(), START + 5), frames(), sound(since=5.1))
    judge = talk.judge
    first = judge.samples["audio"][0]
    cut = next(cut for cut in judge.cuts if cut.time / 90_000 > UNIX + 5)
    assert 0 <= first.pts / 48_000 - cut.time / 90_000 < 0.022
    assert not judge.discontinuities() and not judge.holes
    media = (first.pts / 48_000 - UNIX) * 1000
    assert abs(media - round(media * 48 / 1024) * 1024 / 48) < 1.0


def test_video_that_comes_after_audio_takes_over_the_cuts() -> None:
    talk = Talk()
    talk.join()
    talk.play(config(audio()), config(video(), START + 5), sound(), frames(start=START, skip=(0, 6)))
    judge = talk.judge
    first = judge.samples["source"][0]
    assert first.independent
    assert first.pts in {cut.time for cut in judge.cuts}
    assert [s for s in judge.starts()[-5:] if s is None or not s.independent] == []


def test_two_audio_tracks() -> None:
    talk = Talk()
    talk.join()
    talk.play(
        config(video()),
        config(audio()),
        config(audio("a1", rate=44_100)),
        frames(),
        sound(),
        sound(track="a1", rate=44_100),
    )
    assert set(talk.judge.tracks) == {"source", "audio", "audio-2"}
    assert not talk.judge.holes
    for rendition, rate in (("audio", 48_000), ("audio-2", 44_100)):
        first = talk.judge.samples[rendition][0]
        assert 0 <= first.pts / rate - UNIX < 0.03


def test_two_video_tracks_share_the_cuts() -> None:
    talk = Talk()
    talk.join()
    talk.play(config(video()), config(video("v1")), config(audio()), frames(), frames(track="v1"), sound())
    assert set(talk.judge.tracks) == {"source", "source-2", "audio"}
    assert [s.dts for s in talk.judge.samples["source-2"]][:100] == [s.dts for s in talk.judge.samples["source"]][:100]


def test_audio_that_arrives_late_within_reason_is_kept() -> None:
    talk = Talk()
    talk.join()
    talk.play(config(video()), config(audio()), frames(), sound(delay=0.7))
    assert not talk.judge.holes
    assert len(talk.judge.samples["audio"]) > 840


def test_audio_ahead_of_the_picture_is_held_but_not_for_ever() -> None:
    talk = Talk()
    talk.join()
    talk.play(config(video()), config(audio()), frames(delay=0.3), sound())
    assert 5 < talk.most_held < 80
    assert not talk.judge.holes


def test_a_changed_configuration_starts_at_a_keyframe_with_a_discontinuity() -> None:
    talk = Talk()
    other = video(config=AVCC[:-1] + b"\x81")
    talk.join()
    talk.play(
        config(video()),
        config(audio()),
        config(video(), START + 3),
        config(other, START + 6.9),
        frames(),
        sound(),
    )
    judge = talk.judge
    assert judge.tracks["source"].config == other.config
    assert judge.tracks["source"].frame_rate == 30
    changed = [cut for cut in judge.cuts if cut.discontinuity]
    assert len(changed) == 1
    assert changed[0].time / 90_000 == pytest.approx(UNIX + 8, abs=0.01)


def test_a_changed_audio_configuration_waits_for_the_next_keyframe() -> None:
    talk = Talk()
    talk.join()
    talk.play(
        config(video()),
        config(audio()),
        config(audio(rate=44_100, config=b"\x12\x10"), START + 5.0),
        frames(gop=30),
        sound(seconds=5.0),
        sound(rate=44_100, since=5.0),
    )
    judge = talk.judge
    assert judge.tracks["audio"].timescale == 44_100
    assert judge.discontinuities() == 1
    cut = next(cut for cut in judge.cuts if cut.discontinuity)
    assert cut.time / 90_000 - UNIX < 6.1


def test_window_and_part_target_follow_the_settings() -> None:
    talk = Talk(TimelineSettings(part_target_ms=300, segment_s=4, target_duration_s=6))
    both(talk)
    assert talk.judge.started is not None
    assert talk.judge.started.target_duration_s == 6
    assert 300_000 <= talk.judge.started.part_target_us <= 310_000
    assert set(talk.judge.lengths()) == {4.0}
