"""Growing bodies on a connection: framing, pace, ends."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from headwater.edge import body
from headwater.edge.body import Body
from headwater.edge.growing import Growing
from headwater.edge.message import Entity, Outcome, Response, Tally
from headwater.edge.wire import Wire


class Pipe(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.writes = 0
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data
        self.writes += 1

    def abort(self) -> None:
        self.aborted = True


@dataclass
class Owner:
    """`body.Owner` of one answer."""

    length: int | None = None
    http10: bool = False
    bodiless: bool = False
    stalled: bool = False
    span: tuple[int, int | None] | None = (0, None)
    ends: list[bool] = field(default_factory=list)
    pipe: Pipe = field(default_factory=Pipe)
    tally: Tally = field(default_factory=Tally)

    def __post_init__(self) -> None:
        self.growing = Growing(self.length)
        self.body = Body(self, self.pipe, self.tally)

    def body_ended(self, *, keep: bool) -> None:
        self.ends.append(keep)

    def begin(self, *, keep_alive: bool = True) -> Owner:
        entity = Entity(200, (("Date", "now"),), b"", received=0.0)
        response = Response(entity, Outcome.FETCH, 0, growing=self.growing, span=self.span)
        self.body.begin(response, self, Wire("edge"), keep_alive=keep_alive)
        return self

    @property
    def head(self) -> bytes:
        return bytes(self.pipe.written).partition(b"\r\n\r\n")[0]

    @property
    def content(self) -> bytes:
        return bytes(self.pipe.written).partition(b"\r\n\r\n")[2]


def test_known_length() -> None:
    owner = Owner(length=6).begin()
    assert b"Content-Length: 6\r\n" in owner.head
    assert b"Connection" not in owner.head
    owner.growing.append(b"abc")
    assert owner.content == b"abc"
    assert (owner.ends, owner.body.here) == ([], False)
    owner.growing.append(b"def")
    assert (owner.content, owner.ends) == (b"abcdef", [True]), "its end need not be told"
    assert owner.tally.bytes_sent == len(owner.pipe.written)
    assert owner.growing.readers == 0


def test_a_range_of_an_unknown_length() -> None:
    owner = Owner(span=(2, 4))
    owner.growing.append(b"abcdef")
    owner.begin(keep_alive=False)
    assert b"Content-Length: 2\r\n" in owner.head
    assert b"Connection: close" in owner.head
    assert (owner.content, owner.ends) == (b"cd", [False])


def test_chunks() -> None:
    owner = Owner().begin()
    assert b"Transfer-Encoding: chunked\r\n" in owner.head
    owner.growing.append(b"x" * 18)
    assert owner.content == b"12\r\n" + b"x" * 18 + b"\r\n"
    owner.growing.finish()
    assert owner.content.endswith(b"\r\n0\r\n\r\n")
    assert owner.ends == [True]
    assert owner.tally.bytes_sent == len(owner.pipe.written)


def test_http_1_0_ends_with_the_connection() -> None:
    owner = Owner(http10=True).begin()
    assert b"Transfer-Encoding" not in owner.head
    assert b"Connection: close" in owner.head
    owner.growing.append(b"abc")
    owner.growing.finish()
    assert (owner.content, owner.ends) == (b"abc", [False])
    assert b"Connection: keep-alive" in Owner(length=3, http10=True).begin().head


def test_head_has_no_content() -> None:
    owner = Owner(length=3, bodiless=True).begin()
    assert (owner.ends, owner.growing.readers) == ([True], 0)
    owner.growing.append(b"abc")
    assert not owner.content


@pytest.mark.parametrize(("length", "http10", "told"), [(9, False, [False]), (None, False, [False]), (None, True, [])])
def test_what_ends_short_ends_the_connection(length: int | None, http10: bool, told: list[bool]) -> None:
    owner = Owner(length=length, http10=http10).begin()
    owner.growing.append(b"abc")
    owner.growing.finish(broken=True)
    assert b"abc" in owner.content
    assert not owner.content.endswith(b"0\r\n\r\n")
    assert owner.ends == told
    assert owner.pipe.aborted is http10, "reset: nothing else could tell"


def test_nothing_is_written_while_the_buffer_is_full() -> None:
    owner = Owner(length=6).begin()
    owner.stalled = True
    owner.growing.append(b"abc")
    assert owner.content == b""
    owner.stalled = False
    owner.body.go_on()
    assert owner.content == b"abc"
    owner.body.cancel()
    owner.growing.append(b"def")
    assert (owner.content, owner.ends) == (b"abc", [])


def test_who_is_cut_is_counted_as_a_slow_reader() -> None:
    owner = Owner().begin()
    owner.stalled = True
    quick = owner.growing.read(lambda: None)
    owner.growing.bound(10, None)
    for _ in range(20):
        owner.growing.append(b"xx")
        quick.take(2)
    assert owner.pipe.aborted
    assert owner.tally.slow_closed == 1


async def test_much_to_catch_up_on_is_written_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "STEP_BYTES", 10)
    monkeypatch.setattr(body, "TURN_BYTES", 25)
    owner = Owner(length=100)
    for _ in range(10):
        owner.growing.append(b"0123456789")
    owner.begin()
    assert len(owner.content) == 30
    await asyncio.sleep(0)
    assert len(owner.content) == 60
    for _ in range(3):
        await asyncio.sleep(0)
    assert (owner.content, owner.ends) == (b"0123456789" * 10, [True])
