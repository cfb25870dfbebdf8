from __future__ import annotations

import pytest
from tests.codec_vectors import (
    AC3_FRAME,
    ASC_LC,
    AV1_KEY_FRAME,
    AV1_SHOW_EXISTING,
    AV1C_HLG,
    AVCC_HIGH,
    EAC3_FRAME,
    FLAC_FRAME,
    HVCC_MAIN,
    OPUS_20MS,
    OPUS_HEAD,
    STREAMINFO,
    VP9_INTER_FRAME,
    VP9_KEY_FRAME,
    VPCC,
)

from headwater.ingest.codecs import audio_samples, audio_track, is_random_access, normalise, refine, video_track
from headwater.ingest.media import Codec, Track, TrackId


def video(codec: Codec, config: bytes) -> Track:
    return video_track(TrackId("v0"), codec, config)


def audio(codec: Codec, config: bytes) -> Track:
    return audio_track(TrackId("a0"), codec, config)


H264 = video(Codec.H264, AVCC_HIGH)
HEVC = video(Codec.HEVC, HVCC_MAIN)
AV1 = video(Codec.AV1, AV1C_HLG)
VP9 = video(Codec.VP9, VPCC)
AAC = audio(Codec.AAC, ASC_LC)


@pytest.mark.parametrize(
    ("track", "key", "other"),
    [
        (H264, b"\0\0\0\2\x09\xf0\0\0\0\2\x65\x88", b"\0\0\0\2\x41\x9a"),
        (HEVC, b"\0\0\0\3\x46\x01\x50\0\0\0\3\x28\x01\xaf", b"\0\0\0\3\x02\x01\xd0"),
        (AV1, AV1_KEY_FRAME, AV1_SHOW_EXISTING),
        (VP9, VP9_KEY_FRAME, VP9_INTER_FRAME),
    ],
)
def test_random_access_is_read_from_the_bitstream(track: Track, key: bytes, other: bytes) -> None:
    assert is_random_access(track, key)
    assert not is_random_access(track, other)
    assert not is_random_access(track, b"")


def test_every_audio_frame_is_a_random_access() -> None:
    assert is_random_access(AAC, b"\x01")


def test_the_length_size_comes_from_the_configuration() -> None:
    short = video(Codec.H264, AVCC_HIGH[:4] + b"\xfd" + AVCC_HIGH[5:])
    payload = b"\0\2\x65\x88"
    assert is_random_access(short, payload)
    assert normalise(short, payload) is payload
    assert normalise(short, b"\0\0" + payload) == payload
    assert normalise(H264, payload) == b""


def test_normalise_returns_the_same_object_when_nothing_changes() -> None:
    for track, payload in (
        (H264, b"\0\0\0\2\x65\x88"),
        (HEVC, b"\0\0\0\3\x28\x01\xaf"),
        (AV1, AV1_KEY_FRAME[2:]),
        (VP9, VP9_KEY_FRAME),
        (AAC, b"\x21"),
    ):
        assert normalise(track, payload) is payload


def test_normalise_drops_what_samples_must_not_hold() -> None:
    assert normalise(H264, bytes(4) + b"\0\0\0\2\x65\x88") == b"\0\0\0\2\x65\x88"
    assert normalise(HEVC, bytes(4)) == b""
    assert normalise(AV1, AV1_KEY_FRAME) == AV1_KEY_FRAME[2:]


@pytest.mark.parametrize(
    ("track", "payload", "samples"),
    [
        (AAC, b"\x21", 1_024),
        (audio(Codec.OPUS, OPUS_HEAD), OPUS_20MS, 960),
        (audio(Codec.AC3, AC3_FRAME), AC3_FRAME, 1_536),
        (audio(Codec.EAC3, EAC3_FRAME), EAC3_FRAME, 1_536),
        (audio(Codec.FLAC, STREAMINFO), FLAC_FRAME, 1_024),
        (audio(Codec.FLAC, STREAMINFO), b"", 0),
        (H264, b"\0\0\0\2\x65\x88", 0),
    ],
)
def test_audio_samples(track: Track, payload: bytes, samples: int) -> None:
    assert audio_samples(track, payload) == samples


def test_refine_adds_the_size_that_the_configuration_lacks() -> None:
    sized = refine(VP9, VP9_KEY_FRAME)
    assert (sized.width, sized.height) == (64, 64)
    assert refine(sized, VP9_KEY_FRAME) is sized
    assert refine(VP9, VP9_INTER_FRAME) is VP9
    bare = video(Codec.AV1, AV1C_HLG[:4])
    assert refine(bare, AV1_KEY_FRAME) == AV1
    assert refine(bare, AV1_SHOW_EXISTING) is bare
    for track in (H264, AAC):
        assert refine(track, b"\0") is track
