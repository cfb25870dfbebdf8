"""A client that reads a live LL-HLS playlist part by part: blocking reload, preload hint, part.

The smallest honest LL-HLS viewer. Tests follow a stream with it to see every part that a server publishes,
and benchmarks take its clock readings. It knows HTTP and `origin.hls`, and works against any server.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urljoin

import aiohttp

from headwater.origin.hls import directives, reader
from headwater.origin.hls.model import HintType, MediaPlaylist, Part, PreloadHint, Segment


class FollowError(Exception):
    """The server broke a promise: a status that is not 200, or a playlist that does not go forward."""


@dataclass(frozen=True, slots=True)
class Download:
    """One body with its times (monotonic seconds)."""

    body: bytes
    first_byte: float
    last_byte: float


@dataclass(frozen=True, slots=True)
class ReceivedPart:
    """One part of the stream as it came in; `download` is None for GAP parts."""

    msn: int
    index: int
    part: Part
    download: Download | None


class PartFollower:
    """Follows one media playlist. `hints`: ask for the hinted part beside each blocking reload, as Safari does."""

    def __init__(self, session: aiohttp.ClientSession, url: str, *, hints: bool = True) -> None:
        self._session = session
        self._url = url
        self._hints = hints
        self._hinted: tuple[str, asyncio.Task[Download]] | None = None
        self.playlist: MediaPlaylist | None = None
        """The newest version seen."""

    async def init(self) -> bytes:
        """The init section of the newest segment; raises FollowError when there is none."""
        playlist = self.playlist or await self.reload()
        newest = playlist.open or playlist.segments[-1]
        if newest.map is None:
            raise FollowError("no EXT-X-MAP")
        return (await self.get(newest.map.uri)).body

    async def get(self, uri: str) -> Download:
        """Fetch a URI of the playlist whole; raises FollowError unless the answer is 200."""
        url = urljoin(self._url, uri)
        async with self._session.get(url) as answer:
            first = time.monotonic()
            body = await answer.read()
            if answer.status != 200:
                raise FollowError(f"{answer.status} for {url}: {body[:200]!r}")
            return Download(body, first, time.monotonic())

    async def reload(self, msn: int | None = None, part: int | None = None) -> MediaPlaylist:
        """Reload the playlist, held until (`msn`, `part`) when given."""
        query = directives.query(msn, part)
        download = await self.get(f"{self._url}?{query}" if query else self._url)
        self.playlist = reader.read(download.body.decode())
        return self.playlist

    async def parts(self) -> AsyncIterator[ReceivedPart]:
        """Every part from the last listed segment start on, in order, until ENDLIST. Raises FollowError."""
        playlist = self.playlist or await self.reload()
        msn, index = _start(playlist), 0
        try:
            while True:
                segment = _segment(playlist, msn)
                if segment is not None and index < len(segment.parts):
                    yield await self._receive(msn, index, segment.parts[index])
                    index += 1
                elif segment is not None and segment.uri is not None:
                    msn, index = msn + 1, 0
                elif playlist.ended:
                    return
                else:
                    self._prefetch(playlist)
                    playlist = await self._advance(msn, index)
        finally:
            await self._drop_hinted()

    async def _advance(self, msn: int, index: int) -> MediaPlaylist:
        playlist = await self.reload(msn, index)
        at = playlist.position
        listed = at.last_msn >= msn or (at.last_msn + 1 == msn and at.open_parts > index)
        if not listed and not playlist.ended:
            raise FollowError(f"the answer to {directives.query(msn, index)} ends at {at}")
        return playlist

    async def _receive(self, msn: int, index: int, part: Part) -> ReceivedPart:
        if part.gap:
            return ReceivedPart(msn, index, part, None)
        if self._hinted is not None and self._hinted[0] == part.uri:
            task, self._hinted = self._hinted[1], None
            return ReceivedPart(msn, index, part, await task)
        return ReceivedPart(msn, index, part, await self.get(part.uri))

    def _prefetch(self, playlist: MediaPlaylist) -> None:
        hint = next((hint for hint in playlist.hints if hint.type is HintType.PART), None)
        if self._hints and self._hinted is None and hint is not None:
            self._hinted = (hint.uri, self._hold(hint))

    def _hold(self, hint: PreloadHint) -> asyncio.Task[Download]:
        return asyncio.get_running_loop().create_task(self.get(hint.uri))

    async def _drop_hinted(self) -> None:
        if self._hinted is not None:
            self._hinted[1].cancel()
            with suppress(asyncio.CancelledError, FollowError, aiohttp.ClientError):
                await self._hinted[1]
            self._hinted = None


def _segment(playlist: MediaPlaylist, msn: int) -> Segment | None:
    if playlist.open is not None and playlist.open.msn == msn:
        return playlist.open
    offset = msn - playlist.media_sequence - playlist.skipped
    if offset < 0:
        raise FollowError(f"segment {msn} left the playlist before its parts were read")
    return playlist.segments[offset] if offset < len(playlist.segments) else None


def _start(playlist: MediaPlaylist) -> int:
    """MSN of the newest complete segment that still lists its parts, else of the open one."""
    for segment in reversed(playlist.segments):
        if segment.parts and not segment.gap:
            return segment.msn
    return playlist.last_msn + 1
