"""The edge before origins that are not ours: a folder of plain files, and parts that are ranges of growing files."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web
from prometheus_client import CollectorRegistry

from headwater.config.settings import Edge
from headwater.edge.app import EdgeServer

PARTS = 4
PART_BYTES = 1_000


def write(path: Path, text: str | bytes) -> None:
    """As packagers do: the file is replaced in one step."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(text if isinstance(text, bytes) else text.encode())
    os.replace(fresh, path)


def vod(uris: list[str], *, ended: bool = True, first: int = 0) -> str:
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:2", f"#EXT-X-MEDIA-SEQUENCE:{first}"]
    lines += [line for uri in uris for line in ("#EXTINF:2,", uri)]
    return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if ended else [])]) + "\n"


@asynccontextmanager
async def edge_before(app: web.Application, **settings: object) -> AsyncIterator[aiohttp.ClientSession]:
    """A client whose base URL is an edge in front of `app`."""
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    options = Edge.model_validate({**settings, "http": {"host": "127.0.0.1", "port": 0}})
    edge = EdgeServer(options, f"http://127.0.0.1:{runner.addresses[0][1]}", CollectorRegistry())
    try:
        await edge.start()
        async with aiohttp.ClientSession(f"http://127.0.0.1:{edge.port}") as client:
            yield client
    finally:
        await edge.close()
        await runner.cleanup()


def folder(path: Path) -> web.Application:
    app = web.Application()
    app.router.add_static("/", path)
    return app


async def get(client: aiohttp.ClientSession, path: str, **headers: str) -> tuple[int, bytes, dict[str, str]]:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    async with client.get(path, headers=fields) as response:
        body = await response.read()
        return response.status, body, {name.lower(): value for name, value in response.headers.items()}


async def test_a_folder_of_a_finished_show(tmp_path: Path) -> None:
    write(tmp_path / "index.m3u8", vod(["a.ts", "b.ts"]))
    write(tmp_path / "a.ts", b"a" * 100_000)
    async with edge_before(folder(tmp_path)) as client:
        status, body, headers = await get(client, "/index.m3u8")
        assert (status, body) == (200, (tmp_path / "index.m3u8").read_bytes())
        assert headers["access-control-allow-origin"] == "*"
        status, body, headers = await get(client, "/a.ts")
        assert (status, len(body)) == (200, 100_000)
        assert "etag" in headers
        status, body, again = await get(client, "/a.ts", Range="bytes=10-19")
        assert (status, body, again["content-range"]) == (206, b"a" * 10, "bytes 10-19/100000")
        assert again["cache-status"].startswith("edge; hit")
        assert (await get(client, "/a.ts", If_None_Match=headers["etag"]))[0] == 304
        assert (await get(client, "/a.ts", Range="bytes=100000-"))[0] == 416
        assert (await get(client, "/b.ts"))[0] == 404
        write(tmp_path / "b.ts", b"b")
        await asyncio.sleep(0.6)
        assert (await get(client, "/b.ts"))[:2] == (200, b"b"), "a 404 is forgotten within a part's time"


async def test_a_show_in_one_file_larger_than_an_object_may_be(tmp_path: Path) -> None:
    ranges = [f"#EXT-X-BYTERANGE:100000@{at}\nall.mp4" for at in range(0, 2_000_000, 100_000)]
    write(tmp_path / "index.m3u8", vod(ranges))
    media = os.urandom(2_000_000)
    write(tmp_path / "all.mp4", media)
    async with edge_before(folder(tmp_path), object_bytes=500_000, cache_bytes=5_000_000) as client:
        assert (await get(client, "/index.m3u8"))[0] == 200
        answers = await asyncio.gather(
            *(get(client, "/all.mp4", Range=f"bytes={at}-{at + 99_999}") for at in range(0, 2_000_000, 100_000))
        )
        assert {status for status, _, _ in answers} == {206}
        assert b"".join(body for _, body, _ in answers) == media
        assert answers[1][2]["content-range"] == "bytes 100000-199999/2000000"
        assert (await get(client, "/all.mp4", Range="bytes=2000000-"))[0] == 416
        whole = [await get(client, "/all.mp4") for _ in range(2)]
        assert [(status, body == media) for status, body, _ in whole] == [(200, True)] * 2, "it passes through"
        assert whole[1][2]["cache-status"] == "edge; fwd=miss", "and is not kept"


