"""`srt://HOST:PORT?streamid=…&passphrase=…&latency=…`, as SRT tools write it. Sans-IO.

Taken apart by hand: a stream id may hold `#`, `:`, `,`, `=` and `/`, which a URL parser would read as its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import unquote

STREAM_ID_BYTES = 512
"""Longest stream id (draft-sharabayko-srt, 3.2.1.3)."""
PASSPHRASE = (10, 79)
"""Shortest and longest passphrase, characters (libsrt)."""
KEY_BYTES = (16, 24, 32)
"""AES key lengths."""
MOST_LATENCY_MS = 20_000

_IGNORED = frozenset({"transtype", "pkt_size", "timeout", "conntimeo", "connect_timeout", "smoother", "tlpktdrop"})
"""Parameters of other tools that change nothing here: they are the defaults of live mode, or the sender's."""


class BadSrtUrl(ValueError):
    """The URL cannot be used; the text says why and holds no secret."""


@dataclass(frozen=True, slots=True)
class SrtUrl:
    """An SRT address to call. The text form leaves out what may be secret."""

    host: str
    port: int
    stream_id: str = field(default="", repr=False)
    passphrase: str = field(default="", repr=False)
    latency_ms: int | None = None
    key_bytes: int | None = None
    """AES key length that a sender chooses; None: not said."""

    @property
    def shown(self) -> str:
        """For people and logs."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"srt://{host}:{self.port}"


def parse_srt_url(url: str) -> SrtUrl:
    """Take an SRT URL of caller mode apart; `latency` is in milliseconds.

    Raises:
        BadSrtUrl: it is none, or asks for what a caller cannot do.
    """
    head, _, query = url.partition("?")
    scheme, colon, rest = head.partition("://")
    if not colon or scheme.lower() != "srt":
        raise BadSrtUrl("not an SRT URL: srt://HOST:PORT?streamid=...")
    host, port = _address(rest.rstrip("/"))
    values = _parameters(query)
    if values.pop("mode", "caller") != "caller":
        raise BadSrtUrl("mode: only caller is known here")
    stream_id = values.pop("streamid", values.pop("srt_streamid", ""))
    if len(stream_id.encode()) > STREAM_ID_BYTES:
        raise BadSrtUrl(f"streamid: longer than {STREAM_ID_BYTES} bytes")
    passphrase = values.pop("passphrase", "")
    if passphrase and not PASSPHRASE[0] <= len(passphrase) <= PASSPHRASE[1]:
        raise BadSrtUrl(f"passphrase: {PASSPHRASE[0]} to {PASSPHRASE[1]} characters")
    latency_ms = _number("latency", values.pop("latency", values.pop("rcvlatency", "")), MOST_LATENCY_MS)
    key_bytes = _number("pbkeylen", values.pop("pbkeylen", ""), max(KEY_BYTES))
    if key_bytes not in (None, 0, *KEY_BYTES):
        raise BadSrtUrl("pbkeylen: 16, 24 or 32")
    unknown = sorted(values.keys() - _IGNORED)
    if unknown:
        raise BadSrtUrl(f"unknown parameter {unknown[0][:32]!r}; known: latency, mode, passphrase, pbkeylen, streamid")
    return SrtUrl(host, port, stream_id, passphrase, latency_ms, key_bytes or None)


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or not 0 < int(port[:6]) <= 65_535:
        raise BadSrtUrl("the port is missing: srt://HOST:PORT")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not host or any(character in host for character in "/@?# []"):
        raise BadSrtUrl("the host is missing: srt://HOST:PORT")
    return host, int(port)


def _parameters(query: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for piece in filter(None, query.split("&")):
        name, _, value = piece.partition("=")
        if name in values:
            raise BadSrtUrl(f"parameter {name[:32]!r} stands twice")
        values[name] = unquote(value, errors="replace")
    return values


def _number(name: str, text: str, most: int) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) > most:
        hint = " in milliseconds (FFmpeg alone writes microseconds)" if name == "latency" else ""
        raise BadSrtUrl(f"{name}: a number up to {most}{hint}")
    return int(text)
