"""Hostile UDP: mutated conversations and hypothesis against a listener, a caller, and their parsers.

The invariant: nothing leaves the face but documented errors; SessionClosed comes once and last; what comes out is in
order and adds up; what is kept stays within the limits; time always moves on; in the end everything is forgotten.
`TEST_FUZZ=deep` runs 570,000 cases.
"""

from __future__ import annotations

import functools
import random
import struct
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.profile import DEEP
from tests.srt_kit import SECRET, Path, Pull, Talk
from tests.srt_sender import CONCLUSION, Profile, Sender, control, handshake

from headwater.ingest.srt import (
    Acceptance,
    Address,
    Caller,
    CallerRefused,
    Connected,
    ConnectionRequested,
    DataReceived,
    Event,
    KeyAnswer,
    KeyOffer,
    KeyRefreshRequested,
    Limits,
    Listener,
    PacketsLost,
    RejectCode,
    SessionClosed,
    derive_kek,
)
from headwater.ingest.srt.errors import HandshakeRefused, KeyMaterialError, PacketError, StreamIdError
from headwater.ingest.srt.extensions import split
from headwater.ingest.srt.handshake import parse_handshake
from headwater.ingest.srt.keys import parse_key_material
from headwater.ingest.srt.limits import REFUSED_EVENTS
from headwater.ingest.srt.negotiation import read_answer, read_request
from headwater.ingest.srt.streamid import parse

MUTATIONS = 50_000 if DEEP else 40
"""Cases per conversation and shard of the seeded mutator."""
SHARDS = 4
"""Parts of the mutator's seeds, so that workers can share them."""
EXAMPLES = 10_000 if DEEP else 60
"""Cases per hypothesis test."""
START = 1000.0
HOME: Address = ("192.0.2.1", 4000)
PASSPHRASE = "correct horse"
LIMITS = Limits(flow_window=64, buffer_bytes=20_000, undecryptable_in_a_row=40, outgoing=64, idle_s=2)
INTERESTING = (0, 1, 2, 0x3F, 0x7F, 0x80, 0xFE, 0xFF)

pytestmark = pytest.mark.timeout(3_600 if DEEP else 120)

Datagrams = list[tuple[float, bytes]]


@functools.lru_cache(maxsize=64)
def kek(salt: bytes, length: int) -> bytes:
    return derive_kek(PASSPHRASE, salt, length)


class Harness:
    """A listener and a shell that checks the invariant after each datagram."""

    def __init__(self, dice: random.Random | None = None, *, paced: bool = False) -> None:
        self.listener = Listener(replace(LIMITS, early_release=not paced), START, SECRET)
        self.now = START
        self.open: set[int] = set()
        self.closed: set[int] = set()
        self.asked = 0
        self._dice = dice or random.Random(0)
        self._rejects = self._dice.random() < 0.05

    def feed(self, datagram: bytes, address: Address = HOME) -> None:
        before = self.listener.counters.outgoing_dropped
        self.listener.receive_datagram(datagram, address, self.now)
        self._drain()
        assert self.listener.counters.outgoing_dropped == before
        for session in self.listener._sessions.values():
            buffer = session._buffer
            assert buffer.held_packets <= LIMITS.flow_window
            assert buffer.held_bytes <= LIMITS.buffer_bytes
            assert buffer.losses.count <= LIMITS.flow_window
            assert not buffer.ready

    def advance(self, until: float) -> None:
        """Let time pass."""
        for _ in range(5_000):
            due = self.listener.next_timeout()
            if due is None or due > until:
                break
            self.now = max(self.now, due)
            self.listener.handle_timeout(self.now)
            again = self.listener.next_timeout()
            assert again is None or again > self.now
            self._drain()
        else:
            raise AssertionError("time stands still")
        self.now = max(self.now, until)

    def finish(self) -> None:
        """Silence: in the end nothing is left but answers to late copies."""
        self.advance(self.now + LIMITS.answer_s + LIMITS.max_latency_s + 5)
        listener = self.listener
        assert listener.next_timeout() is None
        assert listener.session_count == 0
        assert self.open == self.closed
        assert not listener._lobby._by_caller
        assert not listener._lobby._requests
        assert (listener._lobby._admission._open_total, listener._lobby._admission._waiting_total) == (0, 0)
        assert not listener._schedule._due

    def _drain(self) -> None:
        while events := self.listener.events_received():
            assert len(events) <= 2 * LIMITS.flow_window + REFUSED_EVENTS
            for event in events:
                self._handle(event)
        outgoing = self.listener.datagrams_to_send()
        assert len(outgoing) <= LIMITS.outgoing
        assert all(16 <= len(datagram) <= 1472 for datagram, _ in outgoing)

    def _handle(self, event: Event) -> None:
        match event:
            case ConnectionRequested():
                self.asked += 1
                self._decide(event)
            case DataReceived() | PacketsLost():
                assert event.session in self.open - self.closed
                assert event.data if isinstance(event, DataReceived) else 0 < event.count < 1 << 31
            case KeyRefreshRequested():
                answer = None if self._dice.random() < 0.3 else KeyAnswer(bytes(event.request.length))
                self.listener.answer_key(event.session, answer, self.now)
            case SessionClosed():
                assert event.session not in self.closed
                assert event.detail.isprintable()
                self.closed.add(event.session)
                self.open.add(event.session)
            case CallerRefused():
                assert isinstance(event.code, RejectCode)
                assert event.detail.isprintable()
            case Connected():
                raise AssertionError("a listener does not connect")

    def _decide(self, event: ConnectionRequested) -> None:
        if self._rejects:
            self.listener.reject(event.session, RejectCode.FORBIDDEN, self.now)
            return
        keys = None
        if event.encrypted is not None:
            keys = KeyAnswer(kek(event.encrypted.salt, event.encrypted.length))
        if self.listener.accept(event.session, keys, self.now) is Acceptance.OPEN:
            self.open.add(event.session)


