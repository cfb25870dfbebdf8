from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.origin.hls import attributes
from headwater.origin.hls.attributes import PlaylistError


def test_parses_quoted_and_plain_values() -> None:
    found = attributes.parse('A=1,B-2="x,y=z",C=1280x720,D=0xAF,E=')
    assert found == {"A": "1", "B-2": '"x,y=z"', "C": "1280x720", "D": "0xAF", "E": ""}
    assert attributes.string(found, "B-2") == "x,y=z"
    assert attributes.string(found, "Z") is None


@pytest.mark.parametrize("text", ["A=1,A=2", "a=1", 'A="x', 'A="x"y', "A", "=1", "A=1;B=2 C", 'A=b"c"', ",A=1"])
def test_refuses_bad_lists(text: str) -> None:
    with pytest.raises(PlaylistError):
        attributes.parse(text)


@pytest.mark.parametrize("text", ["", "-1", "1.5", "x", str(2**64), "9" * 21, "¹"])
def test_refuses_bad_integers(text: str) -> None:
    with pytest.raises(PlaylistError):
        attributes.integer(text)


@pytest.mark.parametrize("text", ["", "-1", "1e9", "nan", "inf", ".5", "1.2.3", "9" * 21])
def test_refuses_bad_numbers(text: str) -> None:
    with pytest.raises(PlaylistError):
        attributes.number(text)


def test_byteranges() -> None:
    assert attributes.byterange("10@20") == (10, 20)
    assert attributes.byterange("10") == (10, None)
    for bad in ("", "@", "1@", "@1", "1@2@3"):
        with pytest.raises(PlaylistError):
            attributes.byterange(bad)


def test_rest_keeps_what_is_not_known() -> None:
    found = attributes.parse('URI="a",X-NEW="b",Y=1')
    assert attributes.rest(found, {"URI"}) == ',X-NEW="b",Y=1'
    assert attributes.rest({"URI": '"a"'}, {"URI", "OTHER"}) == ""


def test_required() -> None:
    with pytest.raises(PlaylistError):
        attributes.required_string({}, "URI")
    with pytest.raises(PlaylistError):
        attributes.required_string({"URI": "bare"}, "URI")
    with pytest.raises(PlaylistError):
        attributes.required_number({}, "DURATION")


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_printing_seconds_keeps_the_order(one: float, other: float) -> None:
    """Rule 42: a DURATION that is not above PART-TARGET is not above it in print either."""
    low, high = sorted((one, other))
    assert float(attributes.seconds(low)) <= float(attributes.seconds(high))


def test_seconds() -> None:
    assert attributes.seconds(0.52) == "0.520"
    assert attributes.seconds(2) == "2.000"
    assert attributes.seconds(1024 / 48_000) == "0.021333"


def test_quotable() -> None:
    assert attributes.quotable('a"b\n\r\x07c') == "abc"
