"""The caller: one connection that we open, to receive (draft section 4.3.1). Sans-IO.

    INDUCTION             ->    listener
                          <-    INDUCTION with a cookie
    CONCLUSION, stream id, our key  ->
                          <-    CONCLUSION, or a rejection        Connected, or SessionClosed
                          <-    data                              DataReceived, PacketsLost

The initiator of a connection makes the key for both directions, also when it only receives: libsrt's listener sends
with the key that its caller gave it. So a caller with a passphrase draws a key and wraps it; later changes come from
the sender.
"""

from __future__ import annotations

import enum
import hashlib

from . import handshake as hs
from . import packets
from .addresses import Address, field_of
from .cookie import IdSource
from .errors import CloseReason, HandshakeRefused, PacketError, RejectCode, WrongState
from .events import Connected, Event, SessionClosed, SessionId
from .extensions import OURS, SRT_VERSION, Capabilities, ExtensionType, Present, block, build_text
from .keys import EVEN, KeyAnswer, KeyOffer, build_key_material
from .limits import HANDSHAKE_RETRY_S, MAX_STREAM_ID_BYTES, Limits
from .negotiation import Proposal, read_answer
from .packets import CONTROL, HEADER, HEADER_BYTES, MAX_DATAGRAM, ControlType
from .sequence import stamp_of
from .session import Session
from .stats import PortCounters, Stats

SESSION_BITS = 30
SEQUENCE_BITS = 31


class Phase(enum.Enum):
    """What a caller waits for."""

    NEW = enum.auto()
    """`connect`."""
    INDUCTION = enum.auto()
    """The listener's cookie."""
    CONCLUSION = enum.auto()
    """The listener's answer."""
    OPEN = enum.auto()
    """Data."""
    CLOSED = enum.auto()


