from __future__ import annotations

from fractions import Fraction

import pytest

from headwater.ingest.codecs import BadConfig
from headwater.ingest.codecs.headers import check_audio, check_size, frame_rate


def test_frame_rate_is_exact_or_unknown() -> None:
    assert frame_rate(60_000, 2_002) == Fraction(30_000, 1_001)
    assert frame_rate(0, 1) is None
    assert frame_rate(1, 0) is None
    assert frame_rate(90_000, 1) is None


@pytest.mark.parametrize(("width", "height"), [(0, 1), (1, -2), (16_385, 1), (1, 1 << 30)])
def test_impossible_sizes_are_refused(width: int, height: int) -> None:
    with pytest.raises(BadConfig):
        check_size(width, height)


@pytest.mark.parametrize(("rate", "channels"), [(0, 2), (384_001, 2), (48_000, 0), (48_000, 256)])
def test_impossible_audio_is_refused(rate: int, channels: int) -> None:
    with pytest.raises(BadConfig):
        check_audio(rate, channels)
