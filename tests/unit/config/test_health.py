"""The health check of a container, against a real admin listener."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from tests.status_kit import make_status

from headwater.config import health
from headwater.config.admin import AdminServer
from headwater.config.settings import Admin


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


async def test_roles_that_live_and_roles_that_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    server = AdminServer(Admin(port=0), CollectorRegistry(), lambda: "not ready, but alive", make_status)
    await server.start()
    monkeypatch.setenv("HEADWATER_ORIGIN__ADMIN__PORT", str(server.port))
    monkeypatch.setenv("HEADWATER_EDGE__ADMIN__PORT", str(server.port))
    assert await asyncio.to_thread(health.main, ["origin"]) == 0
    assert await asyncio.to_thread(health.main, []) == 0
    await server.close()
    assert await asyncio.to_thread(health.main, ["edge"]) == 1


def test_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert health.main(["nobody"]) == 2
    Path("headwater.toml").write_text("x = 1")
    assert health.main([]) == 2
    assert "no such role" in capsys.readouterr().err
