"""A scripted LL-HLS server on virtual time: the project's own packaging, recorded once, and faults to break it with.

    tape()          what the origin published, version by version, with a discontinuity and a new init section
    Server(fault)   answers requests from the tape as the origin does; a `doctor.client.Client`
    examine(fault)  the doctor's report on it

A Fault changes text, bytes, answers or behaviour; everything else stays good.
"""

from __future__ import annotations

import asyncio
import bisect
import functools
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from urllib.parse import parse_qsl, urlsplit

from prometheus_client import CollectorRegistry
from tests.live_feed import AVCC, EPOCH_S, FPS, SOURCE, Feed, video_track
from tests.virtual_time import run

from headwater.config.settings import Origin
from headwater.ingest.media import StreamEvent, TrackStarted
from headwater.loadtest.doctor.client import Client
from headwater.loadtest.doctor.report import Report
from headwater.loadtest.doctor.run import DoctorOptions, diagnose
from headwater.loadtest.doctor.values import Answer, Ask
from headwater.origin.hls import directives, writer
from headwater.origin.hls.directives import Directives, Reject, Serve, Skip, Wait
from headwater.origin.hls.model import HintType, MediaPlaylist
from headwater.origin.metrics import OriginMetrics
from headwater.origin.responses import EXPOSED, PLAYLIST_TYPE, immutable, shared
from headwater.origin.stream import LiveStream
from headwater.origin.window import Found

BASE = "http://stream.example/live/demo/"
URL = BASE + "index.m3u8"
START_S = 62.0
"""Stream time at which the doctor comes: the window is full."""
CHANGE_S = 64
"""Stream time of the discontinuity with a new init section; a multiple of the GOP."""
END_S = 92.0
WATCH_S = 5.5
WINDOW_S = 36
TRIP_S = 0.004
NAMES = ("source", "audio")


class RealFeed(Feed):
    """The feed with a change of the picture's size."""

    def _change(self, now: float) -> bool:
        changes = self.frames == CHANGE_S * FPS
        if changes:
            other = replace(video_track(), config=AVCC[:-1] + b"\x01", width=640, height=360)
            self.sink.write(TrackStarted(SOURCE, other), now)
        return changes


@dataclass
class _Sink:
    stream: LiveStream

    def write(self, event: StreamEvent, now: float) -> None:
        self.stream.write(event, now)


@dataclass
class Tape:
    """Everything that was published, by stream time."""

    times: list[float] = field(default_factory=list)
    versions: list[dict[str, MediaPlaylist]] = field(default_factory=list)
    files: dict[str, tuple[float, bytes]] = field(default_factory=dict)
    """By `rendition/name`: when it was published, and its bytes."""
    multivariant: str = ""

    def index(self, at: float) -> int:
        return bisect.bisect_right(self.times, at) - 1


@functools.cache
def tape() -> Tape:
    now = [0.0]
    stream = LiveStream(
        "demo",
        Origin(window_s=WINDOW_S),
        OriginMetrics(CollectorRegistry()),
        clock=lambda: now[0],
        unix=lambda: float(EPOCH_S),
        earlier=None,
    )
    feed = RealFeed(_Sink(stream), lambda: now[0])
    feed.start()
    found = Tape()
    seen: dict[str, int] = {}
    for frame in range(int(END_S * FPS)):
        now[0] = frame / FPS
        due = stream.next_timeout()
        if due is not None and due <= now[0]:
            stream.handle_timeout(now[0])
        feed.until(frame / FPS)
        versions = {name: r.version for name, r in stream.renditions.items()}
        if versions != seen and now[0] >= START_S - 25:
            _snapshot(found, stream, now[0])
        seen = versions
        if not found.multivariant and now[0] >= START_S:
            found.multivariant = stream.multivariant_playlist(compressed=False).data.decode()
    return found


def _snapshot(found: Tape, stream: LiveStream, now: float) -> None:
    reports = {name: r.report() for name, r in stream.renditions.items()}
    models: dict[str, MediaPlaylist] = {}
    for name, rendition in stream.renditions.items():
        others = tuple(report for other, report in reports.items() if other != name and report is not None)
        models[name] = replace(rendition.snapshot, reports=others)
        for uri in _uris(models[name]):
            key = f"{name}/{uri}"
            if key in found.files:
                continue
            result = stream.find(name, uri)[1]
            if isinstance(result, Found):
                found.files[key] = (now, b"".join(result.data))
    found.times.append(now)
    found.versions.append(models)


