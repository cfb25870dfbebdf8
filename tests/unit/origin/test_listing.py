"""Renditions and ladders as programs read them."""

from __future__ import annotations

from tests.live_feed import audio_track, video_track

from headwater.ingest.media import LadderState, LadderStatus, Rendition
from headwater.origin.catalog import Listed
from headwater.origin.listing import describe_ladder, describe_rendition


def test_a_rung() -> None:
    entry = Listed(Rendition("720p"), video_track(), 3_000_000, 2_500_000, True, 3_200_000)
    assert describe_rendition(entry, offered=False) == {
        "name": "720p",
        "kind": "video",
        "codec": "avc1.64001f",
        "width": 1280,
        "height": 720,
        "frame_rate": 25.0,
        "sample_rate": None,
        "channels": None,
        "language": "und",
        "bitrate": 2_500_000,
        "encoded": True,
        "offered": False,
    }


def test_what_the_publisher_sent() -> None:
    found = describe_rendition(Listed(Rendition("audio"), audio_track(), None, None, True), offered=True)
    assert (found["encoded"], found["offered"], found["bitrate"], found["channels"]) == (False, True, None, 2)


def test_a_ladder() -> None:
    assert describe_ladder(None) is None
    status = LadderStatus(LadderState.RUNNING, 3, 0.97, 0.4, "half the frame rate")
    assert describe_ladder(status) == {
        "state": "running",
        "level": 3,
        "reduced": "half the frame rate",
        "speed": 0.97,
        "lag_s": 0.4,
    }