async def test_a_live_folder_without_low_latency(tmp_path: Path) -> None:
    write(tmp_path / "index.m3u8", vod(["s1.ts"], ended=False, first=1))
    write(tmp_path / "s1.ts", b"1")
    async with edge_before(folder(tmp_path)) as client:
        assert b"s1.ts" in (await get(client, "/index.m3u8"))[1]
        write(tmp_path / "index.m3u8", vod(["s1.ts", "s2.ts"], ended=False, first=1))
        write(tmp_path / "s2.ts", b"2")
        assert b"s2.ts" not in (await get(client, "/index.m3u8?_HLS_msn=2"))[1], "fresh for half a target duration"
        await asyncio.sleep(1.1)
        assert b"s2.ts" in (await get(client, "/index.m3u8"))[1]
        assert (await get(client, "/s2.ts"))[:2] == (200, b"2")


class Growing:
    """An LL-HLS origin whose parts are ranges of one growing file per segment."""

    def __init__(self) -> None:
        self.parts = 1
        self.media = os.urandom(PARTS * PART_BYTES * 3)
        self.changed = asyncio.Event()
        self.asked: list[str | None] = []

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/index.m3u8", self._playlist)
        app.router.add_get("/s{msn}.mp4", self._file)
        return app

    def step(self) -> None:
        self.parts += 1
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()

    async def _playlist(self, request: web.Request) -> web.Response:
        if "_HLS_msn" in request.query:
            place = int(request.query["_HLS_msn"]) * PARTS + int(request.query.get("_HLS_part", PARTS - 1))
            while self.parts <= place:
                await self.changed.wait()
        lines = [
            "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:2\n#EXT-X-PART-INF:PART-TARGET=0.5",
            "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.5\n#EXT-X-MEDIA-SEQUENCE:0",
        ]
        for part in range(self.parts):
            at = part % PARTS * PART_BYTES
            lines.append(f'#EXT-X-PART:DURATION=0.5,URI="s{part // PARTS}.mp4",BYTERANGE="{PART_BYTES}@{at}"')
            if part % PARTS == PARTS - 1:
                lines.append(f"#EXTINF:2.0,\ns{part // PARTS}.mp4")
        msn, part = divmod(self.parts, PARTS)
        lines.append(f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="s{msn}.mp4",BYTERANGE-START={part * PART_BYTES}')
        return web.Response(text="\n".join(lines) + "\n", content_type="application/vnd.apple.mpegurl")

    def published(self, msn: int) -> bytes:
        """What there is of segment `msn`."""
        size = max(0, min(PARTS, self.parts - msn * PARTS)) * PART_BYTES
        return self.media[msn * PARTS * PART_BYTES :][:size]

    async def _file(self, request: web.Request) -> web.Response:
        self.asked.append(request.headers.get("Range"))
        data = self.published(int(request.match_info["msn"]))
        wanted = request.http_range
        start = wanted.start or 0
        if start >= len(data):
            return web.Response(status=416, headers={"Content-Range": f"bytes */{len(data)}"})
        if request.headers.get("Range") is None:
            return web.Response(body=data, content_type="video/mp4")
        body = data[start : wanted.stop]
        field = f"bytes {start}-{start + len(body) - 1}/*"
        return web.Response(status=206, body=body, content_type="video/mp4", headers={"Content-Range": field})


async def test_parts_that_are_ranges_of_a_growing_file() -> None:
    origin = Growing()
    got = b""
    async with edge_before(origin.app()) as client:
        assert (await get(client, "/index.m3u8"))[0] == 200
        for part in range(2 * PARTS):
            msn, index = divmod(part, PARTS)
            path, text = f"/s{msn}.mp4", f"bytes={index * PART_BYTES}-{(index + 1) * PART_BYTES - 1}"
            answers = await asyncio.gather(*(get(client, path, Range=text) for _ in range(5)))
            assert {status for status, _, _ in answers} == {206}
            assert len({body for _, body, _ in answers}) == 1
            got += answers[0][1]
            following, place = divmod(part + 1, PARTS)
            async with asyncio.TaskGroup() as group:
                held = group.create_task(get(client, f"/index.m3u8?_HLS_msn={following}&_HLS_part={place}"))
                await asyncio.sleep(0.02)
                origin.step()
            assert f's{following}.mp4",BYTERANGE="{PART_BYTES}@{place * PART_BYTES}"'.encode() in held.result()[1]
        assert got == origin.media[: 2 * PARTS * PART_BYTES]
        whole = await get(client, "/s0.mp4")
        assert whole[1] == origin.published(0), "for players without parts"
        assert len(origin.asked) == 2 * PARTS, "one request per part; for the last of a segment, the whole of it"
