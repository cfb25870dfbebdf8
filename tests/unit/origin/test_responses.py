from __future__ import annotations

from dataclasses import replace

import pytest
from aiohttp.test_utils import make_mocked_request

from headwater.origin.responses import Body, accepts_gzip, immutable, respond, shared

BODY = Body(b"0123456789", "text/plain", '"e"', 1_000, dated=True)


@pytest.mark.parametrize(
    ("header", "accepted"),
    [("", False), ("gzip", True), ("GZIP", True), ("br, gzip", True), ("gzip;q=0", False), ("gzip; q=0.000", False),
     ("gzip;q=0.1", True), ("*", True), ("x-gzip", True), ("identity", False),
     ("*, gzip;q=0", False), ("*;q=0, gzip", True), ("*;q=0", False)],
)  # fmt: skip
def test_accepts_gzip(header: str, accepted: bool) -> None:
    assert accepts_gzip(make_mocked_request("GET", "/", {"Accept-Encoding": header})) is accepted


def test_lifetimes_are_whole_seconds_and_never_zero() -> None:
    assert shared(0.5) == "public, max-age=0, s-maxage=1"
    assert shared(2.9) == "public, max-age=0, s-maxage=2"
    assert immutable(-1) == "public, max-age=1, immutable"
    assert immutable(61.9) == "public, max-age=61, immutable"


@pytest.mark.parametrize(
    ("headers", "status", "body"),
    [
        ({}, 200, b"0123456789"),
        ({"If-None-Match": '"e"'}, 304, None),
        ({"If-None-Match": '"x"', "If-Modified-Since": "Thu, 01 Jan 1970 00:20:00 GMT"}, 200, b"0123456789"),
        ({"If-Modified-Since": "Thu, 01 Jan 1970 00:20:00 GMT"}, 304, None),
        ({"If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"}, 200, b"0123456789"),
        ({"If-None-Match": '"e"', "Range": "bytes=0-1"}, 304, None),
        ({"Range": "bytes=2-3"}, 206, b"23"),
        ({"Range": "bytes=9-"}, 206, b"9"),
        ({"Range": "bytes=10-"}, 416, b"the file has 10 bytes\n"),
    ],
)
def test_conditions_and_ranges(headers: dict[str, str], status: int, body: bytes | None) -> None:
    response = respond(make_mocked_request("GET", "/", headers), BODY, "no-store", ranges=True)
    assert response.status == status
    assert response.body == body


def test_no_ranges_where_none_are_offered() -> None:
    response = respond(make_mocked_request("GET", "/", {"Range": "bytes=2-3"}), BODY, "no-store")
    assert (response.status, response.body) == (200, BODY.data)
    assert "Accept-Ranges" not in response.headers


def test_a_date_is_no_validator_for_what_changes_within_a_second() -> None:
    request = make_mocked_request("GET", "/", {"If-Modified-Since": "Thu, 01 Jan 1970 00:20:00 GMT"})
    response = respond(request, replace(BODY, dated=False), "no-store")
    assert response.status == 200
    assert response.headers["Last-Modified"] == "Thu, 01 Jan 1970 00:16:40 GMT"
