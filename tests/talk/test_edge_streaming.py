"""Answers that go to viewers while they come: a real slow upstream, real sockets, bytes seen when they arrive."""

from __future__ import annotations

import asyncio
import contextlib
import os

import pytest
from aiohttp import web
from tests.edge_house import House, Peer, on_both_loops, until

MEDIA = os.urandom(400_000)
HALF = 200_000
TAG = '"v1"'


class SlowUpstream:
    """Sends half of `MEDIA`, waits for `go`, sends the rest; or breaks off `breaks` times. Knows If-Range."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.hits: list[tuple[str, str | None]] = []
        self.left = 0
        self.base = ""
        self.fields: dict[str, str] = {"Cache-Control": "max-age=60"}
        self.known_length = True
        self.breaks = 0
        self._runner: web.AppRunner | None = None

    async def start(self) -> SlowUpstream:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.base = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        asked = request.headers.get("Range")
        self.hits.append((request.path, asked))
        media = MEDIA * 100 if request.path == "/huge.mp4" else MEDIA
        response = web.StreamResponse(headers={"Content-Type": "video/mp4", **self.fields})
        if asked is not None and request.headers.get("If-Range") == TAG:
            first, last = (int(text) for text in asked.removeprefix("bytes=").split("-"))
            response.set_status(206)
            response.headers["Content-Range"] = f"bytes {first}-{last}/{len(media)}"
            media = media[first : last + 1]
        if self.known_length:
            response.content_length = len(media)
        await response.prepare(request)
        try:
            await response.write(media[:HALF])
            if self.breaks:
                await self.go.wait()
                self.breaks -= 1
                assert request.transport is not None
                request.transport.abort()
                return response
            if response.status == 200:
                await self.go.wait()
            for at in range(HALF, len(media), HALF):
                await response.write(media[at : at + HALF])
            await response.write_eof()
        except (asyncio.CancelledError, ConnectionError):
            self.left += 1
            raise
        return response


def slow(house: House) -> SlowUpstream:
    upstream = SlowUpstream()
    house.upstream = upstream  # type: ignore[assignment]
    return upstream


async def head_of(peer: Peer) -> tuple[int, dict[str, str]]:
    lines = (await peer.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines[1:] if line)
    return int(lines[0].split(" ")[1]), {name.lower(): value for name, value in fields.items()}


async def chunks(peer: Peer, least: int) -> bytes:
    """Chunks until there are `least` bytes, or the last one came."""
    got = b""
    while len(got) < least:
        size = int(await peer.reader.readline(), 16)
        got += await peer.reader.readexactly(size)
        assert await peer.reader.readexactly(2) == b"\r\n"
        if not size:
            break
    return got


@on_both_loops
async def test_bytes_arrive_before_the_upstream_has_them_all(house: House) -> None:
    upstream = slow(house)
    first, late = await house.peer(), await house.peer()
    first.get("/a.mp4")
    status, fields = await head_of(first)
    assert (status, fields["content-length"]) == (200, str(len(MEDIA)))
    assert fields["cache-status"] == "edge; fwd=miss"
    assert await first.reader.readexactly(HALF) == MEDIA[:HALF]
    late.get("/a.mp4")
    late.get("/healthz")
    status, fields = await head_of(late)
    assert fields["cache-status"] == "edge; fwd=miss; collapsed"
    assert await late.reader.readexactly(HALF) == MEDIA[:HALF], "what is there comes at once"
    ranged = await house.peer()
    ranged.get("/a.mp4", "Range: bytes=100-300099")
    status, fields = await head_of(ranged)
    assert (status, fields["content-range"]) == (206, "bytes 100-300099/400000")
    assert await ranged.reader.readexactly(HALF - 100) == MEDIA[100:HALF]
    same = await (await house.peer()).ask("/a.mp4", method="HEAD")
    assert same.headers["content-length"] == str(len(MEDIA))
    assert house.metric("headwater_edge_fills") == 1
    upstream.go.set()
    for peer in (first, late):
        assert await peer.reader.readexactly(len(MEDIA) - HALF) == MEDIA[HALF:]
    assert await ranged.reader.readexactly(300_100 - HALF) == MEDIA[HALF:300_100]
    assert b"alive" in (await late.answer()).body, "what was asked for behind it"
    again = await first.ask("/a.mp4")
    assert (again.headers["cache-status"], again.body == MEDIA) == ("edge; hit", True)
    assert upstream.hits == [("/a.mp4", None)], "one upstream request"
    assert house.metric("headwater_edge_fills_streamed_total") == 1
    assert house.metric("headwater_edge_fills_joined_total") == 3
    assert house.metric("headwater_edge_fills_bytes_total") == len(MEDIA)


@on_both_loops
async def test_without_a_length_it_is_chunked_or_ends_with_the_connection(house: House) -> None:
    upstream = slow(house)
    upstream.known_length = False
    new, old = await house.peer(), await house.peer()
    new.get("/a.mp4")
    _, fields = await head_of(new)
    assert fields["transfer-encoding"] == "chunked"
    assert "content-length" not in fields
    got = await chunks(new, HALF)
    old.send("GET /a.mp4 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    _, fields = await head_of(old)
    assert fields["connection"] == "close"
    assert not fields.keys() & {"transfer-encoding", "content-length"}
    assert await old.reader.readexactly(HALF) == MEDIA[:HALF]
    upstream.go.set()
    assert got + await chunks(new, len(MEDIA)) == MEDIA
    assert await old.reader.read() == MEDIA[HALF:]
    assert (await new.ask("/a.mp4")).body == MEDIA, "the connection goes on"


@on_both_loops
async def test_what_breaks_off_never_looks_whole(house: House) -> None:
    upstream = slow(house)
    upstream.breaks = 2
    sized = await house.peer()
    sized.get("/sized.mp4")
    await head_of(sized)
    await sized.reader.readexactly(HALF)
    upstream.known_length = False
    new, old = await house.peer(), await house.peer()
    new.get("/a.mp4")
    await head_of(new)
    got = await chunks(new, HALF)
    old.send("GET /a.mp4 HTTP/1.0\r\n\r\n")
    await head_of(old)
    await old.reader.readexactly(HALF)
    upstream.go.set()
    assert await sized.reader.read() == b"", "closed short of its length"
    assert got == MEDIA[:HALF]
    assert await new.reader.read() == b"", "closed without the last chunk"
    with pytest.raises(ConnectionResetError):
        await old.reader.read()
    assert house.metric("headwater_edge_fills_broken_total", reason="reset") == 2
    assert house.metric("headwater_edge_store_objects") == 0
    assert (await (await house.peer()).ask("/sized.mp4", method="HEAD")).status == 200


@on_both_loops
async def test_what_breaks_off_is_resumed_with_a_range(house: House) -> None:
    upstream = slow(house)
    upstream.breaks, upstream.fields["ETag"] = 1, TAG
    peers = [await house.peer() for _ in range(3)]
    for peer in peers:
        peer.get("/a.mp4")
        await head_of(peer)
    got = [await peer.reader.readexactly(HALF) for peer in peers]
    upstream.go.set()
    for peer, part in zip(peers, got, strict=True):
        assert part + await peer.reader.readexactly(len(MEDIA) - HALF) == MEDIA
    assert [asked for _, asked in upstream.hits] == [None, f"bytes={HALF}-{len(MEDIA) - 1}"]
    assert (await peers[0].ask("/a.mp4")).headers["cache-status"] == "edge; hit"
    assert house.metric("headwater_edge_fills_resumed_total") == 1


@on_both_loops
async def test_a_reader_that_stops_is_cut_and_disturbs_nobody(house: House) -> None:
    upstream = slow(house)
    await house.edge(object_bytes=4_000_000, cache_bytes=5_000_000, write_high_bytes=65_536, write_stall_s=0.5)
    stuck, quick = await house.peer(), await house.peer()
    for peer in (stuck, quick):
        peer.get("/huge.mp4")
        await head_of(peer)
    upstream.go.set()
    for _ in range(100):
        assert await quick.reader.readexactly(len(MEDIA)) == MEDIA
    await until(lambda: house.metric("headwater_edge_slow_readers_closed_total") == 1)
    with contextlib.suppress(ConnectionResetError):
        assert len(await stuck.reader.read()) < 100 * len(MEDIA)
    assert house.metric("headwater_edge_store_objects") == 0
    assert len(upstream.hits) == 1


@on_both_loops
async def test_viewers_who_leave_end_only_what_nobody_wants(house: House) -> None:
    upstream = slow(house)
    upstream.fields["Cache-Control"] = "no-store"
    first, second = await house.peer(), await house.peer()
    for peer in (first, second):
        peer.get("/a.mp4")
        await head_of(peer)
    first.close()
    second.get("/healthz")
    assert await second.reader.readexactly(HALF) == MEDIA[:HALF]
    await asyncio.sleep(0.2)
    assert upstream.left == 0
    second.close()
    await until(lambda: upstream.left == 1)
    await until(lambda: house.metric("headwater_edge_fills") == 0)
    assert house.metric("headwater_edge_fills_broken_total", reason="unwanted") == 1


@on_both_loops
async def test_a_viewer_who_sends_no_more_is_still_sent_what_has_begun(house: House) -> None:
    upstream = slow(house)
    upstream.go.set()
    peer = await house.peer()
    peer.get("/huge.mp4", "Connection: close")
    await head_of(peer)
    await until(lambda: house.metric("headwater_edge_fills") == 0)
    peer.writer.write_eof()
    for _ in range(100):
        assert await peer.reader.readexactly(len(MEDIA)) == MEDIA
    assert await peer.ended()


@on_both_loops
async def test_an_upstream_that_stalls_is_given_up(house: House) -> None:
    upstream = slow(house)
    await house.edge(upstream_stall_s=0.3)
    peer = await house.peer()
    peer.get("/a.mp4")
    await head_of(peer)
    assert await peer.reader.read() == MEDIA[:HALF]
    assert house.metric("headwater_edge_fills_broken_total", reason="timeout") == 1
    await until(lambda: upstream.left == 1)
