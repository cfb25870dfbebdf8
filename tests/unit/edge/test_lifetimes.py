"""Lifetimes and sharing on a stepped clock: targeted fields, Vary, hit-for-miss (RFC 9111, RFC 9213)."""

from __future__ import annotations

from typing import Any

import pytest
from tests.edge_kit import LiveStream, Script, Viewer, make_core, statuses

from headwater.edge import marks
from headwater.edge.freshness import PRIVATE_MARK_S, Why
from headwater.edge.marks import HitForMiss, Marks
from headwater.edge.message import Outcome
from headwater.edge.overrides import Policy


def test_rfc_9213_a_targeted_field_stands_for_cache_control_and_expires() -> None:
    script = Script()
    core = make_core(script)
    first = Viewer(core).get("/a", 1.0)
    script.answer("/a", 1.0, b"x", cache_control="private, no-store", expires="0", cdn_cache_control="max-age=60")
    assert first.header("Cache-Control") == "private, no-store", "for the viewer"
    assert first.header("CDN-Cache-Control") == "max-age=60", "for caches after us"
    hit = Viewer(core).get("/a", 60.9)
    assert hit.answer.outcome is Outcome.HIT
    assert not Viewer(core).get("/a", 61.1).answers


def test_surrogate_control_is_obeyed_and_passed_to_nobody() -> None:
    script = Script()
    core = make_core(script)
    first = Viewer(core).get("/a", 1.0)
    script.answer("/a", 1.0, b"x", cache_control="max-age=0", surrogate_control='max-age=60+30, content="ESI/1.0"')
    assert first.header("Surrogate-Control") is None
    assert first.header("Cache-Control") == "max-age=0"
    assert Viewer(core).get("/a", 60.0).answer.outcome is Outcome.HIT
    late = Viewer(core).get("/a", 80.0)
    script.answer("/a", 80.0, status=503)
    assert late.answer.outcome is Outcome.STALE
    later = Viewer(core).get("/a", 95.0)
    script.answer("/a", 95.0, status=503)
    assert later.status == 503


def test_a_304_without_the_targeted_field_is_judged_by_the_stored_one() -> None:
    script = Script()
    core = make_core(script)
    fields: dict[str, Any] = {"cache_control": "max-age=0", "etag": '"1"'}
    Viewer(core).get("/a", 1.0)
    script.answer("/a", 1.0, b"x", surrogate_control="max-age=60", **fields)
    Viewer(core).get("/a", 62.0)
    script.answer("/a", 62.0, status=304, **fields)
    assert Viewer(core).get("/a", 121.0).answer.outcome is Outcome.HIT
    Viewer(core).get("/a", 123.0)
    script.answer("/a", 123.0, status=304, surrogate_control="max-age=5", **fields)
    assert not Viewer(core).get("/a", 129.0).answers


def test_a_live_playlist_that_is_private_to_browsers_alone_is_followed() -> None:
    script, stream = Script(), LiveStream()
    core = make_core(script)
    viewers = [Viewer(core).get("/v/index.m3u8", 1.0) for _ in range(3)]
    script.playlist("/v/index.m3u8", 1.0, stream, cache_control="private", surrogate_control="max-age=2")
    assert statuses(viewers) == [200] * 3
    assert core.followers == 1
    assert viewers[0].header("Cache-Control") == "private"


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"cache_control": "private, max-age=60"}, Why.PRIVATE),
        ({"cache_control": "max-age=60", "set_cookie": "a=b"}, Why.COOKIE),
        ({"cache_control": "max-age=60", "vary": "*"}, Why.VARY),
        ({"cache_control": "max-age=60", "vary": "Accept-Encoding, Accept-Language"}, Why.VARY),
        ({"cache_control": "max-age=60", "surrogate_control": "private"}, Why.PRIVATE),
    ],
)
def test_hit_for_miss_nobody_waits_for_another_once_answers_are_known_to_be_for_one(
    fields: dict[str, str], why: Why
) -> None:
    script = Script()
    core = make_core(script)
    first, second = Viewer(core).get("/a", 1.0), Viewer(core).get("/a", 1.0)
    script.answer("/a", 1.5, b"1", 200, **fields)
    assert first.body == b"1"
    assert not second.answers
    assert core.alone.counts == {**dict.fromkeys(Why, 0), why: 1}
    others = [Viewer(core).get("/a", 2.0) for _ in range(3)]
    assert script.targets == ["/a"] * 4, "each at once, none behind another"
    for number in range(4):
        script.answer("/a", 2.5, b"%d" % (number + 2), 200, **fields)
    assert [viewer.body for viewer in (second, *others)] == [b"2", b"3", b"4", b"5"]
    assert {viewer.answer.outcome for viewer in (second, *others)} == {Outcome.PASS}
    assert core.alone.counts[why] == 1, "the same mark goes on"
    assert len(core.store) == 0
    core.handle_timeout(2.6 + PRIVATE_MARK_S)
    assert len(core.alone) == 0
    joined = [Viewer(core).get("/a", 2.6 + PRIVATE_MARK_S) for _ in range(2)]
    assert script.targets == ["/a"], "then it is tried again"
    script.answer("/a", 13.0, b"for all", cache_control="max-age=60")
    assert [viewer.body for viewer in joined] == [b"for all"] * 2


