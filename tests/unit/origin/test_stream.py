"""A stream's life as events: restarts, config changes, tracks that come and go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry
from tests.live_feed import AUDIO, AVCC, EPOCH_S, SOURCE, Feed, picture, video_track

from headwater.config.settings import Origin
from headwater.ingest.media import (
    Cut,
    Hole,
    LadderState,
    LadderStatus,
    Metadata,
    MetadataKind,
    Offered,
    Planned,
    Rendition,
    Sample,
    Still,
    StreamStarted,
    TrackEnded,
    TrackStarted,
)
from headwater.origin.hls import reader
from headwater.origin.metrics import OriginMetrics
from headwater.origin.stream import LiveStream, StreamState
from headwater.origin.window import Found, Unknown

NOW = 1_000.0


class Direct:
    """A sink that is the stream itself."""

    def __init__(self, stream: LiveStream) -> None:
        self.stream = stream

    def write(self, event: object, now: float) -> None:
        self.stream.write(event, now)  # type: ignore[arg-type]


@pytest.fixture
def stream() -> LiveStream:
    return LiveStream(
        "demo",
        Origin(),
        OriginMetrics(CollectorRegistry()),
        clock=lambda: NOW,
        unix=lambda: float(EPOCH_S),
        earlier=None,
    )


@pytest.fixture
def feed(stream: LiveStream) -> Iterator[Feed]:
    yield Feed(Direct(stream), lambda: NOW)


def text(stream: LiveStream, rendition: str = "source", *, delta: bool = False) -> str:
    return stream.media_playlist(stream.renditions[rendition], delta=delta, compressed=False).data.decode()


def test_a_restart_goes_on_when_a_low_latency_player_can_start_behind_the_gap(stream: LiveStream) -> None:
    """The players of a stream that was interrupted by a restart are not made to wait for a new window."""
    start, back = EPOCH_S * 90_000, (EPOCH_S + 8) * 90_000
    stream.write(StreamStarted(4, 520_000, 5), NOW)
    stream.write(TrackStarted(SOURCE, video_track()), NOW)
    for index in range(4):
        stream.write(Cut(500 + index, start + index * 180_000, (EPOCH_S + index * 2) * 1_000_000), NOW)
    stream.write(Hole(SOURCE, back), NOW)
    stream.write(Cut(504, back, (EPOCH_S + 8) * 1_000_000, discontinuity=True), NOW)
    for frame in range(4 * 13):  # 25 fps: 13 frames fill a part of 0.52 s
        assert (stream.state is StreamState.LIVE) == (frame >= 3 * 13)
        at = back + frame * 3_600
        stream.write(Sample(SOURCE, at, at, 3_600, True, frame == 0, picture(b"x", key=frame == 0), NOW), NOW)
    playlist = reader.read(text(stream))
    assert [segment.gap for segment in playlist.segments] == [True] * 4
    assert (playlist.media_sequence, playlist.discontinuity_sequence) == (500, 5)


def test_a_changed_configuration(stream: LiveStream, feed: Feed) -> None:
    """Rules 62, 116: another init section, from the next cut on, after a discontinuity."""
    feed.start(audio=False)
    feed.until(14)
    other = replace(video_track(), config=AVCC[:-1] + b"\x01", width=640, height=360)
    stream.write(TrackStarted(SOURCE, other), NOW)
    at = EPOCH_S * 90_000 + 350 * 3_600
    stream.write(Cut(1_007, at, (EPOCH_S + 14) * 1_000_000, discontinuity=True), NOW)
    for index in range(20):
        dts = at + index * 3_600
        stream.write(Sample(SOURCE, dts, dts, 3_600, True, index == 0, picture(b"y" * 50, key=index == 0), NOW), NOW)
    playlist = reader.read(text(stream))
    assert playlist.open is not None
    assert playlist.open.discontinuity
    assert playlist.open.map != playlist.segments[-1].map
    for one in (playlist.segments[-1].map, playlist.open.map):
        assert one is not None
        assert isinstance(stream.find("source", one.uri)[1], Found)
    assert b"RESOLUTION=640x360" in stream.multivariant_playlist(compressed=False).data


def test_a_track_that_ends(stream: LiveStream, feed: Feed) -> None:
    feed.start()
    feed.until(14)
    stream.write(TrackEnded(AUDIO), NOW)
    assert stream.state is StreamState.LIVE
    assert reader.read(text(stream, "audio")).ended
    assert not reader.read(text(stream)).ended
    assert reader.read(text(stream)).reports == ()
    assert b"audio" not in stream.multivariant_playlist(compressed=False).data
    old = stream.renditions["audio"].snapshot.segments[0].uri
    feed.audio = False
    feed.until(18)
    feed.start_audio()
    feed.until(22.8)
    playlist = reader.read(text(stream, "audio"))
    assert not playlist.ended
    assert playlist.last_msn == reader.read(text(stream)).last_msn
    assert isinstance(stream.find("audio", str(old))[1], Found)


def test_reports_are_as_fresh_as_the_playlist(stream: LiveStream, feed: Feed) -> None:
    """Rule 78: whatever part was published last, in whichever rendition."""
    feed.start()
    for step in range(1_300, 1_500):
        feed.until(step / 100)
        if stream.state is not StreamState.LIVE:
            continue
        playlists = {name: reader.read(text(stream, name)) for name in ("source", "audio")}
        for name, other in (("source", "audio"), ("audio", "source")):
            (report,) = playlists[name].reports
            at = playlists[other]
            expected = (
                (at.open.msn, len(at.open.parts) - 1) if at.open else (at.last_msn, at.segments[-1].part_count - 1)
            )
            assert (report.last_msn, report.last_part) == expected


def test_a_version_is_rendered_once(stream: LiveStream, feed: Feed) -> None:
    feed.start()
    feed.until(40)
    rendition = stream.renditions["source"]
    one = stream.media_playlist(rendition, delta=False, compressed=False)
    assert stream.media_playlist(rendition, delta=False, compressed=False) is one
    packed = stream.media_playlist(rendition, delta=False, compressed=True)
    assert stream.media_playlist(rendition, delta=False, compressed=True) is packed
    feed.until(41)
    assert stream.media_playlist(rendition, delta=False, compressed=False).data != one.data


def test_captions_are_announced_when_they_were_seen(stream: LiveStream, feed: Feed) -> None:
    feed.start()
    feed.until(14)
    assert b"CLOSED-CAPTIONS=NONE" in stream.multivariant_playlist(compressed=False).data
    stream.write(Metadata(MetadataKind.CAPTION, 0), NOW)
    assert b'INSTREAM-ID="CC1"' in stream.multivariant_playlist(compressed=False).data


def test_events_out_of_place_are_harmless(stream: LiveStream) -> None:
    ghost = Rendition("ghost")
    stream.write(Sample(ghost, 0, 0, 1, True, True, b"", NOW), NOW)
    stream.write(Hole(ghost, 5), NOW)
    stream.write(TrackEnded(ghost), NOW)
    stream.write(TrackStarted(ghost, video_track()), NOW)  # before StreamStarted
    assert stream.renditions == {}
    stream.write(StreamStarted(4, 520_000, 0), NOW)
    stream.write(StreamStarted(9, 900_000, 7), NOW)
    assert stream.target_duration_s == 4
    assert stream.find("ghost", "x") == (None, Unknown())


def test_renditions_are_bounded(stream: LiveStream) -> None:
    stream.write(StreamStarted(4, 520_000, 0), NOW)
    for index in range(40):
        stream.write(TrackStarted(Rendition(f"source-{index}"), video_track()), NOW)
    assert len(stream.renditions) == 32


def test_audio_only_and_video_only(feed: Feed, stream: LiveStream) -> None:
    feed.start(audio=False)
    feed.until(14)
    assert stream.playable("") is stream.renditions["source"]
    playlist = reader.read(text(stream))
    assert playlist.reports == ()
    assert not playlist.independent_segments


def test_files_of_a_rendition_that_came_back_go_after_a_window(stream: LiveStream, feed: Feed) -> None:
    """A publisher that comes with and without its audio, for days, holds no more than a window of each."""
    now = NOW
    feed.clock = lambda: now
    feed.start()
    feed.until(14)
    name = str(stream.renditions["audio"].snapshot.segments[-1].uri)
    stream.write(TrackEnded(AUDIO), now)
    feed.audio = False
    feed.until(18)
    feed.start_audio()
    now += 62
    feed.until(22)
    assert isinstance(stream.find("audio", name)[1], Found)  # rule 20
    now += 8
    feed.until(26)
    assert not isinstance(stream.find("audio", name)[1], Found)


def test_a_rendition_and_the_one_it_replaces_have_texts_of_their_own(stream: LiveStream, feed: Feed) -> None:
    """A request that was held on the old one is answered when the new one has its name already."""
    feed.start()
    feed.until(14)
    old = stream.renditions["audio"]
    stream.write(TrackEnded(AUDIO), NOW)
    feed.audio = False
    feed.until(18)
    feed.start_audio()
    for compressed in (False, True):
        assert stream.media_playlist(old, delta=False, compressed=compressed).data
    assert not reader.read(text(stream, "audio")).ended


def test_a_late_rendition_is_in_the_texts_at_once(stream: LiveStream, feed: Feed) -> None:
    """Rules 74, 78: its playlist is served from now on, so that the others name it from now on."""
    feed.start(audio=False)
    feed.until(14)
    assert not reader.read(text(stream)).reports
    assert b"audio" not in stream.multivariant_playlist(compressed=False).data
    feed.start_audio()
    assert stream.playable("audio") is not None
    assert reader.read(text(stream)).reports
    assert b"audio" in stream.multivariant_playlist(compressed=False).data


RUNG = Rendition("480p")


def add_rung(stream: LiveStream, first: int, last: int) -> None:
    """A rung of 25 frames/s that begins with frame `first` of the source."""
    for frame in range(first, last):
        at = EPOCH_S * 90_000 + frame * 3_600
        key = frame % 50 == 0
        stream.write(Sample(RUNG, at, at, 3_600, True, key, picture(b"r", key=key), NOW), NOW)


def variants(stream: LiveStream) -> list[str]:
    text = stream.multivariant_playlist(compressed=False).data.decode()
    return [line.partition("/")[0] for line in text.splitlines() if line.endswith("index.m3u8") and line[0] != "#"]


def test_a_stream_is_not_shown_without_what_is_planned(stream: LiveStream, feed: Feed) -> None:
    """Players read the multivariant playlist once."""
    feed.start(audio=False)
    stream.write(Planned((RUNG,)), NOW)
    feed.until(20)
    assert stream.playable("") is None
    stream.write(TrackStarted(RUNG, video_track(), bitrate=1_500_000, independent=True), NOW)
    add_rung(stream, 0, 51)
    assert stream.state is StreamState.LIVE
    assert variants(stream) == ["480p", "source"]
    # It missed nothing: its segments are the stream's from the first on.
    assert reader.read(text(stream, "480p")).media_sequence == reader.read(text(stream)).media_sequence
    assert not reader.read(text(stream, "480p")).segments[0].gap


def test_a_stream_does_not_wait_for_what_is_planned_no_more(stream: LiveStream, feed: Feed) -> None:
    feed.start(audio=False)
    stream.write(Planned((RUNG,)), NOW)
    feed.until(20)
    stream.write(Planned(()), NOW)
    feed.until(22)
    assert stream.state is StreamState.LIVE
    # It comes later: what the others list already is GAP in it.
    stream.write(TrackStarted(RUNG, video_track(), bitrate=1_500_000, independent=True), NOW)
    assert variants(stream) == ["480p", "source"]
    assert all(segment.gap for segment in reader.read(text(stream, "480p")).segments)


def test_a_rung_that_is_not_offered_goes_on_but_is_not_named(stream: LiveStream, feed: Feed) -> None:
    feed.start(audio=False)
    stream.write(TrackStarted(RUNG, video_track(), bitrate=1_500_000, independent=True), NOW)
    for second in range(14):
        feed.until(second + 1)
        add_rung(stream, second * 25, second * 25 + 25)
    assert stream.state is StreamState.LIVE
    stream.write(Offered(RUNG, False), NOW)
    assert variants(stream) == ["source"]
    assert reader.read(text(stream)).reports == ()
    feed.until(20)
    stream.write(Hole(RUNG, (EPOCH_S + 18) * 90_000), NOW)
    playlist = reader.read(text(stream, "480p"))
    assert not playlist.ended
    assert playlist.last_msn >= reader.read(text(stream)).last_msn - 1
    assert [report.uri for report in playlist.reports] == ["../source/index.m3u8"]
    assert [item["offered"] for item in stream.summary()["renditions"]] == [True, False]  # type: ignore[attr-defined]
    stream.write(Offered(RUNG, True), NOW)
    assert variants(stream) == ["480p", "source"]
    assert len(reader.read(text(stream)).reports) == 1


def test_a_stream_without_any_offered_picture_is_offered_with_its_pictures(stream: LiveStream, feed: Feed) -> None:
    feed.start()
    feed.until(14)
    stream.write(Offered(SOURCE, False), NOW)
    assert variants(stream) == ["source"]


def test_segments_of_a_rung_are_independent(stream: LiveStream, feed: Feed) -> None:
    """Rule 182."""
    feed.start(audio=False)
    stream.write(TrackStarted(RUNG, video_track(), bitrate=1_500_000, independent=True), NOW)
    feed.until(14)
    add_rung(stream, 0, 350)
    assert "#EXT-X-INDEPENDENT-SEGMENTS" in text(stream, "480p")
    assert "#EXT-X-INDEPENDENT-SEGMENTS" not in text(stream)
    stream.write(Offered(SOURCE, False), NOW)
    assert b"#EXT-X-INDEPENDENT-SEGMENTS" in stream.multivariant_playlist(compressed=False).data


def test_pictures_and_the_state_of_the_ladder_are_listed(stream: LiveStream, feed: Feed) -> None:
    feed.start()
    feed.until(14)
    summary = stream.summary()
    assert (summary["thumbnail"], summary["ladder"]) == (None, None)
    stream.write(Still("image/jpeg", 0, b"picture"), NOW)
    stream.write(LadderStatus(LadderState.RUNNING, 1, 1.5, 0.1), NOW)
    summary = stream.summary()
    assert summary["thumbnail"] == "live/demo/thumb.jpg"
    assert summary["ladder"] == {"state": "running", "level": 1, "reduced": "", "speed": 1.5, "lag_s": 0.1}
