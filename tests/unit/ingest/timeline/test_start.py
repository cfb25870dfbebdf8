"""The beginning of a publisher."""

from __future__ import annotations

import pytest
from tests.timeline_kit import AVCC, IDR, SLICE, audio, video

from headwater.ingest.media import Packet, TrackId
from headwater.ingest.timeline.start import MOST_PACKETS, Gather


def packet(track: str, at: float, payload: bytes = b"\x21") -> Packet:
    return Packet(TrackId(track), int(at * 1_000), 0, payload == IDR, payload, at)


def gather(*expected: str) -> Gather:
    return Gather(0.5, frozenset(map(TrackId, expected)))


def test_it_begins_when_all_that_can_be_expected_is_there() -> None:
    it = gather()
    it.configure(video())
    it.configure(audio())
    for n in range(7):
        it.packet(packet("v0", n * 0.04, SLICE if n else IDR), n * 0.04)
        it.packet(packet("a0", n * 0.04), n * 0.04)
        assert not it.ready(n * 0.04)
    it.packet(packet("v0", 0.28, SLICE), 0.28)
    assert it.ready(0.28)


def test_frames_before_the_keyframe_are_dropped() -> None:
    it = gather()
    it.configure(video())
    assert it.packet(packet("v0", 0.0, SLICE), 0.0) == 1
    assert not it.ready(60.0) and not it.found
    assert it.packet(packet("v0", 61.0, IDR), 61.0) == 0
    assert it.found and not it.ready(61.4) and it.ready(61.5)


def test_a_returning_publisher_is_given_time_for_the_tracks_it_had() -> None:
    it = gather("v0", "a0", "a1")
    it.configure(video())
    it.configure(audio())
    for n in range(10):
        it.packet(packet("v0", n * 0.04, SLICE if n else IDR), n * 0.04)
        it.packet(packet("a0", n * 0.04), n * 0.04)
    assert not it.ready(0.4)
    assert it.ready(0.5)


def test_a_publisher_that_says_what_it_sends_is_given_time_for_it() -> None:
    it = gather()
    it.expect(frozenset((TrackId("v0"), TrackId("a0"), TrackId("a1"))))
    it.configure(video())
    it.configure(audio())
    for n in range(10):
        it.packet(packet("v0", n * 0.04, SLICE if n else IDR), n * 0.04)
        it.packet(packet("a0", n * 0.04), n * 0.04)
    assert not it.ready(0.4)
    it.configure(audio("a1"))
    for n in range(2):
        it.packet(packet("a1", 0.42 + n * 0.01), 0.42 + n * 0.01)
    assert it.ready(0.44)


def test_a_publisher_that_says_that_it_has_no_sound_is_not_waited_for() -> None:
    it = gather()
    it.expect(frozenset((TrackId("v0"),)))
    it.configure(video())
    for n in range(8):
        assert not it.ready(n * 0.04)
        it.packet(packet("v0", n * 0.04, SLICE if n else IDR), n * 0.04)
    assert it.ready(0.28)


def test_video_that_never_sends_is_given_up() -> None:
    it = gather()
    it.configure(video())
    it.configure(audio())
    it.packet(packet("a0", 0.0), 0.0)
    assert not it.ready(2.9)
    it.packet(packet("a0", 2.9), 2.9)
    assert it.ready(3.0)
    assert it.primary == "a0"


def test_another_configuration_starts_over() -> None:
    it = gather()
    it.configure(video())
    it.packet(packet("v0", 0.0, IDR), 0.0)
    it.configure(video(config=AVCC + b"\x00"))
    assert not it.found and not it.packets
    it.configure(video(config=AVCC + b"\x00"))
    it.packet(packet("v0", 1.0, IDR), 1.0)
    assert it.found


@pytest.mark.parametrize("found", [True, False])
def test_what_is_kept_is_bounded(found: bool) -> None:
    it = gather("a9")
    it.configure(video())
    it.configure(audio())
    if found:
        it.packet(packet("v0", 0.0, IDR), 0.0)
    for n in range(2 * MOST_PACKETS):
        at = n / 100_000
        it.packet(packet("a0", at), at)
        if it.ready(at):
            break
    assert len(it.packets) <= MOST_PACKETS
    assert it.packet(packet("v7", 1.0), 1.0) == 1


@pytest.mark.parametrize(("sooner", "burst"), [(0.05, 0.0), (0.3, 0.3), (4.5, 4.5), (60.0, 5.0)])
def test_what_had_been_stored_is_told_from_times_and_arrivals(sooner: float, burst: float) -> None:
    it = gather()
    it.configure(video())
    for n in range(10):
        media = n * max(sooner, 0.04)
        sent = Packet(TrackId("v0"), (int(media * 1_000) - 100) % (1 << 32), 0, n == 0, SLICE if n else IDR, media)
        sent.arrived = max(0.0, media - sooner)
        it.packet(sent, sent.arrived)
    assert it.burst_s(TrackId("v0")) == pytest.approx(burst, abs=0.002)


def test_media_that_comes_too_fast_is_ahead_before_it_begins() -> None:
    it = gather()
    it.configure(video())
    assert it.ahead_s(0.0) == 0.0
    for n in range(20):
        fast = packet("v0", n * 1.0, SLICE if n else IDR)
        fast.arrived = 0.0
        it.packet(fast, 0.0)
    assert it.burst_s(TrackId("v0")) == 5.0
    assert it.ahead_s(0.4) == pytest.approx(19 - 5 - 0.4)
