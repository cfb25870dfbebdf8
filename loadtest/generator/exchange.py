"""HTTP/2: the place of a lane on a shared connection. Sans-IO."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater.loadtest.players.address import Origin
from headwater.loadtest.players.lane import Lane, kept

from .http2 import Http2Error
from .response import MAX_BODY, MAX_KEPT

if TYPE_CHECKING:
    from .shared import SharedConnection


class Exchange:
    """One stream after the other; `carrier.Carrier`. `lane` None: nobody is interested any more."""

    __slots__ = ("_connection", "_keep", "_most", "_pieces", "age", "first", "lane", "number", "size", "status")

    def __init__(self, connection: SharedConnection, lane: Lane) -> None:
        self._connection = connection
        self.lane: Lane | None = lane
        lane.connection = self
        self._pieces: list[bytes] = []
        self._begin(keep=False)

    def _begin(self, *, keep: bool) -> None:
        self.number = 0
        """Of the stream; 0: there is none."""
        self.status = self.age = self.size = 0
        """Of the answer, as far as it came; status 0: no head yet."""
        self.first = 0.0
        """When the first byte of the answer came."""
        self._keep = keep
        self._most = MAX_KEPT if keep else MAX_BODY
        if self._pieces:
            self._pieces = []

    # -- carrier.Carrier

    def takes(self, origin: Origin) -> bool:
        """Whether the connection goes there, and takes requests."""
        return self._connection.takes(origin)

    def send(self, lane: Lane) -> None:
        """Ask for what stands on the lane, as soon as there is room for a stream."""
        self._begin(keep=kept(lane.kind))
        self._connection.ask(self)

    @property
    def receiving(self) -> bool:
        """The first byte of the answer came."""
        return self.first > 0

    def overdue(self, now: float) -> None:
        """The answer took too long."""
        self._connection.overdue(self, now)

    def close(self) -> None:
        """Forget the lane; a stream that is open is cancelled."""
        self.detach()
        self._connection.leave(self)

    # -- the connection's side

    def detach(self) -> Lane | None:
        """Forget the lane: which one that was."""
        lane, self.lane = self.lane, None
        if lane is not None:
            lane.connection = None
        return lane

    def take(self, data: bytes) -> None:
        """More of the body. Raises Http2Error when it is too long."""
        self.size += len(data)
        if self.size > self._most:
            raise Http2Error("the body is too long")
        if self._keep:
            self._pieces.append(data)

    def body(self) -> bytes:
        """What is kept of it, once."""
        pieces, self._pieces = self._pieces, []
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)
