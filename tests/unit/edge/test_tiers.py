"""Requests over several upstreams: choice, failover, parking, hedges, on a stepped clock."""

from __future__ import annotations

import pytest
from tests.edge_kit import UNIX, Script
from tests.fill_kit import Upload

from headwater.edge.breaker import Breaker
from headwater.edge.growing import Flow
from headwater.edge.member import Member, ProbeRules
from headwater.edge.message import Failure, Purpose, UpstreamAnswer, UpstreamRequest
from headwater.edge.tiers import MAX_TRIES, PARK_S, TierRules, Tiers

NOW = 100.0
PART = "/live/x/v/p1.m4s"
LIST = "/live/x/v/index.m3u8"


class Bench:
    """Tiers over scripts; `first` and `second` in the order in which they are asked for /live/x/v/."""

    def __init__(self, count: int = 2, siblings: int = 0) -> None:
        self.scripts = [Script() for _ in range(count)]
        members = [
            Member(i, "abcdef"[i], script, Breaker(3, 2.0), sibling=i < siblings)
            for i, script in enumerate(self.scripts)
        ]
        self.tiers = Tiers(members, TierRules("me", ProbeRules("", 2.0, 2.0), 30.0, 1.25), NOW)
        self.answers: list[UpstreamAnswer] = []
        self.members = self.tiers._homes.order("/live/x/v/", NOW, siblings=True)
        self.order = [self.scripts[member.index] for member in self.members]

    @property
    def first(self) -> Script:
        return self.order[0]

    @property
    def second(self) -> Script:
        return self.order[1]

    def ask(self, target: str = PART, purpose: Purpose = Purpose.OBJECT, **fields: object) -> None:
        self.cancel = self.tiers.fetch(UpstreamRequest(target, purpose, **fields), self.answers.append)  # type: ignore[arg-type]

    @property
    def answer(self) -> UpstreamAnswer:
        assert len(self.answers) == 1
        return self.answers[0]

    def counts(self, index: int) -> tuple[int, int, int]:
        counts = self.members[index].counts
        return counts.failovers, counts.hedges, counts.hedges_won


def test_a_good_answer_is_passed_on_with_its_source() -> None:
    bench = Bench()
    bench.ask()
    bench.first.answer(PART, NOW, b"x", 200)
    assert (bench.answer.body, bench.answer.source) == (b"x", bench.members[0].name)
    assert not bench.second.seen


@pytest.mark.parametrize("failure", [Failure.CONNECT, Failure.RESET, Failure.TIMEOUT, Failure.INVALID, Failure.BUSY])
def test_what_one_fails_the_next_is_asked_for(failure: Failure) -> None:
    bench = Bench()
    bench.ask()
    bench.first.fail(PART, NOW, failure)
    bench.second.answer(PART, NOW, b"x", 200)
    assert bench.answer.status == 200
    assert bench.counts(0) == (1, 0, 0)


@pytest.mark.parametrize(
    ("status", "asked"), [(500, 1), (503, 1), (508, 1), (404, 1), (200, 0), (403, 0), (410, 0), (304, 0)]
)
def test_which_statuses_are_asked_of_another(status: int, asked: int) -> None:
    bench = Bench()
    bench.ask()
    bench.first.answer(PART, NOW, status=status)
    assert len(bench.second.seen) == asked


def test_when_all_fail_the_answer_that_says_most_is_given() -> None:
    bench = Bench(3)
    bench.ask()
    bench.order[0].answer(PART, NOW, status=404)
    bench.order[1].answer(PART, NOW, status=500)
    bench.order[2].fail(PART, NOW, Failure.CONNECT)
    assert bench.answer.status == 404


def test_one_request_is_tried_a_bounded_number_of_times() -> None:
    bench = Bench(6)
    bench.ask()
    for script in bench.order:
        if script.pending:
            script.fail(PART, NOW, Failure.RESET)
    assert sum(len(script.seen) for script in bench.order) == MAX_TRIES
    assert bench.answer.failure is Failure.RESET


def test_too_large_is_too_large_everywhere() -> None:
    bench = Bench()
    bench.ask()
    bench.first.fail(PART, NOW, Failure.TOO_LARGE)
    assert bench.answer.failure is Failure.TOO_LARGE


def test_a_held_playlist_request_that_fails_goes_back_to_its_follower() -> None:
    bench = Bench()
    bench.ask(f"{LIST}?_HLS_msn=5&_HLS_part=0", Purpose.PLAYLIST)
    bench.first.fail(f"{LIST}?_HLS_msn=5&_HLS_part=0", NOW, Failure.RESET)
    assert bench.answer.failure is Failure.RESET
    assert not bench.second.seen


