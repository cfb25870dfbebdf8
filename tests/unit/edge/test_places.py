"""Requests that wait where the same bytes wait already: held without being read, and in all as if they were read."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from tests.edge_kit import LiveStream, Viewer
from tests.h1_raw_kit import LIMITS, Peer, Raw
from tests.profile import DEEP

from headwater.config.settings_viewers import Proxy
from headwater.edge.gate import Gate
from headwater.edge.listener import NEVER
from headwater.edge.message import Outcome
from headwater.edge.parse import Parser

LIST = "/live/x/v/index.m3u8"


def blocking(stream: LiveStream, ahead: int = 0, agent: str = "p", *more: str) -> bytes:
    """For the part that comes next, or a later one."""
    part = len(stream.open) + ahead
    fields = "\r\n".join(("Host: a", f"User-Agent: {agent}", *more))
    return f"GET {LIST}?_HLS_msn={stream.msn}&_HLS_part={part} HTTP/1.1\r\n{fields}\r\n\r\n".encode()


class Held(Raw):
    """A listener whose edge follows a stream."""

    def __init__(self, **guard: Any) -> None:
        super().__init__(limits=replace(LIMITS, connections=200), requests_per_s_per_address=5, **guard)
        self.stream = LiveStream()
        self.viewers: list[Peer] = []
        first = self.connect()
        first.send(f"GET {LIST} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        self.script.playlist(LIST, self.now, self.stream)
        assert b"#EXTM3U" in first.take()

    def come(self, request: bytes, address: str = "") -> Peer:
        peer = self.connect(address)
        peer.send(request)
        self.viewers.append(peer)
        return peer

    def publish(self) -> None:
        self.stream.step()
        for request, _ in list(self.script.pending):
            if ".m3u8" in request.target:
                self.script.playlist(request.target, self.now, self.stream)

    def unread(self, request: bytes) -> bool:
        """Whether these bytes have a place now."""
        held = self.shared.repeats.held(request)
        return held is not None and not held.place.over


@pytest.fixture
def raw() -> Iterator[Held]:
    raw = Held()
    yield raw
    raw.close()


def test_what_comes_again_and_again_is_not_read(raw: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    request = blocking(raw.stream)
    raw.come(request)
    assert not raw.unread(request)
    for _ in range(2):
        raw.come(request)
    assert raw.unread(request)
    monkeypatch.setattr(Parser, "feed", None)
    raw.come(request)
    assert raw.core.tally.held == 4
    raw.now += 1
    raw.publish()
    answers = {peer.take() for peer in raw.viewers}
    assert len(answers) == 1
    assert b"; hit; fwd=" not in answers.pop()
    assert raw.core.tally.requests[Outcome.JOIN] == 4
    assert not raw.unread(request)


def test_who_comes_when_the_line_is_gone_is_read(raw: Held) -> None:
    request = blocking(raw.stream)
    for _ in range(3):
        raw.come(request)
    raw.publish()
    assert b"HTTP/1.1 200" in raw.connect().send(request)
    assert raw.core.tally.held == 0


def test_one_who_leaves_disturbs_nobody(raw: Held) -> None:
    request = blocking(raw.stream)
    for _ in range(4):
        raw.come(request)
    gone = raw.viewers.pop()
    gone.connection.connection_lost(None)
    assert raw.core.tally.held == 3
    raw.publish()
    assert all(peer.take() for peer in raw.viewers)
    assert not gone.take()


def test_a_line_that_nobody_was_left_in(raw: Held) -> None:
    request = blocking(raw.stream)
    for _ in range(3):
        raw.come(request)
    for peer in raw.viewers:
        peer.connection.connection_lost(None)
    raw.core.handle_timeout(raw.now)
    assert not raw.unread(request)
    last = raw.come(request)
    raw.publish()
    assert last.take()


def test_the_wait_ends_in_time_for_each(raw: Held) -> None:
    request = blocking(raw.stream)
    for _ in range(3):
        raw.come(request)
        raw.now += 2
    before = raw.now
    while not raw.viewers[2].pipe.written:
        raw.now += 0.5
        raw.core.handle_timeout(raw.now)
        assert raw.now < before + 60
        if raw.viewers[0].pipe.written and raw.now < before + 10:
            assert not raw.viewers[2].pipe.written, "it came four seconds later"
    assert all(b"HTTP/1.1 503" in peer.take() for peer in raw.viewers)


def test_no_more_wait_than_may(raw: Held) -> None:
    request = blocking(raw.stream)
    for _ in range(3):
        raw.come(request)
    raw.core.tally.held += 10_000
    assert b"HTTP/1.1 503" in raw.connect().send(request)
    assert raw.core.tally.refused["held"] == 1
    raw.core.tally.held -= 10_000


def test_an_address_that_had_enough_is_refused(raw: Held) -> None:
    request = blocking(raw.stream)
    for _ in range(3):
        raw.come(request)
    peers = [raw.connect("192.0.2.1") for _ in range(7)]  # each has one of the ten, too
    assert [peer.send(request)[:12] for peer in peers] == [b""] * 3 + [b"HTTP/1.1 429"] * 4


def test_under_strain_newcomers_are_shed(raw: Held) -> None:
    request = blocking(raw.stream)
    for _ in range(3):
        raw.come(request)
    raw.shared.guard.shedding = raw.shared.guard.strained = True
    assert b"HTTP/1.1 503" in raw.connect("192.0.2.1").send(request)


def test_who_asks_through_a_proxy_has_the_limits_of_whoever_it_is() -> None:
    raw = Held(proxy=Proxy(trusted=("192.0.2.0/24",), forwarded="x-forwarded-for"))
    request = blocking(raw.stream, 0, "p", "X-Forwarded-For: 198.51.100.1")
    for _ in range(3):
        raw.come(request, "192.0.2.1")
    assert b"HTTP/1.1 429" in {raw.connect("192.0.2.1").send(request)[:12] for _ in range(12)}
    raw.close()


def test_who_waits_is_not_idle(raw: Held) -> None:
    request = blocking(raw.stream)
    assert {raw.come(request).connection.deadline for _ in range(4)} == {NEVER}


def test_the_stream_is_followed_as_long_as_somebody_came(raw: Held) -> None:
    request = blocking(raw.stream)
    for _ in range(3):
        raw.come(request)
    raw.now += 10
    raw.come(request)
    for peer in raw.viewers:
        peer.connection.connection_lost(None)
    for _ in range(29):
        raw.now += 1
        raw.core.handle_timeout(raw.now)
    assert raw.core.followers == 1
    raw.now += 2
    raw.core.handle_timeout(raw.now)
    assert raw.core.followers == 0


def test_a_gate_is_not_passed_by(raw: Held) -> None:
    request = blocking(raw.stream)
    for _ in range(3):
        raw.come(request)
    raw.core.gate = Gate((), raw.core.tally)
    raw.core.gate.use_secrets({"a": b"s" * 32})
    assert raw.connect().send(request).startswith(b"HTTP/1.1 403")


@pytest.mark.parametrize("field", ["CDN-Loop: x", "CMCD-Object: d=1"])
def test_what_says_more_is_read_each_time(raw: Held, field: str) -> None:
    request = blocking(raw.stream, 0, "p", field)
    for _ in range(4):
        raw.come(request)
    assert not raw.unread(request)
    raw.publish()
    assert all(peer.take() for peer in raw.viewers)


def test_nothing_goes_before_an_answer_that_is_owed(raw: Held) -> None:
    request = blocking(raw.stream)
    for _ in range(3):
        raw.come(request)
    late = raw.connect()
    late.send(blocking(raw.stream, 1))
    late.send(request)
    raw.publish()
    assert late.take() == b""
    raw.publish()
    assert late.take().count(b"HTTP/1.1 200") == 2


def test_who_waits_is_counted_as_watching(raw: Held) -> None:
    request = blocking(raw.stream)
    for number in range(6):
        raw.come(request, f"192.0.2.{number}")
    raw.publish()
    for _ in range(3):
        raw.now += 20
        raw.core.handle_timeout(raw.now)
        if raw.core.audience.viewers().get(("x", "v")):
            break
    assert raw.core.audience.viewers()["x", "v"] == 6 + 1, "and whoever came first"


def test_draining_connections_end_with_their_answer(raw: Held) -> None:
    request = blocking(raw.stream)
    for _ in range(3):
        raw.come(request)
    raw.shared.draining = True
    late = raw.come(request)
    raw.publish()
    assert b"Connection: close" in late.take()


class Talk:
    """Two listeners of which the same is asked; one of them reads all that comes."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.both = Held(), Held()
        setattr(self.both[1].shared.repeats, "learn_place", lambda *_: None)  # noqa: B010  (it is a method)

    def each(self, do: Callable[[Held], object]) -> None:
        state = self.dice.getstate()
        for raw in self.both:
            self.dice.setstate(state)
            do(raw)

    def come(self, raw: Held) -> None:
        raw.come(blocking(raw.stream, self.dice.choice([0, 0, 0, 1]), self.dice.choice("pppq")))

    def ask(self, raw: Held) -> None:
        if raw.viewers:
            peer = self.dice.choice(raw.viewers)
            if not peer.pipe.closing:
                peer.connection.data_received(blocking(raw.stream, 0, self.dice.choice("ppppq")))

    def go(self, raw: Held) -> None:
        if raw.viewers:
            peer = raw.viewers.pop(self.dice.randrange(len(raw.viewers)))
            peer.connection.connection_lost(None)

    def pass_time(self, raw: Held) -> None:
        raw.now += self.dice.choice([0.1, 0.5, 2.0, 15.0])
        raw.core.handle_timeout(raw.now)

    def publish(self, raw: Held) -> None:
        raw.publish()

    def turn(self) -> None:
        things = {self.come: 4, self.ask: 20, self.go: 1, self.pass_time: 1, self.publish: 3}
        do = self.dice.choices(list(things), list(things.values()))[0]
        self.each(do)


def test_it_is_all_the_same_as_if_it_was_read() -> None:
    unread = 0
    for seed in range(1_000 if DEEP else 20):
        talk = Talk(random.Random(seed))
        quick, slow = talk.both
        for _ in range(150):
            talk.turn()
            took = [[peer.take() for peer in raw.viewers] for raw in talk.both]
            assert took[0] == took[1], seed
            assert quick.core.tally.held == slow.core.tally.held, seed
            unread += len(quick.shared.repeats._held)
        assert quick.core.tally.requests == slow.core.tally.requests, seed
        assert quick.core.tally.refused == slow.core.tally.refused, seed
        for raw in talk.both:
            raw.close()
    assert unread, "some of it was not read"


def test_waiting_viewers_of_the_core_share_no_answer_with_others(raw: Held) -> None:
    request = blocking(raw.stream)
    for _ in range(3):
        raw.come(request)
    viewer = Viewer(raw.core).get(request.split()[1].decode(), raw.now, gzip=True)
    raw.publish()
    assert viewer.status == 200
    assert viewer.body[:2] == b"\x1f\x8b", "each has the form that it accepts"
    assert all(b"#EXTM3U" in peer.take() for peer in raw.viewers)
