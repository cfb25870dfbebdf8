"""The bytes behind the names of one rendition, and how long they stay. Sans-IO.

Life of a segment: open -> listed -> kept (off the playlist, still downloadable, rule 20) -> gone. Its bytes
are the tuple of its parts' bytes; there is no second copy.
"""

from __future__ import annotations

import enum
import re
from collections import deque
from dataclasses import dataclass, field

from headwater.origin.hls.model import Map, Segment

_START = re.compile(r"[ps](\d{1,20})\.m4s")


class MediaKind(enum.Enum):
    """What a found name is; decides MIME type and cache life."""

    INIT = "init"
    PART = "part"
    SEGMENT = "segment"


@dataclass(frozen=True, slots=True)
class Found:
    """The bytes of a name, in order, not to be joined needlessly."""

    data: tuple[bytes, ...] = field(repr=False)
    kind: MediaKind
    size: int
    available_s: float
    """Seconds for which the name is good at least (rules 20, 57), counted from the last event."""


@dataclass(frozen=True, slots=True)
class HintedName:
    """The next part: hold the request until it is published (rule 65)."""


@dataclass(frozen=True, slots=True)
class Gone:
    """The name was listed as GAP, or has been removed: refuse at once."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """No such name: 404 at once (rule 67)."""


Lookup = Found | HintedName | Gone | Unknown


@dataclass(slots=True)
class Stored:
    """A segment as it is listed now, and its bytes."""

    segment: Segment
    name: str
    """Of the whole segment."""
    start: int
    """START of its name."""
    init: str
    parts: list[tuple[str, bytes]] = field(default_factory=list)
    """Name and bytes; no bytes for a GAP."""
    size: int = 0
    ticks: int = 0
    media_s: float = 0.0
    """Seconds of it that are not GAP."""
    appeared: float = 0.0
    """When it was first listed as complete, monotonic seconds."""
    tags_removed: float | None = None
    """When its PART tags left the playlist."""
    end_s: float = 0.0
    """Where it ends on its window's ruler of listed seconds."""
    keep_until: float | None = None
    """Set when it leaves the playlist."""


@dataclass(slots=True)
class _Init:
    data: bytes
    map: Map
    segments: int = 0
    """Segments that need it; it goes with the last one."""


class Shelf:
    """Names to bytes."""

    def __init__(self, listed_s: float) -> None:
        self.size = 0
        """Media bytes held."""
        self.current_init = ""
        self._listed_s = listed_s
        self._names: dict[str, tuple[Stored, int | None]] = {}
        """Name -> segment and part index; None: the whole segment."""
        self._inits: dict[str, _Init] = {}
        self._kept: deque[Stored] = deque()

    def find(self, name: str, hinted: str, oldest: Stored | None, now: float) -> Lookup:
        """What `name` is. `oldest`: the oldest segment that is still listed or open."""
        entry = self._names.get(name)
        if entry is not None:
            return self._found(*entry, now)
        init = self._inits.get(name)
        if init is not None:
            return Found((init.data,), MediaKind.INIT, len(init.data), self._listed_s)
        if name and name == hinted:
            return HintedName()
        # Names rise with time: below the oldest one there is nothing any more
        oldest = self._kept[0] if self._kept else oldest
        match = _START.fullmatch(name)
        return Gone() if match and oldest is not None and int(match[1]) < oldest.start else Unknown()

    def _found(self, stored: Stored, index: int | None, now: float) -> Lookup:
        available_s = self._listed_s if stored.keep_until is None else max(0.0, stored.keep_until - now)
        if index is not None:
            data = stored.parts[index][1]
            return Found((data,), MediaKind.PART, len(data), available_s) if data else Gone()
        whole = tuple(data for _, data in stored.parts if data)
        return Found(whole, MediaKind.SEGMENT, stored.size, available_s) if whole else Gone()

    # -- in ------------------------------------------------------------------------------------------------

    def add_init(self, name: str, data: bytes) -> None:
        """The init section of the segments that follow."""
        before, self.current_init = self.current_init, name
        self._inits.setdefault(name, _Init(data, Map(name)))
        self._forget_init(before)

    def use_init(self, name: str) -> Map:
        """One more segment needs it. The same Map object each time."""
        init = self._inits[name]
        init.segments += 1
        return init.map

    def add_part(self, stored: Stored, name: str, data: bytes) -> None:
        """Append a part to an open segment; no bytes for a GAP."""
        self._names[name] = (stored, len(stored.parts))
        stored.parts.append((name, data))
        stored.size += len(data)
        self.size += len(data)

    def add_segment(self, stored: Stored) -> None:
        """The segment is complete: its own name is good from now on."""
        self._names[stored.name] = (stored, None)

    # -- out -----------------------------------------------------------------------------------------------

    def keep(self, stored: Stored, until: float) -> None:
        """The segment left the playlist; its bytes stay until then."""
        stored.keep_until = until
        self._kept.append(stored)

    def expire(self, now: float) -> None:
        """Forget what is past its time."""
        while self._kept and (self._kept[0].keep_until or 0.0) <= now:
            self.drop_kept()

    def drop_kept(self) -> bool:
        """Forget the oldest segment that is off the playlist. False: there is none."""
        if not self._kept:
            return False
        stored = self._kept.popleft()
        self.size -= stored.size
        for name, _ in stored.parts:
            self._names.pop(name, None)
        self._names.pop(stored.name, None)
        self._inits[stored.init].segments -= 1
        self._forget_init(stored.init)
        return True

    def _forget_init(self, name: str) -> None:
        init = self._inits.get(name)
        if init is not None and init.segments == 0 and name != self.current_init:
            del self._inits[name]
