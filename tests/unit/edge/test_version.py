"""Versions of a followed playlist and what is made of them."""

from __future__ import annotations

from tests.edge_kit import LiveStream

from headwater.edge.message import UpstreamAnswer
from headwater.edge.version import Version, cache_control, followable, read_playlist
from headwater.origin.hls.delta import merge
from headwater.origin.hls.directives import Directives, Reject, Serve, Wait
from headwater.origin.hls.reader import read


def version_of(stream: LiveStream, at: float = 10.0, *fields: tuple[str, str]) -> Version:
    body = stream.text().encode()
    answer = UpstreamAnswer(at, 0.0, 200, (("content-type", "application/vnd.apple.mpegurl"), *fields), body)
    model = read_playlist(body)
    assert model is not None
    return Version(model, answer, "1.1 e", "max-age=2", "max-age=24")


def test_only_media_playlists_are_read() -> None:
    assert read_playlist(b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na.m3u8\n") is None
    assert read_playlist(b"#EXTM3U\n#EXT-X-TARGETDURATION:x\n") is None
    assert read_playlist(b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n\xff") is None
    assert read_playlist(b"") is None


def test_rule_32_only_a_blocking_live_playlist_is_followed() -> None:
    live = LiveStream()
    assert followable(live.model)
    live.ended = True
    assert not followable(live.model)
    plain = read("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\na.ts\n")
    assert not followable(plain)


def test_the_full_playlist_is_the_upstreams_own_text() -> None:
    stream = LiveStream()
    version = version_of(stream)
    last = version.position.last_msn
    for ask, life in ((Directives(), 2), (Directives(last, 0), 24), (Directives(last + 1, 0), 24)):
        entity = version.entity(Serve(False), ask)
        assert entity.body == stream.text().encode()
        assert ("Cache-Control", f"max-age={life}") in entity.headers


def test_a_position_long_past_or_of_an_ended_playlist_lives_as_long_as_a_plain_answer() -> None:
    stream = LiveStream()
    version = version_of(stream)
    assert version.entity(Serve(False), Directives(version.position.last_msn - 1)) is version.full
    stream.ended = True
    ended = version_of(stream)
    assert ended.entity(Serve(False), Directives(ended.position.last_msn)) is ended.full


def test_an_answer_that_does_not_hold_what_was_asked_is_kept_by_nobody() -> None:
    entity = version_of(LiveStream()).unasked()
    assert [value for name, value in entity.headers if name == "Cache-Control"] == ["no-store"]


def test_rfc_9110_8_8_2_2_a_date_does_not_tell_versions_of_a_playlist_apart() -> None:
    version = version_of(LiveStream(), 10.0, ("last-modified", "Fri, 20 Nov 2026 12:00:00 GMT"))
    assert version.full.last_modified is None


def test_a_delta_is_made_once_and_only_when_it_saves_something() -> None:
    short = version_of(LiveStream(segments=9))
    assert short.entity(Serve(True), Directives(short.position.last_msn)) is short.full_blocking  # rule 107
    long = version_of(LiveStream(segments=25), 10.0, ("etag", '"a"'))
    delta = long.entity(Serve(True), Directives(long.position.last_msn))
    assert b"#EXT-X-SKIP:SKIPPED-SEGMENTS=" in delta.body
    assert delta is long.entity(Serve(True), Directives(long.position.last_msn))
    assert delta.etag == '"a-delta"'
    assert ("ETag", '"a-delta"') in delta.headers


def test_a_delta_and_the_full_text_make_one_playlist() -> None:
    stream = LiveStream(segments=25)
    version = version_of(stream)
    delta = read(bytes(version.entity(Serve(True), Directives(version.position.last_msn)).body).decode())
    merged = merge(delta, version.model)
    assert [segment.uri for segment in merged.segments] == [segment.uri for segment in version.model.segments]
    assert merged.position == version.model.position


def test_decisions_are_the_origins() -> None:
    version = version_of(LiveStream())
    last = version.position.last_msn
    assert isinstance(version.decide(Directives(last)), Serve)
    assert isinstance(version.decide(Directives(last + 1, 0)), Wait)
    assert isinstance(version.decide(Directives(last + 3)), Reject)
    assert version.decide(Directives(last + 1, 0)) is version.decide(Directives(last + 1, 0))


def test_what_is_new_and_what_is_hinted() -> None:
    stream = LiveStream()
    before = version_of(stream)
    names = [stream.step() for _ in range(2)]
    after = version_of(stream)
    assert after.new_since(before) == ["init.mp4", *names]
    assert after.hinted() == [stream.name]
    third = stream.step()
    assert version_of(stream).new_since(after) == [third]
    assert after.order > before.order


def test_a_jump_over_segments_lists_all_that_is_new() -> None:
    stream = LiveStream()
    stream.step()
    before = version_of(stream)
    names = [stream.step() for _ in range(6)]
    assert [name for name in version_of(stream).new_since(before) if name != "init.mp4"] == names


def test_confirming_makes_every_form_young() -> None:
    version = version_of(LiveStream(segments=25))
    delta = version.entity(Serve(True), Directives())
    version.confirm(UpstreamAnswer(50.0, 0.0, 200), 1.0)
    assert version.full.age_at(51.0) == version.full_blocking.age_at(51.0) == delta.age_at(51.0) == 2


def test_rule_146_when_the_upstream_says_nothing() -> None:
    assert cache_control("plain", 4) == "public, max-age=0, s-maxage=2"
    assert cache_control("plain", 1) == "public, max-age=0, s-maxage=1"
    assert cache_control("blocking", 4) == "public, max-age=0, s-maxage=24"
