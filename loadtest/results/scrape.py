"""Reads the /metrics of the server's processes while a run goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence

import aiohttp

from headwater.loadtest.records import ServerSample

from .series import Tally

MAX_BODY = 8 << 20
"""Longest page that is read. Why: ours are below 200 kB; a page of a large Prometheus client is a few MB."""
TIMEOUT_S = 3.0
"""Until a process counts as not reachable. Why: its CPU is what we want to see, so a busy one gets some time."""


async def scrape(
    urls: Sequence[str],
    every_s: float,
    sink: Callable[[ServerSample], None],
    stop: asyncio.Event,
    *,
    began: float,
    series: Collection[str] = (),
    say: Callable[[str], None] = lambda text: None,
) -> None:
    """One sample every `every_s` seconds until `stop`, and a last one then.

    `began`: the loop's time at second 0. `series`: names to keep besides the default ones. `say` is told when an
    address stops or starts answering. A server that never answers gives no sample; nothing is raised.
    """
    tally, loop = Tally(series), asyncio.get_running_loop()
    troubles: dict[str, str] = {}
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session:
        due = loop.time()
        while True:
            last = stop.is_set()
            await asyncio.gather(*(_take(session, url, tally, troubles, say) for url in urls))
            if len(troubles) < len(urls):
                sink(ServerSample(max(0.0, loop.time() - began), tally.values()))
            if last:
                return
            due = max(due + every_s, loop.time())
            try:
                async with asyncio.timeout_at(due):
                    await stop.wait()
            except TimeoutError:
                continue


async def _take(
    session: aiohttp.ClientSession, url: str, tally: Tally, troubles: dict[str, str], say: Callable[[str], None]
) -> None:
    try:
        text = await _page(session, url)
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        trouble = str(error) or type(error).__name__
        if url not in troubles:
            say(f"{url}: no metrics: {trouble}")
        troubles[url] = trouble
        tally.lost(url)
        return
    if troubles.pop(url, None) is not None:
        say(f"{url}: metrics again")
    tally.take(url, text, asyncio.get_running_loop().time())


async def _page(session: aiohttp.ClientSession, url: str) -> str:
    """Raises ValueError for an answer that is no page of metrics."""
    headers = {"Accept": "text/plain;version=0.0.4", "Accept-Encoding": "identity"}
    async with session.get(url, headers=headers, allow_redirects=False) as answer:
        if answer.status != 200:
            raise ValueError(f"status {answer.status}")
        body = bytearray()
        async for chunk in answer.content.iter_any():
            body += chunk
            if len(body) > MAX_BODY:
                raise ValueError(f"longer than {MAX_BODY} bytes")
        return body.decode("utf-8", "replace")
