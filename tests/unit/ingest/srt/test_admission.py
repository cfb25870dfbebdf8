"""Allowances, counts, and remembered answers."""

from __future__ import annotations

import pytest

from headwater.ingest.srt.admission import Admission, Allowances, InductionGate, SettledAnswers, Standing
from headwater.ingest.srt.errors import HandshakeRefused, RejectCode
from headwater.ingest.srt.limits import ALLOWANCES, SETTLED_ENTRIES, SETTLED_S, Limits

HOME, AWAY = ("192.0.2.1", 4000), ("192.0.2.2", 4000)


def test_the_gate_counts_per_second() -> None:
    gate = InductionGate(Limits(inductions_per_s=5, inductions_per_address_per_s=3), bytes(32))
    assert [gate.admit(HOME, 1.0) for _ in range(4)] == [True, True, True, False]
    assert [gate.admit(AWAY, 1.5) for _ in range(3)] == [True, True, False]
    assert gate.admit(HOME, 2.0)


def test_allowances_run_out_come_back_and_go_into_debt() -> None:
    allowances = Allowances(Limits(allowance=10, allowance_per_s=1))
    assert [allowances.take("a", 5, 0.0) for _ in range(4)] == [
        Standing.GOOD, Standing.GOOD, Standing.SPENT, Standing.SILENT,
    ]  # fmt: skip
    assert allowances.take("b", 5, 0.0) is Standing.GOOD
    assert allowances.take("a", 1, 0.4) is Standing.SILENT
    assert allowances.take("a", 1, 3.0) is Standing.GOOD
    assert allowances.take("a", 1, 1000.0) is Standing.GOOD
    assert allowances._left["a"][0] == 9, "never more than full"


def test_allowances_are_bounded() -> None:
    allowances = Allowances(Limits())
    for number in range(ALLOWANCES + 10):
        allowances.take(str(number), 1, 0.0)
    assert len(allowances._left) == ALLOWANCES
    assert "0" not in allowances._left


def test_settled_answers_expire_and_are_bounded() -> None:
    settled = SettledAnswers()
    settled.put((HOME, 1), b"answer", 0.0)
    found = settled.get((HOME, 1), SETTLED_S - 0.1)
    assert found is not None
    assert found.answer == b"answer"
    assert settled.get((HOME, 2), 1.0) is None
    assert settled.get((AWAY, 1), 1.0) is None
    assert settled.get((HOME, 1), SETTLED_S) is None
    assert not settled._entries
    for number in range(SETTLED_ENTRIES + 5):
        settled.put((HOME, number), b"", 1.0)
    assert len(settled._entries) == SETTLED_ENTRIES


def test_places_are_taken_and_given_back() -> None:
    admission = Admission(Limits(sessions=3, sessions_per_address=2, half_open=2, half_open_per_address=1))
    admission.enter(HOME)
    with pytest.raises(HandshakeRefused) as caught:
        admission.enter(HOME)
    assert caught.value.code is RejectCode.OVERLOAD
    admission.answered(HOME)
    admission.enter(HOME)
    admission.answered(HOME)
    with pytest.raises(HandshakeRefused):
        admission.enter(HOME)
    admission.enter(AWAY)
    with pytest.raises(HandshakeRefused) as caught:
        admission.enter(("192.0.2.3", 1))
    assert caught.value.code is RejectCode.RESOURCE
    admission.answered(AWAY)
    for address in (HOME, HOME, AWAY):
        admission.leave(address)
    assert not admission._open
    assert not admission._waiting
    assert (admission._open_total, admission._waiting_total) == (0, 0)


def test_the_backlog() -> None:
    admission = Admission(Limits(half_open=1))
    admission.enter(HOME)
    with pytest.raises(HandshakeRefused) as caught:
        admission.enter(AWAY)
    assert caught.value.code is RejectCode.BACKLOG


def test_rejections_cost_more() -> None:
    admission = Admission(Limits(allowance=10, allowance_per_s=0))
    admission.ask(HOME, 0.0)
    admission.punish(HOME, 0.0)
    admission.punish(HOME, 0.0)
    admission.punish(HOME, 0.0)
    assert admission.ask(HOME, 0.0) is not Standing.GOOD
    assert admission.ask(AWAY, 0.0) is Standing.GOOD
