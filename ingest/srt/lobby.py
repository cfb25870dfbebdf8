"""Where callers wait: handshakes of one port, up to the shell's answer (draft section 4.3.1). Sans-IO.

What an address sends before it has brought back a cookie is answered with at most as many bytes, or not at all, and
nothing is kept of it. Copies of a conclusion get the answer of the first.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import handshake as hs
from . import packets
from .addresses import Address
from .admission import Admission, CallerKey, InductionGate, SettledAnswers, Standing
from .cookie import CookieJar, IdSource
from .errors import HandshakeRefused, PacketError, RejectCode
from .events import CallerRefused, ConnectionRequested, Event, SessionId
from .keys import KeyRequest
from .limits import REFUSED_EVENTS, Limits
from .negotiation import Proposal, answer_for, read_request, rejection_for
from .packets import CONTROL, HEADER, HEADER_BYTES, ControlType
from .sequence import stamp_of
from .stats import PortCounters

SESSION_BITS = 30
"""Socket ids of libsrt have 30 bits; bit 30 marks groups."""


@dataclass(frozen=True, slots=True)
class Request:
    """A caller that waits for the shell."""

    key: CallerKey
    handshake: hs.Handshake
    proposal: Proposal
    stamp: int
    """Timestamp of the conclusion."""
    arrived: float

    @property
    def address(self) -> Address:
        return self.key[0]


class Lobby:
    """Answers handshakes, and holds requests until they are taken.

    Args:
        secret: 32 or more random bytes.
    """

    def __init__(self, limits: Limits, now: float, secret: bytes, counters: PortCounters) -> None:
        self.events: list[Event] = []
        self.outgoing: list[tuple[bytes, Address]] = []
        self.asked: list[tuple[SessionId, float]] = []
        """Requests since the list was cleared, and when each is given up."""
        self._limits = limits
        self._started = now
        self._counters = counters
        self._jar = CookieJar(secret)
        self._ids = IdSource(secret)
        self._gate = InductionGate(limits, secret)
        self._admission = Admission(limits)
        self._settled = SettledAnswers()
        self._requests: dict[SessionId, Request] = {}
        self._by_caller: dict[CallerKey, SessionId] = {}
        self._open: dict[SessionId, tuple[CallerKey, bytes]] = {}
        self._refused_events = 0

    def take_events(self) -> list[Event]:
        """What happened since the last call."""
        events, self.events, self._refused_events = self.events, [], 0
        return events

    def receive(self, data: bytes, address: Address, now: float) -> None:
        """A packet for no session. Only handshakes to socket 0 are looked at."""
        first, _, stamp, destination = HEADER.unpack_from(data)
        if destination != 0:
            self._counters.unknown += 1
            return
        if first < CONTROL or packets.control_type(first) != ControlType.HANDSHAKE:
            self._counters.malformed += 1
            return
        try:
            handshake = hs.parse_handshake(data[HEADER_BYTES:])
        except PacketError:
            self._counters.malformed += 1
            return
        if handshake.type == hs.INDUCTION:
            self._induction(handshake, address, now)
        elif handshake.type == hs.CONCLUSION:
            self._conclusion(handshake, stamp, address, now)
        elif handshake.type == hs.WAVEAHAND:
            self._rendezvous(handshake, address, now)
        else:
            self._counters.malformed += 1

    def take(self, session: SessionId) -> Request | None:
        """The shell has answered a request, or it is given up; None when it is none any more."""
        request = self._requests.pop(session, None)
        if request is not None:
            self._admission.answered(request.address)
        return request

    def open(self, session: SessionId, request: Request, now: float) -> None:
        """A request that was taken becomes a connection: send the answer, and keep it for copies."""
        proposal = request.proposal
        material = proposal.material.raw if proposal.material else b""
        cookie = request.handshake.cookie
        answer = answer_for(proposal, request.address, session, cookie, self._limits, material)
        datagram = answer.build(stamp_of(now - request.arrived), proposal.socket_id)
        self._open[session] = (request.key, datagram)
        self.outgoing.append((datagram, request.address))

    def refuse(self, request: Request, code: RejectCode, now: float) -> None:
        """A request that was taken is rejected."""
        self._counters.rejected += 1
        self._reject(request.key, request.handshake, code, now)
        self._admission.punish(request.address, now)
        self.forget(request)

    def forget(self, request: Request) -> None:
        """A request that was taken leads to nothing."""
        del self._by_caller[request.key]
        self._admission.leave(request.address)

    def closed(self, session: SessionId, now: float) -> None:
        """A connection is over: late copies of its conclusion are not taken for a new one."""
        key, _ = self._open.pop(session)
        del self._by_caller[key]
        self._settled.put(key, b"", now)
        self._admission.leave(key[0])

    def _induction(self, handshake: hs.Handshake, address: Address, now: float) -> None:
        """Draft section 4.3.1.1: answered with a cookie, whoever it is; nothing is kept."""
        if self._connected(handshake, address):
            return
        if not self._gate.admit(address, now):
            self._counters.inductions_throttled += 1
            return
        self._counters.inductions += 1
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
        self._send(answer, handshake.socket_id, address, now)

    def _connected(self, handshake: hs.Handshake, address: Address) -> bool:
        """Whether this caller has a connection, or waits for one: a late copy, or a forgery, is not answered.

        Why: a libsrt caller (seen with 1.5.1 and 1.5.7) ends its connection when the answer to an induction reaches it
        then. A caller that begins anew has another socket id.
        """
        if (address, handshake.socket_id) not in self._by_caller:
            return False
        self._counters.repeated += 1
        return True

    def _rendezvous(self, handshake: hs.Handshake, address: Address, now: float) -> None:
        """Draft section 4.3.2: not offered. The answer is as long as the question, and throttled like inductions."""
        if self._connected(handshake, address):
            return
        if not self._gate.admit(address, now):
            self._counters.inductions_throttled += 1
            return
        self._counters.refused += 1
        self._send(rejection_for(handshake, address, RejectCode.ROGUE), handshake.socket_id, address, now)

    def _conclusion(self, handshake: hs.Handshake, stamp: int, address: Address, now: float) -> None:
        """Draft section 4.3.1.2."""
        if not self._jar.valid(handshake.cookie, address, now):
            self._counters.bad_cookies += 1
            return
        key = (address, handshake.socket_id)
        if self._repeated(key, now):
            self._counters.repeated += 1
            return
        standing = self._admission.ask(address, now)
        if standing is Standing.SILENT:
            self._counters.throttled += 1
            return
        try:
            proposal = self._admissible(handshake, address, standing)
        except HandshakeRefused as refusal:
            self._counters.refused += 1
            self._reject(key, handshake, refusal.code, now)
            self._tell(CallerRefused(address, refusal.code, str(refusal)))
            return
        self._ask(Request(key, handshake, proposal, stamp, now))

    def _admissible(self, handshake: hs.Handshake, address: Address, standing: Standing) -> Proposal:
        """Take a place for this caller.

        Raises:
            HandshakeRefused: it gets none.
        """
        if standing is Standing.SPENT:
            raise HandshakeRefused(RejectCode.OVERLOAD, "too many attempts of this address")
        proposal = read_request(handshake, self._limits)
        self._admission.enter(address)
        return proposal

    def _ask(self, request: Request) -> None:
        session = self._new_id()
        self._requests[session] = request
        self._by_caller[request.key] = session
        self.asked.append((session, request.arrived + self._limits.answer_s))
        self._counters.requests += 1
        proposal = request.proposal
        material = proposal.material
        self.events.append(
            ConnectionRequested(
                session=session,
                address=request.address,
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
            if session in self._open:
                self.outgoing.append((self._open[session][1], key[0]))
            return True
        settled = self._settled.get(key, now)
        if settled is None:
            return False
        if settled.answer:
            self.outgoing.append((settled.answer, key[0]))
        return True

    def _reject(self, key: CallerKey, handshake: hs.Handshake, code: RejectCode, now: float) -> None:
        answer = rejection_for(handshake, key[0], code)
        datagram = answer.build(stamp_of(now - self._started), handshake.socket_id)
        self._settled.put(key, datagram, now)
        self.outgoing.append((datagram, key[0]))

    def _tell(self, event: CallerRefused) -> None:
        if self._refused_events < REFUSED_EVENTS:
            self._refused_events += 1
            self.events.append(event)

    def _send(self, handshake: hs.Handshake, destination: int, address: Address, now: float) -> None:
        self.outgoing.append((handshake.build(stamp_of(now - self._started), destination), address))

    def _new_id(self) -> SessionId:
        while True:
            number = self._ids.number(SESSION_BITS)
            if number not in self._open and number not in self._requests:
                return number
