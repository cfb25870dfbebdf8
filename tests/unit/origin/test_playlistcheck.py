"""Where each rule about a playlist begins and ends, on playlists made by hand: what is said, and what is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from headwater.origin.events import Hinted, PartClosed, RenditionEnded, SegmentClosed, SegmenterEvent, SegmentOpened
from headwater.origin.hls.model import HintType, Map, MediaPlaylist, Part, PreloadHint, Segment, ServerControl
from headwater.origin.playlistcheck import PlaylistCheck

TARGET_S, PART_S = 4, 0.5
CONTROL = ServerControl(can_block_reload=True, can_skip_until=24.0, hold_back=12.0, part_hold_back=1.5)
HINT = PreloadHint(HintType.PART, "next.m4s")
INIT = Map("init-a.mp4")

Said = list[tuple[int, str]]


def parts(msn: int, count: int = 4) -> tuple[Part, ...]:
    return tuple(Part(f"p{msn}.{index}.m4s", PART_S, independent=index == 0) for index in range(count))


def segment(msn: int, *, tagged: bool = True) -> Segment:
    """Two seconds in four parts."""
    listed = parts(msn) if tagged else ()
    return Segment(msn, f"s{msn}.m4s", 2.0, listed, 4, INIT, date_us=msn * 2_000_000)


def opened(msn: int, count: int = 1) -> Segment:
    return Segment(msn, None, count * PART_S, parts(msn, count), count, INIT, date_us=msn * 2_000_000)


def live(first: int = 100, count: int = 10, *, tagged: int | None = None, open_parts: int = 1) -> MediaPlaylist:
    """`count` segments of which the last `tagged` have PART tags (None: as many as is right), and an open one."""
    last = first + count - 1
    tagged = tagged if tagged is not None else (6 if open_parts else 7)
    return MediaPlaylist(
        TARGET_S,
        first,
        segments=tuple(segment(msn, tagged=msn > last - tagged) for msn in range(first, last + 1)),
        open=opened(last + 1, open_parts) if open_parts else None,
        part_target=PART_S,
        control=CONTROL,
        hints=(HINT,),
    )


def last(playlist: MediaPlaylist, **changes: object) -> MediaPlaylist:
    """The last complete segment with other values."""
    changed = replace(playlist.segments[-1], **changes)  # type: ignore[arg-type]
    return replace(playlist, segments=(*playlist.segments[:-1], changed))


def closed_part(part: Part, msn: int = 110, index: int = 0) -> PartClosed:
    return PartClosed(msn, index, part.uri, b"", 45_000, part.independent, part.gap, 0.0)


class Ear:
    """A check, and what it said of the version before last."""

    def __init__(self) -> None:
        self._said: Said = []
        self._check = PlaylistCheck(PART_S, TARGET_S, lambda rule, seen: self._said.append((rule, seen)))

    def look(self, playlist: MediaPlaylist, *events: SegmenterEvent, segment: SegmentOpened | None = None) -> Said:
        self._check.look(playlist, events, segment)
        said, self._said = self._said, []
        return said


def look(playlist: MediaPlaylist, *events: SegmenterEvent, segment: SegmentOpened | None = None) -> Said:
    """Of a first version."""
    return Ear().look(playlist, *events, segment=segment)


def change(before: MediaPlaylist, after: MediaPlaylist) -> Said:
    """Of a second version."""
    ear = Ear()
    assert ear.look(before) == []
    return ear.look(after)


CLOSED = SegmentClosed(109, "s109.m4s", 180_000, False)
NEXT = SegmentOpened(110, "s110.m4s", 0, 220_000_000, False, "init-a.mp4")


def test_a_good_stream_from_its_start_to_its_end_says_nothing() -> None:
    ear = Ear()
    assert ear.look(MediaPlaylist(TARGET_S, 100, part_target=PART_S, control=CONTROL)) == []
    assert ear.look(live(count=1, open_parts=0), SegmentClosed(100, "s100.m4s", 180_000, False)) == []
    assert ear.look(live(), CLOSED, NEXT, closed_part(parts(110)[0]), Hinted("next.m4s"), segment=NEXT) == []
    assert ear.look(live(open_parts=2), closed_part(parts(110)[1], index=1), segment=NEXT) == []
    assert ear.look(live(103, 8), SegmentClosed(110, "s110.m4s", 180_000, False)) == []
    ended = replace(live(103, 8, open_parts=0), hints=(), ended=True)
    assert ear.look(ended, RenditionEnded()) == []


# -- what is fixed


@pytest.mark.parametrize(
    ("control", "rules"),
    [
        ({"part_hold_back": 1.5}, []),
        ({"part_hold_back": 1.4996}, []),  # printed with three decimals it is 1.5
        ({"part_hold_back": 1.499}, [29]),
        ({"part_hold_back": 1.0}, [29]),
        ({"part_hold_back": 0.999}, [28, 29]),
        ({"part_hold_back": None}, [28, 29]),
        ({"hold_back": 11.999}, [30]),
        ({"hold_back": None}, [30]),
        ({"can_skip_until": 23.999}, [31]),
        ({"can_skip_until": None}, [31]),
        ({"part_hold_back": 9.0, "hold_back": 99.0, "can_skip_until": 99.0}, []),
    ],
)
def test_the_least_distances(control: dict[str, float | None], rules: list[int]) -> None:
    said = look(replace(live(), control=replace(CONTROL, **control)))  # type: ignore[arg-type]
    assert [rule for rule, _ in said] == rules


def test_a_distance_is_judged_once_and_not_in_each_version() -> None:
    ear = Ear()
    close = replace(live(), control=replace(CONTROL, hold_back=5.0))
    assert ear.look(close) == [(30, "HOLD-BACK is 5.0")]
    assert ear.look(close) == []


def test_distances_may_be_said_again_and_not_be_others() -> None:
    ear = Ear()
    ear.look(live())
    assert ear.look(replace(live(), control=replace(CONTROL))) == []
    further = replace(CONTROL, hold_back=13.0)
    assert ear.look(replace(live(), control=further)) == [(10, f"SERVER-CONTROL was {CONTROL}, now {further}")]
    assert ear.look(replace(live(), control=further)) == []


def test_the_targets_are_those_of_the_stream_in_each_version() -> None:
    ear = Ear()
    other = replace(live(), target_duration=5, part_target=None)
    expected = [(9, "TARGETDURATION is 5, of the stream 4"), (10, "PART-TARGET is None, of the stream 0.5")]
    assert ear.look(other) == expected
    assert ear.look(other) == expected


# -- against the version before


@pytest.mark.parametrize(
    ("after", "seen"),
    [
        (live(99, 11), "segments 99 to 109 after 100 to 109"),
        (live(100, 9), "segments 100 to 108 after 100 to 109"),
        (live(101, 8), "segments 101 to 108 after 100 to 109"),
    ],
)
def test_numbers_never_go_back(after: MediaPlaylist, seen: str) -> None:
    assert change(live(), after) == [(12, seen)]


@pytest.mark.parametrize("after", [live(), live(100, 11), live(101, 9), live(104, 9)])
def test_numbers_may_stay_and_rise(after: MediaPlaylist) -> None:
    assert change(live(), after) == []


def test_what_goes_back_is_judged_by_what_it_went_back_to() -> None:
    ear = Ear()
    ear.look(live())
    assert [rule for rule, _ in ear.look(live(90))] == [12]
    assert ear.look(live(90)) == []


@pytest.mark.parametrize(
    ("first", "sequence", "right"),
    [(101, 0, True), (102, 0, False), (102, 1, True), (103, 1, True), (104, 1, False), (104, 2, True), (104, 3, False)],
)
def test_discontinuities_that_left_are_counted(first: int, sequence: int, right: bool) -> None:
    broken = tuple(replace(one, discontinuity=one.msn in (101, 103)) for one in live().segments)
    before = replace(live(), segments=broken)
    said = change(before, replace(live(first), discontinuity_sequence=sequence))
    gone = (first > 101) + (first > 103)
    text = f"DISCONTINUITY-SEQUENCE went from 0 to {sequence} as {gone} discontinuities left"
    assert said == ([] if right else [(117, text)])


@pytest.mark.parametrize(("first", "judged"), [(110, True), (111, False)])
def test_discontinuities_of_segments_that_were_never_seen_are_not_counted(first: int, judged: bool) -> None:
    said = change(live(), replace(live(first), discontinuity_sequence=7))
    assert [rule for rule, _ in said] == ([117] if judged else [])


def test_discontinuities_count_from_the_version_before() -> None:
    before = replace(live(), discontinuity_sequence=40)
    assert change(before, replace(live(102), discontinuity_sequence=40)) == []
    assert [rule for rule, _ in change(before, live(102))] == [117]


@pytest.mark.parametrize(("first", "count", "left"), [(104, 6, ""), (105, 5, "10.000"), (109, 1, "2.000")])
def test_three_target_durations_stay(first: int, count: int, left: str) -> None:
    said = change(live(), live(first, count))
    assert said == ([(16, f"{left} s are left at segment {first}")] if left else [])


def test_what_was_rounded_is_no_gap_in_three_target_durations() -> None:
    short = live(104, 6)
    rounded = tuple(replace(one, duration=2.0 - 0.9e-5) for one in short.segments)
    assert change(live(), replace(short, segments=rounded)) == []
    shorter = tuple(replace(one, duration=2.0 - 1.2e-5) for one in short.segments)
    assert [rule for rule, _ in change(live(), replace(short, segments=shorter))] == [16]


def test_a_short_playlist_of_which_nothing_left_is_young() -> None:
    assert change(live(count=1), live(count=2)) == []


# -- hints


def test_an_ended_playlist_has_no_hint_and_no_open_segment() -> None:
    assert look(replace(live(open_parts=0), ended=True, hints=())) == []
    assert look(replace(live(), ended=True, hints=())) == [(24, "ENDLIST with an open segment")]
    ((rule, text),) = look(replace(live(open_parts=0), ended=True))
    assert rule == 24 and "next.m4s" in text


@pytest.mark.parametrize(("open_parts", "count"), [(1, 10), (0, 10), (1, 0)])
def test_the_next_part_is_hinted_as_soon_as_something_is_listed(open_parts: int, count: int) -> None:
    playlist = live(count=count, open_parts=open_parts)
    assert look(playlist) == []
    of_the_map = (PreloadHint(HintType.MAP, "init-a.mp4"),)
    for hints in ((), of_the_map):
        said = look(replace(playlist, hints=hints))
        assert said == [(61, f"there is no hint after segment {100 + count - 1}")]


@pytest.mark.parametrize(
    ("init", "hint", "seen"),
    [
        ("init-a.mp4", None, None),
        ("init-b.mp4", "init-b.mp4", None),
        ("init-b.mp4", None, "the hint is of None, the next part needs init-b.mp4"),
        ("init-b.mp4", "init-c.mp4", "the hint is of init-c.mp4, the next part needs init-b.mp4"),
        ("init-a.mp4", "init-a.mp4", "the hint is of init-a.mp4, the next part needs none"),
    ],
)
def test_only_a_new_init_section_is_hinted(init: str, hint: str | None, seen: str | None) -> None:
    hints = (PreloadHint(HintType.MAP, hint), HINT) if hint else (HINT,)
    said = look(replace(live(open_parts=0), hints=hints), segment=replace(NEXT, init=init))
    assert said == ([(62, seen)] if seen else [])


@pytest.mark.parametrize("playlist", [live(), live(count=0, open_parts=0), last(live(open_parts=0), map=None)])
def test_an_init_section_that_is_listed_or_the_first_needs_no_hint(playlist: MediaPlaylist) -> None:
    assert look(playlist, segment=replace(NEXT, init="init-b.mp4")) == []


# -- what came last


@pytest.mark.parametrize(
    ("listed", "seen"),
    [
        ({}, None),
        ({"uri": "other.m4s"}, "other.m4s is listed"),
        ({"independent": False}, "p110.0.m4s is listed"),
        ({"gap": True}, "p110.0.m4s is listed"),
    ],
)
def test_a_part_is_listed_as_it_was_made(listed: dict[str, object], seen: str | None) -> None:
    made = parts(110)[0]
    entry = replace(made, **listed)  # type: ignore[arg-type]
    playlist = replace(live(), open=replace(opened(110), parts=(entry,)))
    said = look(playlist, closed_part(made), Hinted("next.m4s"))
    assert said == ([(46, f"p110.0.m4s was published, and {seen}")] if seen else [])


@pytest.mark.parametrize("open_segment", [None, replace(opened(110), parts=())])
def test_a_part_that_is_not_listed(open_segment: Segment | None) -> None:
    part = closed_part(parts(110)[0])
    assert look(replace(live(), open=open_segment), part) == [(46, "p110.0.m4s was published, and nothing is listed")]
    assert look(replace(live(open_parts=0), hints=(), ended=True), part) == [], "the end has closed its segment"


def test_of_several_parts_the_newest_is_the_last() -> None:
    first, second = (closed_part(part, index=index) for index, part in enumerate(parts(110, 2)))
    assert look(live(open_parts=2), first, second) == []
    assert [rule for rule, _ in look(live(open_parts=1), first, second)] == [46]
    both: Sequence[SegmenterEvent] = (CLOSED, NEXT, first, second)
    assert look(live(open_parts=2), *both) == []
    empty = replace(live(open_parts=0), open=replace(opened(110), parts=()))
    for playlist in (live(open_parts=1), live(open_parts=0), empty):
        assert look(playlist, *both) == [(46, "p110.1.m4s was published and is not the last that is listed")]


def test_parts_that_came_before_the_end_of_their_segment_are_its_own() -> None:
    assert look(live(open_parts=0), closed_part(parts(109)[3], 109, 3), CLOSED) == []


@pytest.mark.parametrize(("msn", "listed"), [(99, False), (100, True), (109, True), (110, False)])
def test_a_segment_that_closed_is_listed(msn: int, listed: bool) -> None:
    said = look(live(), SegmentClosed(msn, f"s{msn}.m4s", 180_000, False))
    assert said == ([] if listed else [(46, f"segment {msn} was published and is not listed")])


@pytest.mark.parametrize(
    ("changes", "rule", "seen"),
    [
        ({"uri": "other.m4s"}, 22, "segment 109 is listed as other.m4s, made as s109.m4s"),
        ({"msn": 108}, 22, "segment 109 is listed as s109.m4s, made as s109.m4s"),
        ({"date_us": None}, 113, "segment 109 has no date"),
        ({"map": None}, 129, "segment 109 has no init section"),
        ({"duration": 2.00005}, 47, "segment 109 of 2.00005 s has parts of 2.000000 s"),
        ({"duration": 1.99995}, 47, "segment 109 of 1.99995 s has parts of 2.000000 s"),
        ({"parts": ()}, 58, "segment 109, 0.500 s behind, has no PART tags"),
    ],
)
def test_a_segment_is_listed_as_it_was_made(changes: dict[str, object], rule: int, seen: str) -> None:
    assert look(last(live(), **changes), CLOSED) == [(rule, seen)]
    assert look(last(live(), **changes)) == [], "it is looked at when it closes"


def test_a_date_may_be_the_epoch_and_a_sum_be_rounded() -> None:
    assert look(last(live(), date_us=0), CLOSED) == []
    for duration in (2.00003, 1.99997):
        assert look(last(live(), duration=duration), CLOSED) == []


# -- PART tags


@pytest.mark.parametrize(
    ("tagged", "expected"),
    [
        (
            4,
            [
                (58, "segment 105, 8.500 s behind, has no PART tags"),
                (58, "segment 104, 10.500 s behind, has no PART tags"),
            ],
        ),
        (5, [(58, "segment 104, 10.500 s behind, has no PART tags")]),
        (6, []),
        (7, []),
        (8, [(57, "segment 102, 14.500 s behind, has PART tags")]),
        (10, [(57, "segment 102, 14.500 s behind, has PART tags")]),
    ],
)
def test_part_tags_stand_for_three_target_durations(tagged: int, expected: Said) -> None:
    assert look(live(tagged=tagged), CLOSED) == expected


@pytest.mark.parametrize(
    ("open_s", "tagged", "rules"),
    [
        (2.0, 5, [58]),  # 104 ends 12 s behind: the tags are wanted
        (2.001, 5, []),
        (0.5, 7, []),  # 103 ends 12.5 s behind, a part later
        (0.5005, 7, []),
        (0.502, 7, [57]),
    ],
)
def test_part_tags_go_within_a_part(open_s: float, tagged: int, rules: list[int]) -> None:
    playlist = live(tagged=tagged)
    playlist = replace(playlist, open=replace(opened(110), duration=open_s))
    assert [rule for rule, _ in look(playlist, CLOSED)] == rules


def test_a_segment_that_never_had_parts_needs_no_tags() -> None:
    assert look(last(live(), parts=(), part_count=0), CLOSED) == []


def test_tags_without_an_open_segment_count_from_the_last_one() -> None:
    assert look(live(open_parts=0, tagged=7), CLOSED) == []
    assert [rule for rule, _ in look(live(open_parts=0, tagged=6), CLOSED)] == [58]
