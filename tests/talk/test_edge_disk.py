"""An edge with a disk tier on real sockets and a real directory: segments that fell out of memory, over restarts."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web
from tests.edge_house import House, on_both_loops, until

from headwater.config.edgerole import EdgeRole
from headwater.config.running import StartError
from headwater.config.settings import Settings
from headwater.edge.app import EdgeServer
from headwater.edge.diskformat import name_of
from headwater.edge.purge import Order, What

BODY = b"segment " * 4_000
SMALL = 150_000
"""Memory for four of them."""


def segments(house: House, count: int = 12) -> None:
    for number in range(count):
        house.upstream.files[f"/vod/s{number}.m4s"] = lambda: web.Response(
            body=BODY, content_type="video/mp4", headers={"Cache-Control": "max-age=600", "ETag": '"1"'}
        )


async def edge_on(house: House, folder: Path) -> EdgeServer:
    return await house.edge(
        cache_bytes=SMALL,
        object_bytes=SMALL,
        disk={"dir": str(folder), "bytes": 10_000_000, "max_object_bytes": 100_000},
    )


@on_both_loops
async def test_what_fell_out_of_memory_comes_from_the_disk_also_after_a_restart(house: House, tmp_path: Path) -> None:
    edge = await edge_on(house, tmp_path)
    segments(house)
    peer = await house.peer(edge)
    for number in range(12):
        assert (await peer.ask(f"/vod/s{number}.m4s")).body == BODY
    await until(lambda: house.metric("headwater_edge_disk_writes_total") == 8)
    answer = await peer.ask("/vod/s0.m4s")
    assert (answer.status, answer.body) == (200, BODY)
    assert answer.headers["cache-status"] == "edge; hit"
    assert answer.headers["via"] == "1.1 edge"
    assert house.upstream.count("/vod/s0.m4s") == 1
    assert house.metric("headwater_edge_disk_hits_total") == 1
    assert (await peer.ask("/vod/s1.m4s", "Range: bytes=0-6")).body == b"segment"
    fetched = house.metric("headwater_edge_upstream_fetches_total", purpose="object", result="2xx")
    assert fetched == 12, "reads are no fetches"
    await edge.close()
    again = await edge_on(house, tmp_path)
    peer = await house.peer(again)
    assert (await peer.ask("/vod/s2.m4s")).body == BODY
    assert house.upstream.count("/vod/s2.m4s") == 1
    path = tmp_path / name_of("/vod/s3.m4s")
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert (await peer.ask("/vod/s3.m4s")).body == BODY
    assert house.upstream.count("/vod/s3.m4s") == 2, "corrupt: fetched anew"
    assert house.metric("headwater_edge_disk_drops_total", reason="corrupt") == 1


@on_both_loops
async def test_a_purge_reaches_the_disk(house: House, tmp_path: Path) -> None:
    edge = await edge_on(house, tmp_path)
    segments(house)
    peer = await house.peer(edge)
    for number in range(12):
        await peer.ask(f"/vod/s{number}.m4s")
    await until(lambda: house.metric("headwater_edge_disk_writes_total") == 8)
    purged = edge.purge(Order(What.PREFIX, "/vod/"))
    assert purged is not None
    assert (purged.objects, purged.disk) == (4, 8)
    assert (await peer.ask("/vod/s0.m4s")).body == BODY
    assert house.upstream.count("/vod/s0.m4s") == 2
    assert house.metric("headwater_edge_disk_objects") == 0
    assert house.metric("headwater_edge_purged_total", kind="prefix") == 12


@on_both_loops
async def test_many_viewers_of_one_object_are_one_read(house: House, tmp_path: Path) -> None:
    edge = await edge_on(house, tmp_path)
    segments(house)
    peers = [await house.peer(edge) for _ in range(20)]
    for number in range(12):
        await peers[0].ask(f"/vod/s{number}.m4s")
    await until(lambda: house.metric("headwater_edge_disk_writes_total") == 8)
    for peer in peers:
        peer.get("/vod/s0.m4s")
    assert {(await peer.answer()).body for peer in peers} == {BODY}
    assert house.metric("headwater_edge_disk_hits_total") == 1
    assert house.upstream.count("/vod/s0.m4s") == 1


async def test_a_directory_that_is_unusable_ends_the_start_with_one_line(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    settings = Settings.model_validate(
        {
            "edge": {
                "upstream": "http://127.0.0.1:9",
                "http": {"port": 0},
                "admin": {"port": 0},
                "disk": {"dir": str(file)},
            }
        }
    )
    with pytest.raises(StartError) as caught:
        await EdgeRole(settings).start()
    assert caught.value.code == 2
    assert str(caught.value) == f"edge.disk.dir: {file}: File exists"
