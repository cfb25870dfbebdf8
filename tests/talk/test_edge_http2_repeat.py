"""Requests that a connection repeats: answered without being read, and in all as if they were read."""

from __future__ import annotations

import random
import weakref
from collections.abc import Callable, Iterator

import pytest
from tests.edge_kit import LiveStream
from tests.h1_raw_kit import LIMITS
from tests.h2_raw_kit import GET, Frame, Raw, body_of, ended, kinds, over, stored
from tests.profile import DEEP

from headwater.edge.http2 import frames
from headwater.edge.http2.block import TABLE_OFF, Ready
from headwater.edge.http2.frames import Code, frame
from headwater.edge.message import Outcome
from headwater.edge.purge import Order, What

LIST = "/live/x/v/index.m3u8"


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


@pytest.mark.parametrize("size", [0, 1, 16_383, 16_384, 16_385, 32_768, 60_000, 65_535, 65_536, 200_000])
def test_every_size_is_sent_as_if_it_was_read(size: int) -> None:
    came = []
    for length in (1 << 20, 3):
        raw = Raw()
        raw.hello(INITIAL_WINDOW_SIZE=1 << 20).send(frames.window_update(0, 1 << 24))
        body = stored(raw, "/a", size)
        for number in range(3, 13, 2):
            data = repeat(raw, number)
            for start in range(0, len(data), length):
                raw.send(data[start : start + length])
        found = raw.take()
        assert [body_of(found, number) for number in range(3, 13, 2)] == [body] * 5
        came.append([(one.kind, one.flags, one.stream, one.payload) for one in found])
        raw.close()
    assert came[0] == came[1]


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


def test_a_known_request_as_the_content_of_another_frame(raw: Raw) -> None:
    known(raw)
    inside = repeat(raw, 9)
    raw.send(frame(0x99, 0, 0, inside)[: frames.HEAD_BYTES])
    raw.send(inside)
    assert raw.take() == [], "what is not known is ignored"
    raw.send(repeat(raw, 9))
    assert ended(raw.take()) == [9]


def test_a_table_that_is_given_up_is_said_first(raw: Raw) -> None:
    known(raw)
    raw.send(frames.settings({frames.HEADER_TABLE_SIZE: 0}))
    raw.take()
    raw.send(repeat(raw, 9))
    assert raw.take()[0].payload[:1] == TABLE_OFF
    raw.send(repeat(raw, 11))
    assert raw.take()[0].payload[:1] != TABLE_OFF


def test_while_the_server_is_retired_it_is_the_last_one(raw: Raw) -> None:
    known(raw)
    raw.shared.draining = True
    raw.send(repeat(raw, 9))
    found = raw.take()
    assert ended(found) == [9]
    assert frames.GOAWAY in kinds(found)


def test_under_strain_newcomers_are_shed(raw: Raw) -> None:
    known(raw)
    raw.now += 100
    raw.shared.guard.shedding = raw.shared.guard.strained = True
    raw.send(repeat(raw, 9))
    assert raw.fields(raw.take()[0])[":status"] == "503"


def test_who_repeats_is_watching(raw: Raw) -> None:
    known(raw)
    raw.now += 100
    raw.send(repeat(raw, 9))
    assert raw.shared.guard.watches(raw.connection._guest, raw.now)


def test_a_proxys_connection_is_read(raw: Raw) -> None:
    assert raw.connection._caller is not None
    raw.connection._caller.proxies = True
    known(raw)
    before = raw.connection._session.reader.frames
    raw.send(repeat(raw, 9))
    assert ended(raw.take()) == [9]
    assert raw.connection._session.reader.frames == before + 1


@pytest.mark.parametrize("soft", [False, True])
def test_a_purge_is_obeyed_at_once(raw: Raw, soft: bool) -> None:
    known(raw)
    raw.send(repeat(raw, 9))
    assert ended(raw.take()) == [9]
    kept = raw.core.store.get("/a")
    raw.core.purge(Order(What.URL, "/a", soft=soft), raw.now)
    raw.send(repeat(raw, 11))
    assert kept is not None, "somebody still reads it"
    assert [one.target for one, _ in raw.script.pending] == ["/a"]
    raw.answer("/a", b"new")
    assert body_of(raw.take(), 11) == b"new"


