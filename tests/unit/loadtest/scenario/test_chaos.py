"""Steps on real processes: killed, paused, resumed, and nothing is left paused."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from headwater.loadtest.records import ChaosEvent
from headwater.loadtest.scenario import chaos as module
from headwater.loadtest.scenario.chaos import Chaos, cannot, read_pid, steps_of
from headwater.loadtest.scenario.settings import Scenario
from headwater.loadtest.scenario.steps import ChaosStep, Netem, Run, Signal


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    with subprocess.Popen(["sleep", "60"]) as process:
        file = tmp_path / "sleep.pid"
        file.write_text(f"{process.pid}\n")
        yield process, file
        process.kill()


def state(process: subprocess.Popen[bytes]) -> str:
    return Path(f"/proc/{process.pid}/stat").read_text().rsplit(") ", 1)[1][0]


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(100):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("never")


def made() -> tuple[Chaos, list[ChaosEvent]]:
    began, events = time.monotonic(), list[ChaosEvent]()
    return Chaos(lambda: time.monotonic() - began, events.append), events


async def test_kill(sleeper: tuple[subprocess.Popen[bytes], Path]) -> None:
    process, file = sleeper
    chaos, events = made()
    await chaos.play([(0.02, Signal(do="kill", at_s=0, pid_file=file))])
    assert process.wait(5) == -9
    assert [(event.what, event.ok) for event in events] == [(f"kill {file} (process {process.pid})", True)]
    assert 0.02 <= events[0].second < 1


async def test_a_pause_ends_by_itself(sleeper: tuple[subprocess.Popen[bytes], Path]) -> None:
    process, file = sleeper
    chaos, events = made()
    playing = asyncio.ensure_future(chaos.play([(0, Signal(do="pause", at_s=0, pid_file=file, for_s=0.1))]))
    await until(lambda: state(process) == "T")
    await playing
    await until(lambda: state(process) == "S")
    assert [event.what.split()[0] for event in events] == ["pause", "resume"]


async def test_nothing_is_left_paused(sleeper: tuple[subprocess.Popen[bytes], Path]) -> None:
    process, file = sleeper
    chaos, events = made()
    playing = asyncio.ensure_future(chaos.play([(0, Signal(do="pause", at_s=0, pid_file=file, for_s=60))]))
    await until(lambda: state(process) == "T")
    playing.cancel()
    await asyncio.wait([playing])
    await chaos.undo()
    await until(lambda: state(process) == "S")
    await chaos.undo()
    assert [event.what.split()[0] for event in events] == ["pause", "resume"]


async def test_what_was_resumed_is_not_resumed_again(sleeper: tuple[subprocess.Popen[bytes], Path]) -> None:
    process, file = sleeper
    chaos, events = made()
    steps: list[tuple[float, ChaosStep]] = [
        (0, Signal(do="pause", at_s=0, pid_file=file)), (0.05, Signal(do="resume", at_s=0, pid_file=file)),
    ]  # fmt: skip
    await chaos.play(steps)
    await chaos.undo()
    await until(lambda: state(process) == "S")
    assert len(events) == 2


async def test_what_was_paused_and_then_killed_is_not_resumed(
    sleeper: tuple[subprocess.Popen[bytes], Path],
) -> None:
    process, file = sleeper
    chaos, events = made()
    steps: list[tuple[float, ChaosStep]] = [
        (0, Signal(do="pause", at_s=0, pid_file=file)), (0.05, Signal(do="kill", at_s=0, pid_file=file)),
    ]  # fmt: skip
    await chaos.play(steps)
    assert process.wait(5) == -9
    await chaos.undo()
    assert [(event.what.split()[0], event.ok) for event in events] == [("pause", True), ("kill", True)]


async def test_what_was_paused_and_then_told_to_end_goes_on_for_it(
    sleeper: tuple[subprocess.Popen[bytes], Path],
) -> None:
    process, file = sleeper
    chaos, events = made()
    steps: list[tuple[float, ChaosStep]] = [
        (0, Signal(do="pause", at_s=0, pid_file=file)), (0.05, Signal(do="term", at_s=0, pid_file=file)),
    ]  # fmt: skip
    await chaos.play(steps)
    assert state(process) == "T"
    await chaos.undo()
    assert process.wait(5) == -15
    assert [(event.what.split()[0], event.ok) for event in events] == [
        ("pause", True), ("term", True), ("resume", True),
    ]  # fmt: skip


async def test_steps_do_not_wait_for_each_other() -> None:
    chaos, events = made()
    await chaos.play(
        [
            (0, Run(do="run", at_s=0, command=("sleep", "0.3"))),
            (0.05, Run(do="run", at_s=0, command=("sh", "-c", "echo no; exit 1"))),
        ]
    )
    assert [(event.ok, event.detail) for event in events] == [(False, "exit code 1: no"), (True, "")]
    assert events[1].second < 0.2  # when it began, not when it ended


async def test_an_interface_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    words: list[tuple[str, ...]] = []

    async def tc(command: tuple[str, ...], timeout_s: float) -> str:
        words.append(command)
        return ""

    monkeypatch.setattr("headwater.loadtest.scenario.netem.run", tc)
    monkeypatch.setattr("headwater.loadtest.scenario.netem.impossible", lambda: None)
    chaos, events = made()
    await chaos.play([(0, Netem(do="netem", at_s=0, interface="a", delay_ms=1, for_s=0.01))])
    await chaos.play([(0, Netem(do="netem", at_s=0, interface="b", delay_ms=1))])
    await chaos.undo()
    assert [(command[2], command[4]) for command in words] == [("add", "a"), ("del", "a"), ("add", "b"), ("del", "b")]
    assert [event.what for event in events][1::2] == ["netem a taken away", "netem b taken away"]


@pytest.mark.parametrize("text", ["", "x", "0", "1", "-5", "99999999999", "5 6", "7" * 40, "our own"])
def test_what_is_no_process(tmp_path: Path, text: str) -> None:
    file = tmp_path / "pid"
    file.write_text(str(os.getpid()) if text == "our own" else text)
    with pytest.raises(ValueError, match=r"holds no process id|the load test itself"):
        read_pid(file)


@pytest.fixture
def gone(tmp_path: Path) -> int:
    with subprocess.Popen(["true"]) as process:
        (tmp_path / "pid").write_text(str(process.pid))
    return process.pid


async def test_a_process_that_is_gone(tmp_path: Path, gone: int) -> None:
    chaos, events = made()
    await chaos.play([(0, Signal(do="term", at_s=0, pid_file=tmp_path / name)) for name in ("pid", "nothing")])
    assert sorted(event.detail for event in events) == [
        "cannot be read: No such file or directory", f"process {gone}: No such process",
    ]  # fmt: skip


def test_times_of_phases_and_what_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = {"do": "netem", "at_s": 2, "interface": "a", "delay_ms": 1}
    arrivals = [{"kind": "constant", "rate": 1}]
    phases = [
        {"name": "a", "duration_s": 10, "arrivals": arrivals},
        {"name": "b", "duration_s": 10, "chaos": [slow, {"do": "run", "at_s": 1, "command": ["x"]}]},
    ]
    scenario = Scenario.model_validate({"phases": phases})
    assert [(at, step.do) for at, step in steps_of(scenario)] == [(11, "run"), (12, "netem")]
    monkeypatch.setattr(module, "impossible", lambda: "no tc")
    assert cannot(scenario) == "netem a delay 1ms: no tc"
    monkeypatch.setattr(module, "impossible", lambda: None)
    assert cannot(scenario) is None
