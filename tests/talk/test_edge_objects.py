"""Plain objects in conversation with a scripted upstream, on a stepped clock (RFC 9111; rules 146-149, 158-163)."""

from __future__ import annotations

import pytest
from tests.edge_kit import LiveStream, Script, Viewer, make_core, statuses

from headwater.edge import objects
from headwater.edge.freshness import PRIVATE_MARK_S
from headwater.edge.message import Failure, Method, Outcome

PLAIN_HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:5\n#EXTINF:4,\na.ts\n#EXTINF:4,\nb.ts\n"


def test_rule_160_one_upstream_request_per_key() -> None:
    script = Script()
    core = make_core(script)
    viewers = [Viewer(core).get("/a?b=1&a=2" if n % 2 else "/a?a=2&b=1", 1.0) for n in range(1_000)]
    assert script.targets == ["/a?a=2&b=1"]
    script.answer("/a?a=2&b=1", 2.0, b"x", cache_control="max-age=10")
    assert {viewer.status for viewer in viewers} == {200}
    outcomes = [viewer.answer.outcome for viewer in viewers]
    assert outcomes.count(Outcome.FETCH) == 1
    assert outcomes.count(Outcome.JOIN) == 999
    assert Viewer(core).get("/a?a=2&b=1", 11.9).answer.outcome is Outcome.HIT
    assert Viewer(core).get("/a?a=2&b=1", 12.0).answers == []


def test_different_queries_are_different_objects() -> None:
    script = Script()
    core = make_core(script)
    Viewer(core).get("/a?x=1", 1.0)
    Viewer(core).get("/a?x=2", 1.0)
    assert script.targets == ["/a?x=1", "/a?x=2"]


def test_rule_161_one_who_leaves_disturbs_nobody() -> None:
    script = Script()
    core = make_core(script)
    first, second = Viewer(core).get("/a", 1.0), Viewer(core).get("/a", 1.0)
    assert first.ticket is not None
    first.ticket.cancel()
    script.answer("/a", 2.0, b"x")
    assert second.body == b"x"
    assert not first.answers


def test_the_fetch_goes_on_for_the_cache_when_all_left() -> None:
    script = Script()
    core = make_core(script)
    viewer = Viewer(core).get("/a", 1.0)
    assert viewer.ticket is not None
    viewer.ticket.cancel()
    script.answer("/a", 2.0, b"x", cache_control="max-age=10")
    assert Viewer(core).get("/a", 3.0).answer.outcome is Outcome.HIT


def test_requests_that_are_left_again_cannot_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "MAX_FLIGHTS", 50)
    script = Script()
    core = make_core(script)
    for number in range(60):
        viewer = Viewer(core).get(f"/unknown/{number}", 1.0)
        if viewer.ticket is not None:
            viewer.ticket.cancel()
    assert core.tally.held == 0
    assert len(script.targets) == 50
    assert core.tally.refused == {"flights": 10}
    refused = Viewer(core).get("/other", 1.0)
    assert refused.status == 503
    assert Viewer(core).get("/unknown/0", 1.0).answers == [], "what is on its way may still be joined"
    script.answer("/unknown/0", 2.0, b"")
    script.answer("/unknown/1", 2.0, b"")
    assert Viewer(core).get("/other", 2.0).answers == []


def test_a_range_is_no_copy() -> None:
    script = Script()
    core = make_core(script)
    Viewer(core).get("/a.mp4", 1.0)
    script.answer("/a.mp4", 2.0, bytes(1_000_000), cache_control="max-age=10")
    ranged = Viewer(core).get("/a.mp4", 3.0, range="bytes=1-")
    assert ranged.status == 206
    assert isinstance(ranged.answer.entity.body, memoryview)
    assert ranged.answer.entity.body.nbytes == 999_999


def test_what_is_not_fresh_is_shared_by_those_who_wait_and_asked_again() -> None:
    script = Script()
    core = make_core(script)
    viewers = [Viewer(core).get("/a", 1.0) for _ in range(3)]
    script.answer("/a", 1.5, b"x", cache_control="no-store")
    assert statuses(viewers) == [200] * 3
    assert not Viewer(core).get("/a", 1.6).answers
    assert len(core.store) == 0


