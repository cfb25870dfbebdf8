"""HTTP/2 and time: windows that stay shut, readers that stop, requests that do not end, bodies that still grow."""

from __future__ import annotations

import pytest
from tests.h1_raw_kit import LIMITS
from tests.h2_raw_kit import GET, HELLO, Raw, body_of, ended, kinds, stored

from headwater.edge.growing import Growing
from headwater.edge.http2 import frames
from headwater.edge.http2.frames import Code, frame
from headwater.edge.message import Entity, Outcome, Response

LIST = "/live/x/v/index.m3u8"


def test_tiny_windows_are_noise(raw: Raw) -> None:
    raw.hello(INITIAL_WINDOW_SIZE=0)
    raw.get(1, "/a")
    raw.answer("/a", b"x" * 60_000)
    sent = 0
    while not raw.pipe.closing and sent < 1_000:
        raw.send(frames.window_update(1, 1))
        sent += 1
    assert sent < 210


def test_a_stream_whose_window_stays_shut_is_reset_and_the_others_go_on(raw: Raw) -> None:
    raw.hello(INITIAL_WINDOW_SIZE=1_000)
    stored(raw, "/a", 40_000)
    raw.send(frames.reset(1, 8))
    raw.get(3, "/a")
    raw.take()
    raw.step(LIMITS.write_stall_s - 1)
    assert raw.take() == []
    raw.step(2)
    assert [(one.kind, one.stream, one.code) for one in raw.take()] == [(frames.RST_STREAM, 3, 8)]
    assert raw.core.tally.slow_closed == 1
    raw.get(5, "/healthz")
    assert ended(raw.take()) == [5]


def test_a_stream_that_is_read_a_little_at_a_time_has_its_time(raw: Raw) -> None:
    raw.hello(INITIAL_WINDOW_SIZE=1_000)
    stored(raw, "/a", 40_000)
    raw.send(frames.reset(1, 8))
    raw.get(3, "/a")
    raw.take()
    seconds = 0
    while not any(one.kind == frames.RST_STREAM for one in raw.take()):
        raw.step(1)
        seconds += 1
        raw.send(frames.window_update(3, 256))
    assert LIMITS.write_stall_s < seconds < 25


def test_the_connections_window_that_stays_shut(raw: Raw) -> None:
    raw.hello()
    raw.get(1, "/a")
    raw.answer("/a", b"x" * 200_000)
    raw.step(LIMITS.write_stall_s + 1)
    assert raw.pipe.aborted
    assert raw.core.tally.slow_closed == 1


def test_a_transport_that_is_not_read(raw: Raw) -> None:
    raw.hello(INITIAL_WINDOW_SIZE=1 << 24)
    raw.send(frames.window_update(0, 1 << 24))
    raw.pipe.stuck = True
    raw.get(1, "/a")
    raw.answer("/a", b"x" * 3_000_000)
    assert len(raw.pipe.written) < LIMITS.write_high_bytes + 200_000, "no more is written than is asked for"
    raw.send(frame(frames.PING, 0, 0, b"12345678") * 50)
    raw.step(LIMITS.write_stall_s - 1)
    raw.pipe.read(50_000)
    raw.step(2)
    assert not raw.pipe.closing, "slow, but reading"
    raw.step(LIMITS.write_stall_s + 1)
    assert raw.pipe.aborted
    assert raw.core.tally.slow_closed == 1


def test_a_transport_that_is_read_again_goes_on(raw: Raw) -> None:
    raw.hello(INITIAL_WINDOW_SIZE=1 << 24)
    raw.send(frames.window_update(0, 1 << 24))
    raw.pipe.stuck = True
    raw.get(1, "/a")
    raw.answer("/a", b"x" * 1_000_000)
    raw.pipe.stuck, raw.pipe.unsent = False, 0
    raw.connection.resume_writing()
    found = raw.take()
    assert len(body_of(found, 1)) == 1_000_000
    assert ended(found) == [1]


def test_silence_and_requests_that_do_not_end() -> None:
    for data, seconds in ((b"", 10), (frames.PREFACE, 10), (HELLO + b"\0\0", 10), (HELLO, 30)):
        raw = Raw().send(data)
        raw.step(seconds - 1)
        assert not raw.pipe.closing
        raw.step(2)
        assert raw.pipe.closing, data
        assert raw.take()[-1].kind == frames.GOAWAY
        raw.close()


def test_pings_do_not_keep_a_connection_and_held_requests_do(raw: Raw) -> None:
    raw.hello()
    for _ in range(4):
        raw.step(7)
        raw.send(frame(frames.PING, 0, 0, b"12345678"))
    raw.get(1, "/held")
    raw.step(100)
    assert not raw.pipe.closing
    raw.answer("/held")
    raw.step(29)
    assert not raw.pipe.closing
    raw.step(2)
    assert raw.pipe.closing


def test_a_request_whose_body_does_not_come(raw: Raw) -> None:
    raw.hello().send(raw.block(1, [(":method", "POST"), *GET[1:], (":path", "/")], ends=False))
    raw.step(11)
    found = raw.take()
    assert raw.fields(found[0])[":status"] == "408"
    assert found[-1].kind == frames.RST_STREAM
    assert raw.refused == {"slow-request": 1}


