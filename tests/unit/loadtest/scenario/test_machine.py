"""The machine in the report."""

from __future__ import annotations

from headwater.loadtest.scenario.machine import this_machine


def test_it_says_what_it_is() -> None:
    machine = this_machine()
    assert machine.system
    assert machine.processor
    assert machine.cores >= 1
    assert machine.memory_bytes > 1 << 20
    assert machine.python.startswith("CPython 3.")
