"""Answers that go to viewers while they come, on a stepped clock (rules 66, 160, 161, 166; RFC 9110 section 14)."""

from __future__ import annotations

import pytest
from tests.fill_kit import FillHouse

from headwater.edge import fill
from headwater.edge.freshness import PRIVATE_MARK_S
from headwater.edge.message import Failure, Outcome
from headwater.edge.purge import Order, What
from headwater.edge.wire import Wire

SEGMENT = "/vod/s1.mp4"
BODY = bytes(range(256)) * 20
TAG = '"v1"'


def test_two_joiners_at_different_times_get_what_is_there_and_follow() -> None:
    house = FillHouse()
    first = house.get(SEGMENT)
    upload = house.origin.begin(SEGMENT, 100.0, len(BODY))
    assert upload.taken
    assert first.status == 200
    upload.piece(BODY[:1_000], 100.1)
    assert first.got == BODY[:1_000], "before the upstream has all of it"
    house.now = 102.0
    second = house.get(SEGMENT)
    assert second.got == BODY[:1_000]
    assert (first.answer.outcome, second.answer.outcome) == (Outcome.FETCH, Outcome.JOIN)
    assert (first.answer.age, second.answer.age) == (0, 2)
    upload.piece(BODY[1_000:], 102.1)
    house.now = 102.2
    third = house.get(SEGMENT)
    upload.end(102.3)
    assert all(viewer.got == BODY and viewer.whole for viewer in (first, second, third))
    assert len(house.origin.seen) == 1, "rule 160"
    house.now = 103.0
    later = house.get(SEGMENT)
    assert (later.answer.outcome, later.got, later.answer.growing) == (Outcome.HIT, BODY, None)
    assert later.answer.age == 3, "as old as its head"
    counts = house.core.tally.fills
    assert (counts.streamed, counts.joined, counts.size, counts.broken) == (1, 2, len(BODY), {})
    assert house.core.fills == house.core.flights == 0


def test_who_waits_for_the_head_is_answered_with_it() -> None:
    house = FillHouse()
    viewers = [house.get(SEGMENT) for _ in range(3)]
    upload = house.origin.begin(SEGMENT, 101.0, len(BODY), via="1.0 above", cache_status="above; hit", age="7")
    assert [viewer.answer.outcome for viewer in viewers] == [Outcome.FETCH, Outcome.JOIN, Outcome.JOIN]
    head = Wire("edge").growing_head(viewers[1].answer, keep_alive=True, http10=False)
    assert b"Content-Length: 5120\r\n" in head
    assert b"Cache-Status: above; hit, edge; fwd=miss; collapsed\r\n" in head
    assert b"Via: 1.0 above, 1.1 edge\r\n" in head
    assert b"Age: 7\r\n" in head
    upload.piece(BODY, 101.0).end(101.0)
    assert all(viewer.got == BODY for viewer in viewers)
    assert house.core.tally.held == 0


def test_a_slow_reader_holds_nobody_up_and_may_take_its_time() -> None:
    house = FillHouse()
    slow, quick = house.get(SEGMENT, idle=True), house.get(SEGMENT)
    upload = house.origin.begin(SEGMENT, 100.0, len(BODY))
    for at in range(0, len(BODY), 512):
        upload.piece(BODY[at : at + 512], 100.1)
    upload.end(100.2)
    assert quick.got == BODY
    assert not slow.got
    for _ in range(100):
        slow.take(100)
    assert slow.got == BODY
    assert slow.whole


def test_the_first_viewer_leaves_and_the_fill_goes_on_for_the_others() -> None:
    house = FillHouse()
    first, second = house.get(SEGMENT), house.get(SEGMENT)
    upload = house.origin.begin(SEGMENT, 100.0, len(BODY), cache_control="no-store")
    upload.piece(BODY[:10], 100.1)
    first.leave()
    house.run(1.0)
    upload.piece(BODY[10:], 101.0).end(101.0)
    assert second.got == BODY
    assert house.origin.left == []


