"""The origin over HTTP: a real server on a free port, a real client, a stream fed by hand."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry
from tests.origin_kit import PAGES, PLAYLIST, SOURCE, Site, serve, settings

from headwater.config.settings import Origin, OriginHttp
from headwater.ingest.media import Still
from headwater.origin.app import OriginServer
from headwater.origin.hls import multivariant, reader, writer
from headwater.origin.hls.delta import merge
from headwater.origin.hub import Hub


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with serve(settings()) as found:
        yield found


@pytest.fixture
async def small_site() -> AsyncIterator[Site]:
    """Holds two requests at most, and a starting stream's for a moment."""
    async with serve(settings(max_held=2, held_start_s=0.05)) as found:
        yield found


# -- playlists ---------------------------------------------------------------------------------------------


async def test_multivariant_playlist(site: Site) -> None:
    """Rules 2, 171 to 179."""
    site.live()
    answer = await site.ask("/live/demo/index.m3u8")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/vnd.apple.mpegurl"
    assert answer.cache == "public, max-age=0, s-maxage=2"
    found = multivariant.read(answer.text)
    (variant,) = found.variants
    assert variant.uri == "source/index.m3u8"
    assert (variant.codecs, variant.resolution, variant.frame_rate) == ("avc1.64001f,mp4a.40.2", (1280, 720), 25.0)
    assert variant.closed_captions == "NONE"
    assert not found.independent_segments
    (audio,) = found.media
    assert (audio.uri, audio.language, audio.channels, audio.group) == ("audio/index.m3u8", "en", "2", variant.audio)
    for uri in (variant.uri, audio.uri):
        assert (await site.ask(f"/live/demo/{uri}")).status == 200


async def test_bandwidth_covers_what_is_sent(site: Site) -> None:
    """Rule 175: the measured peak is less than 125 % of BANDWIDTH, and not above it."""
    site.live()
    (variant,) = multivariant.read((await site.ask("/live/demo/index.m3u8")).text).variants
    peak = 0.0
    for rendition in ("source", "audio"):
        playlist = await site.playlist(f"/live/demo/{rendition}/index.m3u8")
        rates = []
        for segment in playlist.segments[-5:]:
            answer = await site.ask(f"/live/demo/{rendition}/{segment.uri}")
            rates.append(len(answer.body) * 8 / segment.duration)
        peak += max(rates)
    assert peak < variant.bandwidth < peak * 1.25
    assert variant.average_bandwidth is not None
    assert peak / 1.1 < variant.average_bandwidth <= variant.bandwidth


async def test_media_playlist_says_all_that_a_low_latency_player_needs(site: Site) -> None:
    """Rules 6 to 8, 27 to 32, 41 to 43, 57, 61, 74 to 77, 113, 129."""
    site.live()
    answer = await site.ask(PLAYLIST)
    playlist = reader.read(answer.text)
    assert playlist.version == 6
    assert playlist.control.can_block_reload
    assert playlist.part_target == 0.52
    assert (playlist.control.part_hold_back, playlist.control.hold_back) == (1.56, 12)
    assert playlist.control.can_skip_until == 24
    assert all(round(segment.duration) <= 4 and segment.date_us and segment.map for segment in playlist.segments)
    assert all(part.duration <= 0.52 for segment in playlist.segments for part in segment.parts)
    assert playlist.open is not None
    assert [hint.type for hint in playlist.hints] == ["PART"]
    (report,) = playlist.reports
    audio = await site.playlist("/live/demo/audio/index.m3u8")
    assert audio.open is not None
    assert (report.uri, report.last_msn) == ("../audio/index.m3u8", audio.open.msn)
    assert report.last_part == len(audio.open.parts) - 1
    ended_before = sum(segment.duration for segment in playlist.segments if not segment.parts)
    assert ended_before > 40
    for name in [playlist.segments[0].map.uri] + [segment.uri for segment in playlist.segments[:2]]:  # type: ignore[union-attr]
        assert (await site.ask(SOURCE + str(name))).status == 200


