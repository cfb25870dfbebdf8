"""FLAC: STREAMINFO, dfLa and frame headers (RFC 9639 8.2, 9.1; FLAC in ISOBMFF 3.3.2). Sans-IO."""

from __future__ import annotations

from .bits import BitReader
from .errors import BadConfig
from .headers import AudioHeader, check_audio

_MARKER = b"fLaC"
_FULL_BOX = b"\x00\x00\x00\x00"
_STREAMINFO = 34
_LAST_BLOCK = 0x80


def read_config(config: bytes) -> AudioHeader:
    """Read a native header (`fLaC` and metadata blocks), a dfLa body, a STREAMINFO block or its 34 bytes.

    Returns:
        The header; its `config` is a dfLa body that holds STREAMINFO alone, with frame sizes, length and MD5
        "unknown" (8.2): an encoder fills them in when it stops, which changes nothing for a decoder.

    Raises:
        BadConfig: it is none of these, or STREAMINFO is impossible.
    """
    body = config
    if body.startswith(_MARKER) or (body.startswith(_FULL_BOX) and len(body) >= 8 + _STREAMINFO):
        body = body[4:]
    if len(body) != _STREAMINFO:
        # RFC 9639 8.1: STREAMINFO is the first metadata block, type 0.
        if len(body) < 4 + _STREAMINFO or body[0] & 0x7F or int.from_bytes(body[1:4]) != _STREAMINFO:
            raise BadConfig("FLAC header does not start with STREAMINFO")
        body = body[4 : 4 + _STREAMINFO]
    bits = BitReader(body)
    smallest, largest = bits.read(16), bits.read(16)
    bits.skip(48)
    rate, channels = bits.read(20), bits.read(3) + 1
    if smallest < 16 or largest < smallest:
        raise BadConfig("FLAC block sizes are impossible")
    check_audio(rate, channels)
    # Block sizes; frame sizes 0; rate, channels and bit depth up to the 4 bits that begin the length; length and MD5 0.
    known = body[:4] + bytes(6) + body[10:13] + bytes((body[13] & 0xF0,)) + bytes(20)
    block = bytes((_LAST_BLOCK, 0, 0, _STREAMINFO)) + known
    return AudioHeader(_FULL_BOX + block, "fLaC", rate, channels, 0)


def packet_samples(payload: bytes) -> int:
    """Samples of one frame, by its header's block size (RFC 9639 9.1.1); 0 when it is malformed."""
    if len(payload) < 6 or payload[0] != 0xFF or payload[1] & 0xFE != 0xF8:
        return 0
    code = payload[2] >> 4
    if code >= 8:
        return 256 << (code - 8)
    if code >= 2 and code <= 5:
        return 576 << (code - 2)
    if code < 2:
        return 192 if code else 0
    # 9.1.6: an uncommon block size stands behind the coded number, whose length is that of UTF-8.
    lead = payload[4]
    extra = 0
    while lead & 0x80 >> extra and extra < 7:
        extra += 1
    at = 4 + max(extra, 1)
    field = payload[at : at + (1 if code == 6 else 2)]
    return int.from_bytes(field) + 1 if len(field) == code - 5 else 0
