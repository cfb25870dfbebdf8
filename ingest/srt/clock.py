"""The sender's clock as the receiver sees it (draft sections 4.5 and 4.7). Sans-IO.

`Clock` turns the 32-bit microseconds of a packet into the receiver's time. The base is taken from the handshake, so it
includes the one-way delay of that moment. It then follows the sender's clock: the timestamps of ACKACK packets say how
the two drift apart. Wraps need no state: of all times that a timestamp may mean, the one nearest to now is meant.
"""

from __future__ import annotations

from .sequence import MICRO, stamp_offset

SAMPLES = 1_000
"""ACKACK samples of one correction at most (as libsrt): 10 s of a running stream."""
MIN_SAMPLES = 8
"""Fewest samples of one correction: a single delayed packet must not move the clock much."""
MIN_SPAN_S = 10.0
"""Shortest time between corrections. Why: at 200 ppm the clocks part by 2 ms in it."""


class Clock:
    """Maps timestamps of one peer.

    Args:
        now: when the handshake with `stamp` came in.
    """

    def __init__(self, stamp: int, now: float) -> None:
        # Draft section 4.5.1.1: the base is the receiver's time at which the sender's clock was zero.
        self.base = now - stamp / MICRO
        self._since = now
        self._sum = 0.0
        self._count = 0
        self._first_rtt: float | None = None

    def sent_at(self, stamp: int, now: float) -> float:
        """The receiver's time at which a packet with `stamp` came in, had its way taken as long as the handshake's.

        The result is within 36 minutes of `now`, before or after.
        """
        elapsed = int((now - self.base) * MICRO)
        return now + stamp_offset(stamp, elapsed) / MICRO

    def sample(self, stamp: int, now: float, rtt: float) -> None:
        """An ACKACK with `stamp` came in, and its ACK was sent `rtt` seconds before (draft section 4.7)."""
        if self._first_rtt is None:
            self._first_rtt = rtt
        # The way of the packet has become longer by half of what the round trip has.
        longer = (rtt - self._first_rtt) / 2
        self._sum += now - longer - self.sent_at(stamp, now)
        self._count += 1
        if self._count >= SAMPLES or (self._count >= MIN_SAMPLES and now - self._since >= MIN_SPAN_S):
            self.base += self._sum / self._count
            self._sum, self._count, self._since = 0.0, 0, now
