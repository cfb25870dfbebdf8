"""Every codec parser on random and on damaged bytes: a value or `BadConfig`, never anything else."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import codec_vectors as vectors

from headwater.ingest.codecs import (
    BadConfig,
    audio_samples,
    audio_track,
    is_random_access,
    normalise,
    refine,
    video_track,
)
from headwater.ingest.media import Codec, Kind, Track, TrackId, VideoRange

CONFIGS = {
    Codec.H264: [vectors.AVCC_HIGH, vectors.AVCC_BASELINE, vectors.AVCC_444, vectors.AVCC_INTERLACED],
    Codec.HEVC: [vectors.HVCC_MAIN, vectors.HVCC_MAIN10_PQ, vectors.HVCC_422],
    Codec.AV1: [vectors.AV1C, vectors.AV1C_HLG],
    Codec.VP9: [vectors.VPCC, vectors.VPCC_PROFILE2],
    Codec.AAC: [vectors.ASC_LC, vectors.ASC_LC_8K, vectors.ASC_LC_51, bytes.fromhex("eb098800")],
    Codec.OPUS: [vectors.OPUS_HEAD, bytes.fromhex("000101380000bb80000000")],
    Codec.AC3: [vectors.AC3_FRAME, vectors.AC3_FRAME_MONO, bytes.fromhex("103de0")],
    Codec.EAC3: [vectors.EAC3_FRAME, bytes.fromhex("0e00200f00")],
    Codec.FLAC: [vectors.STREAMINFO, vectors.STREAMINFO_FINAL, b"fLaC\x80\x00\x00\x22" + vectors.STREAMINFO],
    Codec.MP3: [b"\xff\xfb\x90\x64", b"\xff\xf3\x40\xc4", b"\xff\xe3\x10\xc4"],
}
FRAMES = {
    Codec.H264: [b"\0\0\0\2\x09\xf0\0\0\0\2\x65\x88", b"\0\0\0\0\0\0\0\2\x41\x9a"],
    Codec.HEVC: [b"\0\0\0\3\x46\x01\x50\0\0\0\3\x28\x01\xaf"],
    Codec.AV1: [vectors.AV1_KEY_FRAME, vectors.AV1_SHOW_EXISTING],
    Codec.VP9: [vectors.VP9_KEY_FRAME, vectors.VP9_KEY_FRAME_PROFILE2, vectors.VP9_INTER_FRAME],
    Codec.OPUS: [vectors.OPUS_20MS, vectors.OPUS_60MS],
    Codec.EAC3: [vectors.EAC3_FRAME],
    Codec.FLAC: [vectors.FLAC_FRAME, vectors.FLAC_LAST_FRAME],
}
VIDEO = (Codec.H264, Codec.HEVC, Codec.AV1, Codec.VP9)
MAKERS: dict[Codec, Callable[[bytes], Track]] = {
    codec: partial(video_track, TrackId("v0"), codec) if codec in VIDEO else partial(audio_track, TrackId("a0"), codec)
    for codec in CONFIGS
}


@st.composite
def damaged(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """Random bytes, or a seed that was cut, overwritten and stretched in a few places."""
    if draw(st.integers(0, 4)) == 0:
        return draw(st.binary(max_size=64))
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(data)))
        match draw(st.integers(0, 3)):
            case 0:
                data[at : at + 1] = draw(st.binary(max_size=3))
            case 1:
                del data[at:]
            case 2:
                data[at : at + 1] = draw(st.sampled_from([b"\x00", b"\xff", b"\x80", b"\x01"]))
            case _:
                data[at:at] = data[: draw(st.integers(0, 40))]
    return bytes(data)


def check_track(track: Track) -> None:
    """What every stage behind relies on."""
    assert track.timescale > 0
    assert track.codec_string.isascii()
    assert 0 <= track.width <= 16_384 and 0 <= track.height <= 16_384
    assert track.sample_aspect > 0
    assert track.frame_rate is None or 0 < track.frame_rate <= 1_000
    if track.kind is Kind.AUDIO:
        assert track.sample_rate > 0 and track.channels > 0 and track.frame_samples >= 0
    else:
        assert track.width > 0 or track.codec in (Codec.AV1, Codec.VP9)
    assert track.video_range in VideoRange


@pytest.mark.parametrize("codec", list(CONFIGS))
def test_configurations(codec: Codec) -> None:
    @given(damaged(CONFIGS[codec]))
    def run(config: bytes) -> None:
        try:
            track = MAKERS[codec](config)
        except BadConfig:
            return
        check_track(track)
        if codec is Codec.MP3:
            assert not track.config  # it is made from a frame, of which nothing is kept
        elif config[:2] != b"\x0b\x77":
            # What goes out is canonical: reading it again changes nothing.
            assert MAKERS[codec](track.config) == track

    run()


@pytest.mark.parametrize("codec", list(FRAMES))
def test_access_units(codec: Codec) -> None:
    tracks = [MAKERS[codec](config) for config in CONFIGS[codec]]
    if codec is Codec.H264:
        tracks += [MAKERS[codec](vectors.AVCC_HIGH[:4] + size + vectors.AVCC_HIGH[5:]) for size in (b"\xfc", b"\xfd")]
    if codec is Codec.AV1:
        tracks.append(MAKERS[codec](vectors.AV1C[:4]))

    @given(st.sampled_from(tracks), damaged(FRAMES[codec]))
    def run(track: Track, payload: bytes) -> None:
        tidy = normalise(track, payload)
        assert normalise(track, tidy) is tidy
        assert len(tidy) <= len(payload)
        assert is_random_access(track, payload) in (True, False)
        if tidy:
            assert is_random_access(track, tidy) in (True, False)
        assert 0 <= audio_samples(track, payload) <= 1 << 22
        check_track(refine(track, payload))

    run()
