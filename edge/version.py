"""One version of a followed playlist, and the entities made of it: full or delta, plain or blocking. Sans-IO.

All of them are made at most once, however many viewers take them. The upstream's own text is served unchanged as
the full playlist.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from headwater.origin.hls.attributes import PlaylistError
from headwater.origin.hls.delta import delta_of
from headwater.origin.hls.directives import Decision, Directives, Serve, Skip, decide
from headwater.origin.hls.model import HintType, MediaPlaylist, Part
from headwater.origin.hls.reader import read
from headwater.origin.hls.writer import render

from .entities import received
from .freshness import Life
from .message import Entity, UpstreamAnswer

MAX_REMEMBERED = 128
"""Distinct directives of one version whose decision is remembered. Why: live viewers ask two or three."""


def read_playlist(body: bytes) -> MediaPlaylist | None:
    """The media playlist in `body`; None when it is none (a multivariant playlist, or not well formed)."""
    if b"#EXT-X-TARGETDURATION" not in body:
        return None
    try:
        model = read(body.decode("utf-8"))
    except (PlaylistError, UnicodeDecodeError):
        return None
    # A delta update was not asked for: it cannot stand for the whole.
    return None if model.skipped else model


def followable(model: MediaPlaylist) -> bool:
    """Rule 32: only CAN-BLOCK-RELOAD=YES promises that a request is held. An ended playlist has no news."""
    return model.control.can_block_reload and not model.ended


def cache_control(kind: str, target_duration: int) -> str:
    """Rule 146, for an upstream that does not say: for caches after us. A browser's own cache would hide Age."""
    seconds = target_duration * 6 if kind == "blocking" else max(1, target_duration // 2)
    return f"public, max-age=0, s-maxage={seconds}"


def uris_of(model: MediaPlaylist) -> list[str]:
    """Every URI that the playlist lists."""
    found: list[str] = []
    for segment in model.all_segments:
        if segment.map is not None and segment.map.uri not in found[-1:]:
            found.append(segment.map.uri)
        if segment.uri is not None and not segment.gap:
            found.append(segment.uri)
        found.extend(part.uri for part in segment.parts if not part.gap)
    return found


class Version:
    """An immutable version. `plain` and `blocking`: the Cache-Control of the two kinds of answer."""

    def __init__(self, model: MediaPlaylist, answer: UpstreamAnswer, via: str, plain: str, blocking: str) -> None:
        self.model = model
        self.position = model.position
        self.body = answer.body
        self.full = _with_cache_control(received(answer, Life(True, 0.0, False), via), plain)
        """The entity for requests without `_HLS_msn`."""
        self.full_blocking = _with_cache_control(self.full, blocking)
        self._deltas: dict[bool, Entity] = {}
        self._decisions: dict[Directives, Decision] = {}

    @property
    def order(self) -> tuple[int, int]:
        """Later versions are greater: last MSN, parts of the open segment."""
        return self.position.order

    @property
    def received(self) -> float:
        """When the upstream last said that this is the current version, monotonic seconds."""
        return self.full.received

    def confirm(self, answer: UpstreamAnswer, age: float) -> None:
        """The upstream sent the same text again: it is as young as that answer."""
        for entity in (self.full, self.full_blocking, *self._deltas.values()):
            entity.received, entity.age = answer.at, age
            if entity.gzip is not None:
                entity.gzip.received, entity.gzip.age = answer.at, age

    def decide(self, ask: Directives) -> Decision:
        """`directives.decide` at this version, remembered."""
        decision = self._decisions.get(ask)
        if decision is None:
            decision = decide(ask, self.position)
            if len(self._decisions) < MAX_REMEMBERED:
                self._decisions[ask] = decision
        return decision

    def entity(self, serve: Serve, ask: Directives) -> Entity:
        """What answers `ask`, which is served now.

        Rules 146, 164: a position is a cache key of its own only while it is near the end. One that is long past, or
        of a playlist that may give way to a new stream of the same name, lives as long as a plain answer.
        """
        blocking = ask.msn is not None and ask.msn >= self.position.last_msn and not self.model.ended
        if serve.delta:
            return self._delta(blocking)
        return self.full_blocking if blocking else self.full

    def unasked(self) -> Entity:
        """For requests that asked for more than there is and cannot be held any longer: kept by nobody (rule 164)."""
        return _with_cache_control(self.full, "no-store")

    def _delta(self, blocking: bool) -> Entity:
        entity = self._deltas.get(blocking)
        if entity is None:
            full = self.full_blocking if blocking else self.full
            # Rule 107: where nothing can be skipped, the full text, as it came
            if not delta_of(self.model).skipped:
                return full
            entity = replace(
                full,
                headers=tuple((name, _delta_etag(value) if name == "ETag" else value) for name, value in full.headers),
                body=render(self.model, delta=Skip.YES).encode(),
                etag=_delta_etag(full.etag) if full.etag else None,
                gzip=None,
                wire={},
            )
            self._deltas[blocking] = entity
        return entity

    def uris(self) -> list[str]:
        """Every URI that the playlist lists: the live window."""
        return uris_of(self.model)

    def wanted_first(self) -> list[str]:
        """What a viewer who joins now asks for: the init section, the parts of the newest two segments."""
        model = self.model
        newest = [*model.segments[-1:], *((model.open,) if model.open else ())]
        found = [segment.map.uri for segment in newest if segment.map is not None]
        for segment in newest:
            found.extend(_whole_parts(segment.parts))
        return found

    def new_since(self, before: Version) -> list[str]:
        """Whole-file parts and init sections that `before` did not list."""
        old = before.position
        found: list[str] = []
        for segment in self.model.all_segments:
            if segment.msn <= old.last_msn:
                continue
            known = old.open_parts if segment.msn == old.last_msn + 1 else 0
            if segment.map is not None and not known:
                found.append(segment.map.uri)
            found.extend(_whole_parts(segment.parts[known:]))
        return found

    def hinted(self) -> list[str]:
        """Whole files that will be published next (4.4.5.3). Byte-range hints are left to the viewer's own request."""
        hints = self.model.hints
        if self._in_ranges():  # a part hint that starts a file hints at a range of it too
            hints = tuple(hint for hint in hints if hint.type is HintType.MAP)
        return [hint.uri for hint in hints if hint.start == 0 and (hint.type is HintType.MAP or hint.length is None)]

    def growing(self) -> list[str]:
        """Files of which only ranges are published yet: that of the open segment, and that of the next part."""
        model = self.model
        found = {part.uri for part in (model.open.parts if model.open else ()) if part.byterange is not None}
        found |= {hint.uri for hint in model.hints if hint.type is HintType.PART and (hint.start or self._in_ranges())}
        return sorted(found)

    def _in_ranges(self) -> bool:
        """Whether this stream's parts are byte ranges."""
        newest = [*self.model.segments[-1:], *((self.model.open,) if self.model.open else ())]
        return any(part.byterange is not None for segment in newest for part in segment.parts)


def _whole_parts(parts: Iterable[Part]) -> list[str]:
    return [part.uri for part in parts if not part.gap and part.byterange is None]


def _delta_etag(etag: str) -> str:
    return f'{etag[:-1]}-delta"' if etag.endswith('"') else etag


def _with_cache_control(entity: Entity, value: str) -> Entity:
    kept = tuple(pair for pair in entity.headers if pair[0] != "Cache-Control")
    return replace(entity, headers=(*kept, ("Cache-Control", value)), gzip=None, wire={})
