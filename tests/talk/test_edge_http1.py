"""Viewers over real sockets, in front of a real upstream with a live stream (RFC 9110, RFC 9112; rules 80-101, 155)."""

from __future__ import annotations

import asyncio
import gzip

import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from tests.edge_house import LIST, House, on_both_loops, until, waiting
from tests.edge_kit import body_of

from headwater.config.settings import Edge, EdgeHttp
from headwater.edge.app import EdgeServer


@on_both_loops
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


@on_both_loops
async def test_rule_160_a_thousand_viewers_are_one_upstream_request(house: House) -> None:
    edge = await house.edge(backlog=2_048)
    stream = house.upstream.stream
    assert (await (await house.peer()).ask(LIST)).status == 200
    peers = [await house.peer(edge) for _ in range(1_000)]
    target = f"{LIST}?_HLS_msn={stream.msn}&_HLS_part=0"
    hinted = f"/live/x/v/{stream.name}"
    for number, peer in enumerate(peers):
        peer.get(target if number % 2 else hinted)
    await until(waiting(house)(1_000))
    house.upstream.step()
    answers = await asyncio.gather(*(peer.answer() for peer in peers))
    assert {answer.status for answer in answers} == {200}
    assert {answer.headers["age"] for answer in answers} == {"0"}
    assert {answer.body for answer in answers[1::2]} == {stream.text().encode()}
    assert house.upstream.count(f"_HLS_msn={stream.msn}&_HLS_part=0") == 1
    assert house.upstream.count(hinted) == 1
    assert house.metric("headwater_edge_woken_total") == 500


@on_both_loops
async def test_bytes_one_by_one_are_the_same_request(house: House) -> None:
    peer = await house.peer()
    for byte in f"GET {LIST}?_HLS_msn=1 HTTP/1.1\r\nHost: edge\r\nX-Long: {'y' * 50}\r\n\r\n".encode():
        peer.send(bytes([byte]))
        await peer.writer.drain()
        await asyncio.sleep(0)
    assert (await peer.answer()).status == 200


@on_both_loops
async def test_pipelined_requests_are_answered_in_their_order(house: House) -> None:
    peer = await house.peer()
    stream = house.upstream.stream
    await peer.ask(LIST)
    peer.get(f"{LIST}?_HLS_msn={stream.msn}&_HLS_part=0")
    peer.get("/healthz")
    peer.get("/live/x/v/init.mp4")
    peer.get("/missing")
    await until(waiting(house)(1))
    house.upstream.step()
    answers = [await peer.answer() for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 200, 404]
    assert answers[0].body == stream.text().encode()
    assert answers[2].body == body_of("init.mp4")


@on_both_loops
async def test_a_long_pipeline_is_bounded_and_all_of_it_is_answered(house: House) -> None:
    await house.edge(pipeline=4)
    peer = await house.peer()
    stream = house.upstream.stream
    await peer.ask(LIST)
    peer.get(f"{LIST}?_HLS_msn={stream.msn}&_HLS_part=0")
    peer.send(b"GET /healthz HTTP/1.1\r\nHost: edge\r\n\r\n" * 3_000)
    await until(waiting(house)(1))
    house.upstream.step()
    answers = [await peer.answer() for _ in range(3_001)]
    assert {answer.status for answer in answers} == {200}


@on_both_loops
async def test_a_viewer_that_leaves_frees_its_place(house: House) -> None:
    peer = await house.peer()
    stream = house.upstream.stream
    await peer.ask(LIST)
    peer.get(f"{LIST}?_HLS_msn={stream.msn}&_HLS_part=0")
    await until(waiting(house)(1))
    peer.close()
    await until(waiting(house)(0))


@on_both_loops
async def test_head_has_the_length_and_no_content(house: House) -> None:
    peer = await house.peer()
    full = await peer.ask(LIST)
    head = await peer.ask(LIST, method="HEAD")
    assert head.headers["content-length"] == str(len(full.body))
    assert (await peer.ask("/healthz")).status == 200


@on_both_loops
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


@on_both_loops
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


@on_both_loops
async def test_gzip_for_who_accepts_it(house: House) -> None:
    peer = await house.peer()
    plain = await peer.ask(LIST)
    small = await peer.ask(LIST, "Accept-Encoding: gzip, br")
    assert small.headers["content-encoding"] == "gzip"
    assert gzip.decompress(small.body) == plain.body
    assert plain.headers["vary"] == small.headers["vary"] == "Accept-Encoding"
    assert "content-encoding" not in plain.headers


