"""A rendition that joins a running stream has the numbers and boundaries of the others."""

from __future__ import annotations

from headwater.ingest.media import VIDEO_TIMESCALE, Codec, Cut, Kind, Rendition, Sample, StreamStarted, Track, TrackId
from headwater.origin.segmenter import Segmenter
from headwater.origin.window import Gone, Window, WindowSettings

STARTED = StreamStarted(4, 520_000, 2)
T0 = 1_700_000_000
VIDEO = Track(TrackId("v0"), Kind.VIDEO, Codec.H264, b"c", "avc1.64001f", VIDEO_TIMESCALE, width=64, height=64)
AUDIO = Track(TrackId("a0"), Kind.AUDIO, Codec.AAC, b"c", "mp4a.40.2", 48_000, sample_rate=48_000, channels=2)


class Lane:
    """One rendition: segmenter and window."""

    def __init__(self, name: str, track: Track) -> None:
        self.name = Rendition(name)
        self.track = track
        self.segmenter = Segmenter(self.name, STARTED)
        self.window = Window(self.name, STARTED, WindowSettings())
        self.segmenter.track_started(track, 0)
        self.apply(0)

    def apply(self, now: float) -> None:
        for event in self.segmenter.events():
            self.window.apply(event, now)

    def push(self, seconds: float, duration: int, *, key: bool) -> None:
        at = T0 * self.track.timescale + round(seconds * self.track.timescale)
        self.segmenter.push(Sample(self.name, at, at, duration, True, key, b"x", seconds), seconds)
        self.apply(seconds)

    def cut(self, cut: Cut) -> None:
        self.segmenter.cut(cut, 0)
        self.apply(0)


def cut_at(msn: int) -> Cut:
    seconds = (msn - 10) * 2
    return Cut(msn, (T0 + seconds) * VIDEO_TIMESCALE, (T0 + seconds) * 1_000_000, discontinuity=msn == 11)


def test_late_audio() -> None:
    video = Lane("source", VIDEO)
    audio: Lane | None = None
    for index in range(30 * 10):
        if index % 60 == 0:
            msn = 10 + index // 60
            if msn == 13:  # audio is configured in segment 12 and starts with 13
                audio = Lane("audio", AUDIO)
                audio.window.backfill(video.window.playlist(), 12, index / 30)
                audio.cut(cut_at(12))
                audio.cut(cut_at(13))
            elif audio:
                audio.cut(cut_at(msn))
            video.cut(cut_at(msn))
        video.push(index / 30, 3_000, key=index % 60 == 0)
        if audio:
            for frame in range(index * 1_600 // 1_024, (index + 1) * 1_600 // 1_024):
                if frame * 1_024 >= 6 * 48_000:
                    audio.push(frame * 1_024 / 48_000, 1_024, key=True)
    assert audio is not None
    ours, theirs = audio.window.playlist(), video.window.playlist()
    assert (ours.media_sequence, ours.last_msn) == (theirs.media_sequence, theirs.last_msn) == (10, 13)
    assert ours.discontinuity_sequence == theirs.discontinuity_sequence == 2
    assert [segment.discontinuity for segment in ours.segments] == [False, True, False, False]
    assert [segment.gap for segment in ours.segments] == [True, True, True, False]
    assert all(segment.map is not None for segment in ours.segments)  # rule 129
    assert len(ours.segments[2].parts) == 4 and all(part.gap for part in ours.segments[2].parts)
    for mine, other in zip(ours.segments, theirs.segments, strict=True):
        assert abs(mine.duration - other.duration) < 0.025
        assert mine.date_us is not None and other.date_us is not None
        assert abs(mine.date_us - other.date_us) < 25_000
        assert mine.uri is not None and (audio.window.find(mine.uri) == Gone()) is mine.gap
