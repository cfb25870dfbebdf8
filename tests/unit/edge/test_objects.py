"""Plain objects on a stepped clock: bounds, ranges, what a revalidation changes (RFC 9110, RFC 9111; rule 166)."""

from __future__ import annotations

import pytest
from tests.edge_kit import LiveStream, Script, Viewer, make_core, statuses

from headwater.edge import objects
from headwater.edge.core import Core
from headwater.edge.message import Failure, Outcome, Purpose

SINGLE = (
    "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-MAP:URI=\"all.mp4\",BYTERANGE=\"100@0\"\n"
    "#EXTINF:4,\n#EXT-X-BYTERANGE:900@100\nall.mp4\n#EXTINF:4,\n#EXT-X-BYTERANGE:1000\nall.mp4\n#EXT-X-ENDLIST\n"
)  # fmt: skip
LIST = "/vod/index.m3u8"
FILE = "/vod/all.mp4"


def single_file(script: Script) -> Core:
    """A core that has seen a VOD playlist of one file."""
    core = make_core(script)
    Viewer(core).get(LIST, 1.0)
    script.answer(LIST, 1.0, SINGLE, content_type="application/vnd.apple.mpegurl", cache_control="max-age=60")
    return core


def test_what_a_playlist_names_by_ranges_is_fetched_by_ranges() -> None:
    script = Script()
    core = single_file(script)
    viewers = [Viewer(core).get(FILE, 2.0, range=text) for text in ("bytes=100-999", "bytes=0100-999", "bytes=0-99")]
    assert [request.range for request, _ in script.pending] == ["bytes=100-999", "bytes=0-99"], "one fetch per range"
    answer = {"content_type": "video/mp4", "cache_control": "max-age=60"}
    script.answer(FILE, 2.5, b"x" * 900, 206, content_range="bytes 100-999/2000", **answer)
    script.answer(FILE, 2.5, b"y" * 100, 206, content_range="bytes 0-99/2000", **answer)
    assert statuses(viewers) == [206, 206, 206]
    assert viewers[1].header("Content-Range") == "bytes 100-999/2000"
    assert viewers[1].body == b"x" * 900
    again = Viewer(core).get(FILE, 3.0, range="bytes=100-999")
    assert again.answer.outcome is Outcome.HIT
    assert again.header("Content-Range") == "bytes 100-999/2000"
    assert again.answer.age == 0


def test_an_upstream_that_ignores_ranges_is_asked_once() -> None:
    script = Script()
    core = single_file(script)
    viewer = Viewer(core).get(FILE, 2.0, range="bytes=0-99")
    script.answer(FILE, 2.5, bytes(range(200)) * 10, content_type="video/mp4", cache_control="max-age=60")
    assert viewer.status == 206
    assert viewer.body == bytes(range(100))
    other = Viewer(core).get(FILE, 3.0, range="bytes=100-199")
    assert other.answer.outcome is Outcome.HIT
    assert other.body == bytes(range(100, 200))


@pytest.mark.parametrize("field", ["", "bytes 5-104/2000", "bytes 0-98/2000"])
def test_a_206_that_is_another_range_is_an_error(field: str) -> None:
    script = Script()
    core = single_file(script)
    viewer = Viewer(core).get(FILE, 2.0, range="bytes=0-99")
    script.answer(FILE, 2.5, b"y" * 100, 206, content_range=field)
    assert viewer.status == 502
    assert not Viewer(core).get(FILE, 3.0, range="bytes=0-99").answers


def test_a_206_that_was_not_asked_for_is_an_error() -> None:
    script = Script()
    core = make_core(script)
    viewer = Viewer(core).get("/a.mp4", 2.0)
    script.answer("/a.mp4", 2.5, b"y" * 100, 206, content_range="bytes 0-99/2000", cache_control="max-age=60")
    assert viewer.status == 502
    assert len(core.store) == 0


def test_a_range_beyond_the_end_is_passed_on_and_not_kept() -> None:
    script = Script()
    core = single_file(script)
    viewer = Viewer(core).get(FILE, 2.0, range="bytes=5000-5999")
    script.answer(FILE, 2.5, b"", 416, content_range="bytes */2000", cache_control="max-age=60")
    assert viewer.status == 416
    assert viewer.header("Content-Range") == "bytes */2000"
    assert not Viewer(core).get(FILE, 2.6, range="bytes=5000-5999").answers


def test_a_private_range_is_for_one() -> None:
    script = Script()
    core = single_file(script)
    viewers = [Viewer(core).get(FILE, 2.0, range="bytes=0-9") for _ in range(2)]
    script.answer(FILE, 2.5, b"first 1234", 206, content_range="bytes 0-9/2000", cache_control="private")
    assert viewers[0].body == b"first 1234"
    script.answer(FILE, 2.6, b"second 123", 206, content_range="bytes 0-9/2000", cache_control="private")
    assert viewers[1].body == b"second 123"
    assert viewers[1].answer.outcome is Outcome.PASS


