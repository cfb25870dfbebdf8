"""Streams outlive their publishers and their server: same URL, numbers that go forward, names never used twice."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from headwater.loadtest.bench.chromium import browser, figures, open_player, wait_playing
from headwater.loadtest.bench.processes import Peer, wait_until
from headwater.loadtest.bench.server import Headwater
from headwater.origin.hls import reader
from headwater.origin.hls.model import MediaPlaylist

from .sources import SOURCES

pytestmark = [pytest.mark.peer, pytest.mark.timeout(180)]

SOURCE = dataclasses.replace(SOURCES["h264-aac"], name="immortal", seconds=120)
PLAYLIST = "/live/immortal/source/index.m3u8"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Headwater]:
    """A server of its own for each test."""
    server = Headwater(tmp_path / "server").start()
    yield server
    server.stop()


class Encoder:
    """ffmpeg that is started again whenever it ends, as an operator's loop does; `pause` keeps it down."""

    def __init__(self, server: Headwater, folder: Path) -> None:
        self._command = SOURCE.push_command(SOURCE.make(folder), server.rtmp("immortal"), loop=True)
        self._folder = folder
        self._stop = threading.Event()
        self._down = threading.Event()
        self._peer: Peer | None = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Encoder:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def pause(self) -> None:
        """Stop it as an operator does (SIGTERM: it says goodbye)."""
        self._down.set()

    def resume(self) -> None:
        self._down.clear()

    def _run(self) -> None:
        while not self._stop.is_set():
            if self._down.is_set():
                self._end()
            elif self._peer is None or self._peer.returncode is not None:
                self._peer = Peer(self._command, self._folder / "encoder.log")
            time.sleep(0.5)
        self._end()

    def _end(self) -> None:
        if self._peer is not None:
            self._peer.stop(5)
            self._peer = None


class Watcher:
    """Polls the playlist and fetches every part and segment that it lists; remembers what each name held."""

    def __init__(self, server: Headwater) -> None:
        self._server = server
        self.contents: dict[str, str] = {}
        self.changed: list[str] = []

    def poll(self) -> MediaPlaylist | None:
        """The playlist now, or None when there is none; its newest names are fetched."""
        status, body = self._server.get(PLAYLIST)
        if status != 200:
            return None
        playlist = reader.read(body.decode())
        for segment in playlist.segments[-4:]:
            if segment.uri and not segment.gap:
                self._fetch(segment.uri)
        return playlist

    def _fetch(self, uri: str) -> None:
        status, body = self._server.get(f"/live/immortal/source/{uri}")
        if status == 200:
            found = hashlib.sha256(body).hexdigest()
            if self.contents.setdefault(uri, found) != found:
                self.changed.append(uri)


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_the_same_url_plays_on_after_a_restart_of_the_server(server: Headwater, tmp_path: Path, how: str) -> None:
    watcher = Watcher(server)
    with Encoder(server, tmp_path), browser() as chromium:
        wait_until(lambda: watcher.poll() is not None, timeout_s=30, what="playable")
        page = open_player(chromium, server.url("/live/immortal/"))
        wait_playing(page)
        page.evaluate("window.sameDocument = true")
        time.sleep(4)
        before = watcher.poll()
        assert before is not None
        names = set(watcher.contents)
        if how == "stop":
            assert server.stop() == 0
        else:
            server.kill()
        server.start()
        wait_until(lambda: _has_new_media(watcher, names), timeout_s=40, what="new media after the restart")
        after = watcher.poll()
        assert after is not None
        assert after.last_msn > before.last_msn
        assert after.target_duration == before.target_duration
        assert after.part_target == before.part_target
        assert watcher.changed == []
        _plays_on(page)
        assert page.evaluate("window.sameDocument") is True


def _has_new_media(watcher: Watcher, names: set[str]) -> bool:
    watcher.poll()
    return bool(set(watcher.contents) - names)


@pytest.mark.parametrize("pause_s", [2, 14])
def test_players_resume_when_the_publisher_comes_back(server: Headwater, tmp_path: Path, pause_s: float) -> None:
    watcher = Watcher(server)
    with Encoder(server, tmp_path) as encoder, browser() as chromium:
        wait_until(lambda: watcher.poll() is not None, timeout_s=30, what="playable")
        page = open_player(chromium, server.url("/live/immortal/"))
        wait_playing(page)
        page.evaluate("window.sameDocument = true")
        encoder.pause()
        time.sleep(pause_s)
        during = watcher.poll()
        assert during is not None and not during.ended
        encoder.resume()
        _plays_on(page)
        assert page.evaluate("window.sameDocument") is True
        assert figures(page)["reloads"] == 0
        after = watcher.poll()
        assert after is not None and after.last_msn > during.last_msn
        assert watcher.changed == []


def _plays_on(page) -> None:  # type: ignore[no-untyped-def]
    """The picture moves again, near the live edge."""
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        earlier = figures(page)
        page.wait_for_timeout(2000)
        later = figures(page)
        if later["time"] - earlier["time"] > 1.5 and later["latency"] < 5:
            return
    raise AssertionError(f"the player does not go on: {later}")
