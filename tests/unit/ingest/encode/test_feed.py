"""The queue to a worker."""

from __future__ import annotations

from tests.ladder_kit import FRAME, SECOND, SOUND, SOURCE, START, begun, cut, frame, frames

from headwater.ingest.encode.feed import LEAST_UNDER_WAY, UNDER_WAY_S, Feed
from headwater.ingest.encode.model import Adjust, Resume, ToWorker
from headwater.ingest.media import Hole, Sample


def drained(feed: Feed) -> list[ToWorker]:
    found: list[ToWorker] = []
    while (message := feed.next()) is not None:
        found.append(message)
    return found


def made(most_bytes: int = 1_000_000, most_s: float = 10.0) -> Feed:
    return Feed(SOURCE, most_bytes, most_s)


def test_order_is_kept() -> None:
    feed = made()
    messages: list[ToWorker] = [begun(), cut(0), *frames(0, 5), frame(2, SOUND), cut(1)]
    for message in messages:
        feed.put(message)
    assert feed.size == 600
    assert drained(feed) == messages
    assert (len(feed), feed.size) == (0, 0)


def test_no_more_is_under_way_than_the_worker_needs() -> None:
    feed = made()
    for sample in frames(0, 100):
        feed.put(sample)
    sent = len(drained(feed))
    assert sent == max(LEAST_UNDER_WAY, int(UNDER_WAY_S * 25) + 1)
    feed.acknowledge(START + 10 * FRAME)
    assert len(drained(feed)) == 10


def test_a_slow_source_has_some_frames_under_way_whatever_they_last() -> None:
    """A decoder holds frames back for reordering: the worker must not starve."""
    feed = made(most_s=1_000)
    for number in range(0, 3_000, 100):
        feed.put(frame(number))
    assert len(drained(feed)) == LEAST_UNDER_WAY


def test_what_need_not_be_encoded_is_not_waited_for() -> None:
    """A new worker decodes up to where it goes on, and says nothing meanwhile."""
    feed = made()
    feed.put(Resume(START + 200 * FRAME))
    for sample in frames(0, 300):
        feed.put(sample)
    assert len(drained(feed)) == 1 + 200 + LEAST_UNDER_WAY


def test_urgent_messages_go_first() -> None:
    feed = made()
    feed.put(frame(0))
    feed.urgent(Adjust(2))
    assert drained(feed) == [Adjust(2), frame(0)]


def test_of_several_steps_at_once_the_last_one_counts() -> None:
    feed = made()
    feed.put(frame(0))
    for level in (1, 2, 3):
        feed.urgent(Adjust(level))
    feed.urgent(Resume(START))
    feed.urgent(Resume(START + FRAME))
    assert drained(feed) == [Resume(START + FRAME), Adjust(3), frame(0)]


def test_it_overflows_by_bytes_and_by_seconds() -> None:
    feed = made(most_bytes=1_000)
    for number, sample in enumerate(frames(0, 11)):
        assert not feed.overflows, number
        feed.put(sample)
    assert feed.overflows
    feed = made(most_s=2.0)
    for sample in frames(0, 51):
        feed.put(sample)
    assert not feed.overflows
    feed.put(frame(52))
    assert feed.overflows


def test_a_jump_leaves_out_the_video_before_the_newest_keyframe_it_can_use() -> None:
    feed = made()
    sound = frame(3, SOUND)
    messages: list[ToWorker] = [*frames(0, 10), sound, *frames(10, 55), cut(1)]
    for message in messages:
        feed.put(message)
    to = START + 40 * FRAME
    feed.jump(to)
    assert feed.dropped == 25
    assert drained(feed) == [Resume(to), sound, *frames(25, 55), cut(1)]


def test_a_jump_without_a_keyframe_lets_the_worker_decode_what_waits() -> None:
    feed = made()
    for sample in frames(1, 20):
        feed.put(sample)
    feed.jump(START + 15 * FRAME)
    assert drained(feed) == [Resume(START + 15 * FRAME), *frames(1, 20)]


def test_when_too_much_waits_all_the_same_the_next_keyframe_begins() -> None:
    feed = made(most_bytes=1_000)
    for sample in frames(1, 20):
        feed.put(sample)
    feed.put(cut(1))
    feed.jump(START + 15 * FRAME)
    for sample in frames(20, 27):
        feed.put(sample)
    assert feed.dropped == 24
    assert drained(feed) == [Resume(START + 15 * FRAME), cut(1), Hole(SOURCE, frame(25).pts), *frames(25, 27)]


def test_a_worker_may_have_to_begin_with_the_next_keyframe() -> None:
    feed = Feed(SOURCE, 1_000_000, 10.0, waits_for_key=True)
    for sample in frames(20, 27):
        feed.put(sample)
    found = drained(feed)
    assert found == [Hole(SOURCE, frame(25).pts), *frames(25, 27)]


def test_a_hole_frees_what_is_under_way() -> None:
    feed = made()
    for sample in frames(0, 60):
        feed.put(sample)
    sent = drained(feed)
    assert isinstance(sent[-1], Sample)
    feed = made()
    for sample in frames(0, LEAST_UNDER_WAY):
        feed.put(sample)
    feed.put(Hole(SOURCE, START + 10 * SECOND))
    for sample in frames(250, 250 + LEAST_UNDER_WAY):
        feed.put(sample)
    assert len(drained(feed)) == 2 * LEAST_UNDER_WAY + 1
