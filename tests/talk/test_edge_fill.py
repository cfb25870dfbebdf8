"""Answers that go to viewers while they come, on a stepped clock (rules 66, 160, 161, 166; RFC 9110 section 14)."""

from __future__ import annotations

import pytest
from tests.edge_kit import LiveStream
from tests.fill_kit import FillHouse, Reading

from headwater.edge import fill, fills, growing
from headwater.edge.freshness import PRIVATE_MARK_S
from headwater.edge.message import Failure, Method, Outcome, Purpose
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


# -- ranges, conditions, HEAD


def test_a_range_is_answered_when_its_first_byte_is_there() -> None:
    house = FillHouse()
    house.get(SEGMENT)
    upload = house.origin.begin(SEGMENT, 100.0, len(BODY), etag=TAG)
    upload.piece(BODY[:1_000], 100.1)
    there = house.get(SEGMENT, range="bytes=100-1999")
    ahead = house.get(SEGMENT, range="bytes=1500-")
    suffix = house.get(SEGMENT, range="bytes=-120", if_range=TAG)
    beyond = house.get(SEGMENT, range="bytes=5120-")
    other = house.get(SEGMENT, range="bytes=0-9", if_range='"v0"')
    assert (there.status, there.header("Content-Range"), there.got) == (206, "bytes 100-1999/5120", BODY[100:1_000])
    assert there.answer.length == 1_900
    assert (beyond.status, beyond.header("Content-Range")) == (416, "bytes */5120")
    assert other.status == 200, "the range is of another version"
    assert not ahead.answers
    upload.piece(BODY[1_000:3_000], 100.2)
    assert there.got == BODY[100:2_000]
    assert there.whole
    assert (ahead.status, ahead.header("Content-Range")) == (206, "bytes 1500-5119/5120")
    assert not suffix.answers
    upload.piece(BODY[3_000:], 100.3).end(100.3)
    assert ahead.got == BODY[1_500:]
    assert suffix.got == BODY[-120:]
    assert len(house.origin.seen) == 1


def test_ranges_of_unknown_length() -> None:
    house = FillHouse()
    house.get(SEGMENT)
    upload = house.origin.begin(SEGMENT, 100.0)
    upload.piece(BODY[:1_000], 100.1)
    whole = house.get(SEGMENT, range="bytes=0-")
    part = house.get(SEGMENT, range="bytes=10-999")
    ahead = house.get(SEGMENT, range="bytes=10-1000")
    tail, suffix = house.get(SEGMENT, range="bytes=10-"), house.get(SEGMENT, range="bytes=-10")
    assert (whole.status, whole.answer.length) == (200, None)
    assert (part.status, part.header("Content-Range"), part.got) == (206, "bytes 10-999/*", BODY[10:1_000])
    assert not ahead.answers
    upload.piece(BODY[1_000:2_000], 100.2)
    assert ahead.got == BODY[10:1_001]
    assert not tail.answers
    assert not suffix.answers
    upload.piece(BODY[2_000:], 100.3).end(100.4)
    assert (tail.status, tail.header("Content-Range"), tail.got) == (206, "bytes 10-5119/5120", BODY[10:])
    assert suffix.got == BODY[-10:]
    assert whole.got == BODY
    assert whole.whole


def test_a_range_far_ahead_is_fetched_as_a_range(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fill, "SEEK_BYTES", 1_000)
    house = FillHouse()
    house.get(SEGMENT)
    upload = house.origin.begin(SEGMENT, 100.0, len(BODY)).piece(BODY[:100], 100.1)
    viewers = [house.get(SEGMENT, range=text) for text in ("bytes=5000-", "bytes=-120", "bytes=5000-9999")]
    ((request, _),) = house.origin.pending
    assert request.range == "bytes=5000-5119", "one request for all of them"
    house.origin.answer(SEGMENT, 100.2, BODY[5_000:], 206, content_range="bytes 5000-5119/5120")
    assert all(viewer.got == BODY[5_000:] and viewer.status == 206 for viewer in viewers)
    upload.piece(BODY[100:], 100.3).end(100.3)


def test_an_upstream_without_ranges_is_not_asked_for_any(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fill, "SEEK_BYTES", 1_000)
    house = FillHouse()
    house.get(SEGMENT)
    upload = house.origin.begin(SEGMENT, 100.0, len(BODY), accept_ranges="none")
    ahead = house.get(SEGMENT, range="bytes=5000-")
    assert not house.origin.pending
    upload.piece(BODY, 100.1).end(100.1)
    assert ahead.got == BODY[5_000:]


@pytest.mark.parametrize("length", [20_000, None])
def test_an_upstream_that_ignores_ranges_of_what_is_too_large(length: int | None) -> None:
    house = FillHouse()
    house.get(SEGMENT)
    house.origin.begin(SEGMENT, 100.0, 20_000)
    ranged = house.get(SEGMENT, range="bytes=15000-15009")
    upload = house.origin.begin(SEGMENT, 100.0, length)
    if length is None:
        upload.piece(bytes(12_000), 100.1)
    else:
        assert not upload.taken
        upload.fail(100.1, Failure.TOO_LARGE)
    assert ranged.status == 502
    assert not house.origin.pending


