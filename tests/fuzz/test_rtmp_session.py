"""Hostile publishers: mutated captures and hypothesis against one session.

The invariant: nothing leaves `receive_data`, `accept` or `handle_timeout`; `Closed` comes once and last; what
is kept and what is to be sent stays within the limits. With its neighbours,
`TEST_FUZZ=deep` runs 285,000 cases in about four minutes.
"""

from __future__ import annotations

import random
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.profile import DEEP
from tests.rtmp_client import Publisher, chunk_header, message

from headwater.ingest.rtmp.events import Closed, PublishEnded, PublishRequested, RejectCode, SessionEvent
from headwater.ingest.rtmp.limits import UNPUBLISHED_MESSAGES, Limits
from headwater.ingest.rtmp.session import PublishSession

MUTATIONS = 40_000 if DEEP else 40
"""Cases per capture of the seeded mutator."""
EXAMPLES = 5_000 if DEEP else 60
"""Cases per hypothesis test."""

CAPTURES = sorted((Path(__file__).parent.parent / "captures").glob("*.rtmp"))
LIMITS = Limits(message_bytes=64_000, command_bytes=8_000, pre_publish_bytes=30_000, partial_bytes=100_000)
INTERESTING = (0, 1, 2, 3, 7, 0x0F, 0x11, 0x7F, 0x80, 0xC3, 0xFF)

pytestmark = pytest.mark.timeout(3_600 if DEEP else 120)


class Harness:
    """A session and a shell that accepts, and checks the invariant after every read."""

    def __init__(self, *, reject: bool = False) -> None:
        self.session = PublishSession(LIMITS, 0.0, bytes(32))
        self.events: list[SessionEvent] = []
        self.reject = reject
        self.now = 0.0

    def feed(self, data: bytes) -> None:
        before = len(self.events)
        self.session.receive_data(data, self.now)
        held = 0
        while fresh := self.session.events_received():
            self.events += fresh
            if any(isinstance(event, PublishRequested) for event in fresh):
                held = self.session.counters.bytes_received
                self._decide()
        # An event needs at least one byte of a tag and one of a chunk header.
        assert len(self.events) - before <= len(data) + held + 3
        assert len(self.session.data_to_send()) <= LIMITS.outgoing_bytes
        assert self.session.buffered_bytes <= LIMITS.partial_bytes

    def _decide(self) -> None:
        if self.session.closed:
            return
        if self.reject:
            self.session.reject(RejectCode.DENIED, "no", self.now)
        else:
            self.session.accept(self.now)

    def tick(self) -> None:
        due = self.session.next_timeout()
        assert (due is None) == self.session.closed
        if due is not None:
            self.now = max(self.now, due)
            self.session.handle_timeout(self.now)

    def finish(self) -> None:
        self.session.receive_eof(self.now)
        self.events += self.session.events_received()
        assert isinstance(self.events[-1], Closed)
        assert sum(isinstance(event, Closed) for event in self.events) == 1
        asked = sum(isinstance(event, PublishRequested) for event in self.events)
        assert sum(isinstance(event, PublishEnded) for event in self.events) <= asked
        assert len(self.session.describe()) < 200
        assert self.session.describe().isprintable()
        assert self.session.next_timeout() is None


def mutate(data: bytes, dice: random.Random) -> bytes:
    """One to eight changes: bytes, lengths, cuts, repetitions, pieces of other places."""
    out = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 3, 8))):
        at = dice.randrange(len(out))
        size = dice.choice((1, 1, 2, 4, 16, 300))
        match dice.randrange(7):
            case 0:
                out[at] ^= 1 << dice.randrange(8)
            case 1:
                out[at] = dice.choice(INTERESTING)
            case 2:
                del out[at : at + size]
            case 3:
                out[at:at] = dice.randbytes(size)
            case 4:
                out[at:at] = out[at : at + size]
            case 5:
                other = dice.randrange(len(out))
                out[at : at + size] = out[other : other + size]
            case _:
                out[at : at + 3] = dice.choice((b"\x00\x00\x00", b"\xff\xff\xff", b"\x00\xff\xff"))
        if not out:
            return data
    return bytes(out)


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_mutated_captures(path: Path) -> None:
    capture = path.read_bytes()
    opening, rest = capture[:3073], capture[3073:]
    for seed in range(MUTATIONS):
        dice = random.Random(f"{path.stem} {seed}")
        part = rest[: dice.choice((400, 1_500, 5_000))]
        changed = mutate(part, dice)
        data = (opening if dice.random() < 0.95 else mutate(opening, dice)) + changed
        harness = Harness(reject=dice.random() < 0.05)
        at = 0
        step = dice.choice((17, 256, 1_460, 65_536))
        try:
            while at < len(data):
                harness.feed(data[at : at + step])
                at += step
                if dice.random() < 0.02:
                    harness.tick()
            harness.finish()
        except BaseException:
            print(f"seed {seed} of {path.stem}")
            raise


