"""RTMP commands: reading a publisher's, building the answers (RTMP 1.0 section 7.2, Enhanced RTMP v2). Sans-IO."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from .amf import decode, encode
from .amf_source import Value

SERVER_VERSION = "FMS/3,0,1,123"
"""`fmsVer`: what encoders that look at it expect to see."""
CAPABILITIES = 31

CAN_FORWARD = 4
"""FourCcInfoMask of Enhanced RTMP v2: media of this codec is passed on."""
VIDEO_FOURCC = ("avc1", "hvc1", "av01", "vp09")
AUDIO_FOURCC = ("mp4a", "Opus", "ac-3", "ec-3", "fLaC")


class Caps(enum.IntFlag):
    """`capsEx` of Enhanced RTMP v2."""

    RECONNECT = 1
    MULTITRACK = 2
    MODEX = 4
    TIMESTAMP_NANO_OFFSET = 8


OUR_CAPS = Caps.MULTITRACK | Caps.MODEX | Caps.TIMESTAMP_NANO_OFFSET

ENHANCED = ("fourCcList", "videoFourCcInfoMap", "audioFourCcInfoMap", "capsEx")
"""Properties of `connect` by which a publisher announces Enhanced RTMP."""


class StatusCode(enum.StrEnum):
    """The `code` of onStatus, _result and _error that are sent."""

    CONNECTED = "NetConnection.Connect.Success"
    CONNECT_REJECTED = "NetConnection.Connect.Rejected"
    PUBLISH_START = "NetStream.Publish.Start"
    PUBLISH_BAD_NAME = "NetStream.Publish.BadName"
    UNPUBLISHED = "NetStream.Unpublish.Success"
    PLAY_NOT_FOUND = "NetStream.Play.StreamNotFound"


@dataclass(slots=True)
class Command:
    """One command. Its arguments may hold a publish key: they are left out of the text form."""

    name: str
    transaction: float
    """0 when the peer wants no answer, or sent none."""
    arguments: list[Value] = field(repr=False)
    """What follows the transaction id; the first is the command object."""

    def text(self, index: int) -> str:
        """Argument `index` when it is a string, else "" (encoders send null for an empty key)."""
        value = self.arguments[index] if index < len(self.arguments) else None
        return value if isinstance(value, str) else ""

    def number(self, index: int) -> float | None:
        """Argument `index` when it is a number."""
        value = self.arguments[index] if index < len(self.arguments) else None
        return value if isinstance(value, float) else None

    def properties(self) -> dict[str, Value]:
        """The command object, empty when there is none."""
        value = self.arguments[0] if self.arguments else None
        return value if isinstance(value, dict) else {}


def values_of(payload: bytes) -> list[Value]:
    """The values of a command or data message, AMF0 or AMF3.

    The AMF3 message types put one zero byte in front of AMF0; some senders forget it, others put it into
    the AMF0 types. A message begins with a string, so a leading zero is never a value.
    """
    return decode(payload[1:] if payload[:1] == b"\x00" else payload).values


def read_command(payload: bytes) -> Command | None:
    """The command in a message of type 17 or 20; None when it does not begin with a name."""
    values = values_of(payload)
    if not values or not isinstance(values[0], str):
        return None
    transaction = values[1] if len(values) > 1 else None
    return Command(values[0], transaction if isinstance(transaction, float) else 0.0, values[2:])


def read_metadata(payload: bytes) -> dict[str, Value] | None:
    """The values of `onMetaData`, bare or inside `@setDataFrame`; None for any other data message."""
    values = values_of(payload)
    if values and values[0] == "@setDataFrame":
        values = values[1:]
    if not values or values[0] != "onMetaData":
        return None
    return next((value for value in values[1:] if isinstance(value, dict)), {})


def result(transaction: float, *values: object) -> bytes:
    """`_result` with a null command object and `values`."""
    return encode("_result", transaction, None, *values)


def status_info(level: str, code: str, description: str) -> dict[str, object]:
    """The information object of onStatus and its relatives."""
    return {"level": level, "code": code, "description": description}


def on_status(level: str, code: str, description: str) -> bytes:
    """onStatus; RTMP 1.0 section 7.2.2: its transaction id is 0."""
    return encode("onStatus", 0, None, status_info(level, code, description))


def on_fc(name: str, transaction: float, code: str, description: str) -> bytes:
    """onFCPublish or onFCUnpublish, with the transaction id of the request: some encoders wait for theirs."""
    return encode(name, transaction, None, status_info("status", code, description))


def connect_result(command: Command) -> bytes:
    """`_result` of `connect`. Enhanced RTMP is answered when it was announced, and never required."""
    asked = command.properties()
    properties: dict[str, object] = {"fmsVer": SERVER_VERSION, "capabilities": CAPABILITIES}
    if any(name in asked for name in ENHANCED):
        properties.update(_enhanced())
    encoding = asked.get("objectEncoding")
    info: Mapping[str, object] = {
        **status_info("status", StatusCode.CONNECTED, "Connection succeeded."),
        "objectEncoding": encoding if encoding in (0.0, 3.0) else 0,
    }
    return encode("_result", command.transaction, properties, info)


def _enhanced() -> dict[str, object]:
    return {
        "fourCcList": [*VIDEO_FOURCC, *AUDIO_FOURCC],
        "videoFourCcInfoMap": dict.fromkeys(VIDEO_FOURCC, CAN_FORWARD),
        "audioFourCcInfoMap": dict.fromkeys(AUDIO_FOURCC, CAN_FORWARD),
        "capsEx": int(OUR_CAPS),
    }


def connect_error(transaction: float, description: str) -> bytes:
    """`_error` of a `connect` that is refused."""
    return encode("_error", transaction, None, status_info("error", StatusCode.CONNECT_REJECTED, description))
