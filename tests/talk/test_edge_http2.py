"""HTTP/2 in frames, on a stepped clock: order, windows, priorities, faults, floods (RFC 9113, RFC 9218)."""

from __future__ import annotations

import dataclasses
import gc
import itertools
import weakref
from collections.abc import Callable

import pytest
from tests.edge_kit import LiveStream
from tests.h1_raw_kit import LIMITS
from tests.h2_raw_kit import GET, HELLO, SETTINGS, Raw, body_of, ended, kinds, stored

from headwater.edge.http2 import frames
from headwater.edge.http2.frames import Code, frame
from headwater.edge.message import Outcome

LIST = "/live/x/v/index.m3u8"


def over(raw: Raw) -> int:
    """The connection is over: the code."""
    last = raw.take()[-1]
    assert last.kind == frames.GOAWAY
    assert raw.pipe.closing
    return last.code


def test_byte_by_byte_and_whole_are_the_same() -> None:
    written = []
    for length in (1 << 20, 1):
        raw = Raw()
        data = HELLO + raw.headers(1) + raw.block(3, [(":method", "POST"), *GET[1:], (":path", "/b")], ends=False)
        data += frame(frames.DATA, 1, 3, b"x" * 100) + frame(frames.PING, 0, 0, b"12345678") + frames.reset(1, 8)
        data += raw.headers(5, LIST)
        for start in range(0, len(data), length):
            raw.send(data[start : start + length])
        raw.script.playlist(LIST, raw.now, LiveStream())
        written.append([(one.kind, one.flags, one.stream, one.payload) for one in raw.take()])
        raw.close()
    assert sorted(written[0]) == sorted(written[1])
    assert {frames.SETTINGS, frames.PING, frames.HEADERS, frames.DATA} == {one[0] for one in written[0]}


def test_a_hit_is_one_write_of_two_frames(raw: Raw) -> None:
    raw.hello()
    body = stored(raw, "/a.mp4", 1_500, content_type="video/mp4")
    raw.get(3, "/a.mp4")
    head, data = raw.take()
    assert (head.stream, head.flags, data.flags) == (3, frames.END_HEADERS, frames.END_STREAM)
    fields = raw.fields(head)
    assert (fields[":status"], fields["content-length"], fields["priority"]) == ("200", "1500", "u=3")
    assert data.payload == body


def test_a_head_whose_block_comes_in_pieces(raw: Raw) -> None:
    raw.hello()
    block = raw.encoder.encode([*GET, (":path", "/a"), ("x", "y" * 300)])
    raw.send(frame(frames.HEADERS, frames.END_STREAM, 1, block[:5]))
    raw.send(frame(frames.CONTINUATION, 0, 1, block[5:9]))
    raw.send(frame(frames.CONTINUATION, frames.END_HEADERS, 1, block[9:]))
    raw.answer("/a")
    assert body_of(raw.take(), 1) == b"body"


def test_the_same_request_again_is_known_by_its_block(raw: Raw) -> None:
    raw.hello()
    stored(raw, "/a", 10)
    for number in range(3, 31, 2):
        raw.get(number, "/a")
        assert ended(raw.take()) == [number]
    raw.get(31, "/b")
    assert [one.target for one, _ in raw.script.pending] == ["/b"]


WHOLE = frames.END_HEADERS | frames.END_STREAM


def repeat(raw: Raw, number: int, path: str = "/a", *, flags: int = WHOLE, before: bytes = b"") -> bytes:
    """The HEADERS of a request, alone, that have come before."""
    return frame(frames.HEADERS, flags, number, before + raw.encoder.encode([*GET, (":path", path)]))


def known(raw: Raw, size: int = 1_500, *, flags: int = WHOLE, before: bytes = b"") -> bytes:
    """`/a` is stored, and the peer has asked for it by HEADERS that it says again; the next stream is 9."""
    body = stored(raw.hello(), "/a", size)
    for number in (3, 5, 7):
        raw.send(repeat(raw, number, flags=flags, before=before))
    assert ended(raw.take()) == [3, 5, 7]
    return body


