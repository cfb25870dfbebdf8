"""Ranges that are fetched as ranges (RFC 9110 section 14; rule 166)."""

from __future__ import annotations

import pytest

from headwater.edge import ranges
from headwater.edge.message import Method, Request, UpstreamAnswer


def ask(text: str | None, method: Method = Method.GET, if_range: str | None = None) -> Request:
    return Request(method, b"/a", range=text, if_range=if_range)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("bytes=0-9", "bytes=0-9"),
        ("BYTES= 007-0009 ", "bytes=7-9"),
        ("bytes=5-", "bytes=5-"),
        ("bytes=-5", None),
        ("bytes=9-5", None),
        ("bytes=0-1,3-4", None),
        ("lines=0-1", None),
        ("bytes=" + "9" * 16 + "-", None),
        (None, None),
    ],
)
def test_what_may_be_asked_for_as_it_stands(text: str | None, canonical: str | None) -> None:
    assert ranges.wanted(ask(text)) == canonical


def test_conditions_and_other_methods_need_the_whole() -> None:
    assert ranges.wanted(ask("bytes=0-9", Method.HEAD)) is None
    assert ranges.wanted(ask("bytes=0-9", if_range='"a"')) is None


def test_a_key_that_no_target_can_have() -> None:
    assert ranges.key_of("/a?b=1", "bytes=0-9") == "/a?b=1#bytes=0-9"
    assert ranges.open_ended("bytes=5-")
    assert not ranges.open_ended("bytes=5-6")


@pytest.mark.parametrize(
    ("text", "field", "size", "good"),
    [
        ("bytes=5-9", "bytes 5-9/100", 5, True),
        ("bytes=5-9", "bytes 5-9/*", 5, True),
        ("bytes=5-9", "bytes 5-7/8", 3, True),
        ("bytes=5-", "bytes 5-7/8", 3, True),
        ("bytes=5-9", "bytes 0-4/100", 5, False),
        ("bytes=5-9", "bytes 5-10/100", 6, False),
        ("bytes=5-9", "bytes 5-9/100", 4, False),
        ("bytes=5-9", "", 5, False),
        ("bytes=5-9", "bytes */100", 0, False),
    ],
)
def test_whether_a_206_is_what_was_asked_for(text: str, field: str, size: int, good: bool) -> None:
    answer = UpstreamAnswer(0.0, 0.0, 206, (("content-range", field),), bytes(size))
    assert ranges.is_answered(text, answer) is good
