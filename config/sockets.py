"""Listening sockets that outlive the processes that accept on them.

One per worker and address, all bound to the same port with SO_REUSEPORT: the kernel spreads connections over them by
their addresses and ports. The process that binds them never listens or accepts. It hands each to a worker, and to the
next one in its place. The first worker begins to listen when it is ready; from then on what waits in the socket's queue
waits for the next worker and is not reset.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from headwater.edge.bind import NOT_HERE

BACKLOG = 4_096
"""Of the node's socket. Why: all workers' requests at once, while the node is away."""


class ListenSockets:
    """The viewers' address. `host`: empty for every address; `port`: 0 for a free one."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._turns: list[list[socket.socket]] = []
        self.port = port
        """The port that is bound, once `bind` was called."""

    def bind(self, workers: int) -> None:
        """Have sockets for `workers` workers. Raises OSError when the address cannot be bound, by others' doing too:
        without a look first, SO_REUSEPORT would share it with whoever of the same user listens there."""
        if not self._turns:
            self._claim()
        while len(self._turns) < workers:
            self._turns.append(self._bound_everywhere(self.port))

    def _claim(self) -> None:
        """Find out that nobody has the port, or which one is free. Raises OSError."""
        absent: OSError | None = None
        for family, address in self._addresses(self.port):
            try:
                with _opened(family) as probe:
                    probe.bind(address)
                    self.port = int(probe.getsockname()[1])
                return
            except OSError as error:
                if error.errno not in NOT_HERE:
                    raise
                absent = error
        raise absent or OSError(errno.EADDRNOTAVAIL, "no such address")

    def _addresses(self, port: int) -> Iterator[tuple[socket.AddressFamily, tuple[str, int]]]:
        found = socket.getaddrinfo(self._host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, _, _, _, address in dict.fromkeys(found):
            yield family, (str(address[0]), int(address[1]))

    def _bound_everywhere(self, port: int) -> list[socket.socket]:
        """One socket for each address that the host has. Raises OSError when there is none."""
        bound: list[socket.socket] = []
        refused: OSError | None = None
        for family, address in self._addresses(port):
            try:
                bound.append(self._bound(family, address))
            except OSError as error:
                if error.errno not in NOT_HERE:
                    for other in bound:
                        other.close()
                    raise
                refused = error
        if not bound:
            raise refused or OSError(errno.EADDRNOTAVAIL, "no such address")
        return bound

    def _bound(self, family: socket.AddressFamily, address: tuple[str, int]) -> socket.socket:
        listening = _opened(family)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listening.bind(address)
            listening.setblocking(False)
        except OSError:
            listening.close()
            raise
        return listening

    @property
    def count(self) -> int:
        """Workers that have had sockets of their own."""
        return len(self._turns)

    def trim(self, workers: int) -> None:
        """Close all but those of the first `workers` workers: the others never came to serve."""
        for sockets in self._turns[workers:]:
            for listening in sockets:
                listening.close()
        del self._turns[workers:]

    def shares(self, workers: int) -> list[tuple[int, ...]]:
        """Descriptors for each of `workers` workers. All sockets are given out, also when there were more workers
        before: one that nobody accepts on would keep its part of the connections waiting."""
        given: list[list[int]] = [[] for _ in range(workers)]
        for turn, sockets in enumerate(self._turns):
            given[turn % workers] += [listening.fileno() for listening in sockets]
        return [tuple(descriptors) for descriptors in given]

    def close(self) -> None:
        """Let them go; the kernel stops listening when the workers have closed theirs too. Idempotent."""
        self.trim(0)


@dataclass(frozen=True, slots=True)
class Share:
    """Descriptors for one worker."""

    http: tuple[int, ...]
    tls: tuple[int, ...] = ()


class Listeners:
    """Where viewers come: over HTTP, and over TLS when `tls_port` is not None."""

    def __init__(self, host: str, port: int, tls_port: int | None) -> None:
        self._http = ListenSockets(host, port)
        self._tls = ListenSockets(host, tls_port) if tls_port is not None else None

    @property
    def port(self) -> int:
        """That is bound."""
        return self._http.port

    @property
    def tls_port(self) -> int | None:
        """That is bound; None without TLS."""
        return self._tls.port if self._tls is not None else None

    @property
    def count(self) -> int:
        """Workers that have had sockets of their own."""
        return self._http.count

    def bind(self, workers: int) -> None:
        """Have sockets for `workers` workers. Raises OSError, whose text names the setting."""
        self._http.bind(workers)
        if self._tls is not None:
            try:
                self._tls.bind(workers)
            except OSError as error:
                where = f"edge.http.tls.port = {self._tls.port}"
                raise OSError(error.errno, f"{where}: {error.strerror or error}") from error

    def shares(self, workers: int) -> list[Share]:
        """For each of `workers` workers."""
        tls = self._tls.shares(workers) if self._tls is not None else [()] * workers
        return [Share(*pair) for pair in zip(self._http.shares(workers), tls, strict=True)]

    def trim(self, workers: int) -> None:
        """Close all but those of the first `workers` workers."""
        for sockets in (self._http, self._tls):
            if sockets is not None:
                sockets.trim(workers)

    def close(self) -> None:
        """Let them go. Idempotent."""
        self.trim(0)


class NodeSocket:
    """Where workers reach their node: a Unix socket that outlives it, so that their requests wait for the next one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.bind(str(path))
            self._socket.listen(BACKLOG)
            self._socket.setblocking(False)
        except OSError:
            self._socket.close()
            raise

    @property
    def descriptor(self) -> int:
        """To be inherited by the node."""
        return self._socket.fileno()

    def close(self) -> None:
        """Let it go. Idempotent."""
        self._socket.close()
        with suppress(OSError):
            self.path.unlink()


def _opened(family: socket.AddressFamily) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return opened
