"""Options and URLs: what is taken, what is refused and in which words."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from headwater.loadtest.publish.options import BadTarget, PublishOptions, Target, UsageError, parse_target


@pytest.mark.parametrize(
    ("url", "target", "tc_url"),
    [
        ("rtmp://h/live/x", Target(False, "h", 1935, "live", "x"), "rtmp://h/live"),
        ("rtmps://h:1936/live/x?key=a%20b", Target(True, "h", 1936, "live", "x?key=a%20b"), "rtmps://h:1936/live"),
        ("rtmp://[::1]:7/a/b/x", Target(False, "::1", 7, "a/b", "x"), "rtmp://[::1]:7/a/b"),
    ],
)
def test_targets(url: str, target: Target, tc_url: str) -> None:
    assert parse_target(url) == target
    assert target.tc_url == tc_url


def test_the_secret_is_not_shown() -> None:
    assert parse_target("rtmp://h/live/x?key=secret").shown == "rtmp://h/live/x"


@pytest.mark.parametrize(
    "url",
    ["", "x", "http://h/live/x", "srt://h:8890", "rtmp://", "rtmp://h", "rtmp://h/x", "rtmp://h:99999/a/b",
     "rtmp://u:p@h/live/x", "rtmp://[::1/live/x"],
)  # fmt: skip
def test_bad_targets(url: str) -> None:
    with pytest.raises(BadTarget, match=r"^bad URL: "):
        parse_target(url)


@pytest.mark.parametrize(
    "values",
    [
        {"width": 158}, {"width": 641}, {"height": 4000}, {"fps": Fraction(1, 2)}, {"bitrate": 10}, {"gop_s": 0.0},
        {"duration_s": 0.0}, {"codec": "vp8"}, {"file": Path("/nowhere.mp4")},
    ],
)  # fmt: skip
def test_bad_usage(values: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        PublishOptions("rtmp://h/live/x", **values).check()


def test_defaults_are_good() -> None:
    PublishOptions("rtmp://h/live/x").check()
