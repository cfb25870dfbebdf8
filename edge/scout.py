"""While news of a playlist is overdue, looks how the others' playlists stand. Sans-IO.

A held request cannot be asked of somebody else as it is: another origin's numbers are others. So the others are asked
plainly, once a second, beside the request that is held: whoever has the same names and is further on takes over at
once; whoever has other names shows whether it moves on.
"""

from __future__ import annotations

from collections.abc import Callable

from .message import Cancel, Purpose, Upstream, UpstreamAnswer, UpstreamRequest
from .succession import Succession
from .version import read_playlist

EVERY_S = 1.0
"""Why: twice is enough to see the others move within three quarters of a target duration."""


class Scout:
    """`passed` gets the answer of an upstream that may take over at once."""

    def __init__(
        self, key: str, upstream: Upstream, succession: Succession, loop: str, passed: Callable[[UpstreamAnswer], None]
    ) -> None:
        self._key = key
        self._upstream = upstream
        self._succession = succession
        self._loop = loop
        self._passed = passed
        self._cancel: Cancel | None = None
        self._at = 0.0

    def look(self, now: float) -> None:
        """To be called often while the playlist is followed."""
        if self._cancel is None and now >= self._at and self._succession.overdue(now):
            self._at = now + EVERY_S
            request = UpstreamRequest(self._key, Purpose.PLAYLIST, loop=self._loop, avoid=self._succession.source)
            self._cancel = self._upstream.fetch(request, self._seen)

    def _seen(self, answer: UpstreamAnswer) -> None:
        self._cancel = None
        model = read_playlist(answer.body) if answer.status == 200 else None
        if model is not None and self._succession.compare(answer.source, model):
            self._passed(answer)

    def stop(self) -> None:
        """Look no more."""
        if self._cancel is not None:
            self._cancel()
            self._cancel = None
