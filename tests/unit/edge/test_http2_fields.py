"""Decoded fields -> requests (RFC 9113, 8.2 and 8.3)."""

from __future__ import annotations

import pytest

from headwater.edge.http2.fields import Field, Malformed, check_trailers, priority, read_request
from headwater.edge.message import Method

BASE = {":method": "GET", ":scheme": "https", ":authority": "edge", ":path": "/a?b"}


def fields(*more: tuple[str, str], **changed: str | None) -> list[Field]:
    base = {**BASE, **{":" + name: value for name, value in changed.items()}}
    pairs = [(name, value) for name, value in base.items() if value is not None]
    return [Field(name.encode(), value.encode("latin-1")) for name, value in [*pairs, *more]]


def read(*more: tuple[str, str], **changed: str | None):  # type: ignore[no-untyped-def]
    return read_request(fields(*more, **changed), whole=True, header_bytes=1_000)


def test_a_request_with_all_that_means_something() -> None:
    asked = read(
        ("user-agent", "p"), ("accept-encoding", "gzip"), ("range", "bytes=0-1"), ("cmcd-request", "bl=1"),
        ("cmcd-session", "sid=a"), ("x-forwarded-for", "a"), ("x-forwarded-for", "b"), ("priority", "u=5, i"),
        ("cookie", "a=b"), ("cookie", "c=d"), ("te", "trailers"),
    )  # fmt: skip
    request = asked.request
    assert (request.method, request.target, request.agent, request.gzip) == (Method.GET, b"/a?b", b"p", True)
    assert (request.range, request.cmcd, request.x_forwarded_for) == ("bytes=0-1", b"bl=1,sid=a", b"a,b")
    assert (asked.urgency, asked.incremental, asked.entity) == (5, True, None)


@pytest.mark.parametrize(
    "pair",
    [
        ("Upper", "a"), ("connection", "close"), ("keep-alive", "1"), ("proxy-connection", "a"), ("upgrade", "h2c"),
        ("transfer-encoding", "chunked"), ("te", "gzip"), (":status", "200"), (":extra", "a"), (":path", "/b"),
        ("a b", "c"), ("", "c"), ("a", "b\r\nc: d"), ("a", "\x00"), ("a", " b"), ("a", "b\t"), ("host", "other"),
        ("content-length", "-1"), ("content-length", "1,1"), (":method", "GET"),
    ],
)  # fmt: skip
def test_what_makes_a_request_malformed(pair: tuple[str, str]) -> None:
    with pytest.raises(Malformed):
        read(pair)


@pytest.mark.parametrize("name", ["method", "scheme", "path"])
def test_a_pseudo_field_that_is_missing_or_late(name: str) -> None:
    with pytest.raises(Malformed):
        read(**{name: None})
    with pytest.raises(Malformed):
        read(("a", "b"), (":" + name, BASE[":" + name]), **{name: None})


def test_an_empty_path_two_lengths_and_a_host_that_is_none() -> None:
    for more, changed in (((), {"path": ""}), ((("content-length", "1"), ("content-length", "2")), {})):
        with pytest.raises(Malformed):
            read(*more, **changed)
    with pytest.raises(Malformed):
        read(authority="a b")
    assert read(("host", "EDGE")).entity is None
    assert read(("host", "edge"), authority=None).entity is None


@pytest.mark.parametrize(
    ("changed", "status", "reason"),
    [
        ({"method": "POST"}, 405, "method"),
        ({"method": "BREW"}, 501, "malformed"),
        ({"method": "CONNECT", "path": None, "scheme": None}, 405, "method"),
        ({"path": "/" + "x" * 2_000}, 414, "head"),
    ],
)
def test_what_is_answered_without_the_core(changed: dict[str, str | None], status: int, reason: str) -> None:
    asked = read_request(fields(**changed), whole=status != 414, header_bytes=1_000)
    assert asked.entity is not None
    assert (asked.entity.status, asked.reason) == (status, reason)


def test_too_many_fields() -> None:
    asked = read(*[("a", "b")] * 200)
    assert asked.entity is not None and asked.entity.status == 431
    with pytest.raises(Malformed):
        read(method="CONNECT")


def test_options_for_all_and_head() -> None:
    assert read(method="OPTIONS", path="*").request.target == b"/"
    assert read(method="HEAD").bodiless
    assert read(method="GET", path="*").request.target == b"*", "the core refuses it"


def test_trailers() -> None:
    check_trailers([Field(b"a", b"b")])
    for bad in (Field(b":path", b"/"), Field(b"A", b"b")):
        with pytest.raises(Malformed):
            check_trailers([bad])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"u=0", (0, False)), (b"i", (3, True)), (b"u=7,i", (7, True)), (b"i=?1, u=2", (2, True)), (b"u=9", (3, False)),
        (b"i=?0", (3, False)), (b"", (3, False)), (b"u=1;x=2", (1, False)),
        (b"\xff", (3, False)), (b"xi, yu=1", (3, False)),
    ],
)  # fmt: skip
def test_priorities(value: bytes, expected: tuple[int, bool]) -> None:
    assert priority(value) == expected
