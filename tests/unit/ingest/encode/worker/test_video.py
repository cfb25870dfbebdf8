"""Encoders: each frame's packet at once, IDRs where asked and nowhere else, a configuration that stays."""

from __future__ import annotations

import dataclasses
import itertools
import os
from fractions import Fraction

import pytest
from av.video.frame import PictureType, VideoFrame
from tests.worker_kit import START, check_samples, decoded, rung, video

from headwater.ingest.codecs import annexb, is_random_access
from headwater.ingest.encode.grid import Take
from headwater.ingest.encode.model import VideoRung
from headwater.ingest.encode.worker.options import X26X_PRESETS, video_options
from headwater.ingest.encode.worker.picture import Shaper
from headwater.ingest.encode.worker.video import Colour, NoEncoder, VideoEncoder
from headwater.ingest.media import Codec, Rendition, Sample

os.environ["SVT_LOG"] = "1"

FPS = Fraction(30)
H264 = rung(90, 160)
HEVC = VideoRung(
    Rendition("h"), Codec.HEVC, "libx265", 256, 144, 200_000, 230_000, 200_000, preset="ultrafast", profile="main"
)
AV1 = VideoRung(
    Rendition("a"), Codec.AV1, "libsvtav1", 256, 144, 200_000, 230_000, 200_000, preset="12", profile="main"
)
every_encoder = pytest.mark.parametrize("made", [H264, HEVC, AV1], ids=["x264", "x265", "svtav1"])


def take(number: int, *, idr: bool = False) -> Take:
    return Take(START + 3_000 * number, START + 3_000 * number, 3_000, idr)


def pictures(made: VideoRung) -> list[VideoFrame]:
    """Decoded, so with the picture types of a source that has a keyframe every five frames."""
    clip = video(options="-c:v libx264 -preset ultrafast -g 5 -bf 0", seconds=0.5)
    shaper = Shaper(made.width, made.height, "yuv420p")
    frames = decoded(clip.track, clip.samples)
    assert [frame.pict_type == PictureType.I for frame in frames[:6]] == [True, False, False, False, False, True]
    return [shaper.shape(frame, Fraction(1), Colour()) for frame in frames]


def encode(encoder: VideoEncoder, made: VideoRung, idrs: set[int]) -> list[Sample]:
    samples = []
    for number, picture in enumerate(pictures(made)):
        (sample,) = encoder.encode(picture, take(number, idr=number in idrs), 1.5)
        assert sample.pts == START + 3_000 * number
        samples.append(sample)
    assert encoder.close() == []
    return samples


@every_encoder
def test_idrs_only_where_asked_and_nothing_is_held(made: VideoRung) -> None:
    encoder = VideoEncoder(made, FPS, Colour())
    samples = encode(encoder, made, {0, 3, 11})
    check_samples(samples)
    assert {n for n, sample in enumerate(samples) if sample.independent} == {0, 3, 11}
    assert {n for n, sample in enumerate(samples) if is_random_access(encoder.track, sample.payload)} == {0, 3, 11}
    assert {sample.arrived for sample in samples} == {1.5}
    frames = decoded(encoder.track, samples)
    assert len(frames) == 15 and (frames[0].width, frames[0].height) == (made.width, made.height)
    # And from an IDR in the middle.
    assert len(decoded(encoder.track, samples[11:])) == 4


@pytest.mark.parametrize("made", [H264, HEVC], ids=["x264", "x265"])
def test_samples_are_length_prefixed_and_hold_no_parameter_sets(made: VideoRung) -> None:
    encoder = VideoEncoder(made, FPS, Colour())
    for sample in encode(encoder, made, {0, 7}):
        at, units = 0, []
        while at < len(sample.payload):
            length = int.from_bytes(sample.payload[at : at + 4])
            units.append(sample.payload[at + 4 : at + 4 + length])
            at += 4 + length
        assert at == len(sample.payload) and units == annexb.media_units(made.codec, units)
    assert encoder.track.frame_rate == FPS


@pytest.mark.parametrize(("preset", "profile"), list(itertools.product(X26X_PRESETS[:6], ("baseline", "main", "high"))))
def test_effort_changes_no_byte_of_the_configuration(preset: str, profile: str) -> None:
    made = rung(180, 320, preset=preset, profile=profile)
    own = VideoEncoder(made, FPS, Colour(1, 1, 1))
    for effort, slow in ((1, 1), (2, 1), (2, 2), (0, 2)):
        other = VideoEncoder(made, FPS, Colour(1, 1, 1), effort=effort, slow=slow, level=own.level)
        assert other.track.config == own.track.config, (effort, slow)
        other.close()
    own.close()


@pytest.mark.parametrize("made", [HEVC, AV1], ids=["x265", "svtav1"])
def test_nor_do_other_encoders(made: VideoRung) -> None:
    own = VideoEncoder(made, FPS, Colour())
    other = VideoEncoder(made, FPS, Colour(), effort=2, slow=2, level=own.level)
    assert other.track == own.track
    own.close()
    other.close()


def test_samples_of_two_efforts_decode_as_one_stream() -> None:
    made = rung(90, 160, preset="medium")
    first = VideoEncoder(made, FPS, Colour())
    second = VideoEncoder(made, FPS, Colour(), effort=2, level=first.level)
    samples = encode(first, made, {0})
    after = [dataclasses.replace(s, dts=s.dts + 45_000, pts=s.pts + 45_000) for s in encode(second, made, {0})]
    assert len(decoded(first.track, samples + after)) == 30


def test_colours_and_level_are_in_the_configuration() -> None:
    plain, tagged = VideoEncoder(H264, FPS, Colour()), VideoEncoder(H264, FPS, Colour(9, 18, 9))
    assert str(tagged.track.video_range) == "HLG" and str(plain.track.video_range) == "SDR"
    higher = VideoEncoder(H264, FPS, Colour(), level="3.1")
    assert (plain.level, higher.level) == ("1.1", "3.1")
    for encoder in (plain, tagged, higher):
        encoder.close()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"encoder": "libx266"}, "libx266 does not open"),
        ({"encoder": "h264_nvenc", "preset": "p4"}, "h264_nvenc does not open"),
        ({"profile": "no-such"}, "does not open"),
        ({"width": 161}, "does not open|instead of"),
    ],
)
def test_what_does_not_open_is_told(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(NoEncoder, match=reason):
        VideoEncoder(dataclasses.replace(H264, **changes), FPS, Colour())  # type: ignore[arg-type]


def test_an_option_that_the_encoder_does_not_know_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    options = video_options(H264, 0, 1, None)
    monkeypatch.setattr(
        "headwater.ingest.encode.worker.video.video_options", lambda *_: {**options, "forced-idrs": "1"}
    )
    with pytest.raises(NoEncoder, match="does not know forced-idrs"):
        VideoEncoder(H264, FPS, Colour())


def test_half_the_frames_have_the_same_bits_per_second() -> None:
    made = rung(180, 320, bitrate=400_000, maxrate=400_000, bufsize=200_000)
    sizes = {}
    clip = video("testsrc2=size=320x180:rate=30,noise=alls=6:allf=t", seconds=2.0)
    frames = decoded(clip.track, clip.samples)
    for slow in (1, 2):
        encoder = VideoEncoder(made, FPS, Colour(), slow=slow)
        shown = frames[::slow]
        sizes[slow] = sum(
            len(sample.payload)
            for number, frame in enumerate(shown)
            for sample in encoder.encode(frame, take(number, idr=number == 0), 0.0)
        )
        encoder.close()
    assert 0.85 < sizes[2] / sizes[1] < 1.15
