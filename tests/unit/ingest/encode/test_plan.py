"""What sources get."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from headwater.config.settings_encode import Encode
from headwater.ingest.encode.model import Plan, Thumbnails
from headwater.ingest.encode.plan import PlanResult, plan
from headwater.ingest.media import VIDEO_TIMESCALE, Codec, Kind, Rendition, Track, TrackId, VideoRange

HERE = frozenset({"libx264", "libx265", "libsvtav1", "aac", "libopus"})


def video(width: int = 1920, height: int = 1080, rate: Fraction | None = Fraction(30), **more: Any) -> Track:
    return Track(
        TrackId("v0"), Kind.VIDEO, Codec.H264, b"", "avc1.640028", VIDEO_TIMESCALE, width=width, height=height,
        frame_rate=rate, **more,
    )  # fmt: skip


def audio(number: int = 0, codec: Codec = Codec.AAC, rate: int = 48_000, channels: int = 2) -> Track:
    return Track(
        TrackId(f"a{number}"), Kind.AUDIO, codec, b"", "", rate, sample_rate=rate, channels=channels,
        language="de", name="Ton",
    )  # fmt: skip


AAC = (Rendition("audio"), audio(), True)
MP2 = (Rendition("audio"), audio(codec=Codec.MP3), False)


def ask(source: Track | None = None, *sound: Any, encoders: frozenset[str] = HERE, **settings: Any) -> PlanResult:
    return plan(source or video(), sound, Encode.model_validate({"enabled": True, **settings}), encoders)


def test_1080p_gets_source_720p_480p_360p() -> None:
    result = ask(video(), AAC)
    made = result.plan
    assert [(rung.rendition, rung.width, rung.height, rung.bitrate) for rung in made.video] == [
        ("720p", 1280, 720, 2_800_000),
        ("480p", 854, 480, 1_450_000),
        ("360p", 640, 360, 900_000),
    ]
    top = made.video[0]
    assert (top.codec, top.encoder, top.preset, top.profile, top.divisor) == ("h264", "libx264", "veryfast", "high", 1)
    assert (top.maxrate, top.bufsize) == (3_220_000, 2_800_000)
    assert (made.grid, made.video_source, made.list_source) == (Fraction(30), Rendition("source"), True)
    assert not made.audio
    assert made.thumbnails == Thumbnails(5, 320)
    assert not result.notes


def test_portrait_counts_the_smaller_side() -> None:
    made = ask(video(1080, 1920)).plan
    assert [(rung.rendition, rung.width, rung.height) for rung in made.video] == [
        ("720p", 720, 1280),
        ("480p", 480, 854),
        ("360p", 360, 640),
    ]


def test_a_turned_picture_is_portrait() -> None:
    made = plan(video(), (), Encode(enabled=True), HERE, rotation=90).plan
    assert (made.video[0].width, made.video[0].height) == (720, 1280)


def test_a_ladder_that_is_off_is_empty() -> None:
    result = plan(video(), (AAC,), Encode(), HERE)
    assert result.plan.empty
    assert not result.notes


def test_audio_that_players_cannot_get_is_said_when_the_ladder_is_off() -> None:
    result = plan(video(), (MP2,), Encode(), HERE)
    assert result.plan.empty
    assert result.notes == (
        "audio: players cannot get mp3, so it is left out; with ingest.encode.enabled = true it would be made AAC",
    )


def test_audio_that_players_cannot_get_becomes_aac() -> None:
    result = ask(video(), MP2)
    (rung,) = result.plan.audio
    assert (rung.rendition, rung.source, rung.codec, rung.encoder) == ("audio-128k", "audio", "aac", "aac")
    assert (rung.bitrate, rung.sample_rate, rung.channels, rung.language, rung.name) == (
        128_000, 48_000, 2, "de", "Ton",
    )  # fmt: skip
    assert result.notes == ("audio: players cannot get mp3, they get audio-128k",)


def test_mono_that_players_cannot_get_has_half_the_bits() -> None:
    sound = (Rendition("audio"), audio(codec=Codec.MP3, rate=44_100, channels=1), False)
    (rung,) = ask(video(), sound).plan.audio
    assert (rung.rendition, rung.bitrate, rung.sample_rate, rung.channels) == ("audio-64k", 64_000, 44_100, 1)


def test_a_source_without_video_still_gets_audio() -> None:
    made = plan(None, (MP2,), Encode(enabled=True), HERE).plan
    assert (made.video_source, made.video, made.thumbnails) == (None, (), None)
    assert [rung.rendition for rung in made.audio] == ["audio-128k"]


def test_audio_renditions_of_every_track() -> None:
    surround = (Rendition("audio-2"), audio(1, Codec.AC3, 96_000, 6), True)
    wanted = [{"bitrate": 64_000}, {"codec": "opus", "bitrate": 96_000, "name": "music"}]
    made = ask(video(), AAC, surround, audio=wanted).plan
    assert [(rung.rendition, rung.source, rung.sample_rate, rung.channels) for rung in made.audio] == [
        ("audio-64k", "audio", 48_000, 2),
        ("music", "audio", 48_000, 2),
        ("audio-64k-2", "audio-2", 48_000, 2),
        ("music-2", "audio-2", 48_000, 2),
    ]
    assert [rung.encoder for rung in made.audio] == ["aac", "libopus", "aac", "libopus"]


def test_the_number_of_audio_renditions_is_bounded() -> None:
    tracks = [(Rendition(f"audio-{number}"), audio(number), True) for number in range(2, 9)]
    result = ask(video(), *tracks, audio=[{"bitrate": 64_000}, {"bitrate": 96_000}])
    assert len(result.plan.audio) == 8
    assert len(result.notes) == 6


@pytest.mark.parametrize(
    ("has", "most", "gets"), [(6, 6, 6), (6, 2, 2), (4, 6, 2), (8, 6, 6), (1, 2, 1), (0, 2, 2), (3, 1, 1)]
)
def test_channels_are_mono_stereo_or_surround(has: int, most: int, gets: int) -> None:
    sound = (Rendition("audio"), audio(channels=has), True)
    assert [rung.channels for rung in ask(video(), sound, audio=[{"channels": most}]).plan.audio] == [gets]


def test_opus_where_it_does_not_open_is_aac() -> None:
    wanted = [{"codec": "opus"}]
    result = ask(video(), AAC, audio=wanted, encoders=frozenset({"libx264", "aac"}))
    assert [(rung.rendition, rung.codec) for rung in result.plan.audio] == [("audio-128k-opus", "aac")]
    assert result.notes == ("audio-128k-opus: libopus does not open on this machine: AAC instead",)
    none = ask(video(), AAC, audio=wanted, encoders=frozenset({"libx264"}))
    assert not none.plan.audio
    assert none.notes == ("audio-128k-opus: left out, libopus does not open on this machine",)


def test_rungs_as_they_are_asked_for() -> None:
    wanted = {
        "name": "hd", "height": 720, "bitrate": 3_000_000, "maxrate": 4_000_000, "bufsize": 2_000_000,
        "preset": "fast", "profile": "main", "fps": 30,
    }  # fmt: skip
    made = ask(video(rate=Fraction(60)), rungs=[{"height": 360}, wanted]).plan
    assert [rung.rendition for rung in made.video] == ["hd", "360p"]
    top = made.video[0]
    assert (top.bitrate, top.maxrate, top.bufsize) == (3_000_000, 4_000_000, 2_000_000)
    assert (top.preset, top.profile, top.divisor) == ("fast", "main", 2)
    assert made.grid == 60


def test_a_bit_rate_that_is_made_is_not_above_the_maxrate_that_is_given() -> None:
    (rung,) = ask(rungs=[{"height": 720, "maxrate": 2_000_000}]).plan.video
    assert (rung.bitrate, rung.maxrate) == (2_000_000, 2_000_000)


def test_nothing_is_upscaled() -> None:
    result = ask(video(854, 480), rungs=[{"height": 1080}, {"height": 480}, {"height": 360}])
    assert [rung.rendition for rung in result.plan.video] == ["480p", "360p"]
    assert result.notes == ("1080p: left out, the source is only 854x480",)


def test_a_source_that_is_not_offered_is_replaced() -> None:
    assert [rung.rendition for rung in ask(list_source=False).plan.video] == ["1080p", "720p", "480p", "360p"]
    tiny = ask(video(64, 48), list_source=False)
    assert [(rung.rendition, rung.width, rung.height) for rung in tiny.plan.video] == [("48p", 64, 48)]
    small = ask(video(320, 180), list_source=False, rungs=[{"height": 720, "bitrate": 3_000_000}])
    assert [(rung.rendition, rung.bitrate) for rung in small.plan.video] == [("180p", 300_000)]
    assert not small.plan.list_source
    assert small.notes[-1] == "no rung fits into 320x180: one of the source's size instead"


def test_a_stream_is_never_left_without_video() -> None:
    result = ask(list_source=False, encoders=frozenset({"aac"}))
    assert not result.plan.video
    assert result.plan.list_source
    assert result.notes[-1] == "the source is offered to players all the same: there is no video rung"
    assert result.notes[0] == "1080p: left out, no encoder for h264 opens on this machine"


def test_a_source_smaller_than_every_rung() -> None:
    result = ask(video(320, 180))
    assert not result.plan.video
    assert result.notes == ("no video rungs: the source, 320x180, is as small as the lowest already",)
    assert ask(video(0, 0)).notes == ("no video rungs: the size of the source is not known",)


def test_hardware_is_used_where_it_opens() -> None:
    made = ask(encoders=HERE | {"h264_nvenc"}).plan
    assert {(rung.encoder, rung.preset) for rung in made.video} == {("h264_nvenc", "p4")}
    off = ask(encoders=HERE | {"h264_nvenc"}, hardware="off").plan
    assert {rung.encoder for rung in off.video} == {"libx264"}


def test_an_encoder_that_does_not_open_is_replaced_and_that_is_said() -> None:
    result = ask(rungs=[{"height": 720, "encoder": "h264_nvenc", "preset": "p7"}])
    (rung,) = result.plan.video
    assert (rung.encoder, rung.preset) == ("libx264", "veryfast")
    assert result.notes == (
        "720p: h264_nvenc does not open on this machine: libx264 instead",
        "720p: libx264 has no preset p7: veryfast",
    )


def test_hardware_that_is_asked_for_and_switched_off() -> None:
    wanted = [{"height": 720, "encoder": "h264_qsv"}]
    result = ask(rungs=wanted, encoders=HERE | {"h264_qsv"}, hardware="off")
    assert result.notes == ("720p: h264_qsv is switched off: libx264 instead",)


@pytest.mark.parametrize(
    ("codec", "encoder", "preset", "bitrate"),
    [("hevc", "libx265", "ultrafast", 2_100_000), ("av1", "libsvtav1", "11", 1_800_000)],
)
def test_other_codecs(codec: str, encoder: str, preset: str, bitrate: int) -> None:
    (rung,) = ask(rungs=[{"height": 720, "codec": codec}]).plan.video
    assert (rung.rendition, rung.encoder, rung.preset) == (f"720p-{codec}", encoder, preset)
    assert (rung.profile, rung.bitrate) == ("main", bitrate)


def test_a_codec_without_encoder_becomes_h264() -> None:
    result = ask(rungs=[{"height": 720, "codec": "av1", "preset": "9"}], encoders=frozenset({"libx264"}))
    (rung,) = result.plan.video
    assert (rung.codec, rung.encoder, rung.preset, rung.profile) == ("h264", "libx264", "veryfast", "high")
    assert result.notes[0] == "720p-av1: no encoder for av1 opens on this machine: H.264 by libx264 instead"


def test_what_is_said_of_the_source() -> None:
    assert ask(video(rate=None)).notes == (
        "the frame rate of the source is not known: the ladder has 30 frames per second",
    )
    fast = ask(video(rate=Fraction(120)))
    assert fast.plan.grid == 60
    assert fast.notes == ("the source has 120 frames per second: the ladder has 60 frames per second",)
    assert ask(video(video_range=VideoRange.PQ)).notes == (
        "the source is PQ: the rungs have 8 bits and are not tone-mapped",
    )


def test_the_source_is_called_as_the_timeline_calls_it() -> None:
    second = Track(TrackId("v1"), Kind.VIDEO, Codec.H264, b"", "avc1.640028", VIDEO_TIMESCALE, width=1280, height=720)
    assert plan(second, (), Encode(enabled=True), HERE).plan.video_source == "source-2"


def test_no_pictures_when_they_are_switched_off() -> None:
    assert ask(thumbnails={"interval_s": 0}).plan.thumbnails is None
    assert ask(thumbnails={"width": 0}).plan.thumbnails is None
    assert ask(video(320, 180), thumbnails={"interval_s": 0}).plan == Plan(Fraction(30), Rendition("source"))
