"""Garbage at the viewers' door: the parser and a connection never raise, stay bounded, and never forward what they
refuse. `TEST_FUZZ=deep` runs 200,000 mutated requests and more."""

from __future__ import annotations

import asyncio
import itertools
import random
import re
from urllib.parse import parse_qsl

from hypothesis import example, given
from hypothesis import strategies as st
from tests.edge_kit import UNIX, Script, make_callers, make_core
from tests.fill_kit import Upload
from tests.h1_raw_kit import Pipe, Raw
from tests.profile import DEEP

from headwater.edge.gate import Gate
from headwater.edge.http1 import Connection
from headwater.edge.keys import BadTarget, Target, read_target
from headwater.edge.listener import Limits, Shared
from headwater.edge.message import UpstreamAnswer, UpstreamRequest
from headwater.edge.repeats import Repeats
from headwater.edge.tokens import mint
from headwater.edge.wire import Wire

CASES = 210_000 if DEEP else 3_000

LIMITS = Limits(
    connections=10, header_bytes=2_000, header_s=10, idle_s=10, pipeline=4, write_high_bytes=10_000, write_stall_s=10,
    write_least_bytes_s=4_096,
)  # fmt: skip

SEEDS = [
    b"GET /live/x/v/index.m3u8?_HLS_msn=5&_HLS_part=1 HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n",
    b"GET /a.mp4 HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1\r\nIf-None-Match: \"a\"\r\nConnection: keep-alive\r\n\r\n",
    b"HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /b HTTP/1.0\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET /b HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nT: 1\r\n\r\n",
    b"GET /a?CMCD=bl%3D1%2Csid%3D%22a%22&b HTTP/1.1\r\nHost: a\r\nCMCD-Request: bl=1\r\nCMCD-Session: sid=\"\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\nOrigin: b\r\n\r\nGET /%41?a=%20&b HTTP/1.1\r\nHost: a\r\n\r\n",
]  # fmt: skip

PLAIN = [
    b"GET /a.m4s HTTP/1.1\r\nHost: a\r\nUser-Agent: p\r\n\r\n",
    b"GET /live/x/v/p1.m4s HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip, br\r\nOrigin: b\r\n\r\n",
]
"""What players send with every request."""

TOKENS = [
    b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b"%00", b"%2e%2e/", b"/../", b"#", b"http://a/", b"Host: b\r\n",
    b"Content-Length: 4\r\n", b"Content-Length: 99999999999999999999\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: identity\r\n", b"Connection: close\r\n", b"Upgrade: h2c\r\nConnection: upgrade\r\n",
    b"FFFFFFFFFFFFFFFFF\r\n", b"0\r\n\r\n", b"HTTP/2.0", b"HTTP/0.9", b"\xff\xfe", b"x" * 3_000, b"&" * 100,
]  # fmt: skip


class Prompt(Script):
    """Answers every request at once, in the next turn: nothing stays held."""

    def settle(self) -> None:
        while self.pending:
            request, _ = self.pending[0]
            self.answer(request.target, 1.0, b"body", cache_control="max-age=5")


class Trickle(Prompt):
    """Answers with a head and then a body in pieces, whose length is told or not."""

    def settle(self) -> None:
        while self.pending:
            request, done = self.pending[0]
            if request.arriving is None:
                self.answer(request.target, 1.0, b"body", cache_control="max-age=5")
                continue
            self.pending.pop(0)
            told = len(request.target) % 2 == 0
            head = UpstreamAnswer(1.0, UNIX, 200, (("cache-control", "no-store"), ("etag", '"a"')))
            upload = Upload(request, done, head, 6 if told else None)
            upload.piece(b"bo", 1.0).piece(b"dies", 1.0).end(1.0)


