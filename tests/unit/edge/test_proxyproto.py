"""PROXY protocol headers, version 1 and 2, whole and in pieces."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from headwater.edge.proxyproto import MAX_V1_BYTES, BadProxyHeader, ProxyHeader, read_header

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def v2(command: int, family: int, block: bytes) -> bytes:
    return SIGNATURE + bytes([command, family]) + len(block).to_bytes(2, "big") + block


FOUR = ipaddress.ip_address("192.0.2.7").packed + ipaddress.ip_address("192.0.2.1").packed + b"\x10\x00\x00\x50"
SIX = ipaddress.ip_address("2001:db8::7").packed + ipaddress.ip_address("2001:db8::1").packed + b"\x10\x00\x00\x50"
MAPPED = ipaddress.ip_address("::ffff:192.0.2.7").packed + SIX[16:]

GOOD = [
    (b"PROXY TCP4 192.0.2.7 192.0.2.1 56324 443\r\n", "192.0.2.7"),
    (b"PROXY TCP6 2001:DB8::7 2001:db8::1 56324 443\r\n", "2001:db8::7"),
    (b"PROXY TCP6 ::ffff:192.0.2.7 2001:db8::1 56324 443\r\n", "192.0.2.7"),
    (b"PROXY UNKNOWN\r\n", ""),
    (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", ""),
    (v2(0x21, 0x11, FOUR), "192.0.2.7"),
    (v2(0x21, 0x12, FOUR + b"\x04\x00\x01x"), "192.0.2.7"),
    (v2(0x21, 0x21, SIX), "2001:db8::7"),
    (v2(0x21, 0x21, MAPPED), "192.0.2.7"),
    (v2(0x20, 0x11, FOUR), ""),
    (v2(0x20, 0x00, b""), ""),
    (v2(0x21, 0x31, b"/" * 216), ""),
]


@pytest.mark.parametrize(("header", "address"), GOOD)
def test_headers(header: bytes, address: str) -> None:
    assert read_header(header + b"GET / HTTP/1.1\r\n") == ProxyHeader(address, len(header))
    for end in range(len(header)):
        assert read_header(header[:end]) is None, "not whole yet"
    assert read_header(header) == ProxyHeader(address, len(header))


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n",
        b"proxy TCP4 192.0.2.7 192.0.2.1 1 2\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 1 2\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 1\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 1 65536\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 1 -2\r\n",
        b"PROXY TCP4 192.0.2.7  192.0.2.1 1 2\r\n",
        b"PROXY TCP4 2001:db8::7 192.0.2.1 1 2\r\n",
        b"PROXY TCP6 192.0.2.7 2001:db8::1 1 2\r\n",
        b"PROXY TCP4 192.0.2.777 192.0.2.1 1 2\r\n",
        b"PROXY TCP5 192.0.2.7 192.0.2.1 1 2\r\n",
        b"PROXY \r\n",
        b"PROXY TCP4 " + b"1" * MAX_V1_BYTES,
        v2(0x11, 0x11, FOUR),
        v2(0x22, 0x11, FOUR),
        v2(0x21, 0x11, FOUR[:-1]),
        v2(0x21, 0x21, FOUR),
        SIGNATURE + b"\x21\x11\xff\xff",
    ],
)
def test_what_is_no_header(data: bytes) -> None:
    with pytest.raises(BadProxyHeader):
        read_header(data)


STARTS = st.sampled_from([b"", SIGNATURE, SIGNATURE + b"\x21\x11", b"PROXY ", b"PROXY TCP4 192.0.2.7 "])


@given(STARTS, st.binary(max_size=200))
@example(b"", b"")
def test_any_bytes_are_a_header_or_none_or_refused(start: bytes, rest: bytes) -> None:
    data = start + rest
    try:
        header = read_header(data)
    except BadProxyHeader:
        return
    if header is not None:
        assert 0 < header.size <= len(data)
    else:
        assert len(data) < 4_096
