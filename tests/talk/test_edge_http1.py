"""Viewers over real sockets, in front of a real upstream with a live stream (RFC 9110, RFC 9112; rules 80-101, 155)."""

from __future__ import annotations

import asyncio
import gzip

import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry
from tests.edge_house import LIST, House, on_both_loops, until, waiting
from tests.edge_kit import body_of

from headwater.config.settings import Edge, EdgeHttp
from headwater.edge.app import EdgeServer


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
async def test_all_who_are_held_get_the_same_in_their_own_form(house: House) -> None:
    edge, stream = await house.edge(), house.upstream.stream
    await (await house.peer()).ask(LIST)
    target = f"{LIST}?_HLS_msn={stream.msn}&_HLS_part=0"
    lines = [
        (f"GET {target} HTTP/1.1", "X: 1"), (f"GET {target} HTTP/1.1", "X: 2"), (f"HEAD {target} HTTP/1.1", "X: 3"),
        (f"GET {target} HTTP/1.1", "Connection: close"), (f"GET {target} HTTP/1.0", "Connection: keep-alive"),
        (f"GET {target} HTTP/1.1", "Accept-Encoding: gzip"), (f"GET {target} HTTP/1.1", "X: 4"),
    ]  # fmt: skip
    raw = [await asyncio.open_connection("127.0.0.1", edge.port) for _ in lines]
    for (_, writer), (line, field) in zip(raw, lines, strict=True):
        writer.write(f"{line}\r\nHost: edge\r\n{field}\r\n\r\n".encode())
    await until(waiting(house)(len(lines)))
    house.upstream.step()
    text = stream.text().encode()
    heads = [(await reader.readuntil(b"\r\n\r\n")).decode() for reader, _ in raw]
    lengths = [int(head.lower().partition("content-length: ")[2].split()[0]) for head in heads]
    bodies = [
        b"" if line.startswith("HEAD") else await reader.readexactly(length)
        for (line, _), length, (reader, _) in zip(lines, lengths, raw, strict=True)
    ]
    assert heads[0] == heads[1] == heads[2] == heads[6]
    assert bodies[0] == bodies[1] == bodies[3] == bodies[4] == bodies[6] == text == gzip.decompress(bodies[5])
    closed = ["connection: close" in head.lower() for head in heads]
    assert closed == [False, False, False, True, False, False, False]
    assert "connection: keep-alive" in heads[4].lower()
    assert "content-encoding: gzip" in heads[5].lower()
    for _, writer in raw:
        writer.close()


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
async def test_closing_twice_and_an_address_that_is_taken(house: House) -> None:
    edge = await house.edge()
    second = EdgeServer(Edge(http=EdgeHttp(host="127.0.0.1", port=edge.port)), house.upstream.base, CollectorRegistry())
    with pytest.raises(OSError, match="in use"):
        await second.start()
    await second.close()
    await edge.close()
    await edge.close()
