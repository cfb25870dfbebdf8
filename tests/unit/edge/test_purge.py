"""Purges on a stepped clock: by URL, prefix and stream, hard and soft; what is on its way, what is followed."""

from __future__ import annotations

import pytest
from tests.edge_kit import LiveStream, Script, Viewer, make_core

from headwater.edge.core import Core
from headwater.edge.gate import Gate
from headwater.edge.message import Failure, Outcome
from headwater.edge.purge import BadOrder, Order, Purged, What, read_order, scope_of

LIST = "/live/x/v/index.m3u8"
MASTER = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv/index.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=2\n/other/w.m3u8\n"
VOD = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n/far/s1.ts\n#EXTINF:4,\ns2.ts\n#EXT-X-ENDLIST\n"
TYPE = "application/vnd.apple.mpegurl"


def purge(core: Core, now: float, *, soft: bool = False, **named: str) -> Purged:
    return core.purge(read_order({**named, "soft": soft}), now)[1]


def filled(script: Script, *keys: str, lifetime: int = 60) -> Core:
    core = make_core(script)
    fill(script, core, *keys, lifetime=lifetime)
    return core


def fill(script: Script, core: Core, *keys: str, lifetime: int = 60) -> None:
    for key in keys:
        Viewer(core).get(key, 1.0)
        script.answer(key, 1.0, key, 200, cache_control=f"max-age={lifetime}", etag='"1"')


def kept(core: Core, *keys: str) -> list[str]:
    return [key for key in keys if core.store.peek(key) is not None]


def test_a_url_with_every_query_of_it() -> None:
    keys = ("/a/b.jpg", "/a/b.jpg?x=1", "/a/b.jpg?y=2", "/a/b", "/a/b.jpg/c")
    script = Script()
    core = filled(script, *keys)
    assert purge(core, 2.0, url="https://edge.example/a/b.jpg") == Purged(objects=3)
    assert kept(core, *keys) == ["/a/b", "/a/b.jpg/c"]
    assert core.purges.orders == {What.URL: 1, What.PREFIX: 0, What.STREAM: 0}
    assert core.purges.found[What.URL] == 3


def test_a_url_with_a_query_is_that_one_alone() -> None:
    script = Script()
    keys = ("/a.jpg", "/a.jpg?x=1", "/a.jpg?x=2")
    core = filled(script, *keys)
    assert purge(core, 2.0, url="/a.jpg?CMCD=bl%3D1&x=1").objects == 1, "in its canonical form"
    assert kept(core, *keys) == ["/a.jpg", "/a.jpg?x=2"]


def test_a_url_has_its_ranges_and_positions() -> None:
    script = Script()
    core = filled(script, "/v.mp4?k=1")
    for key in ("/v.mp4?_HLS_msn=3&k=1", "/v.mp4?k=1#bytes=0-9"):
        core.store.put(key, core.store.peek("/v.mp4?k=1"))  # type: ignore[arg-type]
    assert purge(core, 2.0, url="/v.mp4?k=1").objects == 3


def test_below_a_prefix() -> None:
    script = Script()
    keys = ("/live/x/a", "/live/x/v/b", "/live/xy/c", "/live/y")
    core = filled(script, *keys)
    assert purge(core, 2.0, prefix="/live/x/").objects == 2
    assert kept(core, *keys) == ["/live/xy/c", "/live/y"]
    assert purge(core, 2.0, prefix="/live").objects == 2
    assert len(core.store) == 0
    assert core.store.bytes == 0


def test_soft_makes_stale_and_keeps_for_a_304_and_for_an_upstream_that_fails() -> None:
    script = Script()
    core = filled(script, "/a.m4s", "/b.m4s")
    assert purge(core, 2.0, prefix="/", soft=True).objects == 2
    viewers = [Viewer(core).get("/a.m4s", 3.0), Viewer(core).get("/b.m4s", 3.0)]
    request = script.answer("/a.m4s", 3.1, status=304)
    assert request.etag == '"1"'
    assert viewers[0].body == b"/a.m4s"
    script.fail("/b.m4s", 3.1, Failure.CONNECT)
    assert viewers[1].answer.outcome is Outcome.STALE
    assert Viewer(core).get("/a.m4s", 30.0).answer.outcome is Outcome.HIT, "a 304 gives it its lifetime again"
    core.handle_timeout(50.0)
    assert kept(core, "/b.m4s") == ["/b.m4s"], "what was old before is not swept out at once"


def test_hard_removes() -> None:
    script = Script()
    core = filled(script, "/a.m4s")
    purge(core, 2.0, url="/a.m4s")
    viewer = Viewer(core).get("/a.m4s", 3.0)
    request, _ = script.pending[0]
    assert request.etag is None
    script.fail("/a.m4s", 3.1, Failure.CONNECT)
    assert viewer.status == 502


