"""The handshake packet."""

from __future__ import annotations

import pytest

from headwater.ingest.srt import handshake as hs
from headwater.ingest.srt.errors import PacketError


def test_there_and_back() -> None:
    handshake = hs.Handshake(5, 2, 7, 1000, 1500, 8192, hs.CONCLUSION, 77, 0xC00C1E, bytes(range(16)), b"\0\1\0\0")
    built = handshake.build(0x01020304, 9)
    assert built[:16].hex(" ", 4) == "80000000 00000000 01020304 00000009"
    assert built[16:48].hex(" ", 4) == "00000005 00020007 000003e8 000005dc 00002000 ffffffff 0000004d 00c00c1e"
    assert len(built) == 16 + hs.BYTES + 4
    assert hs.parse_handshake(built[16:]) == handshake


@pytest.mark.parametrize("size", [0, 1, 47])
def test_too_short(size: int) -> None:
    with pytest.raises(PacketError):
        hs.parse_handshake(bytes(size))


def test_sequence_numbers_have_31_bits() -> None:
    with pytest.raises(PacketError):
        hs.parse_handshake(bytes(8) + b"\x80" + bytes(39))


@pytest.mark.parametrize(
    ("kind", "rejects"),
    [(hs.INDUCTION, False), (hs.WAVEAHAND, False), (hs.CONCLUSION, False), (hs.AGREEMENT, False), (hs.DONE, False),
     (1000, True), (1010, True), (2409, True), (999, False)],
)  # fmt: skip
def test_rejections(kind: int, rejects: bool) -> None:
    assert hs.Handshake(5, 0, 0, 0, 1500, 1, kind, 1, 0).rejects is rejects
