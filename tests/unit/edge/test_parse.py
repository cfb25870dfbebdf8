"""Requests out of bytes: whole, byte by byte, and what is refused (RFC 9112)."""

from __future__ import annotations

import pytest

from headwater.edge.fields import MAX_BODY_BYTES, MAX_FIELDS
from headwater.edge.heads import Head, Refusal
from headwater.edge.message import Method
from headwater.edge.parse import Parser

LIMIT = 1_000


class Seen:
    """A `parse.Receiver` that notes."""

    def __init__(self) -> None:
        self.heads: list[Head] = []
        self.refusals: list[Refusal] = []
        self.began = 0

    def head_began(self) -> None:
        self.began += 1

    def request(self, head: Head) -> None:
        self.heads.append(head)

    def refuse(self, refusal: Refusal) -> None:
        self.refusals.append(refusal)

    @property
    def outcome(self) -> tuple[list[tuple[Method, bytes, bool, bool]], list[int]]:
        heads = [(head.request.method, head.request.target, head.keep_alive, head.http10) for head in self.heads]
        return heads, [refusal.entity.status for refusal in self.refusals]


def feed(data: bytes, size: int | None = None) -> Seen:
    seen = Seen()
    parser = Parser(seen, LIMIT)
    for start in range(0, len(data), size or max(1, len(data))):
        assert parser.feed(data[start : start + (size or len(data))], lambda: False) == b""
    parser.close()
    return seen


def both(data: bytes) -> Seen:
    whole = feed(data)
    for size in (1, 7):
        assert feed(data, size).outcome == whole.outcome
    return whole


def get(*fields: str, line: str = "GET /a HTTP/1.1", body: str = "") -> bytes:
    return ("\r\n".join((line, *fields)) + "\r\n\r\n" + body).encode("latin-1")


def test_a_request_with_its_fields() -> None:
    seen = both(
        get(
            "Host: a",
            "ACCEPT-ENCODING: br, gzip",
            "Range: bytes=0-1",
            "If-Range: x",
            'If-None-Match: "a"',
            'If-None-Match: "b"',
            "If-Modified-Since: then",
            "User-Agent: me",
            line="HEAD /a?b HTTP/1.1",
        )
    )
    request = seen.heads[0].request
    assert request.method is Method.HEAD
    assert seen.heads[0].bodiless
    assert request.target == b"/a?b"
    assert request.gzip
    assert (request.range, request.if_range) == ("bytes=0-1", "x")
    assert (request.if_none_match, request.if_modified_since) == ('"a", "b"', "then")


def test_pipelined_requests_do_not_share_fields() -> None:
    seen = both(get("Host: a", "Range: bytes=0-1") + get("Host: a", line="GET /b HTTP/1.1"))
    assert [head.request.target for head in seen.heads] == [b"/a", b"/b"]
    assert seen.heads[1].request.range is None


@pytest.mark.parametrize(
    ("data", "keep_alive"),
    [
        (get("Host: a"), True),
        (get("Host: a", "Connection: close"), False),
        (get(line="GET /a HTTP/1.0"), False),
        (get("Connection: keep-alive", line="GET /a HTTP/1.0"), True),
    ],
)
def test_keep_alive(data: bytes, keep_alive: bool) -> None:
    assert both(data).heads[0].keep_alive is keep_alive


def test_nothing_is_read_after_a_closing_request() -> None:
    seen = both(get("Host: a", "Connection: close") + get("Host: a"))
    assert len(seen.heads) == 1
    assert not seen.refusals


def test_a_body_is_dropped() -> None:
    for data in (
        get("Host: a", "Content-Length: 5", body="hello"),
        get("Host: a", "Transfer-Encoding: chunked", body="5\r\nhello\r\n0\r\nHost: evil\r\n\r\n"),
    ):
        seen = both(data + get("Host: a", line="GET /b HTTP/1.1"))
        assert [head.request.target for head in seen.heads] == [b"/a", b"/b"]


def test_an_upgrade_is_ignored_and_ends_the_connection() -> None:
    seen = both(get("Host: a", "Connection: Upgrade", "Upgrade: h2c", body="PRI * HTTP/2.0\r\n\r\n"))
    assert [head.keep_alive for head in seen.heads] == [False]
    assert not seen.refusals


