"""Reading commands in AMF0 and AMF3, and the answers."""

from __future__ import annotations

import pytest
from tests.rtmp_client import Ecma, amf0, read_amf0

from headwater.ingest.rtmp.commands import (
    Command,
    connect_error,
    connect_result,
    on_fc,
    on_status,
    read_command,
    read_metadata,
    result,
)
from headwater.ingest.rtmp.flv import TagReader


@pytest.mark.parametrize("prefix", [b"", b"\x00"])
def test_command_with_and_without_the_format_byte(prefix: bytes) -> None:
    command = read_command(prefix + amf0("publish", 5, None, "demo", "live"))
    assert command is not None
    assert (command.name, command.transaction) == ("publish", 5.0)
    assert command.arguments == [None, "demo", "live"]
    assert command.text(1) == "demo"
    assert command.text(0) == command.text(9) == ""


def test_amf3_command_switches_per_value() -> None:
    payload = b"\x00" + amf0("connect", 1) + b"\x11\x0a\x0b\x01\x07app\x06\x09live\x01" + amf0("more")
    command = read_command(payload)
    assert command is not None
    assert command.properties() == {"app": "live"}
    assert command.text(1) == "more"


@pytest.mark.parametrize("payload", [b"", b"\x00", amf0(5.0), amf0(None), b"\xff\xff", b"\x02\x00\x09ab"])
def test_what_is_no_command(payload: bytes) -> None:
    assert read_command(payload) is None


def test_missing_parts() -> None:
    command = read_command(amf0("x"))
    assert command is not None
    assert (command.transaction, command.properties(), command.number(0)) == (0.0, {}, None)
    command = read_command(amf0("x", "no number", 5.0))
    assert command is not None
    assert (command.transaction, command.number(0)) == (0.0, 5.0)


def test_text_form_leaves_arguments_out() -> None:
    assert "s3cret" not in repr(read_command(amf0("publish", 1, None, "demo?key=s3cret")))


@pytest.mark.parametrize(
    ("payload", "values"),
    [
        (amf0("@setDataFrame", "onMetaData", Ecma(width=1280)), {"width": 1280.0}),
        (amf0("onMetaData", Ecma(width=1280)), {"width": 1280.0}),
        (amf0("onMetaData", {"width": 1280}), {"width": 1280.0}),
        (b"\x00" + amf0("@setDataFrame", "onMetaData", {"videocodecid": "hvc1"}), {"videocodecid": "hvc1"}),
        (amf0("onMetaData"), {}),
        (amf0("onMetaData", None), {}),
        (amf0("onCuePoint", {}), None),
        (amf0("@setDataFrame"), None),
        (amf0("|RtmpSampleAccess", True, True), None),
        (b"", None),
        (b"\xff", None),
    ],
)
def test_metadata(payload: bytes, values: object) -> None:
    assert read_metadata(payload) == values


def connect(**properties: object) -> list[object]:
    command = read_command(amf0("connect", 1, {"app": "live", **properties}))
    assert command is not None
    return read_amf0(connect_result(command))


def test_connect_result() -> None:
    name, transaction, properties, info = connect()
    assert (name, transaction) == ("_result", 1.0)
    assert isinstance(properties, dict)
    assert isinstance(info, dict)
    assert set(properties) == {"fmsVer", "capabilities"}
    assert info["code"] == "NetConnection.Connect.Success"
    assert info["objectEncoding"] == 0.0


@pytest.mark.parametrize(("encoding", "answer"), [(0, 0.0), (3, 3.0), (7, 0.0), ("x", 0.0), ([], 0.0)])
def test_object_encoding_is_echoed(encoding: object, answer: float) -> None:
    info = connect(objectEncoding=encoding)[3]
    assert isinstance(info, dict)
    assert info["objectEncoding"] == answer


@pytest.mark.parametrize(
    "asked",
    [
        {"fourCcList": ["hvc1", "av01"]},
        {"videoFourCcInfoMap": {"*": 7}},
        {"audioFourCcInfoMap": {"Opus": 1}},
        {"capsEx": 15},
        {"fourCcList": "nonsense", "capsEx": None},
    ],
)
def test_enhanced_rtmp_is_answered_when_announced(asked: dict[str, object]) -> None:
    properties = connect(**asked)[2]
    assert isinstance(properties, dict)
    assert {"hvc1", "av01", "vp09", "avc1", "Opus", "ac-3", "ec-3", "fLaC", "mp4a"} <= set(properties["fourCcList"])
    assert properties["videoFourCcInfoMap"]["hvc1"] == 4.0
    assert properties["audioFourCcInfoMap"]["Opus"] == 4.0
    assert properties["capsEx"] == 14.0, "multitrack, ModEx and nanosecond offsets; no reconnect requests"


def test_what_is_announced_is_taken() -> None:
    properties = connect(capsEx=15)[2]
    assert isinstance(properties, dict)
    for kind, read in (("videoFourCcInfoMap", TagReader().video), ("audioFourCcInfoMap", TagReader().audio)):
        for name in properties[kind]:
            assert name in properties["fourCcList"]
            assert not read(b"\x91" + name.encode() + bytes(8), 0, 0.0), f"{name} is refused"


def test_other_answers() -> None:
    assert read_amf0(result(4.0, 1)) == ["_result", 4.0, None, 1.0]
    assert read_amf0(result(4.0)) == ["_result", 4.0, None]
    status = {"level": "error", "code": "C", "description": "d"}
    assert read_amf0(on_status("error", "C", "d")) == ["onStatus", 0.0, None, status]
    assert read_amf0(on_fc("onFCPublish", 3.0, "C", ""))[:3] == ["onFCPublish", 3.0, None]
    assert read_amf0(connect_error(2.0, "why"))[0] == "_error"


def test_numbers_that_are_no_numbers_come_back_as_they_are() -> None:
    command = Command("connect", float("inf"), [])
    assert read_amf0(connect_result(command))[1] == float("inf")
