"""The parent's way to a process of an edge: HTTP over the Unix socket on which that process has its admin listener."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiohttp import web

from . import report
from .report import Report

TIMEOUT_S = 2.0
"""For one answer. Why: a process whose loop stands still for longer must not keep the others' figures back."""
MAX_BYTES = 64 << 20
"""Of one answer: 2,000 streams with their sketches are 20 MB."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Of a request that was passed on."""

    status: int
    content_type: str
    body: bytes

    def response(self) -> web.Response:
        """The same, for whoever asked first."""
        if self.status == 204:
            return web.Response(status=204)
        return web.Response(status=self.status, body=self.body, headers={"Content-Type": self.content_type})


class Control:
    """Of one process; it may come and go. Belongs to the running loop."""

    def __init__(self, path: Path) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(str(path)), timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)
        )

    async def ask(self, method: str, path: str, body: bytes = b"", content_type: str = "") -> Answer | None:
        """Pass a request on; None when nobody answers."""
        headers = {"Content-Type": content_type} if content_type else {}
        try:
            async with self._session.request(
                method, f"http://process{path}", data=body or None, headers=headers
            ) as answer:
                kind = answer.headers.get("Content-Type", "text/plain")
                content = await answer.content.read(MAX_BYTES)
                while len(content) < MAX_BYTES and (piece := await answer.content.read(MAX_BYTES - len(content))):
                    content += piece
                return Answer(answer.status, kind, content)
        except (TimeoutError, aiohttp.ClientError, OSError):
            return None

    async def report(self) -> Report | None:
        """What it tells of itself now; None when it does not."""
        try:
            async with self._session.get(f"http://process{report.PATH}") as answer:
                return report.from_json(await answer.json())
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError, KeyError, TypeError):
            return None

    async def close(self) -> None:
        """End its connections."""
        await self._session.close()
