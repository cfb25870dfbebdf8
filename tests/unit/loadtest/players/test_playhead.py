"""The picture: start, stalls, holes, pauses."""

from __future__ import annotations

import pytest

from headwater.loadtest.players.ledger import Ledger
from headwater.loadtest.players.playhead import Buffer, Playhead, State


def playing(*ends: float) -> tuple[Playhead, Ledger, list[Buffer]]:
    """Joined at 10, playing from 0 at 11 with these buffers."""
    ledger = Ledger()
    head = Playhead(ledger, 10.0)
    buffers = [Buffer() for _ in ends]
    head.buffers = tuple(buffers)
    head.tune(0.0, min(ends), 10.5)
    head.advance(11.0)
    for buffer, end in zip(buffers, ends, strict=True):
        buffer.append(0.0, end)
    head.grown(11.0)
    assert head.state is State.PLAYING
    return head, ledger, buffers


def test_it_starts_when_the_goal_is_loaded() -> None:
    ledger = Ledger()
    head = Playhead(ledger, 10.0)
    buffer = Buffer()
    head.buffers = (buffer,)
    head.tune(0.0, 3.0, 10.0)
    for end in (1.0, 2.0):
        buffer.append(end - 1, end)
        head.grown(10.0 + end)
        assert head.state is State.JOINING
    buffer.append(2.0, 3.0)
    head.grown(13.0)
    assert head.state.value == "playing"
    assert (ledger.started, ledger.startup_us) == (1, [3_000_000])
    assert ledger.watched == 0


def test_a_stall_begins_when_the_buffer_ends_and_not_when_that_is_seen() -> None:
    head, ledger, (buffer,) = playing(2.0)
    head.advance(12.0)
    assert (head.head, ledger.watched) == (1.0, 1.0)
    head.advance(15.0)
    assert (head.state, head.head, ledger.stalls, ledger.stalled) == (State.STALLED, 2.0, 1, 2.0)
    head.advance(15.5)
    buffer.append(2.0, 3.0)
    head.grown(15.5)
    assert head.state is State.PLAYING
    assert ledger.stall_us == [2_500_000]
    assert ledger.stalled == 2.5
    head.advance(16.0)
    assert (head.head, ledger.watched) == (2.5, 2.5)


def test_the_shorter_track_counts() -> None:
    head, ledger, (_, audio) = playing(5.0, 2.0)
    assert head.level == 2.0
    head.advance(14.0)
    assert head.state is State.STALLED
    audio.append(2.0, 4.0)
    head.grown(14.0)
    assert head.state.value == "playing"
    assert ledger.stalls == 1


def test_a_hole_with_media_behind_it_is_leaped_over() -> None:
    head, ledger, (buffer,) = playing(2.0)
    buffer.append(3.0, 5.0)
    head.grown(11.5)
    head.advance(14.0)  # 2 s up to the hole, 1 s behind it
    assert (head.head, ledger.stalls, ledger.watched) == (4.0, 0, 3.0)
    assert buffer.holes == ()


def test_a_hole_at_the_end_is_leaped_over_when_there_is_media() -> None:
    head, ledger, (buffer,) = playing(2.0)
    head.advance(14.0)
    buffer.append(3.0, 5.0)
    head.grown(14.0)
    assert (head.state, head.head) == (State.PLAYING, 3.0)
    assert ledger.stall_us == [1_000_000]


def test_small_steps_and_overlaps_are_no_holes() -> None:
    buffer = Buffer()
    buffer.append(0.05, 1.0)
    buffer.append(0.5, 0.9)
    buffer.append(1.09, 2.0)
    assert (buffer.end, buffer.holes, buffer.limit()) == (2.0, (), 2.0)


def test_a_pause_stands() -> None:
    head, ledger, _ = playing(10.0)
    head.pause(12.0)
    head.pause(12.5)
    head.advance(20.0)
    head.resume(20.0)
    head.advance(21.0)
    assert (head.head, ledger.watched, ledger.pauses, ledger.stalls) == (2.0, 2.0, 1, 0)


def test_a_seek_is_neither_a_start_nor_a_stall() -> None:
    head, ledger, (buffer,) = playing(3.0)
    head.advance(15.0)
    buffer.reset(20.0)
    head.tune(20.0, 22.0, 16.0)
    assert head.state is State.SEEKING
    assert ledger.stall_us == [2_000_000], "the stall before it ends with it"
    head.advance(18.0)
    buffer.append(20.0, 22.0)
    head.grown(18.0)
    assert head.state.value == "playing"
    assert (ledger.started, ledger.stalls, ledger.stalled) == (1, 1, 2.0)


@pytest.mark.parametrize(("final", "state", "stalls"), [(True, State.ENDED, 0), (False, State.STALLED, 1)])
def test_the_end_of_a_stream(final: bool, state: State, stalls: int) -> None:
    head, ledger, _ = playing(2.0)
    head.final = final
    head.advance(20.0)
    assert (head.state, ledger.stalls) == (state, stalls)


def test_who_leaves_in_a_stall_ends_it() -> None:
    head, ledger, _ = playing(2.0)
    head.finish(14.0)
    assert (head.state, ledger.stall_us) == (State.ENDED, [1_000_000])


def test_time_does_not_go_back() -> None:
    head, ledger, _ = playing(5.0)
    head.advance(12.0)
    head.advance(11.5)
    assert (head.head, ledger.watched) == (1.0, 1.0)