async def test_nothing_of_the_request_is_in_the_playlist(site: Site) -> None:
    """Rules 79, 101: the same version has the same text, whoever asks and with whatever query."""
    site.live()
    plain = await site.ask(PLAYLIST)
    assert (await site.ask(PLAYLIST + "?token=x&_HLS_other=1")).body == plain.body
    assert (await site.ask(PLAYLIST + "?_HLS_msn=1005")).body == plain.body
    assert all("?" not in line and "://" not in line for line in plain.text.splitlines())


async def test_delta_update_merges_to_the_full_playlist(site: Site) -> None:
    """Rule 112, between a copy that is 10 s old and now."""
    site.live(62.8)
    before = await site.playlist()
    site.feed.until(72.8)
    answer = await site.ask(PLAYLIST + "?_HLS_skip=YES")
    delta = reader.read(answer.text)
    assert delta.skipped > 10
    assert delta.version == 9
    full = (await site.ask(PLAYLIST)).text
    assert writer.render(merge(delta, before)) == full
    assert (await site.ask(PLAYLIST + "?_HLS_skip=v2")).body == answer.body
    assert (await site.ask(PLAYLIST + "?_HLS_skip=NO")).text == full


async def test_blocking_reload(site: Site) -> None:
    """Rules 80 to 82, 93: nobody is answered early, and all that wait for a part are answered with it."""
    site.live()
    now = (await site.playlist()).position
    queries = [
        f"?_HLS_msn={now.last_msn + 1}&_HLS_part={now.open_parts}",
        f"?_HLS_msn={now.last_msn + 1}&_HLS_part={now.open_parts}&_HLS_skip=YES",
        f"?_HLS_msn={now.last_msn + 1}",
        f"?_HLS_msn={now.last_msn + 1}&_HLS_part=6",
    ]
    part, delta, segment, beyond = (site.hold(PLAYLIST + query) for query in queries)
    await site.held(4)
    site.feed.until(73.2)
    found = reader.read((await part).text)
    assert found.position.open_parts == now.open_parts + 1
    assert (await part).cache == "public, max-age=0, s-maxage=24"
    assert reader.read((await delta).text).skipped > 0
    await site.held(2)
    assert not segment.done()
    site.feed.until(74.3)
    assert reader.read((await segment).text).last_msn == now.last_msn + 1
    await site.held(1)
    assert not beyond.done()  # the parent closed with four parts: it is part 0 of the next one
    site.feed.until(74.7)
    closed = reader.read((await beyond).text).position
    assert (closed.last_msn, closed.open_parts) == (now.last_msn + 1, 1)


async def test_a_request_that_was_held_is_not_refused_later(site: Site) -> None:
    """Rule 88: a part far into the segment after the open one is past the Advance Part Limit once that one is open."""
    site.live()
    now = (await site.playlist()).position
    ahead = site.hold(PLAYLIST + f"?_HLS_msn={now.last_msn + 2}&_HLS_part=7")
    await site.held(1)
    site.feed.until(74.2)
    assert (await site.playlist()).last_msn == now.last_msn + 1
    assert not ahead.done()
    assert (await site.ask(PLAYLIST + f"?_HLS_msn={now.last_msn + 2}&_HLS_part=7")).status == 400
    site.feed.until(76.8)  # the parent closed with four parts: it is part 0 of the next one
    assert (await ahead).status == 200


async def test_what_is_there_is_answered_at_once(site: Site) -> None:
    """Rules 83, 95, 96."""
    site.live()
    playlist = await site.playlist()
    report = (await site.playlist("/live/demo/audio/index.m3u8")).reports[0]
    for query in (
        "",
        "?_HLS_msn=0",
        "?_HLS_msn=1&_HLS_part=99",
        f"?_HLS_msn={playlist.last_msn}",
        f"?_HLS_msn={report.last_msn}&_HLS_part={report.last_part}",
    ):
        assert reader.read((await site.ask(PLAYLIST + query)).text) == playlist
    old = await site.ask(PLAYLIST + "?_HLS_msn=1")
    assert old.cache == "public, max-age=0, s-maxage=2"


