"""The phases of the chain, from looks and reports that are given."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from headwater.loadtest.bench.chainreport import (
    Look,
    NodeLook,
    Phase,
    PlayerLook,
    ended,
    mostly_asked,
    not_low_latency,
    players_in,
    report,
    requests_per_part,
    viewers_in,
)
from headwater.loadtest.records import ClockOffset, Count, Tick
from headwater.loadtest.results.model import Machine, RunResult

CALM, BLOW = Phase("calm", 1_000.0, 1_020.0), Phase("the shield is killed", 1_020.0, 1_040.5)
STARTED = 980.25
"""Of the load: its seconds are not ours."""


def player(
    time: float,
    *,
    stalls: int = 0,
    stalled_s: float = 0.0,
    state: str = "playing",
    loaded: tuple[int, int] = (0, 0),
    latency: float | None = None,
) -> PlayerLook:
    """`loaded`: blocking reloads and parts."""
    return PlayerLook(state, time, stalls, stalled_s, 0, frozenset(), *loaded, latency)


def seen(*errors: Mapping[str, object], reloads: int = 0) -> PlayerLook:
    """As a page tells it."""
    page = {"state": "stalled", "time": 4.5, "stalls": 2, "stalledMs": 1_500, "stallingMs": 250.5, "reloads": reloads}
    return PlayerLook.of({**page, "errors": errors, "blocking": 12, "parts": 34, "latency": 3.25})


def result(ticks: Mapping[int, Mapping[Count, int]], errors: Mapping[str, int] | None = None) -> RunResult:
    """`errors`: of each of its seconds."""
    made = tuple(Tick(0, second, 500, 500, counts, errors or {}) for second, counts in ticks.items())
    machine = Machine("Linux", "x", 2, 1, "3.11")
    return RunResult("http://leaf", STARTED, 90, "chain", "", machine, ClockOffset(0, 0, "given"), (), made)


def test_a_page_is_read_with_the_stall_that_lasts() -> None:
    fatal = {"at": 70, "kind": "networkError", "detail": "levelLoadError", "fatal": True}
    mild = {"at": 60, "kind": "mediaError", "detail": "bufferStalledError", "fatal": False}
    found = seen(mild, fatal, reloads=1)
    assert found.stalled_s == pytest.approx(1.7505)
    fatal_errors = frozenset({(70, "levelLoadError")})
    assert found == PlayerLook("stalled", 4.5, 2, found.stalled_s, 1, fatal_errors, 12, 34, 3.25)


def test_a_phase_is_what_was_added_from_border_to_border() -> None:
    looks = [
        Look(1_000.0, (player(10, stalls=1, stalled_s=0.5), player(10))),
        Look(1_010.0, (player(20, stalls=1, stalled_s=0.5), player(20))),
        Look(1_020.0, (player(29, stalls=2, stalled_s=1.5), player(30))),
        Look(1_040.5, (player(45, stalls=2, stalled_s=1.75), player(47, stalls=3, stalled_s=3.0))),
    ]
    calm, blow = players_in(CALM, looks), players_in(BLOW, looks)
    assert (calm.stalled, calm.stalls, calm.stalled_s, calm.worst_s) == (1, 1, 1.0, 1.0)
    # The first player's stall went on over the border: no new one, but seconds of it.
    assert (blow.stalled, blow.stalls, blow.stalled_s, blow.worst_s) == (2, 3, 3.25, 3.0)
    with pytest.raises(ValueError, match="nobody looked"):
        players_in(Phase("later", 1_041.0, 1_050.0), looks)
    with pytest.raises(ValueError, match="nobody looked"):
        players_in(Phase("earlier", 990.0, 1_010.0), looks)


def test_a_fatal_error_counts_once_though_pages_forget_it() -> None:
    def error(at: int) -> dict[str, object]:
        return {"at": at, "kind": "networkError", "detail": "levelLoadError", "fatal": True}

    looks = [
        Look(1_000.0, (seen(), seen(error(5)))),
        Look(1_015.0, (seen(error(900)), seen(error(5)))),
        Look(1_020.0, (seen(error(900)), seen(error(5)))),
        Look(1_030.0, (seen(error(900), error(1_900), reloads=1), seen(error(5), error(900)))),
        Look(1_040.5, (seen(reloads=2), seen())),
    ]
    assert players_in(CALM, looks).fatal == ("levelLoadError",)
    blow = players_in(BLOW, looks)
    assert (blow.fatal, blow.reloads) == (("levelLoadError", "levelLoadError"), 2)


def test_who_is_not_seen_to_move_has_ended() -> None:
    looks = [
        Look(1_030.0, (player(1), player(5), player(9), player(3, state="reconnecting"))),
        Look(1_050.0, (player(2), player(5), player(9, state="stalled"), player(0, state="reconnecting"))),
        Look(1_052.0, (player(4), player(5), player(11, state="stalled"), player(0, state="connecting"))),
        # A source that was loaded anew begins at another time.
        Look(1_054.0, (player(4, state="stalled"), player(5), player(11, state="failed"), player(1))),
    ]
    assert ended(looks, 1_049.0) == {1: "playing", 2: "failed"}
    assert ended(looks[:3], 1_049.0) == {1: "playing", 2: "stalled", 3: "connecting"}
    assert ended(looks, 1_054.0) == {0: "stalled", 1: "playing", 2: "failed", 3: "playing"}, "one look shows nothing"
    with pytest.raises(ValueError, match="nobody looked"):
        ended(looks, 1_055.0)


def test_who_loads_no_part_or_has_no_held_playlist_in_a_phase_is_named() -> None:
    looks = [
        Look(1_000.0, (player(1, loaded=(5, 7)), player(1, loaded=(9, 9)), player(1, loaded=(4, 4)))),
        Look(1_020.0, (player(2, loaded=(25, 27)), player(2, loaded=(9, 29)), player(2, loaded=(24, 4)))),
        Look(1_040.5, (player(3, loaded=(26, 27)), player(3, loaded=(10, 30)), player(3, loaded=(25, 5)))),
    ]
    assert not_low_latency(CALM, looks) == [1, 2]
    assert not_low_latency(BLOW, looks) == [0]
    calm = players_in(CALM, looks)
    assert (calm.blocking, calm.parts) == ((20, 0, 20), (20, 20, 0))


def test_latency_is_that_of_the_phase_s_end() -> None:
    looks = [
        Look(1_000.0, (player(1, latency=9.0), player(1, latency=9.5), player(1))),
        Look(1_020.0, (player(2, latency=4.5), player(2, latency=3.5), player(2))),
    ]
    assert players_in(CALM, looks).latencies == (3.5, 4.5)


def test_scripted_viewers_are_counted_by_the_clock_of_their_own_run() -> None:
    # Seconds of the run that the phases begin in: 19 (999.25 to 1,000.25) and 39, whole ones of them.
    runs = [
        result({18: {Count.STALLS: 9}, 19: {Count.STALLS: 2, Count.STALLED_US: 750_000}, 39: {Count.FATAL: 1}}),
        result({38: {Count.STALLS: 1}, 40: {Count.STALLS: 5, Count.FATAL: 2}}, {"reset part": 2}),
    ]
    calm, blow = viewers_in(CALM, runs), viewers_in(BLOW, runs)
    assert (calm.viewers, calm.stalls, calm.stalled_s, calm.gave_up, calm.errors) == (
        1_000,
        3,
        0.75,
        0,
        {"reset part": 2},
    )
    assert (blow.viewers, blow.stalls, blow.gave_up, blow.errors) == (1_000, 5, 3, {"reset part": 2})


def border(at: float, parts: float, **requests: float) -> Look:
    nodes = {name: NodeLook(count, {"shield": count, "origin": 20}) for name, count in requests.items()}
    seconds = round(at)
    players = (
        player(at, loaded=(seconds, 2 * seconds), latency=3.0),
        player(at + 1, loaded=(3 * seconds, seconds), latency=4.0),
    )
    return Look(at, players, nodes, parts, {"all": 2 * at, "players": at / 2})


def test_requests_are_told_per_part_also_over_a_restart() -> None:
    before, after = border(1_000, 100, leaf=50, shield=400), border(1_020, 180, leaf=210, shield=120)
    assert requests_per_part("leaf", before, after) == 2.0
    assert requests_per_part("shield", before, after) == 1.5, "it has begun anew"
    assert requests_per_part("other", before, after) is None
    assert requests_per_part("leaf", before, border(1_020, 100, leaf=60)) is None
    assert requests_per_part("shield", border(1_000, 100, leaf=50), after) == 1.5, "it was away"


def test_whoever_gets_most_requests_is_named() -> None:
    before = Look(1_000, (), {"leaf": NodeLook(0, {"shield": 500, "origin": 80})})
    after = Look(1_020, (), {"leaf": NodeLook(0, {"shield": 510, "origin": 95, "new": 12})})
    assert mostly_asked("leaf", before, after) == "origin"
    assert mostly_asked("leaf", Look(1_000, ()), after) == "shield", "it has started since"
    assert mostly_asked("shield", before, after) == "-"


def test_the_report_has_a_line_per_phase_in_each_table() -> None:
    looks = [
        border(1_000, 100, leaf=50, shield=40),
        Look(1_011, (player(20), player(20))),
        border(1_020, 180, leaf=210, shield=120),
        border(1_040, 220, leaf=250),
    ]
    counts = {25: {Count.STALLS: 3, Count.STALLED_US: 5_000_000}, 45: {Count.FATAL: 1, Count.CONNECTIONS: 40}}
    runs = [result(counts, {"reset part": 2})]
    lines = report([CALM, BLOW], looks, runs, ["leaf", "shield"])
    assert lines[2:4] == [
        "| calm | 0 | 0 | 0.0 / 0.0 | 0 | 0 | 20 / 20 | 4.0 / 4.0 |",
        "| the shield is killed | 0 | 0 | 0.0 / 0.0 | 0 | 0 | 20 / 20 | 4.0 / 4.0 |",
    ]
    assert lines[7:9] == [
        "| calm | 500 | 3 | 0.01 | 0 | 0 | 2 reset part |",
        "| the shield is killed | 500 | 0 | 0.00 | 1 | 40 | 2 reset part |",
    ]
    assert lines[10].endswith("| cores in use: all / players |")
    assert lines[12:] == [
        "| calm | 2.00 / 1.00 | shield / shield | 2.00 / 0.50 |",
        "| the shield is killed | 1.00 / - | shield / - | 2.00 / 0.50 |",
    ]


def test_of_players_without_a_picture_no_latency_is_told() -> None:
    looks = [Look(1_000.0, (player(0),), {"leaf": NodeLook(0, {})}), Look(1_020.0, (player(0),))]
    assert report([CALM], looks, [result({})], [])[2].endswith("| 0 / 0 | - |")
