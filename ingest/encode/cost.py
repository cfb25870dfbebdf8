"""What a plan costs, in CPU seconds per second of media: cores. Sans-IO.

The unit costs are measured on the machine (`capacity`); here stands how they add up:

    decode      source megapixels/s x codec factor / decode rate
    scale       source megapixels/s x (frames that a rung takes) / scale rate, for each rung
    encode      rung megapixels/s x preset factor / rate of its encoder at its default preset
    process     a fixed part, and one for each audio rung

It is an estimate: pictures that are harder than the calibration's cost more. What is measured afterwards
(`Progress.cpu_s`) is the truth, and the overload controller acts on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from headwater.ingest.media import Codec, Rendition, Track

from .model import Plan, VideoRung

MEGA = 1_000_000

EFFORTS = 3
"""Effort steps of `control`: the preset, less analysis, least analysis."""

ENCODER = {"libx264": 1.0, "libx265": 3.3, "libsvtav1": 2.2}
"""CPU of an encoder at its default preset, relative to libx264 at veryfast. Why: measured at 720p with noise."""

HARDWARE = 0.15
"""The same for an encoder in hardware: copying is left to the CPU. Why: an upload of the frame and a download of the
bits; not measured, there was no such hardware."""

_X264 = {
    "ultrafast": 0.43,
    "superfast": 0.6,
    "veryfast": 1.0,
    "faster": 1.4,
    "fast": 2.5,
    "medium": 3.2,
    "slow": 7.0,
    "slower": 13.0,
    "veryslow": 22.0,
    "placebo": 40.0,
}
_X265 = {
    "ultrafast": 1.0,
    "superfast": 1.9,
    "veryfast": 2.7,
    "faster": 2.8,
    "fast": 2.9,
    "medium": 3.0,
    "slow": 8.0,
    "slower": 20.0,
    "veryslow": 35.0,
    "placebo": 60.0,
}
_SVT = (150.0, 90.0, 50.0, 30.0, 18.0, 10.0, 6.0, 3.5, 2.1, 1.7, 1.4, 1.0, 0.9, 0.9)

PRESET: dict[str, Mapping[str, float]] = {
    "libx264": _X264,
    "libx265": _X265,
    "libsvtav1": {str(preset): factor for preset, factor in enumerate(_SVT)},
}
"""CPU of a preset, relative to the encoder's default one. Why: measured at 720p with noise, the fast half of each list;
the slow half is known to be out of reach."""

_X265_EFFORT = (1.0, 0.85, 0.7)
"""What x265 costs with less analysis at a preset above ultrafast, which has none to give up."""

DECODE = {Codec.H264: 1.0, Codec.HEVC: 1.4, Codec.AV1: 1.6, Codec.VP9: 1.3}
"""CPU of decoding, relative to H.264."""

PROCESS_CORES = 0.03
"""Of a worker beside codecs: reading, writing, counting."""

AUDIO_CORES = 0.015
"""Decoding, resampling and encoding one audio rung."""

RESERVE = 0.1
"""Part of the machine that ladders leave to packaging, HTTP and the system."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Unit costs of this machine, megapixels per CPU second."""

    decode: float
    """H.264."""
    scale: float
    """Source pixels to a smaller picture."""
    encode: Mapping[str, float]
    """By software encoder, at its default preset; one that was not measured is derived from libx264's."""

    def encoder(self, name: str) -> float:
        """Of the encoder `name`; one in hardware counts what the CPU has to do for it."""
        return self.encode.get(name) or self.encode["libx264"] / ENCODER.get(name, HARDWARE)


@dataclass(frozen=True, slots=True)
class Machine:
    """What this machine can do for ladders."""

    cores: float
    """CPUs that this process may use, a container's quota included."""
    encoders: frozenset[str]
    """libavcodec's names of those that really opened and encoded."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Those that did not, and why."""
    measured: Measured | None = None
    """None: nothing could be measured."""
    problem: str = ""
    """Why less is known than should be; empty: all is known."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a plan needs, cores."""

    decode: float
    rungs: Mapping[Rendition, float]
    """Of each rung, scaling included."""

    @property
    def cores(self) -> float:
        """All of it."""
        return PROCESS_CORES + self.decode + sum(self.rungs.values())


@dataclass(frozen=True, slots=True)
class Fits:
    """There is room. `text` has the numbers."""

    text: str


@dataclass(frozen=True, slots=True)
class TooMuch:
    """There is not. `text` has the numbers."""

    text: str


def weight(rung: VideoRung, effort: int = 0) -> float:
    """What encoding a second of `rung` costs, relative to other rungs of the plan: there is no unit."""
    pixels = rung.width * rung.height / rung.divisor
    if rung.encoder not in ENCODER:
        return pixels * HARDWARE
    return pixels * ENCODER[rung.encoder] * _factor(rung.encoder, rung.preset, effort)


def _factor(encoder: str, preset: str, effort: int) -> float:
    """CPU relative to the default preset, as the worker's options apply the effort."""
    factors = PRESET[encoder]
    if preset not in factors:
        return 1.0
    place = list(factors).index(preset)
    match encoder:
        case "libx264":  # half way to the fastest, then the fastest
            return list(factors.values())[place // 2 if effort == 1 else 0] if effort else factors[preset]
        case "libx265":
            return factors[preset] * (_X265_EFFORT[effort] if place else 1.0)
        case _:  # one preset further for each step
            return list(factors.values())[min(place + effort, len(factors) - 1)]


def estimate(plan: Plan, source: Track | None, measured: Measured) -> Estimate:
    """What `plan` needs for a source track `source`, by the unit costs of the machine."""
    rungs: dict[Rendition, float] = {}
    decode = 0.0
    if source is not None and (plan.video or plan.thumbnails):
        rate = float(source.frame_rate or plan.grid)
        pixels = source.width * source.height / MEGA
        decode = pixels * rate * DECODE.get(source.codec, 1.0) / measured.decode
        for rung in plan.video:
            fps = float(plan.grid) / rung.divisor
            factor = _factor(rung.encoder, rung.preset, 0) if rung.encoder in PRESET else 1.0
            encode = rung.width * rung.height / MEGA * fps * factor / measured.encoder(rung.encoder)
            rungs[rung.rendition] = pixels * fps / measured.scale + encode
    rungs |= {rung.rendition: AUDIO_CORES for rung in plan.audio}
    return Estimate(decode, rungs)


def judge(needed: float, cores: float, taken: float) -> Fits | TooMuch:
    """Whether there is room for one more ladder.

    Args:
        needed: cores, `Estimate.cores`.
        cores: of the machine, `Machine.cores`.
        taken: cores that the running ladders use.
    """
    left = max(0.0, cores * (1 - RESERVE) - taken)
    others = f", other ladders take {taken:.2f}" if taken > 0 else ""
    numbers = f"the ladder needs about {needed:.2f} cores; {left:.2f} of {cores:g} are free for it{others}"
    return Fits(numbers) if needed <= left else TooMuch(numbers)