@pytest.mark.parametrize(
    "query",
    ["_HLS_part=1", "_HLS_msn=x", "_HLS_msn=", "_HLS_msn=-1", "_HLS_msn=1&_HLS_msn=2", "_HLS_msn=99999",
     "_HLS_msn=1036&_HLS_part=50", "_HLS_msn=184467440737095516160"],
)  # fmt: skip
async def test_bad_directives(site: Site, query: str) -> None:
    """Rules 85 to 89, 148, 155."""
    site.live()
    answer = await site.ask(f"{PLAYLIST}?{query}")
    assert answer.status == 400
    assert answer.cache == "no-store"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["content-type"].startswith("text/plain")
    assert 5 < len(answer.text) < 200


async def test_an_encoder_that_stops_gives_503(site: Site) -> None:
    """Rule 91: after three target durations."""
    site.feed.gop = 25
    site.feed.start(target_duration_s=1)
    site.feed.until(14.6)
    answer = await site.ask(PLAYLIST + f"?_HLS_msn={(await site.playlist()).last_msn + 2}")
    assert answer.status == 503
    assert answer.cache == "no-store"
    assert answer.headers["retry-after"] == "1"


async def test_a_client_that_leaves_is_not_held(site: Site) -> None:
    """Rule 92."""
    site.live()
    now = (await site.playlist()).position
    gone, stays = (site.hold(f"{PLAYLIST}?_HLS_msn={now.last_msn + 1}&_HLS_part={now.open_parts}") for _ in range(2))
    await site.held(2)
    gone.cancel()
    await site.held(1)
    site.feed.until(73.2)
    assert (await stays).status == 200


async def test_too_many_held_requests(small_site: Site) -> None:
    site = small_site
    site.live()
    now = (await site.playlist()).position
    path = f"{PLAYLIST}?_HLS_msn={now.last_msn + 1}"
    tasks = [site.hold(path) for _ in range(2)]
    await site.held(2)
    refused = await site.ask(path)
    assert (refused.status, refused.cache) == (503, "no-store")
    assert (await site.ask(PLAYLIST)).status == 200
    site.feed.until(74.8)
    assert [(await task).status for task in tasks] == [200, 200]


async def test_a_starting_stream_holds_its_players(site: Site) -> None:
    """Rule 18; no well-formed request for a live stream is refused."""
    site.feed.start()
    site.feed.until(5)
    tasks = [
        site.hold(path) for path in ("/live/demo/index.m3u8", PLAYLIST, "/live/demo/audio/index.m3u8?_HLS_skip=YES")
    ]
    await site.held(3)
    site.feed.until(14.6)
    assert [(await task).status for task in tasks] == [200, 200, 200]
    playlist = reader.read((await tasks[1]).text)
    assert sum(segment.duration for segment in playlist.segments) >= 12 - 2


async def test_a_stream_that_starts_slowly(small_site: Site) -> None:
    for path in ("/live/demo/index.m3u8", PLAYLIST):
        answer = await small_site.ask(path)
        assert (answer.status, answer.cache) == (503, "no-store")
        assert answer.headers["retry-after"] == "1"


async def test_unknown_streams_and_renditions(site: Site) -> None:
    site.live()
    for path in ("/live/nobody/index.m3u8", "/live/nobody/source/index.m3u8", "/live/demo/720p/index.m3u8"):
        answer = await site.ask(path)
        assert (answer.status, answer.cache) == (404, "no-store")


async def test_the_end(site: Site) -> None:
    """Rules 24, 84: ENDLIST frees all that wait; directives no longer matter."""
    site.live()
    now = await site.playlist()
    tasks = [site.hold(f"{PLAYLIST}?_HLS_msn={now.last_msn + 2}"), site.hold(SOURCE + now.hints[0].uri)]
    await site.held(2)
    site.feed.end()
    ended = reader.read((await tasks[0]).text)
    assert ended.ended and ended.hints == () and ended.open is None
    assert (await tasks[0]).cache == "public, max-age=0, s-maxage=2"
    hinted = await tasks[1]
    assert hinted.status in (200, 404)  # it was published as the stream's last part, or is given up (rule 68)
    assert (await site.ask(PLAYLIST + "?_HLS_msn=99999&_HLS_skip=YES")).text == writer.render(ended)
    assert (await site.ask(SOURCE + str(ended.segments[-1].uri))).status == 200


