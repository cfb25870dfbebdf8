"""What followers and objects tell the choice of upstreams, and ask of it. Sans-IO."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from .join import Join


class Paths(Protocol):
    """Keys are canonical; `source` is the name of an upstream, as answers carry it."""

    @property
    def several(self) -> bool:
        """Whether there is another upstream at all."""

    @property
    def ailing(self) -> bool:
        """Whether `gone` may be true for anything: looked at for every playlist in every tick."""

    def gone(self, key: str, source: str, now: float) -> bool:
        """Whether `source` has failed, as a whole or for the stream of `key`."""

    def stands_still(self, key: str, source: str, now: float) -> None:
        """`source` answers, but the playlist at `key` makes no progress there."""

    def taken_over(self, key: str, source: str, now: float, at: Join | None, *, changed: bool) -> None:
        """The playlist at `key` is followed at `source` now, joined at `at`; `changed`: as another presentation."""

    def join_of(self, key: str, source: str) -> Join | None:
        """How viewers of the stream of `key` were joined to its presentation at `source`, if they were."""

    def names(self, keys: Iterable[str], source: str) -> None:
        """A playlist of `source` names these."""

    def leads_to(self, key: str, children: Iterable[str]) -> None:
        """The multivariant playlist at `key` names these playlists."""

    def beside(self, key: str, others: Iterable[str]) -> None:
        """The media playlist at `key` reports on these."""
