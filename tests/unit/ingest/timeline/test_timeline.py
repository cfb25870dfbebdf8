"""The face of a timeline: what it says of itself."""

from __future__ import annotations

import pytest
from tests.timeline_kit import SLICE, START, Talk, audio, config, frames, sound, video

from headwater.ingest.media import Metadata, MetadataKind, Packet, TrackId
from headwater.ingest.timeline import AdviceKind
from headwater.ingest.timeline.timeline import NO_KEY_S


def test_before_any_publisher_there_is_nothing_to_do() -> None:
    talk = Talk()
    assert talk.timeline.next_timeout() is None
    assert talk.timeline.epoch is None and talk.timeline.tracks == ()
    assert (talk.timeline.held, talk.timeline.ahead_s(START), talk.timeline.drift_s) == (0, 0.0, 0.0)
    talk.timeline.handle_timeout(START, talk.unix)
    talk.timeline.configure(video(), START, talk.unix)
    assert talk.timeline.events() == []


def test_what_it_says_of_a_running_stream() -> None:
    talk = Talk()
    talk.join()
    talk.play(config(video()), config(audio()), frames(seconds=9), sound(seconds=9))
    assert [track.id for track in talk.timeline.tracks] == ["v0", "a0"]
    assert talk.timeline.tracks[0].frame_rate == 30
    assert talk.timeline.keyframe_interval_s == pytest.approx(2)
    assert talk.timeline.ahead_s(talk.now) == pytest.approx(0, abs=0.05)
    assert talk.timeline.held < 10
    assert talk.timeline.next_timeout() == pytest.approx(talk.now, abs=0.21)


def test_media_that_runs_ahead_is_measured() -> None:
    talk = Talk()
    talk.join()
    talk.play(config(video()), config(audio()), frames(seconds=2), sound(seconds=2))
    for n in range(60, 360):
        packet = Packet(TrackId("v0"), round(n * 1_000 / 30), 0, False, SLICE, talk.now)
        talk.timeline.packet(packet, talk.now, talk.unix)
    assert talk.timeline.ahead_s(talk.now) == pytest.approx(10, abs=0.1)
    assert talk.timeline.ahead_s(talk.now + 9) == pytest.approx(1, abs=0.1)


def test_a_publisher_without_a_keyframe_is_told() -> None:
    talk = Talk()
    talk.join()
    talk.play(config(video()))
    for n in range(20):
        talk.until(START + n)
        talk.timeline.packet(Packet(TrackId("v0"), n * 1_000, 0, True, SLICE, talk.now), talk.now, talk.unix)
    (advice,) = talk.advice
    assert advice.kind is AdviceKind.NO_KEYFRAME and f"{NO_KEY_S:.0f} s" in advice.text
    assert talk.judge.events == [] and talk.timeline.counters.dropped == 20


def test_a_cue_lands_at_its_picture() -> None:
    talk = Talk()
    talk.join()
    talk.timeline.cue(0, b"before any media")
    talk.play(config(video()), config(audio()), frames(seconds=4), sound(seconds=4))
    judge = talk.judge
    last = judge.samples["source"][-1]
    raw = (len(judge.samples["source"]) - 1) * 1_000 // 30
    for pts in (raw + 1_500, raw, raw - 500, raw + 2**31 - 1):
        talk.timeline.cue(pts, b"section")
    cues = [event for event in talk.timeline.events() if isinstance(event, Metadata)]
    assert [cue.kind for cue in cues] == [MetadataKind.CUE] * 4
    assert [cue.payload for cue in cues] == [b"section"] * 4
    seconds = [(cue.time - last.pts) / 90_000 for cue in cues]
    assert seconds == pytest.approx([1.5, 0, -0.5, 0], abs=0.04)
    talk.leave()
    talk.timeline.cue(raw, b"nobody publishes")
    assert not [event for event in talk.timeline.events() if isinstance(event, Metadata)]
