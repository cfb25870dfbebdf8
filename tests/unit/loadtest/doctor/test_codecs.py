"""Codec strings against those that the server's own readers make of the same configurations."""

from __future__ import annotations

import pytest
from tests import codec_vectors as vectors

from headwater.ingest.codecs.tracks import audio_track, video_track
from headwater.ingest.media import Codec, Track, TrackId
from headwater.loadtest.doctor import mp4
from headwater.loadtest.doctor.codecs import family
from headwater.origin.cmaf.init import init_segment

VIDEO = [
    (Codec.H264, vectors.AVCC_HIGH), (Codec.H264, vectors.AVCC_BASELINE), (Codec.HEVC, vectors.HVCC_MAIN),
    (Codec.HEVC, vectors.HVCC_MAIN10_PQ), (Codec.HEVC, vectors.HVCC_422), (Codec.AV1, vectors.AV1C),
    (Codec.AV1, vectors.AV1C_HLG), (Codec.VP9, vectors.VPCC),
]  # fmt: skip
AUDIO = [
    (Codec.AAC, bytes.fromhex("1190")), (Codec.OPUS, vectors.OPUS_HEAD), (Codec.AC3, vectors.AC3_FRAME),
    (Codec.EAC3, vectors.EAC3_FRAME), (Codec.FLAC, vectors.STREAMINFO),
]  # fmt: skip


def check(track: Track) -> None:
    init = mp4.init(init_segment(track))
    assert init is not None
    assert init.problems == ()
    (look,) = init.tracks
    said, real = track.codec_string.lower().split("."), look.codec.lower().split(".")
    assert said[: len(real)] == real or real[: len(said)] == said
    assert look.timescale == track.timescale


@pytest.mark.parametrize(("codec", "config"), VIDEO)
def test_video(codec: Codec, config: bytes) -> None:
    check(video_track(TrackId("v0"), codec, config))


@pytest.mark.parametrize(("codec", "config"), AUDIO)
def test_audio(codec: Codec, config: bytes) -> None:
    check(audio_track(TrackId("a0"), codec, config))


def test_families() -> None:
    assert family("avc3.64001f") == family("avc1.42c01e") == "avc1"
    assert family("hev1.1.6.L93") == "hvc1"
    assert family("mp4a.40.2") == family("mp4a.40.5")
