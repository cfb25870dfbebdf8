"""The upstreams of a node, put together from settings."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from headwater.config.settings import Edge
from headwater.edge.message import UpstreamAnswer, UpstreamRequest
from headwater.edge.upstreams import Upstreams


async def test_one_upstream_is_the_simple_way_and_is_not_probed() -> None:
    upstreams = Upstreams(Edge(), "http://127.0.0.1:1", "id")
    assert [member.name for member in upstreams.tiers.members] == ["upstream"]
    assert not upstreams.tiers.several
    upstreams.handle_timeout(asyncio.get_running_loop().time() + 10)
    assert upstreams.tiers.members[0].counts.requests == {}
    await upstreams.close()


async def test_several_are_what_the_settings_say_and_the_log_tells_of_them() -> None:
    settings = Edge.model_validate(
        {
            "upstreams": [
                {"url": "http://127.0.0.1:1", "name": "one", "weight": 2.0},
                {"url": "unix:/nowhere/socket", "sibling": True},
            ],
            "connect_timeout_s": 0.5,
        }
    )
    upstreams = Upstreams(settings, "http://unused:1", "id")
    one, other = upstreams.tiers.members
    assert (one.name, one.sibling, other.name, other.sibling) == ("one", False, "unix", True)
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[UpstreamAnswer] = loop.create_future()
    upstreams.tiers.fetch(UpstreamRequest("/x/a.m4s"), answered.set_result)
    assert (await answered).failure is not None
    with capture_logs() as logs:
        upstreams.handle_timeout(loop.time())
    assert {(entry["event"], entry["upstream"]) for entry in logs} >= {("upstream-down", "one")}
    await upstreams.close()


async def test_authorities_that_cannot_be_read_are_an_error(tmp_path: Path) -> None:
    broken = tmp_path / "ca.pem"
    broken.write_text("no certificate")
    settings = Edge.model_validate({"upstreams": [{"url": "https://h:1", "ca": str(broken)}]})
    with pytest.raises(OSError, match="NO_CERTIFICATE"):
        Upstreams(settings, "", "id")
