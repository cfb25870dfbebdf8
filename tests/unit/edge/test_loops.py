"""CDN-Loop (RFC 8586)."""

from __future__ import annotations

import pytest

from headwater.edge.loops import MAX_TIERS, looping


@pytest.mark.parametrize("passed", ["me", "a, me", 'a;v="1", me;x=y', "me;x, b"])
def test_our_own_entry_is_a_loop(passed: str) -> None:
    assert looping(passed, "me") is not None


@pytest.mark.parametrize("passed", ["a", "a, b", "mean", "cdn.example:80, fastly;x=me"])
def test_others_are_not(passed: str) -> None:
    assert looping(passed, "me") is None


def test_the_depth_is_bounded() -> None:
    assert looping(", ".join(["a"] * MAX_TIERS), "me") is None
    assert looping(", ".join(["a"] * (MAX_TIERS + 1)), "me") is not None


@pytest.mark.parametrize("passed", ["a" * 2_000, "caf\xe9", "a\tb"])
def test_nonsense_is_not_passed_on(passed: str) -> None:
    assert looping(passed, "me") is not None