@pytest.mark.parametrize("before", [b"", b"\0\0\0\0\x10", b"\x80\0\0\0\xff"])
def test_a_known_request_that_comes_alone_is_one_write(raw: Raw, before: bytes) -> None:
    flags = WHOLE | frames.WITH_PRIORITY if before else WHOLE
    body = known(raw, flags=flags, before=before)
    hits, sent = raw.core.tally.requests[Outcome.HIT], raw.core.tally.bytes_sent
    raw.now += 2
    read = raw.connection._session.reader.frames
    raw.send(repeat(raw, 9, flags=flags, before=before))
    assert raw.connection._session.reader.frames == read, "it is not read anew"
    head, data = raw.take()
    assert (head.kind, head.flags, head.stream) == (frames.HEADERS, frames.END_HEADERS, 9)
    assert (data.kind, data.flags, data.payload) == (frames.DATA, frames.END_STREAM, body)
    assert raw.fields(head)["age"] == "2"
    assert raw.core.tally.requests[Outcome.HIT] == hits + 1
    assert raw.core.tally.bytes_sent == sent + 2 * frames.HEAD_BYTES + len(head.payload) + len(body)
    raw.send(frames.reset(9, 8))
    assert raw.take() == [], "it is closed, not idle"
    assert raw.connection.deadline == raw.now + LIMITS.idle_s
    raw.step(LIMITS.idle_s)
    assert kinds(raw.take()) == [frames.GOAWAY]


def test_known_requests_whole_and_byte_by_byte_are_the_same() -> None:
    written = []
    for length in (1 << 20, 1):
        raw = Raw()
        known(raw, 16_000)
        for number in range(9, 25, 2):
            data = repeat(raw, number)
            for start in range(0, len(data), length):
                raw.send(data[start : start + length])
            if number % 3 == 0:
                raw.send(frames.window_update(0, 16_000))
        written.append([(one.kind, one.flags, one.stream, one.payload) for one in raw.take()])
        assert raw.core.tally.requests[Outcome.HIT] == 11
        raw.close()
    assert written[0] == written[1]


@pytest.mark.parametrize("after_s", [0.0, 0.4, 0.69, 0.71, 1.0, 59.7])
def test_the_age_of_a_known_answer(raw: Raw, after_s: float) -> None:
    raw.hello()
    raw.get(1)
    raw.answer("/a", b"body", age="7")
    for number in (3, 5, 7):
        raw.now += 0.1
        raw.send(repeat(raw, number))
    raw.take()
    told = []
    for number in (9, 11):
        raw.now += after_s
        raw.send(repeat(raw, number))
        head, _ = raw.take()
        told.append(raw.fields(head)["age"])
    assert told == [str(int(7.3 + after_s)), str(int(7.3 + 2 * after_s))]


def test_a_known_request_beside_a_held_one(raw: Raw) -> None:
    known(raw)
    raw.get(9, LIST)
    raw.send(repeat(raw, 11))
    assert ended(raw.take()) == [11]
    raw.step(LIMITS.idle_s)
    assert raw.take() == [], "it is held as long as it takes"
    raw.script.playlist(LIST, raw.now, LiveStream())
    assert ended(raw.take()) == [9]


def test_a_known_request_when_its_answer_is_not_there_any_more(raw: Raw) -> None:
    known(raw)
    raw.now += 601
    raw.send(repeat(raw, 9))
    assert [one.target for one, _ in raw.script.pending] == ["/a"]
    raw.answer("/a", b"new")
    assert body_of(raw.take(), 9) == b"new"


def test_a_known_request_behind_what_waits_for_a_window(raw: Raw) -> None:
    raw.hello(INITIAL_WINDOW_SIZE=2_000)
    body = stored(raw, "/a", 1_500)
    for number in (3, 5):
        raw.send(repeat(raw, number))
    raw.take()
    raw.send(frame(frames.SETTINGS, 0, 0, b"\0\x04\0\0\0\x64"))
    raw.take()
    raw.send(repeat(raw, 7))
    assert len(body_of(raw.take(), 7)) == 100, "the stream's window"
    raw.send(frames.window_update(7, 2_000))
    assert body_of(raw.take(), 7) == body[100:]