def test_what_was_purged_is_kept_by_nobody(raw: Raw) -> None:
    known(raw, 20_000)
    entity = raw.core.store.get("/a")
    assert entity is not None
    kept = [weakref.ref(one) for one in entity.wire.values() if isinstance(one, Ready)]
    assert [one() is not None for one in kept] == [True]
    del entity
    raw.core.purge(Order(What.URL, "/a"), raw.now)
    assert kept[0]() is None


def test_what_was_confirmed_has_its_new_age(raw: Raw) -> None:
    raw.hello()
    raw.get(1)
    raw.answer("/a", b"body", cache_control="max-age=1", etag='"e"')
    for number in (3, 5, 7):
        raw.send(repeat(raw, number))
    raw.now += 1
    raw.send(repeat(raw, 9))
    raw.script.answer("/a", raw.now, b"", 304, cache_control="max-age=60", etag='"e"', age="30")
    raw.take()
    raw.send(repeat(raw, 11))
    head, _ = raw.take()
    assert raw.fields(head)["age"] == "30"


def test_goaway_names_the_last_one_that_was_repeated(raw: Raw) -> None:
    known(raw)
    for number in range(9, 900, 2):
        raw.send(repeat(raw, number))
        if number % 40 == 1:
            raw.send(frames.window_update(0, 1 << 15))
    raw.take()
    raw.connection.drain()
    [going] = raw.take()
    assert int.from_bytes(going.payload[:4], "big") == 899


@pytest.mark.parametrize(("number", "code"), [(13, Code.STREAM_CLOSED), (899, Code.STREAM_CLOSED), (1, None)])
def test_a_number_that_was_repeated_is_closed(raw: Raw, number: int, code: Code | None) -> None:
    known(raw, 10)
    for each in range(9, 901, 2) if number != 13 else range(9, 15, 2):
        raw.send(repeat(raw, each))
    raw.take()
    raw.send(repeat(raw, number))
    assert over(raw) == (code or Code.PROTOCOL_ERROR), "of the very old ones nothing is remembered"


def test_one_that_leaves_a_number_out(raw: Raw) -> None:
    known(raw)
    raw.send(repeat(raw, 13))
    assert ended(raw.take()) == [13]
    raw.send(repeat(raw, 11))
    assert over(raw) == Code.PROTOCOL_ERROR, "it is closed, and was none"


def test_what_is_repeated_keeps_the_connection(raw: Raw) -> None:
    known(raw, 10)
    for number in range(9, 29, 2):
        raw.step(LIMITS.idle_s * 0.7)
        raw.send(repeat(raw, number))
        assert ended(raw.take()) == [number]
    raw.step(LIMITS.idle_s * 0.9)
    assert raw.take() == []
    raw.step(LIMITS.idle_s * 0.2)
    assert kinds(raw.take()) == [frames.GOAWAY]


