"""A broadcaster on a lossy uplink, a viewer in Chromium: the short version of `make soak SOAK=srt-soak`."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.encoded import flash_source

from headwater.loadtest.bench import srt_watch

pytestmark = [pytest.mark.peer, pytest.mark.heavy, pytest.mark.timeout(240)]

WATCH_S = 12


def test_five_percent_of_loss_cost_no_stall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(srt_watch, "make_source", lambda _, seconds: flash_source(seconds))
    found = srt_watch.run(tmp_path, seconds=WATCH_S, ladder=False, say=print, source_s=32)
    print(found)
    assert found.problems == []
    assert len(found.content_s) >= 4
