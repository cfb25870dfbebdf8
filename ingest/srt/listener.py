"""The listener: all callers of one UDP port (draft section 4.3.1). Sans-IO.

    caller                        listener                          shell
    INDUCTION            ->       cookie, nothing is kept
                         <-       INDUCTION with the cookie
    CONCLUSION, cookie   ->       checked; a place is taken    ->   ConnectionRequested
                                                               <-   accept(session, key) or reject(session, code)
                         <-       CONCLUSION, or a rejection
    data                 ->       session                      ->   DataReceived, PacketsLost

What an address sends before it has brought back a cookie is answered with at most as many bytes, or not at all. Copies
of a conclusion get the answer of the first. A session is bound to the address of its conclusion.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from . import handshake as hs
from . import packets
from .addresses import Address
from .admission import Admission, CallerKey, InductionGate, SettledAnswers, Standing
from .cookie import CookieJar, IdSource
from .errors import CloseReason, HandshakeRefused, PacketError, RejectCode, WrongSecret, WrongState
from .events import CallerRefused, ConnectionRequested, Event, SessionClosed, SessionId
from .keys import KeyAnswer, KeyRequest
from .limits import REFUSED_EVENTS, Limits
from .negotiation import Proposal, answer_for, read_request, rejection_for
from .packets import CONTROL, HEADER, HEADER_BYTES, MAX_DATAGRAM, ControlType
from .schedule import Schedule
from .sequence import stamp_of
from .session import Session
from .stats import PortCounters, Stats

SESSION_BITS = 30
"""Socket ids of libsrt have 30 bits; bit 30 marks groups."""


class Acceptance(enum.Enum):
    """What `accept` led to."""

    OPEN = enum.auto()
    """The connection is made."""
    BAD_SECRET = enum.auto()
    """The key does not open the caller's: it was refused with BADSECRET, and SessionClosed follows."""
    UNSECURE = enum.auto()
    """Only one side has a key: it was refused with UNSECURE, and SessionClosed follows."""
    GONE = enum.auto()
    """The request had timed out; its SessionClosed is on its way, or was given."""


@dataclass(slots=True)
class Request:
    """A caller that waits for the shell."""

    key: CallerKey
    handshake: hs.Handshake
    proposal: Proposal
    stamp: int
    arrived: float