@functools.cache
def conversation(kind: str) -> Datagrams:
    """What a sender sends in a whole conversation, and when it comes in."""
    encrypted = kind != "plain"
    talk = Talk(LIMITS, there=Path(0.01, loss=0.1, reorder=0.1, duplicate=0.05), back=Path(0.01), seed=8)
    talk.passphrase = PASSPHRASE if encrypted else ""
    seen: Datagrams = []
    receive = talk.listener.receive_datagram

    def record(datagram: bytes, address: Address, now: float) -> None:
        seen.append((now, datagram))
        receive(datagram, address, now)

    talk.listener.receive_datagram = record  # type: ignore[method-assign, assignment]
    profile = Profile(passphrase=talk.passphrase, refresh_after=15, announce_before=8, sequence=(1 << 31) - 20)
    sender = talk.add(profile)
    talk.there.loss = 0.0
    talk.run(talk.now + 0.1)
    if not sender.connected:
        sender.connect(talk.now)
        talk.settle()
        talk.run(talk.now + 0.1)
    talk.there.loss = 0.1
    talk.play(sender, [struct.pack(">I", number) * 47 for number in range(50)], 0.004)
    sender.drop(sender.next_sequence, (sender.next_sequence + 3) & 0x7FFFFFFF, talk.now)
    sender.keepalive(talk.now)
    sender.shutdown(talk.now)
    talk.settle()
    talk.run(talk.now + 0.2)
    assert sender.connected
    assert len(seen) > 60
    return seen


