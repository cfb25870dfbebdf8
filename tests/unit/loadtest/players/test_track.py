"""What one rendition asks for: the cases that `test_player` does not come by."""

from __future__ import annotations

import pytest
from tests.viewers_kit import UNIX, Stream, Theatre

from headwater.loadtest.players.lane import Kind
from headwater.loadtest.players.playhead import State
from headwater.loadtest.players.track import MAX_BUFFER_S
from headwater.loadtest.records import Mode, ViewerClass


def test_a_full_buffer_loads_nothing_more_but_follows_the_playlist() -> None:
    theatre = Theatre(Stream(window=30))
    player = theatre.join(ViewerClass(seek_every_s=1e-3, seek_back_s=(60.0, 60.0)))
    theatre.run(101.5)
    player._next_seek = float("inf")
    theatre.run(110.0)
    assert player.head.state is State.PLAYING
    assert MAX_BUFFER_S <= player.head.level <= MAX_BUFFER_S + 5
    assert len(theatre.targets(Kind.PLAYLIST, since=105)) >= 4
    last = theatre.targets(Kind.SEGMENT)[-1]
    theatre.run(130.0)
    assert theatre.targets(Kind.SEGMENT)[-1] != last
    assert theatre.ledger.stalls == 0


def test_a_server_that_answers_at_once_is_not_asked_without_end() -> None:
    theatre = Theatre()
    stream = theatre.stream
    original = stream.due
    stream.due = lambda n: 0.0 if n > 100 else original(n)  # type: ignore[method-assign]
    stream.count = lambda at: 100  # type: ignore[method-assign]
    theatre.join()
    theatre.run(120.5)
    # The part 100 is waited for until 101, and then nothing is new: half a target duration between two requests
    assert theatre.ledger.behind == len(theatre.targets(Kind.PLAYLIST))
    assert theatre.ledger.behind <= 11


def test_an_update_that_was_skipped_is_counted() -> None:
    theatre = Theatre()
    stream = theatre.stream
    original = stream.due
    # Part 103 is published in time, and its playlist held until 104 is
    stream.due = lambda n: original(104) if n == 103 else original(n)  # type: ignore[method-assign]
    theatre.join()
    theatre.run(107.5)
    assert theatre.ledger.behind == 1
    assert max(theatre.ledger.part_us) == pytest.approx(1_020_000, abs=20_000), (
        "the late part is late, whatever we asked"
    )


def test_an_older_copy_of_a_cache_is_not_taken() -> None:
    theatre = Theatre()
    original = theatre.stream.count
    theatre.stream.count = lambda at: 90 if 102.9 < at < 103.5 else original(at)  # type: ignore[method-assign]
    player = theatre.join()
    theatre.run(110.5)
    view = player.tracks[0].view
    assert view is not None
    assert view.edge == UNIX + 110
    assert theatre.ledger.behind >= 1
    assert theatre.ledger.fatal == 0


def test_dates_that_go_back_are_a_new_start() -> None:
    theatre = Theatre()
    original = theatre.stream._segment

    def shifted(number: int, parts: int, msn: int) -> list[str]:
        lines = original(number, parts, msn)
        return [line.replace("T08:0", "T07:0") if number >= 26 else line for line in lines]

    theatre.stream._segment = shifted  # type: ignore[method-assign]
    player = theatre.join()
    theatre.run(125.5)
    assert not player.gone
    assert player.head.state is State.PLAYING
    assert player.head.head < UNIX - 3_000


def test_the_first_segment_is_not_asked_for_twice_by_safari() -> None:
    theatre = Theatre()
    theatre.join(ViewerClass(mode=Mode.SAFARI))
    theatre.run(120.5)
    parts = theatre.targets(Kind.PART)
    assert len(parts) == len(set(parts))
    assert theatre.ledger.stalls == theatre.ledger.late == 0


def test_an_error_of_a_hint_is_not_retried_before_the_playlist_names_it() -> None:
    theatre = Theatre()
    theatre.fault = lambda target, at: 404 if target.endswith("p102.m4s") and at < 102.9 else None
    theatre.join(ViewerClass(mode=Mode.SAFARI))
    theatre.run(106.5)
    asked = [round(asked.at, 2) for asked in theatre.asked if asked.target.endswith("p102.m4s")]
    assert asked == [102.01, 103.01]
    assert theatre.ledger.errors == {"status 404 part": 1}
    assert theatre.ledger.retries == 0


def test_byte_ranges_are_asked_for() -> None:
    theatre = Theatre()
    original = theatre.stream._segment

    def ranged(number: int, parts: int, msn: int) -> list[str]:
        lines = original(number, parts, msn)
        return [line + f',BYTERANGE="10@{i}"' if "EXT-X-PART:" in line else line for i, line in enumerate(lines)]

    theatre.stream._segment = ranged  # type: ignore[method-assign]
    theatre.join()
    theatre.run(102.5)
    extras = {asked.extra for asked in theatre.asked if asked.kind is Kind.PART}
    assert all(extra.startswith("Range: bytes=") for extra in extras)
