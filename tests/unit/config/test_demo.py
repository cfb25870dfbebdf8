"""The demo publisher's key, address and options."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headwater.config import demo
from headwater.config.settings import Settings
from headwater.ingest.auth import Authority
from headwater.ingest.rtmp.target import parse
from headwater.loadtest.publish.options import parse_target


def settings(**ingest: Any) -> Settings:
    return Settings.model_validate({"ingest": ingest})


def test_without_keys_none_is_made() -> None:
    assert demo.with_demo_key(settings()) == settings()
    assert demo.demo_url(settings(), 1935) == "rtmp://127.0.0.1:1935/live/demo"


@pytest.mark.parametrize("name", ["*", "demo"])
def test_a_fitting_key_is_used(name: str) -> None:
    own = settings(publish=[{"name": name, "key": "long-secret"}])
    assert demo.with_demo_key(own) == own
    assert demo.demo_url(own, 5) == "rtmp://127.0.0.1:5/live/demo?key=long-secret"


@pytest.mark.parametrize("key", ["one&two#three", "half%41full", "a/b?c=d e", "Schl\u00fcssel+", "'quoted'\"key\""])
def test_any_key_reaches_the_listener(key: str) -> None:
    own = settings(publish=[{"name": "*", "key": key}])
    sent = parse_target(demo.demo_url(own, 5))
    asked = parse(sent.app, sent.tc_url, sent.key)
    assert (asked.app, asked.name) == ("live", "demo")
    assert Authority(own.ingest).judge(asked.app, asked.name, asked.query) is None


def test_else_the_process_makes_one_of_its_own() -> None:
    other = settings(publish=[{"name": "other", "key": "long-secret"}])
    first, second = demo.with_demo_key(other), demo.with_demo_key(other)
    assert [entry.name for entry in first.ingest.publish] == ["other", "demo"]
    assert demo.demo_key(first) != demo.demo_key(second)
    assert demo.demo_key(other) is None


@pytest.mark.parametrize(
    ("bound", "host"),
    [
        (None, "127.0.0.1"),
        ("", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("::", "127.0.0.1"),
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8::7", "[2001:db8::7]"),
    ],
)
def test_where_a_listener_is_reached(bound: str | None, host: str) -> None:
    assert demo.local_host(bound) == host


def test_the_publisher_gets_what_is_configured() -> None:
    own = Settings.model_validate({"demo": {"width": 640, "height": 360, "fps": 25, "bitrate": 500_000}})
    options = demo.options_from(json.loads(demo.document(own, 1935)))
    options.check()
    assert (options.url, options.width, options.height, int(options.fps), options.bitrate) == (
        "rtmp://127.0.0.1:1935/live/demo",
        640,
        360,
        25,
        500_000,
    )
    assert options.reconnect
