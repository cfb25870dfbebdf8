"""Header compression, beside the hpack library (RFC 7541)."""

from __future__ import annotations

import hpack
import pytest
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hypothesis import given
from hypothesis import strategies as st

from headwater.edge.entities import local
from headwater.edge.http2 import huffman
from headwater.edge.http2.block import Blocks, encoded
from headwater.edge.http2.hpack import MAX_STRINGS, STATIC, Decoder, HpackError, static_table
from headwater.edge.message import Entity, Outcome, Response
from headwater.edge.wire import Wire

THEIRS = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)
FIELDS = st.lists(
    st.tuples(st.binary(min_size=1, max_size=40), st.binary(max_size=300)) | st.sampled_from(STATIC), max_size=12
)


def pair(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    return name, value


def decoder() -> Decoder[tuple[bytes, bytes]]:
    return Decoder(pair, static_table(pair))


@given(st.binary(max_size=300))
def test_huffman_is_the_one_of_the_rfc(data: bytes) -> None:
    assert huffman.encode(data) == (THEIRS.encode(data) if data else b"")
    assert huffman.decode(huffman.encode(data)) == data


@pytest.mark.parametrize("data", [b"\xff", b"\xff\xff\xff\xff", b"\x18\xff\xff", b"\x00\xff\xff", b"\x00"])
def test_padding_that_is_too_long_or_not_of_ones(data: bytes) -> None:
    with pytest.raises(huffman.HuffmanError):
        huffman.decode(data)


@given(st.lists(FIELDS, min_size=1, max_size=6), st.booleans())
def test_what_a_peer_encodes_is_read(lists: list[list[tuple[bytes, bytes]]], short: bool) -> None:
    encoder, ours = hpack.Encoder(), decoder()
    for number, fields in enumerate(lists):
        if number == 2:
            encoder.header_table_size = 200
        found, whole = ours.decode(encoder.encode(fields, huffman=short), 1 << 20)
        assert whole
        assert found == fields


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_any_block_is_read_as_the_library_reads_it_or_refused(blocks: list[bytes]) -> None:
    ours, theirs = decoder(), hpack.Decoder(1 << 24)
    for block in blocks:
        try:
            expected = [(bytes(name), bytes(value)) for name, value in theirs.decode(block, raw=True)]
        except hpack.HPACKError:
            with pytest.raises(HpackError):
                ours.decode(block, 1 << 24)
            return
        except (IndexError, UnicodeDecodeError):
            return
        try:
            assert ours.decode(block, 1 << 24)[0] == expected
        except HpackError:
            return  # an integer longer than any here may be


def test_a_list_that_is_too_large_is_cut_and_the_table_stays_in_step() -> None:
    encoder, ours = hpack.Encoder(), decoder()
    block = encoder.encode([("a", "x" * 500), ("b", "y" * 500), ("c", "z")])
    found, whole = ours.decode(block, 600)
    assert (len(found), whole) == (1, False)
    assert ours.decode(encoder.encode([("b", "y" * 500), ("c", "z")]), 9_999)[0] == [(b"b", b"y" * 500), (b"c", b"z")]


@pytest.mark.parametrize(
    ("block", "words"),
    [
        (b"\x80", "index"),
        (b"\xff\x80\x80\x80\x80\x01", "large"),
        (b"\xbe", "index"),
        (b"\x3f\xe2\x1f", "larger than it may be"),
        (b"\x82\x20", "behind a field"),
        (b"\x00\x05ab", "inside a string"),
        (b"\x00\x01a", "inside a field"),
        (b"\x40\x01a\x81\xfe", "padded"),
    ],
)
def test_what_no_encoder_sends(block: bytes, words: str) -> None:
    with pytest.raises(HpackError, match=words):
        decoder().decode(block, 1_000)


def test_the_version_stands_while_the_table_does() -> None:
    ours = decoder()
    ours.decode(b"\x82\x84\x00\x01a\x01b", 1_000)
    before = ours.version
    ours.decode(b"\x40\x01a\x01b", 1_000)
    assert ours.version != before


def test_remembered_strings_are_bounded() -> None:
    from headwater.edge.http2 import hpack as module

    ours = decoder()
    for number in range(MAX_STRINGS + 10):
        raw = huffman.encode(b"%d" % number)
        ours.decode(b"\x00\x01a" + bytes((0x80 | len(raw),)) + raw, 1_000)
    assert len(module._STRINGS) <= MAX_STRINGS


@given(st.binary(min_size=1, max_size=200), st.binary(max_size=700))
def test_fields_that_we_encode_are_read_by_others(name: bytes, value: bytes) -> None:
    assert hpack.Decoder(1 << 20).decode(encoded(name, value), raw=True) == [(name, value)]


def told(block: bytes) -> dict[str, str]:
    """Its fields."""
    return {str(name): str(value) for name, value in hpack.Decoder().decode(block)}


def entity(kind: str, **more: object) -> Entity:
    return Entity(200, (("Content-Type", kind), ("ETag", '"a"')), b"body", received=0.0, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "priority"),
    [("application/vnd.apple.mpegurl", "u=1"), ("video/mp4", "u=3"), ("audio/mp4", "u=3"), ("text/plain", None)],
)
def test_rule_139_a_head_tells_how_urgent_it_is(kind: str, priority: str | None) -> None:
    blocks = Blocks(Wire("edge"))
    one = entity(kind)
    for age in (0, 5, 4_000):
        fields = told(blocks.block(Response(one, Outcome.HIT, age), 4))
        assert fields.get("priority") == priority
        assert (fields[":status"], fields["age"], fields["content-length"]) == ("200", str(age), "4")
        assert fields["cache-status"] == "edge; hit"
    assert len(one.wire) == 1, "rendered once"


def test_an_answer_of_our_own_and_one_of_unknown_length() -> None:
    blocks = Blocks(Wire("edge"))
    own = told(blocks.block(Response(local(404, "no"), Outcome.REJECT, None), 3))
    assert own[":status"] == "404" and "date" in own and "age" not in own
    open_ended = told(blocks.block(Response(entity("video/mp4"), Outcome.FETCH, 0), None))
    assert "content-length" not in open_ended
