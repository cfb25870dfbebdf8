"""The vocabulary of media: what makes two tracks the same, and what every event can do."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, fields, replace
from fractions import Fraction
from typing import get_args

import pytest
from tests.timeline_kit import audio, video

from headwater.ingest.media import (
    MPEGTS_CLOCK,
    RTMP_CLOCK,
    Codec,
    Cut,
    Hole,
    Kind,
    LadderState,
    LadderStatus,
    Metadata,
    MetadataKind,
    Offered,
    Planned,
    Rendition,
    Sample,
    SourceClock,
    Still,
    StreamEnded,
    StreamEvent,
    StreamStarted,
    Track,
    TrackEnded,
    TrackId,
    TrackStarted,
    VideoRange,
)

SOURCE = Rendition("source")
EVENTS: list[StreamEvent] = [
    StreamStarted(4, 520_000, 3, 120_000),
    TrackStarted(SOURCE, video(frame_rate=Fraction(30_000, 1_001)), 3_000_000, independent=True),
    TrackEnded(SOURCE),
    Sample(SOURCE, 3_000, 2_000, 3_003, False, True, b"\x00payload\xff", 12.75),
    Cut(7, 12_345, 1_700_000_000_000_000, discontinuity=True),
    Hole(SOURCE, 99),
    Metadata(MetadataKind.CUE, 90_000, b"section"),
    Planned((Rendition("720p"), Rendition("360p"))),
    Offered(SOURCE, offered=False),
    Still("image/jpeg", 90_000, b"\xff\xd8"),
    LadderStatus(LadderState.RUNNING, 1, 1.5, 0.25, "no 720p"),
    StreamEnded(),
]

OTHERWISE: dict[str, object] = {
    "id": TrackId("v1"),
    "kind": Kind.AUDIO,
    "codec": Codec.HEVC,
    "config": b"\x01",
    "codec_string": "avc1.64001f",
    "timescale": 48_000,
    "clock": MPEGTS_CLOCK,
    "width": 641,
    "height": 361,
    "sample_aspect": Fraction(4, 3),
    "frame_rate": Fraction(30),
    "video_range": VideoRange.PQ,
    "sample_rate": 48_000,
    "channels": 2,
    "frame_samples": 1_024,
    "language": "de",
    "name": "Bild",
}


def test_one_configuration_is_one_track() -> None:
    assert video() == video() and hash(video()) == hash(video())
    assert replace(video(), sample_aspect=Fraction(9, 9)) == video()
    assert OTHERWISE.keys() == {field.name for field in fields(Track)}


@pytest.mark.parametrize("field", OTHERWISE)
def test_another_value_is_another_track(field: str) -> None:
    other = replace(video(), **{field: OTHERWISE[field]})  # type: ignore[arg-type]
    assert other != video()
    assert len({other, video()}) == 2


def test_what_a_publisher_does_not_say() -> None:
    track = Track(TrackId("v0"), Kind.VIDEO, Codec.H264, b"", "avc1.42c01e", 90_000)
    assert (track.language, track.name) == ("und", "")
    assert (track.sample_aspect, track.frame_rate, track.video_range) == (Fraction(1), None, VideoRange.SDR)
    assert (track.width, track.height, track.sample_rate, track.channels, track.frame_samples) == (0, 0, 0, 0, 0)
    assert track.clock == RTMP_CLOCK


@pytest.mark.parametrize(
    ("clock", "wraps_after_s"),
    [(RTMP_CLOCK, Fraction(2**32, 1_000)), (MPEGTS_CLOCK, Fraction(2**33, 90_000))],
)
def test_clocks_are_those_of_their_protocols(clock: SourceClock, wraps_after_s: Fraction) -> None:
    """RTMP 1.0 section 3: 32 bits of milliseconds. ISO/IEC 13818-1 2.4.3.7: 33 bits at 90 kHz."""
    assert Fraction(1 << clock.bits, clock.rate) == wraps_after_s


def test_words_stand_in_playlists_and_listings_as_they_are() -> None:
    assert [f"{one}" for one in VideoRange] == ["SDR", "HLG", "PQ"]
    assert [f"{one}" for one in Kind] == ["video", "audio"]
    assert [f"{one}" for one in MetadataKind] == ["cue", "id3", "caption"]
    assert [f"{one}" for one in LadderState] == ["starting", "running", "recovering", "paused", "refused"]
    assert all(f"{codec}" == codec.name.lower() for codec in Codec)


def test_there_is_an_example_of_every_event() -> None:
    assert {type(event) for event in EVENTS} == set(get_args(StreamEvent))


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_events_are_plain_values_that_can_be_sent(event: StreamEvent) -> None:
    again = pickle.loads(pickle.dumps(event))
    assert again == event and again is not event and type(again) is type(event)


@pytest.mark.parametrize(
    "value",
    [event for event in EVENTS if not isinstance(event, Sample | StreamEnded)] + [video(), audio(), RTMP_CLOCK],
    ids=lambda value: type(value).__name__,
)
def test_what_is_shared_does_not_change(value: object) -> None:
    name = fields(value)[0].name  # type: ignore[arg-type]
    with pytest.raises(FrozenInstanceError):
        setattr(value, name, None)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Still("image/webp", 90, b"PICTURE"), "Still(content_type='image/webp', time=90)"),
        (
            Metadata(MetadataKind.ID3, 90, b"PICTURE"),
            "Metadata(kind=<MetadataKind.ID3: 'id3'>, time=90)",
        ),
    ],
)
def test_bytes_of_pictures_and_metadata_do_not_fill_a_log(value: object, text: str) -> None:
    assert repr(value) == text
