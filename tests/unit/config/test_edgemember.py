"""One process of an edge: its orders, and itself behind a control socket."""

from __future__ import annotations

import json
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from headwater.config.control import Control
from headwater.config.edgemember import EdgeMember, Orders
from headwater.config.merge import value_of
from headwater.config.running import StartError
from headwater.config.settings import Edge, Settings
from headwater.config.settings_upstream import EdgeUpstream
from headwater.config.settings_viewers import TokenKey, Tokens
from headwater.edge.post import Place, Post


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        yield Path(name)


def settings(**edge: object) -> Settings:
    upstream = EdgeUpstream(url="unix:/tmp/nobody", name="node")
    return Settings(edge=Edge.model_validate({"upstreams": (upstream,), **edge}))


@pytest.mark.parametrize("place", list(Place))
def test_orders_come_as_they_went_in_one_line(place: Place) -> None:
    tokens = Tokens(keys=(TokenKey(id="k", secret=SecretStr("s" * 32)),))
    post = Post(place, "headwater-x", b"\x00\xff" * 16, 1 << 20, (7, 9))
    orders = Orders("0", Path("/tmp/x/1-0.sock"), settings(tokens=tokens), post, (11,))
    line = orders.to_line()
    assert "\n" not in line
    assert Orders.of(json.loads(line)) == orders


async def test_it_serves_on_what_it_inherits_and_tells_the_parent(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        post = Post(Place.WORKER, "headwater-x", b"k" * 32, 1 << 20, (os.dup(listening.fileno()),))
        member = EdgeMember(Orders("0", folder / "s", settings(), post))
        await member.start()
        control = Control(folder / "s")
        told = await control.report()
        assert told is not None
        assert value_of(told.families, "headwater_edge_connections_accepted_total") == 0
        assert told.facts.upstream is not None and told.facts.upstream.url == "unix:/tmp/nobody"
        for path, status in (("/readyz", 200), ("/pins", 200), ("/debug/tasks", 200), ("/status.json", 200)):
            answer = await control.ask("GET", path)
            assert answer is not None and answer.status == status
        await control.close()
        await member.drain()
        await member.close()
        assert not (folder / "s").exists()


async def test_what_keeps_it_from_starting_has_the_exit_code_of_a_wrong_setting(folder: Path) -> None:
    tokens = Tokens(key_file=folder / "nothing")
    member = EdgeMember(Orders("0", folder / "s", settings(tokens=tokens), Post(Place.WORKER, listening=())))
    with pytest.raises(StartError, match=r"edge\.tokens") as caught:
        await member.start()
    assert caught.value.code == 2
