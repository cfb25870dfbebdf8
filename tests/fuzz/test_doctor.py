"""The doctor in front of servers that answer anything: it always comes to a report, or says that there is none."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.doctor_kit import Asked, Fault, Reply, examine

from headwater.loadtest.doctor.run import NotReachable

HEADERS = ("Age", "Date", "Content-Type", "Cache-Control", "Content-Range", "Last-Modified", "Vary", "Retry-After")
VALUES = ("", "-1", "9" * 40, "\x00", "bytes 5-1/x", "max-age=", "Thu, 99 Jan 99999 99:99:99 GMT", "é", ",,;=")
STATUSES = (0, 100, 200, 200, 206, 301, 304, 400, 404, 416, 500, 503, 999)


class Hostile:
    """Changes some answers, the same way for the same seed."""

    def __init__(self, seed: int, share: float) -> None:
        self._dice = random.Random(seed)
        self._share = share

    def __call__(self, asked: Asked, reply: Reply) -> Reply:
        dice = self._dice
        if dice.random() > self._share:
            return reply
        kind = dice.randrange(6)
        if kind == 0:
            return replace(reply, status=dice.choice(STATUSES))
        if kind == 1:
            return replace(reply, headers={**reply.headers, dice.choice(HEADERS): dice.choice(VALUES)})
        if kind == 2:
            return replace(reply, body=reply.body[: dice.randrange(len(reply.body) + 1)])
        if kind == 3:
            return replace(reply, body=dice.randbytes(dice.randrange(300)))
        if kind == 4:
            return replace(reply, body=self._numbers(reply.body))
        return replace(reply, lasts_s=dice.random() * 2, delay_s=dice.random() * 20)

    def _numbers(self, body: bytes) -> bytes:
        """Another number somewhere."""
        at = [n for n, byte in enumerate(body[:20_000]) if chr(byte).isdigit()]
        if not at:
            return b""
        place = self._dice.choice(at)
        new = self._dice.choice((b"0", b"-1", b"18446744073709551616", b"1e9", b"9" * 30, b"\n", b'"'))
        return body[:place] + new + body[place + 1 :]


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 1 << 32), st.sampled_from([0.02, 0.1, 0.5, 1.0]))
def test_any_answers(seed: int, share: float) -> None:
    try:
        report = examine(Fault(set(), reply=Hostile(seed, share), seconds=3))
    except NotReachable:
        return
    assert report.text()
    assert report.json().isascii()
