"""Playlists for tests of `origin.hls`."""

from __future__ import annotations

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

DATE_US = 1_763_637_369_123_000
OLD, NEW = Map("init-old.mp4"), Map("init-new.mp4")


def live(first: int = 100, count: int = 30, open_parts: int = 2, *, new_map_at: int = 110) -> MediaPlaylist:
    """Segments of 2 s in parts of 0.52 s; from `new_map_at` on another init section after a discontinuity."""
    segments = tuple(
        segment(msn, parts=msn >= first + count - 7, new_map_at=new_map_at) for msn in range(first, first + count)
    )
    msn = first + count
    start = segment(msn, parts=True, new_map_at=new_map_at)
    opened = Segment(
        msn, None, round(0.52 * open_parts, 6), start.parts[:open_parts], open_parts, start.map, date_us=start.date_us,
        discontinuity=start.discontinuity,
    )  # fmt: skip
    return MediaPlaylist(
        target_duration=4,
        media_sequence=first,
        discontinuity_sequence=3 + (first > new_map_at),
        segments=segments,
        open=opened if open_parts else None,
        part_target=0.52,
        control=ServerControl(True, 24.0, False, 12.0, 1.56),
        hints=(PreloadHint(HintType.PART, f"p{msn}{open_parts}.m4s"),),
        reports=(RenditionReport("../audio/index.m3u8", msn, max(0, open_parts - 1)),),
    )


def segment(msn: int, *, parts: bool, new_map_at: int) -> Segment:
    durations = (0.52, 0.52, 0.52, 0.44)
    tags = tuple(Part(f"p{msn}{index}.m4s", duration, index == 0) for index, duration in enumerate(durations))
    return Segment(
        msn, f"s{msn}.m4s", 2.0, tags if parts else (), 4, OLD if msn < new_map_at else NEW,
        discontinuity=msn == new_map_at, date_us=DATE_US + msn * 2_000_000,
    )  # fmt: skip
