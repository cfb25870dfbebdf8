"""Protection over real sockets: limits per address, who is kept, whom proxies speak for, who reads too slowly."""

from __future__ import annotations

import asyncio
import itertools
import socket
import time

from aiohttp import web
from tests.edge_house import LIST, House, Peer, on_both_loops, until, waiting

from headwater.edge.tokens import mint

LOOPBACK = {"trusted": ["127.0.0.0/8"]}
LIMITED: dict[str, object] = {"unlimited": []}


def big(body: bytes = b"x" * 3_000_000) -> web.Response:
    return web.Response(body=body, content_type="video/mp4", headers={"Cache-Control": "max-age=60"})


async def peer_from(house: House, address: str) -> Peer:
    reader, writer = await asyncio.open_connection("127.0.0.1", house.edges[0].port, local_addr=(address, 0))
    peer = Peer(reader, writer)
    house.peers.append(peer)
    return peer


@on_both_loops
async def test_connections_of_one_address(house: House) -> None:
    await house.edge(limits={**LIMITED, "connections_per_address": 2})
    first, second, third = await house.peer(), await house.peer(), await house.peer()
    assert (await first.ask("/healthz")).status == (await second.ask("/healthz")).status == 200
    refused = await third.answer()
    assert refused.status == 503
    assert 3 <= int(refused.headers["retry-after"]) <= 8
    assert refused.headers["access-control-allow-origin"] == "*"
    assert await third.ended()
    assert (await (await peer_from(house, "127.0.0.2")).ask("/healthz")).status == 200
    first.close()
    await until(lambda: house.metric("headwater_edge_connections") == 2)
    assert (await (await house.peer()).ask("/healthz")).status == 200
    assert house.metric("headwater_edge_refused_total", reason="address-connections") == 1


@on_both_loops
async def test_under_strain_newcomers_are_refused_and_viewers_go_on(house: House) -> None:
    await house.edge(held=20)
    stream = house.upstream.stream
    viewers = [await peer_from(house, "127.0.0.2") for _ in range(20)]
    for viewer in viewers:
        assert (await viewer.ask(LIST)).status == 200
        viewer.get(f"{LIST}?_HLS_msn={stream.msn}&_HLS_part=0")
    await until(waiting(house)(20))

    numbers = itertools.count(3)

    async def refused() -> bool:
        """Whether a newcomer is."""
        answer = await (await peer_from(house, f"127.0.0.{next(numbers)}")).ask(LIST)
        return answer.status == 503 and answer.headers["connection"] == "close"

    while not await refused():  # noqa: ASYNC110  (what is waited for is an answer)
        await asyncio.sleep(0.02)
    assert (await (await peer_from(house, "127.0.0.250")).ask("/healthz")).status == 200
    another = await peer_from(house, "127.0.0.2")
    assert (await another.ask(LIST)).status == 200, "one more connection of who watches"
    house.upstream.step()
    assert [(await viewer.answer()).status for viewer in viewers] == [200] * 20
    assert house.metric("headwater_edge_refused_total", reason="shed") > 0
    while await refused():  # noqa: ASYNC110  (all are welcome again)
        await asyncio.sleep(0.1)


@on_both_loops
async def test_the_proxy_protocol_tells_whose_connection_it_is(house: House) -> None:
    secret = "a-secret-of-some-length"
    await house.edge(
        proxy={**LOOPBACK, "protocol": True},
        tokens={"keys": [{"id": "a", "secret": secret}]},
        limits={**LIMITED, "connections_per_address": 2},
    )
    expires = time.time() + 60  # noqa: TID251  (tokens expire by the wall clock)
    target = f"/t/{mint('a', secret.encode(), expires=expires, paths=['/'], networks=['192.0.2.0/24'])}{LIST}"
    v2 = b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x08\xc6\x33\x64\x01\x10\x00\x00\x50"
    for header, status in (
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 80\r\n", 200),
        (b"PROXY TCP4 203.0.113.7 198.51.100.1 4711 80\r\n", 403),
        (v2, 200),
        (b"PROXY UNKNOWN\r\n", 403),
    ):
        peer = await house.peer()
        for byte in header[:-1]:
            peer.send(bytes([byte]))
            await asyncio.sleep(0)
        peer.send(header[-1:])
        assert (await peer.ask(target)).status == status
        assert (await peer.ask(target)).status == status
    for _ in range(2):
        peer = await house.peer()
        peer.send(b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 80\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        last = await peer.answer()
    assert last.status == 503, "its third connection"
    assert house.metric("headwater_edge_refused_total", reason="address-connections") == 1


@on_both_loops
async def test_without_the_header_a_trusted_peer_is_refused_and_from_others_it_is_no_request(house: House) -> None:
    await house.edge(proxy={**LOOPBACK, "protocol": True})
    peer = await house.peer()
    answer = await peer.ask(LIST)
    assert answer.status == 400
    assert b"PROXY protocol" in answer.body
    assert await peer.ended()
    assert house.metric("headwater_edge_refused_total", reason="proxy-header") == 1
    other = House()
    try:
        await other.edge(proxy={"trusted": ["198.51.100.0/24"], "protocol": True})
        spoof = await other.peer()
        spoof.send("PROXY TCP4 192.0.2.7 198.51.100.1 4711 80\r\n")
        spoof.get(LIST)
        assert (await spoof.answer()).status in (400, 501)
        assert await spoof.ended()
        assert other.upstream.hits == []
    finally:
        await other.close()
    assert house.upstream.hits == []


def slow(port: int) -> socket.socket:
    """A viewer with a small window, so that what it does not read stays with the server."""
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    peer.connect(("127.0.0.1", port))
    peer.setblocking(False)
    return peer


@on_both_loops
async def test_a_reader_that_reads_a_little_at_a_time_is_cut_off_too(house: House) -> None:
    edge = await house.edge(write_high_bytes=65_536, write_stall_s=0.2, write_least_bytes_s=10_000_000)
    house.upstream.files["/big.mp4"] = big
    fine = await house.peer()
    assert (await fine.ask("/big.mp4")).status == 200
    loop = asyncio.get_running_loop()
    with slow(edge.port) as peer:
        await loop.sock_sendall(peer, b"GET /big.mp4 HTTP/1.1\r\nHost: a\r\n\r\n")
        began = loop.time()
        try:
            while await loop.sock_recv(peer, 8_192):  # noqa: ASYNC110  (reads slowly)
                await asyncio.sleep(0.02)
        except ConnectionResetError:
            pass
    assert loop.time() - began < 5, "3 MB at 400 kB/s would take longer"
    assert house.metric("headwater_edge_slow_readers_closed_total") == 1
    assert (await fine.ask("/healthz")).status == 200


@on_both_loops
async def test_a_reader_that_stops_with_little_unread_ends_with_its_idle_time(house: House) -> None:
    edge = await house.edge(idle_s=0.2, header_s=0.2, write_stall_s=0.2)
    house.upstream.files["/some.mp4"] = lambda: big(b"x" * 200_000)
    loop = asyncio.get_running_loop()
    with slow(edge.port) as peer:
        await loop.sock_sendall(peer, b"GET /some.mp4 HTTP/1.1\r\nHost: a\r\n\r\n")
        await until(lambda: house.metric("headwater_edge_connections") == 1)
        await until(lambda: house.metric("headwater_edge_connections") == 0)
