from __future__ import annotations

import dataclasses

from tests.results_kit import CLOCK, MACHINE

from headwater.loadtest.results import RunResult, Verdict

QUIET = RunResult("http://x", 1.0, 2.0, "s", "c", MACHINE, CLOCK, (), ())


def test_a_run_fails_by_a_broken_invariant_or_by_being_invalid() -> None:
    kept, lost = Verdict("a", "fatal == 0", ok=True, measured=0, shown="0"), Verdict("a", "x", False, None, "–")
    assert not QUIET.failed
    assert not dataclasses.replace(QUIET, verdicts=(kept,)).failed
    assert dataclasses.replace(QUIET, verdicts=(kept, lost)).failed
    assert dataclasses.replace(QUIET, verdicts=(kept,), invalid=("too busy",)).failed
