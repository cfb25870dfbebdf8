"""For the edge's tests: a live stream as values, an upstream that follows a script, an upstream on real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from aiohttp import web

from headwater.config.settings_viewers import Proxy, ViewerLimits
from headwater.edge.caller import Callers
from headwater.edge.core import Core, CoreLimits
from headwater.edge.guard import Guard
from headwater.edge.join import Join
from headwater.edge.message import (
    Cancel,
    Done,
    Failure,
    Headers,
    Method,
    Purpose,
    Request,
    Response,
    Tally,
    Ticket,
    UpstreamAnswer,
    UpstreamRequest,
)
from headwater.edge.overrides import Policy
from headwater.origin.hls.directives import Reject, Serve, decide, parse
from headwater.origin.hls.model import HintType, Map, MediaPlaylist, Part, PreloadHint, Segment, ServerControl
from headwater.origin.hls.writer import render

PART_S = 0.5
PARTS = 4
UNIX = 1_800_000_000.0


def named(fields: dict[str, str]) -> Headers:
    """Field lines of keyword arguments: names with _ for -."""
    return tuple((name.replace("_", "-"), value) for name, value in fields.items())


class LiveStream:
    """A playlist that grows part by part: segments of four parts of half a second, target duration 4.

    `prefix`: in front of every name, so that two origins' names differ.
    """

    def __init__(self, first_msn: int = 100, segments: int = 9, window: int = 30, prefix: str = "") -> None:
        self.prefix = prefix
        self.msn = first_msn
        self.first = first_msn
        self.window = window
        self.open: list[Part] = []
        self.closed: list[Segment] = []
        self.ended = False
        self.part = 0
        for _ in range(segments * PARTS):
            self.step()

    @property
    def name(self) -> str:
        """Of the part that comes next."""
        return f"{self.prefix}p{self.first * 1000 + self.part}.m4s"

    def step(self) -> str:
        """Publish one part; its name."""
        name = self.name
        self.open.append(Part(name, PART_S, independent=not self.open))
        self.part += 1
        if len(self.open) == PARTS:
            self.closed.append(
                Segment(
                    msn=self.msn,
                    uri=f"{self.prefix}s{self.msn}.m4s",
                    duration=PART_S * PARTS,
                    parts=tuple(self.open),
                    part_count=PARTS,
                    map=Map(f"{self.prefix}init.mp4"),
                    date_us=int((UNIX + (self.msn - self.first) * 2) * 1e6),
                )
            )
            self.open = []
            self.msn += 1
            self.closed = self.closed[-self.window :]
        return name

    @property
    def model(self) -> MediaPlaylist:
        """The playlist now."""
        opened = None
        if self.open:
            opened = Segment(
                msn=self.msn,
                uri=None,
                duration=PART_S * len(self.open),
                parts=tuple(self.open),
                part_count=len(self.open),
                map=Map(f"{self.prefix}init.mp4"),
                date_us=int((UNIX + (self.msn - self.first) * 2) * 1e6),
            )
        return MediaPlaylist(
            target_duration=4,
            media_sequence=self.msn - len(self.closed),
            segments=tuple(self.closed),
            open=opened,
            part_target=PART_S,
            control=ServerControl(True, 24.0, False, 12.0, 1.5),
            hints=() if self.ended else (PreloadHint(HintType.PART, self.name),),
            ended=self.ended,
        )

    def text(self) -> str:
        """The playlist now, as text."""
        return render(self.model)


class Script:
    """An upstream whose answers the test gives (`message.Upstream`)."""

    def __init__(self) -> None:
        self.pending: list[tuple[UpstreamRequest, Done]] = []
        self.seen: list[UpstreamRequest] = []

    def fetch(self, request: UpstreamRequest, done: Done) -> Cancel:
        """Note the request."""
        entry = (request, done)
        self.pending.append(entry)
        self.seen.append(request)

        def cancel() -> None:
            if entry in self.pending:
                self.pending.remove(entry)

        return cancel

    @property
    def targets(self) -> list[str]:
        """Of the requests that wait for an answer."""
        return [request.target for request, _ in self.pending]

    def take(self, target: str) -> tuple[UpstreamRequest, Done]:
        """The oldest pending request for `target`."""
        for entry in self.pending:
            if entry[0].target == target:
                self.pending.remove(entry)
                return entry
        raise AssertionError(f"{target} is not pending: {self.targets}")

    def answer(
        self, target: str, at: float, body: bytes | str = b"", status: int = 200, **headers: str
    ) -> UpstreamRequest:
        """Answer the oldest pending request for `target`; header names with _ for -."""
        request, done = self.take(target)
        raw = body.encode() if isinstance(body, str) else body
        done(UpstreamAnswer(at, UNIX + at, status, named(headers), raw))
        return request

    def playlist(self, target: str, at: float, stream: LiveStream, **headers: str) -> None:
        """Answer with the stream's playlist."""
        headers = {"content_type": "application/vnd.apple.mpegurl", **headers}
        self.answer(target, at, stream.text(), 200, **headers)

    def fail(self, target: str, at: float, failure: Failure) -> None:
        """No answer."""
        _, done = self.take(target)
        done(UpstreamAnswer(at, UNIX + at, failure=failure))


