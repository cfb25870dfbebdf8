"""The machine, asked by a real process."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import pytest

from headwater.config.settings_encode import Encode
from headwater.ingest.encode.capacity import Capacity, cores, wanted


def script(text: str) -> tuple[str, ...]:
    return (sys.executable, "-c", text)


async def test_this_machine() -> None:
    capacity = Capacity(("libx264", "libx265"))
    assert capacity.machine is None
    machine, again = await asyncio.gather(capacity.get(), capacity.get())
    assert machine is again is capacity.machine
    assert machine.problem == ""
    assert {"libx264", "libx265", "libsvtav1", "aac", "libopus", "mjpeg", "libwebp"} <= machine.encoders
    assert not machine.encoders & machine.refused.keys()
    assert {"h264_nvenc", "h264_qsv"} <= machine.encoders | machine.refused.keys()
    assert machine.measured is not None
    assert set(machine.measured.encode) == {"libx264", "libx265"}
    assert machine.measured.decode > machine.measured.encode["libx264"] > machine.measured.encode["libx265"] > 0
    assert machine.cores == cores()


async def test_a_crash_leaves_what_was_said() -> None:
    text = 'import os; print(\'{"opens": "libx264"}\', flush=True); os.kill(os.getpid(), 11)'
    machine = await Capacity((), command=script(text)).get()
    assert machine.encoders == {"libx264"}
    assert machine.measured is None
    assert machine.problem == "the probe of the encoders ended with signal 11"


async def test_a_probe_that_hangs_is_killed() -> None:
    text = 'import time; print(\'{"opens": "aac"}\', flush=True); time.sleep(60)'
    started = time.monotonic()
    machine = await Capacity((), command=script(text), timeout_s=1.0).get()
    assert time.monotonic() - started < 20
    assert machine.encoders == {"aac"}
    assert machine.problem == "the probe of the encoders took more than 1 s"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("print('nonsense')", "the probe of the encoders ended early"),
        ("print('x' * 100_000)", "the probe of the encoders ended early"),
        ("raise SystemExit(3)", "the probe of the encoders ended with exit code 3"),
        ("print('[1]'); print('{\"opens\": 1}'); print('{\"done\": true}')", ""),
    ],
)
async def test_what_is_no_answer(text: str, problem: str) -> None:
    machine = await Capacity((), command=script(text), timeout_s=20).get()
    assert (machine.encoders, machine.measured, machine.problem) == (frozenset(), None, problem)


async def test_a_probe_that_never_ends_its_answer_is_killed() -> None:
    machine = await Capacity((), command=script("while True: print('{}')"), timeout_s=0.5).get()
    assert machine.problem in (
        "the probe of the encoders took more than 0.5 s",
        "the probe of the encoders ended with exit code 1",
    )


async def test_a_probe_that_is_not_there() -> None:
    machine = await Capacity((), command=("/nowhere/python",)).get()
    assert machine.problem.startswith("the probe of the encoders does not start: ")


async def test_who_asks_may_go_away() -> None:
    capacity = Capacity((), command=script("import time; time.sleep(60)"))
    asking = asyncio.ensure_future(capacity.get())
    await asyncio.sleep(0.2)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert capacity.machine is None


def test_only_encoders_that_could_be_used_are_measured() -> None:
    assert wanted(Encode()) == ("libx264",)
    settings = Encode.model_validate(
        {"rungs": [{"height": 720, "codec": "hevc"}], "stream": [{"rungs": [{"height": 360, "codec": "av1"}]}]}
    )
    assert wanted(settings) == ("libsvtav1", "libx264", "libx265")


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("max 100000", 4), ("150000 100000", 1.5), ("800000 100000", 4), ("nonsense", 4), ("1 0", 4)],
)
def test_cores_of_a_container(tmp_path: Path, quota: str, expected: float) -> None:
    (tmp_path / "cpu.max").write_text(quota)
    assert cores(tmp_path, lambda pid: range(4)) == expected


def test_cores_without_a_container(tmp_path: Path) -> None:
    assert cores(tmp_path, lambda pid: range(3)) == 3
    assert cores() > 0
