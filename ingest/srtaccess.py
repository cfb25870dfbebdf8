"""What an SRT caller asks for, which passphrase it needs, and the code that refuses it. Sans-IO.

One passphrase belongs to a stream: that of its own `[[ingest.publish]]`, else that of `*`, else the one of all callers.
Who has shown that it knows the first or the second need not send the publish key.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from headwater.config.settings import Ingest

from .auth import Refusal, Refused
from .publisher import Wish
from .srt.errors import RejectCode
from .srt.events import ConnectionRequested

CODES = {
    Refusal.APPLICATION: RejectCode.NOTFOUND,
    Refusal.NAME: RejectCode.BAD_REQUEST,
    Refusal.KEY: RejectCode.FORBIDDEN,
    Refusal.MODE: RejectCode.BAD_MODE,
    Refusal.BUSY: RejectCode.CONFLICT,
    Refusal.STREAMS: RejectCode.OVERLOAD,
    Refusal.CONNECTIONS: RejectCode.OVERLOAD,
    Refusal.DRAIN: RejectCode.DOWN,
    Refusal.SECRET: RejectCode.BADSECRET,
    Refusal.UNSECURE: RejectCode.UNSECURE,
    Refusal.CIPHER: RejectCode.CRYPTO,
}
"""What the caller hears: libsrt shows the name, or `PREDEFINED:` and the HTTP-like number."""

REFUSALS = {
    RejectCode.RESOURCE: Refusal.CONNECTIONS,
    RejectCode.BACKLOG: Refusal.CONNECTIONS,
    RejectCode.OVERLOAD: Refusal.ADDRESS,
    RejectCode.BAD_REQUEST: Refusal.NAME,
    RejectCode.CRYPTO: Refusal.CIPHER,
}
"""What the core refused by itself, as the metric names it; the rest is `Refusal.HANDSHAKE`."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A caller's wish, and the passphrase that its connection has to have; None: it must not be encrypted."""

    wish: Wish
    passphrase: str | None = field(repr=False)


def passphrase_of(settings: Ingest, name: str) -> tuple[str | None, bool]:
    """The passphrase of a stream, and whether it also opens the name."""
    for wanted in (name, "*"):
        for entry in settings.publish:
            if entry.name == wanted and entry.passphrase is not None:
                return entry.passphrase.get_secret_value(), True
    common = settings.srt.passphrase
    return (common.get_secret_value() if common is not None else None), False


def read(settings: Ingest, request: ConnectionRequested) -> Asked | Refused:
    """What the caller asks for, or why it is refused before anything is computed for it."""
    stream_id = request.stream_id
    if not stream_id.may_publish:
        return Refused(Refusal.MODE, "this port takes publishers; playback is over HTTP")
    name = stream_id.name or settings.srt.default_stream
    if not name:
        return Refused(Refusal.NAME, "the stream id is empty: streamid=publish:live/NAME")
    app = stream_id.app or settings.applications[0]
    passphrase, opens = passphrase_of(settings, name)
    if (passphrase is None) != (request.encrypted is None):
        lacks = "a passphrase is needed" if passphrase is not None else "there is no passphrase for this stream"
        return Refused(Refusal.UNSECURE, lacks)
    if request.encrypted is not None and request.encrypted.length not in settings.srt.key_lengths:
        return Refused(Refusal.CIPHER, f"keys of {request.encrypted.length} bytes are not accepted")
    query = dict(stream_id.query)
    if stream_id.key:
        query["key"] = stream_id.key
    return Asked(Wish(app, name, query, f"SRT {request.version}", proven=opens), passphrase)