def test_who_waits_for_a_range_of_what_breaks_off_has_another_try() -> None:
    house = FillHouse()
    first, ahead = house.get(SEGMENT), house.get(SEGMENT, range="bytes=50-59")
    house.origin.begin(SEGMENT, 100.0, 100).piece(b"x" * 10, 100.1).fail(100.2)
    assert first.lost
    assert not ahead.answers
    house.origin.answer(SEGMENT, 100.3, b"y" * 100)
    assert ahead.got == b"y" * 10


def test_conditions_and_head_are_answered_from_the_head() -> None:
    house = FillHouse()
    house.get(SEGMENT)
    date = "Sun, 06 Nov 1994 08:49:37 GMT"
    upload = house.origin.begin(SEGMENT, 100.0, len(BODY), etag=TAG, last_modified=date)
    same, other = house.get(SEGMENT, if_none_match=TAG), house.get(SEGMENT, if_none_match='"v0"')
    since = house.get(SEGMENT, if_modified_since=date)
    head = house.get(SEGMENT, method=Method.HEAD)
    assert [viewer.status for viewer in (same, other, since, head)] == [304, 200, 304, 200]
    assert same.answer.growing is None
    assert head.answer.length == len(BODY)
    assert house.get(SEGMENT, gzip=True).header("Content-Encoding") is None
    upload.piece(BODY, 100.1).end(100.1)


def test_ranges_of_a_growing_file_go_out_while_they_come() -> None:
    house = FillHouse()
    lists = "/live/x/v/index.m3u8"
    text = (
        "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:4\n#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=3\n"
        "#EXT-X-PART-INF:PART-TARGET=1\n#EXT-X-MEDIA-SEQUENCE:1\n#EXTINF:4,\ns1.mp4\n"
        '#EXT-X-PART:DURATION=1,URI="s2.mp4",BYTERANGE="1000@0"\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI="s2.mp4",BYTERANGE-START=1000\n'
    )
    house.get(lists)
    house.origin.answer(lists, 100.0, text, content_type="application/vnd.apple.mpegurl")
    assert house.core.followers == 1
    viewer, second = (house.get("/live/x/v/s2.mp4", range="bytes=0-999") for _ in range(2))
    upload = house.origin.begin("/live/x/v/s2.mp4", 100.0, 1_000, 206, content_range="bytes 0-999/*")
    upload.piece(BODY[:500], 100.1)
    assert viewer.got == second.got == BODY[:500]
    assert (viewer.status, viewer.header("Content-Range")) == (206, "bytes 0-999/*")
    upload.piece(BODY[500:1_000], 100.2).end(100.2)
    assert viewer.whole
    again = house.get("/live/x/v/s2.mp4", range="bytes=0-999")
    assert (again.answer.outcome, again.got) == (Outcome.HIT, BODY[:1_000])
    hint = house.get("/live/x/v/s2.mp4", range="bytes=1000-")
    upload = house.origin.begin("/live/x/v/s2.mp4", 100.3, None, 206, content_range="bytes 1000-1999/*", etag=TAG)
    upload.piece(BODY[1_000:1_200], 100.4).fail(100.5)
    assert house.origin.take("/live/x/v/s2.mp4")[0].range == "bytes=1200-1999"
    assert hint.answer.length == 1_000
    assert len([1 for key in ("/live/x/v/s2.mp4",) if house.core.store.peek(key)]) == 0, "rule 166"


@pytest.mark.parametrize("field", ["", "bytes 1-9/20", "bytes 0-10/20", "bytes 5-4/20", "bytes 0-9/9"])
def test_a_206_that_is_another_range_is_not_taken(field: str) -> None:
    house = FillHouse(object_bytes=100)
    viewer = house.get(SEGMENT)
    house.origin.begin(SEGMENT, 100.0, 200).piece(b"x" * 200, 100.0).end(100.0)
    assert viewer.whole
    ranged = house.get(SEGMENT, range="bytes=0-9")
    assert not house.origin.begin(SEGMENT, 100.1, 10, 206, content_range=field).taken
    assert not ranged.answers


# -- complete only


def test_rule_66_parts_playlists_and_what_is_fetched_ahead_go_out_complete_only() -> None:
    house = FillHouse()
    stream = LiveStream()
    house.get("/live/x/v/index.m3u8")
    house.origin.playlist("/live/x/v/index.m3u8", 100.0, stream)
    ahead = [request for request, _ in house.origin.pending if request.purpose is Purpose.PREFETCH]
    assert f"/live/x/v/{stream.name}" in [request.target for request in ahead]
    old = "/live/x/v/p100001.m4s"
    assert old not in house.origin.targets, "too old to be fetched ahead"
    segment = "/live/x/v/s101.m4s"
    for target in (
        old,
        segment,
        "/live/x/v/other.m3u8",
        "/live/x/v/index.m3u8?_HLS_msn=10000",
        f"/live/x/v/{stream.name}",
    ):
        house.get(target)
    taken = {request.target for request, _ in house.origin.pending if request.arriving is not None}
    assert taken == {segment}
    house.get("/play")
    assert not house.origin.begin("/play", 100.1, content_type="application/x-mpegurl").taken, "known by its type"


