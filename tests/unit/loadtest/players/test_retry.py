"""Retries as hls.js does them."""

from __future__ import annotations

import pytest

from headwater.loadtest.players.lane import Kind
from headwater.loadtest.players.retry import pause


@pytest.mark.parametrize(
    ("kind", "why", "pauses"),
    [
        (Kind.PART, "status 404", [1, 2, 4, 8, 8, 8, None]),
        (Kind.SEGMENT, "reset", [1, 2, 4, 8, 8, 8, None]),
        (Kind.INIT, "timeout", [0, 0, 0, 0, None]),
        (Kind.PLAYLIST, "status 503", [1, 2, None]),
        (Kind.PLAYLIST, "timeout", [0, 0, None]),
        (Kind.MULTIVARIANT, "malformed", [1, None]),
    ],
)
def test_pauses(kind: Kind, why: str, pauses: list[float | None]) -> None:
    assert [pause(kind, why, tries) for tries in range(len(pauses))] == pauses