def test_a_known_request_over_the_rate_of_its_address() -> None:
    raw = Raw(unlimited=[], requests_per_s_per_address=4)
    known(raw)
    answered = []
    for number in range(9, 25, 2):
        raw.send(repeat(raw, number))
        answered.append(raw.fields(raw.take()[0])[":status"])
    assert sorted(set(answered)) == ["200", "429"]
    assert answered.index("429") <= 4, "eight at once, four of which came before"
    raw.close()


@pytest.mark.parametrize(
    ("change", "code"),
    {
        "an old number": (lambda raw: repeat(raw, 7), Code.STREAM_CLOSED),
        "an even number": (lambda raw: repeat(raw, 10), Code.PROTOCOL_ERROR),
        "no number": (lambda raw: repeat(raw, 0), Code.PROTOCOL_ERROR),
    }.values(),
)
def test_a_known_block_does_not_excuse_its_frame(raw: Raw, change: Callable[[Raw], bytes], code: Code) -> None:
    known(raw)
    raw.send(change(raw))
    assert over(raw) == code


def test_a_known_block_that_depends_on_its_own_stream(raw: Raw) -> None:
    known(raw)
    raw.send(repeat(raw, 9, flags=WHOLE | frames.WITH_PRIORITY, before=b"\0\0\0\x09\x10"))
    [reset] = raw.take()
    assert (reset.kind, reset.code) == (frames.RST_STREAM, Code.PROTOCOL_ERROR)


def test_a_known_block_whose_frame_says_another_length(raw: Raw) -> None:
    known(raw)
    data = repeat(raw, 9)
    raw.send(data[:2] + bytes([data[2] + 1]) + data[3:])
    assert raw.take() == [], "a byte is to come"
    raw.step(LIMITS.header_s)
    assert over(raw) == Code.NO_ERROR


def test_a_known_block_inside_of_another_one(raw: Raw) -> None:
    known(raw)
    raw.send(frame(frames.HEADERS, frames.END_STREAM, 9, b"\x82"))
    raw.send(repeat(raw, 11))
    assert over(raw) == Code.PROTOCOL_ERROR


def test_a_known_request_after_goaway(raw: Raw) -> None:
    known(raw)
    raw.get(9, LIST)
    raw.connection.drain()
    raw.send(repeat(raw, 11))
    assert kinds(raw.take()) == [frames.GOAWAY], "it is for another connection"
    raw.script.playlist(LIST, raw.now, LiveStream())
    raw.take()


def test_held_requests_wait_and_a_reset_cancels_one_rule_161(raw: Raw) -> None:
    raw.hello()
    stream = LiveStream()
    raw.get(1, LIST)
    raw.script.playlist(LIST, raw.now, stream)
    raw.take()
    held = f"{LIST}?_HLS_msn={stream.msn}&_HLS_part=0"
    for number in (3, 5, 7):
        raw.get(number, held)
    assert raw.core.tally.held == 3
    raw.send(frames.reset(5, Code.CANCEL))
    assert raw.core.tally.held == 2
    stream.step()
    raw.script.playlist(raw.script.targets[0], raw.now, stream)
    assert sorted(ended(raw.take())) == [3, 7]


def test_the_end_of_the_connection_cancels_all(raw: Raw) -> None:
    raw.hello()
    for number in (1, 3, 5):
        raw.get(number, f"/a{number}")
    assert raw.core.tally.held == 3
    raw.connection.connection_lost(ConnectionResetError())
    assert raw.core.tally.held == 0


def test_windows_of_streams_and_of_the_connection(raw: Raw) -> None:
    raw.hello(INITIAL_WINDOW_SIZE=1_000)
    body = stored(raw, "/a", 40_000)
    raw.send(frames.reset(1, 8))
    raw.get(3, "/a")
    assert len(body_of(raw.take(), 3)) == 1_000
    raw.send(frames.window_update(3, 500))
    assert len(body_of(raw.take(), 3)) == 500
    raw.send(frames.settings({frames.INITIAL_WINDOW_SIZE: 0}))
    raw.send(frames.window_update(3, 600))
    assert body_of(raw.take(), 3) == b"", "its window is below 0 (6.9.2)"
    raw.send(frames.settings({frames.INITIAL_WINDOW_SIZE: 100_000}))
    found = raw.take()
    assert ended(found) == [3]
    assert all(len(one.payload) <= 16_384 for one in found)
    assert len(body) == 1_500 + len(body_of(found, 3))


