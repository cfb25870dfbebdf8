"""[edge.freshness] in an edge on real sockets."""

from __future__ import annotations

from aiohttp import web
from tests.edge_house import House, on_both_loops


@on_both_loops
async def test_settings_reach_what_is_kept(house: House) -> None:
    edge = await house.edge(
        freshness={"other": {"least_s": 600, "negative_s": 600}, "vary_ignored": ["User-Agent"], "mark_s": 0.001}
    )
    house.upstream.files["/poster.jpg"] = lambda: web.Response(
        body=b"picture", content_type="image/jpeg", headers={"Cache-Control": "max-age=0", "Vary": "User-Agent"}
    )
    peer = await house.peer(edge)
    for _ in range(3):
        answer = await peer.ask("/poster.jpg")
        assert (answer.status, answer.headers["vary"]) == (200, "User-Agent")
        assert (await peer.ask("/robots.txt")).status == 404
    assert answer.headers["cache-status"] == "edge; hit"
    assert house.upstream.count("/poster.jpg") == house.upstream.count("/robots.txt") == 1


@on_both_loops
async def test_what_varies_is_fetched_for_each(house: House) -> None:
    edge = await house.edge()
    house.upstream.files["/a.jpg"] = lambda: web.Response(
        body=b"x", content_type="image/jpeg", headers={"Cache-Control": "max-age=60", "Vary": "Accept-Language"}
    )
    peer = await house.peer(edge)
    for _ in range(3):
        assert (await peer.ask("/a.jpg")).status == 200
    assert house.upstream.count("/a.jpg") == 3
    assert house.metric("headwater_edge_hit_for_miss_marked_total", reason="vary") == 1
    assert house.metric("headwater_edge_hit_for_miss") == 1
    assert house.metric("headwater_edge_requests_total", outcome="pass") == 2