def test_a_file_too_large_to_be_had_whole_is_had_in_ranges() -> None:
    script = Script()
    core = make_core(script)
    whole, part = Viewer(core).get("/big.mp4", 1.0), Viewer(core).get("/big.mp4", 1.0, range="bytes=0-9")
    script.fail("/big.mp4", 1.5, Failure.TOO_LARGE)
    assert whole.status == 502
    assert [request.range for request, _ in script.pending] == ["bytes=0-9"]
    script.answer("/big.mp4", 2.0, b"0123456789", 206, content_range="bytes 0-9/99999999999")
    assert part.status == 206


def test_failures_of_a_range_are_those_of_an_object() -> None:
    script = Script()
    core = single_file(script)
    viewers = [Viewer(core).get(FILE, 2.0, range="bytes=0-99") for _ in range(2)]
    script.fail(FILE, 2.5, Failure.RESET)
    assert statuses(viewers) == [502, 502]
    missing = Viewer(core).get(FILE, 3.0, range="bytes=0-99")
    script.answer(FILE, 3.5, b"no", 404)
    assert missing.status == 404
    large = Viewer(core).get(FILE, 5.0, range="bytes=0-99")
    script.fail(FILE, 5.5, Failure.TOO_LARGE)
    assert large.status == 502, "a range that is too large is not asked for again"


def test_rfc_9111_4_3_4_a_304_replaces_what_was_said_about_freshness() -> None:
    script = Script()
    core = make_core(script)
    Viewer(core).get("/a", 1.0)
    script.answer(
        "/a", 1.0, b"x" * 1_000, cache_control="max-age=5", etag='"v1"', content_type="text/plain", date="then",
        expires="then",
    )  # fmt: skip
    Viewer(core).get("/a", 2.0, gzip=True)
    held = core.store.bytes
    viewer = Viewer(core).get("/a", 7.0)
    script.answer("/a", 7.1, status=304, cache_control="max-age=9", date="now", expires="later")
    assert [viewer.header(name) for name in ("Date", "Cache-Control", "Expires")] == ["now", "max-age=9", "later"]
    assert core.store.bytes < held, "the compressed form had the old fields"
    assert Viewer(core).get("/a", 8.0, gzip=True).header("Date") == "now"
    assert core.store.bytes == held
    core.store.remove("/a")
    assert core.store.bytes == 0


def test_fetching_ahead_does_not_use_up_the_viewers_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "MAX_FLIGHTS", 1)
    script = Script()
    core = make_core(script)
    Viewer(core).get("/live/x/v/index.m3u8", 1.0)
    script.playlist("/live/x/v/index.m3u8", 1.0, LiveStream())
    assert sum(request.purpose is Purpose.PREFETCH for request, _ in script.pending) > 1
    assert not Viewer(core).get("/a", 1.0).answers
    assert Viewer(core).get("/b", 1.0).status == 503


def test_playlists_that_are_held_but_not_followed_are_bounded_and_refused_in_words() -> None:
    script = Script()
    core = make_core(script, followers=1)
    for name in "abc":
        waiting = Viewer(core).get(f"/live/{name}/index.m3u8?_HLS_msn=109&_HLS_part=0", 1.0)
        script.playlist(f"/live/{name}/index.m3u8", 1.0, LiveStream())
    assert core.followers == 1
    blocking = [request.target for request, _ in script.pending if request.purpose is Purpose.BLOCKING]
    assert blocking == ["/live/b/index.m3u8?_HLS_msn=109&_HLS_part=0"]
    assert waiting.status == 503
    assert waiting.header("Retry-After") == "1"
    assert core.tally.refused == {"followers": 2, "blocking": 1}
    assert Viewer(core).get("/live/b/index.m3u8?_HLS_msn=109&_HLS_part=0", 1.0).answers == [], "joined"
    script.playlist(blocking[0], 2.0, LiveStream())
    assert not Viewer(core).get("/live/c/index.m3u8?_HLS_msn=109&_HLS_part=0", 2.0).answers


def test_a_picture_of_a_stream_is_a_plain_file_that_lives_shortly() -> None:
    """It has its origin's lifetime, is asked for again with its validator, and is not taken for a segment."""
    script = Script()
    core = make_core(script)
    kind, life = "image/jpeg", "public, max-age=2, s-maxage=2"
    viewers = [Viewer(core).get("/live/demo/thumb.jpg", 1.0) for _ in range(3)]
    script.answer("/live/demo/thumb.jpg", 1.1, b"one", etag='"1"', content_type=kind, cache_control=life)
    assert {viewer.body for viewer in viewers} == {b"one"}
    assert Viewer(core).get("/live/demo/thumb.jpg", 3.0).answer.outcome is Outcome.HIT
    late = Viewer(core).get("/live/demo/thumb.jpg", 3.2)
    request = script.answer("/live/demo/thumb.jpg", 3.3, b"two", etag='"2"', content_type=kind, cache_control=life)
    assert request.etag == '"1"'
    assert late.body == b"two"
    gone = Viewer(core).get("/live/other/thumb.jpg", 4.0)
    script.answer("/live/other/thumb.jpg", 4.1, b"none", 404, cache_control="no-store")
    assert gone.status == 404
    Viewer(core).get("/live/other/thumb.jpg", 4.2)
    assert script.targets == ["/live/other/thumb.jpg"], "the next picture may be there"
