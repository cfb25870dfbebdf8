"""Whom a trusted proxy speaks for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.edge.addresses import Networks, canonical
from headwater.edge.forwarded import MAX_HOPS, viewer_of

PEER = "198.51.100.1"
TRUSTED = Networks(["198.51.100.0/24", "2001:db8:9::/48"])


@pytest.mark.parametrize(
    ("field", "viewer"),
    [
        (b"192.0.2.7", "192.0.2.7"),
        (b"192.0.2.7:4711", "192.0.2.7"),
        (b"2001:db8::7", "2001:db8::7"),
        (b"[2001:db8::7]:4711", "2001:db8::7"),
        (b"::ffff:192.0.2.7", "192.0.2.7"),
        (b"203.0.113.66, 192.0.2.7", "192.0.2.7"),
        (b"203.0.113.66, 192.0.2.7, 198.51.100.2,198.51.100.3", "192.0.2.7"),
        (b"192.0.2.7, 2001:db8:9::1", "192.0.2.7"),
        (b"198.51.100.9", "198.51.100.9"),
        (b"unknown", PEER),
        (b"192.0.2.7, unknown", PEER),
        (b"192.0.2.7, unknown, 198.51.100.2", "198.51.100.2"),
        (b"", PEER),
        (b",,", PEER),
        (b"\xff\xfe", PEER),
        (b"192.0.2.7, " * 30 + b"192.0.2.8", "192.0.2.8"),
        (b"192.0.2.7, " + b", ".join([b"198.51.100.2"] * MAX_HOPS), "198.51.100.2"),
    ],
)
def test_x_forwarded_for(field: bytes, viewer: str) -> None:
    assert viewer_of(PEER, field, TRUSTED, rfc7239=False) == viewer


@pytest.mark.parametrize(
    ("field", "viewer"),
    [
        (b"for=192.0.2.7", "192.0.2.7"),
        (b'For="[2001:db8::7]:4711";proto=https', "2001:db8::7"),
        (b"proto=http; for=192.0.2.7;by=203.0.113.43", "192.0.2.7"),
        (b"for=203.0.113.66, for=192.0.2.7, for=198.51.100.2", "192.0.2.7"),
        (b"for=_hidden", PEER),
        (b"for=unknown", PEER),
        (b"by=192.0.2.7", PEER),
        (b'for="192.0.2.7', PEER),
        (b'for="192.0.2.7,192.0.2.8"', PEER),
        (b"notfor=192.0.2.7", PEER),
        (b"192.0.2.7", PEER),
    ],
)
def test_rfc_7239(field: bytes, viewer: str) -> None:
    assert viewer_of(PEER, field, TRUSTED, rfc7239=True) == viewer


@given(st.binary(max_size=120), st.booleans())
def test_any_field_gives_an_address(field: bytes, rfc7239: bool) -> None:
    viewer = viewer_of(PEER, field, TRUSTED, rfc7239=rfc7239)
    assert viewer == canonical(viewer) != ""
