"""Chunks, read back with an independent reader."""

from __future__ import annotations

import pytest
from tests import mp4

from headwater.origin.cmaf import MAX_SAMPLES, ChunkSample, chunk

SAMPLES = [
    ChunkSample(3_000, 0, True, b"first"),
    ChunkSample(2_999, 6_000, False, b""),
    ChunkSample(1, -3_000, False, b"third"),
]


def test_what_goes_in_comes_out() -> None:
    base = (1 << 40) + 5
    (fragment,) = mp4.fragments(chunk(9, base, SAMPLES))
    assert (fragment.sequence, fragment.tfdt, fragment.duration) == (9, base, 6_000)
    assert [(s.dts - base, s.pts - s.dts, s.duration, s.sync, s.payload) for s in fragment.samples] == [
        (0, 0, 3_000, True, b"first"),
        (3_000, 6_000, 2_999, False, b""),
        (5_999, -3_000, 1, False, b"third"),
    ]


def test_brands_tell_the_first_chunk_of_a_segment() -> None:
    assert mp4.kinds(chunk(1, 0, SAMPLES)) == ["styp", "moof", "mdat"]
    assert mp4.find(chunk(1, 0, SAMPLES), "styp") == b"cmfl\0\0\0\0iso6cmfl"
    assert mp4.find(chunk(1, 0, SAMPLES, opens_segment=True), "styp") == b"cmfs\0\0\0\0iso6cmfscmffcmfl"


def test_chunks_concatenate() -> None:
    joined = chunk(1, 0, SAMPLES, opens_segment=True) + chunk(2, 6_000, SAMPLES)
    assert [fragment.tfdt for fragment in mp4.fragments(joined)] == [0, 6_000]


def test_the_sequence_number_wraps() -> None:
    assert mp4.fragments(chunk((1 << 32) + 3, 0, SAMPLES))[0].sequence == 3


@pytest.mark.parametrize("count", [0, MAX_SAMPLES + 1])
def test_the_number_of_samples_is_bounded(count: int) -> None:
    with pytest.raises(ValueError, match="samples"):
        chunk(1, 0, [SAMPLES[0]] * count)