@pytest.mark.parametrize("soft", [False, True])
def test_what_is_on_its_way_is_given_to_who_waits_and_not_kept_and_nobody_joins_it(soft: bool) -> None:
    script = Script()
    core = make_core(script)
    before = Viewer(core).get("/a.m4s", 1.0)
    assert purge(core, 2.0, url="/a.m4s", soft=soft) == Purged(flights=1)
    after = Viewer(core).get("/a.m4s", 2.1)
    assert script.targets == ["/a.m4s", "/a.m4s"]
    done = script.take("/a.m4s")[1]
    script.answer("/a.m4s", 2.2, b"new", 200, cache_control="max-age=60")
    assert after.body == b"new"
    script.pending.append((script.seen[0], done))
    script.answer("/a.m4s", 2.3, b"old", 200, cache_control="max-age=60")
    assert before.body == b"old"
    assert Viewer(core).get("/a.m4s", 2.4).body == b"new", "the one from before the purge came last"
    assert core.tally.held == 0


def test_a_revalidation_under_way_confirms_nothing() -> None:
    script = Script()
    core = filled(script, "/a.m4s", lifetime=1)
    viewer = Viewer(core).get("/a.m4s", 5.0)
    purge(core, 5.1, url="/a.m4s", soft=True)
    script.answer("/a.m4s", 5.2, status=304, cache_control="max-age=60")
    assert not viewer.answers
    script.answer("/a.m4s", 5.3, b"new", 200, cache_control="max-age=60")
    assert viewer.body == b"new"


def test_a_fetch_for_one_viewer_alone_is_not_kept_either() -> None:
    script = Script()
    core = make_core(script)
    Viewer(core).get("/a.m4s", 1.0)
    script.answer("/a.m4s", 1.0, b"1", 200, cache_control="private")
    viewer = Viewer(core).get("/a.m4s", 1.5)
    assert purge(core, 2.0, url="/a.m4s").flights == 1
    script.answer("/a.m4s", 2.5, b"2", 200, cache_control="max-age=60")
    assert viewer.body == b"2"
    assert len(core.store) == 0
    assert len(core.alone) == 0


def test_a_range_on_its_way_is_not_kept() -> None:
    script = Script()
    core = make_core(script)
    Viewer(core).get("/a.mp4", 1.0)
    script.fail("/a.mp4", 1.0, Failure.TOO_LARGE)
    viewer = Viewer(core).get("/a.mp4", 1.0, range="bytes=0-3")
    script.fail("/a.mp4", 1.0, Failure.TOO_LARGE) if script.pending[0][0].range is None else None
    assert purge(core, 2.0, url="/a.mp4").flights == 1
    script.answer("/a.mp4", 2.5, b"0123", 206, cache_control="max-age=60", content_range="bytes 0-3/9")
    assert viewer.body == b"0123"
    assert len(core.store) == 0


def watched(script: Script, stream: LiveStream) -> Core:
    """A core that follows `stream`, with a part and a segment of it."""
    core = make_core(script)
    Viewer(core).get(LIST, 100.0)
    script.playlist(LIST, 100.0, stream)
    for request, _ in list(script.pending):
        if "_HLS_" not in request.target:
            script.answer(request.target, 100.0, b"x", 200, content_type="video/mp4", cache_control="max-age=60")
    return core


def held(stream: LiveStream) -> str:
    return f"{LIST}?_HLS_msn={stream.msn}&_HLS_part={len(stream.open)}"


def test_a_followed_playlist_is_asked_for_anew_and_its_other_text_counts() -> None:
    script, stream = Script(), LiveStream()
    core = watched(script, stream)
    waiting = Viewer(core).get(held(stream), 100.5)
    assert purge(core, 101.0, url=LIST).followers == 1
    assert script.targets == [LIST], "the held request was given up"
    script.answer(LIST, 101.1, stream.text() + "#EXT-X-MENDED\n", 200, content_type=TYPE)
    assert not waiting.answers
    assert b"MENDED" in Viewer(core).get(LIST, 101.2).body
    core.handle_timeout(101.3)
    assert script.targets == [held(stream)]
    target = held(stream)
    stream.step()
    script.playlist(target, 101.5, stream)
    assert waiting.status == 200


def test_a_live_playlist_that_was_on_its_way_is_followed_and_asked_for_anew() -> None:
    script, stream = Script(), LiveStream()
    core = make_core(script)
    viewer = Viewer(core).get(LIST, 1.0)
    assert purge(core, 1.1, url=LIST).flights == 1
    script.playlist(LIST, 1.2, stream)
    assert viewer.status == 200
    assert LIST in script.targets
    script.answer(LIST, 1.3, stream.text() + "#EXT-X-MENDED\n", 200, content_type=TYPE)
    assert b"MENDED" in Viewer(core).get(LIST, 1.4).body


def test_numbers_never_go_back_by_a_purge() -> None:
    script, stream = Script(), LiveStream()
    core = watched(script, stream)
    old = stream.text()
    before = held(stream)
    stream.step()
    script.playlist(before, 100.2, stream)
    newest = Viewer(core).get(LIST, 100.3).body
    purge(core, 100.4, stream=LIST)
    script.answer(LIST, 100.5, old, 200, content_type=TYPE)  # a cache between is behind
    assert Viewer(core).get(LIST, 100.6).body == newest
    core.handle_timeout(101.2)
    assert held(stream) in script.targets or LIST in script.targets


