"""Marks end with their time, and are bounded."""

from __future__ import annotations

import pytest

from headwater.edge import marks
from headwater.edge.marks import Marks


def test_a_mark_lasts_until_its_time() -> None:
    some = Marks()
    some.set("/a", 10.0)
    assert some.has("/a", 9.9)
    assert not some.has("/a", 10.0)
    assert not some.has("/b", 0.0)


def test_the_oldest_are_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marks, "MAX_MARKS", 2)
    some = Marks()
    for key in ("/a", "/b", "/a", "/c"):
        some.set(key, 10.0)
    assert [some.has(key, 1.0) for key in ("/a", "/b", "/c")] == [True, False, True]
    assert len(some) == 2