def test_an_answer_that_may_be_shared_ends_the_mark() -> None:
    script = Script()
    core = make_core(script)
    Viewer(core).get("/a", 1.0)
    script.answer("/a", 1.0, b"1", cache_control="private")
    Viewer(core).get("/a", 2.0)
    script.answer("/a", 2.0, b"2", cache_control="no-cache")
    viewers = [Viewer(core).get("/a", 3.0) for _ in range(3)]
    assert script.targets == ["/a"]
    script.answer("/a", 3.0, b"3", cache_control="no-cache")
    assert [viewer.body for viewer in viewers] == [b"3"] * 3


def test_the_mark_lasts_as_long_as_is_set() -> None:
    script = Script()
    core = make_core(script, policy=Policy(mark_s=2.0))
    Viewer(core).get("/a", 1.0)
    script.answer("/a", 1.0, b"1", cache_control="private")
    for _ in range(2):
        Viewer(core).get("/a", 2.9)
    assert script.targets == ["/a", "/a"]
    for _ in range(2):
        Viewer(core).get("/a", 3.1)
    assert script.targets == ["/a", "/a", "/a"], "a flight that others may join, besides the two of before"


@pytest.mark.parametrize(
    ("status", "fields"),
    [(200, {"cache_control": "no-store"}), (503, {}), (404, {"cache_control": "no-store"}), (403, {}), (302, {})],
)
def test_rule_160_what_is_kept_by_nobody_still_answers_all_who_wait_at_once(
    status: int, fields: dict[str, str]
) -> None:
    """No mark, and no queue either: a crowd costs one request per round trip and nobody waits for two."""
    script = Script()
    core = make_core(script)
    for at in (1.0, 2.0, 3.0):
        viewers = [Viewer(core).get("/a", at) for _ in range(50)]
        assert script.targets == ["/a"]
        script.answer("/a", at + 0.5, b"x", status, **fields)
        assert {len(viewer.answers) for viewer in viewers} == {1}
    assert len(core.alone) == 0
    assert len(core.store) == 0


def test_marks_are_bounded_and_the_oldest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marks, "MAX_MARKS", 3)
    kept = Marks()
    for number in range(5):
        kept.set(f"/{number}", 10.0)
    kept.set("/2", 10.0)
    kept.set("/5", 10.0)
    assert [number for number in range(6) if kept.has(f"/{number}", 1.0)] == [2, 4, 5]
    kept.forget(lambda key: key == "/4")
    assert not kept.has("/4", 1.0)
    assert not kept.has("/5", 10.0)
    kept.expire(10.0)
    assert len(kept) == 0


def test_marks_count_urls_by_why() -> None:
    kept = HitForMiss(10.0)
    kept.judged("/a", Why.COOKIE, 1.0)
    kept.judged("/a", Why.PRIVATE, 5.0)
    kept.judged("/b", Why.PRIVATE, 5.0)
    kept.judged("/b", None, 6.0)
    assert kept.counts == {Why.COOKIE: 1, Why.PRIVATE: 1, Why.VARY: 0}
    assert kept.has("/a", 14.9) and not kept.has("/b", 6.0)
