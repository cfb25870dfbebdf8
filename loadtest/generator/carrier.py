"""What carries the requests of a lane: the hub's side of every protocol."""

from __future__ import annotations

from typing import Protocol

from headwater.loadtest.players.address import Origin
from headwater.loadtest.players.lane import Lane

USER_AGENT = "headwater-loadtest/1"


class Carrier(Protocol):
    """One request of one lane at a time. A lane keeps it (`Lane.connection`) while it is good for the next one."""

    def takes(self, origin: Origin) -> bool:
        """Whether the next request may go to `origin` on it."""

    def send(self, lane: Lane) -> None:
        """Send the request that stands on the lane, or have it wait for the connection."""

    @property
    def receiving(self) -> bool:
        """The first byte of the answer came."""

    def overdue(self, now: float) -> None:
        """The answer took too long: the lane's owner is told of the time-out."""

    def close(self) -> None:
        """Forget the lane. What it waits for is given up."""


class Carriers(Protocol):
    """Makes carriers."""

    def carry(self, lane: Lane, origin: Origin) -> None:
        """Give the lane a carrier to `origin`, which sends the request that stands on the lane."""

    def gone(self, player: object) -> None:
        """The player's lanes ask nothing any more: close what they shared."""
