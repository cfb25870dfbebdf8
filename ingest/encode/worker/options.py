"""How encoders are told what a rung is: no frame held back, IDRs only where asked, a fixed configuration.

`effort` steps (`control`) save analysis and nothing else: what stands in SPS and PPS is pinned to what the rung's own
preset says, so that a decoder needs no new configuration. The worker compares the bytes all the same.
"""

from __future__ import annotations

from collections.abc import Mapping

from headwater.ingest.encode.model import VideoRung

X26X_PRESETS = (
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
    "placebo",
)

_X264_REFS = (1, 1, 1, 2, 2, 3, 5, 8, 16, 16)
"""Reference frames of each preset (x264 `--fullhelp`): num_ref_frames of the SPS, the default count of the PPS."""
_X264_PSY = 4
"""The first preset with subme of at least 6, where psychovisual optimisation lowers the chroma QP by 2: in the PPS."""

MOST_THREADS = 4
"""Threads of one encoder. Why: x264 cuts the picture into as many slices, each of which costs quality."""

_EASY_PIXELS = 1280 * 720 * 35
"""Pixels per second that one core encodes at the presets up to `veryfast` with room to spare."""

_SLOWNESS = {"libx264": (0.5, 0.7, 1.0, 1.4, 2.5, 3.2, 7.0, 13.0, 22.0, 40.0)}
_SLOW = {"libx265": 3.3, "libsvtav1": 2.2}
"""CPU of a rung relative to x264 at `veryfast`; measured, see `cost`."""


def video_options(rung: VideoRung, effort: int, threads: int, level: str | None) -> dict[str, str]:
    """libavcodec's private options for a rung.

    Args:
        rung: what to make.
        effort: step of `control`; 0 is the rung's own preset.
        threads: that the encoder may use.
        level: level to write into the configuration (`3.1`); None: the encoder's choice.
    """
    if rung.encoder == "libx264":
        return _x264(rung, effort, level)
    if rung.encoder == "libx265":
        return _x265(rung, effort, threads, level)
    if rung.encoder == "libsvtav1":
        return _svt(rung, effort, threads)
    return _nvenc(rung) if rung.encoder.endswith("_nvenc") else _qsv(rung)


def threads_for(rung: VideoRung, fps: float, cores: int) -> int:
    """Threads of a rung's encoder: one while one core can do it, as that is best for quality and delay."""
    work = rung.width * rung.height * fps / rung.divisor * _SLOW.get(rung.encoder, 1.0)
    if rung.encoder == "libx264" and rung.preset in X26X_PRESETS:
        work *= _SLOWNESS["libx264"][X26X_PRESETS.index(rung.preset)]
    return max(1, min(cores, MOST_THREADS, round(work / _EASY_PIXELS)))


def reduced(preset: str, effort: int) -> str:
    """The preset of x264 and x265 at an effort step: half way to the fastest, then the fastest."""
    if effort <= 0 or preset not in X26X_PRESETS:
        return preset
    return X26X_PRESETS[X26X_PRESETS.index(preset) // 2 if effort == 1 else 0]


def _joined(values: Mapping[str, object]) -> str:
    return ":".join(f"{name}={value}" for name, value in values.items())


def _x264(rung: VideoRung, effort: int, level: str | None) -> dict[str, str]:
    preset = reduced(rung.preset, effort)
    # Infinite GOP, no scene cuts: an IDR is where `pict_type` asks for it, in every rung at the same picture.
    values: dict[str, object] = {
        "keyint": "infinite",
        "min-keyint": 1,
        "scenecut": 0,
        "open-gop": 0,
        "bframes": 0,
        "nal-hrd": "none",
    }
    if preset != rung.preset:
        values |= _x264_pins(rung, preset)
    if level is not None:
        values["level"] = level
    return {
        "preset": preset,
        "tune": "zerolatency",
        "profile": rung.profile,
        "forced-idr": "1",
        "maxrate": str(rung.maxrate),
        "bufsize": str(rung.bufsize),
        "x264-params": _joined(values),
    }


def _x264_pins(rung: VideoRung, preset: str) -> dict[str, object]:
    """What the configuration says under the rung's own preset."""
    own, least = X26X_PRESETS.index(rung.preset), own_is_ultrafast(rung)
    baseline = rung.profile == "baseline"
    pins: dict[str, object] = {
        "ref": _X264_REFS[own],
        "cabac": int(not least and not baseline),
        "8x8dct": int(not least and rung.profile == "high"),
        "weightp": int(not least and not baseline),
        "no-deblock": int(least),
    }
    if X26X_PRESETS.index(preset) < _X264_PSY <= own:
        pins["chroma-qp-offset"] = -2
    return pins


def own_is_ultrafast(rung: VideoRung) -> bool:
    """The fastest preset leaves out tools of the profile."""
    return rung.preset == X26X_PRESETS[0]


def _x265(rung: VideoRung, effort: int, threads: int, level: str | None) -> dict[str, str]:
    values: dict[str, object] = {
        "keyint": -1,
        "min-keyint": 1,
        "scenecut": 0,
        "open-gop": 0,
        "bframes": 0,
        "frame-threads": 1,
        "pools": threads,
        # With a pool of one the encoder would leave wavefronts out: they are in the PPS.
        "wpp": 1,
        "repeat-headers": 0,
        "aud": 0,
        "hrd": 0,
        "info": 0,
        "log-level": "none",
        "vbv-maxrate": rung.maxrate // 1000,
        "vbv-bufsize": rung.bufsize // 1000,
    }
    if effort >= 1:
        values |= {"subme": 1, "early-skip": 1, "fast-intra": 1}
    if effort >= 2:
        values |= {"subme": 0, "me": "dia", "merange": 16, "rskip": 1}
    if level is not None:
        values["level-idc"] = level
    return {
        "preset": rung.preset,
        "tune": "zerolatency",
        "profile": rung.profile,
        "forced-idr": "1",
        "x265-params": _joined(values),
    }


def _svt(rung: VideoRung, effort: int, threads: int) -> dict[str, str]:
    values = {"rc": 2, "pred-struct": 1, "rtc": 1, "scd": 0, "lp": threads, "keyint": -1}
    preset = min(13, int(rung.preset) + effort) if rung.preset.isdigit() else 12
    return {"preset": str(preset), "svtav1-params": _joined(values)}


def _nvenc(rung: VideoRung) -> dict[str, str]:
    return {
        "preset": rung.preset,
        "tune": "ull",
        "profile": rung.profile,
        "zerolatency": "1",
        "delay": "0",
        "rc": "cbr",
        "forced-idr": "1",
        "no-scenecut": "1",
        "maxrate": str(rung.maxrate),
        "bufsize": str(rung.bufsize),
    }


def _qsv(rung: VideoRung) -> dict[str, str]:
    return {
        "preset": rung.preset,
        "profile": rung.profile,
        "async_depth": "1",
        "low_delay_brc": "1",
        "forced_idr": "1",
        "maxrate": str(rung.maxrate),
        "bufsize": str(rung.bufsize),
    }
