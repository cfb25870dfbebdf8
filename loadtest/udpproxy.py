"""A bad network for UDP: an asyncio proxy that loses, repeats, reorders, delays and throttles, from a seed.

    proxy = UdpProxy(("127.0.0.1", 8890), there=Link(loss=0.05, delay_s=0.05), back=Link(delay_s=0.05), seed=1)
    port = await proxy.start()            # clients talk to this port; each has a socket of its own at the target
    proxy.there.counts, proxy.back.counts # what happened so far
    await proxy.close()

Both directions are independent. What happens to the n-th datagram of a kind depends on the seed, the direction and n
alone, never on timing: two servers behind proxies of one seed lose the same datagrams.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

DATAGRAM_BYTES = 2_048
"""Largest datagram that is passed on; SRT's are at most 1,500 bytes."""
SOCKET_BYTES = 4 << 20
"""Asked for as the kernel's buffer of each socket, so that only the dice lose datagrams."""
CLIENTS = 1_000
"""Most client addresses of one proxy; datagrams of more are counted as overflow."""
TURN_DATAGRAMS = 64
"""Most datagrams read from one socket in one turn of the loop. Why: many proxies share one loop."""
TICK_S = 0.000_5
"""What is due within this time is sent now: timers of the loop have a resolution of a millisecond."""

Address = tuple[str, int]
Tap = Callable[[bytes, float], None]
"""Takes each datagram that a direction passes on, and the loop's time (CLOCK_MONOTONIC) just after it was sent."""


@dataclass(frozen=True, slots=True)
class Link:
    """What one direction of the network does to datagrams. Shares are 0 to 1."""

    loss: float = 0
    duplicate: float = 0
    """Share that arrives twice, the second one after 1 ms more."""
    reorder: float = 0
    """Share that is held back for `reorder_s` while later ones overtake it."""
    reorder_s: float = 0.02
    delay_s: float = 0
    jitter_s: float = 0
    """Up to this much is added to the delay, evenly; the order stays."""
    bytes_per_s: float = 0
    """Rate bound of the link; 0: none."""
    queue_bytes: int = 1 << 18
    """Bytes that may wait for the rate bound; what comes then is dropped (overflow)."""


@dataclass(slots=True)
class Counts:
    """What a direction has done, in datagrams; `bytes_in` and `bytes_out` are payload bytes."""

    taken: int = 0
    bytes_in: int = 0
    passed: int = 0
    bytes_out: int = 0
    lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    overflow: int = 0
    failed: int = 0
    """Not taken by the kernel: the peer's port is closed, or a buffer is full."""


def srt_kind(datagram: bytes) -> int:
    """0 control, 1 data, 2 data sent again (draft-sharabayko-srt 3, 3.1: F and R). For `UdpProxy.kind`.

    Why: each kind has dice of its own, so that the same first transmissions are lost whatever the receiver asks for.
    """
    if len(datagram) < 8 or datagram[0] & 0x80:
        return 0
    return 2 if datagram[4] & 0x04 else 1


class Direction:
    """Decides the fate of each datagram of one direction. No socket, no clock."""

    def __init__(self, link: Link, seed: str, kind: Callable[[bytes], int]) -> None:
        self.link = link
        self.counts = Counts()
        self._seed = seed
        self._kind = kind
        self._dice: dict[int, random.Random] = {}
        self._free_at = 0.0
        """When the throttled link has sent all that it has taken."""
        self._last_due = 0.0

    def fates(self, datagram: bytes, now: float) -> Sequence[float]:
        """When the datagram is to be sent: never, once or twice. `now` and the times are seconds of one clock."""
        link, counts = self.link, self.counts
        counts.taken += 1
        counts.bytes_in += len(datagram)
        kind = self._kind(datagram)
        dice = self._dice.get(kind)
        if dice is None:
            dice = self._dice[kind] = random.Random(f"{self._seed} {kind}")  # noqa: S311  # a network, no secret
        # Always four throws, so that one kind of trouble does not move another one.
        loss, twice, late, shake = dice.random(), dice.random(), dice.random(), dice.random()
        if loss < link.loss:
            counts.lost += 1
            return ()
        due = now
        if link.bytes_per_s:
            due = max(now, self._free_at)
            if (due - now) * link.bytes_per_s > link.queue_bytes:
                counts.overflow += 1
                return ()
            due += len(datagram) / link.bytes_per_s
            self._free_at = due
        due = self._last_due = max(self._last_due, due + link.delay_s + shake * link.jitter_s)
        if late < link.reorder:
            counts.reordered += 1
            due += link.reorder_s
        if twice < link.duplicate:
            counts.duplicated += 1
            return due, due + 0.001
        return (due,)