def test_private_answers_are_fetched_for_each_and_not_queued_for() -> None:
    script = Script()
    core = make_core(script)
    viewers = [Viewer(core).get("/a", 1.0) for _ in range(3)]
    script.answer("/a", 1.5, b"first", cache_control="private")
    assert viewers[0].body == b"first"
    assert script.targets == ["/a", "/a"]
    script.answer("/a", 1.6, b"second", set_cookie="a=b")
    script.answer("/a", 1.7, b"third", cache_control="private")
    assert [viewer.body for viewer in viewers] == [b"first", b"second", b"third"]
    assert viewers[2].answer.outcome is Outcome.PASS
    Viewer(core).get("/a", 2.0)
    Viewer(core).get("/a", 2.0)
    assert script.targets == ["/a", "/a"], "hit-for-miss: nobody waits for another's answer"
    script.answer("/a", 2.1, b"x", cache_control="private")
    script.answer("/a", 2.1, b"x", cache_control="private")
    later = 3.0 + PRIVATE_MARK_S
    Viewer(core).get("/a", later)
    Viewer(core).get("/a", later)
    assert script.targets == ["/a"]


def test_a_stale_object_is_revalidated() -> None:
    script = Script()
    core = make_core(script)
    Viewer(core).get("/a", 1.0)
    script.answer("/a", 1.0, b"x", cache_control="max-age=5", etag='"v1"', last_modified="then")
    viewer = Viewer(core).get("/a", 7.0)
    request = script.answer("/a", 7.1, status=304, cache_control="max-age=9")
    assert (request.etag, request.last_modified) == ('"v1"', "then")
    assert viewer.body == b"x"
    assert viewer.answer.age == 0
    assert Viewer(core).get("/a", 16.0).answer.outcome is Outcome.HIT
    assert not Viewer(core).get("/a", 16.2).answers


def test_a_304_for_what_was_evicted_meanwhile_is_asked_again() -> None:
    script = Script()
    core = make_core(script)
    Viewer(core).get("/a", 1.0)
    script.answer("/a", 1.0, b"x", cache_control="max-age=0", etag='"v1"')
    viewer = Viewer(core).get("/a", 2.0)
    core.store.remove("/a")
    script.answer("/a", 2.1, status=304)
    request = script.answer("/a", 2.2, b"y")
    assert request.etag is None
    assert viewer.body == b"y"


def test_an_upstream_that_only_says_304_ends_in_an_error() -> None:
    script = Script()
    core = make_core(script)
    viewer = Viewer(core).get("/a", 1.0)
    while script.targets:
        script.answer("/a", 1.0, status=304)
    assert viewer.status == 503


@pytest.mark.parametrize(
    ("failure", "path", "status"),
    [
        (Failure.CONNECT, "/a.mp4", 502),
        (Failure.RESET, "/a.mp4", 502),
        (Failure.TIMEOUT, "/a.mp4", 504),
        (Failure.TOO_LARGE, "/a.mp4", 502),
        (Failure.INVALID, "/a.mp4", 502),
        (Failure.CONNECT, "/a.m3u8", 503),
        (Failure.TIMEOUT, "/a.m3u8?_HLS_msn=3", 503),
    ],
)
def test_upstream_failures_have_a_reason_and_are_kept_by_nobody(failure: Failure, path: str, status: int) -> None:
    script = Script()
    core = make_core(script)
    viewers = [Viewer(core).get(path, 1.0) for _ in range(2)]
    script.fail(path.partition("?")[0], 1.5, failure)
    assert statuses(viewers) == [status] * 2
    assert failure.reason.encode() in viewers[0].body
    assert viewers[0].header("cache-control") == "no-store"
    assert viewers[0].header("access-control-allow-origin") == "*"
    assert viewers[0].header("retry-after") == "1"
    assert not Viewer(core).get(path, 1.6).answers


@pytest.mark.parametrize(("upstream", "status"), [(500, 502), (502, 502), (503, 503), (504, 504), (599, 502)])
def test_upstream_5xx(upstream: int, status: int) -> None:
    script = Script()
    core = make_core(script)
    viewer = Viewer(core).get("/a", 1.0)
    script.answer("/a", 1.5, status=upstream, retry_after="7")
    assert viewer.status == status
    assert viewer.header("retry-after") == "7"