def mutate(datagram: bytes, dice: random.Random) -> bytes:
    """One to four changes: bits, bytes, words, sizes, kinds."""
    out = bytearray(datagram)
    for _ in range(dice.choice((1, 1, 2, 4))):
        at = dice.randrange(len(out))
        match dice.randrange(8):
            case 0:
                out[at] ^= 1 << dice.randrange(8)
            case 1:
                out[at] = dice.choice(INTERESTING)
            case 2:
                del out[at : at + dice.choice((1, 4, 200))]
            case 3:
                out[at:at] = dice.randbytes(dice.choice((1, 4, 60)))
            case 4 if len(out) >= 20:
                word = dice.randrange(len(out) // 4) * 4
                value = dice.choice((0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, dice.randrange(1 << 32)))
                out[word : word + 4] = value.to_bytes(4)
            case 5:
                out[at : at + 4] = out[at : at + 4][::-1]
            case 6 if len(out) >= 16:
                kind = dice.choice((0, 1, 2, 3, 4, 5, 6, 7, 8, 0x7FFF))
                out[0:4] = (0x80000000 | kind << 16 | dice.choice((0, 3, 4, dice.randrange(1 << 16)))).to_bytes(4)
            case _ if len(out) >= 4:
                first = int.from_bytes(out[:4])
                out[0:4] = ((first + dice.choice((-70, -1, 1, 2, 30, 63, 64, 5000, 1 << 30))) & 0xFFFFFFFF).to_bytes(4)
        if not out:
            return datagram
    return bytes(out)


@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("kind", ["plain", "encrypted"])
def test_mutated_conversations(kind: str, shard: int) -> None:
    recorded = conversation(kind)
    for seed in range(shard, SHARDS * MUTATIONS, SHARDS):
        dice = random.Random(f"{kind} {seed}")
        # Whole conversations are rare: most cases spend their time on the part that the mutations hit.
        script = recorded[: len(recorded) if dice.random() < 0.03 else dice.choice((2, 3, 4, 6, 12, 24))]
        harness = Harness(dice)
        share = dice.choice((0.05, 0.2, 0.6))
        try:
            for at, datagram in script:
                if dice.random() < 0.3:
                    harness.advance(at)
                harness.now = max(harness.now, at)
                roll = dice.random()
                if roll < share:
                    harness.feed(mutate(datagram, dice))
                if roll > 0.03:
                    harness.feed(datagram)
                if roll > 0.97:
                    harness.feed(dice.choice(recorded)[1], dice.choice((HOME, ("192.0.2.1", 4001))))
            harness.finish()
        except BaseException:
            print(f"seed {seed} of {kind}")
            raise


def opened(*, paced: bool = False) -> tuple[Harness, Sender]:
    """A harness with one plain connection."""
    harness = Harness(paced=paced)
    sender = Sender(Profile())
    harness._rejects = False
    cookie = harness.listener._lobby._jar.cookie(HOME, START)
    harness.feed(sender.conclusion(cookie, 0.0))
    (sender.peer,) = harness.open
    return harness, sender


steps = st.one_of(
    st.tuples(
        st.just("data"),
        st.integers(-80, 200),
        st.sampled_from([0, 0, 0, 0, 1, 2, 3]),
        st.integers(0, (1 << 32) - 1),
        st.integers(0, 1456),
    ),
    st.tuples(
        st.just("control"),
        st.sampled_from([0, 1, 2, 3, 4, 6, 7, 8, 0x7FFF, 99]),
        st.sampled_from([0, 1, 2, 3, 4, 77]),
        st.integers(0, (1 << 32) - 1),
        st.binary(max_size=120),
    ),
    st.tuples(st.just("drop"), st.integers(-80, 200), st.integers(-5, 80), st.just(0), st.just(0)),
    st.tuples(st.just("wait"), st.integers(0, 600), st.just(0), st.just(0), st.just(0)),
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(steps, max_size=40), st.booleans())
def test_any_packets_of_a_connected_peer(script: list[tuple[str, int, int, int, int | bytes]], paced: bool) -> None:
    harness, sender = opened(paced=paced)
    for what, number, choice, stamp, rest in script:
        sequence = (1000 + number) & 0x7FFFFFFF
        if what == "data":
            assert isinstance(rest, int)
            harness.feed(sender.data_packet(sequence, bytes(rest), stamp, which=choice))
        elif what == "control":
            assert isinstance(rest, bytes)
            harness.feed(control(number, stamp, sender.peer, specific=stamp, subtype=choice, body=rest))
        elif what == "drop":
            body = struct.pack(">II", sequence, (sequence + choice) & 0x7FFFFFFF)
            harness.feed(control(7, 0, sender.peer, body=body))
        else:
            harness.advance(harness.now + number / 1000)
    harness.finish()


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.integers(-3, 12), min_size=1, max_size=60), st.booleans())
def test_what_comes_out_is_in_order_and_adds_up(moves: list[int], paced: bool) -> None:
    """Sequence numbers jump about; each payload says which it was."""
    harness, sender = opened(paced=paced)
    out: list[int] = []
    lost = 0
    handle = harness._handle

    def check(event: Event) -> None:
        nonlocal lost
        if isinstance(event, DataReceived):
            for (number,) in struct.iter_unpack(">I", event.data):
                assert number == 1000 + len(out) + lost
                out.append(number)
        elif isinstance(event, PacketsLost):
            lost += event.count
        handle(event)

    harness._handle = check  # type: ignore[method-assign]
    at, highest = 1000, 999
    for move in moves:
        at = max(1000, at + move)
        harness.feed(sender.data_packet(at, struct.pack(">I", at), int((harness.now - START) * 1e6)))
        highest = max(highest, at)
        harness.advance(harness.now + 0.02)
    harness.finish()
    assert len(out) + lost == highest - 999


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.binary(max_size=200),
    st.integers(0, 0xFFFF),
    st.sampled_from([4, 5, 5, 5, 6]),
    st.sampled_from([CONCLUSION, CONCLUSION, 0, 1, 0xFFFFFFFE, 1002]),
)
def test_any_conclusion_with_a_valid_cookie(extensions: bytes, flags: int, version: int, kind: int) -> None:
    harness = Harness()
    cookie = harness.listener._lobby._jar.cookie(HOME, START)
    harness.feed(handshake(kind, version=version, flags=flags, cookie=cookie, extensions=extensions))
    harness.finish()


