"""Blocks behind a handshake."""

from __future__ import annotations

import struct

import pytest

from headwater.ingest.srt.errors import HandshakeRefused, RejectCode
from headwater.ingest.srt.extensions import (
    OURS,
    Capabilities,
    ExtensionType,
    block,
    build_text,
    parse_capabilities,
    parse_text,
    split,
    swap_words,
)


def test_blocks() -> None:
    body = block(ExtensionType.HSREQ, b"abcdefgh") + block(ExtensionType.SID, b"") + block(ExtensionType.GROUP, b"1234")
    assert split(body) == [(1, b"abcdefgh"), (5, b""), (8, b"1234")]
    assert split(body + b"abc") == split(body), "less than a word is no block"
    assert split(b"") == []


@pytest.mark.parametrize("body", [struct.pack(">HH", 1, 1), struct.pack(">HH", 1, 0xFFFF) + bytes(100), bytes(4) * 17])
def test_broken_blocks(body: bytes) -> None:
    with pytest.raises(HandshakeRefused) as caught:
        split(body)
    assert caught.value.code is RejectCode.ROGUE


def test_capabilities() -> None:
    built = Capabilities(0x010504, OURS, 120, 40).build()
    assert built.hex(" ", 4) == "00010504 0000003f 00780028"
    found = parse_capabilities(built + b"more")
    assert (found.version_text, found.receiver_ms, found.sender_ms) == ("1.5.4", 120, 40)
    with pytest.raises(HandshakeRefused):
        parse_capabilities(built[:11])


@pytest.mark.parametrize("text", ["", "a", "abcd", "abcde", "#!::r=live/ä", "x" * 512])
def test_texts(text: str) -> None:
    built = build_text(text)
    assert len(built) % 4 == 0
    assert parse_text(built) == text


def test_words_are_little_endian() -> None:
    assert build_text("abcdef") == b"dcba\0\0fe"
    assert swap_words(b"dcba\0\0fe") == b"abcdef\0\0"


@pytest.mark.parametrize("contents", [b"\xff\xff\xff\xff", bytes(516)])
def test_texts_that_cannot_be_read(contents: bytes) -> None:
    with pytest.raises(HandshakeRefused):
        parse_text(contents)