def test_the_source_is_asked_while_it_is_well_and_the_one_to_avoid_never() -> None:
    bench = Bench()
    bench.ask(LIST, Purpose.PLAYLIST, source=bench.members[1].name)
    assert bench.second.targets == [LIST] and not bench.first.seen
    bench.ask(LIST, Purpose.PLAYLIST, avoid=bench.members[0].name)
    assert len(bench.second.seen) == 2 and not bench.first.seen
    alone = Bench(1)
    alone.ask(LIST, Purpose.PLAYLIST, avoid="a")
    assert not alone.first.seen


def test_a_part_is_asked_of_those_that_name_it() -> None:
    bench = Bench()
    bench.tiers.names([PART], bench.members[1].name)
    bench.ask()
    assert not bench.first.seen
    bench.second.answer(PART, NOW, status=404)
    assert bench.answer.status == 404
    assert not bench.first.seen


def test_a_part_whose_only_namer_is_gone_waits_until_another_names_it() -> None:
    bench = Bench()
    bench.tiers.names([PART], bench.members[0].name)
    bench.ask()
    bench.first.fail(PART, NOW, Failure.CONNECT)
    bench.tiers.handle_timeout(NOW + 0.1)
    assert not bench.answers and not bench.second.seen
    bench.tiers.names([PART], bench.members[1].name)
    bench.tiers.handle_timeout(NOW + 0.15)
    bench.second.answer(PART, NOW + 0.2, b"x", 200)
    assert bench.answer.body == b"x"


def test_a_part_that_broke_off_is_asked_again_of_its_namer() -> None:
    bench = Bench()
    bench.tiers.names([PART], bench.members[0].name)
    bench.ask()
    bench.first.fail(PART, NOW, Failure.RESET)
    bench.tiers.handle_timeout(NOW + 0.1)
    assert not bench.first.pending
    bench.tiers.handle_timeout(NOW + 0.3)
    bench.first.answer(PART, NOW + 0.4, b"x", 200)
    assert bench.answer.body == b"x"


def test_a_part_that_nobody_comes_to_name_fails_in_time() -> None:
    bench = Bench()
    bench.tiers.names([PART], bench.members[0].name)
    bench.members[0].breaker.failed(NOW, absent=True)
    bench.ask()
    assert not bench.first.seen and not bench.second.seen
    bench.tiers.handle_timeout(NOW + 1.9)
    assert not bench.answers
    bench.members[0].breaker.failed(NOW + 1.9, absent=True)
    bench.tiers.handle_timeout(NOW + PARK_S)
    assert bench.answer.failure is Failure.ORPHAN


def test_an_overdue_request_is_asked_of_another_and_the_first_good_answer_wins() -> None:
    bench = Bench()
    bench.ask(purpose=Purpose.PREFETCH, hedge_s=0.8)
    bench.tiers.handle_timeout(NOW + 0.75)
    assert not bench.second.seen
    bench.tiers.handle_timeout(NOW + 0.85)
    assert len(bench.second.seen) == 1
    bench.tiers.handle_timeout(NOW + 5)
    assert len(bench.second.seen) == 1, "once"
    bench.second.answer(PART, NOW + 5, b"x", 200)
    assert bench.answer.source == bench.members[1].name
    assert not bench.first.pending, "the other one is given up"
    assert bench.counts(1) == (0, 1, 1)


def test_a_hedge_that_is_refused_does_not_end_the_request() -> None:
    bench = Bench()
    bench.ask(purpose=Purpose.PREFETCH, hedge_s=0.5)
    bench.tiers.handle_timeout(NOW + 1)
    bench.second.answer(PART, NOW + 1, status=404)
    assert not bench.answers
    bench.first.answer(PART, NOW + 2, b"x", 200)
    assert bench.answer.body == b"x"
    assert bench.counts(1) == (0, 1, 0)


def test_what_is_under_way_at_an_upstream_that_went_down_is_asked_elsewhere() -> None:
    bench = Bench()
    bench.ask()
    bench.members[0].breaker.failed(NOW, absent=True)
    bench.tiers.handle_timeout(NOW + 0.1)
    assert bench.second.targets == [PART]
    assert [notice.event for notice in bench.tiers.notices] == ["upstream-down"]


def test_a_stream_that_stands_still_is_asked_elsewhere_and_counts_as_gone() -> None:
    bench = Bench()
    name = bench.members[0].name
    assert not bench.tiers.gone(LIST, name, NOW)
    bench.tiers.stands_still(LIST, name, NOW)
    assert bench.tiers.gone(LIST, name, NOW)
    bench.ask()
    assert bench.second.targets == [PART]
    assert bench.members[0].counts.frozen == 1


