"""Places of packets on their renditions' grids."""

from __future__ import annotations

from fractions import Fraction

import pytest
from tests.timeline_kit import AVCC, IDR, SLICE, audio, video

from headwater.ingest.media import Packet, TrackId, TrackStarted
from headwater.ingest.timeline.lane import AudioLane, VideoLane, lane_for, rendition_of


def picture(cts_us: int = 0) -> Packet:
    return Packet(TrackId("v0"), 0, cts_us, False, SLICE, 0.0)


SOUND = Packet(TrackId("a0"), 0, 0, True, b"\x21" * 20, 0.0)


@pytest.mark.parametrize(
    ("track", "rendition"), [("v0", "source"), ("v1", "source-2"), ("a0", "audio"), ("a7", "audio-8")]
)
def test_names(track: str, rendition: str) -> None:
    assert rendition_of(TrackId(track)) == rendition


def video_lane(start: int = 0) -> VideoLane:
    lane = lane_for(video(frame_rate=Fraction(25)))
    assert isinstance(lane, VideoLane)
    lane.attach(lane.track, 0)
    lane.anchor = 0
    assert lane.begin(start) == TrackStarted(lane.rendition, lane.track)
    return lane


def audio_lane(start: int = 0) -> AudioLane:
    lane = lane_for(audio())
    assert isinstance(lane, AudioLane)
    lane.attach(lane.track, 0)
    lane.begin(start)
    return lane


def test_decode_times_are_shifted_by_the_first_offset_and_never_repeat() -> None:
    lane = video_lane()
    assert lane.times(picture(80_000), 0) == (7_200, 7_200)
    lane.place(Packet(TrackId("v0"), 0, 80_000, True, IDR, 0.0), 7_200, 7_200, True)
    assert lane.times(picture(0), 3_600) == (10_800, 3_600)
    assert lane.times(picture(0), 0) == (7_201, 0)
    assert lane.times(picture(1 << 40), 3_600)[1] == 3_600 + 270_000


def test_durations_are_the_nominal_one_or_the_last_step() -> None:
    lane = video_lane()
    durations = [lane.place(picture(), dts, dts, False).duration for dts in (0, 3_600, 7_290, 25_290, 300_000)]
    assert durations == [3_600, 3_600, 3_600, 18_000, 3_600]
    assert 3_600 < lane.longest <= 18_000
    assert lane.end == 303_600


def test_a_hole_in_video_needs_a_new_beginning() -> None:
    lane = video_lane()
    lane.place(picture(), 0, 0, True)
    assert lane.fill(3_000) is None
    assert lane.fill(90_000) == 90_000
    assert lane.fresh and lane.floor == lane.end == 90_000


def test_sound_is_counted_although_its_times_jitter() -> None:
    lane = audio_lane()
    for n in range(100):
        hole, sample = lane.place(SOUND, n * 1_920 + (n % 3) * 400)
        assert hole is None and sample is not None and sample.dts == n * 1_024


@pytest.mark.parametrize("ppm", [-500, -100, 100, 500])
def test_a_clock_that_runs_off_is_followed_without_a_hole(ppm: int) -> None:
    lane = audio_lane()
    durations = set()
    for n in range(40_000):  # 14 minutes: four frames at 100 ppm
        position = n * 1_920 * (1_000_000 + ppm) // 1_000_000
        hole, sample = lane.place(SOUND, position)
        assert hole is None and sample is not None
        assert abs(sample.dts * 90_000 // 48_000 - position) <= 90_000 // 90
        durations.add(sample.duration)
    assert durations <= set(range(1_019, 1_030))


def test_files_that_lack_half_a_frame_where_they_are_joined_have_no_hole() -> None:
    """What `-stream_loop` of ffmpeg sends: 937.5 frames of sound in 20 s."""
    lane = audio_lane()
    for loop in range(50):
        for n in range(937):
            hole, sample = lane.place(SOUND, loop * 1_800_000 + n * 1_920)
            assert hole is None and sample is not None
    assert lane.end == pytest.approx(50 * 1_800_000, abs=2_000)


def test_sound_that_is_missing_is_a_hole_and_too_much_is_dropped() -> None:
    lane = audio_lane()
    lane.place(SOUND, 0)
    hole, sample = lane.place(SOUND, 90_000)
    assert hole == 48_000 and sample is not None and sample.dts == 48_000
    assert lane.place(SOUND, 45_000) == (None, None)
    # Until it fits again, not only until it is within the tolerance.
    assert lane.place(SOUND, 91_920 - 3_000) == (None, None)
    hole, sample = lane.place(SOUND, 91_920)
    assert hole is None and sample is not None and sample.dts == 49_024


def test_a_rate_that_changes_goes_on_at_the_same_time() -> None:
    lane = audio_lane()
    for n in range(48):
        lane.place(SOUND, n * 1_920)
    assert lane.end == 92_160
    assert lane.change(audio(rate=44_100, config=b"\x12\x10"))
    lane.begin(92_000)
    assert lane.end >= 92_160
    _, sample = lane.place(SOUND, lane.end)
    assert sample is not None and sample.dts == pytest.approx(92_160 * 44_100 / 90_000, abs=1)


def test_only_what_a_decoder_sees_is_a_change() -> None:
    lane = video_lane()
    assert not lane.change(video(frame_rate=Fraction(30)))
    assert lane.change(video(config=AVCC[:-1] + b"\x81"))
    assert lane.waiting


def test_a_pause_is_noticed() -> None:
    lane = video_lane()
    for at in (1.0, 1.4, 2.0, 2.1):
        lane.hear(at)
    assert (lane.resumed, lane.arrived) == (2.0, 2.1)
    lane.detach(3.0)
    assert lane.lost and lane.source is None