class UdpProxy:
    """One listening port in front of one target. `kind` sorts datagrams that have dice of their own."""

    def __init__(
        self,
        target: Address,
        *,
        there: Link = Link(),  # frozen
        back: Link = Link(),
        seed: int | str = 0,
        kind: Callable[[bytes], int] = srt_kind,
        tap: Tap | None = None,
    ) -> None:
        self.there = Direction(there, f"{seed} there", kind)
        self.back = Direction(back, f"{seed} back", kind)
        self.port = 0
        self._target = target
        self._tap = tap
        """Sees what goes to the target."""
        self._clients: dict[Address, socket.socket] = {}
        self._waiting: list[tuple[float, int, bytes, Direction, Callable[[bytes], int]]] = []
        self._turns = itertools.count()
        self._timer: asyncio.Handle | None = None
        self._timer_due = 0.0

    async def start(self) -> int:
        """Listen on a port of loopback; the port."""
        self._loop = asyncio.get_running_loop()
        self._listener = _socket()
        self._listener.bind(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._loop.add_reader(self._listener.fileno(), self._from_clients)
        return self.port

    async def close(self) -> None:
        """Close every socket; what waits is forgotten."""
        if self._timer is not None:
            self._timer.cancel()
        for sock in (self._listener, *self._clients.values()):
            self._loop.remove_reader(sock.fileno())
            sock.close()
        self._clients.clear()
        self._waiting.clear()

    def inject(self, datagram: bytes) -> None:
        """Send a datagram to the target as if the first client had: from its address. Nothing when there is none."""
        for sock in self._clients.values():
            self._send(datagram, self.there, sock.send)
            return

    def _from_clients(self) -> None:
        for _ in range(TURN_DATAGRAMS):
            try:
                datagram, address = self._listener.recvfrom(DATAGRAM_BYTES)
            except BlockingIOError:
                return
            except OSError:
                continue  # the error of an earlier send: a client has closed its port
            sock = self._clients.get(address) or self._adopt(address)
            if sock is not None:
                self._pass(datagram, self.there, sock.send)

    def _adopt(self, address: Address) -> socket.socket | None:
        if len(self._clients) >= CLIENTS:
            self.there.counts.overflow += 1
            return None
        sock = self._clients[address] = _socket()
        sock.connect(self._target)
        answer = partial(self._answer, address)
        self._loop.add_reader(sock.fileno(), self._from_target, sock, answer)
        return sock

    def _answer(self, address: Address, datagram: bytes) -> int:
        return self._listener.sendto(datagram, address)

    def _from_target(self, sock: socket.socket, answer: Callable[[bytes], int]) -> None:
        for _ in range(TURN_DATAGRAMS):
            try:
                datagram = sock.recv(DATAGRAM_BYTES)
            except BlockingIOError:
                return
            except OSError:
                continue
            self._pass(datagram, self.back, answer)

    def _pass(self, datagram: bytes, direction: Direction, send: Callable[[bytes], int]) -> None:
        now = self._loop.time()
        for due in direction.fates(datagram, now):
            if due <= now:
                self._send(datagram, direction, send)
            else:
                heapq.heappush(self._waiting, (due, next(self._turns), datagram, direction, send))
                self._wake()

    def _wake(self) -> None:
        due = self._waiting[0][0]
        if self._timer is not None:
            if self._timer_due <= due + TICK_S:
                return
            self._timer.cancel()
        self._timer_due = due
        self._timer = self._loop.call_at(due, self._send_due)

    def _send_due(self) -> None:
        self._timer = None
        limit = self._loop.time() + TICK_S
        while self._waiting and self._waiting[0][0] <= limit:
            _, _, datagram, direction, send = heapq.heappop(self._waiting)
            self._send(datagram, direction, send)
        if self._waiting:
            self._wake()

    def _send(self, datagram: bytes, direction: Direction, send: Callable[[bytes], int]) -> None:
        try:
            send(datagram)
        except OSError:
            direction.counts.failed += 1
            return
        direction.counts.passed += 1
        direction.counts.bytes_out += len(datagram)
        if self._tap is not None and direction is self.there:
            self._tap(datagram, self._loop.time())


def _socket() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        sock.setsockopt(socket.SOL_SOCKET, option, SOCKET_BYTES)
    return sock