# -- files -------------------------------------------------------------------------------------------------


async def test_parts_are_their_segment(site: Site) -> None:
    """Rule 46: concatenated, byte for byte."""
    site.live()
    playlist = await site.playlist()
    segment = playlist.segments[-2]
    parts = [(await site.ask(SOURCE + part.uri)).body for part in segment.parts]
    whole = await site.ask(SOURCE + str(segment.uri))
    assert whole.body == b"".join(parts)
    assert len(parts) == 4


async def test_files_are_immutable(site: Site) -> None:
    """Rules 151, 154, and no Age (144)."""
    site.live()
    playlist = await site.playlist()
    segment = playlist.segments[-1]
    assert segment.map is not None
    for name, mime in ((segment.map.uri, "video/mp4"), (segment.uri, "video/iso.segment")):
        answer = await site.ask(f"{SOURCE}{name}")
        assert answer.status == 200
        assert answer.headers["content-type"] == mime
        assert answer.cache.startswith("public, max-age=") and answer.cache.endswith(", immutable")
        assert int(answer.cache.split("=")[1].split(",")[0]) >= 60
        assert "age" not in answer.headers
        assert answer.headers["accept-ranges"] == "bytes"
    audio = await site.playlist("/live/demo/audio/index.m3u8")
    assert audio.segments[0].map is not None
    answer = await site.ask(f"/live/demo/audio/{audio.segments[0].map.uri}")
    assert answer.headers["content-type"] == "audio/mp4"


async def test_a_hinted_part_is_held_and_then_sent_whole(site: Site) -> None:
    """Rules 64 to 66."""
    site.live()
    name = (await site.playlist()).hints[0].uri
    task = site.hold(SOURCE + name)
    await site.held(1)
    site.feed.until(73.3)
    answer = await task
    assert answer.status == 200
    assert len(answer.body) == int(answer.headers["content-length"])
    open_ = (await site.playlist()).open
    assert open_ is not None
    assert name in [part.uri for part in open_.parts]


@pytest.mark.parametrize("name", ["p1.m4s", "p99999999999999999.m4s", "x", "init-0.mp4", "s.m4s", "p.mp4", "..."])
async def test_what_is_not_there_is_refused_at_once(site: Site, name: str) -> None:
    """Rules 67, 68, 119, 149."""
    site.live()
    answer = await site.ask(SOURCE + name)
    assert answer.status == 404
    assert answer.headers["access-control-allow-origin"] == "*"
    # Only a name that can never be published again may be remembered as missing.
    assert answer.cache == ("public, max-age=0, s-maxage=4" if name == "p1.m4s" else "no-store")


async def test_ranges(site: Site) -> None:
    """Rule 141; RFC 9110, section 14; RFC 8673."""
    site.live()
    name = SOURCE + str((await site.playlist()).segments[-1].uri)
    whole = (await site.ask(name)).body
    total = len(whole)
    for asked, part in (
        ("bytes=0-9", whole[:10]),
        ("bytes=10-", whole[10:]),
        ("bytes=-5", whole[-5:]),
        ("bytes=5-9007199254740991", whole[5:]),
        (f"bytes=-{total + 10}", whole),
    ):
        answer = await site.ask(name, Range=asked)
        assert (answer.status, answer.body) == (206, part)
        start = total - len(part) if asked != "bytes=0-9" else 0
        assert answer.headers["content-range"] == f"bytes {start}-{start + len(part) - 1}/{total}"
    for asked in (f"bytes={total}-", "bytes=-0"):
        answer = await site.ask(name, Range=asked)
        assert (answer.status, answer.headers["content-range"]) == (416, f"bytes */{total}")
    for asked in ("bytes=5-2", "bytes=a-", "bytes=-", "bytes=0-1,4-5", "lines=1-2", "bytes=" + "9" * 30 + "-"):
        answer = await site.ask(name, Range=asked)
        assert (answer.status, answer.body) == (200, whole)
    etag = (await site.ask(name)).headers["etag"]
    assert (await site.ask(name, Range="bytes=0-9", If_Range=etag)).status == 206
    assert (await site.ask(name, Range="bytes=0-9", If_Range='"other"')).status == 200


