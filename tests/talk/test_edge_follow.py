"""Followers in conversation with a scripted upstream, on a stepped clock (rules 80-101, 145, 158-168)."""

from __future__ import annotations

import gzip
import itertools

import pytest
from tests.edge_kit import LiveStream, Quiet, Script, Viewer, make_core, statuses

from headwater.edge.core import Core
from headwater.edge.message import Failure, Outcome, Purpose

LIST = "/live/x/v/index.m3u8"


def followed(stream: LiveStream, at: float = 100.0, **options: float) -> tuple[Script, Core]:
    """A core that follows `stream` since `at`, with its held request and its prefetches pending."""
    script = Script()
    core = make_core(script, **options)  # type: ignore[arg-type]
    viewer = Viewer(core).get(LIST, at)
    script.playlist(LIST, at, stream)
    assert viewer.status == 200
    return script, core


def held(stream: LiveStream) -> str:
    """The request that waits for the stream's next part."""
    return f"{LIST}?_HLS_msn={stream.msn}&_HLS_part={len(stream.open)}"


def finish_prefetches(script: Script, at: float) -> None:
    for request, _ in list(script.pending):
        if request.purpose is Purpose.PREFETCH:
            script.answer(request.target, at, b"media", content_type="video/mp4", cache_control="max-age=60")


def publish(script: Script, stream: LiveStream, at: float) -> None:
    """The next part is out: the held request is answered."""
    target = held(stream)
    stream.step()
    script.playlist(target, at, stream)


def test_the_first_viewer_starts_the_follower_one_held_request_ahead() -> None:
    stream = LiveStream()
    script, core = followed(stream)
    assert core.followers == 1
    assert held(stream) in script.targets
    assert f"/live/x/v/{stream.name}" in script.targets, "the hinted part is asked for before any viewer does"
    assert "/live/x/v/init.mp4" in script.targets
    assert script.targets.count(LIST) == 0


def test_a_first_request_with_directives_is_sent_to_the_follower_too() -> None:
    stream = LiveStream()
    script = Script()
    core = make_core(script)
    waiting = Viewer(core).get(f"{LIST}?_HLS_msn={stream.msn}&_HLS_part=0", 100.0)
    past = Viewer(core).get(f"{LIST}?_HLS_msn={stream.msn - 1}", 100.0)
    assert script.targets == [LIST]
    script.playlist(LIST, 100.0, stream)
    assert past.status == 200
    assert not waiting.answers
    publish(script, stream, 100.4)
    assert waiting.body == stream.text().encode()


def test_a_thousand_viewers_cost_one_upstream_request_and_wake_together() -> None:
    stream = LiveStream()
    script, core = followed(stream)
    seen = len(script.seen)
    viewers = [
        Viewer(core).get(f"{LIST}?_HLS_msn={stream.msn}&_HLS_part=0" + ("&_HLS_skip=YES" if n % 3 == 0 else ""), 100.1)
        for n in range(1_000)
    ]
    assert core.tally.held == 1_000
    assert len(script.seen) == seen
    publish(script, stream, 100.5)
    assert {viewer.status for viewer in viewers} == {200}
    assert len({id(viewer.body) for viewer in viewers}) == 1, "one body for all"
    assert {viewer.answer.outcome for viewer in viewers} == {Outcome.JOIN}
    assert core.tally.held == 0
    assert core.tally.woken == 1_000


def test_rule_145_a_woken_answer_has_age_0_and_age_counts_from_arrival() -> None:
    stream = LiveStream()
    script, core = followed(stream)
    waiting = Viewer(core).get(held(stream), 100.0)
    publish(script, stream, 103.0)
    assert waiting.answer.age == 0
    assert Viewer(core).get(LIST, 104.9).answer.age == 1
    assert Viewer(core).get(LIST, 105.0).answer.age == 2


def test_the_age_of_the_tier_above_is_added() -> None:
    stream = LiveStream()
    script = Script()
    core = make_core(script)
    viewer = Viewer(core).get(LIST, 100.0)
    script.playlist(LIST, 100.0, stream, age="3")
    assert viewer.answer.age == 3


def test_rule_82_a_part_past_the_end_of_a_closed_parent_is_the_next_parents_first() -> None:
    stream = LiveStream()
    script, core = followed(stream)
    last = stream.msn - 1
    viewers = [Viewer(core).get(f"{LIST}?_HLS_msn={last}&_HLS_part={part}", 100.0) for part in (4, 50)]
    assert not any(viewer.answers for viewer in viewers)
    publish(script, stream, 100.5)
    assert statuses(viewers) == [200, 200]


