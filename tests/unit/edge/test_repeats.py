"""Requests that come again byte for byte: answered without being read anew, and only as they would have been."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import pytest
from tests.edge_kit import LiveStream
from tests.h1_raw_kit import Raw

from headwater.edge.gate import Gate
from headwater.edge.message import Outcome
from headwater.edge.purge import Order, What

PATH = b"/assets/a.m4s"
GET = b"GET %b HTTP/1.1\r\nHost: a\r\nUser-Agent: p\r\nAccept-Encoding: gzip\r\n\r\n" % PATH


@pytest.fixture
def raw() -> Iterator[Raw]:
    raw = Raw(requests_per_s_per_address=5)
    yield raw
    raw.close()


def known(raw: Raw, body: bytes = b"abc", request: bytes = GET, content_type: str = "video/mp4") -> None:
    """`request` was answered from the store, and is remembered."""
    peer = raw.connect()
    assert peer.send(request) == b""
    target = raw.script.targets[0]
    raw.script.answer(target, raw.now, body, cache_control="max-age=10", content_type=content_type)
    assert peer.take().endswith(body)
    for _ in range(3):
        assert b"; hit" in peer.send(request)
    assert raw.shared.repeats.get(request) is not None


def test_it_is_the_same_answer_with_its_age(raw: Raw) -> None:
    known(raw)
    raw.now += 4
    again = raw.connect().send(GET)
    del raw.shared.repeats._known[GET]
    assert again == raw.connect().send(GET)
    assert b"\r\nAge: 4\r\n" in again
    assert raw.core.tally.requests[Outcome.HIT] == 5


def test_what_is_stale_is_asked_for(raw: Raw) -> None:
    known(raw)
    raw.now += 10
    peer = raw.connect()
    assert peer.send(GET) == b""
    assert raw.script.targets == [PATH.decode()]
    assert peer.send(GET) == b"", "nothing goes before an answer that is owed"
    raw.script.answer(PATH.decode(), raw.now, b"new", cache_control="max-age=10")
    assert peer.take().count(b"new") == 2


def test_what_was_purged_is_asked_for(raw: Raw) -> None:
    known(raw)
    raw.core.purge(Order(What.URL, PATH.decode()), raw.now)
    assert raw.connect().send(GET) == b""
    assert raw.script.targets == [PATH.decode()]


def test_an_address_that_had_enough_is_refused(raw: Raw) -> None:
    known(raw)
    peer = raw.connect("192.0.2.1")
    answers = [peer.send(GET)[:12] for _ in range(12)]
    assert answers[0] == b"HTTP/1.1 200"
    assert answers[-1] == b"HTTP/1.1 429"
    assert raw.core.tally.refused["address-requests"] >= 1


def test_a_gate_is_not_passed_by(raw: Raw) -> None:
    known(raw)
    raw.core.gate = Gate((), raw.core.tally)
    raw.core.gate.use_secrets({"a": b"s" * 32})
    assert raw.connect().send(GET).startswith(b"HTTP/1.1 403")


def test_a_playlist_that_turned_live_is_followed(raw: Raw) -> None:
    request = GET.replace(PATH, b"/live/x/v/index.m3u8")
    known(raw, request=request)
    raw.now += 10
    stream = LiveStream()
    raw.connect().send(request)
    raw.script.playlist("/live/x/v/index.m3u8", raw.now, stream)
    assert stream.text().encode()[:7] in gzip.decompress(raw.connect().send(request).partition(b"\r\n\r\n")[2])


def test_text_is_sent_compressed(raw: Raw) -> None:
    known(raw, b"x", content_type="text/plain")
    text = b"text " * 100
    known(raw, text, GET.replace(b"/a.m4s", b"/t"), content_type="video/mp4")
    request = GET.replace(b"/a.m4s", b"/b.txt")
    peer = raw.connect()
    peer.send(request)
    raw.script.answer("/assets/b.txt", raw.now, text, cache_control="max-age=10", content_type="text/plain")
    for _ in range(4):
        peer.take()
        assert gzip.decompress(peer.send(request).partition(b"\r\n\r\n")[2]) == text


@pytest.mark.parametrize(
    "field", [b"Range: bytes=0-1", b"If-None-Match: *", b"If-Modified-Since: x", b"CMCD-Object: d=1", b"CDN-Loop: x"]
)
def test_what_depends_on_more_than_the_path_is_read_each_time(raw: Raw, field: bytes) -> None:
    known(raw)
    request = GET.replace(b"Host", field + b"\r\nHost")
    peer = raw.connect()
    for _ in range(4):
        assert peer.send(request)
    assert raw.shared.repeats.get(request) is None


def test_a_report_in_the_query_is_read_each_time(raw: Raw) -> None:
    request = GET.replace(PATH, PATH + b"?CMCD=bl%3D100%2Csid%3D%22a%22")
    known(raw)
    peer = raw.connect()
    for _ in range(4):
        assert b"; hit" in peer.send(request)
    assert raw.shared.repeats.get(request) is None


def test_a_piece_of_another_request_is_not_taken_for_one(raw: Raw) -> None:
    known(raw)
    peer = raw.connect()
    assert peer.send(b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (len(GET) + 5)) == b""
    assert peer.send(GET) == b""
    assert peer.send(b"12345").startswith(b"HTTP/1.1 405")


def test_while_draining_an_answer_ends_the_connection(raw: Raw) -> None:
    known(raw)
    peer = raw.connect()
    raw.shared.draining = True
    assert b"Connection: close" in peer.send(GET)
    assert peer.pipe.closing