@on_both_loops
async def test_http_1_0(house: House) -> None:
    peer = await house.peer()
    peer.send(f"GET {LIST} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert (await peer.answer()).headers["connection"] == "keep-alive"
    peer.send("GET /healthz HTTP/1.0\r\n\r\n")
    assert (await peer.answer()).headers["connection"] == "close"
    assert await peer.ended()


@on_both_loops
async def test_connection_close_is_obeyed(house: House) -> None:
    peer = await house.peer()
    assert (await peer.ask(LIST, "Connection: close")).headers["connection"] == "close"
    assert await peer.ended()


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        ("GET / HTTP/1.1\nHost: a\n\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n", 400),
        ("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        ("DELETE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + "x" * 100_000, 413),
        (f"GET /{'x' * 20_000} HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (f"GET / HTTP/1.1\r\nHost: a\r\nX: {'x' * 20_000}\r\n\r\n", 431),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    ],
)
@on_both_loops
async def test_what_is_refused_never_reaches_the_upstream(house: House, raw: str, status: int) -> None:
    peer = await house.peer()
    peer.send(raw)
    if status != 413:
        peer.get("/smuggled")
    answer = await peer.answer()
    assert answer.status == status
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["connection"] == "close"
    assert await peer.ended()
    assert house.upstream.hits == []


@on_both_loops
async def test_a_refusal_waits_for_its_turn(house: House) -> None:
    peer = await house.peer()
    stream = house.upstream.stream
    await peer.ask(LIST)
    peer.get(f"{LIST}?_HLS_msn={stream.msn}&_HLS_part=0")
    peer.send("BREW / HTTP/1.1\r\n\r\n")
    await until(waiting(house)(1))
    house.upstream.step()
    assert (await peer.answer()).status == 200
    assert (await peer.answer()).status == 501
    assert await peer.ended()


@on_both_loops
async def test_slow_and_silent_peers_are_ended(house: House) -> None:
    await house.edge(header_s=0.2, idle_s=0.2)
    silent, slow, idle = await house.peer(), await house.peer(), await house.peer()
    slow.send("GET / HTTP/1.1\r\nHost")
    assert (await idle.ask("/healthz")).status == 200
    assert await silent.ended()
    assert (await slow.answer()).status == 408
    assert await slow.ended()
    assert await idle.ended()


@on_both_loops
async def test_a_held_request_outlives_the_idle_limit(house: House) -> None:
    await house.edge(header_s=0.1, idle_s=0.1)
    peer, other = await house.peer(), await house.peer()
    stream = house.upstream.stream
    peer.get(f"{LIST}?_HLS_msn={stream.msn}&_HLS_part=0")
    await until(waiting(house)(1))
    assert await other.ended()
    house.upstream.step()
    assert (await peer.answer()).status == 200


@on_both_loops
async def test_a_reader_that_stops_is_cut_off_and_its_queue_bounded(house: House) -> None:
    await house.edge(write_high_bytes=65_536, write_stall_s=0.3)
    house.upstream.files["/big.mp4"] = lambda: web.Response(
        body=b"x" * 8_000_000, content_type="video/mp4", headers={"Cache-Control": "max-age=60"}
    )
    fine = await house.peer()
    assert (await fine.ask("/big.mp4")).status == 200
    stuck = await house.peer()
    stuck.writer.transport.pause_reading()  # type: ignore[attr-defined]
    for _ in range(10):
        stuck.get("/big.mp4")
    await until(lambda: house.metric("headwater_edge_slow_readers_closed_total") == 1)
    sent = house.metric("headwater_edge_sent_bytes_total")
    assert sent < 8_000_000 * 3, "one answer is written at a time"
    assert (await fine.ask("/healthz")).status == 200


@on_both_loops
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


@on_both_loops
async def test_one_connection_too_many(house: House) -> None:
    await house.edge(connections=2)
    first, second, third = await house.peer(), await house.peer(), await house.peer()
    assert (await first.ask("/healthz")).status == (await second.ask("/healthz")).status == 200
    refused = await third.answer()
    assert (refused.status, refused.headers["retry-after"]) == (503, "5")
    assert await third.ended()
    second.close()
    await until(lambda: house.metric("headwater_edge_connections") == 1)
    assert (await (await house.peer()).ask("/healthz")).status == 200


@on_both_loops
async def test_an_upstream_that_is_not_there(house: House) -> None:
    await house.edge()
    await house.upstream.close()
    peer = await house.peer()
    playlist, part = await peer.ask(LIST), await peer.ask("/live/x/v/p1.m4s")
    assert (playlist.status, part.status) == (503, 502)
    assert playlist.headers["retry-after"] == "1"
    assert b"cannot be reached" in part.body
    assert (await peer.ask("/readyz")).status == 200


@on_both_loops
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


@on_both_loops
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
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert answer.body == stream.text().encode()
    assert await peer.ended()
    assert await idle.ended()
    with pytest.raises(ConnectionRefusedError):
        await house.peer()


@on_both_loops
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


@on_both_loops
async def test_closing_twice_and_an_address_that_is_taken(house: House) -> None:
    edge = await house.edge()
    second = EdgeServer(Edge(http=EdgeHttp(host="127.0.0.1", port=edge.port)), house.upstream.base, CollectorRegistry())
    with pytest.raises(OSError, match="in use"):
        await second.start()
    await second.close()
    await edge.close()
    await edge.close()
