"""What an edge is doing, for people: the playlists it follows and how its upstream does. Sans-IO."""

from __future__ import annotations

from dataclasses import dataclass

from .core import Core
from .follow import Follower
from .keys import path_of, resolve
from .viewers import OTHER, labels_of

MEASURED = 3
"""Segments, the newest, whose bytes and seconds make the bit rate."""


@dataclass(frozen=True, slots=True)
class Followed:
    """One playlist."""

    stream: str
    rendition: str
    state: str
    last_msn: int
    silent_s: float
    """Since the upstream last answered."""
    viewers: int
    bitrate: int | None
    """Bits per second of the newest segments, where they are in the store."""


@dataclass(frozen=True, slots=True)
class Overview:
    """The edge."""

    followed: tuple[Followed, ...]
    viewers: dict[str, int]
    """By stream."""


def overview(core: Core, now: float) -> Overview:
    """Look; monotonic seconds. Playlists whose path says no stream come as `other`."""
    counts = core.audience.viewers()
    followed = [_followed(core, follower, counts, now) for follower in core.following()]
    return Overview(
        tuple(sorted(followed, key=lambda one: (one.stream, one.rendition))),
        {stream: count for (stream, rendition), count in counts.items() if not rendition},
    )


def _followed(core: Core, follower: Follower, counts: dict[tuple[str, str], int], now: float) -> Followed:
    labels = labels_of(path_of(follower.key))
    state = "upstream fails" if follower.lost else follower.state.value
    return Followed(
        stream=labels[0],
        rendition=labels[1],
        state=state,
        last_msn=follower.version.position.last_msn,
        silent_s=max(0.0, now - follower.version.received),
        viewers=counts.get(labels, 0) if labels != OTHER else 0,
        bitrate=_bitrate(core, follower),
    )


def _bitrate(core: Core, follower: Follower) -> int | None:
    octets, seconds = 0, 0.0
    for segment in follower.version.model.segments[-MEASURED:]:
        for part in segment.parts:
            key = resolve(follower.key, part.uri)
            entity = core.store.peek(key) if key is not None and part.byterange is None else None
            if entity is not None and entity.status == 200:
                octets += len(entity.body)
                seconds += part.duration
    return round(octets * 8 / seconds) if seconds else None
