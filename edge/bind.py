"""Listeners: bound here, or inherited from a parent process that keeps them through restarts of this one."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Sequence

from headwater.config.settings import EdgeHttp

Protocols = Callable[[], asyncio.Protocol]

NOT_HERE = frozenset((errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL))
"""The machine does not have it: `localhost` is ::1 too in many a hosts file, whether or not there is IPv6."""


async def listen(http: EdgeHttp, inherited: Sequence[int], protocols: Protocols) -> list[asyncio.Server]:
    """Accept connections on `inherited` descriptors, where there are none on the address of `http`.

    Raises OSError when the address cannot be bound. Nothing is left listening then.
    """
    loop = asyncio.get_running_loop()
    if not inherited and not http.host:
        servers = [await loop.create_server(protocols, None, http.port, backlog=http.backlog, reuse_address=True)]
    elif not inherited:
        own = _bound_by_name(http.host, http.port, http.backlog)
        servers = [await loop.create_server(protocols, sock=one, backlog=http.backlog) for one in own]
    else:
        servers = []
        for descriptor in inherited:
            listening = socket.socket(fileno=descriptor)
            unix = listening.family == socket.AF_UNIX
            make = loop.create_unix_server if unix else loop.create_server
            servers.append(await make(protocols, sock=listening, backlog=http.backlog))
    for server in servers:
        for listening in server.sockets:
            _bound_unsent(listening, http.write_high_bytes)
    return servers


def tls_sockets(http: EdgeHttp, inherited: Sequence[int]) -> list[socket.socket]:
    """Sockets that listen for TLS: `inherited` ones, where there are none one at the port of `http.tls`.

    Raises OSError when the address cannot be bound.
    """
    if inherited:
        sockets = [socket.socket(fileno=descriptor) for descriptor in inherited]
        for listening in sockets:
            listening.listen(http.backlog)
    else:
        sockets = _bound(http.host, http.tls.port, http.backlog)
    for listening in sockets:
        listening.setblocking(False)
        _bound_unsent(listening, http.write_high_bytes)
    return sockets


def _bound(host: str, port: int, backlog: int) -> list[socket.socket]:
    """Listening; `host` empty: every address."""
    try:
        if not host and socket.has_dualstack_ipv6():
            return [socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=backlog)]
        return _bound_by_name(host or "0.0.0.0", port, backlog)  # noqa: S104
    except OSError as error:
        raise OSError(error.errno, f"edge.http.tls.port = {port}: {error.strerror or error}") from error


def _bound_by_name(host: str, port: int, backlog: int) -> list[socket.socket]:
    """Listening at each address of `host` that the machine has, on one port. Raises OSError when there is none."""
    bound: list[socket.socket] = []
    absent: OSError | None = None
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    for family, _, _, _, address in dict.fromkeys(found):
        at = (str(address[0]), bound[0].getsockname()[1] if bound else port)
        try:
            bound.append(socket.create_server(at, family=family, backlog=backlog))
        except OSError as error:
            if error.errno not in NOT_HERE:
                for other in bound:
                    other.close()
                raise
            absent = error
    if not bound:
        raise absent or OSError(errno.EADDRNOTAVAIL, "no such address")
    return bound


def port_of(servers: Sequence[asyncio.Server]) -> int:
    """The TCP port that is bound; 0 where none is."""
    for server in servers:
        for listening in server.sockets:
            if listening.family != socket.AF_UNIX:
                return int(listening.getsockname()[1])
    return 0


def _bound_unsent(listening: socket.socket, most: int) -> None:
    """Connections inherit it: the kernel takes no more than `most` bytes that it cannot send yet. Why: its own bound
    is some MiB for each reader that stops, and lets a slow one look quick."""
    if hasattr(socket, "TCP_NOTSENT_LOWAT") and listening.family != socket.AF_UNIX:
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, most)
