"""Viewers are counted once each, wherever and however often they ask, and are gone when they do not ask."""

from __future__ import annotations

import pytest

from headwater.edge.cmcd import Fault, Report, State
from headwater.edge.viewers import MAX_REPORTED, OTHER, TURN_S, Audience, Labels, Visitor, labels_of, merge

KEY = b"k" * 32
VIDEO, AUDIO = "/live/x/v/index.m3u8", "/live/x/a/index.m3u8"


def audience(most: int = 10) -> Audience:
    return Audience(KEY, most)


@pytest.mark.parametrize(
    ("path", "labels"),
    [
        (VIDEO, ("x", "v")),
        ("/live/x/720p/p1.m4s", ("x", "720p")),
        ("/t/SECRET/live/x/v/index.m3u8", ("x", "v")),
        ("/live/x/index.m3u8", OTHER),
        ("/vod/SECRET/v/index.m3u8", OTHER),
        ("/live/x/v/w/index.m3u8", OTHER),
        ("/live/" + "x" * 65 + "/v/index.m3u8", OTHER),
    ],
)
def test_labels_hold_names_and_nothing_else_of_a_path(path: str, labels: Labels) -> None:
    assert labels_of(path) == labels


def test_a_viewer_of_two_renditions_on_three_connections_is_one() -> None:
    people = audience()
    for playlist in (VIDEO, AUDIO, VIDEO + "?q=1"):
        people.saw(Visitor("10.0.0.1"), b"player", playlist)
    people.saw(Visitor("10.0.0.1"), b"other player", VIDEO)
    people.saw(Visitor("10.0.0.2"), b"player", VIDEO)
    assert people.viewers() == {("x", "v"): 3, ("x", "a"): 1, ("x", ""): 3}


def test_a_session_counts_for_more_than_address_and_agent() -> None:
    people = audience()
    for address, session in (("10.0.0.1", b"s1"), ("10.0.0.1", b"s2"), ("10.0.0.9", b"s2")):
        visitor = Visitor(address)
        people.report(Report(session=session), visitor, VIDEO)
        people.saw(visitor, b"player", VIDEO)
    assert people.viewers()["x", "v"] == 2


def test_a_connection_that_many_viewers_share_is_counted_for_each() -> None:
    people, proxy = audience(), Visitor("10.0.0.1")
    for session in (b"s1", b"s2", b"s1"):
        people.report(Report(session=session), proxy, VIDEO)
        assert proxy.seen.get(VIDEO) is None
        people.saw(proxy, b"player", VIDEO)
    assert people.viewers()["x", "v"] == 2


def test_who_left_is_forgotten_after_two_turns_and_the_series_goes() -> None:
    people = audience()
    people.handle_timeout(100.0)
    people.saw(Visitor("10.0.0.1"), b"", VIDEO)
    people.handle_timeout(100.0 + TURN_S)
    people.saw(Visitor("10.0.0.2"), b"", VIDEO)
    assert people.viewers()["x", "v"] == 2
    people.handle_timeout(100.0 + 2 * TURN_S)
    assert people.viewers()["x", "v"] == 1
    people.handle_timeout(100.0 + 3 * TURN_S)
    people.handle_timeout(100.0 + 4 * TURN_S)
    assert people.viewers() == {}
    assert len(people) == 0


def test_rooms_are_bounded() -> None:
    people = audience(most=3)
    for number in range(20):
        people.saw(Visitor("10.0.0.1"), b"", f"/live/x{number}/v/index.m3u8")
    assert len(people) <= 2 * 3 + 2
    assert people.viewers()[OTHER] == 1


def test_what_one_connection_has_seen_is_bounded() -> None:
    people, visitor = audience(most=3), Visitor("10.0.0.1")
    for number in range(50):
        people.saw(visitor, b"", f"/live/x{number}/v/index.m3u8")
    assert len(visitor.seen) <= 6


def test_reports_count_where_somebody_watches() -> None:
    people, visitor = audience(), Visitor("10.0.0.1")
    people.saw(visitor, b"", VIDEO)
    full = Report(buffer_s=2.0, throughput_bps=5e6, latency_s=3.0, stalled=True, state=State.PLAYING)
    people.report(full, visitor, "/live/x/v/p1.m4s")
    people.report(Report(), None, "/live/made-up/v/p1.m4s")
    people.report(Fault.SYNTAX, visitor, VIDEO)
    found = dict(people.qualities())
    assert set(found) == {("x", "v"), OTHER}
    video = found["x", "v"]
    assert (video.reports, video.stalls, video.states) == (1, 1, {State.PLAYING: 1})
    assert [values.sum for values in (video.buffer, video.throughput, video.latency)] == [2.0, 5e6, 3.0]
    assert people.faults[Fault.SYNTAX] == 1
    people.handle_timeout(0.0)
    for turn in range(1, 4):
        people.handle_timeout(turn * TURN_S)
    assert [labels for labels, _ in people.qualities()] == [OTHER]


def test_renditions_with_reports_of_their_own_are_bounded() -> None:
    people = audience(most=1_000)
    for number in range(MAX_REPORTED + 20):
        path = f"/live/x{number}/v/index.m3u8"
        people.saw(Visitor("10.0.0.1"), b"", path)
        people.report(Report(), None, path)
    assert len(list(people.qualities())) == MAX_REPORTED + 1


@pytest.mark.parametrize("count", [100, 3_000])
def test_workers_are_merged(count: int) -> None:
    workers = [audience() for _ in range(3)]
    for number in range(count):
        # Everybody at two of three
        for worker in (workers[number % 3], workers[(number + 1) % 3]):
            worker.saw(Visitor(f"10.0.{number >> 8}.{number & 255}"), b"", VIDEO)
    merged = merge(worker.dump() for worker in workers)
    assert merged["x", "v"] == pytest.approx(count, rel=0.05)
    assert merged["x", ""] == merged["x", "v"]


def test_another_key_gives_other_hashes() -> None:
    ours, theirs = audience(), Audience(b"z" * 32, 10)
    for people in (ours, theirs):
        people.saw(Visitor("10.0.0.1"), b"", VIDEO)
    assert ours.dump() != theirs.dump()
    assert merge([ours.dump(), theirs.dump()])["x", "v"] == 2
