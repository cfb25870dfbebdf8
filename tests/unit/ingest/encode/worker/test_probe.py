"""The probe, in this process: real encoders."""

from __future__ import annotations

import pytest

from headwater.config.settings_encode import HARDWARE, SOFTWARE
from headwater.ingest.encode.plan import AUDIO_ENCODER, DEFAULT_PRESET
from headwater.ingest.encode.worker import probe


def test_it_knows_every_encoder_that_a_plan_can_name() -> None:
    assert set(probe.VIDEO) == set(SOFTWARE.values())
    assert set(probe.IN_HARDWARE) == {name for names in HARDWARE.values() for name in names}
    assert set(probe.AUDIO) == set(AUDIO_ENCODER.values())


def test_it_measures_the_default_presets() -> None:
    assert {name: options["preset"] for name, options in probe.MEASURED_OPTIONS.items()} == {
        name: DEFAULT_PRESET[name] for name in probe.MEASURED_OPTIONS
    }


def test_every_encoder_is_told_and_the_last_line_says_so() -> None:
    lines: list[dict[str, object]] = []
    probe.run((), lines.append)
    told = {str(line.get("opens") or line.get("refused")) for line in lines if {"opens", "refused"} & line.keys()}
    assert told == {*probe.VIDEO, *probe.AUDIO, *probe.STILLS, *probe.IN_HARDWARE}
    assert all(line["reason"] for line in lines if "refused" in line)
    assert lines[-1] == {"done": True}
    (rate,) = [line["rate"] for line in lines if line.get("encode") == "libx264"]
    assert isinstance(rate, float)
    assert rate > 1


def test_what_is_encoded_can_be_decoded() -> None:
    pictures = probe.noisy(3)
    packets = probe.encode_video("libx264", pictures, probe.MEASURED_OPTIONS["libx264"])
    assert probe.decode(packets) == 3


def test_an_encoder_that_is_not_there() -> None:
    with pytest.raises(Exception, match="libnothing"):
        probe.encode_video("libnothing", probe.noisy(1), {})