def _uris(playlist: MediaPlaylist) -> list[str]:
    segments = [*playlist.segments[-20:], *([playlist.open] if playlist.open else [])]
    named = [part.uri for s in segments for part in s.parts] + [s.uri for s in segments if s.uri]
    return named + [s.map.uri for s in segments if s.map]


def _text_of(model: MediaPlaylist, delta: bool) -> str:
    return writer.render(model, delta=Skip.YES if delta else None)


@functools.cache
def _rendered(index: int, rendition: str, delta: bool) -> str:
    return _text_of(tape().versions[index][rendition], delta)


@dataclass
class Asked:
    """One request, as a fault sees it."""

    ask: Ask
    path: str
    """Below BASE: `index.m3u8`, `source/index.m3u8`, `source/p123.m4s`."""
    query: list[tuple[str, str]]
    at: float
    """Stream time of the version that is answered with."""
    index: int = 0
    directives: Directives = field(default_factory=Directives)
    held: bool = False

    @property
    def rendition(self) -> str:
        return self.path.partition("/")[0]

    @property
    def is_playlist(self) -> bool:
        return self.path.endswith("/index.m3u8")


@dataclass
class Reply:
    """An answer that is being made."""

    status: int
    headers: dict[str, str]
    body: bytes
    lasts_s: float = 0.0
    """Between first and last byte."""
    delay_s: float = 0.0
    """Before the head."""
    redirects: int = 0


@dataclass
class Fault:
    """What is broken, and the rules that must be found for it, besides what a good stream has."""

    rules: set[int]
    text: Callable[[Asked, str], str] | None = None
    """Of a media playlist."""
    model: Callable[[Asked, MediaPlaylist], MediaPlaylist] | None = None
    multivariant: Callable[[str], str] | None = None
    media: Callable[[str, bytes], bytes] | None = None
    """Of `rendition/name`."""
    reply: Callable[[Asked, Reply], Reply] | None = None
    decide: Callable[[Asked, directives.Decision], directives.Decision] | None = None
    frozen_at: float = 1e9
    """Stream time at which nothing new is published any more."""
    late_s: float = 0.0
    """What is published after CHANGE_S comes so much later."""
    rename: Callable[[str], str] | None = None
    """A name that was asked for, to the one on the tape."""
    refuse_hints: bool = False
    """404 instead of holding."""
    seconds: float = WATCH_S
    http2: bool | None = True
    url: str = URL


GOOD = Fault(set())


