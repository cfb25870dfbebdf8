"""What viewers are answered whatever they speak: HTTP/1.1, HTTP/1.1 over TLS, HTTP/2 (rules 80-101, 155, 160, 161)."""

from __future__ import annotations

import asyncio
import gzip
from typing import cast

import pytest
from aiohttp import web
from prometheus_client import generate_latest
from tests.edge_house import LIST, House, on_all_fronts, until, waiting
from tests.edge_kit import body_of
from tests.h2_kit import Http2Peer


@on_all_fronts
async def test_a_playlist_a_part_and_a_second_look(house: House) -> None:
    peer = await house.peer()
    first = await peer.ask(LIST)
    assert first.status == 200
    assert first.body.decode() == house.upstream.stream.text()
    assert first.headers["content-type"].startswith("application/vnd.apple.mpegurl")
    assert first.headers["cache-control"] == "max-age=2"
    name = house.upstream.stream.closed[-1].parts[-1].uri
    part = await peer.ask(f"/live/x/v/{name}")
    assert part.body == body_of(name)
    again = await peer.ask(f"/live/x/v/{name}")
    assert again.headers["cache-status"] == "edge; hit"
    assert house.upstream.count(name) == 1


@on_all_fronts
async def test_rule_160_many_viewers_are_one_upstream_request(house: House) -> None:
    edge = await house.edge(backlog=2_048)
    stream = house.upstream.stream
    assert (await (await house.peer()).ask(LIST)).status == 200
    many = 1_000 if house.front == "http1" else 100  # handshakes of both sides in one process
    peers = [await house.peer(edge) for _ in range(many)]
    target = f"{LIST}?_HLS_msn={stream.msn}&_HLS_part=0"
    hinted = f"/live/x/v/{stream.name}"
    for number, peer in enumerate(peers):
        peer.get(target if number % 2 else hinted)
    await until(waiting(house)(many))
    house.upstream.step()
    answers = await asyncio.gather(*(peer.answer() for peer in peers))
    assert {answer.status for answer in answers} == {200}
    assert {answer.headers["age"] for answer in answers} == {"0"}
    assert {answer.body for answer in answers[1::2]} == {stream.text().encode()}
    assert house.upstream.count(f"_HLS_msn={stream.msn}&_HLS_part=0") == 1
    assert house.upstream.count(hinted) == 1
    assert house.metric("headwater_edge_woken_total") == many / 2


@on_all_fronts
async def test_a_viewer_that_leaves_frees_its_place(house: House) -> None:
    peer = await house.peer()
    stream = house.upstream.stream
    await peer.ask(LIST)
    peer.get(f"{LIST}?_HLS_msn={stream.msn}&_HLS_part=0")
    await until(waiting(house)(1))
    peer.close()
    await until(waiting(house)(0))


@on_all_fronts
async def test_head_has_the_length_and_no_content(house: House) -> None:
    peer = await house.peer()
    full = await peer.ask(LIST)
    head = await peer.ask(LIST, method="HEAD")
    assert head.headers["content-length"] == str(len(full.body))
    assert (await peer.ask("/healthz")).status == 200


@on_all_fronts
async def test_rule_155_cors_on_everything(house: House) -> None:
    peer = await house.peer()
    preflight = await peer.ask("/any", "Origin: https://a", "Access-Control-Request-Method: GET", method="OPTIONS")
    assert preflight.status == 204
    assert "Range" in preflight.headers["access-control-allow-headers"]
    answers = [await peer.ask(path) for path in (LIST, "/missing", f"{LIST}?_HLS_part=1", "/a%00")]
    assert [answer.status for answer in answers] == [200, 404, 400, 400]
    answers.append(await (await house.peer()).ask("/", "Content-Length: 0", method="POST"))
    for answer in [*answers, preflight]:
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "Age" in answer.headers["access-control-expose-headers"].split(", ")
    assert answers[-1].headers["allow"] == "GET, HEAD, OPTIONS"


