"""Children: handed over, heard, restarted, ended."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from headwater.config.supervisor import Cause, ChildFailed, Message, Supervisor

ECHO = """
import json, os, sys
print("not a message", flush=True)
print(json.dumps({"pid": os.getpid(), "handed": sys.stdin.readline().strip()}), flush=True)
"""
WAIT = ECHO + "sys.stdin.read()"
STUBBORN = (
    ECHO + "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('{}', flush=True)\ntime.sleep(60)"
)


class Heard:
    """Messages of a child, to wait for."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[Message] = asyncio.Queue()

    def __call__(self, message: Message) -> None:
        self.messages.put_nowait(message)


def child(code: str, heard: Heard) -> Supervisor:
    return Supervisor("test", lambda: "the settings", heard, command=(sys.executable, "-c", code), pause_s=0.01)


async def test_the_hand_over_and_the_answer() -> None:
    heard = Heard()
    supervisor = child(WAIT, heard)
    await supervisor.start(wait=True)
    assert supervisor.running
    assert (await heard.messages.get())["handed"] == "the settings"
    await supervisor.stop(5)
    await supervisor.stop(5)
    assert supervisor.restarts == 0


async def test_a_child_that_ends_is_started_again() -> None:
    heard = Heard()
    supervisor = child(ECHO, heard)
    await supervisor.start(wait=False)
    pids = [(await heard.messages.get())["pid"] for _ in range(3)]
    assert len(set(pids)) == 3
    assert supervisor.restarts >= 2
    await supervisor.stop(5)


async def test_a_child_that_does_not_start() -> None:
    for code, exit_code in (("raise SystemExit(2)", 2), ("raise SystemExit(7)", 1)):
        supervisor = child(code, Heard())
        with pytest.raises(ChildFailed) as caught:
            await supervisor.start(wait=True)
        assert caught.value.code == exit_code
        assert not supervisor.running


async def test_a_restart_that_cannot_be_made_is_tried_again(tmp_path: Path) -> None:
    heard = Heard()
    program = tmp_path / "python"
    program.symlink_to(sys.executable)
    command = (str(program), "-c", ECHO)
    supervisor = Supervisor("test", lambda: "the settings", heard, command=command, pause_s=0.01)
    await supervisor.start(wait=False)
    await heard.messages.get()
    program.unlink()
    tries = supervisor.restarts + 3
    async with asyncio.timeout(10):
        while supervisor.restarts < tries:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    while not heard.messages.empty():
        heard.messages.get_nowait()
    program.symlink_to(sys.executable)
    assert (await heard.messages.get())["handed"] == "the settings"
    await supervisor.stop(5)


async def test_a_program_that_cannot_be_run() -> None:
    supervisor = Supervisor("test", lambda: "", Heard(), command=("/nonexistent/program",))
    with pytest.raises(ChildFailed):
        await supervisor.start(wait=True)
    await supervisor.stop(1)


async def test_a_child_that_ignores_sigterm_is_killed() -> None:
    heard = Heard()
    supervisor = child(STUBBORN, heard)
    await supervisor.start(wait=True)
    pid = (await heard.messages.get())["pid"]
    await heard.messages.get()
    await supervisor.stop(0.1)
    assert isinstance(pid, int)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_child_that_ran_well_is_back_at_once_and_one_that_keeps_dying_waits() -> None:
    heard = Heard()
    command = (sys.executable, "-c", ECHO)
    supervisor = Supervisor("test", lambda: "", heard, command=command, pause_s=60, at_once=True)
    await supervisor.start(wait=False)
    pids = [(await heard.messages.get())["pid"] for _ in range(2)]
    assert len(set(pids)) == 2
    async with asyncio.timeout(10):
        while supervisor.pid is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    assert supervisor.restarts == 1
    await supervisor.stop(5)


async def test_further_lines_another_signal_and_inherited_descriptors() -> None:
    code = ECHO + (
        "import signal\n"
        "signal.signal(signal.SIGUSR1, lambda *_: os._exit(0))\n"
        "print(json.dumps({'told': sys.stdin.readline().strip()}), flush=True)\n"
        "print(json.dumps({'piped': os.read(int(sys.argv[1]), 9).decode()}), flush=True)\n"
        "signal.pause()\n"
    )
    heard = Heard()
    ours, theirs = os.pipe()
    supervisor = Supervisor(
        "test", lambda: "first", heard, command=(sys.executable, "-c", code, str(ours)), pass_fds=(ours,)
    )
    supervisor.tell("nobody is there yet")
    await supervisor.start(wait=True)
    first = await heard.messages.get()
    assert (first["handed"], supervisor.pid) == ("first", first["pid"])
    supervisor.tell("second")
    assert (await heard.messages.get())["told"] == "second"
    os.write(theirs, b"through")
    assert (await heard.messages.get())["piped"] == "through"
    await supervisor.stop(10, signal.SIGUSR1)
    assert supervisor.pid is None
    os.close(ours)
    os.close(theirs)


async def test_a_lost_child_goes_on_in_a_process_that_is_loaded() -> None:
    heard = Heard()
    pipe = asyncio.subprocess.PIPE
    loaded = [await asyncio.create_subprocess_exec(sys.executable, "-c", WAIT, stdin=pipe, stdout=pipe)]
    supervisor = Supervisor(
        "test",
        lambda: "again",
        heard,
        command=(sys.executable, "-c", ECHO),
        at_once=True,
        spare=lambda: loaded[0],
    )
    await supervisor.start(wait=True)
    await heard.messages.get()
    message = await heard.messages.get()
    assert (message["pid"], message["handed"]) == (loaded[0].pid, "again")
    assert supervisor.pid == loaded[0].pid
    await supervisor.stop(5)
    assert loaded[0].returncode is not None


async def test_one_that_hangs_is_ended_replaced_and_counted_apart() -> None:
    heard = Heard()
    supervisor = child(WAIT, heard)
    supervisor.give_up()  # nobody is there yet
    await supervisor.start(wait=True)
    first = (await heard.messages.get())["pid"]
    assert isinstance(first, int)
    os.kill(first, signal.SIGSTOP)
    supervisor.give_up()
    second = (await heard.messages.get())["pid"]
    assert isinstance(second, int) and second != first
    assert supervisor.lost == {Cause.DIED: 0, Cause.HUNG: 1}
    os.kill(second, signal.SIGKILL)
    assert (await heard.messages.get())["pid"] not in (first, second)
    assert supervisor.lost == {Cause.DIED: 1, Cause.HUNG: 1}
    assert supervisor.restarts == 2
    await supervisor.stop(5)
