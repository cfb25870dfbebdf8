"""Listeners over real sockets: bound here, or inherited and outliving who accepts."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest
from tests.no_ipv6 import REASONS, without_ipv6

from headwater.config.settings import EdgeHttp
from headwater.config.settings_tls import Tls
from headwater.edge.bind import listen, port_of, tls_sockets

HTTP = EdgeHttp(host="127.0.0.1", port=0)


class Greeter(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"hello")
        transport.close()


async def greeted(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    text = await reader.read()
    writer.close()
    return text


async def test_an_address_of_its_own() -> None:
    servers = await listen(HTTP, (), Greeter)
    port = port_of(servers)
    assert port and await greeted(port) == b"hello"
    with pytest.raises(OSError, match="in use"):
        await listen(HTTP.model_copy(update={"port": port}), (), Greeter)
    for server in servers:
        server.close()


async def test_a_name_is_bound_at_every_address_that_the_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda *_, **__: [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, 0)) for host in ("127.0.0.2", "127.0.0.3")
        ],
    )
    servers = await listen(HTTP.model_copy(update={"host": "both"}), (), Greeter)
    names = [listening.getsockname() for server in servers for listening in server.sockets]
    assert [host for host, _ in names] == ["127.0.0.2", "127.0.0.3"]
    assert len({port for _, port in names}) == 1
    for server in servers:
        server.close()


@pytest.mark.parametrize("reason", REASONS)
async def test_an_address_that_the_machine_has_not_is_passed_over(monkeypatch: pytest.MonkeyPatch, reason: int) -> None:
    without_ipv6(monkeypatch, reason, "::1", "127.0.0.1")
    local = HTTP.model_copy(update={"host": "localhost", "tls": Tls(port=0)})
    servers = await listen(local, (), Greeter)
    assert [one.getsockname() for server in servers for one in server.sockets] == [("127.0.0.1", port_of(servers))]
    (tls,) = tls_sockets(local, ())
    assert tls.getsockname()[0] == "127.0.0.1"
    tls.close()
    for server in servers:
        server.close()
    without_ipv6(monkeypatch, reason, "::1")
    with pytest.raises(OSError) as caught:
        await listen(local, (), Greeter)
    assert caught.value.errno == reason
    with pytest.raises(OSError, match=r"edge\.http\.tls\.port = 0"):
        tls_sockets(local, ())


async def test_what_waits_in_an_inherited_socket_waits_for_the_next_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as kept:
        port = kept.getsockname()[1]
        first = await listen(HTTP, (os.dup(kept.fileno()),), Greeter)
        assert port_of(first) == port
        assert await greeted(port) == b"hello"
        for server in first:
            server.close()
            await server.wait_closed()
        between = asyncio.ensure_future(greeted(port))
        await asyncio.sleep(0.05)
        assert not between.done()
        second = await listen(HTTP, (os.dup(kept.fileno()),), Greeter)
        assert await between == b"hello"
        for server in second:
            server.close()


async def test_a_unix_socket_has_no_port(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as kept:
        kept.bind(str(path))
        kept.listen()
        servers = await listen(HTTP, (os.dup(kept.fileno()),), Greeter)
        assert port_of(servers) == 0
        reader, writer = await asyncio.open_unix_connection(path)
        assert await reader.read() == b"hello"
        writer.close()
        for server in servers:
            server.close()
