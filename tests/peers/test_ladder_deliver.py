"""The rungs as the edge delivers them: decoded by ffmpeg, aligned with the source, in time with the sound, in parts."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import pytest
from playwright.sync_api import Browser

from headwater.loadtest.bench.capture import Heard, listen
from headwater.loadtest.bench.chromium import browser, open_player
from headwater.loadtest.bench.processes import Peer
from headwater.loadtest.bench.server import Headwater
from headwater.origin.hls import reader

from .ladder import (
    LIP_S,
    RUNGS,
    SOUND,
    SOUND_TOML,
    Flashing,
    check_boundaries,
    decode_audio,
    decode_video,
    lip_offsets,
    summary,
    variants,
    wait_offered,
)
from .matrix import Frames, decode, largest_step

pytestmark = [pytest.mark.peer, pytest.mark.heavy, pytest.mark.timeout(120)]

STREAM = "deliver"
ALL = ("source", *RUNGS, "audio", SOUND)
FRAME_S = {"source": 1 / 30, "240p": 1 / 30, "144p": 1 / 30, "audio": 1024 / 48_000, SOUND: 1024 / 48_000}
FOLLOW_S = 9


@dataclass
class Seen:
    """All that one run showed."""

    server: Headwater
    heard: dict[str, Heard]
    frames: Frames


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """One stream with its ladder, followed by a part client per rendition and decoded by a plain `ffmpeg -i`."""
    folder = tmp_path_factory.mktemp("deliver")
    server = Headwater(folder / "server", extra=SOUND_TOML).start()
    push: Peer | None = None
    try:
        push = Flashing(STREAM, seconds=90).start(server, folder)
        wait_offered(server, STREAM, ALL)

        async def watch() -> tuple[dict[str, Heard], Frames]:
            async with asyncio.TaskGroup() as group:
                heard = group.create_task(listen(server.url(f"/live/{STREAM}/"), ALL, FOLLOW_S))
                frames = group.create_task(decode(server.url(f"/live/{STREAM}/index.m3u8")))
            return heard.result(), frames.result()

        heard, frames = asyncio.run(watch())
        yield Seen(server, heard, frames)
    finally:
        if push is not None:
            push.kill()
        code = server.stop()
    assert code == 0
    assert "Traceback" not in server.text(), server.text()


def test_plain_ffmpeg_decodes_every_rendition_without_error_or_gap(seen: Seen) -> None:
    assert seen.frames.complaints == ""
    # libavformat makes streams of every variant and of every audio rendition.
    assert len(seen.frames.times) == len(ALL)
    for times in seen.frames.times.values():
        assert largest_step(times) < 0.05


def test_every_rendition_begins_its_segments_at_the_same_instants(seen: Seen) -> None:
    assert len(check_boundaries(seen.heard, FRAME_S)) >= 3
    for heard in seen.heard.values():
        assert heard.gaps == []


def test_frames_are_whole_in_number_and_in_size(seen: Seen) -> None:
    shared = check_boundaries(seen.heard, FRAME_S)
    sizes = {"source": (640, 360), "240p": (426, 240), "144p": (256, 144)}
    for name, size in sizes.items():
        decoded = decode_video(seen.heard[name], shared)
        assert len(decoded.times) == 60 * len(shared), name
        assert decoded.size == size
        assert largest_step(decoded.times) < 1.5 / 30


def test_picture_and_sound_belong_together_in_every_rendition(seen: Seen) -> None:
    shared = check_boundaries(seen.heard, FRAME_S)
    sounds = {name: decode_audio(seen.heard[name], shared) for name in ("audio", SOUND)}
    for video in ("source", *RUNGS):
        picture = decode_video(seen.heard[video], shared)
        for name, sound in sounds.items():
            offsets = lip_offsets(picture, sound)
            assert len(offsets) >= 2 * len(shared) - 1
            assert max(map(abs, offsets)) < LIP_S, (video, name, offsets)


def test_the_rungs_repeat_the_source_frame_by_frame(seen: Seen) -> None:
    """The flash begins on the same frame in the source and in each rung."""
    shared = check_boundaries(seen.heard, FRAME_S)
    source = decode_video(seen.heard["source"], shared).onsets(128)
    for name in RUNGS:
        for flash, first in zip(decode_video(seen.heard[name], shared).onsets(128), source, strict=True):
            assert abs(flash - first) < 0.5 / 30, name


def test_parts_keep_the_part_target(seen: Seen) -> None:
    for name, heard in seen.heard.items():
        status, body = seen.server.get(f"/live/{STREAM}/{name}/index.m3u8")
        assert status == 200
        playlist = reader.read(body.decode())
        assert playlist.part_target is not None
        for parts in heard.whole().values():
            lengths = [part.end - part.start for part in parts]
            assert max(lengths) <= playlist.part_target + 0.0005, name
            assert all(length >= 0.85 * playlist.part_target - 0.0005 for length in lengths[:-1]), (name, lengths)


def test_playlists_claim_what_the_rungs_are(seen: Seen) -> None:
    found = variants(seen.server, STREAM)
    assert found.keys() == set(ALL)
    assert "RESOLUTION=426x240" in found["240p"] and "FRAME-RATE=30.000" in found["240p"]
    assert "RESOLUTION=256x144" in found["144p"]
    bandwidth = [int(found[name].split("BANDWIDTH=")[1].split(",")[0]) for name in ("source", *RUNGS)]
    assert bandwidth == sorted(bandwidth, reverse=True)


def test_streams_json_tells_of_the_ladder(seen: Seen) -> None:
    found = summary(seen.server, STREAM)
    assert {one["name"] for one in found["renditions"] if one["offered"]} == set(ALL)
    assert {one["name"] for one in found["renditions"] if one["encoded"]} == {*RUNGS, SOUND}
    assert found["ladder"]["state"] == "running"
    assert found["ladder"]["level"] == 0
    assert found["ladder"]["speed"] > 1


def test_thumbnails_are_pictures_of_the_stream(seen: Seen) -> None:
    for name in ("thumb.jpg", "thumb.webp"):
        status, body = seen.server.get(f"/live/{STREAM}/{name}")
        assert status == 200, name
        with av.open(io.BytesIO(body), "r") as container:
            (frame,) = container.decode(video=0)
            assert (frame.width, frame.height) == (320, 180)
    assert seen.server.get("/live/nobody/thumb.jpg")[0] == 404


def test_the_list_page_shows_them_without_a_jump(seen: Seen, tmp_path: Path) -> None:
    with browser() as chromium:
        _look_at_list(chromium, seen.server, tmp_path)


def _look_at_list(chromium: Browser, server: Headwater, folder: Path) -> None:
    context = chromium.new_context(viewport={"width": 360, "height": 740})
    page = context.new_page()
    missing = context.new_page()
    missing.route("**/thumb.*", lambda route: route.fulfill(status=404))
    boxes = []
    for one in (page, missing):
        one.goto(server.url("/"))
        frame = one.wait_for_selector(".thumb")
        assert frame is not None
        boxes.append(frame.bounding_box())
    page.wait_for_selector(".thumb[data-shown]")
    frame = page.query_selector(".thumb")
    assert frame is not None
    assert boxes[0] == boxes[1] == frame.bounding_box()
    # The picture has colours: testsrc2 is anything but grey.
    spread = page.evaluate(
        """() => {
            const canvas = document.querySelector('.thumb canvas');
            const { data } = canvas.getContext('2d').getImageData(0, canvas.height - 20, canvas.width, 1);
            const red = data.filter((_, at) => at % 4 === 0);
            return Math.max(...red) - Math.min(...red);
        }"""
    )
    assert spread > 100
    assert missing.query_selector(".thumb[data-shown]") is None
    page.screenshot(path=str(folder / "list.png"))
    context.close()


TOLD_AND_SHOWN_AGREE = """() => {
  const told = window.headwater.ladder;
  if (told === null) return false;
  const shown = document.querySelector("[data-figure=ladder]").innerText;
  const hidden = document.getElementById("reduced").hidden;
  return shown === (told.level ? told.reduced : "full quality") && hidden === !told.level;
}"""
"""Looked at in one instant: a busy machine changes the level, and the figures follow once a second."""


def test_the_player_page_offers_the_rungs(seen: Seen) -> None:
    with browser() as chromium:
        page = open_player(chromium, seen.server.url(f"/live/{STREAM}/"))
        page.wait_for_function("document.querySelectorAll('#quality option').length === 4")
        assert page.eval_on_selector_all("#quality option", "found => found.map((one) => one.value)") == [
            "auto",
            "source",
            *RUNGS,
        ]
        page.select_option("#quality", "144p")
        page.wait_for_function("document.querySelector('video').videoWidth === 256", timeout=15_000)
        # The figure follows the picture once hls.js has said so, and the page is drawn again.
        page.wait_for_function("document.querySelector('[data-figure=rendition]').innerText === '144p'", timeout=5_000)
        page.wait_for_function(TOLD_AND_SHOWN_AGREE, timeout=10_000)
        assert page.inner_text("[data-figure=offered]") == ", ".join(("source", *RUNGS))
        assert "real time" in page.inner_text("[data-figure=speed]")
        page.context.close()
