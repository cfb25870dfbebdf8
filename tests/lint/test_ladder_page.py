"""docs/ladder.md says what the code does."""

from __future__ import annotations

import re
import tomllib
from fractions import Fraction
from pathlib import Path

import pytest

from headwater.config.settings import Settings
from headwater.config.settings_encode import LongGop
from headwater.ingest.encode.shape import HEIGHTS, LOW_HEIGHT, Shape, bitrate_for, scaled
from headwater.ingest.media import Codec

PAGE = (Path(__file__).parents[2] / "docs" / "ladder.md").read_text()


def test_the_table_of_bit_rates() -> None:
    rows = re.findall(r"^\| (\d+)p \| (\d+x\d+) \| ([\d. |]+) \|$", PAGE, re.MULTILINE)
    assert [int(row[0]) for row in rows] == [*HEIGHTS, LOW_HEIGHT]
    columns = ((30, Codec.H264), (60, Codec.H264), (30, Codec.HEVC), (30, Codec.AV1))
    for height, size, rates in rows:
        shape = scaled(Shape(1920, 1080), int(height))
        assert str(shape) == size
        made = [f"{bitrate_for(shape, Fraction(fps), codec) / 1e6:.2f}" for fps, codec in columns]
        assert rates.split(" | ") == made


@pytest.mark.parametrize("example", re.findall(r"(?:^    .*\n|^\n(?=    ))+", PAGE, re.MULTILINE))
def test_the_examples_are_settings(example: str) -> None:
    if "[ingest.encode" not in example and "[[ingest.encode" not in example:
        assert "headwater config check" in example
        return
    Settings.model_validate(tomllib.loads(re.sub(r"^    ", "", example, flags=re.MULTILINE)))


def test_every_choice_for_long_gops_is_explained() -> None:
    assert all(f"| `{value}`" in PAGE for value in LongGop.__args__)  # type: ignore[attr-defined]
