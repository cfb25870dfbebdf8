"""What tracks a media file has, as a publisher of it would send them: for `headwater config check --source FILE`."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av

from headwater.ingest.media import VIDEO_TIMESCALE, Codec, Kind, Track, TrackId


class LookError(Exception):
    """The file cannot be read, or has no track of a known codec; `str()` says which."""


def tracks(file: Path) -> tuple[tuple[Track, ...], int]:
    """The tracks of `file`, and the degrees by which its pictures are to be turned. Raises LookError."""
    found: list[Track] = []
    rotation = 0
    try:
        with av.open(str(file)) as container:
            for number, stream in enumerate(container.streams.video):
                context = stream.codec_context
                found.append(
                    Track(
                        TrackId(f"v{number}"),
                        Kind.VIDEO,
                        _codec(context.name),
                        b"",
                        "",
                        VIDEO_TIMESCALE,
                        width=context.width,
                        height=context.height,
                        sample_aspect=Fraction(context.sample_aspect_ratio or 1),
                        frame_rate=stream.average_rate,
                    )
                )
            for number, sound in enumerate(container.streams.audio):
                rate, channels = sound.codec_context.sample_rate, sound.codec_context.channels
                codec = _codec(sound.codec_context.name)
                found.append(
                    Track(TrackId(f"a{number}"), Kind.AUDIO, codec, b"", "", rate, sample_rate=rate, channels=channels)
                )
            if container.streams.video:
                rotation = next((frame.rotation for frame in container.decode(video=0)), 0)
    except (av.FFmpegError, OSError) as error:
        raise LookError(f"{file}: {getattr(error, 'strerror', None) or error}") from error
    if not found:
        raise LookError(f"{file}: there is neither video nor audio in it")
    return tuple(found), rotation


def _codec(name: str) -> Codec:
    # libavcodec names a decoder where it has several for one codec: `libdav1d`, `mp3float`.
    known = {"libdav1d": "av1", "mp3float": "mp3", "libopus": "opus", "libvpx-vp9": "vp9", "mp2float": "mp2"}
    try:
        return Codec(known.get(name, name))
    except ValueError:
        raise LookError(f"{name}: not a codec that encoders send") from None
