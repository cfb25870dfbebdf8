"""Sample entries: a track's codec configuration as the `stsd` of its init section (14496-12, 8.5.2). Sans-IO."""

from __future__ import annotations

import struct
from collections.abc import Callable

from headwater.ingest.media import Codec, Kind, Track

from .boxes import UnsupportedTrack, box, full_box

_MAX_UINT16 = 0xFFFF

_NO_MAPPING = {
    Codec.MP2: "MP2 has no mapping that browsers or AVPlayer take: use AAC",
    Codec.MP3: "MP3 in fragmented MP4 is refused by AVPlayer and by media sources of browsers: use AAC",
}


def supported(track: Track) -> str | None:
    """Why `track` cannot be delivered, as a sentence for the publisher's log; None when it can."""
    reason = _NO_MAPPING.get(track.codec)
    if reason is not None:
        return reason
    if track.codec not in _ENTRIES:
        return f"{track.codec} has no mapping to MP4 here"
    if not track.config:
        return f"{track.codec} came without its configuration"
    if track.kind is Kind.AUDIO and (track.channels < 1 or track.sample_rate < 1):
        return f"{track.codec} with {track.channels} channels at {track.sample_rate} Hz is not audio"
    if track.timescale < 1:
        return "the track has no timescale"
    return None


def sample_entry(track: Track) -> bytes:
    """The sample entry box of `track`. Raises UnsupportedTrack."""
    reason = supported(track)
    if reason is not None:
        raise UnsupportedTrack(reason)
    return _ENTRIES[track.codec](track)


def _visual(kind: bytes, track: Track, *children: bytes) -> bytes:
    """VisualSampleEntry (12.1.3): 72 dpi, 24-bit depth as every writer says, no compressor name."""
    head = struct.pack(
        ">6xH16xHHIIIH32xHh",
        1,  # data_reference_index
        min(track.width, _MAX_UINT16),
        min(track.height, _MAX_UINT16),
        0x480000,
        0x480000,
        0,
        1,  # frame_count
        0x18,
        -1,
    )
    return box(kind, head, *children, _pixel_aspect(track))


def _pixel_aspect(track: Track) -> bytes:
    """`pasp` (12.1.4), also when square: rule 207 wants it stated."""
    aspect = track.sample_aspect
    return box(b"pasp", struct.pack(">II", aspect.numerator, aspect.denominator))


def _audio(kind: bytes, track: Track, *children: bytes) -> bytes:
    """AudioSampleEntry (12.2.3). The 16.16 sample rate holds no more than 65535 Hz: 0 then, the codec box says it."""
    rate = track.sample_rate << 16 if track.sample_rate <= _MAX_UINT16 else 0
    head = struct.pack(">6xH8xHHHHI", 1, track.channels, 16, 0, 0, rate)
    return box(kind, head, *children)


def _avc(track: Track) -> bytes:
    # 14496-15, 5.4.2: avc1 says that parameter sets stand here
    return _visual(b"avc1", track, box(b"avcC", track.config))


def _hevc(track: Track) -> bytes:
    # 14496-15, 8.4.1; hvc1, never hev1: AVPlayer plays nothing else (rule 173)
    return _visual(b"hvc1", track, box(b"hvcC", track.config))


def _av1(track: Track) -> bytes:
    return _visual(b"av01", track, box(b"av1C", track.config))


def _vp9(track: Track) -> bytes:
    # VP Codec ISO Media File Format Binding 1.0: vpcC is a full box of version 1; RTMP carries its record alone
    record = track.config[4:] if len(track.config) >= 12 and track.config[:4] == b"\x01\0\0\0" else track.config
    return _visual(b"vp09", track, full_box(b"vpcC", 1, 0, record), _vp9_colour(record))


def _vp9_colour(record: bytes) -> bytes:
    """`colr` of type nclx (14496-12, 12.1.5) from the record's bit depth byte (full range) and three code points."""
    if len(record) < 6:
        return b""
    primaries, transfer, matrix = record[3:6]
    return box(b"colr", b"nclx", struct.pack(">HHHB", primaries, transfer, matrix, (record[2] & 1) << 7))


def _aac(track: Track) -> bytes:
    return _audio(b"mp4a", track, full_box(b"esds", 0, 0, _es_descriptor(track.config)))


def _es_descriptor(config: bytes) -> bytes:
    """ES_Descriptor around an AudioSpecificConfig (14496-1, 7.2.6.5; ES_ID 0 inside MP4, 14496-14, 3.1.2)."""
    specific = _descriptor(0x05, config)
    # objectTypeIndication 0x40 (MPEG-4 audio), streamType 5 (audio) with the reserved bit set
    decoder = _descriptor(0x04, struct.pack(">BBxxxII", 0x40, 0x15, 0, 0) + specific)
    return _descriptor(0x03, struct.pack(">HB", 0, 0) + decoder + _descriptor(0x06, b"\x02"))


def _descriptor(tag: int, body: bytes) -> bytes:
    """Tag, length in base 128 (14496-1, 8.3.3), body."""
    size = len(body)
    groups = [size & 0x7F]
    while size := size >> 7:
        groups.append(size & 0x7F | 0x80)
    return bytes((tag, *reversed(groups))) + body


def _opus(track: Track) -> bytes:
    # Opus in ISOBMFF, 4.3.1: the sample rate field is always 48000, dOps has the input's
    head = struct.pack(">6xH8xHHHHI", 1, track.channels, 16, 0, 0, 48_000 << 16)
    return box(b"Opus", head, box(b"dOps", track.config))


def _ac3(track: Track) -> bytes:
    return _audio(b"ac-3", track, box(b"dac3", track.config))  # TS 102 366, F.3


def _eac3(track: Track) -> bytes:
    return _audio(b"ec-3", track, box(b"dec3", track.config))  # TS 102 366, F.5


def _flac(track: Track) -> bytes:
    # FLAC in ISOBMFF, 3.3.2: dfLa is a full box; its first block is STREAMINFO, type 0, never four zero bytes
    blocks = track.config[4:] if track.config[:4] == b"\0\0\0\0" else track.config
    return _audio(b"fLaC", track, full_box(b"dfLa", 0, 0, blocks))


_ENTRIES: dict[Codec, Callable[[Track], bytes]] = {
    Codec.H264: _avc,
    Codec.HEVC: _hevc,
    Codec.AV1: _av1,
    Codec.VP9: _vp9,
    Codec.AAC: _aac,
    Codec.OPUS: _opus,
    Codec.AC3: _ac3,
    Codec.EAC3: _eac3,
    Codec.FLAC: _flac,
}
