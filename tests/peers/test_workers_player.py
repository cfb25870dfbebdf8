"""hls.js in Chromium at an edge of two workers: whatever dies or is replaced there, no player ends."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

import pytest

from headwater.loadtest.bench.chromium import browser, figures, open_player, wait_playing
from headwater.loadtest.bench.edge import EdgeNode
from headwater.loadtest.bench.processes import running, wait_until
from headwater.loadtest.bench.server import Headwater

from .test_workers import SOURCE, restarted

pytestmark = [pytest.mark.peer, pytest.mark.heavy, pytest.mark.timeout(240)]

BETWEEN_S = 6
"""From one blow to the next."""
STALLED_S = 4.0
"""All blows together: a part or two each, on a busy machine."""


def test_no_player_ends_when_processes_die_or_make_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    origin = Headwater(tmp_path / "origin").start()
    edge = EdgeNode(tmp_path, "edge", {"origin": origin.url("", at="origin")}, workers=2)
    push = SOURCE.push_command(SOURCE.make(tmp_path), origin.rtmp("workers"), loop=True)
    try:
        with running(push, tmp_path / "ffmpeg"), browser() as chromium:
            origin.wait_playable("workers")
            wait_until(edge.whole, timeout_s=90, what="all processes", peer=edge.peer)
            pages = [open_player(chromium, f"{edge.base}/live/workers/") for _ in range(3)]
            before = [wait_playing(page) for page in pages]

            def wait() -> None:
                pages[0].wait_for_timeout(BETWEEN_S * 1000)

            for name in ("0", "1", "node"):
                wait_until(edge.whole, timeout_s=60, what="the process that takes the place", peer=edge.peer)
                os.kill(edge.processes()[name], signal.SIGKILL)
                wait()
            os.kill(edge.peer.pid, signal.SIGHUP)
            wait_until(partial(restarted, edge, 1), timeout_s=90, what="the hot restart", peer=edge.peer)
            wait()
            after = [figures(page) for page in pages]
        for one, other in zip(before, after, strict=True):
            with capsys.disabled():
                seen = {"stalls": other["stalls"] - one["stalls"], "played": round(other["time"] - one["time"], 1)}
                print(f" {seen} errors: {[error['detail'] for error in other['errors']]}", end="")
            assert not [error for error in other["errors"] if error["fatal"]]
            assert other["time"] - one["time"] > 4 * BETWEEN_S - STALLED_S
    finally:
        edge.peer.kill()
        origin.kill()
