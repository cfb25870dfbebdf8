"""The rolling window: what is listed when, and what stays downloadable."""

from __future__ import annotations

import dataclasses

import pytest

from headwater.ingest.media import Codec, Kind, Rendition, StreamStarted, Track, TrackId
from headwater.origin.events import (
    Hinted,
    InitChanged,
    PartClosed,
    RenditionEnded,
    SegmentClosed,
    SegmentOpened,
)
from headwater.origin.hls.model import HintType, PreloadHint, RenditionReport
from headwater.origin.window import Found, Gone, HintedName, MediaKind, Unknown, Window, WindowSettings

VIDEO = Track(TrackId("v0"), Kind.VIDEO, Codec.H264, b"c", "avc1.64001f", 90_000, width=64, height=64)
AUDIO = Track(TrackId("a0"), Kind.AUDIO, Codec.AAC, b"c", "mp4a.40.2", 48_000, sample_rate=48_000, channels=2)
STARTED = StreamStarted(target_duration_s=4, part_target_us=520_000, discontinuity_sequence=3)
PART = 45_000
"""Half a second."""


class Stage:
    """A window and a stream of 2 s segments of four parts."""

    def __init__(self, settings: WindowSettings | None = None, track: Track = VIDEO) -> None:
        self.window = Window(Rendition("source"), STARTED, settings or WindowSettings())
        self.window.apply(InitChanged("init-a.mp4", b"init-a", track), 0)
        self.msn = 100
        self.now = 1_000.0

    def open(self, *, discontinuity: bool = False, init: str = "init-a.mp4") -> None:
        start = self.msn * 4 * PART
        self.window.apply(
            SegmentOpened(self.msn, f"s{start}.m4s", start, self.msn * 2_000_000, discontinuity, init), self.now
        )

    def part(self, index: int, *, gap: bool = False, size: int = 100) -> str:
        start = (self.msn * 4 + index) * PART
        self.now += 0.5
        data = b"" if gap else bytes(size)
        arrived = None if gap else self.now
        name = f"p{start}.m4s"
        self.window.apply(PartClosed(self.msn, index, name, data, PART, index == 0, gap, arrived), self.now)
        self.window.apply(Hinted(f"p{start + PART}.m4s"), self.now)
        return name

    def close(self, *, gap: bool = False) -> None:
        self.window.apply(SegmentClosed(self.msn, f"s{self.msn * 4 * PART}.m4s", 4 * PART, gap), self.now)
        self.msn += 1

    def segment(self, *, gap: bool = False, size: int = 100, discontinuity: bool = False) -> None:
        self.open(discontinuity=discontinuity)
        for index in range(4):
            self.part(index, gap=gap, size=size)
        self.close(gap=gap)

    def segment_name(self, msn: int) -> str:
        return f"s{msn * 4 * PART}.m4s"


def test_an_empty_window_lists_nothing() -> None:
    playlist = Window(Rendition("source"), STARTED, WindowSettings()).playlist()
    assert (playlist.segments, playlist.open, playlist.hints, playlist.discontinuity_sequence) == ((), None, (), 3)


def test_control_values_are_what_the_rules_ask() -> None:
    control = Stage().window.playlist().control
    assert control.can_block_reload
    assert (control.hold_back, control.part_hold_back, control.can_skip_until) == (12.0, 1.56, 24.0)
    assert not control.can_skip_dateranges


def test_part_hold_back_is_never_below_three_part_targets_once_printed() -> None:
    for milliseconds in range(200, 2_001):
        started = dataclasses.replace(STARTED, part_target_us=milliseconds * 1_000)
        hold_back = Window(Rendition("v"), started, WindowSettings()).playlist().control.part_hold_back
        assert f"{hold_back:.3f}" == f"{3 * milliseconds // 1_000}.{3 * milliseconds % 1_000:03}"


@pytest.mark.parametrize(("late_ms", "expected"), [(0, 1.56), (600, 2.16), (2_000, 3.56), (60_000, 12.0)])
def test_part_hold_back_has_room_for_what_the_transport_holds_back(late_ms: int, expected: float) -> None:
    started = dataclasses.replace(STARTED, late_us=late_ms * 1_000)
    control = Window(Rendition("v"), started, WindowSettings()).playlist().control
    assert (control.part_hold_back, control.hold_back) == (expected, 12.0)


def test_independent_segments_is_claimed_for_audio_only() -> None:
    assert Stage(track=AUDIO).window.playlist().independent_segments
    assert not Stage().window.playlist().independent_segments


