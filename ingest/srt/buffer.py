"""The receive buffer: packets into order, once each, waiting for missing ones as long as the latency allows. Sans-IO.

A packet is *ready* when all before it are ready or given up. A missing packet is given up when the first packet behind
its gap is due (draft section 4.6), when the sender says that it has it no more, or when the buffer is full. With early
release ready packets come out at once; else each waits until it is due (draft section 4.5).
"""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass

from .clock import Clock
from .loss import LossList
from .sequence import SEQUENCE_MASK, position_of, sequence_offset

MAX_AHEAD_S = 1.0
"""How much later than now plus latency a packet may be due.

Why: only a handshake that took longer than this packet puts it there; a sender with a wrong clock must not hold its own
stream back for half an hour.
"""


class Arrival(enum.Enum):
    """What became of a packet."""

    READY = enum.auto()
    """It is next, or filled a gap."""
    GAP = enum.auto()
    """It came before others, which are now missing: `ReceiveBuffer.new_gap` has them."""
    HELD = enum.auto()
    """It is the newest, behind an older gap."""
    DUPLICATE = enum.auto()
    """It is there already."""
    BELATED = enum.auto()
    """Its place has been handed out or given up."""
    FAR = enum.auto()
    """It is outside of the flow window."""


@dataclass(frozen=True, slots=True)
class Window:
    """Bounds of one buffer."""

    packets: int
    octets: int
    latency_s: float
    early: bool


