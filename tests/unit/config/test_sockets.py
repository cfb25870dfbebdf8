"""Listening sockets that nobody has to accept on yet."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.no_ipv6 import REASONS, without_ipv6

from headwater.config.sockets import Listeners, ListenSockets, NodeSocket


@pytest.fixture
def sockets() -> Iterator[ListenSockets]:
    made = ListenSockets("127.0.0.1", 0)
    yield made
    made.close()


def test_one_for_each_worker_on_one_port(sockets: ListenSockets) -> None:
    sockets.bind(3)
    shares = sockets.shares(3)
    assert sockets.port
    assert [len(share) for share in shares] == [1, 1, 1]
    bound = [socket.socket(fileno=os.dup(share[0])) for share in shares]
    for one in bound:
        assert one.getsockname() == ("127.0.0.1", sockets.port)
        assert not one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        one.close()


def begin(sockets: ListenSockets, workers: int) -> None:
    """As workers do that die at once."""
    for share in sockets.shares(workers):
        for descriptor in share:
            with socket.socket(fileno=os.dup(descriptor)) as listening:
                listening.listen()


def test_connections_wait_for_the_next_worker_once_there_was_one(sockets: ListenSockets) -> None:
    sockets.bind(2)
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", sockets.port), timeout=2)
    begin(sockets, 2)
    for _ in range(8):
        socket.create_connection(("127.0.0.1", sockets.port), timeout=2).close()


def test_none_is_left_alone_when_there_are_fewer_workers(sockets: ListenSockets) -> None:
    sockets.bind(4)
    every = {descriptor for share in sockets.shares(4) for descriptor in share}
    assert {descriptor for share in sockets.shares(3) for descriptor in share} == every
    assert sorted(map(len, sockets.shares(3))) == [1, 1, 2]
    sockets.bind(2)
    assert len(every) == 4
    sockets.bind(5)
    assert len({descriptor for share in sockets.shares(5) for descriptor in share}) == 5


def test_those_that_were_added_in_vain_are_closed(sockets: ListenSockets) -> None:
    sockets.bind(2)
    begin(sockets, 2)
    sockets.bind(4)
    sockets.trim(2)
    assert (sockets.count, len(sockets.shares(1)[0])) == (2, 2)


def test_every_address() -> None:
    sockets = ListenSockets("", 0)
    sockets.bind(2)
    for share in sockets.shares(2):
        assert 1 <= len(share) <= 2
    begin(sockets, 2)
    socket.create_connection(("127.0.0.1", sockets.port), timeout=2).close()
    sockets.close()


@pytest.mark.parametrize("reuse", [False, True])
def test_an_address_that_somebody_has_is_not_shared(*, reuse: bool) -> None:
    with socket.socket() as other:
        if reuse:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        sockets = ListenSockets("127.0.0.1", other.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            sockets.bind(2)


@pytest.mark.parametrize("reason", REASONS)
def test_an_address_of_a_family_that_the_machine_has_not_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    without_ipv6(monkeypatch, reason, "::1", "127.0.0.1")
    sockets = ListenSockets("localhost", 0)
    sockets.bind(2)
    assert [len(share) for share in sockets.shares(2)] == [1, 1]
    assert sockets.port
    sockets.close()


@pytest.mark.parametrize("reason", REASONS)
def test_where_no_address_is_left_the_reason_is_told(monkeypatch: pytest.MonkeyPatch, reason: int) -> None:
    without_ipv6(monkeypatch, reason, "::1")
    with pytest.raises(OSError) as caught:
        ListenSockets("localhost", 0).bind(1)
    assert caught.value.errno == reason


def test_close_lets_the_port_go(sockets: ListenSockets) -> None:
    sockets.bind(2)
    begin(sockets, 2)
    sockets.close()
    sockets.close()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", sockets.port), timeout=2)


def test_the_socket_of_the_node(tmp_path: Path) -> None:
    node = NodeSocket(tmp_path / "s")
    assert stat.S_ISSOCK(node.path.stat().st_mode)
    with socket.socket(socket.AF_UNIX) as worker:
        worker.connect(str(node.path))  # waits for a node
    with pytest.raises(OSError, match="in use"):
        NodeSocket(tmp_path / "s")
    node.close()
    node.close()
    assert not node.path.exists()


def test_http_and_tls_are_shared_out_together() -> None:
    plain, both = Listeners("127.0.0.1", 0, None), Listeners("127.0.0.1", 0, 0)
    for listeners in (plain, both):
        listeners.bind(3)
    assert [(len(share.http), len(share.tls)) for share in plain.shares(3)] == [(1, 0)] * 3
    assert [(len(share.http), len(share.tls)) for share in both.shares(3)] == [(1, 1)] * 3
    assert plain.tls_port is None and both.tls_port not in (None, 0, both.port)
    both.trim(2)
    assert both.count == 2
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = Listeners("127.0.0.1", 0, other.getsockname()[1])
        with pytest.raises(OSError, match=r"edge\.http\.tls\.port"):
            taken.bind(1)
    for listeners in (plain, both, taken):
        listeners.close()
