"""What is asked of tc. A tc of the test's own writes down its words: the real one changes the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from headwater.loadtest.scenario import netem as module
from headwater.loadtest.scenario.netem import Shaper, impossible
from headwater.loadtest.scenario.steps import Netem

SLOW = Netem(do="netem", at_s=0, interface="veth9", delay_ms=50)


@pytest.fixture
def tc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of its words; a file `fail` beside makes it fail."""
    program = tmp_path / "tc"
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/words\nif [ -e {tmp_path}/fail ]; then cat {tmp_path}/fail; exit 2; fi\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(module, "impossible", lambda: None)
    return tmp_path / "words"


def said(words: Path) -> list[str]:
    return words.read_text().splitlines()


async def test_put_change_take(tc: Path) -> None:
    shaper = Shaper()
    assert await shaper.put(SLOW) == ""
    assert await shaper.put(SLOW) == ""
    assert shaper.shaped == ("veth9",)
    assert await shaper.take("veth9") == ""
    assert await shaper.take("veth9") == ""
    assert not shaper.shaped
    assert said(tc) == [
        "qdisc add dev veth9 root netem delay 50ms",
        "qdisc replace dev veth9 root netem delay 50ms",
        "qdisc del dev veth9 root netem",
    ]


async def test_somebody_elses_queue_stays(tc: Path) -> None:
    tc.with_name("fail").write_text("Error: Exclusivity flag on, cannot modify.\n")
    shaper = Shaper()
    assert await shaper.put(SLOW) == "exit code 2: Error: Exclusivity flag on, cannot modify."
    assert not shaper.shaped


async def test_a_kernel_without_netem(tc: Path) -> None:
    tc.with_name("fail").write_text("Error: Specified qdisc kind is unknown.\n")
    assert (await Shaper().put(SLOW)).endswith("(this kernel has no sch_netem)")


def test_without_tc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "package iproute2" in (impossible() or "")


@pytest.mark.parametrize(("capabilities", "possible"), [("000001ffffffffff", True), ("0000000000000000", False)])
def test_the_capability(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tc: Path, capabilities: str, possible: bool
) -> None:
    status = f"Name:\tx\nCapPrm:\t0000000000000000\nCapEff:\t{capabilities}\n"
    monkeypatch.setattr(Path, "read_text", lambda self: status)
    assert (impossible() is None) is possible
