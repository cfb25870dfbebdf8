from __future__ import annotations

from dataclasses import replace

from tests.unit.origin.hls.playlists import live

from headwater.origin.hls.model import MediaPlaylist


def test_position_of_a_live_playlist() -> None:
    at = live(open_parts=2).position
    assert (at.last_msn, at.last_part_count, at.open_parts) == (129, 4, 2)
    assert (at.target_duration, at.part_target, at.ended, at.can_skip) == (4, 0.52, False, True)


def test_position_without_an_open_parent() -> None:
    assert live(open_parts=0).position.open_parts == 0


def test_position_of_an_empty_playlist() -> None:
    at = MediaPlaylist(4, 10).position
    assert (at.last_msn, at.last_part_count, at.can_skip) == (9, 0, False)


def test_position_of_a_delta() -> None:
    whole = live()
    assert replace(whole, segments=whole.segments[17:], skipped=17).position == whole.position
