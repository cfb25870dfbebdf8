"""What real FFmpeg publishers sent, replayed: any segmentation gives identical events."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from pathlib import Path

import pytest
from tests.rtmp_replay import replay

from headwater.ingest.media import Codec, Packet
from headwater.ingest.rtmp.events import PublishEnded, PublishRequested
from headwater.ingest.tracks import TrackConfigured, TrackRefused

CAPTURES = sorted((Path(__file__).parent.parent / "captures").glob("*.rtmp"))


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_segmentation_does_not_matter(path: Path) -> None:
    data = path.read_bytes()
    whole = replay(data, [len(data)])
    assert replay(data, [1]) == whole
    for seed in range(3):
        sizes = random.Random(seed).choices(range(1, 3000), k=500)
        assert replay(data, sizes) == whole


@pytest.mark.parametrize(
    ("name", "codecs", "packets"),
    [
        ("h264-aac", {"v0": Codec.H264, "a0": Codec.AAC}, {"v0": 50, "a0": 95}),
        ("hevc-aac", {"v0": Codec.HEVC, "a0": Codec.AAC}, {"v0": 50, "a0": 95}),
        ("av1-opus", {"v0": Codec.AV1, "a0": Codec.OPUS}, {"v0": 50, "a0": 101}),
        ("multitrack", {"v0": Codec.H264, "a0": Codec.AAC, "a1": Codec.AAC}, {"v0": 50, "a0": 95, "a1": 95}),
        ("extended-timestamps", {"v0": Codec.H264, "a0": Codec.AAC}, {"v0": 50, "a0": 95}),
        ("audio-only", {"a0": Codec.AAC}, {"a0": 95}),
    ],
)
def test_every_packet_is_there(name: str, codecs: dict[str, Codec], packets: dict[str, int]) -> None:
    path = next(path for path in CAPTURES if path.stem == name)
    events = replay(path.read_bytes(), [1460])
    assert {e.track.id: e.track.codec for e in events if isinstance(e, TrackConfigured)} == codecs
    assert Counter(e.track for e in events if isinstance(e, Packet)) == packets
    assert not any(isinstance(event, TrackRefused) for event in events)
    assert any(isinstance(event, PublishEnded) for event in events)
    assert isinstance(events[0], PublishRequested)
    assert (events[0].app, events[0].name, events[0].query) == ("live", "demo", {"key": "test-secret"})


def test_timestamps_past_24_bits_go_on() -> None:
    path = next(path for path in CAPTURES if path.stem == "extended-timestamps")
    packets = [event for event in replay(path.read_bytes(), [1460]) if isinstance(event, Packet)]
    video = [packet.dts for packet in packets if packet.track == "v0"]
    assert video[0] > 0xFFFFFF
    assert {b - a for a, b in itertools.pairwise(video)} == {40}