def test_a_wait_for_a_whole_segment_outlives_its_parts() -> None:
    stream = LiveStream()
    script, core = followed(stream)
    waiting = Viewer(core).get(f"{LIST}?_HLS_msn={stream.msn}", 100.0)
    for step in range(3):
        publish(script, stream, 100.5 + step / 2)
        assert not waiting.answers
    publish(script, stream, 102.0)
    assert waiting.status == 200


def test_a_viewer_of_a_part_that_closes_early_waits_for_the_next_parent() -> None:
    stream = LiveStream()
    script, core = followed(stream)
    waiting = Viewer(core).get(f"{LIST}?_HLS_msn={stream.msn}&_HLS_part=5", 100.0)
    for step in range(4):
        publish(script, stream, 100.5 + step / 2)
        assert not waiting.answers
    publish(script, stream, 103.0)
    assert waiting.status == 200


@pytest.mark.parametrize("query", ["_HLS_part=1", "_HLS_msn=x", "_HLS_msn=1&_HLS_msn=2", "_HLS_msn=999999"])
def test_rules_85_to_89_what_is_refused(query: str) -> None:
    stream = LiveStream()
    _, core = followed(stream)
    viewer = Viewer(core).get(f"{LIST}?{query}", 100.0)
    assert viewer.status == 400
    assert viewer.header("cache-control") == "no-store"  # rule 148
    assert viewer.header("access-control-allow-origin") == "*"


def test_rule_83_a_segment_that_slid_out_is_answered_with_the_current_playlist() -> None:
    stream = LiveStream(segments=40)
    _, core = followed(stream)
    assert Viewer(core).get(f"{LIST}?_HLS_msn=1", 100.0).body == stream.text().encode()


def test_rule_91_a_wait_ends_after_three_target_durations() -> None:
    stream = LiveStream()
    _, core = followed(stream)
    waiting = Viewer(core).get(held(stream), 100.0)
    core.handle_timeout(111.9)
    assert not waiting.answers
    core.handle_timeout(112.0)
    assert waiting.status == 503
    assert waiting.header("retry-after") == "1"


def test_rule_92_a_viewer_that_leaves_is_forgotten() -> None:
    stream = LiveStream()
    script, core = followed(stream)
    stays, leaves = Viewer(core).get(held(stream), 100.0), Viewer(core).get(held(stream), 100.0)
    assert leaves.ticket is not None
    leaves.ticket.cancel()
    assert core.tally.held == 1
    publish(script, stream, 100.5)
    assert stays.status == 200
    assert not leaves.answers


def test_a_viewer_may_leave_while_its_request_is_sent_round() -> None:
    stream = LiveStream()
    script = Script()
    core = make_core(script)
    viewer = Viewer(core).get(held(stream), 100.0)
    script.playlist(LIST, 100.0, stream)
    assert core.tally.held == 1
    assert viewer.ticket is not None
    viewer.ticket.cancel()
    assert core.tally.held == 0
    publish(script, stream, 100.5)
    assert not viewer.answers


def test_unknown_query_names_are_dropped_for_a_followed_playlist() -> None:
    stream = LiveStream()
    script, core = followed(stream)
    seen = len(script.seen)
    assert Viewer(core).get(f"{LIST}?nonce=5&CMCD=x", 100.0).answer.outcome is Outcome.HIT
    assert len(script.seen) == seen


def test_a_first_request_with_unknown_names_follows_the_bare_playlist() -> None:
    stream = LiveStream()
    script = Script()
    core = make_core(script)
    viewer = Viewer(core).get(f"{LIST}?nonce=5", 100.0)
    assert script.targets == [LIST]
    script.playlist(LIST, 100.0, stream)
    assert viewer.status == 200
    assert core.followers == 1


def test_a_playlist_that_needs_its_query_is_followed_with_it() -> None:
    stream = LiveStream()
    script = Script()
    core = make_core(script)
    viewer = Viewer(core).get("/p.m3u8?id=7&_HLS_msn=1", 100.0)
    script.answer("/p.m3u8", 100.0, status=404)
    script.playlist("/p.m3u8?id=7", 100.1, stream)
    assert viewer.status == 200
    assert core.followers == 1
    assert f"/p.m3u8?_HLS_msn={stream.msn}&_HLS_part=0&id=7" in script.targets


