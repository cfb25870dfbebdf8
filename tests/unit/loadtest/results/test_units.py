from __future__ import annotations

import pytest

from headwater.loadtest.results import units


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 ms"),
        (0.0000015, "2 us"),
        (0.0009994, "999 us"),
        (0.0009996, "1.00 ms"),
        (0.01234, "12.3 ms"),
        (0.1, "100 ms"),
        (0.99949, "999 ms"),
        (0.99951, "1.00 s"),
        (100, "100 s"),
        (125, "2 min 5 s"),
        (7260, "2 h 1 min"),
        (-0.0012, "-1.20 ms"),
    ],
)
def test_durations(seconds: float, shown: str) -> None:
    assert units.duration(seconds) == shown


def test_microseconds() -> None:
    assert units.microseconds(250_000) == "250 ms"
    assert units.microseconds(None) == "–"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0 B"), (12, "12 B"), (1500, "1.50 kB"), (999_600, "1.00 MB"), (64e6, "64.0 MB"), (2e15, "2000 TB")],
)
def test_sizes(value: float, shown: str) -> None:
    assert units.size(value) == shown


def test_rates_take_their_unit() -> None:
    assert units.size(3.2e6, "bit/s") == "3.20 Mbit/s"


@pytest.mark.parametrize(
    ("value", "shown"), [(0, "0 %"), (0.00123, "0.123 %"), (0.5, "50 %"), (1, "100 %"), (12.3, "1230 %")]
)
def test_shares(value: float, shown: str) -> None:
    assert units.share(value) == shown


@pytest.mark.parametrize(("value", "shown"), [(12345, "12,345"), (1.5, "1.5"), (0.12345, "0.123"), (1234.5, "1,234")])
def test_numbers(value: float, shown: str) -> None:
    assert units.number(value) == shown