class Server(Client):
    """Answers from the tape. Stream time is START_S plus the loop's."""

    def __init__(self, fault: Fault = GOOD) -> None:
        self.fault = fault
        self.asked: list[Asked] = []

    async def offers_http2(self, url: str) -> bool | None:
        return self.fault.http2

    def now(self) -> float:
        at = START_S + asyncio.get_running_loop().time()
        if self.fault.late_s and at > CHANGE_S:
            at = max(float(CHANGE_S), at - self.fault.late_s)
        return min(at, self.fault.frozen_at)

    async def until(self, at: float) -> None:
        if at > self.fault.frozen_at:
            await asyncio.sleep(1_000)
        while self.now() < at - 1e-9:  # noqa: ASYNC110 (virtual time)
            await asyncio.sleep(max(0.001, at - self.now()))

    async def fetch(self, ask: Ask) -> Answer:
        loop = asyncio.get_running_loop()
        sent = loop.time()
        try:
            async with asyncio.timeout(ask.timeout_s):
                await asyncio.sleep(TRIP_S)
                reply = await self._reply(ask)
                if reply.delay_s:
                    await asyncio.sleep(reply.delay_s)
                first = loop.time()
                first_byte = loop.time()
                if reply.lasts_s:
                    await asyncio.sleep(reply.lasts_s)
        except TimeoutError:
            return Answer(ask, 0, {}, b"", ask.url, sent, loop.time(), loop.time(), loop.time(), 0, "not finished")
        headers = {name.lower(): value for name, value in reply.headers.items()}
        body = reply.body if ask.method != "HEAD" else b""
        return Answer(ask, reply.status, headers, body, ask.url, sent, first, first_byte, loop.time(), reply.redirects)

    async def _reply(self, ask: Ask) -> Reply:
        parts = urlsplit(ask.url)
        path = parts.path.removeprefix(urlsplit(BASE).path)
        asked = Asked(ask, path, parse_qsl(parts.query, keep_blank_values=True), self.now())
        self.asked.append(asked)
        if path in ("index.m3u8", "watch"):
            text = tape().multivariant
            reply = self._text(asked, self.fault.multivariant(text) if self.fault.multivariant else text, 2)
        elif asked.is_playlist:
            reply = await self._playlist(asked)
        else:
            reply = await self._file(asked)
        reply.headers |= {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": EXPOSED}
        reply.headers["Date"] = formatdate(EPOCH_S + START_S + asyncio.get_running_loop().time(), usegmt=True)
        return self.fault.reply(asked, reply) if self.fault.reply else reply

    def _text(self, asked: Asked, text: str, lifetime: float) -> Reply:
        wants = dict(asked.ask.headers).get("Accept-Encoding", "gzip")
        headers = {"Content-Type": PLAYLIST_TYPE, "Vary": "Accept-Encoding", "Cache-Control": shared(lifetime)}
        if wants == "gzip":
            headers["Content-Encoding"] = "gzip"
        return Reply(200, headers, text.encode())

    def _error(self, status: int, cache: str = "no-store") -> Reply:
        return Reply(status, {"Content-Type": "text/plain", "Cache-Control": cache}, b"no\n")

    def _model(self, asked: Asked, index: int) -> MediaPlaylist:
        model = tape().versions[index][asked.rendition]
        asked.index, asked.at = index, tape().times[index]
        return self.fault.model(asked, model) if self.fault.model else model

    async def _playlist(self, asked: Asked) -> Reply:
        if asked.rendition not in NAMES:
            return self._error(404)
        wanted = directives.parse(asked.query)
        if isinstance(wanted, Directives):
            asked.directives = wanted
            decision = self._decide(asked, wanted, tape().index(self.now()))
        else:
            decision = wanted
        if self.fault.decide is not None:
            decision = self.fault.decide(asked, decision)
        if isinstance(decision, Reject):
            return self._error(decision.status)
        index = tape().index(self.now())
        if isinstance(decision, Wait):
            asked.held = True
            index = await self._wait(asked, Directives(decision.msn, decision.part))
        model = self._model(asked, index)
        skip = asked.directives.skip if decision.delta else None
        text = (
            _rendered(index, asked.rendition, bool(skip)) if self.fault.model is None else _text_of(model, bool(skip))
        )
        if self.fault.text is not None:
            text = self.fault.text(asked, text)
        return self._text(asked, text, 24 if asked.directives.msn is not None else 2)

    def _decide(self, asked: Asked, wanted: Directives, index: int, *, held: bool = False) -> directives.Decision:
        return directives.decide(wanted, tape().versions[index][asked.rendition].position, held=held)

    async def _wait(self, asked: Asked, wanted: Directives) -> int:
        index = tape().index(self.now())
        while not isinstance(self._decide(asked, wanted, index, held=True), Serve):
            index += 1
            await self.until(tape().times[index])
        return max(index, tape().index(self.now()))

    async def _file(self, asked: Asked) -> Reply:
        key = self.fault.rename(asked.path) if self.fault.rename else asked.path
        found = tape().files.get(key)
        if found is None or (found[0] > self.now() and not self._hinted(asked, key)):
            return self._error(404)
        if found[0] > self.now() and self.fault.refuse_hints:
            return self._error(404)
        await self.until(found[0])
        data = self.fault.media(key, found[1]) if self.fault.media else found[1]
        init = "init" in key
        kind = ("video/mp4" if key.startswith("source") else "audio/mp4") if init else "video/iso.segment"
        headers = {"Content-Type": kind, "Cache-Control": immutable(60), "Accept-Ranges": "bytes"}
        span = re.fullmatch(r"bytes=(\d+)-(\d+)", dict(asked.ask.headers).get("Range", ""))
        if span is None:
            return Reply(200, headers, data)
        start, end = int(span[1]), min(int(span[2]) + 1, len(data))
        if start >= len(data):
            return self._error(416)
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(data)}"
        return Reply(206, headers, data[start:end])

    def _hinted(self, asked: Asked, key: str) -> bool:
        model = tape().versions[tape().index(self.now())][asked.rendition]
        return any(key == f"{asked.rendition}/{hint.uri}" for hint in model.hints if hint.type is HintType.PART)


def examine(fault: Fault = GOOD) -> Report:
    """The doctor's report on the stream with `fault`."""
    return run(diagnose(Server(fault), DoctorOptions(fault.url, fault.seconds)))


def found(report: Report, *, advice: bool = False) -> dict[int, tuple[str, ...]]:
    """Rules of the report with what was seen; advice left out unless asked for."""
    return {f.rule.number: f.seen for f in report.findings if advice or f.severity.value != "advice"}