@dataclass
class Viewer:
    """Asks the core and notes the answers."""

    core: Core
    answers: list[Response] = field(default_factory=list)
    ticket: Ticket | None = None

    def get(self, target: str, now: float, method: Method = Method.GET, **fields: object) -> Viewer:
        """Ask."""
        request = Request(method, target.encode(), **fields)  # type: ignore[arg-type]
        self.ticket = self.core.handle(request, self.answers.append, now)
        return self

    @property
    def answer(self) -> Response:
        """The one answer."""
        assert len(self.answers) == 1, self.answers
        return self.answers[0]

    @property
    def status(self) -> int:
        """Of the one answer."""
        return self.answer.entity.status

    @property
    def body(self) -> bytes:
        """Of the one answer."""
        return bytes(self.answer.entity.body)

    def header(self, name: str) -> str | None:
        """One field of the one answer."""
        return next((value for key, value in self.answer.entity.headers if key.lower() == name.lower()), None)


class Quiet:
    """A `core.Observer` that counts."""

    def __init__(self) -> None:
        self.wakes: list[int] = []

    def waking(self, count: int) -> None:
        """Nothing to do."""

    def woke(self, count: int) -> None:
        """Note it."""
        self.wakes.append(count)

    def handed(self, count: int) -> None:
        """Nothing to do."""


class OnePath:
    """`paths.Paths` of one upstream: nothing to choose."""

    several: bool = False
    ailing = False

    def gone(self, key: str, source: str, now: float) -> bool:
        """Nobody else could be asked."""
        return False

    def stands_still(self, key: str, source: str, now: float) -> None:
        """Nothing to do; likewise below."""

    def taken_over(self, key: str, source: str, now: float, at: Join | None, *, changed: bool) -> None:
        """There is one source."""
        raise AssertionError

    def join_of(self, key: str, source: str) -> Join | None:
        """Nothing was joined."""
        return None

    def names(self, keys: Iterable[str], source: str) -> None:
        """All names are one upstream's."""

    def leads_to(self, key: str, children: Iterable[str]) -> None:
        """All streams are at one upstream."""

    def beside(self, key: str, others: Iterable[str]) -> None:
        """Likewise."""


def make_core(
    script: Script, *, cache_bytes: int = 10_000_000, held: int = 10_000, followers: int = 10, grace_s: float = 30.0,
    ready: Callable[[], bool] = lambda: True, policy: Policy | None = None,
) -> Core:  # fmt: skip
    """A core on `script`."""
    limits = CoreLimits("edge", cache_bytes, held, followers, grace_s, b"k" * 32, policy or Policy())
    return Core(limits, script, Quiet(), ready, OnePath(), "edge-id")


def make_callers(tally: Tally, connections: int = 1_000, proxy: Proxy | None = None, **limits: object) -> Callers:
    """Who may connect, with `edge.limits` as given."""
    proxy = proxy or Proxy()
    return Callers(proxy, Guard(ViewerLimits.model_validate(limits), proxy.trusted, connections, tally, 0.0))


class LiveUpstream:
    """A small origin on real sockets: one live stream at /live/x/v/, with directives, hints, and plain files."""

    def __init__(self, stream: LiveStream | None = None) -> None:
        self.stream = stream or LiveStream()
        self.hits: list[str] = []
        self.changed = asyncio.Event()
        self.files: dict[str, web.Response | Callable[[], web.StreamResponse]] = {}
        self.broken = False
        self._runner: web.AppRunner | None = None
        self.base = ""

    async def start(self) -> LiveUpstream:
        """Listen on a free port."""
        app = web.Application()
        app.router.add_get("/live/x/v/index.m3u8", self._playlist)
        app.router.add_get("/live/x/v/{name}", self._media)
        app.router.add_get("/{path:.*}", self._file)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.base = f"http://127.0.0.1:{port}"
        return self

    async def close(self) -> None:
        """End."""
        if self._runner is not None:
            await self._runner.cleanup()

    def step(self, count: int = 1) -> None:
        """Publish parts."""
        for _ in range(count):
            self.stream.step()
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()

    def count(self, fragment: str) -> int:
        """Requests seen whose path and query hold `fragment`."""
        return sum(fragment in hit for hit in self.hits)

    async def _playlist(self, request: web.Request) -> web.StreamResponse:
        self.hits.append(request.path_qs)
        if self.broken:
            return web.Response(status=500)
        ask = parse(request.query.items())
        if isinstance(ask, Reject):
            return web.Response(status=ask.status)
        while not isinstance(verdict := decide(ask, self.stream.model.position), Serve):
            if isinstance(verdict, Reject):
                return web.Response(status=verdict.status)
            await self.changed.wait()
        age = "max-age=24" if ask.msn is not None else "max-age=2"
        return web.Response(
            text=self.stream.text(), content_type="application/vnd.apple.mpegurl", headers={"Cache-Control": age}
        )

    async def _media(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        self.hits.append(request.path_qs)
        while name == self.stream.name:
            await self.changed.wait()
        known: set[str | None] = {part.uri for segment in self.stream.model.segments for part in segment.parts}
        known |= {part.uri for part in self.stream.open} | {segment.uri for segment in self.stream.closed}
        if name not in known and name != "init.mp4":
            return web.Response(status=404)
        return web.Response(body=body_of(name), content_type="video/mp4", headers={"Cache-Control": "max-age=60"})

    async def _file(self, request: web.Request) -> web.StreamResponse:
        self.hits.append(request.path_qs)
        entry = self.files.get(request.path)
        if entry is None:
            return web.Response(status=404, text="nothing here")
        return entry() if callable(entry) else entry


def body_of(name: str) -> bytes:
    """What the live upstream serves as `name`."""
    return (name.encode() + b"|") * 2_000


def statuses(viewers: Iterable[Viewer]) -> list[int]:
    """Of all their answers."""
    return [viewer.status for viewer in viewers]


__all__ = [
    "UNIX",
    "LiveStream",
    "LiveUpstream",
    "Purpose",
    "Quiet",
    "Script",
    "Viewer",
    "body_of",
    "make_callers",
    "make_core",
    "statuses",
]
