"""One request after the other: what is asked, and who hears the answer. Sans-IO.

A browser over HTTP/1.1 has one request at a time on a connection; so has a lane. Over HTTP/2 the lanes of a viewer
share a connection, and each has one stream at a time. The shell that owns the connection reads the request off the lane
(`Port.send`) and tells it what came of it (`Owner`).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol

from headwater.loadtest.records import ViewerClass

from .address import Address, Origin
from .view import Unit


class Kind(enum.Enum):
    """What is asked for; the names stand in `Tick.errors`."""

    MULTIVARIANT = "multivariant"
    PLAYLIST = "playlist"
    INIT = "init"
    PART = "part"
    SEGMENT = "segment"


def kept(kind: Kind) -> bool:
    """Whether the body is given with the answer; others are counted."""
    return kind is Kind.PLAYLIST or kind is Kind.MULTIVARIANT


@dataclass(slots=True)
class Answer:
    """A whole answer. One object per process is used again and again: nobody keeps it."""

    status: int
    body: bytes
    """Empty where it is not kept."""
    size: int
    """Bytes of the body."""
    age: int
    """Age field (RFC 9111, 5.1), seconds; 0 without."""
    first: float
    """When the first byte came."""


class Owner(Protocol):
    """Who asks on a lane: a player or one of its tracks."""

    @property
    def viewer(self) -> ViewerClass:
        """Of the viewer: its headers, and how fast it reads."""

    @property
    def player(self) -> object:
        """Whose lanes may share a connection."""

    def answered(self, lane: Lane, answer: Answer, now: float) -> None:
        """An answer is whole; the lane is free again."""

    def failed(self, lane: Lane, why: str, now: float) -> None:
        """There will be no answer: `reset`, `timeout`, `malformed`, `refused`…; the lane is free again."""

    def woken(self, now: float) -> None:
        """A time that `Port.wake` was asked for has come."""


class Nobody:
    """Owns the lanes of who is gone."""

    viewer = ViewerClass()
    player = None

    def answered(self, lane: Lane, answer: Answer, now: float) -> None:
        """Too late."""

    def failed(self, lane: Lane, why: str, now: float) -> None:
        """Too late."""

    def woken(self, now: float) -> None:
        """Too late."""


NOBODY = Nobody()


class Port(Protocol):
    """The shell's side."""

    def send(self, lane: Lane) -> None:
        """Send the request that stands on the lane."""

    def abandon(self, lane: Lane) -> None:
        """Nobody waits for the answer any more: give the request up; the lane is free again."""

    def wake(self, at: float, owner: Owner) -> None:
        """Call `owner.woken` at `at` or a little later."""

    def gone(self, player: object) -> None:
        """The player is through: close its lanes."""


class Lane:
    """One request at a time."""

    __slots__ = (
        "asked", "busy", "connection", "extra", "kind", "origin", "owner", "patience", "stale", "target", "unit",
    )  # fmt: skip

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self.connection: object | None = None
        """What carries its requests: the shell's."""
        self.busy = False
        self.kind = Kind.PLAYLIST
        self.origin: Origin | None = None
        self.target = b""
        self.extra = b""
        """Header lines of this request only."""
        self.asked = 0.0
        self.patience = 0.0
        """Seconds until the player gives a held request up; 0: like any other request."""
        self.unit: Unit | None = None
        """What a request for media loads; None for a hint, whose place the owner knows."""
        self.stale = False
        """The owner has no use for the answer any more."""

    @property
    def held(self) -> bool:
        """The server may hold the answer until something is published."""
        return self.patience > 0

    def ask(self, port: Port, kind: Kind, where: Address, now: float, target: bytes = b"", extra: bytes = b"") -> None:
        """Send a request; `target` where it is not that of `where`. `patience` and `unit` may be set before."""
        self.kind = kind
        self.origin = where.origin
        self.target = target or where.target
        self.extra = extra
        self.asked = now
        self.busy = True
        self.stale = False
        port.send(self)
