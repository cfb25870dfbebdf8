"""One connection after its handshake: data and control packets in, acknowledgements and loss reports out. Sans-IO.

The way of a data packet in order is short on purpose: it runs 760 times a second for each 8 Mbit/s.
"""

from __future__ import annotations

import math

from . import packets
from .acks import Acks
from .addresses import Address
from .buffer import Arrival, ReceiveBuffer, Window
from .clock import Clock
from .errors import CloseReason, PacketError
from .events import DataReceived, Event, KeyRefreshRequested, PacketsLost, SessionClosed, SessionId
from .keyring import Keyring, Refresh
from .keys import KeyAnswer
from .limits import KEEPALIVE_S, LIGHT_ACK_PACKETS, TICK_S, Limits
from .loss import encode
from .packets import HEADER_BYTES, KEY_SHIFT, RETRANSMITTED, ControlType
from .sequence import SEQUENCE_MASK, stamp_of
from .stats import Counters, Stats

NEVER = math.inf
GRID_SLACK = 1e-6
"""A time that is a point of the grid but for rounding is that point."""
KEY_QUESTION_S = 5.0
"""Shortest time between two questions for a key. Why: each costs a PBKDF2; senders change keys after hours."""


class Session:
    """A connection that receives.

    Args:
        session: our socket id.
        peer_id: the peer's.
        sequence: of the first data packet.
        stamp: timestamp of the peer's handshake, which came in at `now`.
    """

    def __init__(
        self,
        session: SessionId,
        peer_id: int,
        address: Address,
        limits: Limits,
        *,
        sequence: int,
        stamp: int,
        latency_s: float,
        now: float,
    ) -> None:
        self.id = session
        self.peer_id = peer_id
        self.address = address
        self.latency_s = latency_s
        self.counters = Counters()
        self.stirred = False
        """There are events or datagrams to fetch, or `due` is earlier than it was."""
        self.due = NEVER
        """Nothing happens before that time unless something comes in."""
        self.outgoing: list[bytes] = []
        self.closed: SessionClosed | None = None
        self.keyring = Keyring()
        self.clock = Clock(stamp, now)
        window = Window(limits.flow_window, limits.buffer_bytes, latency_s, limits.early_release)
        self._buffer = ReceiveBuffer(sequence, window, self.clock)
        self._acks = Acks(self._buffer.position, now)
        self._limits = limits
        self._started = now
        self._heard = self._said = self._arrived = now
        self._ack_at = self._nak_at = NEVER
        self._light_at = self._buffer.position + LIGHT_ACK_PACKETS
        self._locked_out = 0
        self._asked_at = -NEVER
        self._events: list[Event] = []

    def opened(self, now: float) -> None:
        """The peer has been told that the connection is made."""
        self._heard = self._said = now
        self.due = NEVER
        self._replan(now)

    def data(self, sequence: int, flags: int, stamp: int, datagram: bytes, now: float) -> None:
        """A data packet (draft section 3.1). The first three arguments are its header."""
        self._heard = now
        counters = self.counters
        counters.packets += 1
        counters.octets += len(datagram)
        if flags & RETRANSMITTED:
            counters.retransmitted += 1
        buffer = self._buffer
        in_order = sequence == buffer.expected and buffer.simple
        if not in_order and not self._has_place(sequence):
            return
        payload = self.keyring.open(flags >> KEY_SHIFT & 3, sequence, datagram[HEADER_BYTES:])
        if payload is None:
            self._undecryptable(now)
        elif self._locked_out:
            self._locked_out = 0
        if in_order and payload is not None:
            if not buffer.ready:
                self.stirred = True
            buffer.ready.append(payload)
            buffer.step()
            self._arrived = now
        else:
            self._slow(sequence, payload, stamp, now)
        if self._ack_at == NEVER:
            self._plan_ack(now)
        if buffer.position >= self._light_at:
            self._send_light_ack(now)

    def control(self, first: int, specific: int, stamp: int, datagram: bytes, now: float) -> None:
        """A control packet. The first three arguments are its header."""
        self._heard = now
        match packets.control_type(first):
            case ControlType.ACKACK:
                rtt = self._acks.confirmed(specific, now)
                if rtt is not None:
                    self.clock.sample(stamp, now, rtt)
            case ControlType.DROPREQ:
                self._drop_request(datagram, now)
            case ControlType.SHUTDOWN:
                self.close(CloseReason.PEER, "the peer closed the connection", now, tell=False)
            case ControlType.USER if first & 0xFFFF == packets.UserType.KMREQ:
                self._key_request(datagram[HEADER_BYTES:], now)
            case _:
                # Keep-alives say that the peer is there. ACK, NAK and the rest are for senders.
                pass

    def tick(self, now: float) -> None:
        """Do what is due, and set `due` anew."""
        if self.closed is not None:
            return
        if now - self._heard >= self._limits.idle_s:
            detail = f"nothing was heard for {self._limits.idle_s:g} s"
            self.close(CloseReason.IDLE, detail, now)
            return
        self._buffer.release(now)
        if self._ack_at <= now:
            self._send_ack(now)
        if self._nak_at <= now:
            self._send_periodic_nak(now)
        if now - self._said >= KEEPALIVE_S:
            self._send(packets.keepalive(self._stamp(now), self.peer_id), now)
        self.due = NEVER
        self._plan_ack(now)
        self._replan(now)
        self.stirred = True

    def close(self, reason: CloseReason, detail: str, now: float, *, tell: bool = True) -> None:
        """End the connection: what waits comes out first. `tell`: with a SHUTDOWN."""
        if self.closed is not None:
            return
        if tell:
            self._send(packets.shutdown(self._stamp(now), self.peer_id), now)
        self._buffer.flush()
        self.closed = SessionClosed(self.id, reason, detail)
        self.due = NEVER
        self.stirred = True

    def take_events(self) -> list[Event]:
        """What happened since the last call, in order."""
        events, self._events = self._events, []
        ready, self._buffer.ready = self._buffer.ready, []
        if ready:
            self._gather(ready, events)
        if self.closed is not None:
            events.append(self.closed)
        return events

    def answer_key(self, answer: KeyAnswer | None, now: float) -> bool:
        """The shell's answer to `KeyRefreshRequested`; whether the new key works."""
        refresh, reply = self.keyring.answer(answer)
        self._reply_key(reply, now)
        return refresh is Refresh.DONE

    def stats(self, now: float) -> Stats:
        """The session at this moment."""
        counters, acks, buffer = self.counters, self._acks, self._buffer
        due = buffer.next_due()
        return Stats(
            packets=counters.packets,
            octets=counters.octets,
            retransmitted=counters.retransmitted,
            lost=counters.lost,
            belated=counters.belated,
            duplicate=counters.duplicate,
            dropped=counters.dropped,
            undecryptable=counters.undecryptable,
            out_of_window=counters.out_of_window,
            naks=counters.naks,
            rtt_s=acks.rtt,
            rtt_var_s=acks.rtt_var,
            bits_per_s=acks.bytes_per_s * 8.0,
            buffer_s=0.0 if due is None else max(0.0, now + self.latency_s - due),
            buffer_packets=buffer.held_packets,
            buffer_bytes=buffer.held_bytes,
            latency_s=self.latency_s,
            encrypted=self.keyring.secured,
        )

    def _has_place(self, sequence: int) -> bool:
        arrival = self._buffer.place(sequence)
        if arrival is Arrival.BELATED:
            self.counters.belated += 1
        elif arrival is Arrival.DUPLICATE:
            self.counters.duplicate += 1
        elif arrival is Arrival.FAR:
            self.counters.out_of_window += 1
        else:
            return True
        return False

    def _slow(self, sequence: int, payload: bytes | None, stamp: int, now: float) -> None:
        """A packet out of order, or one whose content is lost."""
        buffer = self._buffer
        arrival = buffer.insert(sequence, payload, stamp, now)
        self._arrived = now
        if arrival is Arrival.GAP:
            first, last = buffer.new_gap
            self.counters.lost += last - first + 1
            # Draft section 4.8.2: at once.
            self._send_nak(encode(first, last), now)
            if self._nak_at == NEVER:
                self._nak_at = now + self._acks.nak_interval
        if buffer.ready:
            self.stirred = True
        self._replan(now)

    def _undecryptable(self, now: float) -> None:
        self.counters.undecryptable += 1
        self._locked_out += 1
        if self._locked_out >= self._limits.undecryptable_in_a_row:
            detail = f"{self._locked_out} packets in a row could not be decrypted"
            self.close(CloseReason.UNDECRYPTABLE, detail, now)

    def _gather(self, ready: list[bytes | int], events: list[Event]) -> None:
        """Payloads joined, with the losses between them."""
        pieces: list[bytes] = []
        for item in ready:
            if isinstance(item, bytes):
                pieces.append(item)
                continue
            if pieces:
                events.append(DataReceived(self.id, b"".join(pieces), self._arrived))
                pieces = []
            self.counters.dropped += item
            events.append(PacketsLost(self.id, item))
        if pieces:
            events.append(DataReceived(self.id, b"".join(pieces), self._arrived))

    def _drop_request(self, datagram: bytes, now: float) -> None:
        try:
            first, last = packets.parse_drop_request(datagram[HEADER_BYTES:])
        except PacketError:
            self.counters.malformed += 1
            return
        if self._buffer.drop(first, last, now):
            self._plan_ack(now)
            self._replan(now)
            self.stirred = True

    def _key_request(self, body: bytes, now: float) -> None:
        """The sender announces its next key (draft section 6.1.6)."""
        refresh, reply = self.keyring.request(body, may_ask=now - self._asked_at >= KEY_QUESTION_S)
        if refresh is Refresh.ASK:
            self._asked_at = now
            self._events.append(KeyRefreshRequested(self.id, self.keyring.question))
            self.stirred = True
        elif refresh is Refresh.MALFORMED:
            self.counters.malformed += 1
        self._reply_key(reply, now)

    def _reply_key(self, reply: bytes, now: float) -> None:
        if reply:
            kind, subtype = ControlType.USER, packets.UserType.KMRSP
            self._send(packets.control(kind, self._stamp(now), self.peer_id, subtype=subtype, body=reply), now)

    def _plan_ack(self, now: float) -> None:
        due = self._acks.next_due(self._buffer.position)
        if due is None:
            self._ack_at = NEVER
            return
        self._ack_at = max(due, now)
        self._wake(self._ack_at, now)

    def _replan(self, now: float) -> None:
        """Be woken for everything that may happen."""
        if self.closed is not None:
            return
        due = min(self._ack_at, self._nak_at, self._heard + self._limits.idle_s, self._said + KEEPALIVE_S)
        release = self._buffer.next_due()
        if release is not None and release < due:
            due = release
        self._wake(due, now)

    def _wake(self, due: float, now: float) -> None:
        """Be woken at the first point of the grid that is not before `due`, and after `now`."""
        if due < self.due:
            at = max(math.ceil(due / TICK_S - GRID_SLACK), math.floor(now / TICK_S + GRID_SLACK) + 1) * TICK_S
            if at < self.due:
                self.due = at
                self.stirred = True

    def _send(self, datagram: bytes, now: float) -> None:
        self.outgoing.append(datagram)
        self._said = now
        self.stirred = True

    def _send_ack(self, now: float) -> None:
        """Draft section 4.8.1."""
        buffer, counters = self._buffer, self.counters
        fields = self._acks.fields(buffer.free, counters.packets, counters.octets, now)
        number = self._acks.take(buffer.position, now)
        self._ack_at = NEVER
        self._light_at = buffer.position + LIGHT_ACK_PACKETS
        counters.acks += 1
        self._send(packets.full_ack(self._stamp(now), self.peer_id, number, buffer.expected, fields), now)

    def _send_light_ack(self, now: float) -> None:
        position = self._buffer.position
        self._light_at = position + LIGHT_ACK_PACKETS
        self._send(packets.light_ack(self._stamp(now), self.peer_id, position & SEQUENCE_MASK), now)

    def _send_nak(self, words: list[int], now: float) -> None:
        self.counters.naks += 1
        self._send(packets.nak(self._stamp(now), self.peer_id, words), now)

    def _send_periodic_nak(self, now: float) -> None:
        losses = self._buffer.losses
        if not losses:
            self._nak_at = NEVER
            return
        self._send_nak(losses.words(), now)
        self._nak_at = now + self._acks.nak_interval

    def _stamp(self, now: float) -> int:
        return stamp_of(now - self._started)
