"""What a plan costs, in CPU seconds per second of media: cores. Sans-IO.

The unit costs are measured on the machine (`capacity`); here stands how they add up.

    cores = decoded megapixels/s / decode rate + sum over rungs of encoded megapixels/s x preset factor / encode rate
"""

from __future__ import annotations

from .model import VideoRung

EFFORT = (1.0, 0.75, 0.6)
"""What encoding costs at each effort step of `control`, relative to the preset. Why: x264 at 720p, from veryfast."""

ENCODER = {"libx264": 1.0, "libx265": 3.0, "libsvtav1": 3.0}
"""CPU of an encoder at its default preset, relative to libx264 at veryfast. Why: measured at 720p."""

HARDWARE = 0.15
"""The same for an encoder in hardware: scaling and copying are left to the CPU."""


def weight(rung: VideoRung, effort: int = 0) -> float:
    """What a frame of `rung` costs, relative to other rungs: there is no unit."""
    encoder = ENCODER.get(rung.encoder)
    factor = HARDWARE if encoder is None else encoder * EFFORT[effort]
    return rung.width * rung.height * factor / rung.divisor
