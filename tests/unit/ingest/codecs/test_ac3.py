from __future__ import annotations

import pytest
from tests.codec_vectors import AC3_FRAME, AC3_FRAME_MONO, EAC3_FRAME

from headwater.ingest.codecs import BadConfig
from headwater.ingest.codecs.ac3 import (
    access_unit_size,
    fingerprint,
    is_enhanced,
    packet_samples,
    read_ac3_config,
    read_eac3_config,
)


def syncframe(kind: int, substream: int, blocks: int, *, acmod: int = 2, channel_map: int | None = None) -> bytes:
    """An E-AC-3 syncframe of 32 bytes at 48 kHz: header, then zeros."""
    text = f"{kind:02b}{substream:03b}{15:011b}" + "00" + f"{blocks:02b}{acmod:03b}" + "0" + f"{16:05b}"
    text += "00000" + "0"
    if kind == 1:
        text += "0" if channel_map is None else f"1{channel_map:016b}"
    return (b"\x0b\x77" + int(text.ljust(240, "0"), 2).to_bytes(30))[:32]


def test_dac3_is_made_from_the_first_frame() -> None:
    header = read_ac3_config(AC3_FRAME)
    # As FFmpeg's MP4 muxer writes it for the same stream.
    assert header.config == bytes.fromhex("103de0")
    assert (header.codec_string, header.sample_rate, header.channels, header.frame_samples) == (
        "ac-3",
        48_000,
        6,
        1_536,
    )
    assert read_ac3_config(header.config) == header
    mono = read_ac3_config(AC3_FRAME_MONO)
    assert (mono.config, mono.sample_rate, mono.channels) == (bytes.fromhex("5008c0"), 44_100, 1)


def test_dec3_is_made_from_the_first_access_unit() -> None:
    header = read_eac3_config(EAC3_FRAME)
    # As FFmpeg's MP4 muxer writes it for the same stream.
    assert header.config == bytes.fromhex("0e00200f00")
    assert (header.codec_string, header.sample_rate, header.channels, header.frame_samples) == (
        "ec-3",
        48_000,
        6,
        1_536,
    )
    assert read_eac3_config(header.config) == header


def test_a_dependent_substream_adds_its_channels() -> None:
    # Lrs/Rrs: bit 6 of chanmap, bit 1 of chan_loc.
    unit = syncframe(0, 0, 3, acmod=7) + syncframe(1, 0, 3, channel_map=1 << (15 - 6))
    header = read_eac3_config(unit)
    assert header.channels == 5 + 2
    assert len(header.config) == 6
    assert int.from_bytes(header.config) & 0x1FFF == 1 << 9 | 1 << 1
    assert read_eac3_config(header.config).channels == 7
    assert packet_samples(unit) == 1_536


def test_a_dependent_substream_of_another_program_adds_nothing() -> None:
    unit = syncframe(0, 0, 3) + syncframe(0, 1, 3) + syncframe(1, 0, 3, channel_map=1 << (15 - 6))
    assert read_eac3_config(unit).channels == 2


def test_short_syncframes_add_up() -> None:
    assert packet_samples(syncframe(0, 0, 0) * 6) == 1_536
    assert packet_samples(syncframe(0, 0, 0)) == 256
    assert packet_samples(syncframe(0, 0, 3) + syncframe(0, 1, 3)) == 1_536
    assert packet_samples(syncframe(3, 0, 3)) == 0
    assert packet_samples(b"") == 0
    assert read_eac3_config(syncframe(0, 0, 1)).frame_samples == 512


@pytest.mark.parametrize(
    "config", [b"", b"\x10\x3d", b"\xd0\x3d\xe0", b"\x1e\x3d\xe0", b"\x10\x3f\xe0", b"\x0b\x77\x00"]
)
def test_what_is_no_ac3_is_refused(config: bytes) -> None:
    with pytest.raises(BadConfig):
        read_ac3_config(config)


@pytest.mark.parametrize(
    "config",
    [b"", b"\x0e\x00", bytes.fromhex("0e00000f00"), b"\x0b\x77", syncframe(1, 0, 3), syncframe(0, 1, 3), AC3_FRAME],
)
def test_what_is_no_eac3_is_refused(config: bytes) -> None:
    with pytest.raises(BadConfig):
        read_eac3_config(config)


def test_the_fingerprint_ignores_what_may_change() -> None:
    assert fingerprint(AC3_FRAME) == fingerprint(AC3_FRAME[:2] + b"\xff\xff" + AC3_FRAME[4:])
    assert fingerprint(AC3_FRAME) != fingerprint(AC3_FRAME_MONO)
    assert fingerprint(EAC3_FRAME) == fingerprint(EAC3_FRAME[:5] + bytes((EAC3_FRAME[5] ^ 1,)) + EAC3_FRAME[6:])
    assert fingerprint(syncframe(0, 0, 3)) != fingerprint(syncframe(0, 0, 3, acmod=7))
    assert fingerprint(b"\x0b\x77") == b""
    assert fingerprint(b"no syncframe") == b""


def test_access_units_of_eac3() -> None:
    whole, short, dependent, second = syncframe(0, 0, 3), syncframe(0, 0, 0), syncframe(1, 0, 3), syncframe(0, 1, 3)
    assert is_enhanced(whole)
    assert access_unit_size(whole, 0) == 32
    assert access_unit_size(whole + whole, 0) == 32
    assert access_unit_size(b"xx" + whole + dependent + second + whole, 2) == 96
    assert access_unit_size(short * 7, 0) == 6 * 32
    assert access_unit_size(short * 6, 0) == 6 * 32
    assert access_unit_size(whole + b"garbage that is longer than a header", 0) == 32
    # More is needed, or it does not begin here.
    assert access_unit_size(short * 5, 0) is None
    assert access_unit_size(whole + dependent[:8], 0) is None
    assert access_unit_size(whole[:20], 0) is None
    assert access_unit_size(dependent + whole, 0) == access_unit_size(second + whole, 0) == 0
    assert access_unit_size(short + b"garbage that is longer than a header", 0) == 0


@pytest.mark.parametrize(
    ("code", "size"), [(0x1E, 1_792), (0x1F, 1_792), (0x40, 138), (0x41, 140), (0x80, 192), (0xC0, 0), (0x26, 0)]
)
def test_sizes_of_ac3_frames(code: int, size: int) -> None:
    """Table 4.13: 448 kbit/s at 48 kHz; 32 kbit/s at 44.1 (two sizes) and 32 kHz; reserved rate; reserved size."""
    frame = b"\x0b\x77\x00\x00" + bytes((code, 8 << 3)) + bytes(10)
    assert not is_enhanced(frame)
    assert access_unit_size(frame, 0) == size
    assert access_unit_size(b"no syncframe", 0) == 0