hsreq = struct.pack(">HHIIHH", 1, 3, 0x010507, 0xBF, 120, 120)
blocks = st.lists(
    st.builds(
        lambda kind, contents, words: struct.pack(">HH", kind, len(contents) // 4 if words < 0 else words) + contents,
        st.integers(0, 10),
        st.binary(max_size=100).map(lambda data: data[: len(data) // 4 * 4]),
        st.sampled_from([-1, -1, -1, 0, 3, 200]),
    ),
    max_size=4,
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(blocks)
def test_any_extensions_behind_a_good_one(parts: list[bytes]) -> None:
    harness = Harness()
    cookie = harness.listener._lobby._jar.cookie(HOME, START)
    harness.feed(handshake(CONCLUSION, flags=7, cookie=cookie, extensions=hsreq + b"".join(parts)))
    harness.finish()


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.binary(max_size=1600), max_size=6))
def test_noise(datagrams: list[bytes]) -> None:
    harness = Harness()
    for datagram in datagrams:
        harness.feed(datagram)
        harness.feed(datagram[:12] + bytes(4) + datagram[16:])
    assert harness.asked == 0
    harness.finish()


@functools.cache
def answers() -> Datagrams:
    """What a listener sends to our caller."""
    pull = Pull(Profile(passphrase=PASSPHRASE, refresh_after=20, announce_before=10))
    seen: Datagrams = []
    receive = pull.caller.receive_datagram

    def record(datagram: bytes, address: Address, now: float) -> None:
        seen.append((now, datagram))
        receive(datagram, address, now)

    pull.caller.receive_datagram = record  # type: ignore[method-assign, assignment]
    pull.caller.connect(Pull.ADDRESS, "demo", KeyOffer(bytes(16), kek(bytes(16), 16)), pull.now)
    pull.run(0.3)
    for number in range(40):
        pull.sender.send(struct.pack(">I", number) * 47, pull.now, first_time=number % 7 != 3)
        pull.run(0.004)
    pull.sender.shutdown(pull.now)
    pull.run(0.2)
    assert len(seen) > 50
    return seen


@pytest.mark.parametrize("shard", range(SHARDS))
def test_mutated_answers_of_a_listener(shard: int) -> None:
    recorded = answers()
    for seed in range(shard, SHARDS * MUTATIONS // 2, SHARDS):
        dice = random.Random(f"answers {seed}")
        caller = Caller(LIMITS, 500.0, SECRET)
        offer = None if dice.random() < 0.2 else KeyOffer(bytes(16), kek(bytes(16), 16))
        caller.connect(Pull.ADDRESS, "demo", offer, 500.0)
        now, events = 500.0, list[Event]()
        for at, datagram in recorded[: dice.choice((1, 2, 3, 10, len(recorded)))]:
            now = max(now, at)
            if dice.random() < 0.3:
                caller.receive_datagram(mutate(datagram, dice), Pull.ADDRESS, now)
            if dice.random() < 0.95:
                caller.receive_datagram(datagram, Pull.ADDRESS, now)
            due = caller.next_timeout()
            if due is not None and due <= now:
                caller.handle_timeout(now)
            events += caller.events_received()
            assert len(caller.datagrams_to_send()) <= LIMITS.outgoing
        for _ in range(5_000):
            due = caller.next_timeout()
            if due is None:
                break
            now = max(now, due)
            caller.handle_timeout(now)
            events += caller.events_received()
        assert caller.next_timeout() is None, f"seed {seed}"
        ended = [event for event in events if isinstance(event, SessionClosed)]
        assert ended == events[-1:], f"seed {seed}"


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.one_of(st.text(max_size=60), st.text(alphabet="#!:{}=,?&rmupublishe/ab", max_size=60)))
def test_stream_ids(text: str) -> None:
    for prefix in ("", "#!::", "#!:{", "publish:"):
        try:
            found = parse(prefix + text)
        except StreamIdError as error:
            assert str(error).isprintable()
            continue
        assert "\0" not in found.resource
        assert len(found.query) <= 64
        assert len(found.name) <= 512


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.binary(max_size=160))
def test_parsers(data: bytes) -> None:
    for start in (b"", b"\x12\x20\x29", bytes.fromhex("12202901000000000200020000000404")):
        try:
            material = parse_key_material(start + data)
        except KeyMaterialError:
            continue
        assert len(material.wrapped) in (24, 32, 40, 56, 72)
    try:
        blocks_found = split(data)
        assert sum(len(contents) + 4 for _, contents in blocks_found) <= len(data)
    except HandshakeRefused:
        pass
    for read in (read_request, read_answer):
        try:
            read(parse_handshake(data), LIMITS)
        except (PacketError, HandshakeRefused) as error:
            assert str(error).isprintable()
