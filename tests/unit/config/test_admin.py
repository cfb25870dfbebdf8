"""The admin listener over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Counter
from tests.status_kit import make_status

from headwater.config.admin import AdminServer
from headwater.config.settings import Admin


class Served:
    """A started listener and a client."""

    def __init__(self, server: AdminServer, client: aiohttp.ClientSession) -> None:
        self.server = server
        self.client = client
        self.reason: str | None = None

    async def get(self, path: str) -> tuple[int, str, str]:
        async with self.client.get(f"http://127.0.0.1:{self.server.port}{path}") as answer:
            return answer.status, answer.headers["Content-Type"], await answer.text()


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    registry = CollectorRegistry()
    Counter("headwater_tests", "What this test counts", registry=registry).inc(3)
    holder: list[Served] = []
    server = AdminServer(Admin(port=0), registry, lambda: holder[0].reason, make_status)
    await server.start()
    async with aiohttp.ClientSession() as client:
        holder.append(Served(server, client))
        yield holder[0]
    await server.close()
    await server.close()


async def test_metrics(served: Served) -> None:
    status, content_type, text = await served.get("/metrics")
    assert status == 200
    assert content_type.startswith("text/plain; version=")
    assert "headwater_tests_total 3.0" in text


async def test_health_and_readiness(served: Served) -> None:
    assert (await served.get("/healthz"))[0::2] == (200, "ok\n")
    assert (await served.get("/readyz"))[0::2] == (200, "ready\n")
    served.reason = "draining"
    assert (await served.get("/readyz"))[0::2] == (503, "draining\n")
    assert (await served.get("/healthz"))[0] == 200
    assert (await served.get("/other"))[0] == 404


async def test_the_status_page_and_the_same_for_programs(served: Served) -> None:
    status, content_type, text = await served.get("/")
    assert (status, content_type) == (200, "text/html; charset=utf-8")
    assert "show" in text
    assert "<script" not in text
    async with served.client.get(f"http://127.0.0.1:{served.server.port}/status.json") as answer:
        told = await answer.json()
    assert (told["role"], told["streams"][0]["renditions"][0]["viewers"]) == ("edge", 1_234)


async def test_tasks(served: Served) -> None:
    status, content_type, text = await served.get("/debug/tasks")
    assert (status, content_type) == (200, "text/plain; charset=utf-8")
    assert "aiohttp/web_protocol.py:" in text
    assert "test_tasks" in text


async def test_an_address_that_is_taken(served: Served) -> None:
    other = AdminServer(Admin(port=served.server.port), CollectorRegistry(), lambda: None, make_status)
    with pytest.raises(OSError, match="in use"):
        await other.start()
    await other.close()


async def test_what_other_processes_say_is_gathered_first(tmp_path: Path) -> None:
    gathered: list[str] = []

    async def gather() -> None:
        gathered.append("all")

    async def others() -> str:
        return "\n== 0\n1 tasks\n"

    path = tmp_path / "socket"
    server = AdminServer(path, CollectorRegistry(), lambda: None, make_status, gather=gather, others=others)
    await server.start()
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as client:
        for page in ("/", "/status.json", "/metrics"):
            async with client.get(f"http://parent{page}") as answer:
                assert answer.status == 200
        async with client.get("http://parent/healthz") as answer:
            assert answer.status == 200
        async with client.get("http://parent/debug/tasks") as answer:
            assert "\n== 0\n1 tasks\n" in await answer.text()
    assert gathered == ["all"] * 3
    await server.close()
