"""Chaos steps: words for tc, and what cannot be meant."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from headwater.loadtest.scenario.steps import ChaosStep, Netem, Run, Signal


def step(**values: object) -> object:
    return TypeAdapter(ChaosStep).validate_python({"at_s": 1, **values})


def test_netem_as_tc_wants_it() -> None:
    found = step(do="netem", interface="eth0", delay_ms=50, jitter_ms=5.5, loss_percent=0.1, rate_kbit=8_000)
    assert isinstance(found, Netem)
    assert found.words == ("delay", "50ms", "5.5ms", "loss", "0.1%", "rate", "8000kbit")
    assert found.what == "netem eth0 delay 50ms 5.5ms loss 0.1% rate 8000kbit"


def test_the_others() -> None:
    command, signal = step(do="run", command=("a", "b")), step(do="pause", pid_file="/run/x.pid", for_s=3)
    assert isinstance(command, Run)
    assert command.what == "run a b"
    assert isinstance(signal, Signal)
    assert signal.what == "pause /run/x.pid"


@pytest.mark.parametrize(
    "values",
    [
        {"do": "netem", "interface": "eth0"},
        {"do": "netem", "interface": "eth0", "jitter_ms": 3, "loss_percent": 1},
        {"do": "netem", "interface": "-h", "delay_ms": 3},
        {"do": "netem", "interface": "a b", "delay_ms": 3},
        {"do": "kill", "pid_file": "x", "for_s": 3},
        {"do": "run", "command": ()},
        {"do": "dance"},
    ],
)
def test_what_cannot_be_meant(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        step(**values)
