"""What settings give on: paths, classes of a phase, and headers that would break a request."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from headwater.loadtest.records import ViewerClass
from headwater.loadtest.scenario.settings import Scenario, Viewers, is_http, resolved

PHASE = {"name": "a", "duration_s": 10, "arrivals": [{"kind": "constant", "rate": 1}]}


def test_paths_are_taken_from_a_folder() -> None:
    publishers = [{"url": "rtmp://h/live/a", "file": "a.mp4"}, {"url": "rtmp://h/live/b", "file": "/b.mp4"}]
    scenario = resolved(Scenario.model_validate({"phases": [PHASE], "publishers": publishers}), Path("/x"))
    assert [publisher.file for publisher in scenario.publishers] == [Path("/x/a.mp4"), Path("/b.mp4")]


def test_classes() -> None:
    phases = [PHASE, {**PHASE, "classes": ["b"]}]
    scenario = Scenario.model_validate({"phases": phases, "viewers": [{"name": "a"}, {"name": "b", "share": 3}]})
    assert scenario.duration_s == 20
    assert [[one.name for one in scenario.viewer_classes(phase)] for phase in scenario.phases] == [["a", "b"], ["b"]]
    assert Viewers().record() == ViewerClass()


@pytest.mark.parametrize("headers", [{"": "a"}, {"a b": "c"}, {"a:": "c"}, {"ä": "c"}, {"a": "b\r\nc: d"}, {"a": "ü"}])
def test_headers_that_would_break_a_request(headers: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Viewers(headers=headers)


@pytest.mark.parametrize(
    ("change", "says"),
    [({"url": "http://h/a.m3u8"}, "needs an https:// address"),
     ({"viewers": [{"headers": {"X-A": "b", "Connection": "close"}}]}, "Connection is no header of a request over")],
)  # fmt: skip
def test_what_http2_cannot_do(change: dict[str, object], says: str) -> None:
    good = {"phases": [PHASE], "url": "https://h/a.m3u8", "viewers": [{"headers": {"X-A": "b"}}], "http2": True}
    assert Scenario.model_validate(good).http2
    assert not Scenario.model_validate({**good, **change, "http2": False}).http2
    with pytest.raises(ValidationError, match=says):
        Scenario.model_validate({**good, **change})


@pytest.mark.parametrize(
    ("url", "good"),
    [("http://h/", True), ("https://[::1]:8/x", True), ("http:///x", False), ("http://h:99999/", False), ("h", False),
     ("rtmp://h/", False), ("http://h:0/", False), ("http://[x/", False)],
)  # fmt: skip
def test_addresses(url: str, good: bool) -> None:
    assert is_http(url) is good
