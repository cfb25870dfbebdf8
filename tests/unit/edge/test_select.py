"""Conditions, ranges, encodings (RFC 9110 sections 12 to 14)."""

from __future__ import annotations

import gzip

import pytest

from headwater.edge.growing import Growing
from headwater.edge.message import Entity, Method, Request
from headwater.edge.select import compressed, select, select_growing

BODY = bytes(range(256)) * 4
MODIFIED = "Sun, 06 Nov 1994 08:49:37 GMT"


def entity(**changes: object) -> Entity:
    values = {
        "status": 200,
        "headers": (("Content-Type", "video/mp4"), ("ETag", '"v1"'), ("Cache-Control", "max-age=9")),
        "body": BODY,
        "received": 0.0,
        "etag": '"v1"',
        "last_modified": MODIFIED,
    }
    return Entity(**{**values, **changes})  # type: ignore[arg-type]


def ask(method: Method = Method.GET, **fields: object) -> Request:
    return Request(method, b"/", **fields)  # type: ignore[arg-type]


def field(one: Entity, name: str) -> str | None:
    return next((value for key, value in one.headers if key.lower() == name), None)


def test_without_conditions_it_is_the_entity_itself() -> None:
    one = entity()
    assert select(ask(), one) is one
    assert select(ask(Method.HEAD, gzip=True), one) is one


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=10-19", 10, 19),
        ("bytes=1000-", 1000, 1023),
        ("bytes=1000-9007199254740991", 1000, 1023),
        ("bytes=-24", 1000, 1023),
        ("bytes=-5000", 0, 1023),
        ("Bytes=0-0", 0, 0),
    ],
)
def test_one_range(text: str, first: int, last: int) -> None:
    got = select(ask(range=text, gzip=True), entity(compress=True))
    assert got.status == 206
    assert got.body == BODY[first : last + 1]
    assert field(got, "content-range") == f"bytes {first}-{last}/1024"


@pytest.mark.parametrize("text", ["bytes=0-1,3-4", "bytes=", "bytes=-", "bytes=5-2", "items=0-1", "bytes=a-b", "0-1"])
def test_other_ranges_are_ignored(text: str) -> None:
    one = entity()
    assert select(ask(range=text), one) is one


@pytest.mark.parametrize("text", ["bytes=1024-", "bytes=5000-6000", "bytes=-0"])
def test_a_range_beyond_the_end(text: str) -> None:
    got = select(ask(range=text), entity())
    assert got.status == 416
    assert got.body == b""
    assert field(got, "content-range") == "bytes */1024"
    assert field(got, "cache-control") == "no-store"  # rule 148: the lifetime is the object's, not the error's
    assert field(got, "access-control-allow-origin") == "*"


def test_ranges_are_for_get_and_200() -> None:
    one = entity()
    assert select(ask(Method.HEAD, range="bytes=0-1"), one) is one
    gone = entity(status=404)
    assert select(ask(range="bytes=0-1", if_none_match="*"), gone) is gone


@pytest.mark.parametrize(
    ("if_range", "status"),
    [('"v1"', 206), ('"v2"', 200), ('W/"v1"', 200), (MODIFIED, 206), ("Sun, 06 Nov 1994 08:49:38 GMT", 200)],
)
def test_if_range(if_range: str, status: int) -> None:
    assert select(ask(range="bytes=0-1", if_range=if_range), entity()).status == status


@pytest.mark.parametrize(
    ("text", "status"),
    [('"v1"', 304), ('W/"v1"', 304), ('"x", "v1"', 304), ("*", 304), ('"v1-gzip"', 304), ('"v2"', 200), ("v1", 200)],
)
def test_if_none_match(text: str, status: int) -> None:
    got = select(ask(if_none_match=text, if_modified_since=MODIFIED), entity())
    assert got.status == status
    if status == 304:
        assert got.body == b""
        assert field(got, "etag") == '"v1"'
        assert field(got, "cache-control") == "max-age=9"
        assert field(got, "content-type") is None
        assert field(got, "access-control-allow-origin") == "*"


def test_if_none_match_without_a_tag() -> None:
    assert select(ask(if_none_match='"v1"'), entity(etag=None)).status == 200


@pytest.mark.parametrize(
    ("since", "status"),
    [(MODIFIED, 304), ("Sun, 06 Nov 1994 08:49:36 GMT", 200), ("Sun, 06 Nov 2022 08:49:36 GMT", 304), ("junk", 200)],
)
def test_if_modified_since(since: str, status: int) -> None:
    assert select(ask(if_modified_since=since), entity()).status == status
    assert select(ask(if_modified_since=since), entity(last_modified=None)).status == 200


def test_gzip_is_made_once_and_is_the_same_version() -> None:
    one = entity(compress=True)
    got = select(ask(gzip=True), one)
    assert gzip.decompress(got.body) == BODY
    assert field(got, "content-encoding") == "gzip"
    assert field(got, "etag") == '"v1-gzip"'
    assert select(ask(gzip=True), one) is got
    assert select(ask(), one) is one


def test_a_revalidated_entity_is_young_in_both_forms() -> None:
    one = entity(compress=True)
    compressed(one)
    one.received, one.age = 50.0, 1.0
    assert compressed(one).age_at(52.0) == 3


def growing(length: int | None, came: bytes = b"01234") -> Growing:
    body = Growing(length)
    body.append(came)
    return body


@pytest.mark.parametrize("length", [10, None])
@pytest.mark.parametrize("text", ["bytes=3-1", "bytes=-", "bytes=0-1,3-4", "lines=1-2", "bytes=x-"])
def test_a_range_that_is_ignored_is_all_of_a_growing_body(text: str, length: int | None) -> None:
    one = entity(body=b"")
    assert select_growing(ask(range=text), one, growing(length)) == (one, (0, None))


@pytest.mark.parametrize(
    ("text", "length", "span"),
    [
        ("bytes=0-", 10, (0, 10)),
        ("bytes=4-4", 10, (4, 5)),
        ("bytes=4-99", 10, (4, 10)),
        ("bytes=-6", 10, (4, 10)),
        ("bytes=-99", 10, (0, 10)),
        ("bytes=5-", 10, None),
        ("bytes=-5", 10, None),
        ("bytes=0-4", None, (0, 5)),
        ("bytes=0-5", None, None),
        ("bytes=1-", None, None),
        ("bytes=-1", None, None),
    ],
)
def test_ranges_of_a_growing_body(text: str, length: int | None, span: tuple[int, int] | None) -> None:
    form = select_growing(ask(range=text), entity(body=b""), growing(length))
    if span is None:
        assert form is None
        return
    assert form is not None
    assert (form[0].status, form[1]) == (206, span)
    assert field(form[0], "content-range") == f"bytes {span[0]}-{span[1] - 1}/{'*' if length is None else length}"
    assert field(form[0], "etag") == '"v1"'


def test_a_growing_range_is_sent_as_it_is() -> None:
    part = entity(status=206, body=b"")
    assert select_growing(ask(range="bytes=5-9", if_none_match='"v1"'), part, growing(5)) == (part, (0, None))
