from __future__ import annotations

import pytest
from tests.ts_kit import AUD, IDR, SEI, SLICE, SLICE_REST, X264_PPS, X264_SPS

from headwater.ingest.codecs.h264 import read_sps
from headwater.ingest.media import Codec
from headwater.ingest.mpegts.units import continues, first_field, has_slice, is_key, is_pair, split_pictures

H, V = Codec.H264, Codec.HEVC
HAUD, HVPS, HSEI, HSUFFIX = b"\x46\x01\x50", b"\x40\x01\x0c", b"\x4e\x01\x05", b"\x50\x01\x05"
HIDR, HTRAIL, HREST = b"\x26\x01\xaf", b"\x02\x01\xd0", b"\x02\x01\x20"


@pytest.mark.parametrize(
    ("codec", "units", "sizes"),
    [
        (H, [], []),
        (H, [AUD, X264_SPS, X264_PPS, SEI, IDR, SLICE_REST], [6]),
        (H, [AUD, IDR, AUD, SLICE], [2, 2]),
        (H, [IDR, SLICE, SLICE], [1, 1, 1]),
        (H, [SLICE, SLICE_REST, SLICE_REST, SLICE, SLICE_REST], [3, 2]),
        (H, [SLICE, SEI, SLICE], [1, 2]),
        (H, [SLICE, b"\x0c\xff", b"\x0a", AUD, SLICE], [3, 2]),
        (H, [b"\x22\x9a", b"\x23\x9a", b"\x24\x9a", b"\x22\x9a"], [3, 1]),
        (H, [SLICE_REST, SLICE], [1, 1]),
        (V, [HAUD, HVPS, HSEI, HIDR, HREST, HSUFFIX], [6]),
        (V, [HIDR, HTRAIL, HREST, HAUD, HTRAIL], [1, 2, 2]),
        (V, [HIDR, HSUFFIX, HSEI, HTRAIL], [2, 2]),
    ],
)
def test_pictures(codec: Codec, units: list[bytes], sizes: list[int]) -> None:
    groups = split_pictures(codec, units)
    assert [len(group) for group in groups] == sizes
    assert [unit for group in groups for unit in group] == units


def test_what_goes_on() -> None:
    assert continues(H, [SLICE_REST, SLICE])
    assert continues(H, [b"\x0c\xff", SLICE_REST])
    assert not continues(H, [SLICE, SLICE_REST])
    assert not continues(H, [AUD, SLICE_REST])
    assert not continues(H, [b"\x0c\xff"])
    assert continues(V, [HREST])
    assert not continues(V, [HTRAIL])


def test_keys_and_slices() -> None:
    assert is_key(H, [AUD, SEI, IDR, SLICE])
    assert not is_key(H, [AUD, SLICE, IDR])
    assert not is_key(H, [AUD])
    assert is_key(V, [HAUD, HIDR])
    assert is_key(V, [b"\x2a\x01\xaf"])
    assert not is_key(V, [HTRAIL])
    assert [has_slice(H, units) for units in ([AUD, SEI], [AUD, SLICE])] == [False, True]
    assert [has_slice(V, units) for units in ([HAUD, HSEI], [HTRAIL])] == [False, True]


def field(frame_num: int, bottom: bool) -> bytes:
    """A slice of a field: first_mb 0, slice_type 7 (I), pps 0, frame_num, field_pic_flag, bottom_field_flag."""
    bits = read_sps(X264_SPS).frame_num_bits
    text = "1" + "0001000" + "1" + f"{frame_num:0{bits}b}" + "1" + f"{bottom:d}" + "1"
    text = text.ljust(-(-len(text) // 8) * 8, "0")
    return b"\x41" + int(text, 2).to_bytes(len(text) // 8)


def test_fields() -> None:
    interlaced = read_sps(X264_SPS)
    assert interlaced.interlaced
    top, bottom = first_field(interlaced, [AUD, field(3, False)]), first_field(interlaced, [field(3, True)])
    assert (top, bottom) == ((3, False), (3, True))
    assert is_pair(top, bottom)
    assert is_pair(bottom, top)
    assert not is_pair(top, top)
    assert not is_pair(top, (4, True))
    assert not is_pair(top, None)
    assert not is_pair(None, bottom)


def test_frames_are_no_fields() -> None:
    interlaced = read_sps(X264_SPS)
    frame = int.from_bytes(field(3, False)[1:])
    size = len(field(3, False)) - 1
    at = size * 8 - (1 + 7 + 1 + interlaced.frame_num_bits + 1)
    as_frame = b"\x41" + (frame & ~(1 << at)).to_bytes(size)
    assert first_field(interlaced, [as_frame]) is None
    assert first_field(interlaced, [b"\x41"]) is None
    assert first_field(interlaced, [AUD]) is None
    interlaced.interlaced = False
    assert first_field(interlaced, [field(3, False)]) is None
