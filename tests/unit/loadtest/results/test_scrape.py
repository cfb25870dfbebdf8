from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from headwater.loadtest.records import ServerSample
from headwater.loadtest.results import scrape

Answer = Callable[[], web.StreamResponse]


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[str]:
    async def metrics(_: web.Request) -> web.StreamResponse:
        return answer()

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/metrics"
    finally:
        await runner.cleanup()


async def sampled(
    urls: list[str], number: int, said: list[str], series: frozenset[str] = frozenset()
) -> list[ServerSample]:
    """Scrapes until there are `number` samples."""
    found: list[ServerSample] = []
    stop = asyncio.Event()

    def sink(sample: ServerSample) -> None:
        found.append(sample)
        if len(found) == number:
            stop.set()

    began = asyncio.get_running_loop().time()
    async with asyncio.timeout(10):
        await scrape(urls, 0.01, sink, stop, began=began, series=series, say=said.append)
    return found


async def test_samples_until_it_is_stopped_and_one_then() -> None:
    said: list[str] = []
    async with server(lambda: web.Response(text="process_resident_memory_bytes 7\nheadwater_x 3\n")) as url:
        found = await sampled([url], 2, said, frozenset({"headwater_x"}))
    assert len(found) == 3
    assert found[0].values == {"memory": 7.0, "headwater_x": 3.0, "up": 1.0}
    assert 0 <= found[0].second <= found[1].second
    assert not said


async def test_an_address_that_does_not_answer_is_said_once() -> None:
    said: list[str] = []
    async with server(lambda: web.Response(text="process_resident_memory_bytes 7\n")) as url:
        found = await sampled([url, "http://127.0.0.1:1/metrics"], 3, said)
    assert found[0].values["up"] == 1
    assert len(said) == 1
    assert said[0].startswith("http://127.0.0.1:1/metrics: no metrics: ")


async def test_without_any_answer_there_is_no_sample() -> None:
    found: list[ServerSample] = []
    stop = asyncio.Event()
    stop.set()
    await scrape(["http://127.0.0.1:1/metrics", "no address"], 1.0, found.append, stop, began=0.0)
    assert not found


async def test_refusals_and_recoveries_are_said() -> None:
    answers = iter([web.Response(status=503), web.Response(status=302, headers={"Location": "/metrics"})])
    said: list[str] = []
    async with server(lambda: next(answers, None) or web.Response(text="")) as url:
        await sampled([url], 1, said)
    assert said == [f"{url}: no metrics: status 503", f"{url}: metrics again"]


async def test_a_page_without_end_is_refused() -> None:
    said: list[str] = []
    stop = asyncio.Event()
    stop.set()
    async with server(lambda: web.Response(body=b"# " + b"x" * (9 << 20))) as url:
        await scrape([url], 1.0, lambda sample: None, stop, began=0.0, say=said.append)
    assert "longer than" in said[0]


async def test_a_page_that_is_no_text_gives_no_values() -> None:
    async with server(lambda: web.Response(body=b"\xff\xfe\0process_resident_memory_bytes 7")) as url:
        (first, *_) = await sampled([url], 1, [])
    assert first.values == {"up": 1.0}
