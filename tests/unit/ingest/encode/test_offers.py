"""What players are offered."""

from __future__ import annotations

from dataclasses import replace

from tests.ladder_kit import HIGH, LOW, PLAN, SOURCE

from headwater.ingest.encode.offers import Offers
from headwater.ingest.media import Offered, Rendition

RUNGS = (HIGH, LOW)


def all_but(*missing: Rendition):  # type: ignore[no-untyped-def]
    return lambda rung: rung not in missing


def test_everything_is_offered_and_nothing_is_said() -> None:
    assert Offers().update(PLAN, RUNGS, all_but(), regular=True) == []


def test_a_rung_that_is_away_is_not_offered_until_it_is_back() -> None:
    offers = Offers()
    assert offers.update(PLAN, RUNGS, all_but(HIGH), regular=True) == [Offered(HIGH, False)]
    assert offers.update(PLAN, RUNGS, all_but(HIGH), regular=True) == []
    assert offers.update(PLAN, RUNGS, all_but(), regular=True) == [Offered(HIGH, True)]


def test_a_source_whose_segments_begin_anywhere_is_not_offered_while_there_are_rungs() -> None:
    offers = Offers()
    assert offers.update(PLAN, RUNGS, all_but(), regular=False) == [Offered(SOURCE, False)]
    assert offers.update(PLAN, RUNGS, all_but(HIGH, LOW), regular=False) == [
        Offered(HIGH, False),
        Offered(LOW, False),
        Offered(SOURCE, True),
    ]


def test_a_source_that_is_not_to_be_listed_comes_only_when_there_is_nothing_else() -> None:
    offers = Offers()
    plan = replace(PLAN, list_source=False)
    assert offers.update(plan, RUNGS, all_but(), regular=True) == [Offered(SOURCE, False)]
    assert offers.update(plan, (), all_but(), regular=True) == [Offered(SOURCE, True)]


def test_without_video_rungs_the_source_is_left_alone() -> None:
    plan = replace(PLAN, video=(), list_source=True)
    assert Offers().update(plan, (), all_but(), regular=False) == []
