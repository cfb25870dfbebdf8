"""Garbage from a server over HTTP/2: every lane hears of an end, nothing else is raised, in whatever pieces it comes.
`TEST_FUZZ=deep` runs 50,000 conversations."""

from __future__ import annotations

import random

from hpack import Encoder
from tests.profile import DEEP
from tests.unit.loadtest.generator.http2_kit import Bench

from headwater.loadtest.players.lane import Kind

CASES = 50_000 if DEEP else 700
KINDS = {"malformed", "reset"}
TYPES = (0, 0, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16)
"""Of frames; the usual ones more often."""


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def noise(dice: random.Random) -> bytes:
    """A few frames, of which some are broken afterwards."""
    encoder, found = Encoder(), bytearray(frame(4, 0, 0, b""))
    for _ in range(dice.randrange(1, 7)):
        kind = dice.choice(TYPES)
        payload = dice.randbytes(dice.choice((0, 1, 4, 5, 6, 8, dice.randrange(40))))
        if kind == 1 and dice.random() < 0.7:
            fields = [(":status", dice.choice(("200", "404", "100", "x"))), ("age", str(dice.randrange(9)))]
            payload = encoder.encode(fields)
        found += frame(
            kind, dice.choice((0, 1, 4, 5, 8, dice.randrange(256))), dice.choice((0, 1, 1, 3, 2, 9)), payload
        )
        if dice.random() < 0.3:
            found[dice.randrange(len(found))] = dice.randrange(256)
    return bytes(found)


def test_whatever_a_server_says_is_an_answer_or_an_error() -> None:
    for case in range(CASES):
        dice = random.Random(case)
        bench = Bench()
        bench.ask(bench.lists)
        bench.ask(bench.media, Kind.PART)
        first, data = bench.server, noise(dice)
        while data and not first.wire.aborted:
            size = dice.randrange(1, len(data) + 1)
            first.connection.get_buffer(-1)[:size] = data[:size]
            first.connection.buffer_updated(size)
            data = data[size:]
        for server in bench.dials.made:  # those that took over what the first one had not begun, too
            server.connection.connection_lost(None)
        assert not bench.lists.busy and not bench.media.busy, case
        assert len(bench.heard) == 2, case
        assert all(isinstance(heard, tuple) or heard in KINDS for heard in bench.heard), (case, bench.heard)