def test_cache_control_of_both_kinds_is_the_upstreams() -> None:
    stream = LiveStream()
    script = Script()
    core = make_core(script)
    plain = Viewer(core).get(LIST, 100.0)
    script.playlist(LIST, 100.0, stream, cache_control="max-age=2")
    assert plain.header("cache-control") == "max-age=2"
    late = f"{LIST}?_HLS_msn={stream.msn - 1}"
    assert Viewer(core).get(late, 100.0).header("cache-control") == "public, max-age=0, s-maxage=24"  # rule 146
    target = held(stream)
    stream.step()
    script.playlist(target, 100.5, stream, cache_control="max-age=20")
    assert Viewer(core).get(LIST, 100.5).header("cache-control") == "max-age=2"
    assert Viewer(core).get(late, 100.5).header("cache-control") == "max-age=20"
    assert Viewer(core).get(f"{LIST}?_HLS_msn=1", 100.5).header("cache-control") == "max-age=2"


def test_rule_170_gzip_and_identity_are_one_version() -> None:
    stream = LiveStream()
    script, core = followed(stream)
    plain, small = Viewer(core).get(held(stream), 100.0), Viewer(core).get(held(stream), 100.0, gzip=True)
    publish(script, stream, 100.5)
    assert gzip.decompress(small.body) == plain.body
    assert small.header("vary") == "Accept-Encoding"


def test_a_hinted_part_is_fetched_once_and_goes_to_all_who_wait() -> None:
    stream = LiveStream()
    script, core = followed(stream)
    part = f"/live/x/v/{stream.name}"
    viewers = [Viewer(core).get(part, 100.1) for _ in range(5)]
    assert script.targets.count(part) == 1
    script.answer(part, 100.5, b"bytes", content_type="video/mp4", cache_control="max-age=60")
    assert [viewer.body for viewer in viewers] == [b"bytes"] * 5
    assert viewers[0].answer.age == 0
    assert viewers[0].answer.outcome is Outcome.JOIN
    assert Viewer(core).get(part, 100.6).answer.outcome is Outcome.HIT


def test_rule_68_a_hint_that_died_is_a_404_for_at_most_one_part() -> None:
    stream = LiveStream()
    script, core = followed(stream)
    part = f"/live/x/v/{stream.name}"
    viewer = Viewer(core).get(part, 100.1)
    script.answer(part, 100.2, status=404, cache_control="max-age=3600")
    assert viewer.status == 404
    assert viewer.header("access-control-allow-origin") == "*"
    assert Viewer(core).get(part, 100.6).status == 404
    again = Viewer(core).get(part, 100.8)
    assert not again.answers, "rule 149: the name may be published yet"


def test_the_live_window_outlasts_everything_else_in_the_store() -> None:
    stream = LiveStream()
    script, core = followed(stream, cache_bytes=40_000)
    finish_prefetches(script, 100.1)
    for number in range(100):
        Viewer(core).get(f"/file{number}", 100.2)
        script.answer(f"/file{number}", 100.2, b"x" * 1_000, cache_control="max-age=60")
    assert core.store.evictions > 50
    assert Viewer(core).get("/live/x/v/init.mp4", 100.3).answer.outcome is Outcome.HIT


def test_endlist_wakes_all_and_any_directive_is_the_plain_playlist() -> None:
    stream = LiveStream()
    script, core = followed(stream)
    waiting = Viewer(core).get(f"{LIST}?_HLS_msn={stream.msn + 1}", 100.0)
    target = held(stream)
    stream.ended = True
    script.playlist(target, 100.5, stream, cache_control="max-age=60")
    assert waiting.body.endswith(b"#EXT-X-ENDLIST\n")  # rule 84
    assert core.followers == 0
    assert held(stream) not in script.targets
    for query in ("", "?_HLS_msn=5", "?_HLS_msn=99999&_HLS_part=3", "?_HLS_skip=YES"):  # rule 168
        assert Viewer(core).get(LIST + query, 101.0).body == waiting.body


def test_a_follower_stops_after_its_last_viewer_and_the_grace_time() -> None:
    stream = LiveStream()
    script, core = followed(stream, grace_s=5.0)
    finish_prefetches(script, 100.1)
    core.handle_timeout(104.9)
    assert core.followers == 1
    core.handle_timeout(105.1)
    assert core.followers == 0
    assert script.targets == [], "the held upstream request is cancelled"
    Viewer(core).get(LIST, 106.0)
    assert script.targets == [LIST]


def test_a_waiting_viewer_keeps_its_follower() -> None:
    stream = LiveStream()
    _, core = followed(stream, grace_s=5.0)
    Viewer(core).get(held(stream), 100.0)
    core.handle_timeout(107.0)
    assert core.followers == 1


