"""Lanes: one request at a time."""

from __future__ import annotations

from tests.viewers_kit import Theatre

from headwater.loadtest.players.address import address
from headwater.loadtest.players.lane import NOBODY, Answer, Kind, Lane, kept


def test_what_stands_on_a_lane() -> None:
    theatre, lane = Theatre(), Lane(NOBODY)
    lane.stale = True
    lane.ask(theatre, Kind.PART, address("https://h/live/p1.m4s?t=1"), 5.0, extra=b"Range: bytes=0-9\r\n")
    assert (lane.busy, lane.stale, lane.asked) == (True, False, 5.0)
    assert (lane.target, lane.extra) == (b"/live/p1.m4s?t=1", b"Range: bytes=0-9\r\n")
    assert lane.origin is not None
    assert lane.origin.https
    lane.ask(theatre, Kind.PLAYLIST, address("https://h/live/index.m3u8"), 6.0, b"/live/index.m3u8?_HLS_msn=1")
    assert (lane.target, lane.extra) == (b"/live/index.m3u8?_HLS_msn=1", b"")


def test_only_playlists_are_kept() -> None:
    assert {kind for kind in Kind if kept(kind)} == {Kind.PLAYLIST, Kind.MULTIVARIANT}


def test_who_is_gone_hears_nothing() -> None:
    lane = Lane(NOBODY)
    lane.owner.answered(lane, Answer(200, b"", 0, 0, 0.0), 1.0)
    lane.owner.failed(lane, "reset", 1.0)
    lane.owner.woken(1.0)
    assert not lane.busy
