"""Publishers that begin with what they had stored, and how dates and pacing see them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest
from tests.timeline_kit import START, UNIX, Arrival, Talk, audio, config, frames, sound, video

from headwater.ingest.media import Packet


def burst(arrivals: Iterable[Arrival], seconds: float, start: float = START) -> Iterator[Arrival]:
    """The first `seconds` of media come at `start`, all later that much sooner: as ffmpeg -re begins."""
    for arrival in arrivals:
        arrival.at = max(start, arrival.at - seconds)
        if isinstance(arrival.what, Packet):
            arrival.what.arrived = arrival.at
        yield arrival


def ahead(talk: Talk, rendition: str = "source") -> float:
    """Seconds by which the last sample is dated after its arrival."""
    last, cut = talk.judge.samples[rendition][-1], talk.judge.cuts[-1]
    offset = cut.date_us / 1e6 - cut.time / 90_000
    return last.dts / 90_000 + offset - UNIX - (last.arrived - START)


def test_late_sound_behind_a_burst_of_video_is_dated_right_and_not_paced() -> None:
    talk = Talk()
    talk.join()
    talk.play(config(video()), config(audio()), burst(frames(), 4.5), burst(sound(since=4), 4.5))
    assert ahead(talk) == pytest.approx(0, abs=0.1)
    assert talk.timeline.ahead_s(talk.now) == pytest.approx(0, abs=0.2)
    assert set(talk.judge.tracks) == {"source", "audio"}


def test_returning_publishers_do_not_add_up_their_bursts() -> None:
    talk = Talk()
    start = START
    for _ in range(6):
        talk.now = start
        talk.join()
        talk.play(
            config(video(), start),
            config(audio(), start),
            burst(frames(start=start, seconds=6), 0.5, start),
            burst(sound(start=start, seconds=6), 0.5, start),
        )
        talk.leave()
        talk.until(start + 11)
        start += 11
        assert ahead(talk) <= 0.5