def test_the_open_segment_is_listed_once_it_has_a_part() -> None:
    stage = Stage()
    stage.open()
    assert stage.window.playlist().open is None
    assert stage.window.playlist().media_sequence == 100
    name = stage.part(0)
    opened = stage.window.playlist().open
    assert opened is not None
    assert (opened.msn, opened.uri, opened.duration, opened.part_count) == (100, None, 0.5, 1)
    assert [(part.uri, part.duration, part.independent) for part in opened.parts] == [(name, 0.5, True)]
    assert stage.window.playlist().position.open_parts == 1


def test_part_and_parent_come_in_one_version() -> None:
    stage = Stage()
    stage.segment()
    playlist = stage.window.playlist()
    assert playlist.open is None and playlist.last_msn == 100
    (segment,) = playlist.segments
    assert (segment.uri, segment.duration, segment.part_count) == (stage.segment_name(100), 2.0, 4)
    assert segment.map is not None and segment.map.uri == "init-a.mp4"
    assert segment.date_us == 200_000_000


def test_a_version_is_the_same_object_until_something_changes() -> None:
    stage = Stage()
    stage.segment()
    stage.open()
    stage.part(0)
    first = stage.window.playlist()
    assert stage.window.playlist() is first
    reports = (RenditionReport("../audio/index.m3u8", 1, 2),)
    assert stage.window.playlist(reports).reports == reports
    stage.part(1)
    second = stage.window.playlist()
    assert second is not first
    assert second.segments[0] is first.segments[0]
    assert first.open is not None and second.open is not None
    assert second.open.parts[0] is first.open.parts[0]
    assert second.segments[0].map is second.open.map


def test_the_hint_is_held_and_then_found() -> None:
    stage = Stage()
    stage.open()
    stage.part(0)
    (hint,) = stage.window.playlist().hints[-1:]
    assert hint.type is HintType.PART
    assert stage.window.find(hint.uri) == HintedName()
    assert stage.part(1) == hint.uri
    found = stage.window.find(hint.uri)
    assert isinstance(found, Found) and found.kind is MediaKind.PART


def test_a_new_init_section_is_hinted_until_its_map_is_listed() -> None:
    stage = Stage()
    stage.segment()
    assert [hint.type for hint in stage.window.playlist().hints] == [HintType.PART]
    stage.window.apply(InitChanged("init-b.mp4", b"init-b", VIDEO), stage.now)
    stage.open(discontinuity=True, init="init-b.mp4")
    assert stage.window.playlist().hints[0] == PreloadHint(HintType.MAP, "init-b.mp4")
    assert isinstance(stage.window.find("init-b.mp4"), Found)
    stage.part(0)
    assert [hint.type for hint in stage.window.playlist().hints] == [HintType.PART]


def test_media_sequence_and_discontinuity_sequence_count_what_leaves() -> None:
    stage = Stage(WindowSettings(window_s=40))
    stage.segment()
    stage.segment(discontinuity=True)
    for _ in range(18):
        stage.segment()
    playlist = stage.window.playlist()
    assert (playlist.media_sequence, playlist.discontinuity_sequence, len(playlist.segments)) == (100, 3, 20)
    stage.segment()
    playlist = stage.window.playlist()
    assert (playlist.media_sequence, playlist.discontinuity_sequence) == (101, 3)
    assert playlist.segments[0].discontinuity
    stage.segment()
    playlist = stage.window.playlist()
    assert (playlist.media_sequence, playlist.discontinuity_sequence, len(playlist.segments)) == (102, 4, 20)


def test_the_window_is_never_below_nine_target_durations() -> None:
    stage = Stage(WindowSettings(window_s=6))
    for _ in range(40):
        stage.segment()
        assert stage.window.duration_s <= 38
    assert stage.window.duration_s == 36


def test_part_tags_go_in_order_when_they_are_more_than_three_target_durations_old() -> None:
    stage = Stage()
    for _ in range(12):
        stage.segment()
        end = 100 * 2.0 + stage.window.duration_s
        seen_parts = False
        for segment in stage.window.playlist().segments:
            age = end - (segment.msn * 2.0 + segment.duration)
            assert bool(segment.parts) or age > 12
            assert not segment.parts or age <= 12.52
            assert not (seen_parts and not segment.parts)
            seen_parts = bool(segment.parts)
            assert segment.part_count == 4