def test_the_window_of_the_connection_holds_all_streams(raw: Raw) -> None:
    raw.hello()
    raw.get(1, "/a")
    raw.answer("/a", b"x" * 60_000)
    assert ended(raw.take()) == [1]
    raw.get(3, "/a").get(5, "/a").get(7, "/healthz")
    found = raw.take()
    assert len(body_of(found, 3)) == 5_535
    assert kinds(found).count(frames.HEADERS) == 3, "heads are not held by windows (6.9)"
    raw.send(frames.window_update(0, 200_000))
    assert ended(raw.take()) == [3, 5, 7]
    assert not raw.connection._session.streams


def test_rule_139_playlists_go_before_media(raw: Raw) -> None:
    raw.hello()
    raw.get(1, LIST)
    raw.script.playlist(LIST, raw.now, LiveStream())
    raw.take()
    media = [("/v.mp4", 3), ("/w.mp4", 5)]
    for path, number in media:
        raw.get(number, path)
        raw.answer(path, b"x" * 30_000, content_type="video/mp4")
    raw.take()  # the window of the connection is nearly used up
    raw.get(7, "/v.mp4").get(9, LIST)
    raw.take()
    raw.send(frames.window_update(0, 500_000))
    assert ended(raw.take())[0] == 9


def test_urgency_of_the_request_and_its_update(raw: Raw) -> None:
    raw.hello()
    stored(raw, "/a", 60_000)
    raw.connection._session.sender.window = 0
    raw.get(3, "/a", ("priority", "u=6")).get(5, "/a", ("priority", "u=2")).get(7, "/a")
    raw.send(frame(frames.PRIORITY_UPDATE, 0, 0, (3).to_bytes(4, "big") + b"u=0"))
    raw.send(frames.window_update(0, 1 << 20))
    assert ended(raw.take()) == [5, 7, 3]


def test_streams_that_are_incremental_take_turns(raw: Raw) -> None:
    raw.hello(INITIAL_WINDOW_SIZE=1 << 20)
    stored(raw, "/a", 200_000)
    raw.send(frames.window_update(0, 1 << 20))
    raw.connection._session.sender.window = 0
    for number, field in ((3, "i"), (5, "i"), (7, "u=3")):
        raw.get(number, "/a", ("priority", field))
    raw.send(frames.window_update(0, 1 << 20))
    order = [key for key, _ in itertools.groupby(one.stream for one in raw.take() if one.kind == frames.DATA)]
    assert order[:2] == [3, 5]
    assert order.count(3) > 1


def test_more_streams_than_allowed_are_refused(raw: Raw) -> None:
    raw.hello()
    for number in range(1, 2 * LIMITS.streams + 3, 2):
        raw.get(number, f"/{number}")
    (refused,) = raw.take()
    assert (refused.kind, refused.stream, refused.code) == (frames.RST_STREAM, 2 * LIMITS.streams + 1, 7)
    assert raw.core.tally.held == LIMITS.streams
    assert raw.refused == {"h2-refused-stream": 1}


def test_drain_says_goaway_answers_what_is_held_and_ends(raw: Raw) -> None:
    raw.hello()
    stream = LiveStream()
    raw.get(1, LIST)
    raw.script.playlist(LIST, raw.now, stream)
    raw.get(3, f"{LIST}?_HLS_msn={stream.msn}&_HLS_part=0")
    raw.take()
    raw.shared.drain()
    (goaway,) = raw.take()
    assert (goaway.kind, frames.number(goaway.payload), goaway.code) == (frames.GOAWAY, 3, 0)
    raw.get(5)
    assert raw.take() == [] and not raw.pipe.closing
    raw.core.drain(raw.now)
    assert ended(raw.take()) == [3]
    assert raw.pipe.closing


def test_a_target_that_is_refused_ends_the_connection_after_its_answer(raw: Raw) -> None:
    raw.hello().get(1, "/a%00")
    found = raw.take()
    assert raw.fields(next(one for one in found if one.kind == frames.HEADERS))[":status"] == "400"
    assert frames.GOAWAY in kinds(found)
    assert raw.pipe.closing


