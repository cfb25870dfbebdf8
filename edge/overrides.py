"""What the operator says about lifetimes, by class of object, within what the protocol allows. Sans-IO.

Rules 146-149 and 163 stand above every setting: what a live playlist may live, how old it may be while the upstream
fails, how long a name that may still be published counts as missing. What nobody may keep (`no-store`) and what is for
one viewer stays so. Durations are seconds.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from headwater.origin.hls.model import HintType

from .entities import is_media, is_playlist
from .freshness import PRIVATE_MARK_S, VARY_HARMLESS, Life, Shape, default_lifetime, judge
from .keys import path_of
from .version import Version


class Kind(enum.Enum):
    """Class of object; the value is the name of its table of settings."""

    MULTIVARIANT = "multivariant"
    PLAYLIST = "playlist"
    """A media playlist, or a missing one of either sort: nothing tells which."""
    PART = "part"
    SEGMENT = "segment"
    """Media that is not known to be a part or an init section."""
    INIT = "init"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Override:
    """Of one class; None: as upstream and rules have it."""

    least_s: float | None = None
    """Lifetime at least this."""
    most_s: float | None = None
    """Lifetime at most this, also of what is missing."""
    stale_s: float | None = None
    """How long past its lifetime it is served while the upstream fails."""
    negative_s: float | None = None
    """Lifetime of 404, 405, 410, 414 and 501."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How all answers of an edge are judged."""

    of: Mapping[Kind, Override] = field(default_factory=dict)
    harmless: frozenset[str] = VARY_HARMLESS
    mark_s: float = PRIVATE_MARK_S

    def judge(
        self,
        status: int,
        get: Callable[[str], str | None],
        shape: Shape,
        unix: float,
        kind: Kind,
        *,
        live: bool = False,
        target_duration: float | None = None,
        part_target: float | None = None,
    ) -> Life:
        """`freshness.judge`, and what is set for `kind`. `live`: a media playlist that has not ended."""
        life = judge(
            status,
            get,
            shape,
            unix,
            target_duration=target_duration,
            part_target=part_target,
            harmless=self.harmless,
        )
        override = self.of.get(kind)
        if override is None or not life.keep:
            return life
        if status >= 400:
            return _missing(life, override, kind)
        lifetime = life.lifetime
        if override.least_s is not None:
            # Rule 146: a live playlist that is older than that hides what is new.
            most = default_lifetime(shape, target_duration) if live else override.least_s
            lifetime = max(lifetime, min(override.least_s, most))
        if override.most_s is not None:
            lifetime = min(lifetime, override.most_s)
        usable = max(life.usable, lifetime)
        if override.stale_s is not None:
            usable = lifetime + override.stale_s
        if live:  # rule 163: three target durations, and never to stand for a position
            usable = min(usable, lifetime if shape is Shape.BLOCKING else 3 * (target_duration or 0.0))
        return replace(life, lifetime=lifetime, usable=usable)


def _missing(life: Life, override: Override, kind: Kind) -> Life:
    lifetime = life.lifetime
    if override.negative_s is not None:
        # Rules 147 and 149 bound what they speak of: a playlist or a file of a stream may be there any moment.
        lifetime = override.negative_s if kind is Kind.OTHER else min(lifetime, override.negative_s)
    if override.most_s is not None:
        lifetime = min(lifetime, override.most_s)
    return replace(life, lifetime=lifetime)


MAX_KINDS = 50_000
"""Names whose class is remembered. Why: a window of a thousand streams; above it the oldest are forgotten."""


class Kinds:
    """Which keys are parts and init sections: playlists that are followed tell."""

    def __init__(self) -> None:
        self._known: dict[str, Kind] = {}

    def note(self, key: str, kind: Kind) -> None:
        """It is of `kind`."""
        self._known[key] = kind
        if len(self._known) > MAX_KINDS:
            del self._known[next(iter(self._known))]

    def of(self, key: str, content_type: str, *, media_playlist: bool | None) -> Kind:
        """The class of the object at `key` (a range's key too). `media_playlist`: what its body says it is, if it is
        a playlist."""
        key = key.partition("#")[0]
        known = self._known.get(key)
        if known is not None:
            return known
        path = path_of(key)
        if is_playlist(path, content_type):
            return Kind.MULTIVARIANT if media_playlist is False else Kind.PLAYLIST
        if is_media(path, content_type):
            return Kind.SEGMENT
        return Kind.OTHER


def kinds_of(version: Version) -> dict[str, Kind]:
    """By URI, of what a followed playlist lists and hints at."""
    found: dict[str, Kind] = {}
    for segment in version.model.all_segments:
        found.update((part.uri, Kind.PART) for part in segment.parts if part.byterange is None)
        if segment.map is not None:
            found[segment.map.uri] = Kind.INIT
    for hint in version.model.hints:
        if hint.type is HintType.MAP:
            found[hint.uri] = Kind.INIT
        elif not hint.start and hint.uri in version.hinted():
            found[hint.uri] = Kind.PART
    return found
