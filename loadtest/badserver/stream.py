"""What a request gets at a moment: an answer, or a time to ask again. Sans-IO.

    GET /live/bad/index.m3u8                        the multivariant playlist
    GET /live/bad/{hd,sd,audio}/index.m3u8          media playlists, with all directives
    GET /live/bad/{hd,sd,audio}/{init.mp4,pN.m4s,sMSN.m4s}

The same function decides of a playlist request as in every origin and edge (`origin.hls.directives`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

from headwater.origin.hls import directives, writer
from headwater.origin.hls.directives import Directives, Reject, Skip, Wait
from headwater.origin.hls.model import MediaPlaylist

from . import playlists
from .faults import Fault, Faults, Kind
from .reply import PLAYLIST_TYPE, Reply, error, spoilt
from .schedule import Schedule
from .shape import INIT, PLAYLIST, ROOT, Rendition, Shape, filler
from .told import Told

MAX_REMEMBERED = 4_096
"""Targets whose answer is remembered until the next event. Why: viewers that add nothing of their own ask for few."""
MAX_QUERY_FIELDS = 32
INIT_BYTES = 700
_OF_MEDIA = (Kind.STATUS, Kind.FLAKY, Kind.STALL, Kind.RESET, Kind.SLOW)
_MEDIA = re.compile(r"([ps])(\d{1,15})\.m4s\Z", re.ASCII)
_CATCH_UP = 100_000
"""Parts that one `advance` lists at most. Why: five hours of a process that was stopped."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Ask again at `at_ms` (Unix milliseconds)."""

    at_ms: int
    what: str


