"""Bounds of the units."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from headwater.config import units


@pytest.mark.parametrize(
    ("unit", "good", "bad"),
    [
        (units.Port, (0, 65_535), (-1, 65_536)),
        (units.Seconds, (0.001, 86_400), (0, 86_401, float("nan"), float("inf"))),
        (units.Milliseconds, (1, 3_600_000), (0,)),
        (units.Bytes, (1, units.GIB), (0, 1 << 45)),
        (units.Count, (1,), (0, 10_000_001)),
        (units.BitRate, (1_000,), (999,)),
    ],
)
def test_bounds(unit: Any, good: tuple[float, ...], bad: tuple[float, ...]) -> None:
    adapter: TypeAdapter[float] = TypeAdapter(unit)
    for value in good:
        assert adapter.validate_python(value) == value
    for value in bad:
        with pytest.raises(ValidationError):
            adapter.validate_python(value)