def test_upstream_errors_are_survived_and_held_viewers_stay() -> None:
    stream = LiveStream()
    script, core = followed(stream)
    waiting = Viewer(core).get(held(stream), 100.0)
    script.fail(held(stream), 100.2, Failure.RESET)
    assert Viewer(core).get(LIST, 101.0).answer.outcome is Outcome.STALE
    now = 100.2
    for _ in range(4):
        now += 2.2
        core.handle_timeout(now)
        script.fail(LIST, now, Failure.CONNECT)
    assert not waiting.answers
    now += 2.2
    core.handle_timeout(now)
    stream.step()
    script.playlist(LIST, now, stream)
    assert waiting.status == 200
    assert Viewer(core).get(LIST, now).answer.outcome is Outcome.HIT
    assert held(stream) in script.targets


def test_backoff_grows_and_is_bounded() -> None:
    stream = LiveStream()
    script, core = followed(stream)
    script.fail(held(stream), 100.0, Failure.RESET)
    now, attempts = 100.0, []
    while now < 112.0:
        now += 0.05
        core.handle_timeout(now)
        Viewer(core).get(LIST, now)
        if LIST in script.targets:
            attempts.append(now)
            script.fail(LIST, now, Failure.CONNECT)
    gaps = [b - a for a, b in itertools.pairwise(attempts)]
    assert attempts[0] < 100.4
    assert gaps[0] < 0.5
    assert max(gaps) < 2.4


def test_rule_163_a_playlist_is_served_stale_for_three_target_durations_only() -> None:
    stream = LiveStream()
    script, core = followed(stream)
    script.fail(held(stream), 100.0, Failure.RESET)
    old = Viewer(core).get(LIST, 112.0)
    assert old.status == 200
    assert old.answer.age == 12
    assert Viewer(core).get(f"{LIST}?_HLS_msn={stream.msn - 1}", 112.0).status == 200
    late = Viewer(core).get(LIST, 113.1)
    assert late.status == 503
    assert late.header("retry-after") == "1"


def test_a_long_hold_is_confirmed_by_a_plain_request() -> None:
    stream = LiveStream()
    script, core = followed(stream)
    waiting = Viewer(core).get(f"{LIST}?_HLS_msn={stream.msn}", 106.0)
    target = held(stream)
    core.handle_timeout(109.1)
    assert target not in script.targets
    script.playlist(LIST, 109.2, stream)
    assert target in script.targets
    assert not waiting.answers
    assert Viewer(core).get(LIST, 112.5).answer.age == 3


def test_rule_93_an_upstream_that_does_not_block_is_not_stormed() -> None:
    stream = LiveStream()
    script, core = followed(stream)
    target = held(stream)
    asked = 0
    now = 100.0
    while now < 102.0:
        if target in script.targets:
            asked += 1
            script.playlist(target, now, stream)
        now += 0.05
        core.handle_timeout(now)
    assert asked <= 9


def test_a_restarted_stream_that_jumped_forward_is_followed() -> None:
    stream = LiveStream(first_msn=100)
    script, core = followed(stream)
    waiting = Viewer(core).get(held(stream), 100.0)
    target = held(stream)
    script.playlist(target, 101.0, LiveStream(first_msn=5_000))
    assert waiting.status == 200
    assert b"#EXT-X-MEDIA-SEQUENCE:5000" in waiting.body
    assert Viewer(core).get(f"{LIST}?_HLS_msn=200", 101.0).status == 200


def test_one_older_answer_is_not_taken_for_a_restart() -> None:
    stream = LiveStream()
    script, core = followed(stream)
    script.playlist(held(stream), 100.5, LiveStream(first_msn=90, segments=5))
    assert Viewer(core).get(LIST, 100.6).body == stream.text().encode()
    core.handle_timeout(100.7)
    publish(script, stream, 101.0)
    assert Viewer(core).get(LIST, 101.0).body == stream.text().encode()


def test_a_stream_that_really_went_back_is_followed_and_held_viewers_get_503() -> None:
    stream = LiveStream(first_msn=5_000)
    script, core = followed(stream)
    target = held(stream)
    fresh = LiveStream(first_msn=1)
    now = 100.0
    while Viewer(core).get(LIST, now).body == stream.text().encode():
        waiting = Viewer(core).get(target, now)
        if target in script.targets:
            script.playlist(target, now, fresh)
        now += 0.1
        core.handle_timeout(now)
        assert now < 110.0
    assert Viewer(core).get(LIST, now).body == fresh.text().encode()
    assert waiting.status == 503


