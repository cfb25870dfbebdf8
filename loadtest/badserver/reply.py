"""Answers ready to be written, and bodies that are spoilt on the way. Sans-IO."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from .faults import Fault, Kind

CHUNKS_PER_S = 20
"""In which a slow body comes. Why: smoother than any buffer model looks."""

PLAYLIST_TYPE = "application/vnd.apple.mpegurl"
_REASONS = {status.value: status.phrase for status in HTTPStatus}
_FIXED = "Access-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: Age, Date\r\n"


@dataclass(frozen=True, slots=True)
class Pacing:
    """How a body is spoilt: in pieces of `chunk` bytes, `pause_ms` apart, the first after `first_ms`.

    Where the first has its time, the last one, if shorter, takes less of it.
    """

    chunk: int
    pause_ms: float
    first_ms: float = 0.0
    reset: bool = False
    """After the first piece."""


class Reply:
    """One answer, for as many clients as ask for it. `head` lacks only the Date and the empty line."""

    __slots__ = ("body", "head", "kind", "label", "pacing", "second", "second_time", "whole")

    def __init__(
        self,
        status: int,
        what: str,
        body: bytes,
        content_type: str,
        *,
        max_age: int = 0,
        kind: Kind | None = None,
        pacing: Pacing | None = None,
    ) -> None:
        """`what`: multivariant, playlist, init, part, segment or none of them. `kind`: the fault that is done."""
        reason = _REASONS.get(status, "Unknown")
        cache = f"public, max-age={max_age}" if max_age else "no-store"
        head = f"HTTP/1.1 {status} {reason}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
        self.head = f"{head}Cache-Control: {cache}\r\n{_FIXED}".encode("ascii")
        self.body = body
        self.label = f"{status} {what}"
        self.kind = kind
        self.pacing = pacing
        self.second_time: Reply | None = None
        """What a connection gets instead that was answered this for the same target just before."""
        self.second = -1
        """Unix second of the Date in `whole`: what all clients of one second are written."""
        self.whole = b""

    def wire(self, second: int, date: bytes, tail: bytes = b"") -> bytes:
        """Head and body; `tail`: further header lines. The same object for everybody within a second."""
        if tail or self.pacing is not None:
            return b"%bDate: %b\r\n%b\r\n" % (self.head, date, tail) + (b"" if self.pacing else self.body)
        if second != self.second:
            self.second = second
            self.whole = b"%bDate: %b\r\n\r\n%b" % (self.head, date, self.body)
        return self.whole


def error(status: int, what: str, words: str, kind: Kind | None = None) -> Reply:
    """An answer that is not 200."""
    return Reply(status, what, words.encode("ascii", "replace") + b"\n", "text/plain", kind=kind)


def spoilt(fault: Fault, size: int) -> Pacing:
    """How a body of `size` bytes is sent under a fault of the kinds STALL, RESET or SLOW."""
    half = (size + 1) // 2
    if fault.kind is Kind.STALL:
        return Pacing(half, fault.amount)
    if fault.kind is Kind.RESET:
        return Pacing(half, 0.0, reset=True)
    chunk = max(1, round(fault.amount / 8 / CHUNKS_PER_S))
    pause_ms = 8_000 * chunk / fault.amount
    return Pacing(chunk, pause_ms, pause_ms)
