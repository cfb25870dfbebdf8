"""Playback tokens with real players: hls.js in Chromium on the player page, and ffmpeg, from `headwater token` on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from headwater.loadtest.bench.chromium import browser, figures, open_player, wait_playing
from headwater.loadtest.bench.processes import FFMPEG, wait_until
from headwater.loadtest.bench.server import Headwater

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120)]

SECRET = "a-secret-of-some-length"
KEYS = f'[edge.tokens]\nkeys = [{{ id = "2026-11", secret = "{SECRET}" }}]\n'


def minted(server: Headwater, path: str, *options: str) -> str:
    """What `headwater token` prints, with the key of the server's own settings."""
    config = server.folder / "headwater.toml"
    command = [sys.executable, "-m", "headwater.config.cli", "token", path, "--config", str(config), *options]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_players_from_a_minted_token_on(tmp_path: Path) -> None:
    server = Headwater(tmp_path / "server", extra=KEYS, demo=True).start()
    try:
        playlist = minted(server, "/live/demo/index.m3u8", "--ip", "127.0.0.0/8")
        token = playlist.split("/")[2]
        wait_until(lambda: server.get(playlist)[0] == 200, timeout_s=40, what="the demo is playable with a token")
        assert server.get("/live/demo/index.m3u8")[0] == 403
        assert server.get("/healthz")[0] == 200
        with browser() as chromium:
            page = open_player(chromium, server.url(f"/live/demo/?token={token}"))
            start = wait_playing(page)
            page.wait_for_timeout(5_000)
            seen = figures(page)
            assert page.url == server.url(f"/t/{token}/live/demo/")
        assert seen["time"] - start["time"] > 2, (start, seen)
        url = server.url(f"/live/demo/index.m3u8?token={token}")
        command = [FFMPEG, "-v", "error", "-i", url, "-t", "2", "-c", "copy", "-f", "null", "-"]
        read = subprocess.run(command, capture_output=True, text=True, timeout=40)
        assert (read.returncode, read.stderr) == (0, "")
        status, body = server.get(minted(server, "/live/demo/index.m3u8", "--expires", "0s"))
        assert (status, body) == (403, b"403 Forbidden: the playback token has expired\n")
        assert server.metric("headwater_edge_tokens_total", at="edge_admin") > 20
        assert token not in server.get("/metrics", at="edge_admin")[1].decode()
    finally:
        code = server.stop()
    assert code == 0
    assert token not in server.text()
    assert SECRET not in server.text()
