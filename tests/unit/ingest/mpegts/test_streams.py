from __future__ import annotations

import pytest
from tests.ts_kit import language

from headwater.ingest.mpegts.sections import Descriptors, Stream
from headwater.ingest.mpegts.streams import Elementary, Format, identify


@pytest.mark.parametrize(
    ("kind", "descriptors", "format_", "codec"),
    [
        (0x1B, (), Format.H264, ""),
        (0x24, (), Format.HEVC, ""),
        (0x03, (), Format.MPA, ""),
        (0x04, (), Format.MPA, ""),
        (0x0F, (), Format.ADTS, ""),
        (0x11, (), Format.LATM, ""),
        (0x81, (), Format.AC3, ""),
        (0x87, (), Format.AC3, ""),
        (0x86, (), Format.CUE, ""),
        (0x02, (), Format.REFUSED, "mpeg2video"),
        (0x33, (), Format.REFUSED, "vvc"),
        (0x82, (), Format.REFUSED, "dts"),
        (0x06, (), Format.PRIVATE, ""),
        (0x06, ((0x05, b"AV01"),), Format.AV1, ""),
        (0x06, ((0x05, b"AC-3"),), Format.AC3, ""),
        (0x06, ((0x05, b"EAC3extra"),), Format.AC3, ""),
        (0x06, ((0x05, b"HEVC"),), Format.HEVC, ""),
        (0x06, ((0x05, b"BSSD"),), Format.REFUSED, "s302m"),
        (0x06, ((0x05, b"KLVA"),), Format.IGNORED, ""),
        (0x06, ((0x6A, b"\x00"),), Format.AC3, ""),
        (0x06, ((0x7A, b"\x00"),), Format.AC3, ""),
        (0x06, ((0x7B, b"\x00"),), Format.REFUSED, "dts"),
        (0x06, ((0x56, b""),), Format.IGNORED, ""),
        (0x06, ((0x59, b""),), Format.IGNORED, ""),
        (0x06, ((0x7F, b"\x15"),), Format.REFUSED, "ac4"),
        (0x15, (), Format.IGNORED, ""),
        (0xC0, (), Format.IGNORED, ""),
        (0xC0, ((0x05, b"AC-3"),), Format.AC3, ""),
    ],
)
def test_formats(kind: int, descriptors: Descriptors, format_: Format, codec: str) -> None:
    assert identify(Stream(kind, 0x100, descriptors)) == Elementary(0x100, format_, codec)


def test_opus_says_its_channels() -> None:
    opus = ((0x05, b"Opus"), (0x7F, b"\x80\x06"))
    assert identify(Stream(0x06, 0x100, opus)).channels == 6
    assert identify(Stream(0x06, 0x100, opus[:1])).channels == 0


@pytest.mark.parametrize(
    ("code", "audio_type", "expected"),
    [
        (b"eng", 0, ("en", "")),
        (b"ger", 3, ("de", "Audio description (de)")),
        (b"und", 2, ("und", "Hearing impaired")),
        (b"fra", 1, ("fr", "Clean effects (fr)")),
        (b"fra", 0x80, ("fr", "")),
    ],
)
def test_languages(code: bytes, audio_type: int, expected: tuple[str, str]) -> None:
    found = identify(Stream(0x0F, 0x101, (language(code, audio_type),)))
    assert (found.language, found.name) == expected


def test_a_language_descriptor_that_is_cut_short_says_nothing() -> None:
    assert identify(Stream(0x0F, 0x101, ((0x0A, b"en"),))).language == "und"