def test_trailers_end_a_request_and_lengths_have_to_agree(raw: Raw) -> None:
    raw.hello()
    post = [(":method", "POST"), *GET[1:], (":path", "/a")]
    raw.send(raw.block(1, post, ends=False) + frame(frames.DATA, 0, 1, b"abc"))
    raw.send(raw.block(1, [("x", "y")]))
    assert raw.fields(raw.take()[0])[":status"] == "405"
    raw.send(raw.block(3, [*post, ("content-length", "5")], ends=False) + frame(frames.DATA, 1, 3, b"abc"))
    raw.send(raw.block(5, [*post, ("content-length", "2")], ends=False) + frame(frames.DATA, 1, 5, b"abc"))
    raw.send(raw.block(7, post, ends=False) + raw.block(7, [("x", "y")], ends=False))
    assert [(one.stream, one.code) for one in raw.take()] == [(3, 1), (5, 1), (7, 1)]


def test_a_body_that_is_too_large_is_answered_at_once_and_dropped(raw: Raw) -> None:
    raw.hello()
    raw.send(raw.block(1, [(":method", "POST"), *GET[1:], (":path", "/"), ("content-length", "70000")], ends=False))
    head, _, reset = raw.take()
    assert raw.fields(head)[":status"] == "413"
    assert (reset.kind, reset.code) == (frames.RST_STREAM, 0)
    raw.send(frame(frames.DATA, 0, 1, b"x" * 16_000) * 3)
    assert kinds(raw.take()) == [frames.WINDOW_UPDATE], "what was on its way counts for the connection's window"


