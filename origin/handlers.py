"""Requests to answers: playlists, media files, pages, listings, health.

    playlist    directives -> serve, hold or refuse (origin.hls.directives decides)
    file        there: send; hinted: hold; else 404 at once
    start       a stream that was opened but has not enough media yet: hold, then 503 with Retry-After

A held request is a suspended handler: the server cancels it when its client leaves, which frees it.
Rules 80 to 101, 138 to 157 of the checklist.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

from aiohttp import web

from headwater.config.settings import Origin

from . import assets
from .assets import Asset
from .held import Outcome
from .hls import directives
from .hls.directives import Directives, Reject, Serve
from .hub import Hub
from .rendition import LiveRendition, text_body
from .responses import PUBLISHED, Body, ErrorReply, accepts_gzip, immutable, respond, shared
from .stream import LiveStream, StreamState
from .window import Found, Gone, HintedName

RETRY_AFTER_S = 1
"""Of a 503: players and edges come back within a segment."""

HINT_TARGETS = 3
"""Target durations for which a request for a hinted file is held, like a playlist (6.2.5.2)."""

STILL_CACHE_CONTROL = "public, max-age=2, s-maxage=2"
"""Why: pictures change every few seconds, and a list page asks for all of them at once."""

_DRAINING = "the server is going away"


class Handlers:
    """The origin's request handlers."""

    def __init__(self, hub: Hub, settings: Origin, pages: Mapping[str, Asset]) -> None:
        self._hub = hub
        self._settings = settings
        self._pages = pages
        self.ready = True

    # -- playlists -----------------------------------------------------------------------------------------

    async def multivariant(self, request: web.Request) -> web.Response:
        """`/live/NAME/index.m3u8`"""
        stream = self._stream(request)
        await self._started(stream, "")
        body = stream.multivariant_playlist(compressed=accepts_gzip(request))
        return respond(request, body, shared(stream.target_duration_s / 2))

    async def media_playlist(self, request: web.Request) -> web.Response:
        """`/live/NAME/RENDITION/index.m3u8`"""
        ask = directives.parse(request.query.items())
        if isinstance(ask, Reject):
            raise ErrorReply(ask.status, ask.reason)
        stream = self._stream(request)
        rendition = await self._started(stream, request.match_info["rendition"])
        serve, held = await self._blocking_reload(rendition, ask)
        published = rendition.published
        body = stream.media_playlist(rendition, delta=serve.delta, compressed=accepts_gzip(request))
        response = respond(request, body, _playlist_life(ask, rendition))
        if held:
            response[PUBLISHED] = published
        return response

    async def _blocking_reload(self, rendition: LiveRendition, ask: Directives) -> tuple[Serve, bool]:
        """6.2.5.2: hold until the playlist has what was asked for; and whether it was held."""
        deadline: float | None = None
        clock = asyncio.get_running_loop().time
        while True:
            decision = directives.decide(ask, rendition.position, held=deadline is not None)
            if isinstance(decision, Serve):
                return decision, deadline is not None
            if isinstance(decision, Reject):
                raise ErrorReply(decision.status, decision.reason)
            if deadline is None:
                deadline = clock() + decision.timeout_s
            key = (decision.msn, decision.part)
            outcome = await self._hub.held.hold(rendition.waiting_playlists, key, "playlist", deadline - clock())
            _go_on(outcome, f"nothing was published for {decision.timeout_s:.0f} s")

    async def _started(self, stream: LiveStream, name: str) -> LiveRendition:
        """The rendition, or with an empty name any, once it can be served. Holds while the stream is starting."""
        deadline: float | None = None
        clock = asyncio.get_running_loop().time
        while True:
            rendition = stream.playable(name)
            if rendition is not None:
                return rendition
            if not stream.expects(name):
                raise ErrorReply(404, "no such rendition" if name else "the stream ended without media")
            if deadline is None:
                deadline = clock() + self._settings.http.held_start_s
            outcome = await self._hub.held.hold(stream.waiting_start, name, "start", deadline - clock())
            _go_on(outcome, "the stream is starting")

    # -- media ---------------------------------------------------------------------------------------------

    async def file(self, request: web.Request) -> web.Response:
        """`/live/NAME/RENDITION/FILE`: an init section, a part or a segment."""
        stream = self._stream(request)
        name = request.match_info["file"]
        deadline: float | None = None
        clock = asyncio.get_running_loop().time
        while True:
            rendition, found = stream.find(request.match_info["rendition"], name)
            if rendition is not None and isinstance(found, Found):
                response = _media(request, rendition, found, name)
                if deadline is not None:
                    response[PUBLISHED] = rendition.published
                return response
            if rendition is None or not isinstance(found, HintedName):
                break
            # 6.2.6: a hinted file is answered when it is there
            if deadline is None:
                deadline = clock() + HINT_TARGETS * stream.target_duration_s
            outcome = await self._hub.held.hold(rendition.waiting_files, name, "file", deadline - clock())
            _go_on(outcome, "the file was not published in time")
        # Rules 67, 68, 119: what is unknown or a GAP is refused at once. What is gone never comes back (rule 147);
        # any other name may still be published, so that its refusal is not cached (rule 149).
        if isinstance(found, Gone):
            raise ErrorReply(404, "the file is gone", cache_control=shared(stream.target_duration_s))
        raise ErrorReply(404, "no such file")

    async def still(self, request: web.Request) -> web.Response:
        """`/live/NAME/thumb.jpg`, `/live/NAME/thumb.webp`: what the stream showed a few seconds ago."""
        body = self._stream(request).stills.find(request.match_info["still"])
        if body is None:
            raise ErrorReply(404, "there is no picture of the stream")
        return respond(request, body, STILL_CACHE_CONTROL)

    # -- pages, listings, health ---------------------------------------------------------------------------

    async def list_page(self, request: web.Request) -> web.Response:
        """`/`"""
        return self._asset(request, "index.html")

    async def player_page(self, request: web.Request) -> web.Response:
        """`/live/NAME/`: the same page for every stream; it says itself when the stream is not live."""
        return self._asset(request, "player.html")

    async def to_player_page(self, request: web.Request) -> web.Response:
        """`/live/NAME`: the page's links are relative to the folder."""
        headers = {"Location": f"{request.match_info['name']}/", "Cache-Control": assets.CACHE_CONTROL}
        return web.Response(status=308, headers=headers)

    async def asset(self, request: web.Request) -> web.Response:
        """`/assets/FILE`"""
        return self._asset(request, request.match_info["file"])

    def _asset(self, request: web.Request, name: str) -> web.Response:
        asset = self._pages.get(name)
        if asset is None:
            raise ErrorReply(404, f"{name} is not installed" if name.startswith("vendor/") else "no such file")
        return respond(request, asset.body(compressed=accepts_gzip(request)), assets.CACHE_CONTROL)

    async def streams(self, request: web.Request) -> web.Response:
        """`/streams.json`: who is live or about to be."""
        streams = [stream.summary() for stream in self._hub.streams() if stream.state is not StreamState.ENDED]
        compressed = accepts_gzip(request)
        body = text_body(json.dumps({"streams": streams}) + "\n", "application/json", compressed=compressed)
        return respond(request, body, shared(1))

    async def healthz(self, request: web.Request) -> web.Response:
        """`/healthz`: the process answers."""
        return web.Response(text="ok\n", headers={"Cache-Control": "no-store"})

    async def readyz(self, request: web.Request) -> web.Response:
        """`/readyz`: new viewers may be sent here."""
        if not self.ready:
            raise ErrorReply(503, _DRAINING)
        return web.Response(text="ready\n", headers={"Cache-Control": "no-store"})

    def _stream(self, request: web.Request) -> LiveStream:
        stream = self._hub.stream(request.match_info["name"])
        if stream is None:
            raise ErrorReply(404, "no such stream")
        return stream


