"""Asking the server for the time: on virtual time, against a server whose clock is known."""

from __future__ import annotations

import asyncio
import math
from email.utils import formatdate

import pytest
from tests.virtual_time import run as virtually

from headwater.loadtest.doctor.values import Answer, Ask
from headwater.loadtest.scenario.offset import LIMIT_S, SAME_MACHINE, UNKNOWN, NoAnswer, estimate, measured, reach, wall

FAR = "http://192.0.2.1/live/a/index.m3u8"
START = 1_700_000_000.25


def now() -> float:
    return START + asyncio.get_running_loop().time()


class Server:
    """Answers after 10 ms, 5 of them on the way there."""

    def __init__(self, offset: float, *, date: bool = True, statuses: tuple[int, ...] = (), body: bytes = b"") -> None:
        self.offset, self.date, self.statuses, self.asked = offset, date, list(statuses), 0
        self.body = body or b"#EXTM3U\n"

    async def fetch(self, ask: Ask) -> Answer:
        self.asked += 1
        loop = asyncio.get_running_loop()
        sent = loop.time()
        await asyncio.sleep(0.005)
        headers = {"date": formatdate(math.floor(now() + self.offset), usegmt=True)} if self.date else {}
        await asyncio.sleep(0.005)
        status = self.statuses.pop(0) if self.statuses else 200
        return Answer(ask, status, headers, self.body, ask.url, sent, loop.time(), loop.time(), loop.time())

    async def offers_http2(self, url: str) -> bool | None:
        return None


@pytest.mark.parametrize("offset", [0.0, 0.6, -12.34, 3_600.0])
def test_the_offset_is_found_in_time(offset: float) -> None:
    server = Server(offset)

    async def asked() -> float:
        found = await measured(server, FAR, now)
        assert found.seconds == pytest.approx(offset, abs=found.uncertainty_s + 0.001)
        assert found.uncertainty_s < 0.02
        assert found.source == "Date of the answers"
        return asyncio.get_running_loop().time()

    assert virtually(asked()) <= LIMIT_S + 0.1
    assert server.asked < 80


def test_without_a_date_nothing_is_known() -> None:
    assert virtually(measured(Server(0, date=False), FAR, now)) is UNKNOWN


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080/a", "http://[::1]/a", "http://localhost/a", "http://127.0.0.9/a"]
)
async def test_this_machine_has_one_clock(url: str) -> None:
    server = Server(5)
    assert await estimate(server, url) is SAME_MACHINE
    assert server.asked == 0


def test_a_stream_that_comes_late_is_waited_for() -> None:
    server = Server(0, statuses=(404, 503))
    virtually(reach(server, FAR, 10))
    assert server.asked == 3


def test_a_stream_that_never_comes() -> None:
    with pytest.raises(NoAnswer, match="status 404"):
        virtually(reach(Server(0, statuses=(404,) * 100), FAR, 10))


def test_one_answer_is_enough_to_say_no() -> None:
    server = Server(0, statuses=(404,) * 100)
    with pytest.raises(NoAnswer):
        virtually(reach(server, FAR, 0))
    assert server.asked == 1


def test_a_page_is_no_playlist() -> None:
    with pytest.raises(NoAnswer, match="no playlist"):
        virtually(reach(Server(0, body=b"<html>"), FAR, 0))


def test_our_clock() -> None:
    assert wall() > 1_700_000_000
