"""Audio rungs: where each sample stands against its source, whatever the source is."""

from __future__ import annotations

import functools
import math
from array import array
from collections.abc import Callable
from fractions import Fraction

import pytest
from av.audio.frame import AudioFrame
from tests.worker_kit import audio_rung, check_samples, heard

from headwater.ingest.encode.worker.sound import SoundEncoder
from headwater.ingest.encode.worker.video import NoEncoder
from headwater.ingest.media import Codec, Sample

SECOND = 1_700_000_000
"""Where sources start, seconds of stream time."""
OPUS = audio_rung(codec=Codec.OPUS, encoder="libopus")


@functools.cache
def _wave(rate: int) -> list[float]:
    """440 Hz, as many samples as it takes to begin again."""
    return [math.sin(2 * math.pi * 440 * n / rate) for n in range(rate // math.gcd(440, rate))]


def tone(
    first: int, samples: int, rate: int, layout: str = "stereo", loud: Callable[[int], float] | None = None
) -> AudioFrame:
    """Decoded sound from sample number `first` on."""
    frame = AudioFrame("fltp", layout, samples)
    loud = loud or (lambda number: 0.25)
    wave = _wave(rate)
    values = [loud(number) * wave[number % len(wave)] for number in range(first, first + samples)]
    for plane in frame.planes:
        plane.update(array("f", values).tobytes())
    frame.sample_rate = rate
    return frame


def fed(
    encoder: SoundEncoder,
    rate: int,
    pts_of: Callable[[int], int],
    count: int,
    *,
    size: int = 1024,
    layout: str = "stereo",
    loud: Callable[[int], float] | None = None,
    timescale: int | None = None,
) -> list[Sample]:
    out = []
    for number in range(count):
        frame = tone(number * size, size, rate, layout, loud)
        out += encoder.encode(frame, pts_of(number), timescale or rate, 1.0)
    return out


def onset(encoder: SoundEncoder, samples: list[Sample], level: float = 0.05) -> Fraction:
    """When the first loud sample is heard, seconds of stream time."""
    for frame in heard(encoder.track, samples):
        values = array("f")
        values.frombytes(bytes(frame.planes[0]))
        step = 1 if frame.format.is_planar else len(frame.layout.channels)
        values = values[: frame.samples * step : step]
        if max(map(abs, values)) > level:
            assert frame.pts is not None
            first = next(number for number, value in enumerate(values) if abs(value) > level)
            return Fraction(frame.pts + first, frame.sample_rate)
    raise AssertionError("silence")


every_codec = pytest.mark.parametrize("rung", [audio_rung(), OPUS], ids=["aac", "opus"])
every_source = pytest.mark.parametrize(
    ("rate", "layout", "size"),
    [
        (48_000, "stereo", 1024),
        (44_100, "stereo", 1024),
        (8_000, "mono", 1024),
        (48_000, "5.1", 1536),
        (32_000, "mono", 1152),
    ],
    ids=["48k", "44.1k", "8k mono", "5.1", "32k mono"],
)


@every_codec
@every_source
def test_every_source_keeps_its_time(rung: object, rate: int, layout: str, size: int) -> None:
    """A tone that starts 0.4 s after the source is heard there."""
    encoder = SoundEncoder(rung)  # type: ignore[arg-type]
    begin = SECOND * rate + 777
    count = 2 * rate // size
    start = int(0.4 * rate)
    samples = fed(
        encoder, rate, lambda n: begin + n * size, count, size=size, layout=layout, loud=lambda n: 0.5 * (n >= start)
    )
    samples += encoder.finish()
    check_samples(samples)
    frame = 1024 if encoder.rung.codec is Codec.AAC else 960
    assert {sample.duration for sample in samples} == {frame}
    length = Fraction(samples[-1].pts + frame - samples[0].pts, 48_000)
    assert abs(length - Fraction(count * size, rate)) < Fraction(3 * frame, 48_000)
    late = onset(encoder, samples) - (SECOND + Fraction(777 + start, rate))
    assert abs(late) < Fraction(12, 1_000), float(late)


def test_sound_of_twice_the_rate_that_the_configuration_says() -> None:
    """HE-AAC whose configuration does not tell of SBR: ticks of 24 kHz, frames of 2048 samples at 48 kHz."""
    encoder = SoundEncoder(audio_rung())
    begin = SECOND * 24_000
    samples = fed(encoder, 48_000, lambda n: begin + n * 1024, 40, size=2_048, timescale=24_000) + encoder.finish()
    check_samples(samples)
    assert samples[0].pts == SECOND * 48_000
    assert 40 * 2_048 <= len(samples) * 1_024 <= 41 * 2_048


def test_frames_stand_at_the_same_places_whenever_a_worker_starts() -> None:
    starts = []
    for shift in (0, 100, 333, 1_023):
        encoder = SoundEncoder(audio_rung())
        samples = fed(encoder, 48_000, lambda n, shift=shift: SECOND * 48_000 + shift + 1024 * n, 5)  # type: ignore[misc]
        starts.append(samples[0].pts)
        assert samples[0].pts >= SECOND * 48_000 + shift
        encoder.finish()
    assert {start % 1024 for start in starts} == {0}


@pytest.mark.parametrize("ppm", [-3_000, 3_000])
def test_a_clock_that_is_off_is_followed_without_end(ppm: int) -> None:
    """60 ms of drift without it."""
    encoder = SoundEncoder(audio_rung(bitrate=32_000))
    begin = SECOND * 48_000
    written = 0

    def pts(number: int) -> int:
        return begin + round(number * 4_096 * (1 + ppm / 1_000_000))

    frame = tone(0, 4_096, 48_000)
    samples: list[Sample] = []
    for number in range(20 * 48_000 // 4_096):
        samples += encoder.encode(frame, pts(number), 48_000, 0.0)
        written = pts(number) + 4_096
    check_samples(samples)
    behind = written - (samples[-1].pts + 1024)
    # What is held: a frame in the encoder, one in parts, and at most 25 ms that are being made up for.
    assert 0 <= behind < 2 * 1024 + 4_096
    encoder.finish()


@pytest.mark.parametrize("gap", [1_024, 4_800, 20_000])
def test_gaps_become_silence_and_what_follows_is_in_time(gap: int) -> None:
    encoder = SoundEncoder(audio_rung())
    begin = SECOND * 48_000

    def pts(number: int) -> int:
        return begin + number * 1024 + (gap if number >= 20 else 0)

    # Silence, and the tone from packet 30 on, that is after the gap.
    samples = fed(encoder, 48_000, pts, 60, loud=lambda n: 0.5 * (n >= 30 * 1024)) + encoder.finish()
    check_samples(samples)
    late = onset(encoder, samples) - Fraction(pts(30), 48_000)
    assert abs(late) < Fraction(12, 1_000), float(late)


def test_overlaps_are_dropped() -> None:
    encoder = SoundEncoder(audio_rung())
    begin = SECOND * 48_000
    samples = fed(encoder, 48_000, lambda n: begin + n * 1024 - (4_800 if n >= 20 else 0), 60) + encoder.finish()
    check_samples(samples)
    assert abs(samples[-1].pts + 1024 - (begin + 60 * 1024 - 4_800)) <= 2 * 1024


def test_another_format_in_the_middle_goes_on_without_a_gap() -> None:
    encoder = SoundEncoder(audio_rung())
    samples = []
    at = Fraction(SECOND)
    for rate, layout, size in (
        (48_000, "stereo", 1024),
        (44_100, "stereo", 1024),
        (48_000, "5.1", 1536),
        (8_000, "mono", 512),
    ):
        for number in range(20):
            samples += encoder.encode(tone(number * size, size, rate, layout), round(at * rate), rate, 0.0)
            at += Fraction(size, rate)
    samples += encoder.finish()
    check_samples(samples)
    assert abs(Fraction(samples[-1].pts + 1024, 48_000) - at) < Fraction(3 * 1024, 48_000)
    heard(encoder.track, samples)


def test_after_a_finish_it_starts_anew_with_the_same_configuration() -> None:
    encoder = SoundEncoder(audio_rung())
    begin = SECOND * 48_000
    first = fed(encoder, 48_000, lambda n: begin + 1024 * n, 10) + encoder.finish()
    track = encoder.track
    second = fed(encoder, 48_000, lambda n: begin + 480_000 + 1024 * n, 10) + encoder.finish()
    assert encoder.track is track and encoder.finish() == []
    check_samples(first)
    check_samples(second)
    assert second[0].pts - (begin + 480_000) in range(1024)
    assert len(second) == len(first)


def test_the_track_is_what_was_asked_for() -> None:
    made = SoundEncoder(audio_rung(language="de", name="Ton", channels=1)).track
    assert (made.codec_string, made.timescale, made.channels, made.language, made.name) == (
        "mp4a.40.2", 48_000, 1, "de", "Ton",
    )  # fmt: skip
    opus = SoundEncoder(OPUS).track
    assert (opus.codec_string, opus.timescale, opus.channels) == ("opus", 48_000, 2)


@pytest.mark.parametrize("changes", [{"encoder": "libfdk_aac"}, {"sample_rate": 7}, {"channels": 11}])
def test_what_does_not_open_is_told(changes: dict[str, object]) -> None:
    with pytest.raises(NoEncoder, match="does not open"):
        SoundEncoder(audio_rung(**changes))
