"""Worker processes: small programs that do what a worker must not, and the real one."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence

import pytest
import uvloop
from tests.ladder_kit import until

from headwater.ingest.encode import process
from headwater.ingest.encode.model import FromWorker, Progress
from headwater.ingest.encode.process import COMMAND, Fault, WorkerProcess


class Ear:
    """Hears a worker."""

    def __init__(self) -> None:
        self.said: list[FromWorker] = []
        self.end: list[tuple[Fault, str]] = []
        self.woken = 0

    def received(self, messages: Sequence[FromWorker]) -> None:
        self.said += messages

    def writable(self) -> None:
        self.woken += 1

    def ended(self, fault: Fault, detail: str) -> None:
        self.end.append((fault, detail))


def program(code: str) -> tuple[str, ...]:
    """A program that has the worker's arguments."""
    return (sys.executable, "-c", f"import os, socket, sys, time\nend = socket.socket(fileno=int(sys.argv[1]))\n{code}")


async def started(command: Sequence[str]) -> tuple[WorkerProcess, Ear]:
    worker, ear = await WorkerProcess.start(command), Ear()
    worker.attach("demo", ear)
    return worker, ear


async def test_the_real_one_lives_says_so_and_goes_with_its_socket() -> None:
    worker, ear = await started(COMMAND)
    await until(lambda: len(ear.said) >= 2)
    assert isinstance(ear.said[0], Progress)
    assert ear.said[0].resident_bytes > 1_000_000
    assert os.getsid(worker.pid) == worker.pid  # Ctrl-C in our terminal is not for it
    worker.kill(Fault.DONE, "enough")
    await worker.gone()
    assert ear.end == [(Fault.DONE, "enough")]
    with pytest.raises(ProcessLookupError):
        os.kill(worker.pid, 0)


async def test_an_exit_is_a_crash_with_its_code() -> None:
    worker, ear = await started(program("sys.exit(3)"))
    await worker.gone()
    await until(lambda: ear.end)
    assert ear.end == [(Fault.CRASH, "exit code 3")]
    assert worker.reaped
    assert not worker.alive


async def test_a_signal_is_a_crash_with_its_number() -> None:
    worker, ear = await started(program("time.sleep(60)"))
    os.kill(worker.pid, signal.SIGKILL)
    await worker.gone()
    assert ear.end == [(Fault.CRASH, "signal 9")]


async def test_one_that_closes_its_socket_is_ended() -> None:
    worker, ear = await started(program("end.close(); time.sleep(60)"))
    await until(lambda: ear.end)
    assert ear.end == [(Fault.CRASH, "it closed its socket")]
    await worker.gone()


async def test_bytes_that_are_no_message_end_it() -> None:
    worker, ear = await started(program("end.sendall(b'\\xff' * 100); time.sleep(60)"))
    await until(lambda: ear.end)
    assert ear.end[0][0] is Fault.PROTOCOL
    await worker.gone()


async def test_one_that_was_stopped_is_seen_at_once() -> None:
    worker, _ = await started(program("time.sleep(60)"))
    assert not worker.stopped()
    os.kill(worker.pid, signal.SIGSTOP)
    await until(worker.stopped)
    assert worker.stopped()
    worker.kill(Fault.HANG, "stopped")
    await worker.gone()
    assert not worker.stopped()


async def test_one_that_does_not_read_is_not_written_to_for_ever() -> None:
    worker, ear = await started(program("time.sleep(1.5); \nwhile end.recv(1 << 20): pass"))
    filler = Progress(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    count = 0
    while worker.writable:
        worker.write(filler)  # type: ignore[arg-type]  # any bytes will do
        count += 1
        assert count < 100_000
    await until(lambda: ear.woken)
    assert worker.writable
    worker.kill(Fault.DONE, "")
    await worker.gone()


async def test_settings_in_the_environment_are_not_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Publish keys may be among them."""
    monkeypatch.setenv("HEADWATER_INGEST__PUBLISH", "secret")
    worker, ear = await started(program("sys.exit(7 if 'HEADWATER_INGEST__PUBLISH' in os.environ else 5)"))
    await worker.gone()
    await until(lambda: ear.end)
    assert ear.end == [(Fault.CRASH, "exit code 5")]


async def test_its_words_go_to_the_log_but_no_flood_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    code = "for n in range(500): print('line', n, file=sys.stderr)\nprint('x' * 100_000, file=sys.stderr)\nsys.exit(0)"
    worker, _ = await started(program(code))
    await worker.gone()
    said = capsys.readouterr().out
    assert "line 19" in said
    assert "line 20" not in said
    assert said.count("encoder says") == process.LINES


async def test_what_cannot_be_started_says_so() -> None:
    with pytest.raises(OSError):
        await WorkerProcess.start(("/nonexistent/program",))


def test_it_works_on_the_loop_that_serves() -> None:
    async def run() -> None:
        worker, ear = await started(COMMAND)
        await until(lambda: ear.said)
        os.kill(worker.pid, signal.SIGSTOP)
        await until(worker.stopped)
        worker.kill(Fault.HANG, "stopped")
        await worker.gone()
        assert ear.end == [(Fault.HANG, "stopped")]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
