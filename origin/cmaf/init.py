"""The init section: ftyp and a moov without samples (14496-12, 8.2 to 8.8; rules 199 to 201). Sans-IO."""

from __future__ import annotations

import hashlib
import struct

from headwater.ingest.media import Kind, Track

from .boxes import UNITY_MATRIX, box, full_box
from .entries import sample_entry

TRACK_ID = 1
"""One track per file (rule 201)."""

_FILE_TYPE = box(b"ftyp", b"iso6", struct.pack(">I", 0), b"iso6", b"cmfc", b"cmf2")
"""iso6: rule 199. cmf2: no edit list, signed composition offsets (rules 201, 203)."""


def init_segment(track: Track) -> bytes:
    """The init section of `track`: the same bytes for the same track. Raises UnsupportedTrack."""
    return _FILE_TYPE + box(b"moov", _movie_header(), _track(track), _movie_extends())


def init_name(data: bytes) -> str:
    """`init-HASH.mp4`: a name that is the same exactly when the bytes are."""
    return f"init-{hashlib.sha256(data).hexdigest()[:16]}.mp4"


def _movie_header() -> bytes:
    # 8.2.2; duration 0: it is not known, the fragments say it (rule 199)
    head = struct.pack(">IIIIIH10x", 0, 0, 1_000, 0, 0x10000, 0x100)
    return full_box(b"mvhd", 0, 0, head, UNITY_MATRIX, bytes(24), struct.pack(">I", TRACK_ID + 1))


def _track(track: Track) -> bytes:
    handler, name, media_header = _HANDLERS[track.kind]
    media = box(
        b"mdia",
        full_box(b"mdhd", 0, 0, struct.pack(">IIIIHH", 0, 0, track.timescale, 0, _language(track.language), 0)),
        full_box(b"hdlr", 0, 0, struct.pack(">I4s12x", 0, handler), name),
        _extended_language(track.language),
        box(b"minf", media_header, _data_information(), _sample_table(track)),
    )
    return box(b"trak", _track_header(track), media)


def _track_header(track: Track) -> bytes:
    # 8.3.2: flags enabled | in movie; size in square pixels, 16.16
    video = track.kind is Kind.VIDEO
    width = round(track.width * track.sample_aspect) & 0xFFFF
    head = struct.pack(">IIIII", 0, 0, TRACK_ID, 0, 0)
    layer = struct.pack(">8xhhH2x", 0, 0, 0 if video else 0x100)
    size = struct.pack(">II", width << 16, (track.height & 0xFFFF) << 16) if video else bytes(8)
    return full_box(b"tkhd", 0, 3, head, layer, UNITY_MATRIX, size)


_HANDLERS = {
    Kind.VIDEO: (b"vide", b"video\0", full_box(b"vmhd", 0, 1, bytes(8))),
    Kind.AUDIO: (b"soun", b"audio\0", full_box(b"smhd", 0, 0, bytes(4))),
}


def _language(tag: str) -> int:
    """ISO 639-2/T packed in 15 bits (8.4.2.3); `und` when the tag is not three letters."""
    code = tag if len(tag) == 3 and tag.isascii() and tag.isalpha() and tag.islower() else "und"
    return (ord(code[0]) - 0x60) << 10 | (ord(code[1]) - 0x60) << 5 | ord(code[2]) - 0x60


def _extended_language(tag: str) -> bytes:
    """`elng` (8.4.6) for tags that `mdhd` cannot hold, such as `en` or `pt-BR`."""
    if tag in ("", "und") or len(tag) == 3:
        return b""
    return full_box(b"elng", 0, 0, tag.encode("ascii", "ignore"), b"\0")


def _data_information() -> bytes:
    # 8.7.2: media in the same file (flag 1); rule 200 forbids external references
    return box(b"dinf", full_box(b"dref", 0, 0, struct.pack(">I", 1), full_box(b"url ", 0, 1)))


def _sample_table(track: Track) -> bytes:
    # Rule 199: the tables are there, and empty
    return box(
        b"stbl",
        full_box(b"stsd", 0, 0, struct.pack(">I", 1), sample_entry(track)),
        full_box(b"stts", 0, 0, bytes(4)),
        full_box(b"stsc", 0, 0, bytes(4)),
        full_box(b"stsz", 0, 0, bytes(8)),
        full_box(b"stco", 0, 0, bytes(4)),
    )


def _movie_extends() -> bytes:
    # 8.8.3: every sample says duration, size and flags itself; only the description index is a default
    return box(b"mvex", full_box(b"trex", 0, 0, struct.pack(">IIIII", TRACK_ID, 1, 0, 0, 0)))
