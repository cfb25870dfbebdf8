"""Core, followers and tiers in front of two upstreams that die, hang and stand still, on a stepped clock (ADR 15)."""

from __future__ import annotations

import pytest
from tests.edge_kit import LiveStream, Viewer
from tests.tier_kit import AUDIO, FOLDER, LIST, House, Origin, Watcher

from headwater.edge.join import BESIDE
from headwater.edge.version import read_playlist

TARGET_S = 4.0
PART_S = 0.5


def two_shields() -> tuple[House, LiveStream, Origin, Origin]:
    """Two upstreams with one stream between them: the one that is followed, and the other."""
    stream = LiveStream()
    house = House(Origin(stream), Origin(stream))
    house.get(LIST)
    house.run(0.1)
    used = house.followed.index
    return house, stream, house.origins[used], house.origins[1 - used]


def two_origins(*, ahead: int = 0) -> tuple[House, Origin, Origin, LiveStream, LiveStream]:
    """Two origins that name one stream's parts in their own ways. `ahead`: by how many numbers the unused one is."""
    house = House(Origin(None), Origin(None))
    probe = house.tiers._homes.order(FOLDER, house.now, siblings=True)[0].index
    ours, theirs = LiveStream(), LiveStream(first_msn=100 + ahead, prefix="other-")
    used, other = house.origins[probe], house.origins[1 - probe]
    used.stream, other.stream = ours, theirs
    return house, used, other, ours, theirs


def test_one_of_two_is_asked_and_the_other_hears_nothing() -> None:
    house, stream, used, other = two_shields()
    watcher = Watcher(house)
    watcher.watch(10, stream)
    assert set(watcher.statuses) == {200}
    assert other.seen == []
    assert used.asked("index.m3u8") < 30


def test_a_killed_shield_costs_no_viewer_anything_but_time() -> None:
    house, stream, used, other = two_shields()
    watcher = Watcher(house)
    watcher.watch(3, stream)
    waiting = house.get(FOLDER + stream.name)
    used.kill(house.now)
    watcher.watch(6, stream)
    assert waiting.status == 200, "the hinted part that was under way came from the other shield"
    assert set(watcher.statuses) == {200}
    assert set(watcher.parts) == {200}
    assert watcher.longest_pause < 2 * PART_S
    assert "stream-taken-over" in house.events
    assert "upstream-down" in house.events
    assert other.asked("_HLS_msn") > 5


def test_a_hung_shield_is_passed_by_a_hedge_within_a_part() -> None:
    house, stream, used, other = two_shields()
    watcher = Watcher(house)
    watcher.watch(3, stream)
    used.state = "hung"
    watcher.watch(6, stream)
    assert set(watcher.statuses) == {200}
    assert set(watcher.parts) == {200}
    assert watcher.longest_pause < 3 * PART_S
    assert house.members[house.origins.index(other)].counts.hedges_won >= 1
    assert house.followed.index == house.origins.index(other)


def test_another_presentation_is_refused_while_the_one_that_is_followed_lives() -> None:
    house, used, other, ours, theirs = two_origins(ahead=50)
    watcher = Watcher(house)
    watcher.watch(3, ours, theirs)
    for _ in range(4):  # late every time, by more than the cadence allows, but alive
        watcher.watch(1.5, theirs)
        watcher.watch(0.5, ours, theirs)
    assert other.asked("index.m3u8") > 0, "hedges went to the other origin"
    assert other.asked("other-") == 0
    assert not any("other-" in name for name in watcher.names.values())
    assert house.followed.index == house.origins.index(used)
    assert set(watcher.statuses) == {200}


@pytest.mark.parametrize("ahead", [-90, -1, 0, 1, 400])
def test_a_dead_origin_gives_way_to_one_with_other_names(ahead: int) -> None:
    house, used, _, ours, theirs = two_origins(ahead=ahead)
    watcher = Watcher(house)
    watcher.watch(3.5, ours, theirs)
    before = max(watcher.names)[0]
    used.kill(house.now)
    watcher.watch(12, theirs)
    assert set(watcher.statuses) == {200}
    first = min(number for number, name in watcher.names.items() if "other-" in name)
    # A segment that viewers have seen begin is not shown again under another name: its number is left out, and one
    # more. The first one that they get is the newest whole one.
    lowest = before + 1 + BESIDE
    assert first[0] == max(lowest, before + ahead - 1), "the numbers go on, or they are those of who is ahead"
    assert watcher.longest_pause <= 2 * PART_S
    assert used.asked("other-") == 0
    assert "stream-taken-over-changed" in house.events
    assert house.get(FOLDER + watcher.names[first]).status == 200
    model = read_playlist(house.get(LIST).body)
    assert model is not None
    assert [segment.msn for segment in model.segments if segment.discontinuity] == [first[0]]
    assert model.discontinuity_sequence == 0
    assert model.last_msn - (theirs.msn - 1) == max(0, 2 + BESIDE - ahead), "raised by no more than that"


