"""What a process does at SIGHUP, with and without a terminal that is still there."""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from headwater.config.running import on_hang_up

SERVER = """
import asyncio, sys
from headwater.config.running import on_hang_up

async def main():
    stop = asyncio.Event()
    on_hang_up(stop, lambda: print("hung up", flush=True))
    print("runs", flush=True)
    await asyncio.wait_for(stop.wait(), 20)
    print("stopped", flush=True)

asyncio.run(main())
"""


@contextmanager
def in_a_terminal() -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process with a terminal as its standard error, and our end of that."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", SERVER]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=theirs, text=True) as process:
        os.close(theirs)
        try:
            assert process.stdout is not None and process.stdout.readline() == "runs\n"
            yield process, ours
        finally:
            process.kill()


def test_it_goes_on_while_its_terminal_is_there_and_ends_with_it() -> None:
    with in_a_terminal() as (process, ours):
        assert process.stdout is not None
        process.send_signal(signal.SIGHUP)
        assert process.stdout.readline() == "hung up\n"
        os.close(ours)
        process.send_signal(signal.SIGHUP)
        assert process.stdout.readline() == "stopped\n"
        assert process.wait(20) == 0


async def test_without_a_terminal_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "isatty", lambda _: False)
    stop, acted = asyncio.Event(), asyncio.Event()
    on_hang_up(stop, acted.set)
    try:
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.wait_for(acted.wait(), 5)
        assert not stop.is_set()
    finally:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)
