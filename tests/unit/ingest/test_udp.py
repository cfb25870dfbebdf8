"""A UDP port: bound, read in batches, woken in time, and honest about its buffer."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest
from structlog.testing import capture_logs

from headwater.ingest.listen import IngestStartError
from headwater.ingest.srt.addresses import Address
from headwater.ingest.udp import BATCH, DATAGRAM, GATHER_S, UdpPort, open_udp, plain


class House:
    def __init__(self, host: str = "127.0.0.1") -> None:
        self.got: list[tuple[bytes, Address]] = []
        self.turns: list[tuple[float, int]] = []
        self.udp = UdpPort(open_udp(host, 0, "a.key", 1 << 20), self._receive, self._turn)

    def _receive(self, data: bytes, address: Address, now: float) -> None:
        self.got.append((data, address))

    def _turn(self, now: float) -> None:
        self.turns.append((now, len(self.got)))

    async def until(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.got) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


@pytest.mark.parametrize(("host", "peer"), [("127.0.0.1", "127.0.0.1"), ("", "127.0.0.1"), ("::1", "::1"), ("", "::1")])
async def test_datagrams_come_in_and_go_out(host: str, peer: str) -> None:
    house = House(host)
    family = socket.AF_INET6 if ":" in peer else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.connect((peer, house.udp.port))
        client.send(b"question")
        await house.until(1)
        data, address = house.got[0]
        assert data == b"question" and plain(address) == peer
        house.udp.send([(b"answer", address)])
        assert client.recv(100) == b"answer"
    house.udp.close()
    house.udp.close()


async def test_a_flood_is_taken_in_bounded_batches() -> None:
    house = House()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", house.udp.port))
        for number in range(BATCH + 100):
            client.send(number.to_bytes(2))
        client.send(bytes(DATAGRAM + 500))
    await house.until(BATCH + 101)
    steps = [after - before for (_, before), (_, after) in zip([(0.0, 0), *house.turns], house.turns, strict=False)]
    assert max(steps) <= BATCH and len(steps) >= 2
    assert len(house.got[-1][0]) == DATAGRAM
    house.udp.close()


async def test_datagrams_in_a_row_gather() -> None:
    house = House()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", house.udp.port))
        for number in range(200):
            client.send(number.to_bytes(2))
            await asyncio.sleep(0)
        await house.until(200)
        assert [data for data, _ in house.got] == [number.to_bytes(2) for number in range(200)]
        took = [
            at
            for (_, before), (at, after) in zip([(0.0, 0), *house.turns], house.turns, strict=False)
            if after > before
        ]
        # The first is taken at once; the second may show that they come in a row. Loops count whole milliseconds.
        steps = [later - at for at, later in zip(took, took[2:], strict=False)]
        assert all(step >= GATHER_S - 0.001 for step in steps)
        # Behind the last of a row, what comes next is awaited again, and so is a time.
        await asyncio.sleep(0.05)
        turns = len(house.turns)
        await asyncio.sleep(0.05)
        assert len(house.turns) == turns
        client.send(b"next")
        await house.until(201)
        now = time.monotonic()
        house.udp.wake_at(now + 0.02, now)
        await asyncio.sleep(0.1)
        assert len(house.turns) == turns + 2
    house.udp.close()


async def test_a_port_closes_while_datagrams_gather() -> None:
    house = House()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", house.udp.port))
        async with asyncio.timeout(10):
            while len(house.turns) < 5:
                client.send(b"x")
                await asyncio.sleep(0)
        house.udp.close()
        turns = len(house.turns)
        await asyncio.sleep(0.05)
        assert len(house.turns) == turns


async def test_the_earliest_time_counts() -> None:
    house = House()
    now = time.monotonic()
    house.udp.wake_at(now + 30, now)
    house.udp.wake_at(now + 0.05, now)
    house.udp.wake_at(now + 20, now)
    house.udp.wake_at(None, now)
    await asyncio.sleep(0.15)
    assert len(house.turns) == 1
    assert house.turns[0][0] >= now + 0.045
    house.udp.wake_at(now, now)
    await asyncio.sleep(0.05)
    assert len(house.turns) == 2
    house.udp.close()


async def test_what_cannot_be_sent_is_counted() -> None:
    house = House()
    house.udp.send([(bytes(70_000), ("127.0.0.1", 9)), (b"x", ("127.0.0.1", 9))])
    assert house.udp.unsent == 1
    assert house.udp.kernel_drops == 0
    house.udp.close()
    house.udp.send([(b"x", ("127.0.0.1", 9))])


def test_a_port_that_is_taken_and_an_address_that_is_none() -> None:
    with open_udp("127.0.0.1", 0, "a.key", 1 << 16) as sock:
        port = sock.getsockname()[1]
        with pytest.raises(IngestStartError, match=rf"a.key = {port}: cannot listen on 127.0.0.1/udp"):
            open_udp("127.0.0.1", port, "a.key", 1 << 16)
    with pytest.raises(IngestStartError, match=r"cannot listen on 203\.0\.113\.1"):
        open_udp("203.0.113.1", 0, "a.key", 1 << 16)


def test_a_buffer_that_the_kernel_does_not_give_is_said() -> None:
    wanted = (1 << 31) - 1
    with capture_logs() as logs, open_udp("127.0.0.1", 0, "a.key", wanted) as sock:
        given = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    said = [entry for entry in logs if "UDP receive buffer" in entry["event"]]
    assert len(said) == (given < wanted)
    assert all(entry["given"] == given and "net.core.rmem_max" in entry["how"] for entry in said)
