"""Pinned playlists on a stepped clock."""

from __future__ import annotations

import pytest
from tests.edge_kit import UNIX, LiveStream, Script, Viewer, make_core

from headwater.edge.core import Core
from headwater.edge.gate import Gate
from headwater.edge.message import Purpose
from headwater.edge.pins import MAX_PINS, BadPin, Pins, read_pin

MASTER = "/live/x/index.m3u8"
LIST = "/live/x/v/index.m3u8"
TEXT = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv/index.m3u8\n"


def pinned(grace_s: float = 30.0) -> tuple[Script, Core, Pins]:
    script = Script()
    core = make_core(script, grace_s=grace_s)
    return script, core, Pins(core, (MASTER,), grace_s)


def go(script: Script, core: Core, pins: Pins, stream: LiveStream, start: float, seconds: float) -> None:
    """Time passes at an upstream that has the stream."""
    now = start
    while now < start + seconds:
        for target in script.targets:
            if target == MASTER:
                script.answer(
                    MASTER, now, TEXT, content_type="application/vnd.apple.mpegurl", cache_control="max-age=2"
                )
            elif target == LIST:
                script.playlist(LIST, now, stream)
            elif "_HLS_" not in target and stream.name not in target:
                script.answer(target, now, b"media", content_type="video/mp4", cache_control="max-age=60")
        pins.handle_timeout(now)
        core.handle_timeout(now)
        now += 0.5


def test_a_pin_is_followed_and_warm_before_the_first_viewer() -> None:
    script, core, pins = pinned()
    stream = LiveStream()
    go(script, core, pins, stream, 100.0, 3.0)
    assert core.followers == 1
    prefetched = {request.target for request in script.seen if request.purpose is Purpose.PREFETCH}
    assert "/live/x/v/init.mp4" in prefetched
    assert f"/live/x/v/{stream.name}" in prefetched
    seen = len(script.seen)
    assert Viewer(core).get(LIST, 103.0).status == 200
    assert len(script.seen) == seen
    assert pins.listing() == [{"path": MASTER, "configured": True, "status": 200, "playlists": {LIST: 200}}]


def test_it_stays_followed_without_viewers_and_is_let_go_when_the_pin_is() -> None:
    script, core, pins = pinned(grace_s=4.0)
    pins.add("/live/y/index.m3u8")
    stream = LiveStream()
    held = f"{LIST}?_HLS_msn={stream.msn}&_HLS_part=0"
    go(script, core, pins, stream, 100.0, 40.0)
    assert core.followers == 1
    assert held in script.targets
    free = Pins(core, (), 4.0)
    go(script, core, free, stream, 140.0, 10.0)
    assert core.followers == 0


def test_a_stream_that_is_not_there_yet_is_asked_for_every_few_seconds() -> None:
    script, _, pins = pinned()
    now = 100.0
    while now < 130.0:
        pins.handle_timeout(now)
        if script.pending:
            script.answer(MASTER, now, status=404)
        now += 0.05
    assert 5 <= len(script.seen) <= 7
    assert pins.listing()[0]["status"] == 404


def test_pins_need_no_playback_token() -> None:
    script, core, pins = pinned()
    core.gate = Gate((), core.tally)
    core.gate.tell_time(100.0, UNIX)
    assert Viewer(core).get(MASTER, 100.0).status in (401, 403)
    go(script, core, pins, LiveStream(), 100.0, 3.0)
    assert core.followers == 1


def test_pins_are_no_viewers_in_the_metrics() -> None:
    script, core, pins = pinned()
    go(script, core, pins, LiveStream(), 100.0, 20.0)
    assert sum(core.tally.requests.values()) == 0


def test_adding_and_removing() -> None:
    script, core, pins = pinned()
    assert pins.add("/live/y/index.m3u8?b=1&a=2")
    assert not pins.add("/live/y/index.m3u8?a=2&b=1")
    pins.handle_timeout(100.0)
    assert "/live/y/index.m3u8?a=2&b=1" in script.targets or "/live/y/index.m3u8" in script.targets
    assert core.tally.held == 2
    assert pins.remove("/live/y/index.m3u8?a=2&b=1")
    assert core.tally.held == 1
    assert not pins.remove("/live/y/index.m3u8")
    with pytest.raises(BadPin, match="settings"):
        pins.remove(MASTER)
    pins.stop()
    assert core.tally.held == 0


@pytest.mark.parametrize(
    "path", ["", "live/x/index.m3u8", "/a/../b.m3u8", "/a\n.m3u8", "/p.mp4", "/é.m3u8", "/" + "a" * 600]
)
def test_what_cannot_be_pinned(path: str) -> None:
    with pytest.raises(BadPin):
        read_pin(path)


def test_the_number_of_pins_is_bounded() -> None:
    _, _, pins = pinned()
    for n in range(MAX_PINS - 1):
        pins.add(f"/{n}.m3u8")
    with pytest.raises(BadPin, match=str(MAX_PINS)):
        pins.add("/one-more.m3u8")
