"""What was recorded of a stream: answers, playlists, files, probes. Plain values. Sans-IO.

Times are seconds of the loop's clock unless a name says `unix`.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from headwater.origin.hls.model import ByteRange, MediaPlaylist
from headwater.origin.hls.multivariant import Media, Multivariant, Variant

from .looks import Init, Look

MAX_PLAYLIST_BYTES = 2 << 20
"""Of one playlist. Why: eight hours of two-second segments."""
MAX_FILE_BYTES = 32 << 20
"""Of one part or segment. Why: ten seconds of 25 Mbit/s."""

QUICK_S = 4.0
"""Longest wait for what must be answered at once. Why: any round trip is shorter."""

FileKey = tuple[str, int, int]
"""Absolute URL, start, length; the last two 0 for a whole file."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request."""

    url: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    timeout_s: float = 10.0
    """For the whole answer."""
    max_bytes: int = MAX_PLAYLIST_BYTES


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `status` 0: nothing that is HTTP."""

    ask: Ask
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    """Lower-case names; the last of a repeated one."""
    body: bytes = b""
    """Content coding undone."""
    url: str = ""
    """After redirects."""
    sent: float = 0.0
    first: float = 0.0
    """When the head of the answer was there."""
    first_byte: float = 0.0
    """When the first byte of the body was there."""
    done: float = 0.0
    redirects: int = 0
    failure: str = ""
    """Why there is no answer, or not the whole of one."""

    @property
    def ok(self) -> bool:
        """200 or 206, whole."""
        return self.status in (200, 206) and not self.failure

    @property
    def waited(self) -> float:
        """Seconds until the head of the answer."""
        return self.first - self.sent

    def header(self, name: str) -> str:
        """The value, empty when it is not there."""
        return self.headers.get(name, "")

    def bare(self) -> Answer:
        """Without the body."""
        return replace(self, body=b"")


@dataclass(frozen=True, slots=True)
class Version:
    """One answer to a playlist request."""

    answer: Answer
    """Bare."""
    text: str
    playlist: MediaPlaylist | None
    error: str
    """Why it cannot be read."""
    msn: int | None = None
    """What was asked for."""
    part: int | None = None

    @property
    def at(self) -> float:
        """When it was there."""
        return self.answer.done

    @property
    def satisfied(self) -> bool:
        """It holds the position that was asked for (6.2.5.2)."""
        return self.playlist is not None and holds(self.playlist, self.msn, self.part)


def holds(playlist: MediaPlaylist, msn: int | None, part: int | None) -> bool:
    """Whether `playlist` has what `_HLS_msn` and `_HLS_part` waited for, or has ended."""
    at = playlist.position
    if msn is None or at.ended or at.last_msn >= msn:
        return True
    return part is not None and at.last_msn + 1 == msn and at.open_parts > part


def has_parts(playlist: MediaPlaylist) -> bool:
    """Whether any part is listed."""
    return any(s.parts for s in playlist.segments) or (playlist.open is not None and bool(playlist.open.parts))


class FileKind(enum.StrEnum):
    """What a file is listed as."""

    INIT = "init section"
    PART = "part"
    SEGMENT = "segment"


@dataclass(frozen=True, slots=True)
class File:
    """One download of what a playlist lists."""

    kind: FileKind
    key: FileKey
    answer: Answer
    """Bare."""
    size: int
    digest: bytes
    look: Look | None = None
    init: Init | None = None
    hinted: bool = False
    """It was asked for by its preload hint, before it was listed."""


@dataclass(frozen=True, slots=True)
class Again:
    """A file that was asked for a second time at the end."""

    first: File
    second: File
    gone: bool
    """It was not listed any more."""


class ProbeKind(enum.StrEnum):
    """The requests that `probes` makes."""

    PLAIN = "plain playlist"
    TWIN = "the same plain request at the same time"
    IDENTITY = "plain playlist without content coding"
    HEAD = "HEAD of the playlist"
    ORDER = "directives in another order"
    NEXT_SEGMENT = "_HLS_msn of the open segment"
    PAST_END = "_HLS_part past the end of the last segment"
    OLD = "_HLS_msn of an old segment"
    LISTED = "_HLS_msn and _HLS_part of the last part"
    NO_MSN = "_HLS_part without _HLS_msn"
    FAR_MSN = "_HLS_msn far ahead"
    FAR_PART = "_HLS_part far ahead"
    LETTERS = "_HLS_msn=abc"
    NEGATIVE = "_HLS_msn=-1"
    UNKNOWN = "an unknown _HLS_ directive"
    DELTA = "_HLS_skip=YES"
    DELTA_FULL = "the full playlist of the same moment"
    DELTA_V2 = "_HLS_skip=v2"
    NO_FILE = "a part that never was"
    GAP_FILE = "a part that is a GAP"
    RANGE = "the first 100 bytes of a segment"
    RANGE_PAST = "a range past the end of a segment"
    HEAD_FILE = "HEAD of a segment"


@dataclass(frozen=True, slots=True)
class Probe:
    """One probe with the playlist that it was made from."""

    kind: ProbeKind
    before: MediaPlaylist | None
    answer: Answer
    """With its body where it is a playlist."""
    after: MediaPlaylist | None = None
    """The playlist in the answer."""
    text: str = ""


@dataclass(slots=True)
class RenditionRecord:
    """One media playlist over the time of the watch."""

    name: str
    url: str
    variants: tuple[Variant, ...] = ()
    """Variants whose URI it is."""
    media: Media | None = None
    """The EXT-X-MEDIA whose URI it is."""
    versions: list[Version] = field(default_factory=list)
    files: dict[FileKey, File] = field(default_factory=dict)
    hints: dict[FileKey, Answer] = field(default_factory=dict)
    """Answers to hinted parts, bare."""
    again: list[Again] = field(default_factory=list)
    probes: list[Probe] = field(default_factory=list)

    @property
    def playlists(self) -> list[MediaPlaylist]:
        """Those that could be read, in order."""
        return [version.playlist for version in self.versions if version.playlist is not None]

    @property
    def steady(self) -> list[Version]:
        """Versions whose numbers are not below those of an earlier one (rule 12 speaks of the others)."""
        found: list[Version] = []
        highest = -1
        for version in self.versions:
            if version.playlist is not None and version.playlist.media_sequence >= highest:
                highest = version.playlist.media_sequence
                found.append(version)
        return found

    @property
    def last(self) -> MediaPlaylist | None:
        """The newest that could be read."""
        return next((v.playlist for v in reversed(self.versions) if v.playlist is not None), None)

    def probe(self, kind: ProbeKind) -> list[Probe]:
        """The probes of one kind."""
        return [probe for probe in self.probes if probe.kind is kind]

    def files_of(self, kind: FileKind) -> list[File]:
        """The files of one kind, in the order they came."""
        return [file for file in self.files.values() if file.kind is kind]


@dataclass(slots=True)
class Recording:
    """All that was seen of a stream."""

    url: str
    entry: Answer
    """The answer to the URL that was given."""
    entry_text: str = ""
    multivariant: Multivariant | None = None
    error: str = ""
    """Why the entry cannot be read as a playlist."""
    renditions: list[RenditionRecord] = field(default_factory=list)
    began: float = 0.0
    ended: float = 0.0
    lag: float = 0.0
    """The doctor's own worst delay in waking up, seconds: times are no better than this."""
    http2: bool | None = None
    """Whether TLS offered h2; None: no TLS, or not known."""
    notes: list[str] = field(default_factory=list)
    """What was not looked at, and why."""

    def note(self, text: str) -> None:
        """Say once."""
        if text not in self.notes:
            self.notes.append(text)


def key_of(url: str, span: ByteRange | None) -> FileKey:
    """The key of a file that is listed with `url` (absolute) and its byte range."""
    return (url, 0, 0) if span is None else (url, span.start, span.length)


def low_latency(renditions: Iterable[RenditionRecord]) -> bool:
    """Whether any playlist has parts or says that it would."""
    return any(p.part_target is not None for r in renditions for p in r.playlists[:1])