def test_all_leave_and_the_fill_goes_on_for_the_cache() -> None:
    house = FillHouse()
    viewer = house.get(SEGMENT)
    upload = house.origin.begin(SEGMENT, 100.0, len(BODY))
    upload.piece(BODY[:10], 100.1)
    viewer.leave()
    house.run(5.0)
    upload.piece(BODY[10:], 105.0).end(105.0)
    assert house.get(SEGMENT).answer.outcome is Outcome.HIT


@pytest.mark.parametrize("fields", [{"cache_control": "no-store"}, {"cache_control": "private"}])
def test_all_leave_what_cannot_be_kept_and_it_is_cancelled(fields: dict[str, str]) -> None:
    house = FillHouse()
    viewer = house.get(SEGMENT)
    upload = house.origin.begin(SEGMENT, 100.0, len(BODY), **fields)
    upload.piece(BODY[:10], 100.1)
    viewer.leave()
    house.run(0.1)
    assert house.origin.left == [SEGMENT]
    assert house.core.tally.fills.broken == {"unwanted": 1}
    assert house.core.fills == house.core.flights == 0


def test_all_leave_what_takes_for_ever_and_it_is_cancelled() -> None:
    house = FillHouse()
    viewer = house.get(SEGMENT)
    house.origin.begin(SEGMENT, 100.0).piece(b"x", 100.1)
    viewer.leave()
    house.run(fill.UNREAD_S - 1)
    assert house.origin.left == []
    house.run(1.5)
    assert house.origin.left == [SEGMENT]


def test_private_answers_go_to_one_viewer_and_the_others_ask_for_themselves() -> None:
    house = FillHouse()
    first, second = house.get(SEGMENT), house.get(SEGMENT)
    upload = house.origin.begin(SEGMENT, 100.0, len(BODY), cache_control="private")
    assert first.answers
    assert not second.answers
    third = house.get(SEGMENT)
    assert house.origin.targets == [SEGMENT] * 2
    upload.piece(BODY, 100.1).end(100.1)
    for viewer in (second, third):
        house.origin.begin(SEGMENT, 100.2, 3, cache_control="private").piece(b"own", 100.2).end(100.3)
        assert viewer.got == b"own"
        assert viewer.answer.outcome is Outcome.PASS
    assert first.got == BODY
    assert len(house.core.store) == 0


def test_a_private_answer_that_takes_long_is_never_joined() -> None:
    house = FillHouse()
    first = house.get(SEGMENT)
    house.origin.begin(SEGMENT, 100.0, len(BODY), cache_control="private").piece(b"secret", 100.1)
    house.run(PRIVATE_MARK_S + 1)
    later = house.get(SEGMENT)
    assert not later.answers
    assert house.origin.targets == [SEGMENT]
    assert first.got == b"secret"


@pytest.mark.parametrize("private", [False, True])
def test_a_request_with_directives_is_none_for_a_body_that_grows(*, private: bool) -> None:
    house = FillHouse(object_bytes=10_000)
    first = house.get(SEGMENT)
    upload = house.origin.begin(SEGMENT, 100.0, None, **({"cache_control": "private"} if private else {}))
    for piece in range(3):
        upload.piece(bytes(10_000), 100.1 + piece / 10)
    house.run(PRIVATE_MARK_S + 1)
    other = house.get(SEGMENT + "?_HLS_msn=1")
    upload.piece(b"more", 200.0)
    assert first.got == bytes(30_000) + b"more"
    assert not other.answers
    assert house.origin.targets[-1] == SEGMENT + "?_HLS_msn=1"


# -- breaking off


