"""From options to exit codes; whole runs are in tests/peers/test_scenario.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from headwater.loadtest.bench.processes import free_port
from headwater.loadtest.records import ClockOffset, PhaseSpan, Tick
from headwater.loadtest.results.document import to_json
from headwater.loadtest.results.model import Machine, RunResult, Verdict
from headwater.loadtest.scenario import arrivals
from headwater.loadtest.scenario import command as module
from headwater.loadtest.scenario.command import run, run_compare

RESULT = RunResult(
    url="http://h/live/a/index.m3u8",
    started=1_700_000_000,
    seconds=2,
    scenario="run",
    command="headwater loadtest http://h/live/a/index.m3u8",
    machine=Machine("Linux", "CPU", 2, 1 << 30, "CPython 3.11"),
    clock=ClockOffset(0, 0, "same machine"),
    phases=(PhaseSpan("run", 0, 2, ("fatal == 0",)),),
    ticks=(Tick(0, 0, 5, 5), Tick(0, 1, 5, 5)),
    verdicts=(Verdict("run", "fatal == 0", True, 0, "0"),),
)
BROKEN = replace(RESULT, verdicts=(Verdict("run", "fatal == 0", False, 3, "3"),))
DOUBTFUL = replace(RESULT, invalid=("the generator was too slow",))


def ran(monkeypatch: pytest.MonkeyPatch, result: RunResult | None, **given: Any) -> int:
    async def watched(order: object, *, quiet: bool) -> RunResult | None:
        return result

    monkeypatch.setattr(module, "_watched", watched)
    return run({"url": RESULT.url, **given}, ["http://h/live/a/index.m3u8"])


@pytest.mark.parametrize(
    ("result", "code", "said"),
    [(RESULT, 0, ""), (BROKEN, 1, "failed in phase run: fatal == 0: 3"), (DOUBTFUL, 1, "the figures do not hold: the"),
     (None, 1, "")],
)  # fmt: skip
@pytest.mark.parametrize("quiet", [True, False])
def test_exit_codes(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    result: RunResult | None,
    code: int,
    said: str,
    quiet: bool,
) -> None:
    assert ran(monkeypatch, result, quiet=quiet) == code
    out, err = capsys.readouterr()
    assert said in err
    assert bool(err) == bool(said)
    assert bool(out) == (not quiet and result is not None)


def test_http2_needs_tls(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert ran(monkeypatch, RESULT, http2=True) == 2
    assert "http2 needs an https:// address" in capsys.readouterr().err
    assert ran(monkeypatch, RESULT, http2=True, url="https://h/live/a/index.m3u8") == 0


def test_reports(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    files = {name: tmp_path / f"r.{name}" for name in ("json", "markdown", "html")}
    assert ran(monkeypatch, RESULT, **files) == 0
    assert files["json"].read_text() == to_json(RESULT)
    assert files["markdown"].read_text().startswith("# Load test of")
    assert files["html"].read_text().lower().startswith("<!doctype html>")
    assert f"written: {files['html']}" in capsys.readouterr().out


def test_two_reports_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.json").write_text(to_json(RESULT))
    assert run_compare(tmp_path / "a.json", tmp_path / "a.json") == 0
    assert "stall ratio" in capsys.readouterr().out
    (tmp_path / "b.json").write_bytes(b"\xff")
    assert run_compare(tmp_path / "a.json", tmp_path / "b.json") == 2
    (tmp_path / "b.json").write_text("{}")
    assert run_compare(tmp_path / "a.json", tmp_path / "b.json") == 2


def test_without_py_spy_it_runs_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("headwater.loadtest.scenario.profiling.find", lambda: None)
    assert ran(monkeypatch, RESULT, profile=tmp_path / "p.svg") == 0
    assert "py-spy is not installed" in capsys.readouterr().err


def test_nobody_answers(capsys: pytest.CaptureFixture[str]) -> None:
    url = f"http://127.0.0.1:{free_port()}/x.m3u8"
    assert run({"url": url, "viewers": 3, "duration_s": 1.0, "quiet": True}, [url]) == 2
    assert f"headwater loadtest: {url}: " in capsys.readouterr().err


def test_a_scenario_file_is_named_in_its_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "s.toml"
    file.write_text("phasis = 3\n")
    assert run({"scenario": file}, []) == 2
    assert capsys.readouterr().err.startswith(f"{file}: phas")


def test_too_many_viewers(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(arrivals, "MAX_VIEWERS", 1_000)
    assert run({"url": RESULT.url, "viewers": 2_000}, []) == 2
    assert "more than 1000 viewers" in capsys.readouterr().err
