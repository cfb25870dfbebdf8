"""Hostile AMF: nothing raises, nothing is larger or deeper than the bounds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.profile import DEEP

from headwater.ingest.rtmp.amf import decode, encode
from headwater.ingest.rtmp.amf_source import Value
from headwater.ingest.rtmp.commands import read_command, read_metadata
from headwater.ingest.rtmp.limits import AMF_DEPTH, AMF_NODES

EXAMPLES = 5_000 if DEEP else 100

pytestmark = pytest.mark.timeout(3_600 if DEEP else 120)

values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=30,
)
markers = st.sampled_from([bytes([m]) for m in range(0x13)])
soup = st.lists(markers | st.binary(max_size=6) | values.map(encode), max_size=30).map(b"".join)


def size(value: Value, depth: int = 0) -> int:
    """Number of values in `value`; its depth is checked on the way."""
    assert depth <= AMF_DEPTH + 1
    if isinstance(value, dict):
        return 1 + sum(size(member, depth + 1) for member in value.values())
    if isinstance(value, list):
        return 1 + sum(size(item, depth + 1) for item in value)
    return 1


@settings(max_examples=EXAMPLES, deadline=None)
@given(soup)
def test_soup(data: bytes) -> None:
    decoded = decode(data)
    assert sum(size(value) for value in decoded.values) <= AMF_NODES
    read_command(data)
    read_metadata(data)


@settings(max_examples=EXAMPLES, deadline=None)
@given(soup)
def test_soup_in_amf3(data: bytes) -> None:
    decoded = decode(b"\x11" + data)
    assert sum(size(value) for value in decoded.values) <= AMF_NODES


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(values, max_size=3), st.integers(0, 200))
def test_every_prefix_of_what_is_encoded(items: list[object], cut: int) -> None:
    data = encode(*items)
    assert decode(data).values == items
    assert len(decode(data[: max(0, len(data) - cut)]).values) <= len(items)
