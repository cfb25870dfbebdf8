"""Renditions and ladders as `/streams.json` tells them: plain values. Sans-IO."""

from __future__ import annotations

from headwater.ingest.media import LadderStatus

from .catalog import Listed


def describe_rendition(entry: Listed, *, offered: bool) -> dict[str, object]:
    """One rendition. `offered`: the multivariant playlist names it."""
    track = entry.track
    return {
        "name": str(entry.rendition),
        "kind": str(track.kind),
        "codec": track.codec_string,
        "width": track.width or None,
        "height": track.height or None,
        "frame_rate": round(float(track.frame_rate), 3) if track.frame_rate else None,
        "sample_rate": track.sample_rate or None,
        "channels": track.channels or None,
        "language": track.language,
        "bitrate": entry.average,
        "encoded": entry.encoded,
        "offered": offered,
    }


def describe_ladder(status: LadderStatus | None) -> dict[str, object] | None:
    """How the encoder ladder does; None: the stream has none."""
    if status is None:
        return None
    return {
        "state": str(status.state),
        "level": status.level,
        "reduced": status.text,
        "speed": status.speed,
        "lag_s": status.lag_s,
    }
