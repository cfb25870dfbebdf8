"""Requests that two servers could frame or read differently, with a real upstream that says what it was asked
(RFC 9112 sections 2.2, 3.2, 5.1, 6.1, 6.3, 7.1, 11.2; RFC 3986): 400, a closed connection, nothing forwarded."""

from __future__ import annotations

import asyncio

import pytest
from tests.edge_house import House, on_both_loops

HEAD = b"Host: a\r\n"
BEHIND = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


def get(target: bytes, fields: bytes = HEAD) -> bytes:
    return b"GET " + target + b" HTTP/1.1\r\n" + fields + b"\r\n"


def post(fields: bytes, body: bytes = b"") -> bytes:
    return b"POST /a HTTP/1.1\r\n" + HEAD + fields + b"\r\n" + body


CHUNKED = b"Transfer-Encoding: chunked\r\n"

CASES = {
    "bare LF": b"GET /a HTTP/1.1\nHost: a\n\n",
    "bare LF after a field": b"GET /a HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
    "bare LF at the end of the head": b"GET /a HTTP/1.1\r\nHost: a\r\n\n",
    "bare CR in a field": get(b"/a", b"Host: a\r\nX: b\rY: c\r\n"),
    "bare CR for a line end": b"GET /a HTTP/1.1\rHost: a\r\r",
    "CL and TE": post(b"Content-Length: 4\r\n" + CHUNKED, b"0\r\n\r\n"),
    "TE and CL": post(CHUNKED + b"Content-Length: 4\r\n", b"0\r\n\r\n"),
    "CL and TE of a GET": get(b"/a", HEAD + b"Content-Length: 4\r\n" + CHUNKED) + b"0\r\n\r\n",
    "two CL": post(b"Content-Length: 1\r\nContent-Length: 2\r\n", b"ab"),
    "two equal CL": post(b"Content-Length: 1\r\nContent-Length: 1\r\n", b"a"),
    "a list of CL": post(b"Content-Length: 1, 2\r\n", b"ab"),
    "a list of equal CL": post(b"Content-Length: 1, 1\r\n", b"a"),
    "CL with a sign": post(b"Content-Length: +1\r\n", b"a"),
    "CL below nought": post(b"Content-Length: -1\r\n"),
    "CL in hexadecimal": post(b"Content-Length: 0x1\r\n", b"a"),
    "CL with a space in it": post(b"Content-Length: 1 1\r\n", b"a" * 11),
    "CL that is empty": post(b"Content-Length:\r\n"),
    "CL above 64 bits": post(b"Content-Length: 18446744073709551617\r\n", b"a"),
    "space before the colon": post(b"Content-Length : 1\r\n", b"a"),
    "space before the colon of TE": post(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n"),
    "a folded field": get(b"/a", HEAD + b"X: a\r\n b\r\n"),
    "a folded TE": post(b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n"),
    "a field without a colon": get(b"/a", HEAD + b"X\r\n"),
    "a field without a name": get(b"/a", HEAD + b": x\r\n"),
    "a field name that is none": get(b"/a", HEAD + b"X(y: x\r\n"),
    "whitespace before the first field": b"GET /a HTTP/1.1\r\n Host: a\r\n\r\n",
    "NUL in a field": get(b"/a", HEAD + b"X: a\0b\r\n"),
    "NUL in a field name": get(b"/a", HEAD + b"X\0: a\r\n"),
    "TE that is not chunked": post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n"),
    "TE identity": post(b"Transfer-Encoding: identity\r\n", b"0\r\n\r\n"),
    "TE chunked and more": post(b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n"),
    "TE chunked twice": post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n", b"0\r\n\r\n"),
    "TE with a vertical tab": post(b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n"),
    "TE in HTTP/1.0": b"POST /a HTTP/1.0\r\n" + CHUNKED + b"\r\n0\r\n\r\n",
    "chunk size above 64 bits": post(CHUNKED, b"FFFFFFFFFFFFFFFFF\r\n"),
    "chunk size below nought": post(CHUNKED, b"-1\r\n"),
    "chunk size with 0x": post(CHUNKED, b"0x1\r\na\r\n0\r\n\r\n"),
    "chunk size with a space before": post(CHUNKED, b" 1\r\na\r\n0\r\n\r\n"),
    "chunk size and bare LF": post(CHUNKED, b"1\na\r\n0\r\n\r\n"),
    "chunk that is longer than told": post(CHUNKED, b"1\r\nabc\r\n0\r\n\r\n"),
    "chunk extension with bare LF": post(CHUNKED, b"1;x\n\r\na\r\n0\r\n\r\n"),
    "chunk without a size": post(CHUNKED, b"\r\na\r\n0\r\n\r\n"),
    "last chunk and bare LF": post(CHUNKED, b"0\n\n"),
    "an absolute URI": get(b"http://a/a"),
    "an absolute URI of another host": get(b"http://elsewhere:80/a"),
    "an authority": get(b"a:80"),
    "an asterisk of a GET": get(b"*"),
    "no slash": get(b"a"),
    "an encoded slash": get(b"/a%2Fb"),
    "an encoded slash in lower case": get(b"/a%2f..%2fb"),
    "an encoded backslash": get(b"/a%5Cb"),
    "a backslash": get(b"/a\\b"),
    "a dot segment": get(b"/a/../b"),
    "an encoded dot segment": get(b"/a/%2e%2E/b"),
    "NUL in the target": get(b"/a\0b"),
    "an encoded NUL": get(b"/a%00b"),
    "an encoded line end": get(b"/a%0d%0aX:%20y"),
    "an encoded line end in the query": get(b"/a?b=%0d%0aX:%20y"),
    "a fragment": get(b"/a#b"),
    "percent alone": get(b"/a%"),
    "a space in the target": get(b"/a b"),
    "a tab in the request line": b"GET\t/a\tHTTP/1.1\r\n" + HEAD + b"\r\n",
    "no version": b"GET /a\r\n" + HEAD + b"\r\n",
    "a version that is none": b"GET /a HTTP/1.1x\r\n" + HEAD + b"\r\n",
    "a version in lower case": b"GET /a http/1.1\r\n" + HEAD + b"\r\n",
    "two Host": get(b"/a", HEAD + b"Host: b\r\n"),
    "two equal Host": get(b"/a", HEAD + HEAD),
    "no Host": get(b"/a", b""),
    "a Host with a path": get(b"/a", b"Host: a/b\r\n"),
    "a Host with a user": get(b"/a", b"Host: b@a\r\n"),
    "a Host with a space": get(b"/a", b"Host: a b\r\n"),
}
OTHERS = {"no version": {505}, "a tab in the request line": {400, 501}}
"""Where another status is right: HTTP/0.9 has no version, and what is no method may be one that is not known."""


async def settle(house: House) -> None:
    """The upstream had time to be asked, if it was."""
    witness = await house.peer()
    assert (await witness.ask("/witness")).status == 404
    assert house.upstream.hits == ["/witness"]


@pytest.mark.parametrize("name", CASES)
@on_both_loops
async def test_refused_closed_and_never_forwarded(house: House, name: str) -> None:
    raw = CASES[name]
    await house.edge()
    whole, pieces, behind, known = [await house.peer() for _ in range(4)]
    whole.send(raw + BEHIND)
    for byte in raw:
        pieces.send(bytes([byte]))
        await asyncio.sleep(0)
    pieces.send(BEHIND)
    behind.send(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" + raw + BEHIND)
    for _ in range(2):  # the second time its fields are known, byte for byte
        known.get("/healthz")
        assert (await known.answer()).status == 200
    known.send(raw + BEHIND)
    assert (await behind.answer()).status == 200
    for peer in (whole, pieces, behind, known):
        answer = await peer.answer()
        assert answer.status in OTHERS.get(name, {400}), answer.body
        assert answer.headers["connection"] == "close"
        assert answer.headers["access-control-allow-origin"] == "*"
        assert await peer.ended()
    await settle(house)


@on_both_loops
async def test_bodies_are_framed_and_dropped_and_what_follows_is_a_request(house: House) -> None:
    peer = await house.peer()
    hidden = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
    peer.send(get(b"/healthz", HEAD + b"Content-Length: %d\r\n" % len(hidden)) + hidden)
    peer.send(get(b"/healthz", HEAD + CHUNKED) + b"%x\r\n%b\r\n0\r\n\r\n" % (len(hidden), hidden))
    peer.get("/witness")
    assert [(await peer.answer()).status for _ in range(3)] == [200, 200, 404]
    assert house.upstream.hits == ["/witness"]


@on_both_loops
async def test_what_follows_an_upgrade_or_the_last_request_is_not_read(house: House) -> None:
    await house.edge()
    upgrade, closing = await house.peer(), await house.peer()
    upgrade.send(get(b"/healthz", HEAD + b"Connection: upgrade\r\nUpgrade: h2c\r\n") + BEHIND)
    closing.send(get(b"/healthz", HEAD + b"Connection: close\r\n") + BEHIND)
    for peer in (upgrade, closing):
        assert (await peer.answer()).status == 200
        assert await peer.ended()
    await settle(house)
