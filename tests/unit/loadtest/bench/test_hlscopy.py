"""What ffmpeg says of its progress."""

from __future__ import annotations

from headwater.loadtest.bench.hlscopy import last_frames

ENTRY = "frame={frames}\nfps=15.0\nbitrate=N/A\ntotal_size=N/A\nout_time=00:00:02.000000\nprogress=continue\n"


def test_the_last_whole_entry_counts() -> None:
    assert last_frames("") == last_frames("fps=15.0\nprogress=continue\n") == 0
    account = ENTRY.format(frames=30) + ENTRY.format(frames="  45")
    assert last_frames(account) == 45
    assert last_frames(account + "frame=6") == 45, "half a line"
    assert last_frames("me=12\n" + account[10:]) == 45
