"""Packets that have no place, and what is said of them."""

from __future__ import annotations

import pytest
from tests.timeline_kit import SLICE, START, Talk, audio, config, frames, sound, video

from headwater.ingest.media import Packet, TrackId


@pytest.fixture
def talk() -> Talk:
    talk = Talk()
    talk.join()
    talk.play(config(video()), config(audio()), frames(seconds=5), sound(seconds=5))
    return talk


def say(talk: Talk, track: str, dts: int, payload: bytes = SLICE) -> int:
    """Feed one packet now; how many were dropped for it."""
    before = talk.timeline.counters.dropped
    talk.timeline.packet(Packet(TrackId(track), dts, 0, True, payload, talk.now), talk.now, talk.unix)
    return talk.timeline.counters.dropped - before


def test_unknown_tracks_are_ignored(talk: Talk) -> None:
    assert say(talk, "v7", 5_000) == 0
    assert talk.timeline.events() == []


def test_frames_of_a_new_configuration_wait_for_its_keyframe(talk: Talk) -> None:
    talk.timeline.configure(video(config=video().config[:-1] + b"\x81"), talk.now, talk.unix)
    assert say(talk, "v0", 5_000) == 1


def test_too_much_sound_is_dropped_and_said(talk: Talk) -> None:
    assert sum(say(talk, "a0", 4_985, b"\x21" * 20) for _ in range(20)) > 10
    talk.timeline.handle_timeout(START + 60, talk.unix)
    assert "overlap" in {advice.kind.value for advice in talk.timeline.advice()}


def test_nothing_is_taken_after_the_publisher_left(talk: Talk) -> None:
    talk.leave()
    assert say(talk, "v0", 5_000) == 0
    assert not any(event for event in talk.timeline.events())
