"""What a codec's configuration says, before it becomes a `Track`. Sans-IO."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from headwater.ingest.media import VideoRange

from .errors import BadConfig

MAX_DIMENSION = 16_384
"""Pixels; above every level of H.264, HEVC and AV1 that a display shows. A larger size is taken for garbage."""
MAX_FRAME_RATE = 1_000
"""Frames per second; above it the timing fields are taken for a time base, not a frame rate."""
MAX_SAMPLE_RATE = 384_000
"""Hz; the highest rate that audio hardware offers."""

TRANSFER_PQ = 16
TRANSFER_HLG = 18
"""transfer_characteristics of ITU-T H.273 (8.2), shared by H.264, HEVC, AV1 and VP9."""


@dataclass(frozen=True, slots=True)
class VideoHeader:
    """A video configuration, read."""

    config: bytes
    """The configuration box body to deliver: the publisher's, put into canonical form."""
    codec_string: str
    width: int
    """Pixels after cropping; 0 when the configuration does not say. Likewise `height`."""
    height: int
    sample_aspect: Fraction = Fraction(1)
    frame_rate: Fraction | None = None
    transfer: int = 2
    """transfer_characteristics (H.273); 2 = unspecified."""

    @property
    def video_range(self) -> VideoRange:
        """The dynamic range of `transfer`."""
        if self.transfer == TRANSFER_PQ:
            return VideoRange.PQ
        return VideoRange.HLG if self.transfer == TRANSFER_HLG else VideoRange.SDR


@dataclass(frozen=True, slots=True)
class AudioHeader:
    """An audio configuration, read."""

    config: bytes
    codec_string: str
    sample_rate: int
    """Hz of the decoder's output; also the timescale of the track."""
    channels: int
    frame_samples: int
    """Output samples per packet; 0 when packets differ."""


def frame_rate(ticks_per_second: int, ticks_per_frame: int) -> Fraction | None:
    """Frames per second of a codec's timing fields, or None when they are unset or no frame rate."""
    if ticks_per_second <= 0 or ticks_per_frame <= 0:
        return None
    rate = Fraction(ticks_per_second, ticks_per_frame)
    return rate if rate <= MAX_FRAME_RATE else None


def check_size(width: int, height: int) -> None:
    """Refuse sizes that no decoder takes.

    Raises:
        BadConfig: a side is below 1 or above `MAX_DIMENSION`.
    """
    if not (0 < width <= MAX_DIMENSION and 0 < height <= MAX_DIMENSION):
        raise BadConfig(f"picture size {width}x{height} is out of range")


def check_audio(rate: int, channels: int) -> None:
    """Refuse audio formats that no decoder takes.

    Raises:
        BadConfig: rate or channel count is out of range.
    """
    if not 0 < rate <= MAX_SAMPLE_RATE:
        raise BadConfig(f"sample rate {rate} Hz is out of range")
    if not 0 < channels <= 255:
        raise BadConfig(f"{channels} channels are out of range")