def test_bytes_stay_downloadable_after_they_left_the_playlist() -> None:
    stage = Stage(WindowSettings(window_s=36))
    for _ in range(19):
        stage.segment()
    playlist = stage.window.playlist()
    assert playlist.media_sequence == 101
    appeared, duration, longest = 1_002.0, 2.0, 38.0
    for name in (stage.segment_name(100), f"p{100 * 4 * PART}.m4s"):
        assert isinstance(stage.window.find(name), Found)
        stage.window.expire(appeared + duration + longest - 0.001)
        found = stage.window.find(name)
        assert isinstance(found, Found) and found.available_s < 0.01
    stage.window.expire(appeared + duration + longest + 0.001)
    assert stage.window.find(stage.segment_name(100)) == Gone()
    assert stage.window.find(f"p{100 * 4 * PART}.m4s") == Gone()


def test_memory_is_constant_once_the_window_is_full() -> None:
    stage = Stage(WindowSettings(window_s=36))
    sizes = []
    for _ in range(200):
        stage.segment()
        sizes.append(stage.window.stored_bytes)
    assert max(sizes) <= 21 * 400
    assert set(sizes[50:]) == {sizes[-1]}


def test_gap_names_are_gone_at_once() -> None:
    stage = Stage()
    stage.segment(gap=True)
    (segment,) = stage.window.playlist().segments
    assert segment.gap and all(part.gap for part in segment.parts)
    assert stage.window.find(segment.parts[0].uri) == Gone()
    assert stage.window.find(stage.segment_name(100)) == Gone()
    assert stage.window.media_s == 0 and stage.window.duration_s == 2
    assert stage.window.bitrates() is None


def test_a_segment_with_a_gap_in_it_serves_the_rest() -> None:
    stage = Stage()
    stage.open()
    for index in range(4):
        stage.part(index, gap=index == 2)
    stage.close()
    found = stage.window.find(stage.segment_name(100))
    assert isinstance(found, Found) and (len(found.data), found.size) == (3, 300)
    assert stage.window.media_s == 1.5


def test_unknown_names_never_hang() -> None:
    stage = Stage()
    stage.segment()
    assert stage.window.find("p999999999.m4s") == Unknown()
    assert stage.window.find("x") == Unknown()


def test_the_byte_bound_gives_up_the_oldest_but_never_the_live_edge() -> None:
    stage = Stage(WindowSettings(window_s=36, stream_bytes=4_000))
    for _ in range(30):
        stage.segment()
    assert stage.window.stored_bytes <= 4_000
    assert stage.window.dropped_early > 0
    assert len(stage.window.playlist().segments) == 10
    assert stage.window.find(stage.segment_name(stage.msn - 11)) == Gone()
    tight = Stage(WindowSettings(window_s=36, stream_bytes=1))
    for _ in range(30):
        tight.segment()
    assert 12 <= tight.window.duration_s <= 14  # rule 16
    assert not tight.window.drop_oldest(tight.now) or tight.window.duration_s >= 12


def test_the_end_has_no_hint() -> None:
    stage = Stage()
    stage.segment()
    stage.window.apply(RenditionEnded(), stage.now)
    playlist = stage.window.playlist()
    assert playlist.ended and playlist.hints == () and playlist.open is None


def test_a_late_rendition_lists_what_it_missed_as_gap() -> None:
    stage = Stage()
    stage.segment(discontinuity=True)
    stage.segment()
    stage.open()
    stage.part(0)
    late = Window(Rendition("audio"), STARTED, WindowSettings())
    late.apply(InitChanged("init-x.mp4", b"x", AUDIO), stage.now)
    late.backfill(stage.window.playlist(), 102, stage.now)
    late.apply(SegmentOpened(102, "s9792000.m4s", 9_792_000, 204_000_000, False, "init-x.mp4"), stage.now)
    late.apply(PartClosed(102, 0, "p9792000.m4s", b"abc", 24_000, True, False, 1.0), stage.now)
    one, other = stage.window.playlist(), late.playlist()
    assert other.media_sequence == one.media_sequence
    assert other.discontinuity_sequence == one.discontinuity_sequence
    for theirs, ours in zip(one.segments, other.segments, strict=True):
        assert (ours.msn, ours.duration, ours.date_us) == (theirs.msn, theirs.duration, theirs.date_us)
        assert ours.discontinuity == theirs.discontinuity
        assert ours.gap and not ours.parts
        assert ours.map is not None and ours.map.uri == "init-x.mp4"
        assert ours.uri is not None and late.find(ours.uri) == Gone()
    assert other.open is not None and other.open.msn == 102