class Stream:
    """The stream and its faults. `advance` moves it on, `ask` answers."""

    def __init__(self, shape: Shape, faults: Faults, start_ms: int) -> None:
        self.shape = shape
        self.schedule = Schedule(shape, faults, start_ms)
        self.told = Told(faults)
        self._faults = faults
        self._lines = {rendition: playlists.Line(shape, faults, rendition) for rendition in Rendition}
        for number in range(self.schedule.first, self.schedule.last + 1):
            for line in self._lines.values():
                line.add(number)
        self._now_ms = float(start_ms)
        self._remembered: dict[bytes, Reply | Hold] = {}
        self._versions: dict[Rendition, MediaPlaylist] = {}
        self._texts: dict[tuple[Rendition, bool, Kind | None], Reply] = {}
        self._good = {
            (rendition, what): Reply(200, what, body * count, _media_type(rendition), max_age=600)
            for rendition, body in shape.bodies.items()
            for what, count in (("part", 1), ("segment", shape.parts))
        }
        self._entry = Reply(200, "multivariant", playlists.entry(shape).encode(), PLAYLIST_TYPE, max_age=1)
        self._init = Reply(200, "init", filler(INIT_BYTES), "video/mp4", max_age=600)
        self._publish()

    def advance(self, now_ms: float) -> None:
        """List what is due."""
        self._now_ms = now_ms
        self._remembered.clear()
        before = self.schedule.last
        while self.schedule.next_listing() <= now_ms and self.schedule.last - before < _CATCH_UP:
            number = self.schedule.list_next()
            self.told.list(number, self.schedule.since_start(number))
            for line in self._lines.values():
                line.add(number)
        if self.schedule.last != before:
            self._publish()

    def ask(self, target: bytes, *, held: bool = False) -> Reply | Hold:
        """What a GET of `target` gets as of the last `advance`. `held`: it was held before."""
        found = self._remembered.get(target)
        if found is None:
            found = self._decide(target.decode("latin-1"), held)
            if len(self._remembered) >= MAX_REMEMBERED:
                self._remembered.clear()
            self._remembered[target] = found
        return found

    def _publish(self) -> None:
        self._versions = {rendition: line.playlist(self.schedule.last) for rendition, line in self._lines.items()}
        self._texts.clear()

    def _decide(self, target: str, held: bool) -> Reply | Hold:
        path, _, query = target.partition("?")
        if path == f"{ROOT}/{PLAYLIST}":
            return self._entry
        folder, _, name = path.rpartition("/")
        rendition = next((one for one in Rendition if folder == f"{ROOT}/{one}"), None)
        if rendition is None:
            return error(404, "none", "not here")
        if name == PLAYLIST:
            return self._playlist(rendition, query, held)
        if name == INIT:
            return self._init
        match = _MEDIA.match(name)
        if match is None:
            return error(404, "none", "not here")
        return self._media(rendition, match[1], int(match[2]))

    # -- playlists

    def _playlist(self, rendition: Rendition, query: str, held: bool) -> Reply | Hold:
        ask = _directives(query)
        if isinstance(ask, Reject):
            return error(ask.status, "playlist", ask.reason)
        decision = directives.decide(ask, self._versions[rendition].position, held=held)
        if isinstance(decision, Reject):
            return error(decision.status, "playlist", decision.reason)
        if isinstance(decision, Wait):
            awaited = self.schedule.last + 1
            if self._faults.on(awaited, self.schedule.since_start(awaited), Kind.EARLY) is None:
                return Hold(self.schedule.next_listing(), "playlist")
            return self._text(rendition, decision.delta, Kind.EARLY)
        return self._text(rendition, decision.delta, None)

    def _text(self, rendition: Rendition, delta: bool, kind: Kind | None) -> Reply:
        key = (rendition, delta, kind)
        reply = self._texts.get(key)
        if reply is None:
            last = self.schedule.last
            bad = self._faults.on(last, self.schedule.since_start(last), Kind.TYPE) is not None
            text = writer.render(self._versions[rendition], delta=Skip.YES if delta else None)
            reply = self._texts[key] = Reply(
                200, "playlist", text.encode(), "text/plain" if bad else PLAYLIST_TYPE,
                max_age=0 if kind else 1, kind=kind or (Kind.TYPE if bad else None),
            )  # fmt: skip
        return reply

    # -- media

    def _media(self, rendition: Rendition, letter: str, number: int) -> Reply | Hold:
        schedule = self.schedule
        count, what = (1, "part") if letter == "p" else (self.shape.parts, "segment")
        last = number * count + count - 1
        hinted = what == "part" and last == schedule.last + 1
        if not schedule.first <= last <= schedule.last and not hinted:
            return error(404, what, "not here")  # rule 67: at once
        released = schedule.released(last)
        if released > self._now_ms:
            return Hold(released, what)
        fault = self._faults.on(last, schedule.since_start(last), *_OF_MEDIA)
        good = self._good[rendition, what]
        if fault is None:
            delayed = self._faults.on(last, schedule.since_start(last), Kind.PART_DELAY)
            return good if delayed is None else _delayed(good, what, rendition)
        return _spoilt(fault, what, good, rendition)


def _delayed(good: Reply, what: str, rendition: Rendition) -> Reply:
    return Reply(200, what, good.body, _media_type(rendition), max_age=600, kind=Kind.PART_DELAY)


def _spoilt(fault: Fault, what: str, good: Reply, rendition: Rendition) -> Reply:
    if fault.kind is Kind.STATUS:
        return error(int(fault.amount), what, "as told", Kind.STATUS)
    if fault.kind is Kind.FLAKY:
        refusal = error(int(fault.amount), what, "as told", Kind.FLAKY)
        refusal.second_time = good
        return refusal
    pacing = spoilt(fault, len(good.body))
    return Reply(200, what, good.body, _media_type(rendition), max_age=600, kind=fault.kind, pacing=pacing)


def _directives(query: str) -> Directives | Reject:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS)
    except ValueError:
        return Reject(400, "too many fields in the query")
    return directives.parse(pairs)


def _media_type(rendition: Rendition) -> str:
    return "audio/mp4" if rendition is Rendition.AUDIO else "video/mp4"
