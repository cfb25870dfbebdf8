"""What a PMT entry is: stream types and descriptors (ISO/IEC 13818-1 2.4.4.10, 2.6; ETSI EN 300 468 6). Sans-IO."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from headwater.ingest.media import Kind

from .languages import tag_of
from .sections import Descriptors, Stream

REGISTRATION, ISO_639, EXTENSION = 0x05, 0x0A, 0x7F
"""Tags of descriptors: registration (2.6.8), ISO_639_language (2.6.18), extension (EN 300 468 6.2.16)."""
_OPUS_EXTENSION = 0x80
"""descriptor_tag_extension of the Opus audio descriptor (OpusTS): user defined."""
_AC4_EXTENSION = 0x15


class Format(enum.StrEnum):
    """How the payload of a stream is read."""

    H264 = "h264"
    HEVC = "hevc"
    AV1 = "av1"
    ADTS = "adts"
    LATM = "latm"
    MPA = "mpa"
    AC3 = "ac3"
    OPUS = "opus"
    CUE = "cue"
    """SCTE-35 sections."""
    PRIVATE = "private"
    """Private data without a descriptor: AV1 of FFmpeg shows itself by its first bytes."""
    REFUSED = "refused"
    """Audio or video that we do not take."""
    IGNORED = "ignored"
    """Neither audio nor video: subtitles, metadata, data."""


KINDS = {
    Format.H264: Kind.VIDEO,
    Format.HEVC: Kind.VIDEO,
    Format.AV1: Kind.VIDEO,
    Format.ADTS: Kind.AUDIO,
    Format.LATM: Kind.AUDIO,
    Format.MPA: Kind.AUDIO,
    Format.AC3: Kind.AUDIO,
    Format.OPUS: Kind.AUDIO,
}
"""The formats that become tracks."""

_TYPES = {
    0x03: Format.MPA,  # MPEG-1 audio
    0x04: Format.MPA,  # MPEG-2 audio, lower sample rates
    0x0F: Format.ADTS,
    0x11: Format.LATM,
    0x1B: Format.H264,
    0x24: Format.HEVC,
    0x81: Format.AC3,  # ATSC A/52 annex A
    0x84: Format.AC3,  # E-AC-3 of Blu-ray
    0x86: Format.CUE,  # ANSI/SCTE 35 8.1
    0x87: Format.AC3,  # ATSC A/52 annex G: E-AC-3
}
_REFUSED_TYPES = {
    0x01: "mpeg1video",
    0x02: "mpeg2video",
    0x10: "mpeg4video",
    0x1C: "aac-raw",
    0x21: "jpeg2000",
    0x2D: "mpegh-audio",
    0x2E: "mpegh-audio",
    0x32: "jpeg-xs",
    0x33: "vvc",
    0x34: "vvc",
    0x35: "evc",
    0x42: "avs",
    0x82: "dts",
    0x83: "truehd",
    0x85: "dts-hd",
    0x8A: "dts",
    0xCF: "aac-encrypted",
    0xD1: "dirac",
    0xD2: "avs2",
    0xD4: "avs3",
    0xDB: "h264-encrypted",
    0xEA: "vc1",
}
_REGISTERED = {
    b"AC-3": Format.AC3,
    b"EAC3": Format.AC3,
    b"AV01": Format.AV1,  # AV1 in MPEG-2 TS 2.1
    b"AV1G": Format.AV1,  # GStreamer's own, without start codes
    b"HEVC": Format.HEVC,
    b"Opus": Format.OPUS,
}
_REFUSED_REGISTRATIONS = {b"BSSD": "s302m", b"DTS1": "dts", b"DTS2": "dts", b"DTS3": "dts", b"VC-1": "vc1"}
_DESCRIBED = {0x6A: Format.AC3, 0x7A: Format.AC3}
"""AC-3 and enhanced AC-3 descriptors (EN 300 468 annex D)."""
_REFUSED_DESCRIBED = {0x7B: "dts"}
_NO_MEDIA = frozenset((0x45, 0x46, 0x56, 0x59))
"""VBI data, VBI teletext, teletext, subtitling descriptors (EN 300 468 6.1)."""
_AUDIO_TYPES = {1: "Clean effects", 2: "Hearing impaired", 3: "Audio description"}
"""audio_type of the ISO 639 descriptor (table 2-60)."""


@dataclass(frozen=True, slots=True)
class Elementary:
    """A stream of the program, understood."""

    pid: int
    format: Format
    codec: str = ""
    """The field's name of what is refused."""
    language: str = "und"
    """RFC 5646 tag."""
    name: str = ""
    """Made from the audio type, where that says more than the language."""
    channels: int = 0
    """channel_config_code of Opus; 0 where unknown."""


def identify(stream: Stream) -> Elementary:
    """What a PMT entry is."""
    kind, codec = _format(stream)
    channels = 0
    if kind is Format.OPUS:
        channels = next((body[1] for tag, body in stream.descriptors if _is_opus(tag, body)), 0)
    language, name = _language(stream.descriptors) if kind in KINDS or kind is Format.PRIVATE else ("und", "")
    return Elementary(stream.pid, kind, codec, language, name, channels)


def _format(stream: Stream) -> tuple[Format, str]:
    """The format, and the name of the codec when it is refused."""
    known = _TYPES.get(stream.kind)
    if known is not None:
        return known, ""
    if stream.kind in _REFUSED_TYPES:
        return Format.REFUSED, _REFUSED_TYPES[stream.kind]
    # 0x06: private data in PES packets; from 0x80 on user private. Descriptors say what it is.
    if stream.kind != 0x06 and stream.kind < 0x80:
        return Format.IGNORED, ""
    return _described(stream)


def _described(stream: Stream) -> tuple[Format, str]:
    for tag, body in stream.descriptors:
        if tag == REGISTRATION:
            if body[:4] in _REGISTERED:
                return _REGISTERED[body[:4]], ""
            if body[:4] in _REFUSED_REGISTRATIONS:
                return Format.REFUSED, _REFUSED_REGISTRATIONS[body[:4]]
        elif tag in _DESCRIBED:
            return _DESCRIBED[tag], ""
        elif tag in _REFUSED_DESCRIBED:
            return Format.REFUSED, _REFUSED_DESCRIBED[tag]
        elif tag in _NO_MEDIA:
            return Format.IGNORED, ""
        elif tag == EXTENSION and body[:1] == bytes((_AC4_EXTENSION,)):
            return Format.REFUSED, "ac4"
    registered = any(tag == REGISTRATION for tag, _ in stream.descriptors)
    return (Format.PRIVATE if stream.kind == 0x06 and not registered else Format.IGNORED), ""


def _is_opus(tag: int, body: bytes) -> bool:
    return tag == EXTENSION and len(body) >= 2 and body[0] == _OPUS_EXTENSION


def _language(descriptors: Descriptors) -> tuple[str, str]:
    """Language tag and name by the ISO 639 descriptor's first entry."""
    for tag, body in descriptors:
        if tag == ISO_639 and len(body) >= 4:
            language = tag_of(body[:3])
            kind = _AUDIO_TYPES.get(body[3], "")
            return language, f"{kind} ({language})" if kind and language != "und" else kind
    return "und", ""
