"""A broadcaster on a lossy uplink, a viewer in Chromium: the short version of `make soak SOAK=srt-soak`."""

from __future__ import annotations

from pathlib import Path

import pytest

from headwater.loadtest.bench.srt_watch import run

pytestmark = [pytest.mark.peer, pytest.mark.alone, pytest.mark.timeout(240)]

WATCH_S = 12


def test_five_percent_of_loss_cost_no_stall(tmp_path: Path) -> None:
    found = run(tmp_path, seconds=WATCH_S, ladder=False, say=print, source_s=32)
    print(found)
    assert found.problems == []
    assert len(found.content_s) >= 4