SECRET = b"a-secret-of-some-length"
TOKEN = mint("a", SECRET, expires=2e9, paths=["/live/"]).encode()
TOKEN_SEEDS = [
    b"GET /t/%b/live/x/v/index.m3u8?_HLS_msn=5 HTTP/1.1\r\nHost: a\r\n\r\n" % TOKEN,
    b"GET /live/x/v/index.m3u8?a=1&token=%b HTTP/1.1\r\nHost: a\r\n\r\n" % TOKEN,
    b"GET /%%74/%b/live/x?token=%b&%%74oken=1 HTTP/1.1\r\nHost: a\r\n\r\n" % (TOKEN, TOKEN),
    b"GET /t/%b/t/%b/live/x HTTP/1.1\r\nHost: a\r\n\r\n" % (TOKEN, TOKEN),
]  # fmt: skip


def converse(
    pieces: list[bytes], *, tokens: bool = False, growing: bool = False
) -> tuple[bytes, list[UpstreamRequest]]:
    """What one connection is answered, and what went upstream."""
    loop = asyncio.new_event_loop()
    try:
        script = Trickle() if growing else Prompt()
        core = make_core(script)
        if tokens:
            core.gate = Gate(("/assets/",), core.tally)
            core.gate.use_secrets({"a": SECRET})
            core.gate.tell_time(0.0, 1e9)
        shared = Shared(LIMITS, Wire("edge"), core.tally, loop, make_callers(core.tally))
        connection, pipe = Connection(core, shared, LIMITS), Pipe()
        connection.connection_made(pipe)
        for piece in pieces:
            connection.data_received(piece)
            script.settle()
        connection.eof_received()
        script.settle()
        connection.connection_lost(None)
        assert core.tally.held == core.fills == 0
        assert shared.connections == 0
        return bytes(pipe.written), script.seen
    finally:
        loop.close()


DATE = re.compile(rb"Date: [^\r]*\r\n")


def check(data: bytes, cuts: list[int]) -> None:
    """Whole and in pieces the same answers, each well framed; nothing unclean upstream."""
    whole, seen = converse([data])
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    pieces, seen_in_pieces = converse([data[a:b] for a, b in itertools.pairwise(edges)])
    for request in seen + seen_in_pieces:
        target = read_target(request.target.encode("ascii"))
        assert isinstance(target, Target)
        assert target.full == request.target, "what goes upstream is canonical"
        assert not re.search(r"[\x00-\x20\x7f-\xff#\\]", request.target)
    assert [each.target for each in seen] == [each.target for each in seen_in_pieces]
    for written in (whole, pieces):
        rest = written
        while rest:
            assert rest.startswith(b"HTTP/1.1 ")
            head, _, rest = rest.partition(b"\r\n\r\n")
            assert b"Access-Control-Allow-Origin: *" in head
            length = re.search(rb"Content-Length: (\d+)", head)
            body = int(length[1]) if length else 0
            if rest[:9] != b"HTTP/1.1 ":  # otherwise the answer to HEAD
                assert len(rest) >= body or not rest
                rest = rest[body:]
    assert len(whole) < 4_000_000


def mutate(dice: random.Random, data: bytes, seeds: list[bytes] = SEEDS) -> bytes:
    """A few random changes."""
    out = bytearray(data)
    for _ in range(dice.randint(1, 5)):
        at = dice.randint(0, len(out))
        match dice.randint(0, 5):
            case 0:
                out[at:at] = dice.choice(TOKENS)
            case 1:
                del out[at : at + dice.randint(1, 12)]
            case 2 if out:
                out[at % len(out)] = dice.randint(0, 255)
            case 3:
                other = dice.choice(seeds)
                out[at:at] = other[dice.randint(0, len(other)) :]
            case 4:
                out[at : at + 1] = bytes([dice.randint(0, 255)]) * dice.randint(1, 40)
            case _:
                out += dice.choice(seeds)
    return bytes(out)


