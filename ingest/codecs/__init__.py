"""Codecs: what a track's own headers say, and the few bytes of a packet that a server must look at.

Words
    config          the body of the codec's MP4 configuration box, or AAC's AudioSpecificConfig (`Track.config`)
    access unit     the payload of one packet: NAL units with length prefixes, AV1 OBUs, one audio frame
    random access   an access unit at which a decoder can start: IDR or IRAP, AV1 key frame, VP9 key frame

Flow
    config -> tracks.video_track / audio_track -> Track        (once per configuration)
    access unit -> access.normalise, is_random_access, audio_samples   (per packet: prefixes and first bytes only)

    Annex B -> annexb.split, annexb.sample; build.from_annexb -> config    (encoders and MPEG-TS)

One file per codec (h264, hevc, av1, vp9, aac, opus, ac3, flac, mpa), each with the section numbers of its
specification; `bits` and `nal` are what they share. A peer's bytes leave as a value or as `BadConfig`.

Not here: decoding, MP4 boxes (origin/cmaf), FLV tags (ingest/rtmp), times.
"""

from .access import audio_samples, is_random_access, normalise, refine
from .errors import BadConfig
from .tracks import audio_track, video_track

__all__ = [
    "BadConfig",
    "audio_samples",
    "audio_track",
    "is_random_access",
    "normalise",
    "refine",
    "video_track",
]