@pytest.mark.parametrize("text", ["soon", "-1", "99999999"])
def test_a_retry_after_that_is_no_number_becomes_one(text: str) -> None:
    script = Script()
    core = make_core(script)
    viewer = Viewer(core).get("/a", 1.0)
    script.answer("/a", 1.5, status=503, retry_after=text)
    assert viewer.header("retry-after") == "1"


def test_upstream_errors_are_passed_on_and_404_is_kept_for_a_moment() -> None:
    script = Script()
    core = make_core(script)
    viewer = Viewer(core).get("/a", 1.0)
    script.answer("/a", 1.0, b"gone fishing", status=404, content_type="text/plain")
    assert viewer.body == b"gone fishing"
    assert Viewer(core).get("/a", 1.4).answer.outcome is Outcome.HIT
    assert not Viewer(core).get("/a", 1.6).answers  # rule 149
    script.answer("/a", 1.7, status=403, cache_control="max-age=60")
    assert not Viewer(core).get("/a", 1.8).answers


def test_segments_are_served_stale_while_the_upstream_fails() -> None:
    script = Script()
    core = make_core(script)
    Viewer(core).get("/s1.m4s", 1.0)
    script.answer("/s1.m4s", 1.0, b"x", content_type="video/mp4", cache_control="max-age=5")
    viewer = Viewer(core).get("/s1.m4s", 100.0)
    script.fail("/s1.m4s", 100.1, Failure.CONNECT)
    assert viewer.body == b"x"
    assert viewer.answer.outcome is Outcome.STALE
    assert viewer.answer.age == 99


def test_other_objects_are_served_stale_only_as_their_origin_allows() -> None:
    script = Script()
    core = make_core(script)
    for path, control in (("/a", "max-age=5"), ("/b", "max-age=5, stale-if-error=60")):
        Viewer(core).get(path, 1.0)
        script.answer(path, 1.0, b"x", cache_control=control)
    one, two = Viewer(core).get("/a", 20.0), Viewer(core).get("/b", 20.0)
    script.answer("/a", 20.0, status=500)
    script.answer("/b", 20.0, status=500)
    assert (one.status, two.status) == (502, 200)


def test_rule_163_a_plain_playlist_is_stale_for_three_target_durations() -> None:
    script = Script()
    core = make_core(script)
    Viewer(core).get("/v.m3u8", 1.0)
    script.answer("/v.m3u8", 1.0, PLAIN_HLS, content_type="audio/mpegurl")
    assert Viewer(core).get("/v.m3u8", 2.9).answer.outcome is Outcome.HIT  # rule 146: half a target duration
    stale = Viewer(core).get("/v.m3u8", 12.9)
    script.fail("/v.m3u8", 12.9, Failure.CONNECT)
    late = Viewer(core).get("/v.m3u8", 13.1)
    script.fail("/v.m3u8", 13.1, Failure.CONNECT)
    assert (stale.status, late.status) == (200, 503)


def test_a_plain_playlist_ignores_directives() -> None:
    script = Script()
    core = make_core(script)
    viewer = Viewer(core).get("/v.m3u8?_HLS_msn=7&_HLS_part=1", 1.0)
    script.answer("/v.m3u8", 1.0, PLAIN_HLS, content_type="audio/mpegurl")
    assert viewer.body == PLAIN_HLS.encode()
    assert Viewer(core).get("/v.m3u8?_HLS_msn=8", 1.5).answer.outcome is Outcome.HIT
    assert core.followers == 0


def test_a_multivariant_playlist_is_a_plain_object() -> None:
    script = Script()
    core = make_core(script)
    text = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n"
    viewer = Viewer(core).get("/m.m3u8", 1.0)
    script.answer("/m.m3u8", 1.0, text, content_type="application/vnd.apple.mpegurl", cache_control="max-age=1")
    assert viewer.body == text.encode()
    assert core.followers == 0
    Viewer(core).get("/m.m3u8?x=1", 1.5)
    assert script.targets == ["/m.m3u8?x=1"], "another query may be another playlist"