@on_all_fronts
async def test_ranges_and_conditions(house: House) -> None:
    await house.edge()
    house.upstream.files["/a.mp4"] = lambda: web.Response(
        body=b"0123456789", content_type="video/mp4", headers={"ETag": '"v1"', "Cache-Control": "max-age=60"}
    )
    peer = await house.peer()
    middle = await peer.ask("/a.mp4", "Range: bytes=2-4")
    assert (middle.status, middle.body, middle.headers["content-range"]) == (206, b"234", "bytes 2-4/10")
    assert (await peer.ask("/a.mp4", "Range: bytes=-3")).body == b"789"
    beyond = await peer.ask("/a.mp4", "Range: bytes=10-")
    assert (beyond.status, beyond.headers["content-range"]) == (416, "bytes */10")
    same = await peer.ask("/a.mp4", 'If-None-Match: "v1"')
    assert (same.status, same.body) == (304, b"")
    assert (await peer.ask("/a.mp4", 'If-None-Match: "v2"')).status == 200
    assert house.upstream.count("/a.mp4") == 1


@on_all_fronts
async def test_gzip_for_who_accepts_it(house: House) -> None:
    peer = await house.peer()
    plain = await peer.ask(LIST)
    small = await peer.ask(LIST, "Accept-Encoding: gzip, br")
    assert small.headers["content-encoding"] == "gzip"
    assert gzip.decompress(small.body) == plain.body
    assert plain.headers["vary"] == small.headers["vary"] == "Accept-Encoding"
    assert "content-encoding" not in plain.headers


@on_all_fronts
async def test_a_held_request_outlives_the_idle_limit(house: House) -> None:
    await house.edge(header_s=0.1, idle_s=0.1)
    peer, other = await house.peer(), await house.peer()
    stream = house.upstream.stream
    peer.get(f"{LIST}?_HLS_msn={stream.msn}&_HLS_part=0")
    await until(waiting(house)(1))
    assert await other.ended()
    house.upstream.step()
    assert (await peer.answer()).status == 200


@on_all_fronts
async def test_a_slow_reader_that_reads_gets_everything(house: House) -> None:
    await house.edge(write_high_bytes=65_536)
    house.upstream.files["/big.mp4"] = lambda: web.Response(
        body=b"x" * 3_000_000, content_type="video/mp4", headers={"Cache-Control": "max-age=60"}
    )
    peer = await house.peer()
    for _ in range(3):
        peer.get("/big.mp4")
    peer.get("/healthz")
    assert [len((await peer.answer()).body) for _ in range(3)] == [3_000_000] * 3
    assert (await peer.answer()).status == 200


@on_all_fronts
async def test_an_upstream_that_is_not_there(house: House) -> None:
    await house.edge()
    await house.upstream.close()
    peer = await house.peer()
    playlist, part = await peer.ask(LIST), await peer.ask("/live/x/v/p1.m4s")
    assert (playlist.status, part.status) == (503, 502)
    assert playlist.headers["retry-after"] == "1"
    assert b"cannot be reached" in part.body
    assert (await peer.ask("/readyz")).status == 200


@on_all_fronts
async def test_an_upstream_that_comes_back_goes_on_for_held_viewers(house: House) -> None:
    peer = await house.peer()
    stream = house.upstream.stream
    await peer.ask(LIST)
    peer.get(f"{LIST}?_HLS_msn={stream.msn}")
    await until(waiting(house)(1))
    house.upstream.broken = True
    house.upstream.step()
    await until(lambda: house.metric("headwater_edge_upstream_fetches_total", purpose="playlist", result="5xx") > 0)
    assert (await (await house.peer()).ask(LIST)).headers["cache-status"] == "edge; fwd=stale; detail=upstream-failed"
    house.upstream.step(4)
    house.upstream.broken = False
    assert (await peer.answer()).body == stream.text().encode()


@on_all_fronts
async def test_drain_answers_held_viewers_and_ends_connections(house: House) -> None:
    edge = await house.edge()
    peer, idle = await house.peer(), await house.peer()
    stream = house.upstream.stream
    assert (await idle.ask(LIST)).status == 200
    peer.get(f"{LIST}?_HLS_msn={stream.msn}&_HLS_part=0")
    await until(waiting(house)(1))
    assert edge.ready
    await edge.drain()
    assert not edge.ready
    answer = await peer.answer()
    assert (answer.status, answer.headers.get("connection")) == (200, None if house.front == "h2" else "close")
    assert answer.body == stream.text().encode()
    assert await peer.ended()
    assert await idle.ended()
    with pytest.raises(ConnectionRefusedError):
        await house.peer()