class Caller:
    """One connection to a listener. A new attempt needs a new one.

    Args:
        secret: 32 or more random bytes, for the socket id and the key; not used for another caller.
    """

    def __init__(self, limits: Limits, now: float, secret: bytes) -> None:
        self.counters = PortCounters()
        self.phase = Phase.NEW
        self._limits = limits
        self._started = now
        self._secret = secret
        ids = IdSource(secret)
        self.session: SessionId = ids.number(SESSION_BITS)
        """Our socket id."""
        self._sequence = ids.number(SEQUENCE_BITS)
        self._address: Address = ("", 0)
        self._stream_id = ""
        self._offer: KeyOffer | None = None
        self._key = b""
        self._material = b""
        self._request = b""
        self._retry_at = self._give_up_at = now
        self._open: Session | None = None
        self._events: list[Event] = []
        self._outbox: list[tuple[bytes, Address]] = []

    def connect(self, address: Address, stream_id: str, offer: KeyOffer | None, now: float) -> None:
        """Begin. `offer` for an encrypted connection: its `kek` is 16, 24 or 32 bytes, and so is the key.

        Raises:
            WrongState: called twice.
            ValueError: the stream id is longer than 512 bytes.
        """
        if self.phase is not Phase.NEW:
            raise WrongState("connect was called before")
        if len(stream_id.encode()) > MAX_STREAM_ID_BYTES:
            raise ValueError(f"a stream id has at most {MAX_STREAM_ID_BYTES} bytes")
        self._address, self._stream_id, self._offer = address, stream_id, offer
        if offer is not None:
            self._key = hashlib.shake_256(b"srt key" + self._secret).digest(len(offer.kek))
            self._material = build_key_material(EVEN, offer.salt, offer.kek, self._key)
        self._give_up_at = now + self._limits.connect_s
        # Draft section 4.3.1.1: an induction has version 4 and extension field 2.
        induction = self._handshake(hs.UDT_VERSION, hs.UDT_DGRAM, hs.INDUCTION, 0)
        self.phase = Phase.INDUCTION
        self._ask(induction, now)

    def receive_datagram(self, data: bytes, address: Address, now: float) -> None:
        """A datagram came in from `address`. Never raises for what is in it."""
        if not HEADER_BYTES <= len(data) <= MAX_DATAGRAM:
            self.counters.malformed += 1
            return
        if address != self._address:
            self.counters.wrong_address += 1
            return
        first, second, stamp, destination = HEADER.unpack_from(data)
        if destination != self.session:
            self.counters.unknown += 1
            return
        session = self._open
        if session is not None:
            if first < CONTROL:
                session.data(first, second, stamp, data, now)
            else:
                session.control(first, second, stamp, data, now)
            if session.stirred:
                self._attend(session)
        elif self.phase in (Phase.INDUCTION, Phase.CONCLUSION):
            self._answer(first, stamp, data, now)

    def events_received(self) -> list[Event]:
        """Everything that happened since the last call."""
        events, self._events = self._events, []
        session = self._open
        if session is not None:
            events += session.take_events()
            if session.closed is not None:
                self._open = None
                self.phase = Phase.CLOSED
        return events

    def datagrams_to_send(self) -> list[tuple[bytes, Address]]:
        """What is to be sent since the last call."""
        outbox, self._outbox = self._outbox, []
        return outbox

    def next_timeout(self) -> float | None:
        """When `handle_timeout` has something to do; None before `connect` and after the end."""
        if self.phase in (Phase.INDUCTION, Phase.CONCLUSION):
            return min(self._retry_at, self._give_up_at)
        session = self._open
        return session.due if session is not None and session.closed is None else None

    def handle_timeout(self, now: float) -> None:
        """Do what is due."""
        if self.phase in (Phase.INDUCTION, Phase.CONCLUSION):
            if now >= self._give_up_at:
                self._fail(CloseReason.UNANSWERED, "the listener did not answer in time")
            elif now >= self._retry_at:
                self._ask(self._request, now)
            return
        session = self._open
        if session is not None and session.due <= now:
            session.tick(now)
            self._attend(session)

    def answer_key(self, session: SessionId, answer: KeyAnswer | None, now: float) -> bool:
        """Answer `KeyRefreshRequested`; None says that there is no key. Whether the new key works."""
        if self._open is None or session != self.session:
            return False
        worked = self._open.answer_key(answer, now)
        self._attend(self._open)
        return worked

    def close(self, session: SessionId, detail: str, now: float) -> None:
        """End the connection, or the attempt; SessionClosed follows. Nothing happens when it is over already."""
        if session != self.session:
            return
        if self._open is not None:
            self._open.close(CloseReason.SERVER, detail, now)
            self._attend(self._open)
        elif self.phase is not Phase.CLOSED:
            self._fail(CloseReason.SERVER, detail)

    def stats(self, session: SessionId, now: float) -> Stats | None:
        """The session at this moment; None when there is none."""
        if self._open is None or session != self.session:
            return None
        return self._open.stats(now)

    def _ask(self, request: bytes, now: float) -> None:
        """Send a handshake, and send it again until it is answered."""
        # The listener measures its clock by the timestamp: a copy must not have that of the first.
        stamp = stamp_of(now - self._started).to_bytes(4)
        self._request = request[:8] + stamp + request[12:]
        self._retry_at = now + HANDSHAKE_RETRY_S
        self._send(self._request)

    def _send(self, datagram: bytes) -> None:
        if len(self._outbox) >= self._limits.outgoing:
            self.counters.outgoing_dropped += 1
            return
        self._outbox.append((datagram, self._address))

    def _attend(self, session: Session) -> None:
        session.stirred = False
        for datagram in session.take_datagrams():
            self._send(datagram)

    def _handshake(self, version: int, extension: int, kind: int, cookie: int, extensions: bytes = b"") -> bytes:
        return hs.Handshake(
            version=version,
            encryption=len(self._key) // 8 if extensions else 0,
            extension=extension,
            sequence=self._sequence,
            mtu=MAX_DATAGRAM,
            flow_window=self._limits.flow_window,
            type=kind,
            socket_id=self.session,
            cookie=cookie,
            peer_ip=field_of(self._address),
            extensions=extensions,
        ).build(0, 0)

    def _answer(self, first: int, stamp: int, data: bytes, now: float) -> None:
        if first < CONTROL or packets.control_type(first) != ControlType.HANDSHAKE:
            return
        try:
            answer = hs.parse_handshake(data[HEADER_BYTES:])
        except PacketError:
            self.counters.malformed += 1
            return
        if answer.rejects:
            code = RejectCode.of(answer.type)
            reason = CloseReason.REJECTED
            if code in (RejectCode.BADSECRET, RejectCode.UNSECURE):
                reason = CloseReason.SECRET
            self._fail(reason, f"the listener refused: {code.name} ({answer.type})", code)
        elif answer.type == hs.INDUCTION and self.phase is Phase.INDUCTION:
            self._conclude(answer, now)
        elif answer.type == hs.CONCLUSION and self.phase is Phase.CONCLUSION:
            try:
                proposal = read_answer(answer, self._limits)
            except HandshakeRefused as refusal:
                self._fail(CloseReason.PROTOCOL, f"the listener's answer: {refusal}")
                return
            self._connected(proposal, stamp, now)

    def _conclude(self, answer: hs.Handshake, now: float) -> None:
        """Draft section 4.3.1.2: the conclusion, with the cookie that came back."""
        if answer.version != hs.SRT_VERSION or answer.extension != hs.MAGIC:
            self._fail(CloseReason.PROTOCOL, "the listener does not speak handshake version 5")
            return
        latency_ms = round(self._limits.latency_s * 1000)
        present = Present.HSREQ
        extensions = block(ExtensionType.HSREQ, Capabilities(SRT_VERSION, OURS, latency_ms, 0).build())
        if self._stream_id:
            present |= Present.CONFIG
            extensions += block(ExtensionType.SID, build_text(self._stream_id))
        if self._material:
            present |= Present.KMREQ
            extensions += block(ExtensionType.KMREQ, self._material)
        self.phase = Phase.CONCLUSION
        self._ask(self._handshake(hs.SRT_VERSION, present, hs.CONCLUSION, answer.cookie, extensions), now)

    def _connected(self, proposal: Proposal, stamp: int, now: float) -> None:
        if not self._keys_agree(proposal):
            return
        session = Session(
            self.session,
            proposal.socket_id,
            self._address,
            self._limits,
            sequence=proposal.sequence,
            stamp=stamp,
            latency_s=proposal.latency_s,
            now=now,
        )
        if self._offer is not None:
            session.keyring.adopt(self._offer.salt, self._offer.kek, self._key, self._material)
        self._open = session
        self.phase = Phase.OPEN
        session.opened(now)
        self._events.append(Connected(self.session, proposal.latency_s, session.keyring.secured, proposal.version))

    def _keys_agree(self, proposal: Proposal) -> bool:
        """Draft section 3.2.1.2: the listener gives our key material back, or says why it cannot use it."""
        given = proposal.material.raw if proposal.material else b""
        if given == self._material and proposal.key_state is None:
            return True
        self._send(packets.shutdown(0, proposal.socket_id))
        self._fail(CloseReason.SECRET, "the passphrase is wrong, or only one side has one")
        return False

    def _fail(self, reason: CloseReason, detail: str, code: RejectCode | None = None) -> None:
        self.phase = Phase.CLOSED
        self._events.append(SessionClosed(self.session, reason, detail, code))