def test_a_multivariant_playlist_is_stale_like_the_playlists_that_it_lists() -> None:
    stream = LiveStream()
    script = Script()
    core = make_core(script)
    Viewer(core).get("/v.m3u8", 1.0)
    script.playlist("/v.m3u8", 1.0, stream)
    Viewer(core).get("/m.m3u8", 1.0)
    text = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n"
    script.answer("/m.m3u8", 1.0, text, cache_control="max-age=0, s-maxage=2")
    for at, status in ((12.9, 200), (13.1, 503)):
        viewer = Viewer(core).get("/m.m3u8", at)
        script.fail("/m.m3u8", at, Failure.CONNECT)
        assert viewer.status == status


def test_a_multivariant_playlist_with_a_query_is_asked_for_with_it() -> None:
    script = Script()
    core = make_core(script)
    viewer = Viewer(core).get("/m.m3u8?x=1", 1.0)
    script.answer("/m.m3u8", 1.0, "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n")
    script.answer("/m.m3u8?x=1", 1.1, "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=2\nw.m3u8\n")
    assert b"BANDWIDTH=2" in viewer.body


def test_an_expired_ended_playlist_is_asked_for_again_and_still_ignores_directives() -> None:
    stream = LiveStream()
    stream.ended = True
    script = Script()
    core = make_core(script)
    for at in (1.0, 10.0):
        viewer = Viewer(core).get("/v.m3u8?_HLS_msn=999", at)
        script.playlist("/v.m3u8", at, stream)
        assert viewer.status == 200
    assert core.followers == 0


def test_a_private_playlist_is_not_followed() -> None:
    stream = LiveStream()
    script = Script()
    core = make_core(script)
    viewer = Viewer(core).get("/v.m3u8", 1.0)
    script.playlist("/v.m3u8", 1.0, stream, cache_control="private")
    assert viewer.status == 200
    assert core.followers == 0


@pytest.mark.parametrize("target", ["http://a/", "/%00", "/a/%2e%2e/b", "/a%2Fb", "nonsense"])
def test_bad_targets_are_never_forwarded(target: str) -> None:
    script = Script()
    core = make_core(script)
    viewer = Viewer(core).get(target, 1.0)
    assert viewer.status == 400
    assert script.seen == []
    assert core.tally.refused == {"target": 1}


def test_options_is_answered_for_every_path() -> None:
    script = Script()
    viewer = Viewer(make_core(script)).get("/any", 1.0, Method.OPTIONS)
    assert viewer.status == 204
    assert "Range" in (viewer.header("access-control-allow-headers") or "")
    assert "GET" in (viewer.header("access-control-allow-methods") or "")
    assert script.seen == []


def test_health_is_the_edges_own() -> None:
    script = Script()
    ready = [True]
    core = make_core(script, ready=lambda: ready[0])
    assert Viewer(core).get("/readyz", 1.0).status == 200
    ready[0] = False
    assert Viewer(core).get("/readyz", 1.0).status == 503
    assert Viewer(core).get("/healthz", 1.0).status == 200
    assert script.seen == []


def test_a_range_of_an_object_that_is_not_here_fetches_the_whole() -> None:
    script = Script()
    core = make_core(script)
    part = Viewer(core).get("/a.mp4", 1.0, range="bytes=1-2")
    whole = Viewer(core).get("/a.mp4", 1.0)
    script.answer("/a.mp4", 1.5, b"abcdef", content_type="video/mp4", cache_control="max-age=9")
    assert (part.status, part.body) == (206, b"bc")
    assert (whole.status, whole.body) == (200, b"abcdef")


def test_many_different_targets_do_not_grow_memory() -> None:
    script = Script()
    core = make_core(script, held=1)
    Viewer(core).get("/wait", 1.0)
    for number in range(20_000):
        Viewer(core).get(f"/x{number}", 1.0)
    assert len(script.seen) == 1
    assert len(core._targets) <= 8_192
    long = b"/" + b"x" * 5_000
    Viewer(core).get(long.decode(), 1.0)
    assert long not in core._targets
