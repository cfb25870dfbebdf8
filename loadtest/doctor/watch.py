"""Follows a stream as players do, and records it: playlists by blocking reload, parts, segments, hints.

Bounded: renditions, bytes of playlists and of media, seconds. What a bound leaves out is said in `Recording.notes`.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from headwater.origin.hls import multivariant, reader
from headwater.origin.hls.model import ByteRange, HintType, MediaPlaylist, Segment

from . import choose, mp4
from .client import Client
from .urls import absolute, decoded, read, with_directives
from .values import (
    MAX_FILE_BYTES,
    Again,
    Answer,
    Ask,
    File,
    FileKey,
    FileKind,
    Recording,
    RenditionRecord,
    Version,
    key_of,
)

MAX_TEXT_BYTES = 8 << 20
"""Playlist text kept per rendition. Why: 60 s of parts with a window of an hour."""
MAX_VERSIONS = 2_000
MAX_MEDIA_BYTES = 1 << 30
"""Downloaded in all. Why: two minutes of 25 Mbit/s twice, as parts and as segments."""
MAX_FILES = 20_000
DOWNLOADS = 6
"""At one time and rendition."""
AGAIN = 3
"""Files per rendition that are asked for a second time."""
LAG_TICK_S = 0.1


@dataclass(frozen=True, slots=True)
class Options:
    """How long and how wide to watch."""

    seconds: float = 20.0
    renditions: int = 8


class Watch:
    """One watch of one URL."""

    def __init__(self, client: Client, url: str, options: Options) -> None:
        self._client = client
        self._options = options
        self._now = asyncio.get_running_loop().time
        self._deadline = self._now() + options.seconds
        self._media_bytes = 0
        self.recording = Recording(url, Answer(Ask(url), 0), began=self._now())

    async def open(self) -> bool:
        """Fetch the URL and choose renditions; whether there is anything to follow."""
        recording = self.recording
        answer = await self._client.fetch(Ask(recording.url, timeout_s=20.0))
        recording.entry = answer.bare()
        if not answer.ok:
            return False
        text, _ = decoded(answer.body)
        recording.entry_text = text
        if "#EXT-X-STREAM-INF" not in text:
            recording.renditions.append(RenditionRecord(choose.short(answer.url), answer.url))
            return True
        try:
            recording.multivariant = multivariant.read(text)
        except reader.PlaylistError as problem:
            recording.error = str(problem)
            urls = choose.addresses(text, answer.url)
            recording.renditions.extend(RenditionRecord(choose.short(url), url) for url in urls[:1])
            return bool(urls)
        recording.renditions, left_out = choose.renditions(recording.multivariant, answer.url, self._options.renditions)
        if left_out:
            recording.note(f"{left_out} more media playlists were not followed (--renditions)")
        return True

    async def follow(self) -> None:
        """Follow all renditions until the time is over, then ask some files again."""
        lag = asyncio.ensure_future(self._measure_lag())
        try:
            async with asyncio.TaskGroup() as group:
                for record in self.recording.renditions:
                    group.create_task(_Follower(self, record).run())
            self.recording.ended = self._now()
            for record in self.recording.renditions:
                await self._ask_again(record)
        finally:
            lag.cancel()
            with suppress(asyncio.CancelledError):
                await lag

    @property
    def left(self) -> float:
        """Seconds until the end of the watch."""
        return self._deadline - self._now()

    def take_bytes(self, count: int) -> None:
        """Count media bytes."""
        self._media_bytes += count

    @property
    def sated(self) -> bool:
        """No more media is downloaded."""
        if self._media_bytes > MAX_MEDIA_BYTES:
            self.recording.note("not all media was downloaded: the bound of bytes was reached")
        return self._media_bytes > MAX_MEDIA_BYTES

    async def fetch(self, ask: Ask) -> Answer:
        """With the client."""
        return await self._client.fetch(ask)

    async def _measure_lag(self) -> None:
        before = self._now()
        while True:
            await asyncio.sleep(LAG_TICK_S)
            now = self._now()
            self.recording.lag = max(self.recording.lag, now - before - LAG_TICK_S)
            before = now

    async def _ask_again(self, record: RenditionRecord) -> None:
        """Names keep their bytes (rule 23), also after they left the playlist (rules 20, 57)."""
        playlist = record.last
        if playlist is None or self._now() - record.versions[-1].answer.done > _span(playlist) / 2:
            return  # not followed to the end: files may be gone by right
        listed = set(keys_of(record.url, playlist))
        whole = [file for file in record.files.values() if file.answer.ok]
        gone = [file for file in whole if file.key not in listed]
        kept = [file for file in whole if file.key in listed]
        for file in [*_slid_out(record, listed), *gone[-AGAIN:], *kept[:AGAIN]]:
            answer = await self.fetch(_ask_file(file.key))
            second = File(file.kind, file.key, answer.bare(), len(answer.body), _digest(answer.body))
            record.again.append(Again(file, second, file.key not in listed))


class _Follower:
    """One rendition."""

    def __init__(self, watch: Watch, record: RenditionRecord) -> None:
        self._watch = watch
        self._record = record
        self._slots = asyncio.Semaphore(DOWNLOADS)
        self._hints: dict[FileKey, asyncio.Task[Answer]] = {}
        self._inits: dict[FileKey, asyncio.Event] = {}
        self._text_bytes = 0

    async def run(self) -> None:
        version = await self._load(None, None)
        async with asyncio.TaskGroup() as downloads:
            self._prime(version.playlist, downloads)
            while self._watch.left > 0 and not self._full():
                playlist = version.playlist
                if playlist is not None and playlist.ended:
                    break
                ahead = self._next(playlist)
                before = version
                if ahead is None:
                    await asyncio.sleep(self._pause(playlist))
                    version = await self._load(None, None)
                else:
                    self._hold_hint(playlist)
                    version = await self._load(*ahead)
                    if not version.satisfied:
                        await asyncio.sleep(self._pause(playlist))
                if version.playlist is None and self._record.last is not None and version.answer.ok:
                    continue
                self._collect(before.playlist, version.playlist, downloads)
            for task in self._hints.values():
                task.cancel()

    def _full(self) -> bool:
        """Whether a bound is reached."""
        full = self._text_bytes > MAX_TEXT_BYTES or len(self._record.versions) >= MAX_VERSIONS
        if full:
            self._watch.recording.note(f"{self._record.name}: not followed to the end, its playlists are too large")
        return full

    async def _load(self, msn: int | None, part: int | None) -> Version:
        playlist = self._record.last
        target = playlist.target_duration if playlist else 4
        # 6.2.5.2: a server may hold a request for three target durations
        timeout = min(10.0, 3.0 * target) if msn is None else min(60.0, 3.0 * target + 2)
        timeout = max(2.0, min(timeout, self._watch.left + 2 * target))
        url = self._record.url if msn is None else with_directives(self._record.url, msn=msn, part=part)
        answer = await self._watch.fetch(Ask(url, timeout_s=timeout))
        self._text_bytes += len(answer.body)
        text, error = decoded(answer.body)
        parsed = None
        if answer.ok and not error:
            try:
                parsed = read(text)
            except reader.PlaylistError as problem:
                error = str(problem)
        version = Version(answer.bare(), text if answer.ok else "", parsed, error, msn, part)
        self._record.versions.append(version)
        return version

    def _next(self, playlist: MediaPlaylist | None) -> tuple[int, int | None] | None:
        """What to wait for; None: poll."""
        if playlist is None or not playlist.control.can_block_reload:
            return None
        at = playlist.position
        return at.last_msn + 1, at.open_parts if at.part_target is not None else None

    def _pause(self, playlist: MediaPlaylist | None) -> float:
        pause = 1.0 if playlist is None else playlist.part_target or playlist.target_duration / 2
        return max(0.2, min(pause, 3.0, max(self._watch.left, 0.2)))

    # -- media ---------------------------------------------------------------------------------------------

    def _prime(self, playlist: MediaPlaylist | None, downloads: asyncio.TaskGroup) -> None:
        """The newest complete segment with all its parts, so that something is compared at once."""
        if playlist is None:
            return
        whole = [s for s in playlist.segments if not s.gap]
        with_parts = [s for s in whole if s.parts]
        for segment in (with_parts or whole)[-1:]:
            self._take(segment, downloads)
        if playlist.open is not None:
            self._take(playlist.open, downloads)

    def _collect(self, before: MediaPlaylist | None, now: MediaPlaylist | None, downloads: asyncio.TaskGroup) -> None:
        """What `now` lists and `before` did not."""
        if now is None:
            return
        after = before.last_msn if before is not None else now.last_msn - 1
        new = [segment for segment in now.segments if segment.msn > after]
        # Why four: a watcher that fell behind, or a server that lists many at once, is sampled at the live edge
        for segment in new[-4:]:
            self._take(segment, downloads)
        if now.open is not None:
            self._take(now.open, downloads)

    def _take(self, segment: Segment, downloads: asyncio.TaskGroup) -> None:
        if segment.map is not None:
            self._start(FileKind.INIT, segment.map.uri, segment.map.byterange, None, downloads)
        about = self._key(segment.map.uri, segment.map.byterange) if segment.map else None
        for part in segment.parts:
            if not part.gap:
                self._start(FileKind.PART, part.uri, part.byterange, about, downloads)
        if segment.uri is not None and not segment.gap:
            self._start(FileKind.SEGMENT, segment.uri, segment.byterange, about, downloads)

    def _key(self, uri: str, span: ByteRange | None) -> FileKey:
        return key_of(absolute(self._record.url, uri), span)

    def _start(
        self, kind: FileKind, uri: str, span: ByteRange | None, init: FileKey | None, downloads: asyncio.TaskGroup
    ) -> None:
        key = self._key(uri, span)
        if key in self._inits or len(self._inits) >= MAX_FILES or self._watch.sated:
            return
        self._inits[key] = asyncio.Event()
        downloads.create_task(self._download(kind, key, init, self._hints.pop(key, None)))

    async def _download(
        self, kind: FileKind, key: FileKey, init: FileKey | None, hint: asyncio.Task[Answer] | None
    ) -> None:
        try:
            answer = await hint if hint is not None else None
            if answer is None or not answer.ok:  # a hint that was refused may have been listed all the same
                hint = None
                async with self._slots:
                    answer = await self._watch.fetch(_ask_file(key))
            self._watch.take_bytes(len(answer.body))
            if init is not None and init in self._inits:
                await self._inits[init].wait()
            self._record.files[key] = self._file(kind, key, init, answer, hinted=hint is not None)
        finally:
            self._inits[key].set()

    def _file(self, kind: FileKind, key: FileKey, init: FileKey | None, answer: Answer, *, hinted: bool) -> File:
        body = answer.body
        about = self._record.files.get(init) if init is not None else None
        head = about.init if about is not None else None
        return File(
            kind, key, answer.bare(), len(body), _digest(body),
            look=mp4.look(body, head) if kind is not FileKind.INIT and answer.ok else None,
            init=mp4.init(body) if kind is FileKind.INIT and answer.ok else None,
            hinted=hinted,
        )  # fmt: skip

    def _hold_hint(self, playlist: MediaPlaylist | None) -> None:
        """Ask for the hinted part before it is there, as Safari does."""
        hints = playlist.hints if playlist is not None else ()
        hint = next((hint for hint in hints if hint.type is HintType.PART), None)
        # A range without a length is the edge of a growing file: which part it is shows only later.
        if hint is None or (hint.start and hint.length is None) or self._watch.sated:
            return
        key = self._key(hint.uri, ByteRange(hint.length, hint.start) if hint.length is not None else None)
        if key in self._inits or key in self._record.hints or key in self._hints:
            return
        for old in list(self._hints):  # one at a time: an older one that was never listed is given up
            self._hints.pop(old).cancel()
        self._hints[key] = asyncio.ensure_future(self._held(key))

    async def _held(self, key: FileKey) -> Answer:
        playlist = self._record.last
        timeout = 3.0 * (playlist.target_duration if playlist else 4)
        answer = await self._watch.fetch(_ask_file(key, timeout))
        self._record.hints[key] = answer.bare()
        return answer


def keys_of(base: str, playlist: MediaPlaylist) -> Iterable[FileKey]:
    """The keys of every file that `playlist` lists."""
    for segment in playlist.all_segments:
        if segment.uri is not None:
            yield key_of(absolute(base, segment.uri), segment.byterange)
        if segment.map is not None:
            yield key_of(absolute(base, segment.map.uri), segment.map.byterange)
        for part in segment.parts:
            yield key_of(absolute(base, part.uri), part.byterange)


def _span(playlist: MediaPlaylist) -> float:
    return sum(segment.duration for segment in playlist.segments)


def _slid_out(record: RenditionRecord, listed: set[FileKey]) -> list[File]:
    """The segment that left the playlist last: it has to stay for as long as it was listed (RFC 8216bis 6.2.2)."""
    for playlist in reversed(record.playlists):
        segments = [s for s in playlist.segments if s.uri is not None and not s.gap]
        keys = [key_of(absolute(record.url, s.uri or ""), s.byterange) for s in segments]
        if gone := [key for key in keys if key not in listed]:
            unknown = File(FileKind.SEGMENT, gone[-1], Answer(_ask_file(gone[-1]), 200), 0, b"")
            return [record.files.get(gone[-1], unknown)]
    return []


def _ask_file(key: FileKey, timeout_s: float = 15.0) -> Ask:
    url, start, length = key
    span = (("Range", f"bytes={start}-{start + length - 1}"),) if length else ()
    return Ask(url, headers=span, timeout_s=timeout_s, max_bytes=MAX_FILE_BYTES)


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=16).digest()