def test_parts_of_the_old_presentation_are_never_asked_of_the_new_origin() -> None:
    house, used, other, ours, theirs = two_origins(ahead=5)
    watcher = Watcher(house)
    watcher.watch(3, ours, theirs)
    waiting = house.get(FOLDER + ours.name)
    used.kill(house.now)
    watcher.watch(8, theirs)
    assert waiting.status in (502, 503)
    assert all("other-" in request.target or request.target.startswith(LIST) for request in other.seen)


@pytest.mark.parametrize("hangs", [True, False])
def test_a_frozen_origin_is_left_within_one_and_a_half_target_durations(hangs: bool) -> None:
    """Frozen: it hangs as a whole, or holds its requests for ever, while the other origin moves on."""
    house, used, other, ours, theirs = two_origins(ahead=3)
    watcher = Watcher(house)
    watcher.watch(4, ours, theirs)
    waiting = house.get(FOLDER + ours.name)
    if hangs:
        used.state = "hung"
    watcher.watch(14, theirs)
    assert waiting.status == 503, "the part that will never be is not waited for any longer"
    assert set(watcher.statuses) == {200}
    assert watcher.longest_pause <= TARGET_S, "the other one is seen to move on, so it is not waited for the whole time"
    assert house.followed.index == house.origins.index(other)
    assert "stream-stands-still" in house.events
    assert house.members[house.origins.index(used)].counts.frozen == 1


def test_a_frozen_origin_that_answers_at_once_is_found_too() -> None:
    house, used, other, ours, theirs = two_origins(ahead=3)
    watcher = Watcher(house)
    watcher.watch(4, ours, theirs)
    used.answers_early = True
    watcher.watch(14, theirs)
    # Nothing is overdue there, so nobody else is looked at before: the whole time and a part
    assert watcher.longest_pause <= 1.5 * TARGET_S + PART_S
    assert house.followed.index == house.origins.index(other)


def test_where_the_stream_stands_still_everywhere_nothing_is_stormed_and_it_goes_on() -> None:
    house, stream, used, other = two_shields()
    watcher = Watcher(house)
    watcher.watch(3, stream)
    seen = len(used.seen) + len(other.seen)
    watcher.watch(20)
    assert len(used.seen) + len(other.seen) - seen < 100
    watcher.watch(3, stream)
    assert watcher.times[-1] > house.now - 1.0
    assert watcher.order[0] == stream.msn - 1


def test_viewers_are_brought_back_when_the_second_origin_dies_too() -> None:
    house, used, other, ours, theirs = two_origins(ahead=-7)
    watcher = Watcher(house)
    watcher.watch(3, ours, theirs)
    used.kill(house.now)
    watcher.watch(10, ours, theirs)
    used.state = "well"
    other.kill(house.now)
    watcher.watch(14, ours, theirs)
    assert set(watcher.statuses) == {200}
    assert watcher.longest_pause <= 2.0 + 2 * PART_S
    assert not watcher.names[max(watcher.names)].startswith("other-")
    model = read_playlist(house.get(LIST).body)
    assert model is not None
    assert model.discontinuity_sequence + sum(segment.discontinuity for segment in model.segments) == 2


def test_an_origin_that_was_joined_and_starts_again_is_joined_again() -> None:
    house, used, other, ours, theirs = two_origins(ahead=400)
    watcher = Watcher(house)
    watcher.watch(3, ours, theirs)
    used.kill(house.now)
    watcher.watch(6, theirs)
    other.stream = again = LiveStream(prefix="again-")
    watcher.watch(14, again)
    assert "again-" in watcher.names[max(watcher.names)]


def test_another_rendition_has_the_numbers_of_the_first() -> None:
    house, used, _, ours, theirs = two_origins(ahead=-7)
    watcher = Watcher(house)
    watcher.watch(3, ours, theirs)
    used.kill(house.now)
    watcher.watch(3, theirs)
    late = house.get(AUDIO)
    assert late.status == 200
    assert house.core.followers == 2
    assert read_playlist(late.body) == read_playlist(house.get(LIST).body)


def test_an_origin_without_the_stream_is_passed_over() -> None:
    house, used, other, ours, _ = two_origins()
    used.stream, other.stream = None, ours
    assert house.get(LIST).status == 200
    house.run(0.1)
    assert house.followed.index == house.origins.index(other)
    assert house.get(f"{FOLDER}init.mp4").status == 200
    assert house.get("/live/y/index.m3u8").status == 404


def test_all_dead_is_an_error_that_says_so_and_all_back_is_forgiven() -> None:
    house, stream, used, other = two_shields()
    watcher = Watcher(house)
    watcher.watch(3, stream)
    used.kill(house.now)
    other.kill(house.now)
    house.run(13)
    assert house.get(LIST).status == 503
    assert house.get("/other/file.mp4").status == 502
    used.state = other.state = "well"
    house.run(6, publishing=(stream,))
    assert house.get(LIST).status == 200


def test_a_request_that_went_in_a_circle_is_508() -> None:
    house, _, used, _ = two_shields()
    viewer = Viewer(house.core).get(LIST, house.now, loop="other-edge, id-1")
    assert viewer.status == 508
    assert house.core.tally.refused["loop"] == 1
    passed = Viewer(house.core).get("/new/index.m3u8", house.now, loop="other-edge")
    house.pump()
    assert passed.status == 404
    assert used.seen[-1].loop == "other-edge"
