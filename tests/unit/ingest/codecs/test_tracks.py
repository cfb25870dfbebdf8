from __future__ import annotations

from fractions import Fraction

import pytest
from tests.codec_vectors import (
    AC3_FRAME,
    ASC_LC_8K,
    AV1C,
    AV1C_HLG,
    AVCC_HIGH,
    EAC3_FRAME,
    HVCC_MAIN,
    HVCC_MAIN10_PQ,
    OPUS_HEAD,
    STREAMINFO,
    VPCC,
)

from headwater.ingest.codecs import BadConfig, audio_track, video_track
from headwater.ingest.codecs.tracks import MAX_CONFIG
from headwater.ingest.media import MPEGTS_CLOCK, RTMP_CLOCK, VIDEO_TIMESCALE, Codec, Kind, Track, TrackId, VideoRange


def test_a_video_track() -> None:
    track = video_track(TrackId("v1"), Codec.H264, AVCC_HIGH, language="en", name="main")
    assert track == Track(
        id=TrackId("v1"),
        kind=Kind.VIDEO,
        codec=Codec.H264,
        config=AVCC_HIGH,
        codec_string="avc1.64000d",
        timescale=VIDEO_TIMESCALE,
        clock=RTMP_CLOCK,
        width=322,
        height=182,
        sample_aspect=Fraction(4, 3),
        frame_rate=Fraction(30_000, 1_001),
        language="en",
        name="main",
    )


def test_an_audio_track_counts_in_its_own_rate() -> None:
    track = audio_track(TrackId("a0"), Codec.AAC, ASC_LC_8K, clock=MPEGTS_CLOCK)
    assert track == Track(
        id=TrackId("a0"),
        kind=Kind.AUDIO,
        codec=Codec.AAC,
        config=ASC_LC_8K,
        codec_string="mp4a.40.2",
        timescale=8_000,
        clock=MPEGTS_CLOCK,
        sample_rate=8_000,
        channels=1,
        frame_samples=1_024,
    )


@pytest.mark.parametrize(
    ("codec", "config"), [(Codec.H264, AVCC_HIGH), (Codec.HEVC, HVCC_MAIN), (Codec.AV1, AV1C), (Codec.VP9, VPCC)]
)
def test_every_video_codec(codec: Codec, config: bytes) -> None:
    track = video_track(TrackId("v0"), codec, config)
    assert track.codec is codec
    assert video_track(TrackId("v0"), codec, track.config) == track


@pytest.mark.parametrize(
    ("codec", "config"),
    [(Codec.OPUS, OPUS_HEAD), (Codec.AC3, AC3_FRAME), (Codec.EAC3, EAC3_FRAME), (Codec.FLAC, STREAMINFO)],
)
def test_every_audio_codec(codec: Codec, config: bytes) -> None:
    track = audio_track(TrackId("a0"), codec, config)
    assert track.codec is codec
    assert audio_track(TrackId("a0"), codec, track.config) == track


def test_codecs_of_the_other_kind_are_refused() -> None:
    with pytest.raises(BadConfig, match="aac is no video codec"):
        video_track(TrackId("v0"), Codec.AAC, ASC_LC_8K)
    for codec in (Codec.H264, Codec.VP9):
        with pytest.raises(BadConfig, match="is no audio codec"):
            audio_track(TrackId("a0"), codec, AVCC_HIGH)


def test_an_oversized_configuration_is_refused() -> None:
    with pytest.raises(BadConfig, match="too long"):
        video_track(TrackId("v0"), Codec.AV1, AV1C + bytes(MAX_CONFIG))
    with pytest.raises(BadConfig, match="too long"):
        audio_track(TrackId("a0"), Codec.AAC, ASC_LC_8K + bytes(MAX_CONFIG))


def test_video_range_follows_the_transfer_characteristics() -> None:
    assert video_track(TrackId("v0"), Codec.HEVC, HVCC_MAIN10_PQ).video_range is VideoRange.PQ
    assert video_track(TrackId("v0"), Codec.AV1, AV1C_HLG).video_range is VideoRange.HLG
    assert video_track(TrackId("v0"), Codec.H264, AVCC_HIGH).video_range is VideoRange.SDR
    assert audio_track(TrackId("a0"), Codec.AAC, ASC_LC_8K).video_range is VideoRange.SDR
