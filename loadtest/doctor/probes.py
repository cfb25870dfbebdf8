"""Requests that players make rarely, or never should: what the server answers tells how it will treat them.

All are made from a playlist that was fetched just before. Wrong requests go to the first rendition only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from headwater.origin.hls.model import MediaPlaylist
from headwater.origin.hls.reader import PlaylistError

from .client import Client
from .urls import absolute, decoded, read, with_directives
from .values import MAX_FILE_BYTES, QUICK_S, Answer, Ask, Probe, RenditionRecord
from .values import ProbeKind as K

FAR = 1_000
"""How far ahead `far` asks: past any reading of the limits of 6.2.5.2."""
ROUNDS = 2
"""Times that what depends on timing is asked."""
NO_NAME = "headwater-doctor-asks-for-what-is-not-there"


class Prober:
    """Probes one rendition."""

    def __init__(self, client: Client, record: RenditionRecord) -> None:
        self._client = client
        self._record = record

    async def run(self, *, deep: bool) -> None:
        """`deep`: also what needs no second rendition to be known."""
        playlist = await self._plain(K.PLAIN)
        if playlist is None:
            return
        await self._plain(K.PLAIN)
        await self._transfer(playlist)
        if playlist.ended:
            return
        if playlist.control.can_block_reload:
            await self._blocking(deep=deep)
        await self._delta()
        if deep:
            await self._files()

    # -- playlists -----------------------------------------------------------------------------------------

    async def _ask(
        self,
        kind: K,
        before: MediaPlaylist | None,
        directives: Mapping[str, int | str] | None = None,
        *,
        wait_s: float = QUICK_S,
        headers: tuple[tuple[str, str], ...] = (),
        method: str = "GET",
    ) -> Probe:
        url = with_directives(self._record.url, **(directives or {}))
        answer = await self._client.fetch(Ask(url, method, headers, wait_s))
        text, error = decoded(answer.body)
        after = None
        if answer.ok and not error and method == "GET":
            with suppress(PlaylistError):
                after = read(text)
        probe = Probe(kind, before, answer.bare(), after, text if answer.ok else "")
        self._record.probes.append(probe)
        return probe

    async def _plain(self, kind: K) -> MediaPlaylist | None:
        return (await self._ask(kind, None, wait_s=10.0)).after

    async def _transfer(self, playlist: MediaPlaylist) -> None:
        for _ in range(ROUNDS):
            plain, _twin, _identity = await asyncio.gather(
                self._ask(K.PLAIN, None),
                self._ask(K.TWIN, None),
                self._ask(K.IDENTITY, None, headers=(("Accept-Encoding", "identity"),)),
            )
            if plain.after is not None and plain.after.ended:
                break
        await self._ask(K.HEAD, playlist, method="HEAD")

    async def _blocking(self, *, deep: bool) -> None:
        playlist = await self._plain(K.PLAIN)
        if playlist is None:
            return
        hold = 2.5 * playlist.target_duration + 2
        last = playlist.last_msn
        at = playlist.position
        parts = playlist.part_target is not None
        await self._ask(K.NEXT_SEGMENT, playlist, {"msn": last + 1}, wait_s=hold)
        await self._old_and_listed(parts=parts)
        if parts and at.last_part_count:
            fresh = await self._plain(K.PLAIN)
            if fresh is not None:
                past = {"msn": fresh.last_msn, "part": fresh.position.last_part_count + 50}
                await self._ask(K.PAST_END, fresh, past, wait_s=hold)
        if deep:
            await self._wrong(parts=parts)

    async def _old_and_listed(self, *, parts: bool) -> None:
        for _ in range(ROUNDS):
            playlist = await self._plain(K.PLAIN)
            if playlist is None:
                return
            msn, part = _last_part(playlist)
            if parts and part >= 0:
                await self._ask(K.LISTED, playlist, {"msn": msn, "part": part})
                await self._ask(K.ORDER, playlist, {"part": part, "msn": msn})
            old = max(0, playlist.media_sequence - 3)
            await self._ask(K.OLD, playlist, {"msn": old, **({"part": 0} if parts else {})})

    async def _wrong(self, *, parts: bool) -> None:
        playlist = await self._plain(K.PLAIN)
        if playlist is None:
            return
        last = playlist.last_msn
        if parts:
            await self._ask(K.NO_MSN, playlist, {"part": 0})
            await self._ask(K.FAR_PART, playlist, {"msn": last + 1, "part": FAR})
        await self._ask(K.FAR_MSN, playlist, {"msn": last + FAR})
        await self._ask(K.LETTERS, playlist, {"msn": "abc"})
        await self._ask(K.NEGATIVE, playlist, {"msn": "-1"})
        await self._ask(K.UNKNOWN, playlist, {"doctor": "1"})

    async def _delta(self) -> None:
        before = await self._plain(K.PLAIN)
        if before is None:
            return
        ahead: dict[str, int | str] = {}
        if before.control.can_block_reload:  # both wake at the same version
            ahead = {"msn": before.last_msn + 1}
            if before.part_target is not None:
                ahead["part"] = len(before.open.parts) if before.open else 0
        hold = 2.5 * before.target_duration + 2
        await asyncio.gather(
            self._ask(K.DELTA, before, {**ahead, "skip": "YES"}, wait_s=hold),
            self._ask(K.DELTA_FULL, before, ahead, wait_s=hold),
            self._ask(K.DELTA_V2, before, {**ahead, "skip": "v2"}, wait_s=hold),
        )

    # -- files ---------------------------------------------------------------------------------------------

    async def _file(self, kind: K, url: str, *, method: str = "GET", span: str = "", wait_s: float = QUICK_S) -> Answer:
        headers = (("Range", span),) if span else ()
        answer = await self._client.fetch(Ask(url, method, headers, wait_s, MAX_FILE_BYTES))
        self._record.probes.append(Probe(kind, None, answer.bare(), text=str(len(answer.body))))
        return answer

    async def _files(self) -> None:
        playlist = await self._plain(K.PLAIN)
        if playlist is None:
            return
        segment = next((s for s in reversed(playlist.segments) if not s.gap and s.uri), None)
        if segment is None or segment.uri is None:
            return
        url = absolute(self._record.url, segment.uri)
        if segment.byterange is None:
            await self._file(K.RANGE, url, span="bytes=0-99")
            await self._file(K.RANGE_PAST, url, span=f"bytes={1 << 40}-{(1 << 40) + 99}")
        await self._file(K.HEAD_FILE, url, method="HEAD")
        await self._file(K.NO_FILE, _sibling(_part_uri(playlist) or url, self._record.url))
        gap = _gap_uri(playlist)
        if gap is not None:
            await self._file(K.GAP_FILE, absolute(self._record.url, gap))


def _last_part(playlist: MediaPlaylist) -> tuple[int, int]:
    """The last part that is listed; its index is negative when there is none."""
    at = playlist.position
    if at.open_parts:
        return at.last_msn + 1, at.open_parts - 1
    return at.last_msn, at.last_part_count - 1


def _part_uri(playlist: MediaPlaylist) -> str | None:
    return next((part.uri for s in reversed(playlist.all_segments) for part in s.parts if not part.gap), None)


def _gap_uri(playlist: MediaPlaylist) -> str | None:
    gaps = [s.uri for s in playlist.segments if s.gap and s.uri]
    parts = [part.uri for s in playlist.all_segments for part in s.parts if part.gap]
    return next(iter([*parts, *gaps]), None)


def _sibling(uri: str, base: str) -> str:
    """A name beside `uri` that nobody ever gave, with the same ending."""
    url = absolute(base, uri).partition("?")[0]
    folder, _, file = url.rpartition("/")
    _, dot, ending = file.rpartition(".")
    return f"{folder}/{NO_NAME}{dot}{ending if dot else ''}"
