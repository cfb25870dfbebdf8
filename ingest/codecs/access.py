"""What a server must see in an access unit: cheap, per packet, never raising. Sans-IO."""

from __future__ import annotations

from headwater.ingest.media import Track


def is_random_access(track: Track, payload: bytes) -> bool:
    """Whether decoding can start at this access unit, by its bitstream. Audio: always True."""
    raise NotImplementedError


def normalise(track: Track, payload: bytes) -> bytes:
    """The access unit without what MP4 samples must not hold; the same object when nothing changes.

    Dropped: zero-length NAL units, a NAL unit that overruns the payload, AV1 temporal delimiters and
    padding. `b""` when nothing is left.
    """
    raise NotImplementedError


def audio_samples(track: Track, payload: bytes) -> int:
    """Ticks of `track.timescale` that an audio packet lasts; 0 when the packet does not say."""
    raise NotImplementedError


def refine(track: Track, payload: bytes) -> Track:
    """`track` with what only a random-access payload knows (VP9's size); the same object when nothing is added."""
    raise NotImplementedError
