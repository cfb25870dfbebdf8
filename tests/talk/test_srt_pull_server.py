"""Pulled streams: our caller against a listener that sends, on real UDP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.srt_feed import Client
from tests.srt_sender import Profile
from tests.talk.test_srt_server import House, until

from headwater.loadtest.bench.processes import free_udp_port

PASSPHRASE = "correct-horse-battery"


@asynccontextmanager
async def pulling(folder: Path, port: int, query: str = "", **tree: Any) -> AsyncIterator[House]:
    """A server that pulls `cam` from `port` of this machine."""
    pull = {"name": "cam", "url": f"srt://127.0.0.1:{port}?streamid=read:live/cam{query}", "retry_min_s": 0.2}
    it = House(folder, pull=[{**pull, **tree.pop("pull", {})}], **tree)
    await it.server.start()
    try:
        yield it
    finally:
        await it.server.close()
        for client in it.clients:
            client.close()
        await asyncio.sleep(0.01)


async def source(port: int, passphrase: str = "") -> Client:
    return await Client(Profile(passphrase=passphrase, latency_ms=50), listening=True).open(port)


@pytest.mark.parametrize(
    ("passphrase", "query"), [("", ""), (PASSPHRASE, f"&passphrase={PASSPHRASE}&pbkeylen=32&latency=300")]
)
async def test_a_source_is_called_and_published(tmp_path: Path, passphrase: str, query: str) -> None:
    port = free_udp_port()
    there = await source(port, passphrase)
    with capture_logs() as logs:
        async with pulling(tmp_path, port, query) as it:
            await there.answered()
            await there.send(3, speed=6)
            await until(lambda: len(it.sink.judge("cam").samples.get("source", ())) >= 70)
            (status,) = it.server.streams()
            assert (status.name, status.protocol, status.publisher) == ("cam", "srt-pull", "127.0.0.1")
            assert it.metric("srt_pull_connected", stream="cam") == 1
            assert it.metric("srt_encrypted", stream="cam") == bool(passphrase)
            assert it.metric("srt_latency_seconds", stream="cam") == (0.3 if passphrase else 0.12)
            assert it.metric("ingest_connections", protocol="srt-pull") == 1
        await until(lambda: there.sender.closed)
    there.close()
    assert there.sender.received_stream_id == b"read:live/cam"
    assert PASSPHRASE not in str(logs)


async def test_a_source_that_is_not_there_is_called_again(tmp_path: Path) -> None:
    port = free_udp_port()
    async with pulling(tmp_path, port, pull={"retry_max_s": 0.4}) as it:
        await until(lambda: (it.metric("srt_pull_failures_total", stream="cam") or 0) >= 1)
        assert it.server.streams() == []
        there = await source(port)
        it.clients.append(there)
        await there.answered()
        await there.send(2, speed=6)
        await until(lambda: it.metric("srt_pull_connected", stream="cam") == 1)
        assert (it.metric("srt_pull_attempts_total", stream="cam") or 0) >= 2


async def test_a_source_that_ends_is_called_again_and_the_stream_goes_on(tmp_path: Path) -> None:
    port = free_udp_port()
    there = await source(port)
    async with pulling(tmp_path, port) as it:
        await there.answered()
        await there.send(2, speed=4)
        await until(lambda: it.sink.judges.get("cam") and it.sink.judge("cam").cuts)
        there.close()
        await until(lambda: it.metric("srt_pull_connected", stream="cam") == 0)
        again = await source(port)
        it.clients.append(again)
        await again.answered()
        await again.send(2, speed=4)
        await until(lambda: len(it.sink.judge("cam").samples["source"]) > 60)
        assert len(it.sink.judges["cam"]) == 1
        assert (it.metric("srt_packets_total", stream="cam") or 0) > 500


async def test_a_wrong_passphrase_is_told_once(tmp_path: Path) -> None:
    port = free_udp_port()
    there = await source(port, PASSPHRASE)
    with capture_logs() as logs:
        async with pulling(tmp_path, port, "&passphrase=another-passphrase", pull={"retry_max_s": 0.2}) as it:
            it.clients.append(there)
            await until(lambda: (it.metric("srt_pull_failures_total", stream="cam") or 0) >= 3)
            assert it.server.streams() == []
    said = [entry for entry in logs if entry["event"] == "pull waits"]
    assert "BADSECRET" in said[0]["reason"]
    assert [entry["log_level"] for entry in said[:3]] == ["warning", "debug", "debug"]


async def test_while_somebody_publishes_nobody_is_called(tmp_path: Path) -> None:
    port = free_udp_port()
    async with pulling(tmp_path, port, pull={"retry_min_s": 1.0}) as it:
        pushed = await it.client(Profile(stream_id="publish:live/cam"))
        assert pushed.sender.connected
        await until(lambda: (it.metric("srt_pull_failures_total", stream="cam") or 0) >= 1)
        calls = it.metric("srt_pull_attempts_total", stream="cam")
        sending = asyncio.ensure_future(pushed.send(4))
        await asyncio.sleep(2.5)
        assert it.metric("srt_pull_attempts_total", stream="cam") == calls
        assert it.server.streams()[0].protocol == "srt"
        sending.cancel()


async def test_a_host_that_does_not_exist_and_a_pull_that_is_off(tmp_path: Path) -> None:
    off = {"enabled": False}
    async with pulling(tmp_path / "off", 9, pull=off) as it:
        await asyncio.sleep(0.3)
        assert it.metric("srt_pull_attempts_total", stream="cam") is None
    with capture_logs() as logs:
        async with pulling(tmp_path, 9, pull={"url": "srt://no-such-host.invalid:9"}) as it:
            await until(lambda: it.metric("srt_pull_failures_total", stream="cam") == 1)
    assert any("no-such-host.invalid:" in entry.get("reason", "") for entry in logs)
