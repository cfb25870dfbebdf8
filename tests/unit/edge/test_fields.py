"""Request fields -> the request. What Accept-Encoding says is in test_wire, whole requests are in test_parse."""

from __future__ import annotations

from dataclasses import MISSING, fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.edge import fields as fields_module
from headwater.edge.fields import (
    HOST,
    MAX_BODY_BYTES,
    MAX_REMEMBERED,
    METHODS,
    TAKES,
    accepts_gzip,
    again,
    body_too_large,
    listed,
)
from headwater.edge.message import Method, Request
from headwater.edge.viewers import Visitor

GOES_TO: dict[bytes, tuple[bytes, str, object]] = {
    b"accept-encoding": (b"br, gzip", "gzip", True),
    b"cdn-loop": (b"one;v=1", "loop", "one;v=1"),
    b"range": (b"bytes=0-1", "range", "bytes=0-1"),
    b"if-range": (b'"a"', "if_range", '"a"'),
    b"if-none-match": (b'W/"a"', "if_none_match", 'W/"a"'),
    b"if-modified-since": (b"then", "if_modified_since", "then"),
    b"x-forwarded-for": (b"192.0.2.7", "x_forwarded_for", b"192.0.2.7"),
    b"forwarded": (b"for=192.0.2.7", "forwarded", b"for=192.0.2.7"),
    b"user-agent": (b"player/1", "agent", b"player/1"),
    b"cmcd-object": (b"d=4000", "cmcd", b"d=4000"),
    b"cmcd-request": (b"bl=1", "cmcd", b"bl=1"),
    b"cmcd-session": (b'sid="s"', "cmcd", b'sid="s"'),
    b"cmcd-status": (b"bs", "cmcd", b"bs"),
}
"""By field: a value, and what of the request it becomes."""


def asked(*lines: tuple[bytes, bytes]) -> Request:
    request = Request(Method.GET, b"/a")
    for name, value in lines:
        TAKES[name](request, value)
    return request


@pytest.mark.parametrize("name", GOES_TO)
def test_every_field_goes_to_its_place_and_nowhere_else(name: bytes) -> None:
    value, place, meaning = GOES_TO[name]
    expected = Request(Method.GET, b"/a")
    setattr(expected, place, meaning)
    if name == b"accept-encoding":  # may go on in another line
        expected.accept_encoding = value
    assert asked((name, value)) == expected


def test_no_other_field_means_anything() -> None:
    assert set(TAKES) == set(GOES_TO)


def test_fields_do_not_disturb_each_other() -> None:
    request = asked(*((name, value) for name, (value, _, _) in GOES_TO.items() if not name.startswith(b"cmcd-")))
    for name, (_, place, meaning) in GOES_TO.items():
        if not name.startswith(b"cmcd-"):
            assert getattr(request, place) == meaning, name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (b"cdn-loop", "a, b;c, d"),
        (b"if-none-match", "a, b;c, d"),
        (b"x-forwarded-for", b"a,b;c,d"),
        (b"forwarded", b"a,b;c,d"),
        (b"cmcd-request", b"a,b;c,d"),
    ],
)
def test_rfc_9110_section_5_3_repeated_fields_are_one_list_in_their_order(name: bytes, expected: object) -> None:
    request = asked((name, b"a"), (name, b"b;c"), (name, b"d"))
    assert getattr(request, GOES_TO[name][1]) == expected


def test_the_four_cmcd_fields_are_one_list_as_they_came() -> None:
    pairs = [(b"cmcd-status", b"bs"), (b"cmcd-object", b"d=1"), (b"cmcd-session", b"sid=a"), (b"cmcd-request", b"bl=2")]
    assert asked(*pairs).cmcd == b"bs,d=1,sid=a,bl=2"


@pytest.mark.parametrize(
    ("before", "value", "expected"), [(None, b"a", b"a"), (b"a", b"b", b"a,b"), (b"", b"b", b",b")]
)
def test_an_empty_line_is_one_too(before: bytes | None, value: bytes, expected: bytes) -> None:
    assert listed(before, value) == expected


@pytest.mark.parametrize("name", [b"range", b"if-range", b"if-none-match", b"if-modified-since", b"cdn-loop"])
def test_bytes_that_are_no_ascii_are_read_as_they_are(name: bytes) -> None:
    assert getattr(asked((name, b'"\xe9\xff\x80"')), GOES_TO[name][1]) == '"\xe9\xff\x80"'
    assert asked((b"accept-encoding", b"\xff, gzip")).gzip


# -- Accept-Encoding


@pytest.mark.parametrize(
    ("lines", "gzip"), [((b"gzip;q=0", b"*"), False), ((b"gzip", b"br"), True), ((b"br", b"gzip"), True)]
)
def test_rfc_9110_section_5_3_accept_encoding_in_several_lines_is_one_list(
    lines: tuple[bytes, ...], gzip: bool
) -> None:
    assert asked(*((b"accept-encoding", line) for line in lines)).gzip is gzip


