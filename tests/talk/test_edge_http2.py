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
from tests.h2_raw_kit import GET, HELLO, SETTINGS, Raw, body_of, ended, kinds, over, stored

from headwater.edge.http2 import frames
from headwater.edge.http2.frames import Code, frame

LIST = "/live/x/v/index.m3u8"


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
