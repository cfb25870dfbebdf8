"""Variants: who takes which."""

from __future__ import annotations

import pytest

from headwater.loadtest.players.address import address
from headwater.loadtest.players.ladder import DEFAULT_BPS, Bandwidth, Ladder
from headwater.loadtest.records import Abr, ViewerClass
from headwater.origin.hls import multivariant
from headwater.origin.hls.attributes import PlaylistError

TEXT = """#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="inside"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="b",NAME="other",URI="other.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="b",NAME="main",DEFAULT=YES,AUTOSELECT=YES,URI="main.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=2000000,RESOLUTION=1280x720,AUDIO="b"
mid/index.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=5000000,RESOLUTION=1920x1080,AUDIO="b",NAME="best"
high/index.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=500000,AUDIO="a"
low.m3u8
"""
LADDER = Ladder(address("http://h/live/index.m3u8"), multivariant.read(TEXT))
MID, HIGH, LOW = LADDER.choices


@pytest.mark.parametrize(
    ("abr", "variant", "number"),
    [
        (Abr.TOP, None, 1),
        (Abr.LOWEST, None, 2),
        (Abr.THROUGHPUT, None, 0),
        (Abr.FIXED, None, 0),
        (Abr.FIXED, "1080p", 1),
        (Abr.FIXED, "720", 0),
        (Abr.FIXED, "best", 1),
        (Abr.FIXED, "low", 2),
        (Abr.FIXED, "2", 2),
        (Abr.FIXED, "high", 1),
    ],
)
def test_the_first_choice(abr: Abr, variant: str | None, number: int) -> None:
    assert LADDER.first(ViewerClass(abr=abr, variant=variant)).number == number


def test_a_variant_that_is_not_there() -> None:
    with pytest.raises(PlaylistError, match="no variant '4k'"):
        LADDER.first(ViewerClass(abr=Abr.FIXED, variant="4k"))


def test_audio_is_the_default_of_the_group() -> None:
    assert HIGH.audio is not None
    assert HIGH.audio.target == b"/live/main.m3u8"
    assert LOW.audio is None, "inside the variant"


def test_a_playlist_without_variants_is_refused() -> None:
    with pytest.raises(PlaylistError):
        Ladder(address("http://h/"), multivariant.read("#EXTM3U\n"))


@pytest.mark.parametrize(
    ("mbps", "now", "number"),
    [
        (2.5, MID, 0),
        (2.15, MID, 0),
        (2.05, MID, 2),
        (7.0, MID, 0),
        (7.2, MID, 1),
        (5.3, HIGH, 1),
        (0.1, HIGH, 2),
        (2.5, LOW, 2),
    ],
)
def test_fitting(mbps: float, now: object, number: int) -> None:
    choice = next(choice for choice in LADDER.choices if choice is now)
    assert LADDER.fitting(mbps * 1e6, choice).number == number


def test_the_estimate() -> None:
    bandwidth = Bandwidth()
    assert bandwidth.bps == DEFAULT_BPS
    for _ in range(10):
        bandwidth.sample(1.0, 125_000)
    assert bandwidth.bps == pytest.approx(1e6)
    for _ in range(3):
        bandwidth.sample(1.0, 12_500)
    assert 0.1e6 < bandwidth.bps < 0.6e6, "falls fast"
    low = bandwidth.bps
    for _ in range(3):
        bandwidth.sample(1.0, 125_000)
    assert low < bandwidth.bps < 0.8e6, "rises slowly"


def test_very_short_downloads_say_little() -> None:
    bandwidth = Bandwidth()
    bandwidth.sample(0.0, 12_500)
    assert bandwidth.bps == pytest.approx(2e6)
