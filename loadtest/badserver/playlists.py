"""The playlists of one moment: exact and conforming, except for the faults of durations and dates. Sans-IO."""

from __future__ import annotations

from headwater.origin.hls import multivariant
from headwater.origin.hls.model import (
    HintType,
    Map,
    MediaPlaylist,
    Part,
    PreloadHint,
    RenditionReport,
    Segment,
    ServerControl,
)
from headwater.origin.hls.multivariant import Media, Multivariant, Variant

from .faults import Faults, Kind
from .shape import INIT, KEPT_TARGETS, PLAYLIST, Rendition, Shape, part_name, segment_name

_AUDIO_GROUP = "sound"
_CODECS = {Rendition.HD: "avc1.64001f,mp4a.40.2", Rendition.SD: "avc1.64001e,mp4a.40.2"}
_PICTURES = {Rendition.HD: (1280, 720), Rendition.SD: (640, 360)}


def entry(shape: Shape) -> str:
    """The multivariant playlist."""
    audio = shape.bits_per_second(Rendition.AUDIO)
    variants = [
        Variant(
            f"{rendition}/{PLAYLIST}",
            bandwidth=(rate := shape.bits_per_second(rendition) + audio),
            average_bandwidth=rate,
            codecs=_CODECS[rendition],
            resolution=_PICTURES[rendition],
            frame_rate=30.0,
            audio=_AUDIO_GROUP,
            closed_captions="NONE",
        )
        for rendition in (Rendition.HD, Rendition.SD)
    ]
    media = Media("AUDIO", _AUDIO_GROUP, "Sound", f"{Rendition.AUDIO}/{PLAYLIST}", "en", "2", default=True)
    return multivariant.render(Multivariant(tuple(variants), (media,), independent_segments=True))


class Line:
    """The playlist of one rendition, part by part."""

    def __init__(self, shape: Shape, faults: Faults, rendition: Rendition) -> None:
        self._shape = shape
        self._rendition = rendition
        self._pace = faults.whole(Kind.PACE, 1.0)
        self._drift_us = round(1e3 * faults.whole(Kind.DRIFT, 0.0))
        self._segments: list[Segment] = []
        self._open: list[Part] = []
        self._map = Map(INIT)
        self._duration = self._pace * shape.part_ms / 1000

    def add(self, number: int) -> None:
        """List part `number`; the one after the last."""
        shape = self._shape
        msn, index = divmod(number, shape.parts)
        # Rules 53, 54: all audio parts start with an independent frame, of video the first of a segment.
        independent = index == 0 or self._rendition is Rendition.AUDIO
        self._open.append(Part(part_name(number), self._duration, independent))
        if index == shape.parts - 1:
            self._segments.append(self._segment(msn, segment_name(msn)))
            self._open = []
            self._trim()

    def playlist(self, last: int) -> MediaPlaylist:
        """The version whose newest part is `last`."""
        shape = self._shape
        target = max(shape.target_duration, round(self._duration * shape.parts))
        opened = self._segment((last + 1) // shape.parts, None) if self._open else None
        msn, index = divmod(last, shape.parts)
        reports = (
            RenditionReport(f"../{other}/{PLAYLIST}", msn, index) for other in Rendition if other is not self._rendition
        )
        return MediaPlaylist(
            target_duration=target,
            media_sequence=self._segments[0].msn,
            segments=tuple(self._segments),
            open=opened,
            part_target=self._duration,
            control=ServerControl(
                can_block_reload=True,
                can_skip_until=6.0 * target,
                hold_back=3.0 * target,
                part_hold_back=3.0 * self._duration,
            ),
            hints=(PreloadHint(HintType.PART, part_name(last + 1)),),
            reports=tuple(reports),
            independent_segments=True,
        )

    def _segment(self, msn: int, uri: str | None) -> Segment:
        parts = tuple(self._open)
        return Segment(
            msn, uri, self._duration * len(parts), parts, len(parts), self._map,
            date_us=1_000 * msn * self._shape.segment_ms + self._drift_us,
        )  # fmt: skip

    def _trim(self) -> None:
        """Drop the oldest segment, and the parts of the one that is old enough (rule 57)."""
        shape = self._shape
        if len(self._segments) > shape.window:
            del self._segments[0]
        kept = -(-KEPT_TARGETS * 1000 * shape.target_duration // shape.segment_ms) + 1
        if len(self._segments) > kept:
            old = self._segments[-kept - 1]
            self._segments[-kept - 1] = Segment(
                old.msn, old.uri, old.duration, (), old.part_count, old.map, date_us=old.date_us
            )
