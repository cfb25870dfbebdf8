"""What a follower needs of the core. Sans-IO."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from .collapse import Waiter
from .message import Entity, Outcome, Reply, Request, Tally, Upstream, UpstreamAnswer
from .overrides import Kinds
from .paths import Paths

if TYPE_CHECKING:
    from .follow import Follower


class Host(Protocol):
    """The core, as a follower sees it."""

    tally: Tally
    upstream: Upstream
    paths: Paths

    @property
    def kinds(self) -> Kinds:
        """Where what is a part or an init section is noted."""

    def send(self, request: Request, reply: Reply, entity: Entity, outcome: Outcome, now: float) -> None:
        """Answer one viewer with the right form of `entity`."""

    def send_all(self, waiters: Iterable[Waiter], entity: Entity, outcome: Outcome, now: float) -> None:
        """Answer many viewers, each with the right form of `entity`."""

    def room(self) -> bool:
        """Whether one more viewer may wait."""

    def prefetch(self, keys: Iterable[str], now: float, *, listed: bool) -> None:
        """Begin to fetch what is neither stored nor on its way. `listed`: a stored 404 is not true any more."""

    def window(self, added: Iterable[str], dropped: Iterable[str]) -> None:
        """These keys came into the live window, those left it."""

    def growing(self, keys: Iterable[str], grown: Iterable[str]) -> None:
        """Files whose parts are byte ranges: such as still grow, and such as do not any more."""

    def finished(self, follower: Follower, answer: UpstreamAnswer) -> None:
        """The follower reached ENDED, GONE or STOPPED; `answer` is the last one."""

    def waking(self, count: int) -> None:
        """About to answer `count` held viewers."""

    def woke(self, count: int) -> None:
        """Answered them."""