def test_a_purge_while_the_upstream_is_away_leaves_viewers_what_rule_163_allows() -> None:
    script, stream = Script(), LiveStream()
    core = watched(script, stream)
    purge(core, 101.0, url=LIST)
    script.fail(LIST, 101.1, Failure.CONNECT)
    assert Viewer(core).get(LIST, 102.0).answer.outcome is Outcome.STALE
    assert Viewer(core).get(LIST, 113.0).status == 503
    core.handle_timeout(113.0)
    script.answer(LIST, 113.1, stream.text() + "#EXT-X-MENDED\n", 200, content_type=TYPE)
    assert b"MENDED" in Viewer(core).get(LIST, 113.2).body, "the purge still counts"


def test_a_stream_is_its_folder_and_all_that_its_playlists_name() -> None:
    script, stream = Script(), LiveStream()
    core = watched(script, stream)
    Viewer(core).get("/live/x/index.m3u8", 100.0)
    script.answer("/live/x/index.m3u8", 100.0, MASTER, 200, content_type=TYPE, cache_control="max-age=60")
    Viewer(core).get("/other/w.m3u8", 100.0)
    script.answer("/other/w.m3u8", 100.0, VOD, 200, content_type=TYPE, cache_control="max-age=60")
    others = ("/far/s1.ts", "/other/s2.ts", "/other/s3.ts", "/live/y/s1.ts", "/live/x/poster.jpg")
    for key in others:
        Viewer(core).get(key, 100.0)
        script.answer(key, 100.0, b"x", 200, cache_control="max-age=60")
    there = len(core.store)
    purged = purge(core, 101.0, stream="/live/x/index.m3u8")
    assert kept(core, *others) == ["/other/s3.ts", "/live/y/s1.ts"]
    assert len(core.store) == 2
    assert purged == Purged(objects=there - 2, followers=1)


def test_a_stream_at_the_root_is_what_its_playlists_name_and_no_more() -> None:
    script = Script()
    core = filled(script, "/s2.ts", "/far/s1.ts", "/mine.jpg")
    Viewer(core).get("/vod.m3u8", 1.0)
    script.answer("/vod.m3u8", 1.0, VOD, 200, content_type=TYPE, cache_control="max-age=60")
    assert purge(core, 2.0, stream="/vod.m3u8").objects == 3
    assert kept(core, "/mine.jpg") == ["/mine.jpg"]


def test_a_url_may_be_pasted_with_its_playback_token() -> None:
    script = Script()
    core = filled(script, "/live/x/a.m4s", "/live/x/b.m4s")
    core.gate = Gate((), core.tally)
    assert purge(core, 2.0, url="https://e.example/t/h1.k.abc.def/live/x/a.m4s").objects == 1
    assert purge(core, 2.0, prefix="/t/h1.k.abc.def/live/x/").objects == 1


def test_a_purge_costs_what_it_finds() -> None:
    script = Script()
    core = make_core(script)
    entity = None
    fill(script, core, "/one")
    entity = core.store.peek("/one")
    assert entity is not None
    for folder in range(100):
        for number in range(20):
            core.store.put(f"/live/{folder}/s{number}.m4s", entity)
    looked: list[str] = []
    original = core.store.peek
    core.store.peek = lambda key: looked.append(key) or original(key)  # type: ignore[func-returns-value,method-assign]
    assert purge(core, 2.0, prefix="/live/7/").objects == 20
    assert len(looked) == 20


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ([], "not a JSON object"),
        ({}, "one of url, prefix and stream has to be there, and only one"),
        ({"url": "/a", "prefix": "/a"}, "one of url, prefix and stream has to be there, and only one"),
        ({"url": "/a", "hard": True}, "unknown: hard"),
        ({"url": 5}, "url is a text, soft is true or false"),
        ({"url": "/a", "soft": 1}, "url is a text, soft is true or false"),
        ({"url": "http://[x/a"}, "not a URL"),
        ({"url": "a"}, "the request-target is not a path"),
        ({"url": "/a/../b"}, "the path has a dot segment"),
        ({"url": "/\u00e9"}, "not an ASCII URL of at most 2048 characters"),
        ({"url": "/" + "a" * 2_048}, "not an ASCII URL of at most 2048 characters"),
        ({"prefix": "/a?b"}, "a prefix has no query"),
        ({"stream": "/live/x/"}, "a stream is named by its playlist: a path that ends in .m3u8"),
    ],
)
def test_orders_that_are_refused_in_words(document: object, why: str) -> None:
    with pytest.raises(BadOrder) as caught:
        read_order(document)
    assert str(caught.value) == why


def test_orders_are_canonical() -> None:
    assert read_order({"url": "http://h:1"}) == Order(What.URL, "/")
    assert read_order({"url": "/%7Ea?b=2&a=1&_HLS_msn=4"}) == Order(What.URL, "/~a?a=1&b=2")
    assert read_order({"stream": "https://h/l/i.m3u8", "soft": True}) == Order(What.STREAM, "/l/i.m3u8", soft=True)
    assert scope_of(read_order({"prefix": "https://h/l/"})).prefixes == ("/l/",)
