"""Stream ids in all dialects."""

from __future__ import annotations

import pytest

from headwater.ingest.srt.errors import StreamIdError
from headwater.ingest.srt.streamid import Mode, StreamId, parse

PUBLISH, REQUEST, UNSTATED = Mode.PUBLISH, Mode.REQUEST, Mode.UNSTATED


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", StreamId()),
        ("demo", StreamId("demo")),
        ("live/demo", StreamId("live/demo")),
        ("/live/demo/", StreamId("live/demo")),
        ("live/demo?key=a%20b", StreamId("live/demo", key="a%20b")),
        ("live/demo?key=s&token=t&x=1", StreamId("live/demo", key="s", query={"token": "t", "x": "1"})),
        ("live/demo?pass=p", StreamId("live/demo", key="p")),
        ("live/demo?x&=5&y=", StreamId("live/demo", query={"x": "", "y": ""})),
        ("publish:live/demo", StreamId("live/demo", PUBLISH)),
        ("PUBLISH:demo", StreamId("demo", PUBLISH)),
        ("publish:live/demo?key=s", StreamId("live/demo", PUBLISH, key="s")),
        ("publish:live/demo:key=s", StreamId("live/demo", PUBLISH, key="s")),
        ("publish:live/demo:alice:s3", StreamId("live/demo", PUBLISH, "alice", "s3")),
        ("publish:live/demo:alice:s3:x=1", StreamId("live/demo", PUBLISH, "alice", "s3", {"x": "1"})),
        ("read:live/demo", StreamId("live/demo", REQUEST)),
        ("other:live/demo", StreamId("other:live/demo")),
        ("#!::r=live/demo,m=publish", StreamId("live/demo", PUBLISH)),
        ("#!::m=publish,r=live/demo,u=bob,key=s", StreamId("live/demo", PUBLISH, "bob", "s")),
        ("#!::r=live/demo?key=s,m=publish", StreamId("live/demo", PUBLISH, key="s")),
        ("#!::r=live/demo", StreamId("live/demo", UNSTATED)),
        ("#!::r=a,m=request,h=host,s=9,t=stream", StreamId("a", REQUEST, query={"h": "host", "s": "9", "t": "stream"})),
        ("#!::r=a,m=bidirectional", StreamId("a", Mode.BIDIRECTIONAL)),
        ("#!:{r=live/demo,m=publish}", StreamId("live/demo", PUBLISH)),
        ("#!::r=a,x={b=1,c={d=2}},m=publish", StreamId("a", PUBLISH, query={"x": "{b=1,c={d=2}}"})),
        ("#!::r=a,r=b,,", StreamId("a")),
        ("#!::", StreamId()),
    ],
)
def test_dialects(text: str, expected: StreamId) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "x" * 513,
        "ä" * 257,
        "live/\x00demo",
        "live/de\nmo",
        "#!:r=a",
        "#!:",
        "#!:{r=a",
        "#!::r",
        "#!::r=a,m=steal",
        "#!::r=a}",
        "#!::r={a",
        "#!::r={{{{{a}}}}}",
        "#!::" + ",".join(f"k{number}=1" for number in range(33)),
        "a?" + "&".join(f"k{number}=1" for number in range(33)),
        "publish:a:b:c:d:e",
    ],
)
def test_what_cannot_be_read(text: str) -> None:
    with pytest.raises(StreamIdError):
        parse(text)


def test_app_and_name() -> None:
    found = parse("live/sub/demo")
    assert (found.app, found.name) == ("live/sub", "demo")
    assert (parse("demo").app, parse("demo").name) == ("", "demo")


def test_who_may_publish() -> None:
    assert [parse(text).may_publish for text in ("a", "publish:a", "read:a", "#!::r=a", "#!::r=a,m=request")] == [
        True, True, False, True, False,
    ]  # fmt: skip