def test_mutated_requests() -> None:
    dice = random.Random(20_261_120)
    for _ in range(CASES):
        data = mutate(dice, dice.choice(SEEDS))
        check(data, [dice.randint(0, len(data)) for _ in range(3)])


def test_mutated_requests_with_tokens() -> None:
    """Whatever becomes of a token: none goes upstream where one belongs, and nothing is fetched that none opens."""
    dice = random.Random(20_261_127)
    for _ in range(CASES // 2):
        _, seen = converse([mutate(dice, dice.choice(TOKEN_SEEDS), TOKEN_SEEDS)], tokens=True)
        for request in seen:
            assert request.target.startswith(("/live/", "/assets/")), request.target
            names = [name for name, _ in parse_qsl(request.target.partition("?")[2], keep_blank_values=True)]
            assert "token" not in names, request.target


CHUNKED = b"2\r\nbo\r\n4\r\ndies\r\n0\r\n\r\n"


def test_mutated_requests_whose_answers_grow() -> None:
    """Each answer is as long as its head says, and nothing stays behind."""
    dice = random.Random(20_261_128)
    for _ in range(CASES // 2):
        data = mutate(dice, dice.choice(SEEDS))
        cut = dice.randint(0, len(data))
        for pieces in ([data], [data[:cut], data[cut:]]):
            rest, _ = converse(pieces, growing=True)
            while rest:
                rest = behind_one(rest)


def behind_one(written: bytes) -> bytes:
    """What stands behind the first answer."""
    assert written.startswith(b"HTTP/1.1 ")
    head, _, rest = written.partition(b"\r\n\r\n")
    if rest.startswith(b"HTTP/1.1 "):  # the answer to HEAD
        return rest
    if b"Transfer-Encoding: chunked" in head:
        assert not rest or rest.startswith(CHUNKED)
        return rest[len(CHUNKED) :]
    length = re.search(rb"Content-Length: (\d+)", head)
    if length is not None:
        assert len(rest) >= int(length[1]) or not rest
        return rest[int(length[1]) :]
    if not re.match(rb"HTTP/1.1 (204|304)", head):
        assert b"Connection: close" in head
        assert rest in (b"bodies", b""), "to the end of the connection"
        return b""
    return rest


def test_what_comes_again_is_answered_as_if_it_were_new() -> None:
    dice = random.Random(20_261_129)
    for _ in range(CASES // 5):
        data = dice.choice(SEEDS + PLAIN)
        if dice.random() < 0.7:
            data = mutate(dice, data, SEEDS + PLAIN)
        assert answer_to_the_fourth(data, remembers=True) == answer_to_the_fourth(data, remembers=False), data


def answer_to_the_fourth(data: bytes, *, remembers: bool) -> bytes:
    """What the last of four connections that send the same is answered."""
    raw = Raw(script := Prompt())
    raw.now = 1.0
    for _ in range(4):
        if not remembers:
            raw.shared.repeats = Repeats()
        peer = raw.connect()
        answer = peer.send(data)
        script.settle()
        answer += peer.take()
    assert not remembers or data not in PLAIN or raw.shared.repeats.get(data) is not None
    raw.close()
    return answer


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=4))
@example(b"", [])
@example(b"\r\n\r\n", [1])
def test_any_bytes(data: bytes, cuts: list[int]) -> None:
    check(data, cuts)


@given(st.lists(st.sampled_from([*SEEDS, *TOKENS]), max_size=8), st.lists(st.integers(0, 4_000), max_size=4))
def test_any_mixture(parts: list[bytes], cuts: list[int]) -> None:
    check(b"".join(parts), cuts)


@given(st.binary(max_size=100))
def test_any_target_is_canonical_or_refused(raw: bytes) -> None:
    target = read_target(b"/" + raw)
    if isinstance(target, BadTarget):
        return
    assert target.full.isascii()
    again = read_target(target.full.encode("ascii"))
    assert isinstance(again, Target)
    assert again.full == target.full
    assert again.plain == target.plain