class ReceiveBuffer:
    """Packets of one session.

    Args:
        sequence: of the first packet that will come.
    """

    def __init__(self, sequence: int, window: Window, clock: Clock) -> None:
        self.expected = sequence
        """Sequence number of the first packet that is missing."""
        self.position = position_of(sequence)
        """The same as a position."""
        self.simple = window.early
        """Nothing is missing and nothing waits: the packet `expected` may go to `ready` without `insert`."""
        self.ready: list[bytes | int] = []
        """Payloads to hand out; a number stands for that many packets given up."""
        self.losses = LossList()
        self.new_gap = (0, 0)
        self.held_bytes = 0
        self._window = window
        self._clock = clock
        self._highest = self.position - 1
        self._held: dict[int, tuple[bytes | None, float]] = {}
        self._paced: deque[tuple[float, bytes | int]] = deque()
        self._far: int | None = None

    @property
    def free(self) -> int:
        """Packets that may still come before the window is full."""
        return self._window.packets - len(self._held) - len(self._paced)

    @property
    def held_packets(self) -> int:
        """Packets that wait, for missing ones or for their time."""
        return len(self._held) + len(self._paced)

    def step(self) -> None:
        """The packet `expected` went to `ready`. Only while `simple`."""
        self._highest = self.position
        self.position += 1
        self.expected = self.position & SEQUENCE_MASK

    def place(self, sequence: int) -> Arrival:
        """What `insert` will find; a packet that has no place need not be decrypted."""
        ahead = sequence_offset(sequence, self.expected)
        if ahead < 0:
            return Arrival.BELATED
        if ahead >= self._window.packets:
            return self._too_far(sequence)
        position = self.position + ahead
        if position in self._held:
            return Arrival.DUPLICATE
        if position <= self._highest:
            return Arrival.READY
        if position > self._highest + 1:
            return Arrival.GAP
        return Arrival.READY if ahead == 0 else Arrival.HELD

    def insert(self, sequence: int, payload: bytes | None, stamp: int, now: float) -> Arrival:
        """Take a packet; None for one that cannot be used, which counts as given up."""
        arrival = self.place(sequence)
        if arrival in (Arrival.BELATED, Arrival.DUPLICATE, Arrival.FAR):
            return arrival
        position = self.position + sequence_offset(sequence, self.expected)
        if position > self._highest:
            if arrival is Arrival.GAP:
                self.new_gap = (self._highest + 1, position - 1)
                self.losses.open(*self.new_gap)
            self._highest = position
        else:
            self.losses.fill(position)
        self._held[position] = (payload, self._due(stamp, now))
        self.held_bytes += len(payload or b"")
        self._advance()
        self._shrink()
        self._settle()
        return arrival

    def drop(self, first: int, last: int, now: float) -> int:
        """The sender has `first .. last` no more (draft section 3.2.9); how many missing packets that gives up."""
        low = self.position + sequence_offset(first, self.expected)
        high = self.position + sequence_offset(last, self.expected)
        if high < low or high - low >= self._window.packets or high - self.position >= self._window.packets:
            return 0
        due = now + self._window.latency_s
        missing = self.losses.missing(low, high)
        # Packets that were never sent once can be dropped as well: they are above the newest one.
        if low <= self._highest + 1 and high > self._highest:
            missing += range(self._highest + 1, high + 1)
            self.losses.open(self._highest + 1, high)
            self._highest = high
            self._held[high + 1] = (None, due)
        for position in missing:
            behind = self.losses.end_of(position) + 1
            self.losses.fill(position)
            self._held[position] = (None, self._held[behind][1])
        self._held.pop(self._highest + 1, None)  # the stand-in for a packet behind
        self._advance()
        self._settle()
        return len(missing)

    def release(self, now: float) -> None:
        """Give up what is missing and due, and let out what waited for its time."""
        while self.losses and self._gap_due() <= now:
            self._give_up()
        while self._paced and self._paced[0][0] <= now:
            self._let_out()
        self._settle()

    def next_due(self) -> float | None:
        """When `release` has something to do."""
        due = self._paced[0][0] if self._paced else None
        if self.losses:
            gap = self._gap_due()
            due = gap if due is None else min(due, gap)
        return due

    def flush(self) -> None:
        """The sender is gone: everything that is there comes out, everything that is missing is given up."""
        while self.losses:
            self._give_up()
        while self._paced:
            self._let_out()

    def _due(self, stamp: int, now: float) -> float:
        due = self._clock.sent_at(stamp, now) + self._window.latency_s
        return min(due, now + self._window.latency_s + MAX_AHEAD_S)

    def _gap_due(self) -> float:
        """When the packet behind the oldest gap is due. A gap always has one behind it."""
        return self._held[self.losses.head[1] + 1][1]

    def _give_up(self) -> None:
        due = self._gap_due()
        size = self.losses.drop_head()
        self._emit(size, due)
        self._move(size)
        self._advance()

    def _advance(self) -> None:
        """Everything from `position` on that is there becomes ready."""
        held, position = self._held, self.position
        while (entry := held.pop(position, None)) is not None:
            payload, due = entry
            self.held_bytes -= len(payload or b"")
            self._emit(1 if payload is None else payload, due)
            position += 1
        self._move(position - self.position)

    def _move(self, steps: int) -> None:
        self.position += steps
        self.expected = self.position & SEQUENCE_MASK

    def _emit(self, item: bytes | int, due: float) -> None:
        if self._window.early:
            self._add_ready(item)
            return
        self._paced.append((due, item))
        if isinstance(item, bytes):
            self.held_bytes += len(item)

    def _let_out(self) -> None:
        item = self._paced.popleft()[1]
        if isinstance(item, bytes):
            self.held_bytes -= len(item)
        self._add_ready(item)

    def _add_ready(self, item: bytes | int) -> None:
        ready = self.ready
        if isinstance(item, int) and ready:
            last = ready[-1]
            if isinstance(last, int):
                ready[-1] = last + item
                return
        ready.append(item)

    def _shrink(self) -> None:
        """Keep to the bounds: what waits for its time goes first, then the oldest gaps are given up."""
        while self.held_bytes > self._window.octets or len(self._paced) > self._window.packets:
            if self._paced:
                self._let_out()
            elif self.losses:
                self._give_up()
            else:
                return

    def _settle(self) -> None:
        self.simple = self._window.early and not self._held and not self.losses

    def _too_far(self, sequence: int) -> Arrival:
        """A packet beyond the window: the window is full, the sender jumped, or it is a stray.

        Full: it is near the newest one, and the oldest gaps are given up for it. Why two for a jump: after an outage a
        sender goes on where it is now, which libsrt answers by closing the connection. One stray packet must not move
        the window, a second one near the first does.
        """
        if self.position + sequence_offset(sequence, self.expected) - self._highest < self._window.packets:
            while self.losses and sequence_offset(sequence, self.expected) >= self._window.packets:
                self._give_up()
            return self.place(sequence)
        before, self._far = self._far, sequence
        if before is None or abs(sequence_offset(sequence, before)) >= self._window.packets:
            return Arrival.FAR
        self._far = None
        self._jump(sequence)
        return Arrival.READY

    def _jump(self, sequence: int) -> None:
        """Give up everything before `sequence`, which is ahead of the window."""
        self.flush()
        skipped = sequence_offset(sequence, self.expected)
        self._add_ready(skipped)
        self._move(skipped)
        self._highest = self.position - 1
        self._settle()
