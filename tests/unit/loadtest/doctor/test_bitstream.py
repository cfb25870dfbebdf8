from __future__ import annotations

import pytest

from headwater.loadtest.doctor.bitstream import access
from headwater.loadtest.doctor.looks import Access


def sample(*units: bytes, length: int = 4) -> bytes:
    return b"".join(len(unit).to_bytes(length, "big") + unit for unit in units)


AUD, SPS, SEI_RECOVERY, SEI_OTHER, IDR, SLICE = (
    b"\x09\x10", b"\x67\x64", b"\x06\x06\x01\x84", b"\x06\x05\x01\x00", b"\x65\x88", b"\x41\x9a",
)  # fmt: skip


@pytest.mark.parametrize(
    ("units", "wanted"),
    [
        ((IDR,), Access.KEY),
        ((AUD, SPS, SEI_OTHER, IDR), Access.KEY),
        ((SLICE,), Access.NONE),
        ((AUD, SEI_OTHER, SLICE), Access.NONE),
        ((SEI_RECOVERY, SLICE), Access.RECOVERY),
        ((AUD,), Access.UNKNOWN),
        ((), Access.UNKNOWN),
    ],
)
@pytest.mark.parametrize("length", [1, 2, 4])
def test_h264(units: tuple[bytes, ...], wanted: Access, length: int) -> None:
    assert access("avc1", sample(*units, length=length), length) is wanted


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [(19, Access.KEY), (20, Access.KEY), (21, Access.KEY), (16, Access.KEY), (1, Access.NONE), (0, Access.NONE)],
)
def test_hevc(kind: int, wanted: Access) -> None:
    assert access("hvc1", sample(b"\x40\x01", bytes([kind << 1, 1, 2])), 4) is wanted


def test_hevc_recovery_point() -> None:
    assert access("hev1", sample(bytes([39 << 1, 1, 6, 1, 0x80]), bytes([1 << 1, 1])), 4) is Access.RECOVERY


@pytest.mark.parametrize(("frame", "wanted"), [(0x10, Access.KEY), (0x30, Access.NONE), (0x80, Access.NONE)])
def test_av1(frame: int, wanted: Access) -> None:
    delimiter, sequence = bytes([2 << 3 | 2, 0]), bytes([1 << 3 | 2, 2, 0, 0])
    assert access("av01", delimiter + sequence + bytes([6 << 3 | 2, 1, frame]), 4) is wanted
    assert access("av01", delimiter, 4) is Access.UNKNOWN


def test_others() -> None:
    assert access("mp4a", b"", 4) is Access.KEY
    assert access("vp09", b"\x82", 4) is Access.UNKNOWN


def test_lengths_that_lie_end_quietly() -> None:
    assert access("avc1", b"\xff\xff\xff\xff\x65", 4) is Access.UNKNOWN
    assert access("av01", b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff", 4) is Access.UNKNOWN
