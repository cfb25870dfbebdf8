"""Where senders put application, name and query."""

from __future__ import annotations

import pytest

from headwater.ingest.rtmp.target import MAX_PARAMETERS, Target, parse

U = "rtmp://localhost:1935/"

CASES = [
    # sender, tcUrl, app, key, expected app, name, query
    ("ffmpeg, one component", U + "live", "live", "", "live", "", {}),
    ("ffmpeg, one component, query", U + "live?key=val", "live?key=val", "", "live", "", {"key": "val"}),
    ("ffmpeg, two components", U + "live", "live", "demo", "live", "demo", {}),
    ("ffmpeg, two components, query", U + "live", "live", "demo?key=val", "live", "demo", {"key": "val"}),
    ("rtmpsink, one component", U + "live", "live", "", "live", "", {}),
    ("rtmpsink, one component, query", "rtmp://h/live?key=val", "live?key=val", "", "live", "", {"key": "val"}),
    ("rtmpsink, two components", "rtmp://h/live", "live", "demo", "live", "demo", {}),
    ("rtmpsink, two components, query", "rtmp://h/live", "live", "demo?key=val", "live", "demo", {"key": "val"}),
    ("OBS, one component", U + "live", "live", "", "live", "", {}),
    ("OBS, one component, query", U + "live?a=1&b=2", "live?a=1&b=2", "", "live", "", {"a": "1", "b": "2"}),
    ("OBS, two components", U + "live/demo", "live/demo", "", "live", "demo", {}),
    ("OBS, two components, query", U + "live/demo?k=v", "live/demo?k=v", "", "live", "demo", {"k": "v"}),
    ("OBS multitrack, two components, query", U + "live/demo?k=v", "live/demo?k=v", "?k=v", "live", "demo", {"k": "v"}),
    ("OBS, key field", U + "live", "live", "demo?key=s&x=y", "live", "demo", {"key": "s", "x": "y"}),
    ("query with the server", U + "live?key=s", "live?key=s", "demo", "live", "demo", {"key": "s"}),
    ("Neko, stray quote", "'rtmp://localhost:1935/live", "live", "demo", "live", "demo", {}),
    ("no app", U + "live?key=s", "", "demo", "live", "demo", {"key": "s"}),
    ("no app, all in tcUrl", "rtmp://h/live/demo?key=s", "", "", "live", "demo", {"key": "s"}),
    ("query in tcUrl only", U + "live?key=s", "live", "demo", "live", "demo", {"key": "s"}),
    ("percent-encoding is kept", U + "live", "live", "demo?token=a%20b", "live", "demo", {"token": "a%20b"}),
    ("needless slashes", U + "live/", "/live/", "/demo/", "live", "demo", {}),
    ("path inside the key", U + "live", "live", "room/demo", "live/room", "demo", {}),
    ("the key wins", U + "live?key=1", "live?key=2", "demo?key=3", "live", "demo", {"key": "3"}),
    ("value with = and ?", U + "live", "live", "demo?key=a=b?c", "live", "demo", {"key": "a=b?c"}),
    ("no value", U + "live", "live", "demo?flag&=x&&", "live", "demo", {"flag": ""}),
    ("nothing", "", "", "", "", "", {}),
    ("IPv6", "rtmp://[::1]:1935/live/demo", "live/demo", "", "live", "demo", {}),
]


@pytest.mark.parametrize(("tc_url", "app", "key", "expected"), [
    pytest.param(tc, app, key, Target(to, name, query), id=label) for label, tc, app, key, to, name, query in CASES
])  # fmt: skip
def test_dialects(tc_url: str, app: str, key: str, expected: Target) -> None:
    assert parse(app, tc_url, key) == expected


def test_parameters_are_bounded() -> None:
    query = "&".join(f"p{n}=1" for n in range(1000))
    target = parse("live?" + query, "rtmp://h/live?" + query.replace("p", "q"), "demo?" + query.replace("p", "r"))
    assert len(target.query) == MAX_PARAMETERS


def test_text_form_leaves_the_query_out() -> None:
    assert "s3cret" not in repr(parse("live", "", "demo?key=s3cret"))
