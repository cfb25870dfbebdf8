"""A UDP port on the running loop: datagrams in batches, datagrams out, one timer.

Why not asyncio's datagram endpoint: it makes a callback, and a copy, of each datagram. Here a wake-up takes all that
waits, and what follows (acknowledgements, parts of the stream) is done once for all of them. Datagrams in a row are let
gather for a moment, so that they do not come one per wake-up.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Callable, Iterable

import structlog

from .listen import IngestStartError
from .srt.addresses import Address

log = structlog.get_logger("headwater.ingest")

BATCH = 256
"""Datagrams of one wake-up. Why: 256 take about 10 ms with all that follows; the others of the loop have a turn."""
GATHER_S = 0.002
"""How long datagrams may gather in the kernel while they come in a row.

Why: a wake-up with what follows costs as much as ten datagrams, and they come 760 times a second for each 8 Mbit/s. The
first of a row is taken at once; the others are late by that much at most, far below what a network adds.
"""
DATAGRAM = 2_048
"""Bytes read of one; SRT sends at most 1472, and what is longer is refused by its length."""
SO_RCVBUFFORCE = 33
"""Linux: like SO_RCVBUF, beyond net.core.rmem_max, for who has CAP_NET_ADMIN."""
SO_MEMINFO = 55
"""Linux: counters of a socket; number 8 is what was dropped because its buffer was full."""
DROPS = 8

Receive = Callable[[bytes, Address, float], None]


def open_udp(host: str, port: int, key: str, buffer_bytes: int) -> socket.socket:
    """A bound, non-blocking socket; `key` is the setting that errors name. An empty host is every address, IPv6 too.

    Raises:
        IngestStartError: the address cannot be used.
    """
    every = host in ("", "*")
    try:
        if every and socket.has_dualstack_ipv6():
            sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            address: tuple[object, ...] = ("::", port)
        elif every:
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            address = ("", port)
        else:
            family, _, _, _, found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
            sock = socket.socket(family, socket.SOCK_DGRAM)
            address = tuple(found)
        try:
            if sock.family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if every else 1)
            sock.bind(address)
        except BaseException:
            sock.close()
            raise
    except OSError as error:
        where = host if not every else "every address"
        raise IngestStartError(f"{key} = {port}: cannot listen on {where}/udp: {error.strerror or error}") from error
    sock.setblocking(False)
    enlarge(sock, buffer_bytes)
    return sock


def enlarge(sock: socket.socket, buffer_bytes: int) -> None:
    """Ask for a receive buffer, and say so when the kernel gives less."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, buffer_bytes)
    except OSError:  # not Linux, or without CAP_NET_ADMIN: as much as net.core.rmem_max allows
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
    # Linux tells twice of what it gives: it counts its own book-keeping.
    given = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    if given < buffer_bytes:
        log.warning(
            "small UDP receive buffer: when the server is busy for a moment, packets are lost",
            wanted=buffer_bytes,
            given=given,
            how=f"sysctl -w net.core.rmem_max={buffer_bytes}, or lower ingest.srt.limits.socket_bytes",
        )


def plain(address: Address) -> str:
    """The host of an address for people: IPv4 without its IPv6 form."""
    return address[0].removeprefix("::ffff:")


class UdpPort:
    """A socket with its reader and its timer.

    Args:
        sock: bound, non-blocking; closed by `close`.
        receive: takes one datagram; must not raise.
        turn: called when all datagrams of a wake-up were taken, and when the timer is due; says with `wake_at` when
            that is next.
    """

    def __init__(self, sock: socket.socket, receive: Receive, turn: Callable[[float], None]) -> None:
        self.unsent = 0
        """Datagrams that the kernel did not take."""
        self._sock = sock
        self._receive = receive
        self._turn = turn
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._due = float("inf")
        self._gathering = False
        """Datagrams come in a row: the timer fetches them, not the reader."""
        self._taken_at = 0.0
        """When datagrams were taken last."""
        self._closed = False
        self._loop.add_reader(sock.fileno(), self._readable)

    @property
    def port(self) -> int:
        """The bound port."""
        return int(self._sock.getsockname()[1])

    @property
    def kernel_drops(self) -> int:
        """Datagrams that the kernel dropped because the receive buffer was full; 0 where it does not say."""
        if self._closed:
            return 0
        try:
            told = self._sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 4 * (DROPS + 1))
        except OSError:
            return 0
        return int(struct.unpack_from("=I", told, 4 * DROPS)[0]) if len(told) >= 4 * (DROPS + 1) else 0

    def send(self, datagrams: Iterable[tuple[bytes, Address]]) -> None:
        """Send; what the kernel does not take is lost, as it may be on any network."""
        if self._closed:
            return
        send = self._sock.sendto
        for data, address in datagrams:
            try:
                send(data, address)
            except OSError:
                self.unsent += 1

    def wake_at(self, due: float | None, now: float) -> None:
        """Call `turn` at the monotonic time `due`; None: only when something comes.

        While datagrams are gathered, a turn follows within GATHER_S in any case, and may be that late.
        """
        if due is None or self._closed or self._gathering:
            return
        # A timer that comes early only looks again: cheaper than setting it anew for every datagram.
        if self._timer is not None and self._due <= due:
            return
        self._set_timer(due, max(0.0, due - now))

    def close(self) -> None:
        """Nothing is received or sent any more. Idempotent."""
        if self._closed:
            return
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()

    def _set_timer(self, due: float, delay: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._due = due
        self._timer = self._loop.call_later(delay, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._due = float("inf")
        now = time.monotonic()
        if self._gathering:
            self._gather(self._take(now))
        if not self._closed:
            self._turn(now)

    def _readable(self) -> None:
        now = time.monotonic()
        in_a_row = now - self._taken_at < GATHER_S
        count = self._take(now)
        if in_a_row:
            self._gather(count)
        if not self._closed:
            self._turn(now)

    def _gather(self, count: int) -> None:
        """The timer fetches the next datagrams; when none came, it is the reader's turn again."""
        if self._closed:
            return
        if count:
            if not self._gathering:
                self._gathering = True
                self._loop.remove_reader(self._sock.fileno())
            self._set_timer(0.0, GATHER_S if count < BATCH else 0.0)
        elif self._gathering:
            self._gathering = False
            self._loop.add_reader(self._sock.fileno(), self._readable)

    def _take(self, now: float) -> int:
        """Take what waits, up to BATCH; how many those were."""
        receive, recvfrom = self._receive, self._sock.recvfrom
        count = 0
        for _ in range(BATCH):
            try:
                data, address = recvfrom(DATAGRAM)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                # An ICMP message for something that we sent: of no use, the session's own timer knows better.
                continue
            receive(data, address, now)
            count += 1
        if count:
            self._taken_at = now
        return count