class Listener:
    """All callers of one port.

    Args:
        secret: 32 or more random bytes, for cookies and socket ids.
    """

    def __init__(self, limits: Limits, now: float, secret: bytes) -> None:
        self.counters = PortCounters()
        self._limits = limits
        self._started = now
        self._jar = CookieJar(secret)
        self._ids = IdSource(secret)
        self._gate = InductionGate(limits, secret)
        self._admission = Admission(limits)
        self._settled = SettledAnswers()
        self._requests: dict[SessionId, Request] = {}
        self._sessions: dict[SessionId, Session] = {}
        self._by_caller: dict[CallerKey, SessionId] = {}
        self._answers: dict[SessionId, tuple[CallerKey, bytes]] = {}
        self._schedule = Schedule()
        self._fresh: dict[SessionId, Session] = {}
        self._events: list[Event] = []
        self._refused_events = 0
        self._outbox: list[tuple[bytes, Address]] = []

    def receive_datagram(self, data: bytes, address: Address, now: float) -> None:
        """A datagram came in from `address`. Never raises for what is in it."""
        if not HEADER_BYTES <= len(data) <= MAX_DATAGRAM:
            self.counters.malformed += 1
            return
        first, second, stamp, destination = HEADER.unpack_from(data)
        session = self._sessions.get(destination)
        if session is None:
            self._outside(first, stamp, destination, data, address, now)
            return
        # The address of a session is not followed: whoever knows the ids could take it over.
        if session.address != address:
            self.counters.wrong_address += 1
            return
        if first < CONTROL:
            session.data(first, second, stamp, data, now)
        else:
            session.control(first, second, stamp, data, now)
        if session.stirred:
            self._attend(session, now)

    def events_received(self) -> list[Event]:
        """Everything that happened since the last call, in order for each session."""
        events, self._events, self._refused_events = self._events, [], 0
        fresh, self._fresh = self._fresh, {}
        for session in fresh.values():
            events += session.take_events()
        return events

    def datagrams_to_send(self) -> list[tuple[bytes, Address]]:
        """What is to be sent since the last call."""
        outbox, self._outbox = self._outbox, []
        return outbox

    def next_timeout(self) -> float | None:
        """When `handle_timeout` has something to do; None while there is nobody."""
        return self._schedule.next()

    def handle_timeout(self, now: float) -> None:
        """Do what is due."""
        for session_id in self._schedule.pop(now):
            session = self._sessions.get(session_id)
            if session is not None:
                session.tick(now)
                self._attend(session, now)
            elif session_id in self._requests:
                self._give_up_request(session_id)

    def accept(self, session: SessionId, keys: KeyAnswer | None, now: float) -> Acceptance:
        """Make the connection; `keys` is needed when the request said `encrypted`, and None otherwise.

        Raises:
            WrongState: the session is open already.
        """
        request = self._answered(session)
        if request is None:
            return Acceptance.GONE
        material = request.proposal.material
        if (material is None) != (keys is None):
            self._refuse_request(session, request, RejectCode.UNSECURE, now)
            return Acceptance.UNSECURE
        opened = self._make_session(session, request)
        if material is not None and keys is not None:
            try:
                opened.keyring.install(material, keys.kek)
            except WrongSecret:
                self._refuse_request(session, request, RejectCode.BADSECRET, now)
                return Acceptance.BAD_SECRET
        self._open_session(opened, request, now)
        return Acceptance.OPEN

    def reject(self, session: SessionId, code: RejectCode, now: float) -> None:
        """Refuse a request; no further event follows.

        Raises:
            WrongState: the session is open already.
        """
        request = self._answered(session)
        if request is not None:
            self._send_rejection(request.key, request.handshake, code, now)
            self._forget_request(request, now)

    def answer_key(self, session: SessionId, answer: KeyAnswer | None, now: float) -> bool:
        """Answer `KeyRefreshRequested`; None says that there is no key. Whether the new key works."""
        found = self._sessions.get(session)
        if found is None:
            return False
        worked = found.answer_key(answer, now)
        self._attend(found, now)
        return worked

    def close(self, session: SessionId, detail: str, now: float) -> None:
        """End a connection with a SHUTDOWN; SessionClosed follows. Nothing happens when it is over already."""
        found = self._sessions.get(session)
        if found is not None:
            found.close(CloseReason.SERVER, detail, now)
            self._attend(found, now)

    def stats(self, session: SessionId, now: float) -> Stats | None:
        """A session at this moment; None when it is over."""
        found = self._sessions.get(session)
        return None if found is None else found.stats(now)

    @property
    def session_count(self) -> int:
        """Open connections."""
        return len(self._sessions)

    def _attend(self, session: Session, now: float) -> None:
        """Fetch what a session has to send, and note when it is due."""
        session.stirred = False
        if session.outgoing:
            outgoing, session.outgoing = session.outgoing, []
            for datagram in outgoing:
                self._send(datagram, session.address)
        self._fresh[session.id] = session
        if session.closed is not None:
            self._end(session, now)
            return
        self._schedule.set(session.id, session.due)

    def _end(self, session: Session, now: float) -> None:
        del self._sessions[session.id]
        self._schedule.remove(session.id)
        key, _ = self._answers.pop(session.id)
        del self._by_caller[key]
        self._settled.put(key, b"", now)
        self._admission.leave(session.address)

    def _send(self, datagram: bytes, address: Address) -> None:
        if len(self._outbox) >= self._limits.outgoing:
            self.counters.outgoing_dropped += 1
            return
        self._outbox.append((datagram, address))

    def _outside(self, first: int, stamp: int, destination: int, data: bytes, address: Address, now: float) -> None:
        """A packet that belongs to no session: only handshakes to socket 0 are looked at."""
        if destination != 0:
            self.counters.unknown += 1
            return
        if first < CONTROL or packets.control_type(first) != ControlType.HANDSHAKE:
            self.counters.malformed += 1
            return
        try:
            handshake = hs.parse_handshake(data[HEADER_BYTES:])
        except PacketError:
            self.counters.malformed += 1
            return
        if handshake.type == hs.INDUCTION:
            self._induction(handshake, address, now)
        elif handshake.type == hs.CONCLUSION:
            self._conclusion(handshake, stamp, address, now)
        elif handshake.type == hs.WAVEAHAND:
            self._rendezvous(handshake, address, now)
        else:
            self.counters.malformed += 1

    def _induction(self, handshake: hs.Handshake, address: Address, now: float) -> None:
        """Draft section 4.3.1.1: answered with a cookie, whoever it is; nothing is kept."""
        if not self._gate.admit(address, now):
            self.counters.inductions_throttled += 1
            return
        self.counters.inductions += 1
        answer = hs.Handshake(
            version=hs.SRT_VERSION,
            encryption=0,
            extension=hs.MAGIC,
            sequence=handshake.sequence,
            mtu=handshake.mtu,
            flow_window=handshake.flow_window,
            type=hs.INDUCTION,
            socket_id=handshake.socket_id,
            cookie=self._jar.cookie(address, now),
        )
        self._send(answer.build(self._stamp(now), handshake.socket_id), address)

    def _rendezvous(self, handshake: hs.Handshake, address: Address, now: float) -> None:
        """Draft section 4.3.2: not offered. The answer is as long as the question, and throttled like inductions."""
        if not self._gate.admit(address, now):
            self.counters.inductions_throttled += 1
            return
        self.counters.refused += 1
        refusal = rejection_for(handshake, address, RejectCode.ROGUE)
        self._send(refusal.build(self._stamp(now), handshake.socket_id), address)

    def _conclusion(self, handshake: hs.Handshake, stamp: int, address: Address, now: float) -> None:
        """Draft section 4.3.1.2."""
        if not self._jar.valid(handshake.cookie, address, now):
            self.counters.bad_cookies += 1
            return
        key = (address, handshake.socket_id)
        if self._repeated(key, now):
            self.counters.repeated += 1
            return
        standing = self._admission.ask(address, now)
        if standing is Standing.SILENT:
            self.counters.throttled += 1
            return
        try:
            proposal = _admissible(handshake, standing, self._limits)
            self._admission.enter(address)
        except HandshakeRefused as refusal:
            self._refuse(key, handshake, refusal, now)
            return
        session = self._new_id()
        self._requests[session] = Request(key, handshake, proposal, stamp, now)
        self._by_caller[key] = session
        self._schedule.set(session, now + self._limits.answer_s)
        self.counters.requests += 1
        material = proposal.material
        self._events.append(
            ConnectionRequested(
                session=session,
                address=address,
                stream_id=proposal.stream_id,
                encrypted=None if material is None else KeyRequest(material.salt, material.length),
                latency_s=proposal.latency_s,
                version=proposal.version,
            )
        )

    def _repeated(self, key: CallerKey, now: float) -> bool:
        """Whether this conclusion is a copy; it is answered as the first was."""
        session = self._by_caller.get(key)
        if session is not None:
            if session in self._answers:
                self._send(self._answers[session][1], key[0])
            return True
        settled = self._settled.get(key, now)
        if settled is None:
            return False
        if settled.answer:
            self._send(settled.answer, key[0])
        return True

    def _refuse(self, key: CallerKey, handshake: hs.Handshake, refusal: HandshakeRefused, now: float) -> None:
        self.counters.refused += 1
        self._send_rejection(key, handshake, refusal.code, now)
        if self._refused_events < REFUSED_EVENTS:
            self._refused_events += 1
            self._events.append(CallerRefused(key[0], refusal.code, str(refusal)))

    def _send_rejection(self, key: CallerKey, handshake: hs.Handshake, code: RejectCode, now: float) -> None:
        datagram = rejection_for(handshake, key[0], code).build(self._stamp(now), handshake.socket_id)
        self._settled.put(key, datagram, now)
        self._send(datagram, key[0])

    def _answered(self, session: SessionId) -> Request | None:
        """The request that the shell answers; None when it timed out."""
        if session in self._sessions:
            raise WrongState(f"session {session} is open already")
        request = self._requests.pop(session, None)
        if request is not None:
            self._schedule.remove(session)
            self._admission.answered(request.key[0])
        return request

    def _forget_request(self, request: Request, now: float) -> None:
        """It was rejected."""
        self.counters.rejected += 1
        del self._by_caller[request.key]
        self._admission.leave(request.key[0])
        self._admission.punish(request.key[0], now)

    def _refuse_request(self, session: SessionId, request: Request, code: RejectCode, now: float) -> None:
        self._send_rejection(request.key, request.handshake, code, now)
        self._forget_request(request, now)
        detail = "another passphrase" if code is RejectCode.BADSECRET else "only one side has a passphrase"
        self._events.append(SessionClosed(session, CloseReason.SECRET, detail))

    def _give_up_request(self, session: SessionId) -> None:
        """The shell did not answer in time; the caller has given up before."""
        request = self._answered(session)
        if request is not None:
            del self._by_caller[request.key]
            self._admission.leave(request.key[0])
            self._events.append(SessionClosed(session, CloseReason.UNANSWERED, "the request was not answered in time"))

    def _make_session(self, session: SessionId, request: Request) -> Session:
        proposal = request.proposal
        return Session(
            session,
            proposal.socket_id,
            request.key[0],
            self._limits,
            sequence=proposal.sequence,
            stamp=request.stamp,
            latency_s=proposal.latency_s,
            now=request.arrived,
        )

    def _open_session(self, session: Session, request: Request, now: float) -> None:
        proposal, handshake = request.proposal, request.handshake
        material = proposal.material.raw if proposal.material else b""
        answer = answer_for(proposal, session.address, session.id, handshake.cookie, self._limits, material)
        datagram = answer.build(stamp_of(now - request.arrived), proposal.socket_id)
        self._sessions[session.id] = session
        self._answers[session.id] = (request.key, datagram)
        self._send(datagram, session.address)
        session.opened(now)
        self._attend(session, now)

    def _new_id(self) -> SessionId:
        while True:
            number = self._ids.number(SESSION_BITS)
            if number not in self._sessions and number not in self._requests and number not in self._fresh:
                return number

    def _stamp(self, now: float) -> int:
        return stamp_of(now - self._started)


def _admissible(handshake: hs.Handshake, standing: Standing, limits: Limits) -> Proposal:
    if standing is Standing.SPENT:
        raise HandshakeRefused(RejectCode.OVERLOAD, "too many attempts of this address")
    return read_request(handshake, limits)