def test_a_404_is_an_outage_first_and_the_end_later() -> None:
    stream = LiveStream()
    script, core = followed(stream)
    script.answer(held(stream), 100.5, status=404)
    now = 100.5
    while core.followers and now < 130.0:
        now += 0.1
        core.handle_timeout(now)
        viewer = Viewer(core).get(LIST, now)
        assert not core.followers or viewer.status == (200 if now <= 112.0 else 503)
        if LIST in script.targets:
            script.answer(LIST, now, status=404)
    assert 112.0 < now < 116.0
    assert Viewer(core).get(LIST, now).status == 404
    assert Viewer(core).get(LIST, now + 4.5).answers == [], "rule 147: for one target duration"


def test_a_410_ends_at_once() -> None:
    stream = LiveStream()
    script, core = followed(stream)
    waiting = Viewer(core).get(held(stream), 100.0)
    script.answer(held(stream), 100.5, status=410)
    assert waiting.status == 410
    assert core.followers == 0


def test_an_answer_that_is_no_playlist_is_an_error() -> None:
    stream = LiveStream()
    script, core = followed(stream)
    script.answer(held(stream), 100.5, "<html>", content_type="text/html")
    assert Viewer(core).get(LIST, 100.6).answer.outcome is Outcome.STALE
    core.handle_timeout(101.0)
    assert LIST in script.targets


def test_too_many_followers_are_served_as_plain_objects_that_still_hold() -> None:
    stream = LiveStream()
    script, core = followed(stream, followers=1)
    other = "/live/y/v/index.m3u8"
    plain = Viewer(core).get(other, 100.0)
    script.playlist(other, 100.0, stream, cache_control="max-age=2")
    assert plain.status == 200
    assert core.followers == 1
    blocking = [Viewer(core).get(f"{other}?_HLS_msn={stream.msn}&_HLS_part=0", 103.0) for _ in range(3)]
    script.playlist(other, 103.0, stream, cache_control="max-age=2")
    target = f"{other}?_HLS_msn={stream.msn}&_HLS_part=0"
    assert script.targets.count(target) == 1
    assert not any(viewer.answers for viewer in blocking)
    stream.step()
    script.playlist(target, 103.5, stream, cache_control="max-age=24")
    assert statuses(blocking) == [200] * 3
    assert Viewer(core).get(target, 110.0).answer.outcome is Outcome.HIT  # rule 164


def test_too_many_waiting_viewers_are_refused() -> None:
    stream = LiveStream()
    _, core = followed(stream, held=2)
    viewers = [Viewer(core).get(held(stream), 100.0) for _ in range(3)]
    assert viewers[2].status == 503
    assert core.tally.refused == {"held": 1}
    assert Viewer(core).get(LIST, 100.0).status == 200, "who need not wait is served"


def test_drain_answers_everybody_now() -> None:
    stream = LiveStream()
    _, core = followed(stream)
    viewers = [Viewer(core).get(held(stream), 100.0) for _ in range(3)]
    core.drain(100.1)
    assert [viewer.body for viewer in viewers] == [stream.text().encode()] * 3
    assert viewers[0].header("cache-control") == "no-store"  # rule 164: it is not what the URL asked for


def test_stop_ends_every_upstream_request() -> None:
    stream = LiveStream()
    script, core = followed(stream)
    Viewer(core).get("/other", 100.0)
    core.stop()
    assert script.targets == []
    assert core.tally.held == 0


def test_observers_hear_of_wakes() -> None:
    stream = LiveStream()
    script = Script()
    core = make_core(script)
    quiet = Quiet()
    core.waking, core.woke = quiet.waking, quiet.woke
    Viewer(core).get(LIST, 100.0)
    script.playlist(LIST, 100.0, stream)
    for _ in range(4):
        Viewer(core).get(held(stream), 100.0)
    publish(script, stream, 100.5)
    assert quiet.wakes == [4]


def test_nothing_depends_on_the_layout_of_urls() -> None:
    stream = LiveStream()
    script = Script()
    core = make_core(script)
    text = stream.text().replace(stream.name, f"/cdn/parts/{stream.name}?sig=b&a=1").replace("init.mp4", "../i/i.mp4")
    viewer = Viewer(core).get("/a/b/list?id=9", 100.0)
    script.answer("/a/b/list?id=9", 100.0, text, content_type="application/vnd.apple.mpegurl")
    assert viewer.body == text.encode()
    assert f"/cdn/parts/{stream.name}?a=1&sig=b" in script.targets
    assert "/a/i/i.mp4" in script.targets
    assert f"/a/b/list?_HLS_msn={stream.msn}&_HLS_part=0&id=9" in script.targets
