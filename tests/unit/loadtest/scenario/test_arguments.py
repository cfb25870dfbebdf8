"""Durations as they are written, and the two shapes of the command."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from headwater.loadtest.records import Abr, Cmcd, Mode
from headwater.loadtest.scenario.arguments import ABR, CMCD, COMPARE, MODES, add_to, seconds, seconds_range


def parsed(*words: str) -> dict[str, object]:
    parser = argparse.ArgumentParser()
    add_to(parser.add_subparsers(dest="command"))
    return vars(parser.parse_args(words))


@pytest.mark.parametrize(
    ("text", "expected"), [("10", 10), ("1.5m", 90), ("500ms", 0.5), ("2h", 7_200), ("3min", 180), (" 4s ", 4)]
)
def test_durations(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "s", "-1", "1e9", "5 x", "1d", "nan"])
def test_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        seconds(text)


def test_ranges() -> None:
    assert seconds_range("30s-2m") == (30, 120)
    assert seconds_range("5s") == (5, 5)


def test_only_what_is_said_is_there() -> None:
    assert parsed("loadtest", "http://h/") == {"command": "loadtest", "url": "http://h/"}
    assert parsed("loadtest", "--arrive", "5s", "--assert", "a < 1", "--assert", "b < 2") == {
        "command": "loadtest",
        "arrive_s": 5,
        "invariants": ["a < 1", "b < 2"],
    }
    assert parsed(COMPARE, "a", "b") == {"command": COMPARE, "before": Path("a"), "after": Path("b")}


@pytest.mark.parametrize("words", [("--arrive", "5", "--rate", "3"), ("--mode", "x"), ("--arrive", "x"), ("a", "b")])
def test_what_argparse_refuses(words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit):
        parsed("loadtest", *words)


def test_choices_are_those_of_the_vocabulary() -> None:
    assert (tuple(Mode), tuple(Abr), tuple(Cmcd)) == (MODES, ABR, CMCD)
