"""The server's half of a publish conversation, in bytes."""

from __future__ import annotations

from headwater.loadtest.publish.amf import Value, encode_all
from headwater.loadtest.publish.chunks import Message, write_message

HANDSHAKE = b"\x03" + bytes(1536) + bytes(1536)


def control(kind: int, body: bytes) -> bytes:
    """A message on chunk stream 2."""
    return b"".join(write_message(Message(kind, 0, 0, body), 2, 128))


def command(*values: Value, stream_id: int = 0) -> bytes:
    """A command message on chunk stream 3."""
    return b"".join(write_message(Message(20, 0, stream_id, encode_all(*values)), 3, 128))


def status(level: str, code: str, description: str = "") -> bytes:
    """`onStatus`."""
    return command("onStatus", 0.0, None, {"level": level, "code": code, "description": description}, stream_id=1)


CONNECTED = (
    control(5, (1000).to_bytes(4, "big"))
    + control(1, (4096).to_bytes(4, "big"))
    + b"".join(
        write_message(
            Message(20, 0, 0, encode_all("_result", 1.0, {"fmsVer": "FMS/3,0,1,123"}, {"level": "status"})), 3, 4096
        )
    )
)
CREATED = command("_result", 4.0, None, 1.0)
PUBLISHED = status("status", "NetStream.Publish.Start")
