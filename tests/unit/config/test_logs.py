"""Log lines: the form, the level, and no secret in any of them."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from headwater.config.logs import Redactor, secrets_of, setup
from headwater.config.settings import Log, Settings


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtmp://h/live/x?key=abc&y=1", "rtmp://h/live/x?key=(hidden)&y=1"),
        ("rtmp://user:pw@h/live", "rtmp://(hidden)@h/live"),
        ("x?a=1&token=abc", "x?a=1&token=(hidden)"),
        ("PASSWORD=abc; rest", "PASSWORD=(hidden); rest"),
        ("{'key': 'abc'}", "{'key': '(hidden)'}"),
        ("stream_key=abc", "stream_key=(hidden)"),
        ("?key%3dabc", "?key%3d(hidden)"),
        ("monkey=5 and keyframe=1", "monkey=5 and keyframe=1"),
        ("the one-and-only stands here", "the (hidden) stands here"),
    ],
)
def test_texts_without_their_secrets(text: str, shown: str) -> None:
    assert Redactor(["one-and-only"]).text(text) == shown


def test_values_of_every_kind() -> None:
    event = {
        "key": "abc",
        "token": None,
        "keys": 3,
        "nested": {"password": "x", "list": [("key=1", b"token=2")]},
        "error": ValueError("key=abc"),
    }
    assert Redactor()(None, "info", event) == {
        "key": "(hidden)",
        "token": None,
        "keys": 3,
        "nested": {"password": "(hidden)", "list": [["key=(hidden)", "b'token=(hidden)'"]]},
        "error": "key=(hidden)",
    }


def test_deep_values_end() -> None:
    value: object = "key=abc"
    for _ in range(50):
        value = [value]
    assert "abc" not in str(Redactor()(None, "info", {"deep": value}))


def test_json_lines() -> None:
    stream = io.StringIO()
    setup(Log(format="auto", level="info"), ["one-and-only"], stream)
    structlog.get_logger("headwater.test").info("publish accepted", stream="demo", url="?key=abc")
    structlog.get_logger("headwater.test").debug("not shown")
    logging.getLogger("aiohttp.server").error("bad %s", "one-and-only")
    try:
        raise ValueError("token=abc")
    except ValueError:
        structlog.get_logger("headwater.test").exception("failed")
    first, second, third = lines(stream)
    assert first["event"] == "publish accepted"
    assert (first["stream"], first["url"], first["level"]) == ("demo", "?key=(hidden)", "info")
    assert first["logger"] == "headwater.test"
    assert first["timestamp"].endswith("Z")
    assert second["event"] == "bad (hidden)"
    assert third["exception"].endswith("ValueError: token=(hidden)")


def test_numbers_that_json_does_not_have() -> None:
    stream = io.StringIO()
    setup(Log(format="json"), stream=stream)
    structlog.get_logger("headwater.test").info("rate", up=float("inf"), odd=float("nan"), fine=0.5)
    assert "NaN" not in stream.getvalue()
    [line] = lines(stream)
    assert (line["up"], line["odd"], line["fine"]) == ("inf", "nan", 0.5)


def test_human_lines() -> None:
    stream = io.StringIO()
    setup(Log(format="human", level="warning"), (), stream)
    structlog.get_logger("headwater.test").info("not shown")
    structlog.get_logger("headwater.test").warning("long gop", seconds=10)
    assert "long gop" in stream.getvalue()
    assert "seconds=10" in stream.getvalue()
    assert "not shown" not in stream.getvalue()


def test_configured_secrets() -> None:
    settings = Settings.model_validate({"ingest": {"publish": [{"name": "a", "key": "long-secret"}]}})
    assert secrets_of(settings) == ["long-secret"]