# -- HTTP --------------------------------------------------------------------------------------------------


async def test_head(site: Site) -> None:
    site.live()
    for path in (PLAYLIST, "/live/demo/index.m3u8", SOURCE + str((await site.playlist()).segments[0].uri), "/"):
        got, head = await site.ask(path), await site.ask(path, "HEAD")
        assert (head.status, head.body) == (200, b"")
        for name in ("content-length", "content-type", "cache-control", "etag"):
            assert head.headers[name] == got.headers[name]


async def test_conditional_requests(site: Site) -> None:
    site.live()
    for path in (PLAYLIST, SOURCE + str((await site.playlist()).segments[0].uri), "/assets/style.css"):
        first = await site.ask(path)
        etag = first.headers["etag"]
        for asked in (etag, "W/" + etag, f'"x", {etag}', "*"):
            answer = await site.ask(path, If_None_Match=asked)
            assert (answer.status, answer.body) == (304, b"")
            assert answer.headers["etag"] == etag
            assert answer.cache == first.cache
        assert (await site.ask(path, If_None_Match='"x"')).status == 200
        if path.startswith("/assets"):
            assert (await site.ask(path, If_Modified_Since=first.headers["last-modified"])).status == 304
            assert (await site.ask(path, If_Modified_Since="Thu, 01 Jan 1970 00:00:00 GMT")).status == 200
            assert (await site.ask(path, If_Modified_Since="soon")).status == 200
    before = (await site.ask(PLAYLIST)).headers["etag"]
    site.feed.until(74)
    assert (await site.ask(PLAYLIST, If_None_Match=before)).status == 200


async def test_gzip(site: Site) -> None:
    """Rules 142, 170."""
    site.live()
    for path in (PLAYLIST, PLAYLIST + "?_HLS_skip=YES", "/live/demo/index.m3u8", "/streams.json", "/assets/player.js"):
        plain = await site.ask(path)
        packed = await site.ask(path, Accept_Encoding="br, gzip;q=0.5")
        assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"
        assert "content-encoding" not in plain.headers
        assert packed.headers["content-encoding"] == "gzip"
        assert gzip.decompress(packed.body) == plain.body
        assert packed.headers["etag"] != plain.headers["etag"]
        for refused in ("br", "gzip;q=0", "identity"):
            assert "content-encoding" not in (await site.ask(path, Accept_Encoding=refused)).headers


async def test_cross_origin_on_every_answer(site: Site) -> None:
    """Rule 155."""
    site.live()
    for path in (PLAYLIST, "/live/demo/index.m3u8", "/nowhere", "/live/nobody/index.m3u8", PLAYLIST + "?_HLS_msn=x"):
        answer = await site.ask(path)
        assert answer.headers["access-control-allow-origin"] == "*"
        exposed = answer.headers["access-control-expose-headers"]
        assert all(name in exposed for name in ("Age", "Date", "Content-Length", "Content-Range"))
    refused = await site.ask(PLAYLIST, "POST")
    assert refused.status == 405
    assert refused.headers["access-control-allow-origin"] == "*"
    assert refused.headers["allow"] == "GET, HEAD, OPTIONS"


async def test_preflight(site: Site) -> None:
    for path in (PLAYLIST, "/nowhere"):
        answer = await site.ask(path, "OPTIONS", Origin="http://x", Access_Control_Request_Headers="range,cmcd-session")
        assert answer.status == 204
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "Range" in answer.headers["access-control-allow-headers"]
        assert "CMCD-Session" in answer.headers["access-control-allow-headers"]


async def test_last_modified_is_the_last_change(site: Site) -> None:
    """Rule 156."""
    site.live()
    answer = await site.ask(PLAYLIST)
    assert answer.headers["last-modified"][:16] == answer.headers["date"][:16]


