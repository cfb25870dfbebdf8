"""A follower on a stepped clock, in front of upstreams that lie, hang, lag and change (rules 12, 93, 149, 163, 166)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.edge_kit import PART_S, LiveStream, Script, Viewer, make_core

from headwater.edge.core import Core
from headwater.edge.message import Failure, Outcome, Purpose
from headwater.origin.hls.model import (
    ByteRange,
    HintType,
    Map,
    MediaPlaylist,
    Part,
    PreloadHint,
    Segment,
    ServerControl,
)
from headwater.origin.hls.writer import render

LIST = "/live/x/v/index.m3u8"
TYPE = {"content_type": "application/vnd.apple.mpegurl"}


def followed(stream: LiveStream, at: float = 100.0, **headers: str) -> tuple[Script, Core]:
    """A core that follows `stream` since `at`."""
    script = Script()
    core = make_core(script)
    Viewer(core).get(LIST, at)
    script.playlist(LIST, at, stream, **headers)
    return script, core


def held(stream: LiveStream) -> str:
    return f"{LIST}?_HLS_msn={stream.msn}&_HLS_part={len(stream.open)}"


def playlist_requests(script: Script) -> list[str]:
    return [request.target for request, _ in script.pending if request.purpose is Purpose.PLAYLIST]


def test_rule_149_a_404_for_a_hint_does_not_stand_once_the_part_is_listed() -> None:
    stream = LiveStream()
    script, core = followed(stream)
    part = f"/live/x/v/{stream.name}"
    early = Viewer(core).get(part, 100.2)
    script.answer(part, 100.3, b"", 404)
    assert early.status == 404
    assert Viewer(core).get(part, 100.4).status == 404, "asked for once in a part's time, not by everybody"
    target = held(stream)
    stream.step()
    script.playlist(target, 100.5, stream)
    viewer = Viewer(core).get(part, 100.5)
    assert part in script.targets, "asked for again at once, although the 404 was kept until 100.8"
    script.answer(part, 100.6, b"media", content_type="video/mp4", cache_control="max-age=60")
    later = Viewer(core).get(part, 100.6)
    assert (later.status, later.body) == (200, b"media")
    assert viewer.answers


def test_a_cache_in_front_of_the_upstream_with_a_large_age_is_not_stormed_and_not_refused() -> None:
    stream = LiveStream()
    script, core = followed(stream, age="11")
    target = held(stream)
    for tick in range(1, 40):
        core.handle_timeout(100.0 + tick * 0.05)
    assert playlist_requests(script) == [target], "what is held is left alone"
    stream.step()
    script.playlist(target, 102.0, stream, age="13")
    viewer = Viewer(core).get(LIST, 102.5)
    assert (viewer.status, viewer.answer.age) == (200, 13)
    script.fail(held(stream), 103.0, Failure.RESET)
    assert Viewer(core).get(LIST, 103.1).status == 503, "rule 163: older than three target durations, upstream gone"


def test_a_plain_request_that_hangs_is_asked_again() -> None:
    stream = LiveStream()
    script, core = followed(stream)
    script.fail(held(stream), 101.0, Failure.RESET)
    core.handle_timeout(102.0)
    assert playlist_requests(script) == [LIST]
    asked = len(script.seen)
    core.handle_timeout(109.9)
    assert len(script.seen) == asked
    core.handle_timeout(110.1)
    assert len(script.seen) == asked + 1, "its connection may be dead"
    assert playlist_requests(script) == [LIST]
    script.playlist(LIST, 110.2, stream)
    assert playlist_requests(script) == [held(stream)]


def test_rule_93_an_upstream_without_parts_that_answers_early_is_asked_once_a_second() -> None:
    model = replace(LiveStream().model, open=None, part_target=None, hints=(), control=ServerControl(True, 24.0, False))
    model = replace(model, segments=tuple(replace(each, parts=(), part_count=0) for each in model.segments))
    script = Script()
    core = make_core(script)
    Viewer(core).get(LIST, 100.0)
    script.answer(LIST, 100.0, render(model), 200, **TYPE)
    asked = 0
    for tick in range(200):
        for target in playlist_requests(script):
            asked += 1
            script.answer(target, 100.0 + tick * 0.05, render(model), 200, **TYPE)
        core.handle_timeout(100.0 + tick * 0.05)
    assert core.followers == 1
    assert asked <= 11


def test_a_stream_that_stops_blocking_is_a_plain_object() -> None:
    stream = LiveStream()
    script, core = followed(stream)
    waiting = Viewer(core).get(f"{LIST}?_HLS_msn={stream.msn}", 100.1)
    text = render(replace(stream.model, control=ServerControl(part_hold_back=1.5)))
    script.answer(held(stream), 100.5, text, 200, **TYPE)
    assert core.followers == 0
    assert waiting.body == text.encode(), "nobody holds it any more"
    assert playlist_requests(script) == []
    assert Viewer(core).get(f"{LIST}?_HLS_msn={stream.msn}", 100.6).answer.outcome is Outcome.HIT


def test_live_ended_and_live_again_with_higher_numbers() -> None:
    stream = LiveStream()
    script, core = followed(stream)
    target = held(stream)
    stream.ended = True
    script.playlist(target, 101.0, stream)
    assert core.followers == 0
    assert b"ENDLIST" in Viewer(core).get(f"{LIST}?_HLS_msn={stream.msn}", 101.5).body
    again = LiveStream(first_msn=5_000)
    viewer = Viewer(core).get(LIST, 104.0)
    script.playlist(LIST, 104.0, again)
    assert core.followers == 1
    assert b"ENDLIST" not in viewer.body
    waiting = Viewer(core).get(held(again), 104.1)
    target = held(again)
    again.step()
    script.playlist(target, 104.5, again)
    assert waiting.status == 200


def test_a_step_back_is_looked_at_twice_a_second_until_it_is_believed() -> None:
    script, core = followed(LiveStream(first_msn=5_000))
    fresh = LiveStream(first_msn=1)
    asked = 0
    for tick in range(120):
        now = 100.0 + tick * 0.05
        for target in playlist_requests(script):
            asked += 1
            if target == LIST:
                script.playlist(target, now, fresh)
            else:
                script.answer(target, now, b"", 400)
        core.handle_timeout(now)
    assert asked <= 20
    for tick in range(120, 160):
        now = 100.0 + tick * 0.05
        for target in playlist_requests(script):
            if target == LIST:
                script.playlist(target, now, fresh)
        core.handle_timeout(now)
    assert Viewer(core).get(LIST, 108.0).body == fresh.text().encode()
    assert playlist_requests(script) == [held(fresh)]


@pytest.mark.parametrize("body", [b"<html>", b"", b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nx.m3u8\n", b"\xff\xfe\x00"])
def test_garbage_from_the_upstream_is_an_outage(body: bytes) -> None:
    stream = LiveStream()
    script, core = followed(stream)
    waiting = Viewer(core).get(held(stream), 100.1)
    script.answer(held(stream), 100.2, body, 200, **TYPE)
    assert Viewer(core).get(LIST, 100.3).answer.outcome is Outcome.STALE
    core.handle_timeout(101.0)
    stream.step()
    script.playlist(LIST, 101.1, stream)
    assert waiting.status == 200


def test_a_playlist_that_lists_thousands_of_parts_at_once_is_not_fetched_whole() -> None:
    parts = tuple(Part(f"p{number}.m4s", PART_S) for number in range(3_000))
    stream = LiveStream()
    script, core = followed(stream)
    before = len(script.pending)
    model = stream.model
    opened = Segment(msn=stream.msn, uri=None, duration=1_500.0, parts=parts, part_count=3_000, map=Map("init.mp4"))
    script.answer(held(stream), 100.5, render(replace(model, open=opened)), 200, **TYPE)
    assert core.followers == 1
    assert len(script.pending) - before <= 70
    assert "/live/x/v/p2999.m4s" in script.targets, "the newest are what viewers want"


def in_ranges(parts: int) -> MediaPlaylist:
    """A live playlist whose open segment 10 is one growing file of which `parts` ranges are listed."""

    def some(uri: str, count: int) -> tuple[Part, ...]:
        return tuple(Part(uri, PART_S, byterange=ByteRange(100, 100 * index)) for index in range(count))

    done = Segment(msn=9, uri="s9.mp4", duration=2.0, parts=some("s9.mp4", 4), part_count=4, map=Map("init.mp4"))
    opened = Segment(msn=10, uri=None, duration=PART_S * parts, parts=some("s10.mp4", parts), part_count=parts)
    return MediaPlaylist(
        target_duration=4,
        media_sequence=9,
        segments=(done,),
        open=replace(opened, map=Map("init.mp4")) if parts else None,
        part_target=PART_S,
        control=ServerControl(True, None, False, 12.0, 1.5),
        hints=(PreloadHint(HintType.PART, "s10.mp4", 100 * parts),),
    )


def test_rule_166_parts_that_are_ranges_of_a_growing_file_pass_as_ranges() -> None:
    script = Script()
    core = make_core(script)
    Viewer(core).get(LIST, 100.0)
    script.answer(LIST, 100.0, render(in_ranges(0)), 200, **TYPE)
    assert "/live/x/v/s10.mp4" not in script.targets, "the whole file is not there before its last part"
    script.answer(f"{LIST}?_HLS_msn=10&_HLS_part=0", 100.5, render(in_ranges(1)), 200, **TYPE)
    viewers = [Viewer(core).get("/live/x/v/s10.mp4", 100.5, range="bytes=0-99") for _ in range(3)]
    hinted = Viewer(core).get("/live/x/v/s10.mp4", 100.5, range="bytes=100-")
    asked = [request.range for request, _ in script.pending if request.target == "/live/x/v/s10.mp4"]
    assert asked == ["bytes=0-99", "bytes=100-"]
    answer = {"content_type": "video/mp4", "cache_control": "max-age=60"}
    script.answer("/live/x/v/s10.mp4", 100.6, b"a" * 100, 206, content_range="bytes 0-99/*", **answer)
    assert [viewer.status for viewer in viewers] == [206, 206, 206]
    script.answer("/live/x/v/s10.mp4", 101.0, b"b" * 300, 206, content_range="bytes 100-399/400", **answer)
    assert hinted.body == b"b" * 300
    assert Viewer(core).get("/live/x/v/s10.mp4", 101.1, range="bytes=0-99").answer.outcome is Outcome.HIT
    assert not Viewer(core).get("/live/x/v/s10.mp4", 101.1, range="bytes=100-").answers, "no end, so never kept"


def test_a_prefix_of_a_growing_file_is_never_kept_as_the_file() -> None:
    script = Script()
    core = make_core(script)
    Viewer(core).get(LIST, 100.0)
    script.answer(LIST, 100.0, render(in_ranges(1)), 200, **TYPE)
    answer = {"content_type": "video/mp4", "cache_control": "max-age=60"}
    Viewer(core).get("/live/x/v/s10.mp4", 100.1)
    script.answer("/live/x/v/s10.mp4", 100.2, b"a" * 100, 200, **answer)
    first = Viewer(core).get("/live/x/v/s10.mp4", 100.5, range="bytes=100-199")
    script.answer("/live/x/v/s10.mp4", 100.6, b"b" * 100, 206, content_range="bytes 100-199/200", **answer)
    assert first.body == b"b" * 100
    model = in_ranges(4)
    assert model.open is not None
    closed = replace(model.open, uri="s10.mp4")
    model = replace(
        model, segments=(*model.segments, closed), open=None, hints=(PreloadHint(HintType.PART, "s11.mp4"),)
    )
    script.answer(f"{LIST}?_HLS_msn=10&_HLS_part=1", 102.0, render(model), 200, **TYPE)
    Viewer(core).get("/live/x/v/s10.mp4", 102.1)
    script.answer("/live/x/v/s10.mp4", 102.2, b"a" * 400, 200, **answer)
    assert Viewer(core).get("/live/x/v/s10.mp4", 102.3).answer.outcome is Outcome.HIT
    assert "/live/x/v/s11.mp4" not in script.targets


def test_rule_88_a_viewer_held_for_the_segment_after_the_open_one_is_not_refused_when_that_one_opens() -> None:
    stream = LiveStream()
    script, core = followed(stream)
    viewer = Viewer(core).get(f"{LIST}?_HLS_msn={stream.msn + 1}&_HLS_part=7", 100.1)
    for step in range(1, 9):  # two segments of four parts: part 7 of the first is part 0 of the one behind it
        assert viewer.answers == [], step
        target = held(stream)
        stream.step()
        script.playlist(target, 100 + step / 2, stream)
    stream.step()
    script.playlist(held_before(stream), 104.5, stream)
    assert viewer.status == 200


def held_before(stream: LiveStream) -> str:
    """What the follower asked for before the last part."""
    return f"{LIST}?_HLS_msn={stream.msn}&_HLS_part={len(stream.open) - 1}"
