"""Control packets, byte by byte."""

from __future__ import annotations

import pytest

from headwater.ingest.srt import packets
from headwater.ingest.srt.errors import PacketError


def test_full_ack() -> None:
    built = packets.full_ack(0x01020304, 0x0A0B0C0D, 7, 0x11223344, (1, 2, 3, 4, 5, 6))
    assert built.hex(" ", 4) == (
        "80020000 00000007 01020304 0a0b0c0d 11223344 00000001 00000002 00000003 00000004 00000005 00000006"
    )


def test_light_ack() -> None:
    assert packets.light_ack(1, 2, 3).hex(" ", 4) == "80020000 00000000 00000001 00000002 00000003"


def test_nak() -> None:
    assert packets.nak(1, 2, [3, 0x80000004, 6]).hex(" ", 4) == (
        "80030000 00000000 00000001 00000002 00000003 80000004 00000006"
    )


def test_keepalive_and_shutdown() -> None:
    assert packets.keepalive(1, 2).hex(" ", 4) == "80010000 00000000 00000001 00000002 00000000"
    assert packets.shutdown(1, 2).hex(" ", 4) == "80050000 00000000 00000001 00000002 00000000"


def test_user_types() -> None:
    built = packets.control(packets.ControlType.USER, 1, 2, subtype=packets.UserType.KMRSP, body=b"abcd")
    assert built.hex(" ", 4) == "ffff0004 00000000 00000001 00000002 61626364"
    assert packets.control_type(int.from_bytes(built[:4])) == packets.ControlType.USER


@pytest.mark.parametrize(
    ("body", "expected"), [("0000000500000009", (5, 9)), ("7fffffff0000000000000000", ((1 << 31) - 1, 0))]
)
def test_drop_request(body: str, expected: tuple[int, int]) -> None:
    assert packets.parse_drop_request(bytes.fromhex(body)) == expected


@pytest.mark.parametrize("body", ["", "00000005", "00000005000000", "8000000500000009", "0000000580000009"])
def test_broken_drop_requests(body: str) -> None:
    with pytest.raises(PacketError):
        packets.parse_drop_request(bytes.fromhex(body))


def test_a_loss_list_fits_in_a_datagram() -> None:
    words = list(range(packets.MAX_LOSS_WORDS))
    assert len(packets.nak(0, 0, words)) + packets.UDP_OVERHEAD <= packets.MAX_DATAGRAM
