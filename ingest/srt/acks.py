"""Acknowledgements: when they are due, what they say, and the round trip time that they measure. Sans-IO.

Draft sections 3.2.4, 3.2.8, 4.8.1 and 4.10.
"""

from __future__ import annotations

from .limits import MIN_NAK_INTERVAL_S, TICK_S
from .sequence import MICRO

FIRST_RTT_S = 0.1
FIRST_RTT_VAR_S = 0.05
"""Before the first measurement (draft section 4.10)."""
MAX_RTT_S = 30.0
"""A longer round trip is an answer to something else: it is not measured."""
REMEMBERED = 1_024
"""Full ACKs whose ACKACK may still come: 10 s of them."""
MAX_REPEATS = 16
"""How often the same position is acknowledged when no ACKACK comes. Why a bound: some senders never send one."""
RATE_SPAN_S = 0.5
"""The rates are measured over that much time."""
WORD = 0xFFFF_FFFF


class Acks:
    """What a session knows about its acknowledgements. Positions do not wrap; times are in seconds."""

    def __init__(self, position: int, now: float) -> None:
        self.rtt = FIRST_RTT_S
        self.rtt_var = FIRST_RTT_VAR_S
        self.measured = False
        """An ACKACK has come."""
        self.packets_per_s = 0
        self.bytes_per_s = 0
        self.capacity = 0
        """Packets per second of the quickest ACK period: the link carries at least that."""
        self._number = 0
        self._sent: dict[int, tuple[float, int]] = {}
        self._last = position
        self._confirmed = position
        self._last_at = now
        self._repeats = 0
        self._rate_at = now
        self._rate_packets = 0
        self._rate_bytes = 0
        self._period_packets = 0

    @property
    def nak_interval(self) -> float:
        """Seconds between periodic loss reports (draft section 4.8.2)."""
        return max((self.rtt + 4 * self.rtt_var) / 2, MIN_NAK_INTERVAL_S)

    @property
    def repeat_at(self) -> float | None:
        """When the last ACK is to be sent again, should nothing new come; None when its ACKACK has come."""
        if self._last == self._confirmed or self._repeats >= MAX_REPEATS:
            return None
        # The peer may not have got it: an answer would have been here by then.
        return self._last_at + max(self.rtt + 4 * self.rtt_var, TICK_S)

    def take(self, position: int, now: float) -> int:
        """A full ACK of `position` is sent now: its number."""
        self._repeats = self._repeats + 1 if position == self._last else 0
        # Draft section 3.2.4: numbers count from 1; 0 is for light ACKs.
        self._number = self._number % WORD + 1
        self._sent[self._number] = (now, position)
        if len(self._sent) > REMEMBERED:
            del self._sent[next(iter(self._sent))]
        self._last, self._last_at = position, now
        return self._number

    def confirmed(self, number: int, now: float) -> float | None:
        """An ACKACK for `number` came in: the round trip time that it measures, if it measures one."""
        entry = self._sent.pop(number, None)
        if entry is None:
            return None
        at, position = entry
        self._confirmed = max(self._confirmed, position)
        sample = now - at
        if not 0 <= sample <= MAX_RTT_S:
            return None
        if self.measured:
            # Draft section 4.10.
            self.rtt_var += (abs(sample - self.rtt) - self.rtt_var) / 4
            self.rtt += (sample - self.rtt) / 8
        else:
            # As libsrt: the first measurement replaces the assumption.
            self.measured = True
            self.rtt, self.rtt_var = sample, sample / 2
        return sample

    def measure(self, packets: int, octets: int, now: float) -> None:
        """Take the rates anew when RATE_SPAN_S has passed; `packets` and `octets` were received in all."""
        span = now - self._rate_at
        if span >= RATE_SPAN_S:
            self.packets_per_s = int((packets - self._rate_packets) / span)
            self.bytes_per_s = int((octets - self._rate_bytes) / span)
            self._rate_at, self._rate_packets, self._rate_bytes = now, packets, octets

    def fields(self, free: int, packets: int, octets: int, now: float) -> tuple[int, int, int, int, int, int]:
        """What a full ACK says beside the position.

        Args:
            free: packets that the buffer still takes.
            packets, octets: received since the session began.
        """
        quick = int((packets - self._period_packets) / max(now - self._last_at, TICK_S))
        self._period_packets = packets
        self.capacity = max(self.capacity, quick)
        self.measure(packets, octets, now)
        return (
            min(int(self.rtt * MICRO), WORD),
            min(int(self.rtt_var * MICRO), WORD),
            max(free, 0),
            min(self.packets_per_s, WORD),
            min(self.capacity, WORD),
            min(self.bytes_per_s, WORD),
        )
