"""FLV tag bodies, classic and enhanced, as carried by RTMP audio and video messages. Sans-IO."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from headwater.ingest.media import Packet, Track, TrackId


class BadTag(ValueError):
    """One audio or video message is malformed. It is dropped whole; the messages after it are unaffected."""


@dataclass(frozen=True, slots=True)
class TrackConfigured:
    """A track's first configuration, or another one than before (never a repetition)."""

    track: Track


@dataclass(frozen=True, slots=True)
class TrackRefused:
    """A track that cannot be taken; the other tracks go on. Said once per track and reason."""

    track: TrackId
    codec: str
    """The field's name of the codec, such as `mp3`, `vvc1`, `h264`."""
    reason: str
    """Plain words for the log."""


@dataclass(frozen=True, slots=True)
class TrackFinished:
    """The publisher ended the track (sequence end). Packets may still follow it."""

    track: TrackId


FlvEvent = TrackConfigured | TrackRefused | TrackFinished | Packet


@dataclass(slots=True)
class TagCounters:
    """What was left out, for the shell's metrics; only ever grows."""

    before_config: int = 0
    """Frames of a track that has no usable configuration (yet)."""
    empty: int = 0
    """Frames without a byte of media after `codecs.normalise`."""
    ignored: int = 0
    """Tags with nothing for us: commands, metadata, unknown packet types."""


class TagReader:
    """Turns the audio and video messages of one publisher into tracks and packets.

    Every method returns its events at once. `Packet.payload` is normalised (`codecs.normalise`),
    `Packet.dts` is the message's timestamp as given, `Packet.keyframe` the tag's own flag.

    Args:
        tracks_per_kind: the most video, and the most audio, tracks that are kept; further ones are refused.
    """

    def __init__(self, tracks_per_kind: int = 8) -> None:
        self.counters = TagCounters()
        self._tracks_per_kind = tracks_per_kind

    def video(self, payload: bytes, timestamp: int, now: float) -> list[FlvEvent]:
        """Take one video message (type 9). `timestamp`: 32-bit ms; `now`: monotonic s of its last byte.

        Raises:
            BadTag: it is malformed; nothing of it was taken.
        """
        raise NotImplementedError

    def audio(self, payload: bytes, timestamp: int, now: float) -> list[FlvEvent]:
        """Take one audio message (type 8). Arguments and errors as `video`."""
        raise NotImplementedError

    def metadata(self, values: Mapping[str, object]) -> None:
        """Take `onMetaData`: language and name of tracks that are configured later. Never raises."""
