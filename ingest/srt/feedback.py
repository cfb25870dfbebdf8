"""What a receiver says to its sender: acknowledgements, loss reports, keep-alives. Sans-IO.

Draft sections 3.2.3 to 3.2.5 and 4.8.
"""

from __future__ import annotations

import math

from . import packets
from .acks import Acks
from .buffer import ReceiveBuffer
from .limits import KEEPALIVE_S, LIGHT_ACK_PACKETS
from .loss import encode
from .packets import ControlType
from .sequence import SEQUENCE_MASK, stamp_of
from .stats import Counters

NEVER = math.inf


class Feedback:
    """Writes the control packets of one session, and knows when the next is due.

    Args:
        peer_id: socket id of the peer, to which they go.
        position: of the first packet that will come.
    """

    def __init__(self, peer_id: int, position: int, counters: Counters, now: float) -> None:
        self.acks = Acks(position, now)
        self.attention = position + 1
        """`progress` is to be called when the first missing packet is this one or later."""
        self.outgoing: list[bytes] = []
        self.said = now
        """When something was sent last."""
        self._peer_id = peer_id
        self._counters = counters
        self._started = now
        self._ack_at = self._nak_at = NEVER
        self._ack_planned = False
        self._light_at = position + LIGHT_ACK_PACKETS

    @property
    def due(self) -> float:
        """When `tick` has something to do."""
        return min(self._ack_at, self._nak_at, self.said + KEEPALIVE_S)

    def probe(self, now: float) -> None:
        """Plan a full ACK although nothing has come: its ACKACK measures the round trip.

        Why: while the very first packet is missing there is no progress to acknowledge, and loss reports would be
        repeated at the pace of the assumed round trip of 100 ms.
        """
        self._ack_planned = True
        self._ack_at = self.said = now

    def progress(self, position: int, now: float) -> bool:
        """Packets up to `position` are there; whether `due` became earlier, or something is to be sent."""
        stirred = not self._ack_planned
        if stirred:
            # Draft section 4.8.1: a full ACK at the end of this ACK period.
            self._ack_planned = True
            self._ack_at = now
        if position >= self._light_at:
            # ... and a light one before that when many packets came.
            self._light_at = position + LIGHT_ACK_PACKETS
            self.send(packets.light_ack(self._stamp(now), self._peer_id, position & SEQUENCE_MASK), now)
            stirred = True
        self.attention = self._light_at
        return stirred

    def gap(self, first: int, last: int, now: float) -> None:
        """These positions are missing: reported at once (draft section 4.8.2)."""
        self._counters.lost += last - first + 1
        self._send_nak(encode(first, last), now)
        if self._nak_at == NEVER:
            self._nak_at = now + self.acks.nak_interval

    def tick(self, buffer: ReceiveBuffer, now: float) -> None:
        """Send what is due."""
        if self._ack_at <= now:
            if self._ack_planned or self.acks.repeat_at is not None:
                self._send_ack(buffer, now)
            else:
                self._ack_at = NEVER
        if self._nak_at <= now:
            self._periodic_nak(buffer, now)
        if now - self.said >= KEEPALIVE_S:
            self.send(packets.keepalive(self._stamp(now), self._peer_id), now)

    def shutdown(self, now: float) -> None:
        """Say that the connection is over."""
        self.send(packets.shutdown(self._stamp(now), self._peer_id), now)

    def key_reply(self, reply: bytes, now: float) -> None:
        """Answer a key request during the connection (draft section 3.2.2)."""
        kind, subtype = ControlType.USER, packets.UserType.KMRSP
        self.send(packets.control(kind, self._stamp(now), self._peer_id, subtype=subtype, body=reply), now)

    def send(self, datagram: bytes, now: float) -> None:
        """Put a datagram into `outgoing`."""
        self.outgoing.append(datagram)
        self.said = now

    def _send_ack(self, buffer: ReceiveBuffer, now: float) -> None:
        """Draft section 4.8.1: a full ACK."""
        acks, counters, position = self.acks, self._counters, buffer.position
        fields = acks.fields(buffer.free, counters.packets, counters.octets, now)
        number = acks.take(position, now)
        counters.acks += 1
        self.send(packets.full_ack(self._stamp(now), self._peer_id, number, buffer.expected, fields), now)
        self._ack_planned = False
        repeat = acks.repeat_at
        self._ack_at = NEVER if repeat is None else repeat
        self._light_at = position + LIGHT_ACK_PACKETS
        self.attention = position + 1

    def _periodic_nak(self, buffer: ReceiveBuffer, now: float) -> None:
        """Draft section 4.8.2: everything that is missing, again."""
        if not buffer.losses:
            self._nak_at = NEVER
            return
        self._send_nak(buffer.losses.words(), now)
        self._nak_at = now + self.acks.nak_interval

    def _send_nak(self, words: list[int], now: float) -> None:
        self._counters.naks += 1
        self.send(packets.nak(self._stamp(now), self._peer_id, words), now)

    def _stamp(self, now: float) -> int:
        return stamp_of(now - self._started)