def test_the_asterisk_form_is_for_options() -> None:
    assert both(get("Host: a", line="OPTIONS * HTTP/1.1")).heads[0].request.target == b"/"
    assert both(get("Host: a", line="GET * HTTP/1.1")).heads[0].request.target == b"*"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /a HTTP/1.1\nHost: a\n\n", 400),
        (b"GET /a HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400),
        (get("Host: a", "Content-Length: 4", "Transfer-Encoding: chunked", body="0\r\n\r\n"), 400),
        (get("Host: a", "Transfer-Encoding: chunked", "Content-Length: 4", body="0\r\n\r\n"), 400),
        (get("Host: a", "Content-Length: 4", "Content-Length: 4", body="abcd"), 400),
        (get("Host: a", "Content-Length: 4, 4", body="abcd"), 400),
        (get("Host: a", "Content-Length: +4", body="abcd"), 400),
        (get("Host: a", "Content-Length: -1"), 400),
        (get("Host: a", "Content-Length: 99999999999999999999999"), 400),
        (get("Host: a", "Transfer-Encoding: chunked", body="zz\r\n"), 400),
        (get("Host: a", "Transfer-Encoding: chunked", body="FFFFFFFFFFFFFFFFF\r\n"), 400),
        (get("Host: a", "Transfer-Encoding: chunked", body="3\nabc\r\n0\r\n\r\n"), 400),
        (get("Host: a", "Transfer-Encoding: gzip"), 400),
        (get("Host: a", "Transfer-Encoding: chunked, gzip"), 400),
        (get("Transfer-Encoding: chunked", line="GET /a HTTP/1.0", body="0\r\n\r\n"), 400),
        (get("Host : a"), 400),
        (get("Host: a", "X: a", " folded"), 400),
        (get("Host: a", "X: a\x00b"), 400),
        (get("Host: a", ": b"), 400),
        (get(), 400),
        (get("Host: a", "Host: b"), 400),
        (get("Host: a", line="GET /\xff HTTP/1.1"), 400),
        (get("Host: a", line="GET /a HTTP/1.2"), 400),
        (get("Host: a", line="GET /a HTTP/2.0"), 505),
        (b"GET /a\r\n\r\n", 505),
        (get("Host: a", line="BREW /a HTTP/1.1"), 501),
        (get("Host: a", line="POST /a HTTP/1.1"), 405),
        (get("Host: a", line="CONNECT a:80 HTTP/1.1"), 405),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    ],
)
def test_what_is_refused(data: bytes, status: int) -> None:
    seen = both(data + get("Host: a"))
    assert not seen.heads, "nothing after a refused request is read"
    assert [refusal.entity.status for refusal in seen.refusals] == [status]


def test_a_request_line_that_is_too_long() -> None:
    for data in (get("Host: a", line=f"GET /{'x' * LIMIT} HTTP/1.1"), b"GET /" + b"x" * 20_000):
        assert both(data).outcome == ([], [414])


@pytest.mark.parametrize(
    "data",
    [
        get("Host: a", f"X: {'x' * LIMIT}"),
        get("Host: a", *["X: 1"] * (MAX_FIELDS + 1)),
        get("Host: a")[:-2] + b"X: " + b"x" * 20_000,
    ],
)
def test_header_fields_that_are_too_long(data: bytes) -> None:
    assert both(data).outcome == ([], [431])


@pytest.mark.parametrize(
    "data",
    [
        get("Host: a", f"Content-Length: {MAX_BODY_BYTES + 1}", body="x" * (MAX_BODY_BYTES + 1)),
        get("Host: a", "Transfer-Encoding: chunked", body="11000\r\n" + "x" * 0x11000),
    ],
)
def test_a_body_that_is_too_large(data: bytes) -> None:
    assert feed(data).outcome == ([], [413])
    assert feed(data, 1_000).outcome == ([], [413])


def test_a_long_pipeline_is_left_unread_when_the_receiver_is_full() -> None:
    seen = Seen()
    parser = Parser(seen, LIMIT)
    one = get("Host: a")
    data = one * 2_000
    rest = parser.feed(data, lambda: len(seen.heads) >= 16)
    assert 16 <= len(seen.heads) < 300
    while rest:
        count = len(seen.heads) + 16
        rest = parser.feed(rest, lambda limit=count: len(seen.heads) >= limit)  # type: ignore[misc]
    assert len(seen.heads) == 2_000
    parser.close()