# -- bounds


def test_what_is_larger_than_may_be_kept_passes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing, "AHEAD_BYTES", 2_000)
    monkeypatch.setattr(fill, "WINDOW_BYTES", 5_000)
    house = FillHouse(object_bytes=8_000)
    quick, slow, stuck = house.get(SEGMENT), house.get(SEGMENT, idle=True), house.get(SEGMENT, idle=True)
    upload = house.origin.begin(SEGMENT, 100.0, 100_000)
    assert quick.answer.length == 100_000
    sent = b""
    for number in range(100):
        data = bytes([number]) * 1_000
        upload.piece(data, 100.1)
        sent += data
        slow.take(1_000 if number else 10)
        body = quick.answer.growing
        assert body is not None
        assert body.size - body.kept_from <= 6_000
        if number == 50:
            late = house.get(SEGMENT)
            assert not late.answers, "what it needs is gone: a fetch of its own"
            assert house.origin.targets == [SEGMENT]
    upload.end(100.2)
    slow.take(5_000)
    assert quick.got == sent
    assert slow.got == sent
    assert stuck.lost
    assert not stuck.got
    assert len(house.core.store) == 0
    ranged = house.get(SEGMENT, range="bytes=5-9")
    assert house.origin.pending[-1][0].range == "bytes=5-9"
    assert not ranged.answers


def test_the_upstream_waits_for_the_quickest_reader_of_what_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing, "AHEAD_BYTES", 2_000)
    house = FillHouse(object_bytes=8_000)
    viewer = house.get(SEGMENT, idle=True)
    upload = house.origin.begin(SEGMENT, 100.0, 100_000)
    upload.piece(b"x" * 1_900, 100.1)
    assert not upload.paused
    upload.piece(b"x" * 200, 100.1)
    assert upload.paused
    viewer.take(1_500)
    assert not upload.paused
    viewer.leave()
    house.run(0.1)
    assert house.origin.left == [SEGMENT]


def test_a_length_that_was_not_said_and_turns_out_too_large() -> None:
    house = FillHouse(object_bytes=1_000)
    viewer, suffix, ranged = (
        house.get(SEGMENT),
        house.get(SEGMENT, range="bytes=-5"),
        house.get(SEGMENT, range="bytes=2000-2009"),
    )
    upload = house.origin.begin(SEGMENT, 100.0)
    for _ in range(3):
        upload.piece(b"x" * 500, 100.1)
    assert suffix.status == 502, "it would have to be kept to its end"
    assert house.origin.pending[0][0].range == "bytes=2000-2009"
    assert not ranged.answers
    upload.piece(b"y", 100.2).end(100.2)
    assert viewer.got == b"x" * 1_500 + b"y"
    assert viewer.whole
    assert len(house.core.store) == 0


def test_single_bytes_do_not_cost_more_than_may_be_kept() -> None:
    house = FillHouse(object_bytes=1_000)
    viewer = house.get(SEGMENT, idle=True)
    upload = house.origin.begin(SEGMENT, 100.0)
    for _ in range(900):
        upload.piece(b"x", 100.1)
    body = viewer.answer.growing
    assert body is not None
    assert body.kept_from == 0
    viewer.take(100)
    assert body.kept_from > 0, "it is treated as too large"


def test_only_so_many_may_be_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fills, "MAX_LARGE", 2)
    house = FillHouse(object_bytes=1_000)
    for number in range(2):
        house.get(f"/{number}")
        assert house.origin.begin(f"/{number}", 100.0, 5_000).taken
    house.get("/2")
    assert not house.origin.begin("/2", 100.0, 5_000).taken
    viewer = house.get("/3")
    house.origin.begin("/3", 100.0).piece(b"x" * 2_000, 100.1)
    assert viewer.lost
    assert house.core.tally.refused == {"large": 2}
    assert house.core.tally.fills.broken == {"too_large": 1}


def test_stopping_ends_every_fill() -> None:
    house = FillHouse()
    viewers: list[Reading] = []
    for number, control in enumerate(("max-age=9", "private")):
        viewers.append(house.get(f"/{number}"))
        house.origin.begin(f"/{number}", 100.0, 50, cache_control=control).piece(b"x", 100.1)
    house.core.stop()
    assert sorted(house.origin.left) == ["/0", "/1"]
    assert all(viewer.lost for viewer in viewers)
    assert house.core.fills == house.core.flights == 0


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