async def test_pages(site: Site) -> None:
    for path in ("/", "/live/demo/", "/live/nobody/"):
        answer = await site.ask(path)
        assert answer.status == 200
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert "s-maxage" in answer.cache
    moved = await site.ask("/live/demo")
    assert (moved.status, moved.headers["location"]) == (308, "demo/")
    script = await site.ask("/assets/player.js")
    assert script.headers["content-type"].startswith("text/javascript")
    for missing in ("/assets/vendor/nothing.js", "/assets/../app.py", "/assets/%2e%2e/app.py", "/assets/__init__.py"):
        answer = await site.ask(missing)
        assert answer.status == 404
        assert answer.headers["content-type"].startswith("text/plain")


async def test_listing(site: Site) -> None:
    assert json.loads((await site.ask("/streams.json")).body)["streams"][0]["state"] == "starting"
    site.live()
    (stream,) = json.loads((await site.ask("/streams.json")).body)["streams"]
    assert (stream["name"], stream["state"], stream["viewers"]) == ("demo", "live", None)
    video, audio = stream["renditions"]
    assert (video["name"], video["width"], video["height"], video["codec"]) == ("source", 1280, 720, "avc1.64001f")
    assert (audio["name"], audio["channels"], audio["language"]) == ("audio", 2, "en")
    assert video["bitrate"] > 100_000
    site.feed.end()
    assert json.loads((await site.ask("/streams.json")).body) == {"streams": []}


async def test_drain(site: Site) -> None:
    """Held requests are answered, others served; the load balancer is told."""
    site.live()
    assert (await site.ask("/readyz")).status == 200
    now = (await site.playlist()).position
    path = f"{PLAYLIST}?_HLS_msn={now.last_msn + 1}"
    task = site.hold(path)
    await site.held(1)
    await site.server.drain()
    answer = await task
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert (await site.ask(path)).status == 503
    assert (await site.ask(PLAYLIST)).status == 200
    assert (await site.ask("/healthz")).status == 200
    assert (await site.ask("/readyz")).status == 503


async def test_answers_are_counted(site: Site) -> None:
    site.live()
    await site.ask(PLAYLIST)
    await site.ask(PLAYLIST + "?_HLS_msn=x")
    assert (site.served(200), site.served(400)) == (1, 1)


async def test_a_bound_port_is_an_error(site: Site) -> None:
    registry = CollectorRegistry()
    taken = Origin(http=OriginHttp(port=site.server.port))
    server = OriginServer(taken, Hub(taken, registry), registry, PAGES)
    with pytest.raises(OSError, match="in use"):
        await server.start()
    await server.close()


async def test_pictures_of_a_stream(site: Site) -> None:
    """Rules 146, 151, 154, 156: a plain file that changes every few seconds."""
    site.live()
    assert (await site.ask("/live/demo/thumb.jpg")).status == 404
    site.feed.sink.write(Still("image/jpeg", 0, b"\xff\xd8 one"), 0.0)
    site.feed.sink.write(Still("image/webp", 0, b"RIFF one"), 0.0)
    first = await site.ask("/live/demo/thumb.jpg")
    assert (first.status, first.body, first.headers["content-type"]) == (200, b"\xff\xd8 one", "image/jpeg")
    assert first.headers["cache-control"] == "public, max-age=2, s-maxage=2"
    assert (await site.ask("/live/demo/thumb.webp")).headers["content-type"] == "image/webp"
    same = await site.ask("/live/demo/thumb.jpg", If_None_Match=first.headers["etag"])
    assert (same.status, same.body) == (304, b"")
    assert (await site.ask("/live/demo/thumb.jpg", If_Modified_Since=first.headers["last-modified"])).status == 304
    site.feed.sink.write(Still("image/jpeg", 0, b"\xff\xd8 two"), 0.0)
    other = await site.ask("/live/demo/thumb.jpg", If_None_Match=first.headers["etag"])
    assert (other.status, other.body) == (200, b"\xff\xd8 two")