@on_all_fronts
async def test_metrics_speak_of_what_happened(house: House) -> None:
    peer = await house.peer()
    stream = house.upstream.stream
    await peer.ask(LIST)
    await peer.ask(LIST)
    peer.get(f"{LIST}?_HLS_msn={stream.msn}&_HLS_part=0")
    await until(waiting(house)(1))
    house.upstream.step()
    await peer.answer()
    assert house.metric("headwater_edge_requests_total", outcome="hit") == 2
    assert house.metric("headwater_edge_requests_total", outcome="join") == 1
    assert house.metric("headwater_edge_followers") == 1
    assert house.metric("headwater_edge_wake_spread_seconds_count") == 1
    assert house.metric("headwater_edge_publish_to_write_seconds_count") == 1
    assert b"headwater_edge_store_bytes" in generate_latest(house.registry)


@on_all_fronts
async def test_requests_of_one_address(house: House) -> None:
    await house.edge(limits={"unlimited": [], "requests_per_s_per_address": 2})
    peer = await house.peer()
    statuses = [(await peer.ask("/a")).status for _ in range(30)]
    assert statuses[:3] == [404] * 3
    assert 429 in statuses[3:]
    refused = await peer.ask("/a")
    assert (refused.status, refused.headers["retry-after"]) == (429, "1")
    assert house.metric("headwater_edge_refused_total", reason="address-requests") > 0
    assert (await (await house.peer(address="127.0.0.2")).ask("/a")).status == 404


@on_all_fronts
async def test_forwarded_fields_count_only_from_trusted_peers(house: House) -> None:
    limits = {"unlimited": [], "requests_per_s_per_address": 5}
    await house.edge(proxy={"trusted": ["127.0.0.0/8"], "forwarded": "x-forwarded-for"}, limits=limits)
    peer = await house.peer()
    one, two = "X-Forwarded-For: 203.0.113.9, 192.0.2.7", "x-forwarded-for: 192.0.2.8, 127.0.0.9"
    assert {(await peer.ask("/a", one)).status for _ in range(10)} == {404}
    assert 429 in {(await peer.ask("/a", one)).status for _ in range(5)}
    assert (await peer.ask("/a", two)).status == 404, "another viewer on the same connection"
    assert {(await peer.ask("/a")).status for _ in range(30)} == {404}, "the proxy itself has no limits of its own"
    other = House(house.front)
    try:
        await other.edge(limits=limits)
        spoof = await other.peer()
        statuses = [(await spoof.ask("/a", f"X-Forwarded-For: 192.0.2.{n}")).status for n in range(20)]
        assert 429 in statuses
    finally:
        await other.close()


@on_all_fronts
async def test_what_carries_a_body_is_read_to_its_end_and_bounded(house: House) -> None:
    await house.edge()
    peer = await house.peer()
    for size, status in ((5, 405), (60_000, 405), (70_000, 413)):
        peer = await house.peer()
        if house.front == "h2":
            peer = await house.peer()
            number = cast(Http2Peer, peer).post("/a", size)
            assert (await cast(Http2Peer, peer).answer_to(number)).status == status
        else:
            peer.get("/a", f"Content-Length: {size}", method="POST")
            peer.send(b"x" * size)
            assert (await peer.answer()).status == status
    assert house.upstream.hits == []


@on_all_fronts
async def test_a_growing_queue_of_requests_is_answered_whole(house: House) -> None:
    await house.edge()
    peer = await house.peer()
    for _ in range(300):
        peer.get("/healthz")
        if house.front == "h2":
            assert (await peer.answer()).status == 200
    if house.front != "h2":
        assert {(await peer.answer()).status for _ in range(300)} == {200}
    assert house.metric("headwater_edge_requests_total", outcome="reject") == 300