def test_streams_that_are_reset_leave_the_queues(raw: Raw) -> None:
    raw.hello()
    raw.get(1, "/a")
    raw.answer("/a", b"x" * 65_535)
    raw.take()
    sender = raw.connection._session.sender
    for number in range(3, 203, 2):
        raw.get(number, "/a")
        assert sender.stuck
        raw.send(frames.reset(number, 8))
        assert not sender.stuck
        raw.now += 0.1
    raw.connection.pause_writing()
    for number in range(203, 303, 2):
        raw.get(number, "/healthz")
        raw.send(frames.reset(number, 8))
        raw.now += 0.01
    assert not sender.waiting
    raw.connection.resume_writing()
    raw.send(frames.window_update(0, 1 << 20))
    raw.get(303, "/a")
    assert ended(raw.take()) == [303]


@pytest.mark.parametrize("how", ["ends with a piece", "ends later", "breaks"])
@pytest.mark.parametrize("span", [None, (2, 7), (1, None)])
def test_a_body_that_is_still_growing(raw: Raw, how: str, span: tuple[int, int | None] | None) -> None:
    raw.hello()
    growing = Growing(10)
    growing.append(b"012")
    entity = Entity(200, (("Content-Type", "video/mp4"),), b"", received=0.0)
    raw.get(1, "/held")
    stream = raw.connection._session.streams[1]
    assert stream.ticket is not None
    stream.ticket.cancel()
    raw.connection._reply(stream, Response(entity, Outcome.FETCH, 0, growing=growing, span=span))
    growing.append(b"3456")
    if how == "ends with a piece":
        growing.append(b"789")
    elif how == "ends later":
        growing.append(b"789")
        growing.finish()
    else:
        growing.finish(broken=True)
    found = raw.take()
    whole = b"0123456789" if how != "breaks" else b"0123456"
    first, end = span or (0, None)
    assert body_of(found, 1) == whole[first:end]
    assert raw.fields(found[0])["content-length"] == str((end or 10) - first)
    if how == "breaks" and end is None:
        assert (found[-1].kind, found[-1].code) == (frames.RST_STREAM, Code.INTERNAL_ERROR)
    else:
        assert ended(found) == [1]
    assert growing.readers == 0
    assert raw.connection._session.streams == {}


def test_a_reader_that_leaves_a_growing_body_watches_no_more(raw: Raw) -> None:
    raw.hello()
    growing = Growing(None)
    raw.get(1, "/held")
    stream = raw.connection._session.streams[1]
    assert stream.ticket is not None
    stream.ticket.cancel()
    entity = Entity(200, (), b"", received=0.0)
    raw.connection._reply(stream, Response(entity, Outcome.FETCH, 0, growing=growing))
    assert "content-length" not in raw.fields(raw.take()[0])
    raw.send(frames.reset(1, 8))
    assert growing.readers == 0
    growing.append(b"late")
    assert raw.take() == []


def grown(raw: Raw, number: int, growing: Growing, span: tuple[int, int | None] | None = None) -> None:
    """A request that is answered with a body which still comes."""
    raw.get(number, "/held")
    stream = raw.connection._session.streams[number]
    assert stream.ticket is not None
    stream.ticket.cancel()
    entity = Entity(200, (), b"", received=0.0)
    raw.connection._reply(stream, Response(entity, Outcome.FETCH, 0, growing=growing, span=span))


def test_a_short_range_of_a_growing_body_leaves_no_reader(raw: Raw) -> None:
    raw.hello()
    growing = Growing(None)
    growing.append(b"0123456789")
    grown(raw, 1, growing, (0, 1))
    assert body_of(raw.take(), 1) == b"0"
    assert growing.readers == 0


def test_a_growing_body_that_is_read_as_it_comes_is_never_cut_off(raw: Raw) -> None:
    """The window is used up again and again, but not for long: each time is another one."""
    raw.hello()
    growing = Growing(None)
    grown(raw, 1, growing)
    raw.take()
    taken = 0
    for _ in range(120):
        growing.append(bytes(40_000))
        raw.step(0.5)
        found = raw.take()
        taken += len(body_of(found, 1))
        assert frames.RST_STREAM not in kinds(found) and not raw.pipe.closing
        raw.send(frames.window_update(1, 40_000) + frames.window_update(0, 40_000))
    assert taken > 4_000_000


def test_a_process_that_makes_way_ends_with_the_next_answer(raw: Raw) -> None:
    raw.hello()
    raw.get(1, "/healthz")
    raw.take()
    raw.shared.draining = True
    raw.get(3, "/healthz")
    found = raw.take()
    assert ended(found) == [3]
    assert found[-1].kind == frames.GOAWAY
    assert raw.pipe.closing


@pytest.mark.parametrize(
    "noise", [frames.frame(frames.SETTINGS, frames.ACK, 0, b""), frames.window_update(1, 1_000)], ids=["ack", "window"]
)
def test_frames_that_mean_nothing_are_noise(raw: Raw, noise: bytes) -> None:
    raw.hello()
    raw.get(1, "/healthz")
    sent = 0
    while not raw.pipe.closing and sent < 1_000:
        raw.send(noise)
        sent += 1
    assert 100 < sent < 210
