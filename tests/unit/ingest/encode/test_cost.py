"""What plans cost."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from headwater.config.settings_encode import PRESETS, Encode
from headwater.ingest.encode.cost import (
    AUDIO_CORES,
    ENCODER,
    PRESET,
    PROCESS_CORES,
    Fits,
    Measured,
    TooMuch,
    estimate,
    judge,
    weight,
)
from headwater.ingest.encode.model import AudioRung, Plan
from headwater.ingest.encode.plan import DEFAULT_PRESET, plan
from headwater.ingest.media import VIDEO_TIMESCALE, Codec, Kind, Rendition, Track, TrackId

MEASURED = Measured(decode=250, scale=600, encode={"libx264": 60})
SOURCE = Track(
    TrackId("v0"), Kind.VIDEO, Codec.H264, b"", "avc1.640028", VIDEO_TIMESCALE, width=1920, height=1080,
    frame_rate=Fraction(30),
)  # fmt: skip


def made(source: Track = SOURCE, **settings: object) -> Plan:
    asked = Encode.model_validate({"enabled": True, **settings})
    return plan(source, (), asked, frozenset(ENCODER)).plan


def test_the_parts_add_up() -> None:
    found = estimate(made(), SOURCE, MEASURED)
    megapixels = 1.92 * 1.08 * 30
    assert found.decode == pytest.approx(megapixels / 250)
    assert found.rungs[Rendition("720p")] == pytest.approx(megapixels / 600 + 1.28 * 0.72 * 30 / 60)
    assert found.cores == pytest.approx(PROCESS_CORES + found.decode + sum(found.rungs.values()))
    assert list(found.rungs) == ["720p", "480p", "360p"]


def test_twice_the_frames_cost_twice() -> None:
    fast = replace(SOURCE, frame_rate=Fraction(60))
    slow, quick = estimate(made(), SOURCE, MEASURED), estimate(made(fast), fast, MEASURED)
    assert quick.cores - PROCESS_CORES == pytest.approx(2 * (slow.cores - PROCESS_CORES))


def test_a_frame_rate_cap_halves_a_rung() -> None:
    whole = estimate(made(rungs=[{"height": 720}]), SOURCE, MEASURED)
    half = estimate(made(rungs=[{"height": 720, "fps": 15}]), SOURCE, MEASURED)
    assert half.rungs[Rendition("720p")] == pytest.approx(whole.rungs[Rendition("720p")] / 2)
    assert half.decode == whole.decode


def test_presets_and_codecs_have_their_price() -> None:
    def of(**rung: object) -> float:
        return sum(estimate(made(rungs=[{"height": 720, **rung}]), SOURCE, MEASURED).rungs.values())

    assert of(preset="superfast") < of() < of(preset="medium")
    assert of() < of(codec="av1") < of(codec="hevc")


def test_what_was_measured_counts_before_what_is_known() -> None:
    measured = replace(MEASURED, encode={"libx264": 60, "libx265": 30})
    assert measured.encoder("libx265") == 30
    assert MEASURED.encoder("libx265") == pytest.approx(60 / ENCODER["libx265"])
    assert MEASURED.encoder("h264_nvenc") > 60


def test_other_codecs_are_dearer_to_decode() -> None:
    hevc = replace(SOURCE, codec=Codec.HEVC)
    assert estimate(made(), hevc, MEASURED).decode > estimate(made(), SOURCE, MEASURED).decode


def test_audio_and_pictures() -> None:
    rung = AudioRung(Rendition("audio-64k"), Rendition("audio"), Codec.AAC, "aac", 64_000, 48_000, 2)
    only_audio = estimate(Plan(Fraction(30), None, audio=(rung,)), None, MEASURED)
    assert only_audio.cores == pytest.approx(PROCESS_CORES + AUDIO_CORES)
    empty = replace(made(), video=())
    assert estimate(empty, SOURCE, MEASURED).decode > 0  # for the pictures
    assert estimate(replace(empty, thumbnails=None), SOURCE, MEASURED).decode == 0


def test_weights_follow_effort_preset_and_rate() -> None:
    (rung,) = made(rungs=[{"height": 720}]).video
    assert weight(rung) == 1280 * 720
    assert weight(rung, 2) < weight(rung, 1) < weight(rung)
    assert weight(rung, 1) == weight(replace(rung, preset="superfast"))
    assert weight(replace(rung, divisor=2)) == weight(rung) / 2
    assert weight(replace(rung, preset="superfast")) < weight(rung)
    fastest = replace(rung, preset="ultrafast")
    assert weight(fastest, 2) == weight(fastest, 1) == weight(fastest) == weight(rung, 2)
    hevc = replace(rung, encoder="libx265", preset="ultrafast")
    assert weight(hevc, 2) == weight(hevc) > weight(replace(rung, encoder="libsvtav1", preset="11"), 1)
    slow = replace(hevc, preset="medium")
    assert weight(slow, 2) < weight(slow, 1) < weight(slow)
    own = replace(rung, preset="unknown")
    assert weight(own) == weight(rung)
    hardware = replace(rung, encoder="h264_nvenc", preset="p4")
    assert weight(hardware, 2) == weight(hardware) < weight(rung)


def test_every_preset_of_a_software_encoder_has_a_price() -> None:
    assert set(PRESET) == set(ENCODER)
    for encoder, prices in PRESET.items():
        assert tuple(prices) == PRESETS[encoder]
        assert prices[DEFAULT_PRESET[encoder]] == 1.0


def test_there_is_room() -> None:
    assert judge(0.76, cores=2, taken=0) == Fits("the ladder needs about 0.76 cores; 1.80 of 2 are free for it")
    assert isinstance(judge(0.76, cores=2, taken=1.0), Fits)


def test_there_is_no_room() -> None:
    assert judge(0.76, cores=2, taken=1.25) == TooMuch(
        "the ladder needs about 0.76 cores; 0.55 of 2 are free for it, other ladders take 1.25"
    )
    assert isinstance(judge(0.1, cores=0.5, taken=3), TooMuch)
