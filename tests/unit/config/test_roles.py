"""The roles in this process: everything bound, healthy, drained, closed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from headwater.config.edgerole import EdgeRole, upstream_of
from headwater.config.load import from_handover
from headwater.config.roles import OriginRole, _Up
from headwater.config.running import StartError
from headwater.config.settings import Settings
from headwater.config.settings_upstream import EdgeUpstream


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    free = {"port": 0}
    return Settings.model_validate(
        {
            "state": {"dir": tmp_path / "state"},
            "ingest": {"rtmp": free, "srt": free},
            "origin": {"http": free, "admin": free},
            "edge": {"http": {"host": "127.0.0.1", **free}, "admin": free},
        }
    )


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


def with_port(settings: Settings, section: str, listener: str, port: int) -> Settings:
    part = getattr(settings, section)
    changed = getattr(part, listener).model_copy(update={"port": port})
    return settings.model_copy(update={section: part.model_copy(update={listener: changed})})


async def status(port: int, path: str) -> int:
    async with aiohttp.ClientSession() as client, client.get(f"http://127.0.0.1:{port}{path}") as answer:
        await answer.read()
        return answer.status


async def test_the_origin_role(settings: Settings) -> None:
    role = OriginRole(settings)
    await role.start()
    ports = role.listening
    assert ports.rtmp
    assert ports.srt
    assert ports.rtmps is None
    for port in (ports.http, ports.admin):
        assert await status(port, "/healthz") == 200
        assert await status(port, "/readyz") == 200
    assert await status(ports.admin, "/metrics") == 200
    await role.drain()
    assert await status(ports.admin, "/readyz") == 503
    assert await status(ports.admin, "/healthz") == 200
    await role.close()
    with pytest.raises(aiohttp.ClientError):
        await status(ports.http, "/healthz")


async def test_the_edge_role(settings: Settings) -> None:
    role = EdgeRole(settings)
    await role.start()
    ports = role.listening
    for port in (ports.http, ports.admin):
        assert await status(port, "/healthz") == 200
    assert await status(ports.admin, "/metrics") == 200
    await role.drain()
    await role.close()
    with pytest.raises(aiohttp.ClientError):
        await status(ports.admin, "/healthz")


async def test_rtmp_can_be_off(settings: Settings) -> None:
    off = settings.ingest.rtmp.model_copy(update={"enabled": False})
    role = OriginRole(settings.model_copy(update={"ingest": settings.ingest.model_copy(update={"rtmp": off})}))
    await role.start()
    assert role.listening.rtmp is None
    await role.close()


@pytest.mark.parametrize("listener", [("origin", "http"), ("origin", "admin"), ("ingest", "rtmp")])
async def test_a_port_that_is_taken_stops_the_origin_and_is_named(
    settings: Settings, taken: int, listener: tuple[str, str]
) -> None:
    role = OriginRole(with_port(settings, *listener, taken))
    with pytest.raises(StartError, match="port") as caught:
        await role.start()
    assert caught.value.code == 1
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("listener", ["http", "admin"])
async def test_a_port_that_is_taken_stops_the_edge_and_is_named(settings: Settings, taken: int, listener: str) -> None:
    role = EdgeRole(with_port(settings, "edge", listener, taken))
    with pytest.raises(StartError, match=f"^edge.{listener}.port: cannot listen: .*in use"):
        await role.start()
    assert not asyncio.all_tasks() - {asyncio.current_task()}


def test_the_upstream_of_an_edge() -> None:
    assert upstream_of(Settings(), 5) == "http://127.0.0.1:5"
    assert upstream_of(Settings.model_validate({"origin": {"http": {"host": "0.0.0.0"}}}), 5) == "http://127.0.0.1:5"
    assert upstream_of(Settings.model_validate({"edge": {"upstream": "http://h:1"}}), 5) == "http://h:1"


async def test_the_edge_of_up_keeps_upstreams_that_are_configured(settings: Settings) -> None:
    one = EdgeUpstream(url="https://shield.example", ca=Path("/ca.pem"))
    up = _Up(
        settings.model_copy(update={"edge": settings.edge.model_copy(update={"upstreams": (one,)})}), with_demo=False
    )
    handed = from_handover(up._edge_document()).edge
    assert (handed.upstream, handed.upstreams) == (None, (one,))
    await up.close()


async def test_an_edge_without_the_keys_of_its_tokens_does_not_start(settings: Settings) -> None:
    tokens = settings.edge.tokens.model_copy(update={"key_file": Path("/nowhere/keys")})
    edge = settings.edge.model_copy(update={"tokens": tokens})
    with pytest.raises(StartError, match=r"edge\.tokens: /nowhere/keys: cannot be read") as caught:
        await EdgeRole(settings.model_copy(update={"edge": edge})).start()
    assert caught.value.code == 2