def test_a_whole_body_gets_its_window(raw: Raw) -> None:
    raw.hello()
    raw.send(raw.block(1, [(":method", "POST"), *GET[1:], (":path", "/")], ends=False))
    for _ in range(4):
        raw.send(frame(frames.DATA, 0, 1, b"x" * 16_000))
    raw.send(frame(frames.DATA, 0, 1, b"x" * 2_000))
    found = raw.take()
    assert {one.stream for one in found if one.kind == frames.WINDOW_UPDATE} == {0, 1}
    assert next(raw.fields(one) for one in found if one.kind == frames.HEADERS)[":status"] == "413"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", Code.PROTOCOL_ERROR),
        (frames.PREFACE + frame(frames.PING, 0, 0, b"12345678"), Code.PROTOCOL_ERROR),
        (HELLO + frame(frames.DATA, 0, 1, b"x"), Code.PROTOCOL_ERROR),
        (HELLO + frame(frames.DATA, 0, 0, b"x"), Code.PROTOCOL_ERROR),
        (HELLO + frame(frames.HEADERS, 5, 2, b""), Code.PROTOCOL_ERROR),
        (HELLO + frame(frames.HEADERS, 5, 1, b"\xff\xff\xff\xff\xff\xff"), Code.COMPRESSION_ERROR),
        (HELLO + frame(frames.HEADERS, 1, 1, b"") + frame(frames.PING, 0, 0, b"12345678"), Code.PROTOCOL_ERROR),
        (HELLO + frame(frames.HEADERS, 0x0D, 1, b"\x05abc"), Code.PROTOCOL_ERROR),
        (HELLO + frame(frames.HEADERS, 0x25, 1, b"\0\0\0"), Code.FRAME_SIZE_ERROR),
        (HELLO + frame(frames.CONTINUATION, 4, 1, b""), Code.PROTOCOL_ERROR),
        (HELLO + frame(frames.PUSH_PROMISE, 4, 1, b"\0\0\0\2"), Code.PROTOCOL_ERROR),
        (HELLO + frame(frames.RST_STREAM, 0, 1, b"\0\0\0\2"), Code.PROTOCOL_ERROR),
        (HELLO + frame(frames.PING, 0, 0, b"1234567"), Code.FRAME_SIZE_ERROR),
        (HELLO + frame(frames.SETTINGS, 0, 0, b"1234567"), Code.FRAME_SIZE_ERROR),
        (HELLO + frame(frames.SETTINGS, 1, 0, b"123456"), Code.FRAME_SIZE_ERROR),
        (HELLO + frames.settings({frames.INITIAL_WINDOW_SIZE: 1 << 31}), Code.FLOW_CONTROL_ERROR),
        (HELLO + frames.settings({frames.ENABLE_PUSH: 2}), Code.PROTOCOL_ERROR),
        (HELLO + frames.settings({frames.MAX_FRAME_SIZE: 1}), Code.PROTOCOL_ERROR),
        (HELLO + frames.window_update(0, 0), Code.PROTOCOL_ERROR),
        (HELLO + frames.window_update(0, (1 << 31) - 1), Code.FLOW_CONTROL_ERROR),
        (HELLO + frames.window_update(9, 1_000), Code.PROTOCOL_ERROR),
        (HELLO + frame(frames.GOAWAY, 0, 0, b""), Code.FRAME_SIZE_ERROR),
        (HELLO + frame(frames.GOAWAY, 0, 1, b"12345678"), Code.PROTOCOL_ERROR),
        (HELLO + frame(frames.PRIORITY_UPDATE, 0, 0, b"\0\0\0\0u=1"), Code.PROTOCOL_ERROR),
        (HELLO + b"\x00\x40\x01\x00\x00\x00\x00\x00\x01", Code.FRAME_SIZE_ERROR),
    ],
)
def test_faults_that_end_the_connection(raw: Raw, data: bytes, code: Code) -> None:
    raw.send(data)
    assert over(raw) == code
    raw.get(11)
    assert raw.take() == []
    assert raw.script.seen == []


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda raw: raw.block(3, [*GET]), 1),
        (lambda raw: raw.headers(3, "/a", ("connection", "x")), 1),
        (lambda raw: frames.window_update(1, 0), 1),
        (lambda raw: frames.window_update(1, (1 << 31) - 1), 3),
        (lambda raw: frame(frames.PRIORITY, 0, 1, b"\0"), 6),
        (lambda raw: frame(frames.PRIORITY, 0, 1, b"\0\0\0\1\0"), 1),
        (lambda raw: frame(frames.DATA, 1, 1, b"x"), 5),
        (lambda raw: raw.headers(1), 5),
    ],
)
def test_faults_that_end_one_stream(raw: Raw, make: Callable[[Raw], bytes], code: int) -> None:
    raw.hello().get(1, "/held")
    raw.send(make(raw))
    (reset,) = raw.take()
    assert (reset.kind, reset.code) == (frames.RST_STREAM, code)
    assert not raw.pipe.closing
    raw.get(9)
    raw.answer("/a")
    assert ended(raw.take()) == [9]


def test_numbers_of_closed_streams(raw: Raw) -> None:
    raw.hello()
    stored(raw, "/a", 10)
    raw.get(5, "/a")
    raw.take()
    raw.send(frames.window_update(5, 10_000) + frames.reset(5, 8) + frame(frames.PRIORITY, 0, 5, b"\0\0\0\3\0"))
    assert raw.take() == [] and not raw.pipe.closing
    raw.send(raw.headers(5))
    assert over(raw) == Code.STREAM_CLOSED


def test_a_number_below_the_last_one(raw: Raw) -> None:
    raw.hello().get(5)
    raw.send(raw.headers(3))
    assert over(raw) == Code.PROTOCOL_ERROR


FLOODS: dict[str, Callable[[Raw, int], bytes]] = {
    "resets (CVE-2023-44487)": lambda raw, n: raw.headers(2 * n + 1) + frames.reset(2 * n + 1, 8),
    "streams that we have to reset (CVE-2025-8671)": lambda raw, n: raw.block(2 * n + 1, GET),
    "ping": lambda raw, n: frame(frames.PING, 0, 0, b"12345678"),
    "settings": lambda raw, n: SETTINGS,
    "priority": lambda raw, n: frame(frames.PRIORITY, 0, 2 * n + 1, b"\0\0\0\0\0"),
    "not known": lambda raw, n: frame(0x77, 0, 0, b""),
    "windows that hardly grow": lambda raw, n: frames.window_update(0, 1),
    "empty data": lambda raw, n: (
        raw.block(1, [(":method", "POST"), *GET[1:], (":path", "/")], ends=False) if n == 0 else b""
    ) + frame(frames.DATA, 0, 1, b""),
}  # fmt: skip


