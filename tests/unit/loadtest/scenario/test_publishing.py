"""Publishers of a scenario: their names and options, and which faults are possible."""

from __future__ import annotations

from fractions import Fraction

import pytest
from pydantic import TypeAdapter, ValidationError

from headwater.loadtest.scenario.publishing import Fault, Publisher

SRT = "srt://127.0.0.1:8890?streamid=publish:live/a{n}&passphrase=0123456789"


def fault(**values: object) -> object:
    return TypeAdapter(Fault).validate_python({"at_s": 1, **values})


def test_names_are_numbered() -> None:
    publisher = Publisher(url="rtmp://h/live/a{n}?key=secret", count=3)
    assert [publisher.url_of(number) for number in (1, 3)] == [
        "rtmp://h/live/a1?key=secret",
        "rtmp://h/live/a3?key=secret",
    ]
    assert publisher.shown(2) == "publisher rtmp://h/live/a2"
    assert Publisher(url=SRT, count=2).shown(2) == "publisher srt://127.0.0.1:8890 #2"
    assert Publisher(url=SRT).shown(1) == "publisher srt://127.0.0.1:8890"


def test_options() -> None:
    options = Publisher(url="rtmp://h/live/a", fps=50, bitrate=100_000, audio=False).options()
    options.check()
    assert (options.url, options.fps, options.bitrate, options.audio) == (
        "rtmp://h/live/a",
        Fraction(50),
        100_000,
        False,
    )
    assert options.quiet


@pytest.mark.parametrize(
    ("url", "file", "values", "possible"),
    [
        ("rtmp://h/live/a", None, {"kind": "jump", "by_s": -5}, True),
        ("rtmp://h/live/a", "x", {"kind": "spike", "for_s": 1, "factor": 2}, True),
        ("rtmp://h/live/a", None, {"kind": "loss", "for_s": 1, "percent": 2}, False),
        (SRT, None, {"kind": "loss", "for_s": 1, "percent": 2}, True),
        (SRT, None, {"kind": "jump", "by_s": 5}, True),
        (SRT, None, {"kind": "jump", "by_s": -5}, False),
        (SRT, "x", {"kind": "loss", "for_s": 1, "percent": 2}, True),
        (SRT, "x", {"kind": "disconnect", "for_s": 1}, True),
        (SRT, "x", {"kind": "stall", "for_s": 1}, False),
    ],
)
def test_what_is_possible(url: str, file: str | None, values: dict[str, object], possible: bool) -> None:
    given = {"url": url, "file": file, "faults": [fault(**values)]}
    if possible:
        assert Publisher.model_validate(given).faults
        return
    with pytest.raises(ValidationError):
        Publisher.model_validate(given)


@pytest.mark.parametrize("url", ["http://h/a", "rtmp://h", "srt://h", "srt://h:1?mode=listener", "a"])
def test_where_nothing_can_be_published(url: str) -> None:
    with pytest.raises(ValidationError):
        Publisher(url=url)