def test_an_abort_is_resumed_at_the_same_upstream() -> None:
    house = FillHouse()
    viewer = house.get(SEGMENT)
    upload = house.origin.begin(SEGMENT, 100.0, len(BODY), etag=TAG)
    upload.piece(BODY[:2_000], 100.1).fail(100.2)
    ((request, _),) = house.origin.pending
    assert (request.range, request.if_range) == (f"bytes=2000-{len(BODY) - 1}", TAG)
    late = house.get(SEGMENT)
    assert late.got == BODY[:2_000], "one may join meanwhile"
    rest = house.origin.begin(SEGMENT, 100.5, len(BODY) - 2_000, 206, etag=TAG, content_range="bytes 2000-5119/5120")
    assert rest.taken
    rest.piece(BODY[2_000:], 100.6).end(100.7)
    assert viewer.got == late.got == BODY
    assert viewer.whole
    assert house.get(SEGMENT).answer.outcome is Outcome.HIT
    assert house.core.tally.fills.resumed == 1


def test_an_abort_is_resumed_at_another_upstream_and_again() -> None:
    house = FillHouse(3)
    viewer = house.get(SEGMENT)
    seen = [house.asked]
    upload = house.asked.begin(SEGMENT, 100.0, len(BODY), etag=TAG)
    at = 0
    for step in (1_000, 2_500, len(BODY)):
        upload.piece(BODY[at:step], 100.1)
        at = step
        if step == len(BODY):
            break
        upload.fail(house.now, Failure.TIMEOUT)
        house.run(0.3)
        seen.append(house.asked)
        assert house.asked is not seen[-2], "another one"
        field = f"bytes {at}-5119/*"
        upload = house.asked.begin(SEGMENT, 100.3, len(BODY) - at, 206, etag=TAG, content_range=field)
    upload.end(100.5)
    assert viewer.got == BODY
    assert viewer.whole


def test_a_rest_that_comes_as_a_small_whole_answer() -> None:
    house = FillHouse()
    viewer = house.get(SEGMENT)
    house.origin.begin(SEGMENT, 100.0, len(BODY), etag=TAG).piece(BODY[:-5], 100.1).fail(100.2)
    house.origin.answer(SEGMENT, 100.3, BODY[-5:], 206, etag=TAG, content_range="bytes 5115-5119/5120")
    assert viewer.got == BODY
    assert viewer.whole


def test_an_upstream_that_needs_time_to_come_back() -> None:
    house = FillHouse()
    viewer = house.get(SEGMENT)
    house.origin.begin(SEGMENT, 100.0, len(BODY), etag=TAG).piece(BODY[:100], 100.1).fail(100.2)
    house.origin.fail(SEGMENT, 100.2, Failure.CONNECT)
    assert not house.origin.pending
    house.run(0.5)
    house.origin.answer(SEGMENT, house.now, b"starting", 503)
    house.run(1.0)
    rest = house.origin.begin(SEGMENT, house.now, 5_020, 206, etag=TAG, content_range="bytes 100-5119/5120")
    rest.piece(BODY[100:], house.now).end(house.now)
    assert viewer.got == BODY
    assert house.core.tally.fills.resumed == 3


def test_an_upstream_that_does_not_come_back() -> None:
    house = FillHouse()
    viewer = house.get(SEGMENT)
    house.origin.begin(SEGMENT, 100.0, len(BODY), etag=TAG).piece(BODY[:100], 100.1).fail(100.2)
    for _ in range(len(fill.RESUME_AFTER_S)):
        house.run(2.1)
        house.origin.fail(SEGMENT, house.now, Failure.CONNECT)
    assert viewer.lost
    assert house.core.tally.fills.broken == {"connect": 1}
    assert house.core.fills == house.core.flights == len(house.core.store) == 0
    house.run(5.0)
    assert not house.origin.pending


@pytest.mark.parametrize("fields", [{}, {"etag": 'W/"v1"'}, {"last_modified": "Sun, 06 Nov 1994 08:49:37 GMT"}])
def test_an_abort_without_a_strong_tag_ends_the_followers(fields: dict[str, str]) -> None:
    house = FillHouse(2)
    first, second = house.get(SEGMENT), house.get(SEGMENT)
    house.asked.begin(SEGMENT, 100.0, len(BODY), **fields).piece(BODY[:100], 100.1).fail(100.2)
    assert first.lost
    assert second.lost
    assert first.got == BODY[:100]
    assert not any(origin.pending for origin in house.origins)
    assert len(house.core.store) == 0
    assert house.core.tally.fills.broken == {"reset": 1}
    assert not house.get(SEGMENT).answers, "whoever comes now has a fetch of its own"


