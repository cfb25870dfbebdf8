"""The doctor as a command, on a real server with a real ffmpeg in front."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from headwater.loadtest.bench.processes import Peer
from headwater.loadtest.bench.server import Headwater

from .sources import SOURCES

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120)]

WATCH_S = 6
USUAL = {138, 176, 184}
"""Advice: plain HTTP, one variant, no I-frame playlist."""


def test_nothing_is_found_on_our_own_stream(tmp_path: Path) -> None:
    source = SOURCES["h264-aac"]
    # The first playlist covers the hold-back, as it does by default (rule 18).
    server = Headwater(tmp_path / "server", first_playlist_s=12).start()
    push = Peer(source.push_command(source.make(tmp_path), server.rtmp("show"), loop=True), tmp_path / "push.log")
    try:
        server.wait_playable("show", timeout_s=60)
        url = server.url("/live/show/index.m3u8")
        command = [sys.executable, "-m", "headwater.config.cli", "doctor", url, "--seconds", str(WATCH_S), "--json"]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        report = json.loads(ended.stdout)
        assert {finding["rule"] for finding in report["findings"]} == USUAL, ended.stdout
        assert {finding["severity"] for finding in report["findings"]} == {"advice"}
        assert [rendition["name"] for rendition in report["renditions"]] == ["source", "audio"]
        assert all(rendition["parts"] >= WATCH_S for rendition in report["renditions"])
        assert not report["notes"]
    finally:
        push.kill()
        assert server.stop() == 0
