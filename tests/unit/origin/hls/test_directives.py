"""Rules 80 to 101: what a playlist request asks for, and whether it is served, held or refused."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qsl

import pytest

from headwater.origin.hls.directives import Directives, Position, Reject, Serve, Skip, Wait, decide, parse, query

LIVE = Position(
    last_msn=100, last_part_count=4, open_parts=2, target_duration=4, part_target=0.5, ended=False, can_skip=True
)
NO_PARTS = replace(LIVE, part_target=None, last_part_count=0, open_parts=0)
ENDED = replace(LIVE, ended=True)


@pytest.mark.parametrize(
    ("rule", "at", "msn", "part", "outcome"),
    [
        (95, LIVE, None, None, "serve"),
        (80, LIVE, 100, None, "serve"),
        (80, LIVE, 101, None, (101, None)),
        (80, LIVE, 102, None, (102, None)),
        (81, LIVE, 101, 1, "serve"),
        (81, LIVE, 101, 2, (101, 2)),
        (81, LIVE, 102, 0, (102, 0)),
        (81, LIVE, 100, 3, "serve"),
        (82, LIVE, 100, 4, "serve"),  # is (101, 0), which is listed
        (82, LIVE, 100, 50, "serve"),
        (82, replace(LIVE, open_parts=0), 100, 4, (101, 0)),
        (82, replace(LIVE, open_parts=0), 100, 50, (101, 0)),
        (82, LIVE, 99, 50, "serve"),
        (83, LIVE, 1, None, "serve"),
        (83, LIVE, 1, 7, "serve"),
        (84, ENDED, 101, 0, "serve"),
        (84, ENDED, 1_000, None, "serve"),
        (86, LIVE, 103, None, 400),
        (86, LIVE, 103, 0, 400),
        (87, LIVE, 101, 7, (101, 7)),  # the last listed is 1; the limit is 3 / 0.5 = 6
        (87, LIVE, 101, 8, 400),
        (87, replace(LIVE, open_parts=0), 101, 5, (101, 5)),
        (87, replace(LIVE, open_parts=0), 101, 6, 400),
        (87, replace(LIVE, part_target=1 / 3), 101, 10, (101, 10)),  # 9
        (87, replace(LIVE, part_target=1 / 3), 101, 11, 400),
        (87, replace(LIVE, part_target=1.5), 101, 4, (101, 4)),  # 3
        (87, replace(LIVE, part_target=1.5), 101, 5, 400),
        (87, LIVE, 102, 50, (102, 50)),  # lenient where the parent is not open yet
        (87, LIVE, 102, 2**60, (102, 1_000)),  # bounded: no segment has so many
        (94, NO_PARTS, 101, 0, (101, None)),
        (94, NO_PARTS, 100, 9, "serve"),
        (96, LIVE, 101, 1, "serve"),  # what a rendition report says
        (97, LIVE, 101, 3, (101, 3)),
        (98, LIVE, 102, 3, (102, 3)),
    ],
)
def test_decides(rule: int, at: Position, msn: int | None, part: int | None, outcome: object) -> None:
    decision = decide(Directives(msn, part), at)
    if outcome == "serve":
        assert decision == Serve(delta=False)
    elif isinstance(outcome, tuple):
        assert isinstance(decision, Wait)
        assert (decision.msn, decision.part) == outcome
        assert decision.timeout_s == 12  # rule 91
    else:
        assert isinstance(decision, Reject)
        assert decision.status == outcome


def test_a_part_past_the_end_of_the_open_parent_waits_on_when_it_closes() -> None:
    """Rule 82: M closes with fewer parts than were asked for."""
    assert isinstance(decide(Directives(101, 5), LIVE), Wait)
    closed = replace(LIVE, last_msn=101, last_part_count=4, open_parts=0)
    assert decide(Directives(101, 5), closed) == Wait(102, 0, 12.0, False)
    assert decide(Directives(101, 5), replace(closed, open_parts=1)) == Serve(False)


@pytest.mark.parametrize("skip", [Skip.YES, Skip.V2])
def test_delta_only_where_it_is_offered(skip: Skip) -> None:
    """Rule 102."""
    assert decide(Directives(skip=skip), LIVE) == Serve(True)
    assert decide(Directives(skip=skip), ENDED) == Serve(False)
    assert decide(Directives(skip=skip), replace(LIVE, can_skip=False)) == Serve(False)
    waiting = decide(Directives(101, 2, skip), LIVE)
    assert isinstance(waiting, Wait)
    assert waiting.delta


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ([], Directives()),
        ([("_HLS_msn", "7")], Directives(7)),
        ([("_HLS_msn", "007"), ("_HLS_part", "0")], Directives(7, 0)),
        ([("_HLS_part", "1"), ("_HLS_msn", "7"), ("_HLS_skip", "YES")], Directives(7, 1, Skip.YES)),
        ([("_HLS_skip", "v2")], Directives(skip=Skip.V2)),
        ([("_HLS_skip", "NO")], Directives()),  # rule 108
        ([("_HLS_skip", "v3")], Directives()),
        ([("_HLS_unknown", "x"), ("token", "y")], Directives()),  # rule 90
        ([("_HLS_msn", "7"), ("_HLS_msn", "7")], Directives(7)),
        ([("_HLS_msn", str(2**64 - 1))], Directives(2**64 - 1)),
    ],
)
def test_parses(query: list[tuple[str, str]], expected: Directives) -> None:
    assert parse(query) == expected


@pytest.mark.parametrize(
    ("msn", "part", "expected"),
    [(None, None, ""), (None, 3, ""), (7, None, "_HLS_msn=7"), (0, 0, "_HLS_msn=0&_HLS_part=0")],
)
def test_what_asks_for_a_position(msn: int | None, part: int | None, expected: str) -> None:
    assert query(msn, part) == expected
    assert parse(parse_qsl(expected)) == Directives(msn, None if msn is None else part)


@pytest.mark.parametrize(
    "query",
    [
        [("_HLS_part", "1")],  # rule 85
        [("_HLS_msn", "")],  # rule 89 from here on
        [("_HLS_msn", "-1")],
        [("_HLS_msn", "+1")],
        [("_HLS_msn", " 1")],
        [("_HLS_msn", "1.0")],
        [("_HLS_msn", "0x1")],
        [("_HLS_msn", "１")],
        [("_HLS_msn", "²")],
        [("_HLS_msn", str(2**64))],
        [("_HLS_msn", "1" * 21)],
        [("_HLS_msn", "0" * 100_000)],
        [("_HLS_msn", "1"), ("_HLS_part", "x")],
        [("_HLS_msn", "1"), ("_HLS_msn", "2")],
        [("_HLS_msn", "1"), ("_HLS_part", "1"), ("_HLS_part", "2")],
        [("_HLS_skip", "YES"), ("_HLS_skip", "v2")],
    ],
)
def test_refuses(query: list[tuple[str, str]]) -> None:
    answer = parse(query)
    assert isinstance(answer, Reject)
    assert answer.status == 400