def test_the_receiver_hears_when_a_head_begins() -> None:
    seen = Seen()
    parser = Parser(seen, LIMIT)
    parser.feed(b"GET", lambda: False)
    assert seen.began == 1
    assert parser.in_request
    parser.feed(b" /a HTTP/1.1\r\nHost: a\r\n\r\n", lambda: False)
    assert seen.began == 1
    assert not parser.in_request
    parser.close()
    parser.feed(b"GET", lambda: False)
    assert seen.began == 1


def test_a_header_block_that_was_seen_before_means_the_same() -> None:
    fields = ("Host: a", "X-Block: 1", "Range: bytes=0-1", "If-Range: x", 'If-None-Match: "a"', "Accept-Encoding: gzip")
    targets = [b"/one", b"/two?x=1", b"/%zz", b"http://a/", b"/three"]
    seen = Seen()
    parser = Parser(seen, LIMIT)
    for target in targets:
        parser.feed(get(*fields, line=f"GET {target.decode()} HTTP/1.1"), lambda: False)
    assert [head.request.target for head in seen.heads] == targets
    for head in seen.heads:
        request = head.request
        assert (request.range, request.if_range, request.if_none_match, request.gzip) == ("bytes=0-1", "x", '"a"', True)
        assert head.keep_alive
    assert len({id(head.request) for head in seen.heads}) == len(targets)
    parser.close()


@pytest.mark.parametrize(
    "line",
    [
        "GET /a HTTP/1.0",
        "GET /a HTTP/1.2",
        "GET  /a HTTP/1.1 ",
        "get /a HTTP/1.1",
        "POST /a HTTP/1.1",
        "GET /a\0 HTTP/1.1",
    ],
)
def test_a_known_block_does_not_excuse_a_bad_request_line(line: str) -> None:
    block = ("Host: a", "X-Other: 2")
    alone = feed(get(*block, line=line)).outcome
    seen = Seen()
    parser = Parser(seen, LIMIT)
    parser.feed(get(*block), lambda: False)
    parser.feed(get(*block, line=line), lambda: False)
    heads, refusals = seen.outcome
    assert (heads[1:], refusals) == alone
    parser.close()


@pytest.mark.parametrize(
    "fields", [("Host: a", "Connection: close"), ("Host: a", "Content-Length: 3"), ("X: no host",)]
)
def test_what_ends_a_connection_or_has_a_body_is_not_remembered(fields: tuple[str, ...]) -> None:
    body = "abc" if "Content-Length: 3" in fields else ""
    for _ in range(2):
        seen = feed(get(*fields, body=body) + get("Host: a", line="GET /b HTTP/1.1"))
        assert [head.request.target for head in seen.heads][:2] in ([b"/a"], [b"/a", b"/b"], [])


def test_the_start_of_a_second_request_in_the_same_piece_counts_as_one() -> None:
    seen = Seen()
    parser = Parser(seen, LIMIT)
    parser.feed(get("Host: a") + b"GET /slow", lambda: False)
    assert len(seen.heads) == 1
    assert parser.in_request
    parser.close()


def test_the_edges_that_a_request_passed() -> None:
    head = b"GET / HTTP/1.1\r\nHost: a\r\nCDN-Loop: one, two\r\ncdn-loop: three;v=1\r\n\r\n"
    for seen in (both(head), feed(head + head)):  # the second time the block of fields is known
        assert {found.request.loop for found in seen.heads} == {"one, two, three;v=1"}
    assert feed(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").heads[0].request.loop == ""


def test_reports_and_the_agent_are_read_each_time() -> None:
    class Taking(Seen):
        """Takes the report out, as the core does, before the parser remembers anything."""

        def request(self, head: Head) -> None:
            told.append((head.request.cmcd, head.request.agent))
            head.request.cmcd = None

    told: list[tuple[bytes | None, bytes]] = []
    parser = Parser(Taking(), LIMIT)
    for block in (
        ("Host: a", "User-Agent: p/1", 'CMCD-Session: sid="s"', "cmcd-request: bl=1"),
        ("Host: a", "User-Agent: q"),
    ):
        for _ in range(3):
            parser.feed(get(*block), lambda: False)
    parser.close()
    assert told == [(b'sid="s",bl=1', b"p/1")] * 3 + [(None, b"q")] * 3
