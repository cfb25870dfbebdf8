"""The bad network: what a seed decides, and datagrams through real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
from collections.abc import AsyncIterator

import pytest

from headwater.loadtest.udpproxy import Direction, Link, UdpProxy, srt_kind

MANY = 20_000


def judged(link: Link, *, seed: str = "1", count: int = MANY, apart_s: float = 0.001, size: int = 100) -> Direction:
    direction = Direction(link, seed, lambda _: 0)
    for index in range(count):
        direction.fates(bytes(size), index * apart_s)
    return direction


def fates(link: Link, *, seed: str = "1", count: int = 200, apart_s: float = 0.001) -> list[tuple[float, ...]]:
    direction = Direction(link, seed, lambda _: 0)
    return [tuple(direction.fates(bytes(100), index * apart_s)) for index in range(count)]


def test_a_plain_link_passes_at_once() -> None:
    assert fates(Link()) == [(index * 0.001,) for index in range(200)]


@pytest.mark.parametrize("share", [0.01, 0.1, 0.3])
def test_shares(share: float) -> None:
    counts = judged(Link(loss=share, duplicate=share, reorder=share)).counts
    assert counts.taken == MANY
    assert counts.lost == pytest.approx(MANY * share, rel=0.15)
    assert counts.duplicated == pytest.approx((MANY - counts.lost) * share, rel=0.15)
    assert counts.reordered == pytest.approx((MANY - counts.lost) * share, rel=0.15)


def test_the_seed_decides_and_timing_does_not() -> None:
    link = Link(loss=0.2, duplicate=0.1)
    lost = [not times for times in fates(link)]
    assert lost == [not times for times in fates(link, apart_s=0.5)]
    assert lost != [not times for times in fates(link, seed="2")]
    assert lost == [not times for times in fates(Link(loss=0.2, reorder=0.5, jitter_s=0.1))]


def test_kinds_have_dice_of_their_own() -> None:
    """The same first transmissions are lost, however much is sent again between them."""

    def lost(again: int) -> list[bool]:
        direction = Direction(Link(loss=0.3), "1", srt_kind)
        found = []
        for index in range(200):
            found.append(not direction.fates(index.to_bytes(4, "big") + bytes(12), 0.0))
            for _ in range(again):
                direction.fates(index.to_bytes(4, "big") + b"\x04" + bytes(11), 0.0)
                direction.fates(b"\x80\x02" + bytes(14), 0.0)
        return found

    assert lost(0) == lost(3)


def test_delay_and_jitter_keep_the_order() -> None:
    due = [times[0] for times in fates(Link(delay_s=0.1, jitter_s=0.05))]
    assert due == sorted(due)
    late = [time - index * 0.001 for index, time in enumerate(due)]
    assert min(late) >= 0.1
    assert 0.13 < max(late) <= 0.15


def test_reordering_lets_later_ones_overtake() -> None:
    due = [times[0] for times in fates(Link(reorder=0.1, reorder_s=0.02))]
    assert any(later < earlier for earlier, later in itertools.pairwise(due))


def test_the_rate_bound_delays_then_drops() -> None:
    link = Link(bytes_per_s=50_000, queue_bytes=5_000)
    direction = judged(link, count=1_000)  # 100 bytes each millisecond: twice the bound
    assert direction.counts.overflow == pytest.approx(450, abs=10)
    times = fates(link, count=100)
    assert times[-1][0] == pytest.approx(0.2, abs=0.01)


def test_kinds_of_srt() -> None:
    assert srt_kind(b"\x80" + bytes(15)) == 0
    assert srt_kind(bytes(16)) == 1
    assert srt_kind(bytes(4) + b"\x04" + bytes(11)) == 2
    assert srt_kind(b"x") == 0


class Echo(asyncio.DatagramProtocol):
    """Sends everything back."""

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._transport.sendto(data, addr)


@contextlib.asynccontextmanager
async def echoing() -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


async def ask(port: int, count: int, *, wait_s: float = 1.0) -> tuple[list[int], float]:
    """Send numbered datagrams; the numbers that came back, and the seconds until the first did."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.connect(("127.0.0.1", port))
        began = loop.time()
        for index in range(count):
            await loop.sock_sendall(sock, index.to_bytes(4, "big"))
        found: list[int] = []
        first = 0.0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                while True:
                    found.append(int.from_bytes(await loop.sock_recv(sock, 100), "big"))
                    first = first or loop.time() - began
        return found, first


async def test_through_sockets() -> None:
    seen: list[bytes] = []
    async with echoing() as target:
        proxy = UdpProxy(
            ("127.0.0.1", target),
            there=Link(loss=0.1, delay_s=0.05),
            back=Link(duplicate=0.2, delay_s=0.05),
            seed=7,
            tap=lambda data, _: seen.append(data),
        )
        port = await proxy.start()
        (found, first), (other, _) = await asyncio.gather(ask(port, 100), ask(port, 100))
        await proxy.close()
    assert 0.1 <= first < 0.5
    assert proxy.there.counts.taken == 200
    assert proxy.there.counts.passed == 200 - proxy.there.counts.lost == len(seen)
    assert len(found) + len(other) == proxy.back.counts.passed
    assert proxy.back.counts.passed == proxy.there.counts.passed + proxy.back.counts.duplicated
    assert 0 < proxy.there.counts.lost < 40
    assert set(found) != set(other)


async def test_a_closed_target_is_counted() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        closed = sock.getsockname()[1]
    proxy = UdpProxy(("127.0.0.1", closed))
    port = await proxy.start()
    assert await ask(port, 5, wait_s=0.2) == ([], 0.0)
    assert proxy.there.counts.failed > 0
    await proxy.close()
