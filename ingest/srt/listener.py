"""The listener: all callers of one UDP port (draft section 4.3.1). Sans-IO.

    caller                        listener                          shell
    INDUCTION            ->       cookie, nothing is kept
                         <-       INDUCTION with the cookie
    CONCLUSION, cookie   ->       checked; a place is taken    ->   ConnectionRequested
                                                               <-   accept(session, key) or reject(session, code)
                         <-       CONCLUSION, or a rejection
    data                 ->       session                      ->   DataReceived, PacketsLost

The lobby does the handshakes; here are the sessions. Each is bound to the address of its conclusion.
"""

from __future__ import annotations

import enum

from .addresses import Address
from .errors import CloseReason, RejectCode, WrongSecret, WrongState
from .events import Event, SessionClosed, SessionId
from .keys import KeyAnswer
from .limits import Limits
from .lobby import Lobby, Request
from .packets import CONTROL, HEADER, HEADER_BYTES, MAX_DATAGRAM
from .schedule import Schedule
from .session import Session
from .stats import PortCounters, Stats


class Acceptance(enum.Enum):
    """What `accept` led to."""

    OPEN = enum.auto()
    """The connection is made."""
    BAD_SECRET = enum.auto()
    """The key does not open the caller's: it was refused with BADSECRET, and SessionClosed follows."""
    UNSECURE = enum.auto()
    """Only one side has a key: it was refused with UNSECURE, and SessionClosed follows."""
    GONE = enum.auto()
    """The request had timed out; its SessionClosed was given or is on its way."""


class Listener:
    """All callers of one port.

    Args:
        secret: 32 or more random bytes, for cookies and socket ids.
    """

    def __init__(self, limits: Limits, now: float, secret: bytes) -> None:
        self.counters = PortCounters()
        self._limits = limits
        self._lobby = Lobby(limits, now, secret, self.counters)
        self._sessions: dict[SessionId, Session] = {}
        self._schedule = Schedule()
        self._fresh: dict[SessionId, Session] = {}
        self._outbox: list[tuple[bytes, Address]] = []

    @property
    def session_count(self) -> int:
        """Open connections."""
        return len(self._sessions)

    def receive_datagram(self, data: bytes, address: Address, now: float) -> None:
        """A datagram came in from `address`. Never raises for what is in it."""
        if not HEADER_BYTES <= len(data) <= MAX_DATAGRAM:
            self.counters.malformed += 1
            return
        first, second, stamp, destination = HEADER.unpack_from(data)
        session = self._sessions.get(destination)
        if session is None:
            self._lobby.receive(data, address, now)
            self._attend_lobby()
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
        events = self._lobby.take_events()
        fresh = self._fresh
        if fresh:
            self._fresh = {}
            for session in fresh.values():
                events += session.take_events()
        return events

    def datagrams_to_send(self) -> list[tuple[bytes, Address]]:
        """What is to be sent since the last call."""
        outbox = self._outbox
        if outbox:
            self._outbox = []
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
            elif (request := self._lobby.take(session_id)) is not None:
                # The caller itself has given up before.
                self._lobby.forget(request)
                detail = f"the request was not answered within {self._limits.answer_s:g} s"
                self._lobby.events.append(SessionClosed(session_id, CloseReason.UNANSWERED, detail))

    def accept(self, session: SessionId, keys: KeyAnswer | None, now: float) -> Acceptance:
        """Make the connection; `keys` is needed when the request said `encrypted`, and must be None otherwise.

        Raises:
            WrongState: the session is open already.
        """
        request = self._taken(session)
        if request is None:
            return Acceptance.GONE
        material = request.proposal.material
        opened = self._make(session, request)
        if material is not None and keys is not None:
            try:
                opened.keyring.install(material, keys.kek)
            except WrongSecret as error:
                self._refuse(session, request, RejectCode.BADSECRET, str(error), now)
                return Acceptance.BAD_SECRET
        elif material is not None or keys is not None:
            self._refuse(session, request, RejectCode.UNSECURE, "only one side has a passphrase", now)
            return Acceptance.UNSECURE
        self._sessions[session] = opened
        self._lobby.open(session, request, now)
        self._attend_lobby()
        opened.opened(now)
        self._attend(opened, now)
        return Acceptance.OPEN

    def reject(self, session: SessionId, code: RejectCode, now: float) -> None:
        """Refuse a request; no further event follows.

        Raises:
            WrongState: the session is open already.
        """
        request = self._taken(session)
        if request is not None:
            self._lobby.refuse(request, code, now)
            self._attend_lobby()

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

    def _attend(self, session: Session, now: float) -> None:
        """Fetch what a session has to send, and note when it is due."""
        session.stirred = False
        for datagram in session.take_datagrams():
            self._send(datagram, session.address)
        self._fresh[session.id] = session
        if session.closed is None:
            self._schedule.set(session.id, session.due)
        else:
            del self._sessions[session.id]
            self._schedule.remove(session.id)
            self._lobby.closed(session.id, now)

    def _attend_lobby(self) -> None:
        lobby = self._lobby
        if lobby.outgoing:
            for datagram, address in lobby.outgoing:
                self._send(datagram, address)
            lobby.outgoing.clear()
        if lobby.asked:
            for session, until in lobby.asked:
                self._schedule.set(session, until)
            lobby.asked.clear()

    def _send(self, datagram: bytes, address: Address) -> None:
        if len(self._outbox) >= self._limits.outgoing:
            self.counters.outgoing_dropped += 1
            return
        self._outbox.append((datagram, address))

    def _taken(self, session: SessionId) -> Request | None:
        """The request that the shell answers; None when it timed out."""
        if session in self._sessions:
            raise WrongState(f"session {session} is open already")
        request = self._lobby.take(session)
        if request is not None:
            self._schedule.remove(session)
        return request

    def _refuse(self, session: SessionId, request: Request, code: RejectCode, detail: str, now: float) -> None:
        self._lobby.refuse(request, code, now)
        self._attend_lobby()
        self._lobby.events.append(SessionClosed(session, CloseReason.SECRET, detail))

    def _make(self, session: SessionId, request: Request) -> Session:
        proposal = request.proposal
        return Session(
            session,
            proposal.socket_id,
            request.address,
            self._limits,
            sequence=proposal.sequence,
            stamp=request.stamp,
            latency_s=proposal.latency_s,
            now=request.arrived,
        )
