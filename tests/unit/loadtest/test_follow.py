"""The part client against a small origin on real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace

import aiohttp
import pytest
from aiohttp import web
from tests.edge_kit import PARTS, LiveUpstream, body_of

from headwater.loadtest.follow import FollowError, PartFollower, ReceivedPart
from headwater.origin.hls.model import MediaPlaylist
from headwater.origin.hls.writer import render

LIST = "/live/x/v/index.m3u8"


@pytest.fixture
async def upstream() -> AsyncIterator[LiveUpstream]:
    upstream = await LiveUpstream().start()
    yield upstream
    await upstream.close()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def take(follower: PartFollower, upstream: LiveUpstream, count: int) -> list[ReceivedPart]:
    """The next `count` parts; the upstream publishes one whenever the client holds a reload."""
    received: list[ReceivedPart] = []
    async with aclosing(follower.parts()) as parts:  # type: ignore[type-var]
        while len(received) < count:
            reloads = upstream.count("_HLS_msn")
            waiting = asyncio.ensure_future(anext(parts))
            while not waiting.done():
                if upstream.count("_HLS_msn") > reloads:
                    reloads = upstream.count("_HLS_msn")
                    upstream.step()
                await asyncio.sleep(0.001)
            received.append(await waiting)
    return received


@pytest.mark.parametrize("hints", [True, False])
async def test_every_part_in_order_across_segments(
    upstream: LiveUpstream, session: aiohttp.ClientSession, hints: bool
) -> None:
    start = upstream.stream.msn - 1
    follower = PartFollower(session, upstream.base + LIST, hints=hints)
    received = await take(follower, upstream, 3 * PARTS)
    assert [(part.msn, part.index) for part in received] == [(start + n // PARTS, n % PARTS) for n in range(3 * PARTS)]
    for part in received:
        assert part.download is not None
        assert part.download.body == body_of(part.part.uri)
        assert part.download.first_byte <= part.download.last_byte
        assert upstream.count(f"/{part.part.uri}") == 1


async def test_a_hinted_part_is_asked_for_before_it_exists(
    upstream: LiveUpstream, session: aiohttp.ClientSession
) -> None:
    follower = PartFollower(session, upstream.base + LIST)
    hinted = upstream.stream.name
    async with aclosing(follower.parts()) as parts:  # type: ignore[type-var]
        for _ in range(PARTS):
            await anext(parts)
        coming = asyncio.ensure_future(anext(parts))
        while not (upstream.count(hinted) and upstream.count("_HLS_msn")):  # noqa: ASYNC110  # kept simple: both, soon
            await asyncio.sleep(0.001)
        upstream.step()
        assert (await coming).part.uri == hinted
    assert upstream.count(hinted) == 1


async def test_the_init_section(upstream: LiveUpstream, session: aiohttp.ClientSession) -> None:
    follower = PartFollower(session, upstream.base + LIST)
    assert await follower.init() == body_of("init.mp4")
    assert follower.playlist is not None
    assert follower.playlist.last_msn == upstream.stream.msn - 1


async def test_the_end_of_the_stream_ends_it(upstream: LiveUpstream, session: aiohttp.ClientSession) -> None:
    upstream.stream.ended = True
    follower = PartFollower(session, upstream.base + LIST)
    assert len([part async for part in follower.parts()]) == PARTS


async def test_a_gap_has_no_download(upstream: LiveUpstream, session: aiohttp.ClientSession) -> None:
    upstream.stream.ended = True
    last = upstream.stream.closed[-1]
    parts = (replace(last.parts[0], gap=True), *last.parts[1:])
    upstream.stream.closed[-1] = replace(last, parts=parts)
    received = [part async for part in PartFollower(session, upstream.base + LIST).parts()]
    assert [part.download is None for part in received] == [True, False, False, False]


async def test_a_status_is_an_error(upstream: LiveUpstream, session: aiohttp.ClientSession) -> None:
    with pytest.raises(FollowError, match=r"404 .*nowhere"):
        await PartFollower(session, upstream.base + "/nowhere").reload()


def frozen(model: MediaPlaylist) -> web.Response:
    return web.Response(text=render(model))


async def test_an_answer_without_what_was_waited_for_is_an_error(
    upstream: LiveUpstream, session: aiohttp.ClientSession
) -> None:
    model = replace(upstream.stream.model, hints=())
    upstream.files["/frozen/index.m3u8"] = lambda: frozen(model)
    for part in model.segments[-1].parts:
        upstream.files[f"/frozen/{part.uri}"] = lambda: web.Response(body=b"x")
    follower = PartFollower(session, upstream.base + "/frozen/index.m3u8")
    with pytest.raises(FollowError, match="_HLS_msn=109&_HLS_part=0"):
        async for _ in follower.parts():
            pass


async def test_a_playlist_that_ran_away_is_an_error(upstream: LiveUpstream, session: aiohttp.ClientSession) -> None:
    follower = PartFollower(session, upstream.base + LIST)
    async with aclosing(follower.parts()) as parts:  # type: ignore[type-var]
        for _ in range(PARTS):
            await anext(parts)
        upstream.step(PARTS * (upstream.stream.window + 2))
        with pytest.raises(FollowError, match="left the playlist"):
            await anext(parts)
