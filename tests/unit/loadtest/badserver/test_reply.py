"""Answers as bytes, and how bodies are spoilt."""

from __future__ import annotations

import pytest

from headwater.loadtest.badserver.faults import Fault, Kind, parse
from headwater.loadtest.badserver.reply import Pacing, Reply, error, spoilt


def test_one_object_for_everybody_within_a_second() -> None:
    reply = Reply(200, "part", b"x" * 9, "video/mp4", max_age=600)
    first = reply.wire(5, b"D5")
    assert first.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: 9\r\n")
    assert b"Cache-Control: public, max-age=600\r\n" in first
    assert first.endswith(b"Date: D5\r\n\r\nxxxxxxxxx")
    assert reply.wire(5, b"D5") is first
    assert b"Date: D6\r\n" in reply.wire(6, b"D6")
    assert reply.wire(6, b"D6", b"Connection: close\r\n").endswith(b"Date: D6\r\nConnection: close\r\n\r\nxxxxxxxxx")


def test_an_error_names_its_fault() -> None:
    reply = error(404, "part", "as told", Kind.STATUS)
    assert (reply.label, reply.kind, reply.body) == ("404 part", Kind.STATUS, b"as told\n")
    assert b"Cache-Control: no-store\r\n" in reply.head


@pytest.mark.parametrize(
    ("text", "pacing"),
    [
        ("stall=300", Pacing(500, 300)),
        ("reset", Pacing(500, 0, reset=True)),
        ("slow=8000", Pacing(50, 50, 50)),
        ("slow=1000", Pacing(6, 48, 48)),
    ],
)
def test_bodies_are_spoilt_by_the_amount(text: str, pacing: Pacing) -> None:
    assert spoilt(parse(text), 1_000) == pacing


def test_a_spoilt_body_is_not_written_with_the_head() -> None:
    reply = Reply(200, "part", b"x" * 9, "video/mp4", pacing=spoilt(Fault(Kind.RESET), 9))
    assert reply.wire(5, b"D").endswith(b"\r\n\r\n")
