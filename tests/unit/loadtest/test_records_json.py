"""The records of a run as JSON and back: all of them, and what is refused."""

from __future__ import annotations

import json

import pytest

from headwater.loadtest import records_json
from headwater.loadtest.records import (
    ChaosEvent,
    ClockOffset,
    Cmcd,
    Count,
    Mode,
    PhaseSpan,
    ServerSample,
    Tick,
    Timing,
    ViewerClass,
)
from headwater.loadtest.records_json import RecordError

TICK = Tick(
    process=1,
    second=7,
    viewers=3,
    playing=2,
    counts={Count.JOINED: 3, Count.BYTES: 1 << 40},
    errors={"status 404 part": 2},
    timings={Timing.PART: b"HISTFAAAACF4nJNpmSzMwMDAyAABzFAaAApXANI="},
    cpu=0.5,
    lag_us=1200,
    lag_p99_us=300,
)
VIEWERS = ViewerClass("phones", Mode.SAFARI, watch_s=(1.0, 2.5), cmcd=Cmcd.HEADER, headers=(("X-A", "b"),), read_bps=9)


@pytest.mark.parametrize(
    "record",
    [
        TICK,
        Tick(0, 0, 0, 0),
        VIEWERS,
        ViewerClass(),
        ClockOffset(-0.25, 0.5, "Date"),
        ServerSample(1.5, {"cpu": 0.25}),
        ChaosEvent(3.0, "kill edge", ok=False, detail="no such process"),
        PhaseSpan("ramp", 0.0, 10.0, ("fatal == 0",)),
    ],
)
def test_a_record_comes_back_as_it_was(record: object) -> None:
    text = records_json.to_text(record)
    assert "\n" not in text
    assert records_json.from_text(type(record), text) == record


def test_whole_numbers_are_read_as_seconds() -> None:
    found = records_json.from_text(ClockOffset, '{"seconds":1,"uncertainty_s":0,"source":"given"}')
    assert isinstance(found.seconds, float)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"mode": "vlc"}, "mode: 'vlc' is not one of hlsjs, safari, legacy"),
        ({"mode": ["hlsjs"]}, "mode:"),
        ({"share": "1"}, "share: not a number"),
        ({"share": True}, "share: not a number"),
        ({"share": 10**400}, "share: not a finite number"),
        ({"audio": 1}, "audio: not true or false"),
        ({"name": None}, "name: not a string"),
        ({"read_bps": 1.5}, "read_bps: not an integer"),
        ({"watch_s": [1]}, "watch_s: not 2 values"),
        ({"watch_s": 1}, "watch_s: not an array"),
        ({"headers": [["a"]]}, r"headers\[0\]: not 2 values"),
        ({"watchs": 1}, "unknown field 'watchs'"),
    ],
)
def test_wrong_values_are_named(change: dict[str, object], complaint: str) -> None:
    with pytest.raises(RecordError, match=complaint):
        records_json.load(ViewerClass, change)


@pytest.mark.parametrize(
    ("kind", "text", "complaint"),
    [
        (Tick, "[]", "not an object"),
        (Tick, "{", "not JSON"),
        (Tick, "[" * 100_000, "not JSON"),
        (ServerSample, '{"second":NaN,"values":{}}', "NaN is no number"),
        (ServerSample, '{"second":1e999,"values":{}}', "second: not a finite number"),
        (ServerSample, '{"second":1}', "field 'values' is missing"),
        (ServerSample, '{"second":1,"values":[]}', "values: not an object"),
        (ServerSample, '{"second":1,"values":{"cpu":null}}', r"values\.cpu: not a number"),
    ],
)
def test_what_is_no_record_is_refused(kind: type, text: str, complaint: str) -> None:
    with pytest.raises(RecordError, match=complaint):
        records_json.from_text(kind, text)


def test_bytes_are_bytes() -> None:
    tick = json.loads(records_json.to_text(TICK)) | {"timings": {"part": "\u20ac"}}
    with pytest.raises(RecordError, match=r"timings\.part: not bytes"):
        records_json.load(Tick, tick)


def test_only_records_are_written() -> None:
    with pytest.raises(TypeError):
        records_json.dump({1, 2})
