from __future__ import annotations

import gzip
from dataclasses import replace

import structlog
from prometheus_client import CollectorRegistry
from tests.live_feed import AUDIO, SOURCE, audio_track, picture, video_track

from headwater.config.settings import Origin
from headwater.config.stages import Stage
from headwater.ingest.media import Cut, Sample, StreamStarted, TrackStarted
from headwater.origin.conformance import Together, Violation
from headwater.origin.metrics import OriginMetrics
from headwater.origin.rendition import LiveRendition, text_body
from headwater.origin.window import MediaKind

STARTED = StreamStarted(4, 520_000, 0)


def frame(index: int, *, exact: bool, arrived: float = 5.0) -> Sample:
    dts, key = index * 3_600, index % 50 == 0
    return Sample(SOURCE, dts, dts, 3_600, exact, key, picture(b"x" * 100, key=key), arrived)


def made(frames: int) -> tuple[LiveRendition, CollectorRegistry]:
    registry = CollectorRegistry()
    metrics = OriginMetrics(registry)
    rendition = LiveRendition("demo", TrackStarted(SOURCE, video_track()), STARTED, Origin(), Together())
    rendition.segmenter.track_started(video_track(), 0.0)
    for index in range(frames):
        if index % 50 == 0:
            rendition.segmenter.cut(Cut(7 + index // 50, index * 3_600, index * 40_000), 0.0)
        rendition.segmenter.push(frame(index, exact=True), 5.0)
    rendition.take(metrics, 5.02, 5.02)
    return rendition, registry


def test_a_report_says_the_last_part() -> None:
    """Rules 76, 77."""
    assert made(0)[0].report() is None
    assert made(30)[0].report() is None
    closed = made(50)[0].report()
    assert closed is None or (closed.uri, closed.last_msn, closed.last_part) == ("../source/index.m3u8", 7, 3)
    opened = made(80)[0].report()
    assert opened is not None
    assert (opened.last_msn, opened.last_part) == (8, 1)


def test_counts_parts_and_their_latency() -> None:
    _, registry = made(80)
    labels = {"stream": "demo", "rendition": "source"}
    assert registry.get_sample_value("headwater_origin_parts_total", labels) == 6
    assert registry.get_sample_value("headwater_origin_segments_total", labels) == 1
    assert (registry.get_sample_value("headwater_origin_part_bytes_total", labels) or 0) > 6 * 1_200
    assert registry.get_sample_value("headwater_origin_part_latency_seconds_count", {"kind": "video"}) == 6
    assert (
        registry.get_sample_value("headwater_origin_part_latency_seconds_bucket", {"kind": "video", "le": "0.01"}) == 0
    )


def test_packaging_takes_from_the_last_sample_of_a_part_to_its_publication() -> None:
    registry = CollectorRegistry()
    metrics = OriginMetrics(registry)
    rendition = LiveRendition("demo", TrackStarted(SOURCE, video_track()), STARTED, Origin(), Together())
    rendition.segmenter.track_started(video_track(), 0.0)
    rendition.segmenter.cut(Cut(7, 0, 0), 0.0)
    for index in range(14):  # the last one closes the part of the thirteen before it
        now = 5.0 + index * 0.04
        rendition.segmenter.push(frame(index, exact=False, arrived=now - 0.3), now)
    rendition.take(metrics, 5.52, 5.521)
    package = metrics.stages[Stage.PACKAGE]
    assert package.count == 1
    assert abs(package.sum - (5.521 - (5.0 + 12 * 0.04))) < 1e-9
    whole = registry.get_sample_value("headwater_origin_part_latency_seconds_sum", {"kind": "video"})
    assert whole is not None and abs(whole - package.sum - 0.3) < 1e-9
    assert rendition.published == 5.521


def test_what_is_published_against_a_rule_is_counted_and_said_once_in_a_while(violations: list[Violation]) -> None:
    registry = CollectorRegistry()
    metrics = OriginMetrics(registry)
    rendition = LiveRendition("demo", TrackStarted(SOURCE, video_track()), STARTED, Origin(), Together())
    rendition.segmenter.track_started(video_track(), 0.0)
    assert registry.get_sample_value("headwater_conformance_violations_total", {"rule": "52"}) == 0
    with structlog.testing.capture_logs() as said:
        for index in range(200):
            if index % 50 == 0:
                rendition.segmenter.cut(Cut(7 + index // 50, index * 3_600, index * 40_000), 0.0)
            lie = replace(frame(index, exact=True), payload=picture(b"x", key=False))
            rendition.segmenter.push(lie, 5.0)
            rendition.take(metrics, index * 0.04, index * 0.04)
    assert registry.get_sample_value("headwater_conformance_violations_total", {"rule": "52"}) == 4
    assert registry.get_sample_value("headwater_conformance_violations_total", {"rule": "51"}) == 0
    assert [violation.rule for violation in violations] == [52] * 4
    violations.clear()
    (line,) = [line for line in said if line["log_level"] == "error"]
    assert (line["stream"], line["rendition"], line["rule"]) == ("demo", "source", 52)
    assert "p0.m4s" in line["seen"]


def test_nothing_new_is_no_publication() -> None:
    rendition, _ = made(80)
    version = rendition.version
    assert not rendition.take(OriginMetrics(CollectorRegistry()), 6.0, 6.0)
    assert rendition.version == version


def test_types() -> None:
    """Rule 154."""
    video, _ = made(0)
    audio = LiveRendition("demo", TrackStarted(AUDIO, audio_track()), STARTED, Origin(), Together())
    assert (video.mime(MediaKind.INIT), audio.mime(MediaKind.INIT)) == ("video/mp4", "audio/mp4")
    assert {one.mime(kind) for one in (video, audio) for kind in (MediaKind.PART, MediaKind.SEGMENT)} == {
        "video/iso.segment"
    }


def test_equal_texts_have_equal_bodies() -> None:
    """Rule 101."""
    one = text_body("#EXTM3U\n", "x/y", compressed=True)
    assert one == text_body("#EXTM3U\n", "x/y", compressed=True)
    assert gzip.decompress(one.data) == b"#EXTM3U\n"
    assert text_body("#EXTM3U\n", "x/y", compressed=False).etag != one.etag
