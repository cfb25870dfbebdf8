"""One connection after its handshake: data and control packets in, data, losses and feedback out. Sans-IO.

The way of a data packet in order is short on purpose: it runs 760 times a second for each 8 Mbit/s.
"""

from __future__ import annotations

import math

from . import packets
from .addresses import Address
from .buffer import Arrival, ReceiveBuffer, Window
from .clock import Clock
from .errors import CloseReason, PacketError
from .events import DataReceived, Event, KeyRefreshRequested, PacketsLost, SessionClosed, SessionId
from .feedback import Feedback
from .keyring import Keyring, Refresh
from .keys import KeyAnswer
from .limits import Limits
from .packets import HEADER_BYTES, KEY_SHIFT, RETRANSMITTED, ControlType
from .schedule import grid_point
from .stats import Counters, Stats

NEVER = math.inf
GRACE_S = 0.05
"""How long a connection lives after the peer's SHUTDOWN.

Why: networks reorder; the SHUTDOWN must not overtake the last packets. When some are missing it is a round trip, for
those that were sent again already.
"""
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
        self.address = address
        self.latency_s = latency_s
        self.counters = Counters()
        self.stirred = False
        """There are events or datagrams to fetch, or `due` is earlier than it was."""
        self.due = NEVER
        """Nothing happens before that time unless something comes in."""
        self.closed: SessionClosed | None = None
        self.keyring = Keyring()
        self._clock = Clock(stamp, now)
        window = Window(limits.flow_window, limits.buffer_bytes, latency_s, limits.early_release)
        self._buffer = ReceiveBuffer(sequence, window, self._clock)
        self._feedback = Feedback(peer_id, self._buffer.position, self.counters, now)
        self._limits = limits
        self._heard = self._arrived = now
        self._leaving_at = NEVER
        self._locked_out = 0
        self._asked_at = -NEVER
        self._events: list[Event] = []

    def opened(self, now: float) -> None:
        """The peer has been told that the connection is made."""
        self._heard = now
        self._feedback.probe(now)
        self._replan(now)

    def data(self, sequence: int, flags: int, stamp: int, datagram: bytes, now: float) -> None:
        """A data packet (draft section 3.1). The first three arguments are its header."""
        self._heard = now
        counters, buffer = self.counters, self._buffer
        counters.packets += 1
        counters.octets += len(datagram)
        if flags & RETRANSMITTED:
            counters.retransmitted += 1
        in_order = sequence == buffer.expected and buffer.simple
        if not in_order and not self._has_place(sequence):
            return
        payload = self.keyring.open(flags >> KEY_SHIFT & 3, sequence, datagram[HEADER_BYTES:])
        if payload is None:
            self._undecryptable(now)
        elif self._locked_out:
            self._locked_out = 0
        if in_order and payload is not None:
            ready = buffer.ready
            if not ready:
                self.stirred = True
            ready.append(payload)
            buffer.step()
            self._arrived = now
        else:
            self._slow(sequence, payload, stamp, now)
        if buffer.position >= self._feedback.attention and self._feedback.progress(buffer.position, now):
            self.stirred = True
            self._wake(now, now)

    def control(self, first: int, specific: int, stamp: int, datagram: bytes, now: float) -> None:
        """A control packet. The first three arguments are its header."""
        self._heard = now
        kind = packets.control_type(first)
        if kind == ControlType.ACKACK:
            rtt = self._feedback.acks.confirmed(specific, now)
            if rtt is not None:
                self._clock.sample(stamp, now, rtt)
        elif kind == ControlType.DROPREQ:
            self._drop_request(datagram, now)
        elif kind == ControlType.SHUTDOWN:
            self._peer_leaves(now)
        elif kind == ControlType.USER and first & 0xFFFF == packets.UserType.KMREQ:
            self._key_request(datagram[HEADER_BYTES:], now)
        # Keep-alives say that the peer is there. ACK, NAK and the rest are for senders.

    def tick(self, now: float) -> None:
        """Do what is due, and set `due` anew."""
        if self.closed is not None:
            return
        if now - self._heard >= self._limits.idle_s:
            self.close(CloseReason.IDLE, f"nothing was heard for {self._limits.idle_s:g} s", now)
            return
        if now >= self._leaving_at:
            self.close(CloseReason.PEER, "the peer closed the connection", now, tell=False)
            return
        self._buffer.release(now)
        self._progress(now)
        self._feedback.tick(self._buffer, now)
        self.due = NEVER
        self._replan(now)
        self.stirred = True

    def close(self, reason: CloseReason, detail: str, now: float, *, tell: bool = True) -> None:
        """End the connection: what waits comes out first. `tell`: with a SHUTDOWN."""
        if self.closed is not None:
            return
        if tell:
            self._feedback.shutdown(now)
        self._buffer.flush()
        self.closed = SessionClosed(self.id, reason, detail)
        self.due = NEVER
        self.stirred = True

    def take_datagrams(self) -> list[bytes]:
        """What is to be sent to the peer since the last call."""
        outgoing = self._feedback.outgoing
        if outgoing:
            self._feedback.outgoing = []
        return outgoing

    def take_events(self) -> list[Event]:
        """What happened since the last call, in order."""
        events, self._events = self._events, []
        ready = self._buffer.ready
        if ready:
            self._buffer.ready = []
            self._gather(ready, events)
        if self.closed is not None:
            events.append(self.closed)
        return events

    def answer_key(self, answer: KeyAnswer | None, now: float) -> bool:
        """The shell's answer to `KeyRefreshRequested`; whether the new key works."""
        refresh, reply = self.keyring.answer(answer)
        if reply:
            self._feedback.key_reply(reply, now)
        self.stirred = True
        return refresh is Refresh.DONE

    def stats(self, now: float) -> Stats:
        """The session at this moment."""
        due, acks = self._buffer.next_due(), self._feedback.acks
        acks.measure(self.counters.packets, self.counters.octets, now)
        return Stats.of(
            self.counters,
            rtt_s=acks.rtt,
            rtt_var_s=acks.rtt_var,
            bits_per_s=acks.bytes_per_s * 8.0,
            buffer_s=0.0 if due is None else max(0.0, now + self.latency_s - due),
            buffer_packets=self._buffer.held_packets,
            buffer_bytes=self._buffer.held_bytes,
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
        self._arrived = now
        if buffer.insert(sequence, payload, stamp, now) is Arrival.GAP:
            self._feedback.gap(*buffer.new_gap, now)
            self.stirred = True
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
            self._join(pieces, events)
            pieces = []
            self.counters.dropped += item
            events.append(PacketsLost(self.id, item))
        self._join(pieces, events)

    def _join(self, pieces: list[bytes], events: list[Event]) -> None:
        # A packet may be empty: it holds its place, and gives nothing.
        if data := b"".join(pieces):
            events.append(DataReceived(self.id, data, self._arrived))

    def _peer_leaves(self, now: float) -> None:
        """SHUTDOWN (draft section 3.2.7): what is on its way may still come."""
        if self._leaving_at == NEVER:
            wait = max(GRACE_S, self._feedback.acks.rtt) if self._buffer.losses else GRACE_S
            self._leaving_at = now + min(wait, self.latency_s)
            self._replan(now)

    def _drop_request(self, datagram: bytes, now: float) -> None:
        """The sender has these packets no more (draft section 3.2.9)."""
        try:
            first, last = packets.parse_drop_request(datagram[HEADER_BYTES:])
        except PacketError:
            self.counters.malformed += 1
            return
        if self._buffer.drop(first, last, now):
            self._progress(now)
            self._replan(now)
            self.stirred = True

    def _key_request(self, body: bytes, now: float) -> None:
        """The sender announces its next key (draft section 6.1.6)."""
        refresh, reply = self.keyring.request(body, may_ask=now - self._asked_at >= KEY_QUESTION_S)
        if refresh is Refresh.ASK:
            self._asked_at = now
            self._events.append(KeyRefreshRequested(self.id, self.keyring.question))
        elif refresh is Refresh.MALFORMED:
            self.counters.malformed += 1
        if reply:
            self._feedback.key_reply(reply, now)
        self.stirred = True

    def _progress(self, now: float) -> None:
        """Packets may have been given up: that is progress as well (draft section 4.6)."""
        if self._buffer.position >= self._feedback.attention:
            self._feedback.progress(self._buffer.position, now)

    def _replan(self, now: float) -> None:
        """Be woken for everything that may happen."""
        if self.closed is not None:
            return
        due = min(self._feedback.due, self._heard + self._limits.idle_s, self._leaving_at)
        release = self._buffer.next_due()
        if release is not None and release < due:
            due = release
        self._wake(due, now)

    def _wake(self, due: float, now: float) -> None:
        """Be woken at the first point of the grid that is not before `due`, and after `now`."""
        if due < self.due and self.closed is None:
            at = grid_point(due, now)
            if at < self.due:
                self.due = at
                self.stirred = True
