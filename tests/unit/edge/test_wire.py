"""Heads on the wire, and Accept-Encoding."""

from __future__ import annotations

import re

import pytest

from headwater.edge.entities import PREFLIGHT, local
from headwater.edge.fields import accepts_gzip
from headwater.edge.message import Entity, Outcome, Response
from headwater.edge.wire import JOINED, Wire


def stored(**changes: object) -> Entity:
    values = {"status": 200, "headers": (("Date", "then"),), "body": b"abc", "received": 0.0}
    return Entity(**{**values, **changes})  # type: ignore[arg-type]


def head(entity: Entity, outcome: Outcome = Outcome.HIT, *, age: int | None = 7, keep_alive: bool = True,
         http10: bool = False, collapsed: bool = False) -> list[bytes]:  # fmt: skip
    raw = Wire("edge-1").head(Response(entity, outcome, age, collapsed), keep_alive=keep_alive, http10=http10)
    assert raw.endswith(b"\r\n\r\n")
    return raw[:-4].split(b"\r\n")


def test_a_stored_entity_keeps_its_date_and_says_its_age() -> None:
    assert head(stored()) == [
        b"HTTP/1.1 200 OK",
        b"Date: then",
        b"Content-Length: 3",
        b"Cache-Status: edge-1; hit",
        b"Age: 7",
    ]


def test_a_head_is_rendered_once_per_kind_of_answer() -> None:
    wire, entity = Wire("e"), stored()
    for age in range(3):
        assert b"Age: %d\r\n" % age in wire.head(Response(entity, Outcome.HIT, age), keep_alive=True, http10=False)
    assert len(entity.wire) == 1


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        (Outcome.HIT, b"edge-1; hit"),
        (Outcome.JOIN, b"edge-1; fwd=miss; collapsed"),
        (Outcome.FETCH, b"edge-1; fwd=miss"),
        (Outcome.STALE, b"edge-1; fwd=stale; detail=upstream-failed"),
        (Outcome.PASS, b"edge-1; fwd=bypass"),
    ],
)
def test_rfc_9211_cache_status(outcome: Outcome, text: bytes) -> None:
    assert b"Cache-Status: " + text in head(stored(), outcome)
    assert b"Cache-Status: shield; hit, " + text in head(stored(trail="shield; hit"), outcome)


def test_a_fetch_that_answered_several_says_so() -> None:
    assert b"Cache-Status: edge-1; fwd=miss; collapsed" in head(stored(), Outcome.FETCH, collapsed=True)


def test_an_answer_of_our_own_has_a_date_and_no_age() -> None:
    lines = head(local(404, "no"), Outcome.REJECT, age=None)
    assert not any(line.startswith((b"Age", b"Cache-Status")) for line in lines)
    date = next(line for line in lines if line.startswith(b"Date: "))
    assert re.fullmatch(rb"Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", date)


def test_an_upstream_without_a_date_gets_ours() -> None:
    lines = head(stored(headers=()))
    assert sum(line.startswith(b"Date: ") for line in lines) == 1


def test_no_length_where_there_is_no_content() -> None:
    for entity in (PREFLIGHT, stored(status=304, body=b"")):
        assert not any(line.startswith(b"Content-Length") for line in head(entity))


def test_connection_says_what_will_happen() -> None:
    assert head(stored(), keep_alive=False)[-1] == b"Connection: close"
    assert head(stored(), http10=True)[-1] == b"Connection: keep-alive"
    assert not any(line.startswith(b"Connection") for line in head(stored()))


def test_an_unknown_status_is_passed_on() -> None:
    assert head(stored(status=299))[0] == b"HTTP/1.1 299 Unknown"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("gzip", True),
        ("GZip, br", True),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("*", True),
        ("*;q=0", False),
        ("gzip;q=0, *", False),
        ("identity", False),
        ("", False),
        ("br", False),
        ("gzip;q=high", False),
        ("x-gzip", True),
    ],
)
def test_accept_encoding(value: str, expected: bool) -> None:
    assert accepts_gzip(value) is expected


def test_only_workers_of_the_same_edge_hear_what_the_origin_says_to_caches() -> None:
    entity = stored(surrogate="private")
    for inner in (False, True):
        raw = Wire("e", inner=inner).head(Response(entity, Outcome.HIT, 0), keep_alive=True, http10=False)
        assert (b"\r\nSurrogate-Control: private\r\n" in raw) is inner
        entity.wire.clear()


def test_one_answer_for_many_viewers_is_joined_once() -> None:
    wire, body = Wire("edge-1"), b"x" * 40_000
    entity = stored(body=body)
    for outcome in (Outcome.HIT, Outcome.JOIN):
        response = Response(entity, outcome, 7)
        whole = wire.joined(wire.head(response, keep_alive=True, http10=False), body)
        assert whole == wire.head(response, keep_alive=True, http10=False) + body
        again = Response(entity, outcome, 7)
        assert wire.joined(wire.head(again, keep_alive=True, http10=False), body) is whole
    for age in (7, 8):
        assert wire.joined(wire.hit(entity, age), body) == wire.hit(entity, age) + body
    # A revalidation renders the head anew.
    entity.headers, entity.wire = (("Date", "later"),), {}
    assert b"Date: later" in wire.joined(wire.hit(entity, 8), body)
    assert wire.joined(wire.hit(stored(), 8), b"abc").endswith(b"\r\n\r\nabc")


def test_joined_answers_are_bounded() -> None:
    wire = Wire("edge-1")
    for number in range(3 * JOINED):
        body = b"%d" % number
        assert wire.joined(wire.hit(stored(body=body), number), body).endswith(b"\r\n\r\n%d" % number)
        assert len(wire._joined) <= JOINED