class Talk:
    """Two connections that are told the same; one of them reads all that comes."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.both = Raw(), Raw()
        self.both[1].connection._repeats = {}  # what is known stays known to the session
        self.number = 7
        size = dice.choice([1_500, 1_500, 20_000])
        for raw in self.both:
            raw.hello()
            stored(raw, "/a", size)
            raw.send(raw.headers(3, "/b"))
            raw.answer("/b", b"b" * 200, cache_control="max-age=3")
            for number in (5, 7):
                raw.send(raw.headers(number, "/a") if number == 5 else raw.headers(number, "/b"))

    def each(self, say: Callable[[Raw], object]) -> None:
        state = self.dice.getstate()
        for raw in self.both:
            self.dice.setstate(state)
            say(raw)

    def ask(self, step: int = 2) -> None:
        self.number += step
        self.each(lambda raw: raw.send(raw.headers(self.number, self.dice.choice(["/a", "/a", "/b"]))))

    def ask_anew(self) -> None:
        self.number += 2
        self.each(lambda raw: raw.send(raw.headers(self.number, "/a", ("x-new", str(self.dice.random())))))

    def be_held(self) -> None:
        self.number += 2
        self.each(lambda raw: raw.send(raw.headers(self.number, f"{LIST}?_HLS_msn={self.dice.randrange(3, 99)}")))

    def ask_many(self) -> None:
        numbers = [self.number + 2, self.number + 4, self.number + 6]
        self.number += 6
        self.each(lambda raw: raw.send(b"".join(raw.headers(number, "/a") for number in numbers)))

    def ask_with_an_old_number(self) -> None:
        self.each(lambda raw: raw.send(raw.headers(self.dice.randrange(1, self.number + 2, 2), "/a")))

    def reset(self) -> None:
        self.each(lambda raw: raw.send(frames.reset(max(1, self.number - 2 * self.dice.randrange(3)), 8)))

    def widen(self) -> None:
        self.each(lambda raw: raw.send(frames.window_update(0, self.dice.randrange(300, 12_000))))

    def resize(self) -> None:
        size = self.dice.choice([0, 1_000, 20_000, 65_535])
        self.each(lambda raw: raw.send(frames.settings({frames.INITIAL_WINDOW_SIZE: size})))

    def purge(self) -> None:
        self.each(lambda raw: raw.core.purge(Order(What.URL, "/b", soft=self.dice.random() < 0.5), raw.now))

    def turn(self) -> None:
        """One thing that a peer, the upstream, an operator or time does."""
        things: dict[Callable[[], None], float] = {
            self.ask: 60,
            lambda: self.ask(4): 2,
            self.ask_anew: 2,
            self.be_held: 2,
            self.ask_many: 4,
            self.ask_with_an_old_number: 0.3,
            self.reset: 3,
            self.widen: 8,
            self.resize: 1,
            self.purge: 2,
            lambda: self.each(lambda raw: raw.send(frame(frames.PING, 0, 0, b"12345678"))): 3,
            lambda: self.each(lambda raw: raw.step(self.dice.choice([0.01, 0.4, 1.0, 5.0]))): 6,
            lambda: self.each(lambda raw: raw.connection.pause_writing()): 1,
            lambda: self.each(lambda raw: raw.connection.resume_writing()): 2,
        }
        self.dice.choices(list(things), list(things.values()))[0]()
        for raw in self.both:
            for request, _ in list(raw.script.pending):
                if request.target == "/b":
                    raw.answer("/b", b"b" * 200, cache_control="max-age=3")

    def came(self) -> Iterator[list[tuple[int, int, int, object]]]:
        for raw in self.both:
            yield [(one.kind, one.flags, one.stream, self.said(raw, one)) for one in raw.take()]

    @staticmethod
    def said(raw: Raw, one: Frame) -> object:
        return raw.fields(one) if one.kind == frames.HEADERS else one.payload


def test_it_is_all_the_same_as_if_it_was_read() -> None:
    answered = spared = 0
    for seed in range(2_000 if DEEP else 60):
        talk = Talk(random.Random(seed))
        quick, slow = talk.both
        for _ in range(150):
            talk.turn()
            repeated, read = talk.came()
            assert repeated == read, seed
            if quick.pipe.closing:
                break
        assert quick.pipe.closing == slow.pipe.closing, seed
        assert quick.core.tally.requests == slow.core.tally.requests, seed
        assert quick.core.tally.bytes_sent == slow.core.tally.bytes_sent, seed
        assert quick.refused == slow.refused, seed
        states = []
        for raw in talk.both:
            raw.connection._settle()
            sender = raw.connection._session.sender
            states.append((sender.window, sender.sent, raw.connection._written, raw.connection._session.last))
        assert states[0] == states[1], seed
        answered += slow.core.tally.requests[Outcome.HIT]
        spared += slow.connection._session.reader.frames - quick.connection._session.reader.frames
        for raw in talk.both:
            raw.close()
    assert spared > answered / 4, "many were not read"