@given(st.integers(0, 1_000), st.sampled_from(["gzip", "x-gzip", "GZIP", "*"]), st.booleans())
def test_rfc_9110_section_12_4_2_only_a_weight_of_nothing_refuses(weight: int, coding: str, spaces: bool) -> None:
    between = " ; " if spaces else ";"
    assert accepts_gzip(f"br{between}q=1, {coding}{between}q={weight / 1_000:.3f}") is (weight > 0)


@given(st.permutations(["gzip;q=0.5", "br", "identity;q=0", "*;q=0", "deflate;q=0.9"]))
def test_where_gzip_is_named_neither_order_nor_a_star_matters(codings: list[str]) -> None:
    assert accepts_gzip(", ".join(codings))
    assert not accepts_gzip(", ".join(codings).replace("gzip;q=0.5", "gzip;q=0").replace("*;q=0", "*"))


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> dict[bytes, bool]:
    """What is remembered of Accept-Encoding: nothing at first."""
    remembered: dict[bytes, bool] = {}
    monkeypatch.setattr(fields_module, "_ENCODINGS", remembered)
    return remembered


def test_values_are_remembered_with_what_they_mean(known: dict[bytes, bool]) -> None:
    for _ in range(2):
        assert asked((b"accept-encoding", b"gzip, br")).gzip
        assert not asked((b"accept-encoding", b"gzip;q=0")).gzip
    assert known == {b"gzip, br": True, b"gzip;q=0": False}


def test_what_anybody_may_write_is_remembered_within_bounds(known: dict[bytes, bool]) -> None:
    values = [b"gzip, x%d" % number if number % 2 else b"x%d" % number for number in range(MAX_REMEMBERED + 10)]
    for _ in range(2):
        for number, value in enumerate(values):
            assert asked((b"accept-encoding", value)).gzip is bool(number % 2)
    assert len(known) == MAX_REMEMBERED


@pytest.mark.parametrize(("length", "kept"), [(127, True), (128, False), (5_000, False)])
def test_long_values_are_read_each_time(known: dict[bytes, bool], length: int, kept: bool) -> None:
    value = b"gzip, ".ljust(length, b"x")
    assert asked((b"accept-encoding", value)).gzip
    assert (value in known) is kept


# -- the same fields with another target


WHOLE = Request(
    Method.HEAD,
    b"/a",
    gzip=True,
    range="bytes=0-1",
    if_range='"a"',
    if_none_match='"b"',
    if_modified_since="then",
    agent=b"p",
    accept_encoding=b"gzip",
    cmcd=b"bl=1",
    x_forwarded_for=b"192.0.2.7",
    forwarded=b"for=192.0.2.7",
    visitor=Visitor("192.0.2.7"),
    forged=True,
    loop="edge",
    rounds=3,
)
"""Everything is said, and everything was found out."""

FOUND_OUT = {"visitor": None, "forged": False, "rounds": 0}
"""What is not said by fields, and is each request's own."""


def test_the_whole_request_is_whole() -> None:
    for field in fields(Request):
        assert field.default is MISSING or getattr(WHOLE, field.name) != field.default, field.name


def test_a_request_with_the_same_fields_has_all_that_they_say_and_nothing_that_was_found_out() -> None:
    before = replace(WHOLE)
    assert again(WHOLE, b"/b") == replace(WHOLE, target=b"/b", **FOUND_OUT)  # type: ignore[arg-type]
    assert before == WHOLE


def test_what_happens_to_the_new_request_does_not_happen_to_the_known_one() -> None:
    known = asked((b"if-none-match", b"a"), (b"cmcd-request", b"bl=1"))
    new = again(known, b"/b")
    TAKES[b"if-none-match"](new, b"b")
    new.cmcd, new.forged, new.rounds = None, True, 4
    assert (known.if_none_match, known.cmcd, known.forged, known.rounds) == ("a", b"bl=1", False, 0)


# -- words


@pytest.mark.parametrize(
    "host",
    [b"", b"edge", b"edge.example:8443", b"192.0.2.7:80", b"[2001:db8::1]:443", b"a_b~c-d", b"%41", b"!$&'()*+,;="],
)
def test_rfc_3986_section_3_2_2_what_may_stand_in_host(host: bytes) -> None:
    assert HOST.fullmatch(host)


@pytest.mark.parametrize(
    "host",
    [b"a b", b"a/b", b"user@edge", b"a?b", b"a#b", b"a\\b", b'"a"', b"<a>", b"a\n", b"a\x00", b"\xe9", b"a\tb", b"a|b"],
)
def test_rfc_9112_section_3_2_what_may_not_stand_in_host(host: bytes) -> None:
    assert not HOST.fullmatch(host)


def test_methods_are_known_as_they_are_written() -> None:
    assert METHODS == {b"GET": Method.GET, b"HEAD": Method.HEAD, b"OPTIONS": Method.OPTIONS}
    assert METHODS.get(b"get") is None, "RFC 9110 section 9.1: case matters"


def test_rfc_9110_section_15_5_14_a_body_that_nobody_has_a_use_for() -> None:
    entity = body_too_large()
    assert (entity.status, entity.own) == (413, True)
    assert bytes(entity.body).endswith(b": no request here has a use for a body of this size\n")
    assert MAX_BODY_BYTES == 65_536