def _go_on(outcome: Outcome, late: str) -> None:
    """Whether a request goes on after it was held. Raises ErrorReply 503 when it does not."""
    if outcome is Outcome.WOKEN:
        return
    reason = {Outcome.DRAINING: _DRAINING, Outcome.FULL: "too many requests are held"}.get(outcome, late)
    # Never cached (rule 148): the same URL is good a moment later.
    raise ErrorReply(503, reason, retry_after_s=RETRY_AFTER_S)


def _playlist_life(ask: Directives, rendition: LiveRendition) -> str:
    """Appendix B.1: six target durations for a blocking request, half a one for others.

    A request for a position that is long past names no version of the playlist, so it counts with the others.
    An ended playlist may give way to a new stream of the same name.
    """
    position = rendition.position
    blocking = ask.msn is not None and ask.msn >= position.last_msn and not position.ended
    return shared(position.target_duration * (6 if blocking else 0.5))


def _media(request: web.Request, rendition: LiveRendition, found: Found, name: str) -> web.Response:
    data = found.data[0] if len(found.data) == 1 else b"".join(found.data)
    # A name never means other bytes, so it is its own validator.
    body = Body(data, rendition.mime(found.kind), f'"{name}"')
    return respond(request, body, immutable(found.available_s), ranges=True)
