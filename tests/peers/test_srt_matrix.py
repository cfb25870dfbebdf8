"""SRT from real callers over bad networks: every byte arrives, as it does at srt-live-transmit or better.

`make test` runs a part of the product of callers, key lengths and networks that has every caller on every network;
`make srt-matrix` runs all of it.
"""

from __future__ import annotations

import asyncio

import pytest
import uvloop
from tests.profile import WHOLE

from .srtmatrix import ALL, CALLERS, COVER, KEYS
from .srtrun import CUT, Outcome, refusals, run_cases

pytestmark = [pytest.mark.peer, pytest.mark.alone, pytest.mark.timeout(1_200)]

CASES = ALL if WHOLE else COVER
AT_ONCE = 13
"""Cases at once, each with its twin. Why: two cores carry that many callers, networks and receivers in real time."""
BUSY_S = 0.1
"""A network that stands still for longer is another one than the case says."""
ATTEMPTS = 3
"""Of cases that lost something on a busy machine; what is lost on an idle one is never tried again."""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """All cases, some at a time."""
    folder = tmp_path_factory.mktemp("srt")

    async def run() -> dict[str, Outcome]:
        found: dict[str, Outcome] = {}
        waiting = list(CASES)
        for _ in range(ATTEMPTS):
            for start in range(0, len(waiting), AT_ONCE):
                found |= await run_cases(waiting[start : start + AT_ONCE], folder)
            waiting = [case for case in waiting if _says_nothing(found[case.name])]
        return found

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run())


def _says_nothing(outcome: Outcome) -> bool:
    """Something was lost while the machine had no time for the network and the receiver."""
    return outcome.ours.missing > 0 and outcome.lag_s > BUSY_S


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def outcome(request: pytest.FixtureRequest, outcomes: dict[str, Outcome]) -> Outcome:
    """One case's outcome."""
    return outcomes[request.param.name]


def test_every_byte_arrives(outcome: Outcome) -> None:
    ours, reference = outcome.ours, outcome.reference
    assert ours.missing == 0, (ours.missing, reference.missing, ours.stats, ours.network, ours.log[-2_000:])
    assert len(ours.data) == CUT
    assert ours.data == outcome.expected, "the bytes are there, but not as they were sent"
    assert ours.missing <= reference.missing


def test_the_network_was_as_bad_as_it_should_be(outcome: Outcome) -> None:
    network = outcome.case.network
    # With much loss some callers never come to an agreement with the reference: then nothing was sent to it.
    connected = [outcome.reference] if outcome.reference.data else []
    for arrived in (outcome.ours, *connected):
        there = arrived.network["there"]
        assert there.taken > CUT / 1_456
        assert there.lost == pytest.approx(there.taken * network.loss, rel=0.8, abs=8)
        assert there.reordered == pytest.approx(there.taken * network.reorder, rel=0.6, abs=8)
        assert there.duplicated == pytest.approx(there.taken * network.duplicate, rel=0.6, abs=8)
        assert there.overflow == arrived.network["back"].overflow == 0


def test_what_is_measured_of_the_session(outcome: Outcome) -> None:
    case, stats = outcome.case, outcome.ours.stats
    assert stats is not None
    assert stats.latency_s == case.network.latency_ms / 1_000
    assert stats.encrypted == bool(case.key_bytes)
    assert stats.undecryptable == stats.dropped == 0
    assert case.network.rtt_ms <= stats.rtt_s * 1_000 < case.network.rtt_ms * 1.5 + 60
    if case.network.loss:
        assert stats.lost > 0 and stats.retransmitted > 0 and stats.naks > 0
    if case.network.duplicate:
        assert stats.duplicate + stats.belated > 0


REASONS = {"wrong": "Incorrect passphrase", "missing": "Password required or unexpected"}
"""What libsrt prints for BADSECRET and UNSECURE."""


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str, int, str], str]:
    """What callers print that are turned away, by (receiver, caller, key length, fault)."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(refusals(tmp_path_factory.mktemp("refused")))


@pytest.mark.parametrize("fault", ["wrong", "missing", "unexpected"])
@pytest.mark.parametrize("key_bytes", KEYS[1:])
@pytest.mark.parametrize("caller", CALLERS)
def test_the_caller_sees_why(
    refused: dict[tuple[str, str, int, str], str], caller: str, key_bytes: int, fault: str
) -> None:
    said = {at: refused[at, caller, key_bytes, fault] for at in ("ours", "reference")}
    for text in said.values():
        assert REASONS["wrong" if fault == "wrong" else "missing"] in text


def test_the_whole_is_covered() -> None:
    assert {(case.caller, case.network.name) for case in COVER} == {(case.caller, case.network.name) for case in ALL}
    assert {(case.caller, case.key_bytes) for case in COVER} == {(case.caller, case.key_bytes) for case in ALL}


def test_cases_have_names_of_their_own() -> None:
    assert len({case.name for case in ALL}) == len(ALL)
