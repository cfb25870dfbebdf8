from __future__ import annotations

from tests.codec_vectors import AVCC_BASELINE, AVCC_HIGH

from headwater.ingest.codecs import video_track
from headwater.ingest.media import Codec, Packet, TrackId
from headwater.ingest.mpegts.limits import MAX_REFUSALS
from headwater.ingest.mpegts.output import Output, TrackOutput
from headwater.ingest.tracks import TrackConfigured, TrackRefused

V0 = TrackId("v0")


def test_refusals_are_said_once_and_bounded() -> None:
    out = Output()
    for number in range(200):
        out.refuse(V0, "dts", f"reason {number}")
        out.refuse(V0, "dts", f"reason {number}")
    assert len(out.events) == MAX_REFUSALS
    assert out.events[0] == TrackRefused(V0, "dts", "reason 0")


def test_configurations_are_said_when_they_change() -> None:
    track = TrackOutput(Output(), V0)
    for config in (AVCC_HIGH, AVCC_HIGH, AVCC_BASELINE, AVCC_HIGH):
        assert track.configure("h264", lambda config=config: video_track(V0, Codec.H264, config))  # type: ignore[misc]
    said = [event.track.config for event in track.out.events if isinstance(event, TrackConfigured)]
    assert said == [AVCC_HIGH, AVCC_BASELINE, AVCC_HIGH]
    assert not track.configure("h264", lambda: video_track(V0, Codec.H264, b""))
    assert isinstance(track.out.events[-1], TrackRefused)
    assert track.track is not None
    assert track.track.config == AVCC_HIGH


def test_times_are_wrapped() -> None:
    track = TrackOutput(Output(), V0)
    track.packet(b"x", ((1 << 33) + 5, 3_605), True, 2.0)
    assert track.out.events == [Packet(V0, 5, 40_000, True, b"x", 2.0)]
