"""A machine whose hosts file has `localhost` twice, and whose kernel refuses what is not IPv4."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

import pytest

REASONS = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
"""A kernel without IPv6; one that has it switched off."""


def without_ipv6(monkeypatch: pytest.MonkeyPatch, reason: int, *hosts: str) -> None:
    """Every name is that of `hosts`, addresses of which those of IPv6 cannot be bound because of `reason`."""

    class OnlyIpv4(socket.socket):
        def __init__(self, family: int = -1, kind: int = -1, proto: int = -1, fileno: int | None = None) -> None:
            if family == socket.AF_INET6 and reason == errno.EAFNOSUPPORT:
                raise OSError(reason, os.strerror(reason))
            super().__init__(family, kind, proto, fileno)

        def bind(self, address: Any) -> None:
            if self.family == socket.AF_INET6:
                raise OSError(reason, os.strerror(reason))
            super().bind(address)

    def found(name: str, port: int, **_: object) -> list[tuple[object, ...]]:
        of_ipv6 = {host: ":" in host for host in hosts}
        return [
            (
                socket.AF_INET6 if of_ipv6[host] else socket.AF_INET,
                socket.SOCK_STREAM,
                socket.IPPROTO_TCP,
                "",
                (host, port, 0, 0) if of_ipv6[host] else (host, port),
            )
            for host in hosts
        ]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    monkeypatch.setattr(socket, "socket", OnlyIpv4)
