"""Looking at the others while news is overdue."""

from __future__ import annotations

from tests.edge_kit import UNIX, LiveStream, OnePath, Script

from headwater.edge.message import UpstreamAnswer, UpstreamRequest
from headwater.edge.scout import Scout
from headwater.edge.succession import Succession

KEY = "/live/x/v/index.m3u8"


class Two(OnePath):
    """There is another upstream."""

    several = True


def scouting(stream: LiveStream) -> tuple[Script, Scout, list[UpstreamAnswer]]:
    script, passed = Script(), list[UpstreamAnswer]()
    first = UpstreamAnswer(100.0, UNIX, 200, (), stream.text().encode(), source="a")
    return script, Scout(KEY, script, Succession(KEY, Two(), first, stream.model), "", passed.append), passed


def test_nobody_is_looked_at_while_news_comes_in_time() -> None:
    script, scout, _ = scouting(LiveStream())
    scout.look(100.5)
    assert not script.seen


def test_the_others_are_asked_plainly_once_a_second_one_request_at_a_time() -> None:
    stream = LiveStream()
    script, scout, passed = scouting(stream)
    for tick in range(60):
        scout.look(101.0 + tick / 20)
        if script.pending and tick % 7 == 6:
            script.playlist(KEY, 101.0 + tick / 20, stream)
    assert len(script.seen) == 3
    assert script.seen[0] == UpstreamRequest(KEY, script.seen[0].purpose, avoid="a")
    assert not passed


def test_whoever_has_more_of_the_same_is_passed_on() -> None:
    stream = LiveStream()
    script, scout, passed = scouting(stream)
    scout.look(101.0)
    script.answer(KEY, 101.0, status=404)
    scout.look(102.0)
    stream.step()
    script.playlist(KEY, 102.0, stream)
    assert len(passed) == 1


def test_stopping_ends_the_request() -> None:
    script, scout, _ = scouting(LiveStream())
    scout.look(101.0)
    scout.stop()
    scout.stop()
    assert not script.pending
