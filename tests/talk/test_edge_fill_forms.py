"""Answers that go out while they come: ranges and conditions, what goes out complete only, bounds (stepped clock)."""

from __future__ import annotations

import pytest
from tests.edge_kit import LiveStream
from tests.fill_kit import FillHouse, Reading

from headwater.edge import fill, fills, growing
from headwater.edge.message import Failure, Method, Outcome, Purpose

SEGMENT = "/vod/s1.mp4"
BODY = bytes(range(256)) * 20
TAG = '"v1"'


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


def test_an_upstream_that_ignores_ranges_of_what_is_too_large() -> None:
    house = FillHouse()
    house.get(SEGMENT)
    house.origin.begin(SEGMENT, 100.0, 20_000)
    ranged = house.get(SEGMENT, range="bytes=15000-15009")
    upload = house.origin.begin(SEGMENT, 100.0, 20_000)
    assert not upload.taken, "all of it again for each range"
    upload.fail(100.1, Failure.TOO_LARGE)
    assert ranged.status == 502
    ranged = house.get(SEGMENT, range="bytes=15000-15009")
    house.origin.begin(SEGMENT, 100.0).piece(b"x" * 12_000, 100.1)
    assert (ranged.status, ranged.got) == (200, b"x" * 12_000)


def test_ranges_of_what_is_too_large() -> None:
    house = FillHouse()
    suffix, resumed, plain = (
        house.get(SEGMENT, range=text, if_range=tag)
        for text, tag in (("bytes=-10", None), ("bytes=500-", TAG), ("bytes=5-9", None))
    )
    upload = house.origin.begin(SEGMENT, 100.0, 20_000, etag=TAG)
    assert [request.range for request, _ in house.origin.pending] == ["bytes=19990-19999", "bytes=5-9"]
    fields = {"content_range": "bytes 19990-19999/20000", "cache_control": "max-age=9"}
    house.origin.answer(SEGMENT, 100.1, b"0123456789", 206, **fields)
    assert (suffix.status, suffix.got) == (206, b"0123456789")
    house.origin.answer(SEGMENT, 100.1, b"01234", 206, content_range="bytes 5-9/20000")
    assert plain.got == b"01234"
    upload.piece(b"x" * 20_000, 100.2).end(100.2)
    assert (resumed.status, resumed.got) == (200, b"x" * 20_000), "a range could be of a later version"
    again = house.get(SEGMENT, range="bytes=-10")
    house.origin.begin(SEGMENT, 100.3, 20_000, etag=TAG)
    assert again.answer.outcome is Outcome.HIT
    house.run(0.1)
    assert house.origin.left == [SEGMENT], "the whole was asked for its length only"


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
    assert (suffix.status, suffix.got) == (200, b"x" * 1_500), "how many bytes are the last is not known: all of them"
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
