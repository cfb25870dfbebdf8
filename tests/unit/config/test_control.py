from __future__ import annotations

from pathlib import Path

from aiohttp import web
from prometheus_client import CollectorRegistry
from tests.status_kit import make_status

from headwater.config import report
from headwater.config.admin import AdminServer
from headwater.config.control import Control
from headwater.config.report import Report
from headwater.config.status import Facts

REPORT = Report((), {("x", ""): b"s"}, Facts(()))


async def test_a_process_that_comes_and_goes(tmp_path: Path) -> None:
    async def told(request: web.Request) -> web.Response:
        return web.json_response(report.to_json(REPORT))

    path = tmp_path / "s"
    control = Control(path)
    assert (await control.report(), await control.ask("GET", "/healthz")) == (None, None)
    for _ in range(2):
        server = AdminServer(path, CollectorRegistry(), lambda: None, make_status, [web.get(report.PATH, told)])
        await server.start()
        assert await control.report() == REPORT
        answer = await control.ask("GET", "/healthz")
        assert answer is not None
        assert (answer.status, answer.body) == (200, b"ok\n")
        await server.close()
        assert await control.report() is None
    await control.close()


async def test_a_process_of_another_version(tmp_path: Path) -> None:
    async def told(request: web.Request) -> web.Response:
        return web.json_response({"families": 5})

    server = AdminServer(tmp_path / "s", CollectorRegistry(), lambda: None, make_status, [web.get(report.PATH, told)])
    await server.start()
    control = Control(tmp_path / "s")
    assert await control.report() is None
    await control.close()
    await server.close()