def test_whoever_takes_a_stream_over_is_its_home() -> None:
    bench = Bench()
    bench.tiers.taken_over(LIST, bench.members[1].name, NOW, None, changed=True)
    bench.ask()
    assert bench.second.targets == [PART]
    assert (bench.members[1].counts.taken_over, bench.members[1].counts.taken_over_changed) == (1, 1)


def test_when_nobody_is_well_the_best_is_asked_all_the_same() -> None:
    bench = Bench()
    for member in bench.members:
        member.breaker.failed(NOW, absent=True)
    bench.ask()
    bench.first.answer(PART, NOW, b"x", 200)
    assert bench.answer.body == b"x"


def test_cancelling_ends_everything() -> None:
    bench = Bench()
    bench.ask(purpose=Purpose.PREFETCH, hedge_s=0.1)
    bench.tiers.handle_timeout(NOW + 1)
    bench.cancel()
    bench.cancel()
    assert not bench.first.pending and not bench.second.pending
    bench.ask()
    bench.tiers.stop()
    assert not bench.first.pending
    assert not bench.answers


def test_one_upstream_alone_is_asked_once_whatever_is_known_of_it() -> None:
    bench = Bench(1)
    bench.members[0].breaker.failed(NOW, absent=True)
    bench.tiers.names([PART], "a")
    bench.ask(hedge_s=0.1)
    bench.tiers.handle_timeout(NOW + 5)
    assert not bench.tiers.gone(LIST, "a", NOW)
    bench.first.fail(PART, NOW + 5, Failure.CONNECT)
    assert bench.answer.failure is Failure.CONNECT
    assert len(bench.first.seen) == 1


def test_what_an_edge_asks_goes_to_parents() -> None:
    bench = Bench(3, siblings=2)
    for n in range(20):
        bench.ask(f"/live/{n}/p.m4s", loop="headwater-1")
    assert not bench.scripts[0].seen and not bench.scripts[1].seen
    assert {request.loop for request in bench.scripts[2].seen} == {"headwater-1"}


class Taker:
    """`message.Arriving` that takes every head."""

    def __init__(self) -> None:
        self.sources: list[str] = []
        self.got = b""

    def head(self, answer: UpstreamAnswer, length: int | None, flow: Flow) -> bool:
        self.sources.append(answer.source)
        return True

    def piece(self, data: bytes, at: float) -> None:
        self.got += data


def test_the_first_head_is_the_answer_and_the_other_upstream_is_left() -> None:
    bench, taker = Bench(), Taker()
    bench.ask(arriving=taker, hedge_s=0.5)
    bench.tiers.handle_timeout(NOW + 1)
    late = Upload(*bench.first.take(PART), UpstreamAnswer(NOW + 1, UNIX, 200), 6, offer=False)
    upload = Upload(*bench.second.take(PART), UpstreamAnswer(NOW + 1, UNIX, 200), 6)
    upload.piece(b"abc", NOW + 1)
    assert not late.offer()
    upload.piece(b"def", NOW + 1).end(NOW + 2)
    assert (taker.got, taker.sources) == (b"abcdef", [bench.members[1].name])
    assert (bench.answer.status, bench.answer.source) == (200, bench.members[1].name)
    assert (bench.counts(0), bench.counts(1)) == ((0, 0, 0), (0, 1, 1))


def test_what_breaks_off_behind_its_head_is_the_cores_business() -> None:
    bench, taker = Bench(), Taker()
    bench.ask(arriving=taker, hedge_s=0.5)
    upload = Upload(*bench.first.take(PART), UpstreamAnswer(NOW, UNIX, 200), 6).piece(b"abc", NOW)
    bench.tiers.handle_timeout(NOW + 1)
    assert not bench.second.seen, "a body that comes is not overdue"
    upload.fail(NOW + 1, Failure.TIMEOUT)
    assert (bench.answer.failure, bench.answer.source) == (Failure.TIMEOUT, bench.members[0].name)
    assert bench.members[0].counts.requests == {"timeout": 1}
    assert not bench.second.seen


def test_nothing_is_taken_after_a_cancel() -> None:
    bench, taker = Bench(), Taker()
    bench.ask(arriving=taker)
    upload = Upload(*bench.first.take(PART), UpstreamAnswer(NOW, UNIX, 200), 6, offer=False)
    bench.cancel()
    assert not upload.offer()
    assert not taker.sources