bodies = st.one_of(
    st.binary(max_size=60),
    st.builds(
        lambda head, tail: head + tail,
        st.sampled_from(
            [b"\x17\x00", b"\x17\x01", b"\x27\x01", b"\xaf\x00", b"\xaf\x01", b"\x90hvc1", b"\x91av01", b"\x95",
             b"\x96", b"\x97", b"\x9f", b"\x02\x00\x07connect", b"\x02\x00\x07publish",
             b"\x02\x00\x0aonMetaData\x08", b"\x00\x06"]
        ),
        st.binary(max_size=40),
    ),
)  # fmt: skip
chunks = st.builds(
    lambda kind, body, stamp, csid, fmt, repeat: message(
        kind, body, timestamp=stamp, csid=csid, fmt=fmt, repeat_extended=repeat, stream_id=1, chunk_size=4096
    ),
    st.sampled_from([1, 2, 3, 4, 5, 6, 8, 9, 15, 17, 18, 20, 22, 77]),
    bodies,
    st.sampled_from([0, 1, 40, 0xFFFFFE, 0xFFFFFF, 0x1000000, 0x7FFFFFFF, 0xFFFFFFFF]),
    st.sampled_from([2, 3, 4, 6, 64, 320, 65599]),
    st.integers(0, 3),
    st.booleans(),
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(chunks, max_size=12), st.integers(1, 200))
def test_well_formed_chunks_with_anything_inside(parts: list[bytes], step: int) -> None:
    harness = Harness()
    harness.feed(Publisher().opening())
    data = b"".join(parts)
    for at in range(0, len(data), step):
        harness.feed(data[at : at + step])
    harness.finish()


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(chunks, max_size=6))
def test_commands_before_the_publish(parts: list[bytes]) -> None:
    publisher = Publisher()
    harness = Harness()
    harness.feed(publisher.hello() + publisher.c2())
    for part in parts:
        harness.feed(part)
        harness.tick()
    harness.finish()


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=8), st.booleans())
def test_noise_behind_the_handshake(parts: list[bytes], publishing: bool) -> None:
    publisher = Publisher()
    harness = Harness()
    harness.feed(publisher.opening() if publishing else publisher.hello() + publisher.c2())
    for part in parts:
        harness.feed(part)
    harness.finish()


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.binary(max_size=3_200), max_size=3))
def test_noise_from_the_first_byte(parts: list[bytes]) -> None:
    harness = Harness()
    for index, part in enumerate(parts):
        harness.feed(part if index else b"\x03" + part)
    harness.finish()


def test_memory_stays_within_the_partial_limit() -> None:
    """A peer that opens large messages on every chunk stream, never finishing one."""
    publisher = Publisher()
    session = PublishSession(Limits(partial_bytes=1 << 20), 0.0, bytes(32))
    session.receive_data(publisher.opening(), 0.0)
    session.accept(0.0)
    tracemalloc.start()
    for csid in range(10, 60):
        session.receive_data(chunk_header(csid, 0, 0, 8_000_000, 9, 1), 0.0)
        session.receive_data(bytes(4_096), 0.0)
    peak_headers = tracemalloc.get_traced_memory()[1]
    assert peak_headers < 1 << 20, "a declared length costs nothing"
    for csid in range(10, 60):
        for _ in range(100):
            session.receive_data(chunk_header(csid, 3, 0, 0, 0, 0) + bytes(4_096), 0.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert session.closed
    assert peak < 3 << 20


def test_a_flood_of_empty_messages_before_the_publish_is_cut_off() -> None:
    publisher = Publisher()
    harness = Harness()
    harness.feed(publisher.hello() + publisher.c2() + chunk_header(6, 0, 0, 0, 9, 1))
    harness.feed(b"\xc6" * 20_000)
    assert harness.session.closed
    assert harness.session.counters.ignored == UNPUBLISHED_MESSAGES + 1


def test_a_flood_of_empty_messages_is_cheap_in_memory() -> None:
    harness = Harness()
    harness.feed(Publisher().opening())
    harness.feed(chunk_header(6, 0, 0, 0, 9, 1))
    tracemalloc.start()
    harness.feed(b"\xc6" * 50_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20
    assert harness.session.counters.ignored >= 50_000