@pytest.mark.parametrize("flood", FLOODS)
def test_floods_are_ended(raw: Raw, flood: str) -> None:
    raw.hello()
    for number in range(1_000):
        raw.send(FLOODS[flood](raw, number))
        if raw.pipe.closing:
            break
    assert 190 < number < 250
    assert over(raw) == Code.ENHANCE_YOUR_CALM
    assert raw.core.tally.held == 0
    assert raw.refused["h2-enhance-your-calm"] == 1
    assert len(raw.pipe.written) < 60_000


@pytest.mark.parametrize("flood", ["ping", "resets (CVE-2023-44487)"])
def test_the_same_at_a_human_pace_is_none(raw: Raw, flood: str) -> None:
    raw.hello()
    for number in range(600):
        raw.send(FLOODS[flood](raw, number))
        raw.now += 0.02
    assert not raw.pipe.closing


def test_a_header_block_that_never_ends(raw: Raw) -> None:
    raw.hello().send(frame(frames.HEADERS, 1, 1, b""))
    for number in range(100):
        raw.send(frame(frames.CONTINUATION, 0, 1, b"" if number % 2 else b"\x00\x01a\x01b"))
        if raw.pipe.closing:
            break
    assert number < 20
    assert over(raw) == Code.ENHANCE_YOUR_CALM


def test_a_small_block_that_stands_for_a_large_list(raw: Raw) -> None:
    raw.hello()
    raw.send(raw.headers(1, "/a", ("x", "y" * 1_500)))
    raw.answer("/a")
    raw.take()
    block = raw.encoder.encode([*GET, (":path", "/a"), *[("x", "y" * 1_500)] * 300])
    assert len(block) < 1_000
    raw.send(frame(frames.HEADERS, 5, 3, block))
    assert raw.fields(raw.take()[0])[":status"] == "431"
    raw.get(5)
    assert ended(raw.take()) == [5]


def test_requests_of_an_address_are_limited(raw: Raw) -> None:
    limited = Raw(unlimited=[], requests_per_s_per_address=5)
    limited.hello()
    for number in range(1, 41, 2):
        limited.get(number, "/healthz")
    statuses = [limited.fields(one)[":status"] for one in limited.take() if one.kind == frames.HEADERS]
    assert statuses[:9] == ["200"] * 9
    assert set(statuses[9:]) == {"429"}
    limited.close()


def test_a_peer_with_a_smaller_table_is_told_that_ours_is_empty(raw: Raw) -> None:
    raw.hello(HEADER_TABLE_SIZE=100)
    raw.decoder.max_allowed_table_size = 100
    raw.get(1, "/healthz").get(3, "/healthz")
    heads = [one for one in raw.take() if one.kind == frames.HEADERS]
    assert [raw.fields(one)[":status"] for one in heads] == ["200", "200"]
    assert heads[0].payload[:1] == b"\x20" != heads[1].payload[:1]


def test_a_connection_that_is_gone_leaves_no_cycle() -> None:
    raw = Raw().hello()
    raw.get(1, "/held").get(3, "/healthz")
    raw.connection.connection_lost(None)
    raw.answer("/held")
    seen = weakref.ref(raw.connection._session)
    gc.collect()
    gc.disable()
    try:
        raw.pipe.protocol = None
        del raw.connection
        assert seen() is None
    finally:
        gc.enable()
        raw.loop.close()


def test_the_limits_are_those_of_the_settings() -> None:
    from headwater.config.settings import EdgeHttp
    from headwater.edge.listener import Limits

    limits = Limits.of(EdgeHttp.model_validate({"tls": {"streams": 7}}))
    assert limits.streams == 7
    raw = Raw(dataclasses.replace(LIMITS, streams=7))
    values = frames.read_settings(raw.take()[0].payload)
    assert values[frames.MAX_CONCURRENT_STREAMS] == 7
    assert values[frames.MAX_HEADER_LIST_SIZE] == LIMITS.header_bytes
    raw.close()
