"""Many player pages in one headless Chromium, over the DevTools protocol.

Why not by Playwright: it hears of every request of every page, which for a dozen players is a core of its own. Here
pages are opened and asked, and say nothing by themselves. And once it plays, a page is not drawn any more: that was
half of what a player costs, and is nothing that a server sees. It goes on loading and decoding.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from collections.abc import Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

from .chromium import EXECUTABLE, FIGURES, FLAGS, LOOK_S, until_moving
from .processes import started

ANSWER_S = 60.0
"""That Chromium may take to answer, on a busy machine."""
HEADLESS = ("--headless", "--mute-audio", "--hide-scrollbars", "--remote-debugging-port=0")
PLAYS = """
document.documentElement.style.display = 'none';
performance.setResourceTimingBufferSize(100000);
"""
"""For a page that plays. Chromium remembers 250 requests if nobody asks for more: those of a minute."""
LOOK = rf"""(() => {{
    const answered = performance.getEntriesByType('resource').filter((entry) => entry.responseStatus === 200);
    const blocking = answered.filter((entry) => entry.name.includes('_HLS_msn=')).length;
    const parts = answered.filter((entry) => /\/p\d+\.m4s$/.test(entry.name)).length;
    return {{...({FIGURES})(), blocking, parts}};
}})()"""
"""`chromium.FIGURES`, and what the page was answered since it was opened: blocking reloads, and parts by our names."""
_T = TypeVar("_T")


class DevToolsError(Exception):
    """Chromium refused a command, or a script failed on a page."""


class Pages:
    """Opened one by one, each in a browser context of its own: with connections of its own, as another viewer's."""

    def __init__(self, url: str, pid: int) -> None:
        self.pid = pid
        """Of Chromium, which leads a session."""
        self._loop = asyncio.new_event_loop()
        self._ids = itertools.count(1)
        self._sessions: list[str] = []
        self._client, self._socket = self._run(self._connect(url))

    async def _connect(self, url: str) -> tuple[aiohttp.ClientSession, aiohttp.ClientWebSocketResponse]:
        client = aiohttp.ClientSession()
        # Answers are as large as Chromium makes them.
        return client, await client.ws_connect(url, max_msg_size=0)

    def close(self) -> None:
        """End the connection, not Chromium."""
        self._run(self._socket.close())
        self._run(self._client.close())
        self._loop.close()

    def open(self, url: str) -> int:
        """Open a page: its number, from 0. Raises DevToolsError, TimeoutError."""
        context = self._call("Target.createBrowserContext")["browserContextId"]
        target = self._call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._run(self._ask([(session, "Page.navigate", {"url": url})]))
        self._sessions.append(session)
        return len(self._sessions) - 1

    def figures(self, page: int) -> dict[str, Any]:
        """As `LOOK` has them. Raises DevToolsError while the page has none yet."""
        return self._figures([self._sessions[page]])[0]

    def all_figures(self) -> list[dict[str, Any]]:
        """Of all pages, asked at once. Raises DevToolsError, TimeoutError."""
        return self._figures(self._sessions)

    def wait_playing(self, page: int, *, timeout_s: float) -> None:
        """Until its picture moves, which is not drawn from then on; AssertionError with the page's figures when it does
        not."""

        def look() -> dict[str, Any] | None:
            with contextlib.suppress(DevToolsError):
                return self.figures(page)
            return None  # it loads

        until_moving(look, lambda: time.sleep(LOOK_S), timeout_s)
        self._evaluate(PLAYS, [self._sessions[page]])

    def _figures(self, sessions: Sequence[str]) -> list[dict[str, Any]]:
        return self._evaluate(LOOK, sessions)

    def _evaluate(self, script: str, sessions: Sequence[str]) -> list[Any]:
        command = {"expression": script, "returnByValue": True}
        answers = self._run(self._ask([(session, "Runtime.evaluate", command) for session in sessions]))
        for answer in answers:
            if "exceptionDetails" in answer:
                raise DevToolsError(str(answer["exceptionDetails"].get("exception", {}).get("description"))[:300])
        return [answer["result"].get("value") for answer in answers]

    def _call(self, method: str, **parameters: object) -> dict[str, Any]:
        return self._run(self._ask([(None, method, parameters)]))[0]

    async def _ask(self, commands: Sequence[tuple[str | None, str, dict[str, object]]]) -> list[dict[str, Any]]:
        """All at once: the results, in the order of the commands."""
        numbers = [next(self._ids) for _ in commands]
        for number, (session, method, parameters) in zip(numbers, commands, strict=True):
            command = {"id": number, "method": method, "params": parameters}
            await self._socket.send_json(command if session is None else {**command, "sessionId": session})
        found: dict[int, dict[str, Any]] = {}
        while not found.keys() >= set(numbers):
            answer = json.loads(await self._socket.receive_str())
            if "error" in answer:
                raise DevToolsError(f"{answer['error']}"[:300])
            if "id" in answer:  # else an event
                found[answer["id"]] = answer["result"]
        return [found[number] for number in numbers]

    def _run(self, work: Coroutine[Any, Any, _T]) -> _T:
        async def in_time() -> _T:
            async with asyncio.timeout(ANSWER_S):
                return await work

        return self._loop.run_until_complete(in_time())


@contextlib.contextmanager
def chromium_pages(folder: Path) -> Iterator[Pages]:
    """A Chromium for the length of a `with` block. Raises TimeoutError or PeerEnded when it does not start."""
    profile = folder / "chromium"
    said = profile / "DevToolsActivePort"
    command = [EXECUTABLE, *HEADLESS, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    peer = started(
        command, folder / "chromium.log", lambda _: said.exists() and said.read_text().count("\n") >= 1,
        what="Chromium listens", timeout_s=60,
    )  # fmt: skip
    try:
        port, path = said.read_text().split("\n", 1)
        pages = Pages(f"ws://127.0.0.1:{port}{path.strip()}", peer.pid)
        try:
            yield pages
        finally:
            pages.close()
    finally:
        peer.stop()
