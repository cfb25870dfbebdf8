"""A simulated network and a stepped clock between SRT senders and our listener or caller, for tests."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.srt_sender import Profile, Sender

from headwater.ingest.srt import (
    Acceptance,
    Address,
    Caller,
    CallerRefused,
    Connected,
    ConnectionRequested,
    DataReceived,
    Event,
    KeyAnswer,
    KeyRefreshRequested,
    Limits,
    Listener,
    PacketsLost,
    RejectCode,
    SessionClosed,
    derive_kek,
)

SECRET = bytes(range(32))


@dataclass
class Path:
    """One direction of a network."""

    delay: float = 0.01
    jitter: float = 0.0
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    """Share of datagrams that take a while longer."""
    reorder_delay: float = 0.015
    drop: Callable[[bytes], bool] | None = None
    """Picks datagrams that never arrive."""

    def carry(self, datagram: bytes, now: float, dice: random.Random) -> list[float]:
        """When `datagram` arrives: never, once, or twice."""
        if dice.random() < self.loss or (self.drop is not None and self.drop(datagram)):
            return []
        times = [now + self.delay + dice.random() * self.jitter]
        if dice.random() < self.reorder:
            times[0] += self.reorder_delay
        if dice.random() < self.duplicate:
            times.append(times[0] + dice.random() * 0.02)
        return times


class Talk:
    """A listener, its shell, and senders at addresses of their own, on one clock."""

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        there: Path | None = None,
        back: Path | None = None,
        seed: int = 1,
        passphrase: str = "",
        start: float = 1000.0,
    ) -> None:
        self.now = start
        self.listener = Listener(limits or Limits(), start, SECRET)
        self.there, self.back = there or Path(), back or Path()
        self.passphrase = passphrase
        self.answer: RejectCode | None = None
        """How the shell rejects; None when it accepts."""
        self.outcomes: list[Acceptance] = []
        self.senders: dict[Address, Sender] = {}
        self.sessions: dict[Address, int] = {}
        self.received: dict[int, bytearray] = {}
        self.lost: dict[int, int] = {}
        self.requests: list[ConnectionRequested] = []
        self.refused: list[CallerRefused] = []
        self.closed: dict[int, SessionClosed] = {}
        self.arrivals: list[tuple[float, int]] = []
        """When data came out, and how much."""
        self._dice = random.Random(seed)
        self._flying: list[tuple[float, int, bool, Address, bytes]] = []
        self._count = 0

    def add(self, profile: Profile | None = None, address: Address = ("192.0.2.1", 4000)) -> Sender:
        """A sender that begins to connect now."""
        sender = Sender(profile)
        self.senders[address] = sender
        sender.connect(self.now)
        self.settle()
        return sender

    def settle(self) -> None:
        """Carry what everybody has to say."""
        for address, sender in self.senders.items():
            outgoing, sender.outgoing = sender.outgoing, []
            for datagram in outgoing:
                self._launch(True, address, datagram)
        self._shell()

    def inject(self, datagram: bytes, address: Address) -> None:
        """A datagram reaches the listener now."""
        self.listener.receive_datagram(datagram, address, self.now)
        self._shell()

    def run(self, until: float) -> None:
        """Let time pass."""
        while True:
            due = self.listener.next_timeout()
            flight = self._flying[0][0] if self._flying else until
            step = min(flight, until if due is None else max(due, self.now))
            if step >= until:
                self.now = until
                self._fire()
                return
            self.now = step
            self._fire()

    def play(self, sender: Sender, payloads: list[bytes], spacing: float) -> None:
        """Send payloads at an even pace."""
        for payload in payloads:
            sender.send(payload, self.now)
            self.settle()
            self.run(self.now + spacing)

    def session(self, address: Address = ("192.0.2.1", 4000)) -> int:
        return self.sessions[address]

    def data(self, address: Address = ("192.0.2.1", 4000)) -> bytes:
        return bytes(self.received.get(self.sessions[address], b""))

    def _fire(self) -> None:
        while self._flying and self._flying[0][0] <= self.now:
            _, _, inbound, address, datagram = heapq.heappop(self._flying)
            if inbound:
                self.listener.receive_datagram(datagram, address, self.now)
                self._shell()
            elif address in self.senders:
                self.senders[address].receive(datagram, self.now)
                self.settle()
        due = self.listener.next_timeout()
        if due is not None and due <= self.now:
            self.listener.handle_timeout(self.now)
            again = self.listener.next_timeout()
            assert again is None or again > self.now, "a timeout that does not advance"
            self._shell()

    def _launch(self, inbound: bool, address: Address, datagram: bytes) -> None:
        path = self.there if inbound else self.back
        for at in path.carry(datagram, self.now, self._dice):
            self._count += 1
            heapq.heappush(self._flying, (at, self._count, inbound, address, datagram))

    def _shell(self) -> None:
        while events := self.listener.events_received():
            for event in events:
                self._handle(event)
        for datagram, address in self.listener.datagrams_to_send():
            assert len(datagram) <= 1472
            self._launch(False, address, datagram)

    def _handle(self, event: Event) -> None:
        match event:
            case ConnectionRequested():
                self.requests.append(event)
                self._decide(event)
            case DataReceived():
                assert event.data
                self.received.setdefault(event.session, bytearray()).extend(event.data)
                self.arrivals.append((self.now, len(event.data)))
            case PacketsLost():
                assert event.count > 0
                self.lost[event.session] = self.lost.get(event.session, 0) + event.count
            case SessionClosed():
                assert event.session not in self.closed
                self.closed[event.session] = event
            case KeyRefreshRequested():
                request = event.request
                answer = KeyAnswer(derive_kek(self.passphrase, request.salt, request.length))
                self.listener.answer_key(event.session, answer, self.now)
            case CallerRefused():
                self.refused.append(event)
            case Connected():
                raise AssertionError("a listener does not connect")

    def _decide(self, event: ConnectionRequested) -> None:
        if self.answer is not None:
            self.listener.reject(event.session, self.answer, self.now)
            return
        keys = None
        if event.encrypted is not None and self.passphrase:
            keys = KeyAnswer(derive_kek(self.passphrase, event.encrypted.salt, event.encrypted.length))
        outcome = self.listener.accept(event.session, keys, self.now)
        self.outcomes.append(outcome)
        if outcome is Acceptance.OPEN:
            self.sessions[event.address] = event.session


class Pull:
    """Our caller and a listening sender, on one clock; the network only delays."""

    ADDRESS: Address = ("198.51.100.7", 9000)

    def __init__(self, profile: Profile, limits: Limits | None = None, *, delay: float = 0.02) -> None:
        self.now = 500.0
        self.caller = Caller(limits or Limits(), self.now, SECRET)
        self.sender = Sender(profile, listening=True)
        self.events: list[Event] = []
        self.data = bytearray()
        self.deaf = False
        """The listener hears nothing."""
        self._delay = delay
        self._flying: list[tuple[float, int, bool, bytes]] = []
        self._count = 0

    def settle(self) -> None:
        for event in self.caller.events_received():
            if isinstance(event, DataReceived):
                self.data += event.data
            else:
                self.events.append(event)
        for datagram, address in self.caller.datagrams_to_send():
            assert address == self.ADDRESS
            self._launch(False, datagram)
        outgoing, self.sender.outgoing = self.sender.outgoing, []
        for datagram in outgoing:
            self._launch(True, datagram)

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        self.settle()
        while True:
            due = self.caller.next_timeout()
            flight = self._flying[0][0] if self._flying else until
            step = min(flight, until if due is None else max(due, self.now))
            self.now = min(step, until)
            while self._flying and self._flying[0][0] <= self.now:
                _, _, inbound, datagram = heapq.heappop(self._flying)
                if inbound:
                    self.caller.receive_datagram(datagram, self.ADDRESS, self.now)
                elif not self.deaf:
                    self.sender.receive(datagram, self.now)
            if due is not None and due <= self.now:
                self.caller.handle_timeout(self.now)
            self.settle()
            if step >= until:
                return

    def _launch(self, inbound: bool, datagram: bytes) -> None:
        self._count += 1
        heapq.heappush(self._flying, (self.now + self._delay, self._count, inbound, datagram))
