"""An upstream that looks on the disk first. Sans-IO.

    fetch ── on disk? ── fresh ──────────────────────────> answer
                │           stale ── ask upstream with its validator ── 304 ──> answer, confirmed
                │                                                  └─ fails ──> answer, stale (rule 163)
                └── no ──> upstream

Who waits is the core's business as ever, so many viewers of one object are one read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from .control import LIFETIME_FIELDS
from .diskformat import Record
from .message import Cancel, Done, Failure, Purpose, Upstream, UpstreamAnswer, UpstreamRequest

_CONFIRMED = frozenset(("date", "etag", "last-modified", *LIFETIME_FIELDS))


class Shelf(Protocol):
    """The disk."""

    def may_have(self, key: str) -> bool:
        """Whether it is worth reading `key`."""

    def read(self, key: str, came: Callable[[Record | None, bytes], None]) -> Cancel:
        """Read it; `came` is told later, None when it is not there."""

    def drop(self, key: str) -> None:
        """It is not what the upstream has any more."""


class DiskFirst:
    """`upstream` with `shelf` before it. `clock`: monotonic and Unix seconds of one moment."""

    def __init__(self, upstream: Upstream, shelf: Shelf, clock: Callable[[], tuple[float, float]]) -> None:
        self._upstream = upstream
        self._shelf = shelf
        self._clock = clock

    def fetch(self, request: UpstreamRequest, done: Done) -> Cancel:
        """Begin a GET; `done` is called once, never before this returns."""
        # What is fetched ahead is new; what is revalidated is in memory; what has a range is not kept as a whole.
        asked_plainly = request.purpose is Purpose.OBJECT and request.range is None
        if not asked_plainly or request.etag or request.last_modified or not self._shelf.may_have(request.target):
            return self._upstream.fetch(request, done)
        return _Look(self._upstream, self._shelf, self._clock, request, done).cancel


class _Look:
    """One object, looked for on the disk and then upstream."""

    def __init__(
        self,
        upstream: Upstream,
        shelf: Shelf,
        clock: Callable[[], tuple[float, float]],
        request: UpstreamRequest,
        done: Done,
    ) -> None:
        self._upstream, self._shelf, self._clock = upstream, shelf, clock
        self._request, self._done = request, done
        self._cancel = shelf.read(request.target, self._came)

    def cancel(self) -> None:
        """Nobody waits any more."""
        self._cancel()

    def _came(self, record: Record | None, body: bytes) -> None:
        if record is None:
            self._cancel = self._upstream.fetch(self._request, self._done)
            return
        at, unix = self._clock()
        if record.fresh_at(unix):
            self._done(record.answer(body, at, unix))
            return
        # Whole: what the upstream says is set against what is here, which is no more than may be kept
        request = replace(self._request, etag=record.etag, last_modified=record.last_modified, arriving=None)

        def done(answer: UpstreamAnswer) -> None:
            if answer.failure is Failure.TOO_LARGE:  # another version, too large to be had whole: as if none were here
                self._shelf.drop(record.key)
                self._cancel = self._upstream.fetch(self._request, self._done)
                return
            self._done(self._joined(record, body, answer))

        self._cancel = self._upstream.fetch(request, done)

    def _joined(self, record: Record, body: bytes, answer: UpstreamAnswer) -> UpstreamAnswer:
        """What viewers get, of what is on disk and what the upstream says of it."""
        if answer.status == 304:
            said = {name for name, _ in answer.headers} & _CONFIRMED
            kept = tuple(pair for pair in record.headers if pair[0] not in said)
            new = tuple(pair for pair in answer.headers if pair[0] in said or pair[0] == "age")
            return replace(answer, status=200, headers=(*kept, *new), body=body)
        if answer.failure is not None or answer.status >= 500:
            return record.answer(body, answer.at, answer.unix) if answer.unix < record.usable_until else answer
        self._shelf.drop(record.key)
        return answer
