"""The file of one cached object: whole, or known not to be."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from headwater.edge.diskformat import (
    MAGIC,
    MAX_HEAD,
    PREFIX_BYTES,
    Damaged,
    Drop,
    Head,
    Record,
    check_body,
    decode,
    encode,
    head_bytes,
    name_of,
    record_of,
)
from headwater.edge.entities import received
from headwater.edge.freshness import Life
from headwater.edge.message import UpstreamAnswer

UNIX = 1_800_000_000.0
RECORD = Record(
    "/live/x/s1.m4s?a=1", (("content-type", "video/mp4"), ("x", "ü")), UNIX, 2.5, UNIX + 60, UNIX + 600, '"1"', None
)
BODY = b"0123456789" * 5
FILE = encode(RECORD, BODY) + BODY


def read(file: bytes) -> tuple[Record, bytes]:
    """As a reader of files does it."""
    prefix = file[:PREFIX_BYTES]
    length = head_bytes(prefix)
    head = decode(prefix, file[PREFIX_BYTES : PREFIX_BYTES + length], len(file))
    body = file[PREFIX_BYTES + length :][: head.body_bytes]
    check_body(head, body)
    return head.record, body


def why(file: bytes) -> Drop:
    with pytest.raises(Damaged) as caught:
        read(file)
    return caught.value.why


def test_what_is_written_is_read() -> None:
    assert read(FILE) == (RECORD, BODY)
    assert read(encode(RECORD, memoryview(b"")) + b"") == (RECORD, b"")


def test_a_file_that_was_cut_off_anywhere_is_known() -> None:
    assert {why(FILE[:length]) for length in range(len(FILE))} == {Drop.TRUNCATED}


@given(st.integers(0, len(FILE) - 1), st.integers(1, 255))
@example(0, 1)
def test_a_file_with_one_byte_changed_is_known(at: int, change: int) -> None:
    changed = bytearray(FILE)
    changed[at] ^= change
    assert why(bytes(changed)) in ((Drop.FOREIGN,) if at < 8 else (Drop.CORRUPT, Drop.TRUNCATED))


def test_more_than_was_written_is_known() -> None:
    assert why(FILE + b"x") is Drop.CORRUPT


def test_another_program_s_file_is_known() -> None:
    assert why(b"\x89PNG\r\n\x1a\n" + b"x" * 500) is Drop.FOREIGN
    assert why(struct.pack(">8sIQ16s16s", MAGIC, MAX_HEAD + 1, 1, b"", b"") + b"x" * 99) is Drop.CORRUPT


@pytest.mark.parametrize("head", [b"[]", b"{}", b"nonsense", b'{"key": "/a", "headers": 5}'])
def test_a_head_of_another_time_is_known(head: bytes) -> None:
    from headwater.edge.diskformat import _FIXED, _digest, _head_digest

    digest = _digest(b"")
    file = _FIXED.pack(MAGIC, len(head), 0, _head_digest(head, 0, digest), digest) + head
    assert why(file) is Drop.CORRUPT


def test_a_short_body_is_known() -> None:
    with pytest.raises(Damaged) as caught:
        check_body(Head(RECORD, 5, b""), b"1234")
    assert caught.value.why is Drop.TRUNCATED


def test_an_entity_comes_back_as_the_answer_that_it_was() -> None:
    headers = (
        ("content-type", "video/mp4"),
        ("cache-control", "max-age=60"),
        ("surrogate-control", "max-age=90"),
        ("etag", '"1"'),
        ("via", "1.1 shield"),
        ("age", "5"),
        ("cache-status", "shield; hit"),
        ("access-control-allow-origin", "https://only.example"),
    )
    answer = UpstreamAnswer(100.0, UNIX, 200, headers, BODY)
    entity = received(answer, Life(True, 90.0, True, 1_000.0), "1.1 edge")
    record = record_of("/a.m4s", entity, 110.0, UNIX + 10, "1.1 edge")
    assert (record.received, record.age, record.fresh_until, record.usable_until) == (UNIX, 5, UNIX + 85, UNIX + 995)
    back = record.answer(BODY, 500.0, UNIX + 40.5)
    assert dict(back.headers) == {
        **dict(headers[:4]),
        "via": "1.1 shield",
        "age": "45",
        "cache-status": "shield; hit",
    }
    assert (back.at, back.unix, back.status, back.body, back.stored) == (500.0, UNIX + 40.5, 200, BODY, True)
    again = received(back, Life(True, 90.0, True, 1_000.0), "1.1 edge")
    assert again.headers == entity.headers
    alone = received(replace(answer, headers=headers[:2]), Life(True, 90.0, True), "1.1 edge")
    assert "via" not in dict(record_of("/a.m4s", alone, 100.0, UNIX, "1.1 edge").headers)


def test_freshness_outlives_the_process_and_a_clock_that_went_back_ends_it() -> None:
    assert RECORD.fresh_at(UNIX + 59)
    assert not RECORD.fresh_at(UNIX + 60)
    assert RECORD.fresh_at(UNIX - 59)
    assert not RECORD.fresh_at(UNIX - 61)


def test_names_are_of_the_key_alone_and_hide_it() -> None:
    assert name_of("/a") == name_of("/a") != name_of("/b")
    assert len(name_of("/a" * 5_000)) == 43