def test_an_abort_of_unknown_length_ends_the_followers() -> None:
    house = FillHouse()
    viewer = house.get(SEGMENT)
    house.origin.begin(SEGMENT, 100.0, etag=TAG).piece(BODY[:100], 100.1).fail(100.2)
    assert viewer.lost
    assert len(house.core.store) == 0


REST = {"content_range": "bytes 2000-5119/5120", "etag": TAG}


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        (206, {**REST, "etag": '"v2"'}),
        (206, {**REST, "content_range": "bytes 1999-5119/5120"}),
        (206, {**REST, "content_range": "bytes 2000-5118/5120"}),
        (206, {**REST, "content_range": "bytes 2000-5119/6000"}),
        (206, {"etag": TAG}),
        (206, {"content_range": REST["content_range"]}),
        (200, {"etag": '"v2"'}),
        (200, {"etag": TAG}),
    ],
)
@pytest.mark.parametrize("whole", [False, True])
def test_a_rest_that_is_not_the_rest_of_this_version_is_never_sent(
    status: int, fields: dict[str, str], whole: bool
) -> None:
    house = FillHouse()
    viewer = house.get(SEGMENT)
    house.origin.begin(SEGMENT, 100.0, len(BODY), etag=TAG).piece(BODY[:2_000], 100.1).fail(100.2)
    if whole:
        house.origin.answer(SEGMENT, 100.3, BODY[2_000:], status, **fields)
    else:
        rest = house.origin.begin(SEGMENT, 100.3, len(BODY) - 2_000, status, **fields)
        assert not rest.taken
        rest.piece(BODY[2_000:], 100.3)
        assert house.origin.left == [SEGMENT]
    assert viewer.got == BODY[:2_000]
    assert viewer.lost
    assert house.core.tally.fills.broken == {"changed": 1}
    assert len(house.core.store) == house.core.flights == 0


def test_a_body_that_is_short_or_long_is_never_kept() -> None:
    house = FillHouse()
    for extra, reason in ((b"", "short"), (b"xyz", "invalid")):
        viewer = house.get(SEGMENT)
        upload = house.origin.begin(SEGMENT, 100.0, 12).piece(b"0123456789", 100.1)
        if extra:
            upload.piece(extra, 100.1)
        else:
            upload.end(100.2)
        assert viewer.lost
        assert viewer.got == b"0123456789"
        assert house.core.tally.fills.broken.pop(reason) == 1
    assert len(house.core.store) == 0


# -- tiers


def test_the_head_that_is_first_is_the_answer_and_the_other_upstream_is_left() -> None:
    house = FillHouse(2)
    viewer = house.get(SEGMENT)
    asked = house.asked
    other = next(origin for origin in house.origins if origin is not asked)
    asked.fail(SEGMENT, 100.0, Failure.CONNECT)
    upload = other.begin(SEGMENT, 100.1, len(BODY))
    upload.piece(BODY, 100.2).end(100.2)
    assert viewer.got == BODY
    assert house.core.tally.fills.broken == {}


def test_what_is_purged_while_it_comes_is_neither_joined_nor_kept() -> None:
    house = FillHouse()
    first = house.get(SEGMENT)
    upload = house.origin.begin(SEGMENT, 100.0, len(BODY))
    upload.piece(BODY[:10], 100.1)
    house.core.purge(Order(What.URL, SEGMENT), 100.2)
    later = house.get(SEGMENT)
    assert not later.answers
    assert house.origin.targets == [SEGMENT], "a fetch of its own"
    upload.piece(BODY[10:], 100.3).end(100.3)
    assert first.got == BODY
    assert len(house.core.store) == 0
    house.origin.begin(SEGMENT, 100.4, 200).piece(b"n" * 200, 100.4).end(100.4)
    assert later.got == b"n" * 200
    assert house.get(SEGMENT).got == b"n" * 200
