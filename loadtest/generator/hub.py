"""Everything that the viewers of a process share: the port of the players, timers, connections, the receive buffer.

No task per viewer or request: a heap of times, and a ring of viewers of whom one slot is looked after every turn.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Protocol, cast

from headwater.loadtest.players.address import Address
from headwater.loadtest.players.lane import Answer, Lane, kept
from headwater.loadtest.players.ledger import Ledger
from headwater.loadtest.players.library import Library
from headwater.loadtest.players.player import Player
from headwater.loadtest.players.playhead import State
from headwater.loadtest.records import ViewerClass

from .carrier import Carrier, Carriers
from .dial import Dialer

ROOM = 256 << 10
"""Of the receive buffer, bytes: what libuv reads at most at a time."""
TURN_S = 0.01
"""Distance of turns: how exact timers are."""
SLOTS = 100
"""Of the ring: each viewer is looked after once a second."""
PLAYLIST_LOAD, MEDIA_LOAD = 2, 12
"""An answer that began may take so many times the time to its first byte: 20 s and 120 s (hls.js maxLoadTimeMs)."""


class Woken(Protocol):
    """Whom a timer wakes."""

    def woken(self, now: float) -> None:
        """The time has come."""


class Leaving:
    """A viewer's end of stay."""

    __slots__ = ("player",)

    def __init__(self, player: Player) -> None:
        self.player = player

    def woken(self, now: float) -> None:
        """It leaves."""
        self.player.leave(now)


class Hub:
    """The port of all players of a process (`players.lane.Port`)."""

    def __init__(
        self, dialer: Dialer, clock: Callable[[], float], timeout_s: float, carriers: Callable[[Hub], Carriers]
    ) -> None:
        """`carriers`: makes what carries the requests, by the protocol of the viewers."""
        self.clock = clock
        """Unix time by the server's clock."""
        self.ledger = Ledger()
        self.library = Library()
        self.room = memoryview(bytearray(ROOM))
        self.dialer = dialer
        self._answer = Answer(0, b"", 0, 0, 0.0)
        self._carriers = carriers(self)
        self._timeout_s = timeout_s
        self._ring: list[dict[Player, None]] = [{} for _ in range(SLOTS)]
        self._places: dict[Player, int] = {}
        self._cursor = 0
        self._next_slot_at = 0.0
        self._times: list[tuple[float, int, Woken]] = []
        self._timer = 0
        self._arrived = 0
        self._dismissed: list[Player] = []

    # -- viewers

    @property
    def viewers(self) -> int:
        """How many there are."""
        return len(self._places)

    def playing(self) -> int:
        """How many of them see a moving picture."""
        return sum(player.head.state is State.PLAYING for player in self._places)

    def arrive(self, viewer: ViewerClass, url: Address, seed: tuple[int, int], stay_s: float | None) -> None:
        """A viewer comes."""
        now = self.clock()
        player = Player(self, self.library, self.ledger, viewer, url, (*seed, self._arrived), now)
        place = self._arrived % SLOTS
        self._arrived += 1
        self._ring[place][player] = None
        self._places[player] = place
        player.join(now)
        if stay_s is not None:
            self.wake(now + stay_s, Leaving(player))

    def gone(self, player: object) -> None:
        """A player is through."""
        leaver = cast(Player, player)
        place = self._places.pop(leaver, None)
        if place is None:
            return
        del self._ring[place][leaver]
        for lane in leaver.lanes():
            self.abandon(lane)
        self._carriers.gone(leaver)
        self._dismissed.append(leaver)

    def finish(self, now: float) -> None:
        """The run is over: whoever is still there sees the end of it."""
        for player in list(self._places):
            player.finish(now)

    # -- requests

    def send(self, lane: Lane) -> None:
        """Send the request by what carries the lane's requests; make it where there is none to its server."""
        carrier = cast(Carrier | None, lane.connection)
        origin = lane.origin
        assert origin is not None
        if carrier is not None:
            if carrier.takes(origin):
                carrier.send(lane)
                return
            carrier.close()
        self._carriers.carry(lane, origin)

    def abandon(self, lane: Lane) -> None:
        """Give the lane's request up; the lane is free again."""
        if lane.connection is not None:
            cast(Carrier, lane.connection).close()
        lane.busy = False

    # -- what carriers tell

    def answered(self, lane: Lane, status: int, age: int, body: bytes, size: int, first: float, now: float) -> None:
        """The answer to the lane's request is whole; see `players.lane.Answer`."""
        answer = self._answer
        answer.status, answer.age, answer.body, answer.size, answer.first = status, age, body, size, first
        lane.busy = False
        lane.owner.answered(lane, answer, now)

    def failed(self, lane: Lane, why: str, now: float) -> None:
        """There will be no answer to it, if it waits for one."""
        if lane.busy:
            lane.busy = False
            lane.owner.failed(lane, why, now)

    # -- time

    def wake(self, at: float, owner: Woken) -> None:
        """Call `owner.woken` in the first turn at or after `at`."""
        self._timer += 1
        heapq.heappush(self._times, (at, self._timer, owner))

    def turn(self, now: float) -> None:
        """What is due."""
        for player in self._dismissed:
            player.dismiss()
        self._dismissed.clear()
        times = self._times
        while times and times[0][0] <= now:
            heapq.heappop(times)[2].woken(now)
        if self._next_slot_at < now - 1.0:
            self._next_slot_at = now
        while self._next_slot_at <= now:
            self._next_slot_at += 1.0 / SLOTS
            self._cursor = (self._cursor + 1) % SLOTS
            for player in list(self._ring[self._cursor]):
                self._look_after(player, now)

    def _look_after(self, player: Player, now: float) -> None:
        player.sample(now)
        for lane in player.lanes():
            if lane.busy and now > lane.asked + (lane.patience or self._timeout_s):
                carrier = cast(Carrier, lane.connection)
                if not carrier.receiving or now > lane.asked + lane.patience + self._load_s(lane):
                    carrier.overdue(now)

    def _load_s(self, lane: Lane) -> float:
        """How long a whole answer may take whose first byte came in time."""
        return self._timeout_s * (PLAYLIST_LOAD if kept(lane.kind) else MEDIA_LOAD)
