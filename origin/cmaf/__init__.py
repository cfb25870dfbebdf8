"""CMAF: tracks and samples to fragmented MP4 bytes. One track per file. Sans-IO.

Words
    init section    ftyp + moov without samples: what EXT-X-MAP names
    chunk           styp + moof + mdat: the bytes of one part; a segment is its parts, concatenated

Map
    boxes       box framing
    entries     sample entries: codec configuration to `stsd`, and which codecs MP4 and HLS can carry
    init        `init_segment`, `init_name`
    chunk       `chunk`: the hot path
    readback    a chunk read again, for the checks of what is published

Not here: which samples make a part (see `origin.segmenter`), encryption, reading any other MP4.
Sources: ISO/IEC 14496-12 (boxes), 14496-15 (AVC, HEVC), 23000-19 (CMAF), the AV1, VP9, Opus and FLAC
bindings, ETSI TS 102 366 annex F (AC-3); rules 199 to 207 of the checklist.
"""

from .boxes import UnsupportedTrack
from .chunk import MAX_SAMPLES, ChunkSample, chunk
from .entries import supported
from .init import init_name, init_segment

__all__ = ["MAX_SAMPLES", "ChunkSample", "UnsupportedTrack", "chunk", "init_name", "init_segment", "supported"]
