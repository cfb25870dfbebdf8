"""For the tests of fills: upstreams whose answers come piece by piece on a stepped clock, viewers who read along."""

from __future__ import annotations

from collections.abc import Callable

from tests.edge_kit import UNIX, Quiet, Script, Viewer, named

from headwater.edge.breaker import Breaker
from headwater.edge.core import TICK_S, Core, CoreLimits
from headwater.edge.growing import Reader
from headwater.edge.member import Member, ProbeRules
from headwater.edge.message import (
    Arriving,
    Done,
    Failure,
    Method,
    Request,
    Response,
    UpstreamAnswer,
    UpstreamRequest,
)
from headwater.edge.tiers import TierRules, Tiers


class Tap:
    """A `growing.Flow` that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    @property
    def paused(self) -> bool:
        return self.told[-1:] == ["pause"]

    def pause(self) -> None:
        """Note it."""
        self.told.append("pause")

    def resume(self) -> None:
        """Note it."""
        self.told.append("resume")


class Upload(Tap):
    """An upstream's answer that comes piece by piece."""

    def __init__(
        self, request: UpstreamRequest, done: Done, head: UpstreamAnswer, length: int | None, *, offer: bool = True
    ) -> None:
        super().__init__()
        assert request.arriving is not None, "nobody takes it as it comes"
        self.request = request
        self._arriving: Arriving = request.arriving
        self._done = done
        self._head = head
        self._length = length
        self.taken = offer and self.offer()

    def offer(self) -> bool:
        """The head came; whether the body is taken as it comes."""
        return self._arriving.head(self._head, self._length, self)

    def piece(self, data: bytes, at: float) -> Upload:
        """Content."""
        self._arriving.piece(data, at)
        return self

    def end(self, at: float) -> None:
        """The last byte came."""
        self._done(UpstreamAnswer(at, UNIX + at, self._head.status, self._head.headers))

    def fail(self, at: float, failure: Failure = Failure.RESET) -> None:
        """It breaks off."""
        self._done(UpstreamAnswer(at, UNIX + at, failure=failure))


class Slow(Script):
    """An upstream that sends heads before bodies."""

    def __init__(self) -> None:
        super().__init__()
        self.left: list[str] = []
        """Targets of requests that were cancelled."""
        self._begun: dict[int, Upload] = {}

    def fetch(self, request: UpstreamRequest, done: Done) -> Callable[[], None]:
        """Note the request; its end after the head is seen as well."""
        over = False

        def once(answer: UpstreamAnswer) -> None:
            nonlocal over
            over = True
            done(answer)

        cancel = super().fetch(request, once)

        def left() -> None:
            nonlocal over
            if not over:
                over = True
                self.left.append(request.target)
            cancel()

        return left

    def begin(self, target: str, at: float, length: int | None = None, status: int = 200, /, **headers: str) -> Upload:
        """Send the head of the answer to the oldest request for `target`; header names with _ for -."""
        request, done = self.take(target)
        fields = {"content_type": "video/mp4", "cache_control": "max-age=60", **headers}
        return Upload(request, done, UpstreamAnswer(at, UNIX + at, status, named(fields)), length)


class Reading(Viewer):
    """A viewer who takes the body as it comes, unless `idle`."""

    def __init__(self, core: Core, *, idle: bool = False) -> None:
        super().__init__(core)
        self._got = bytearray()
        self.reader: Reader | None = None
        self._idle = idle

    def get(self, target: str, now: float, method: Method = Method.GET, **fields: object) -> Reading:
        """Ask."""
        request = Request(method, target.encode(), **fields)  # type: ignore[arg-type]
        self.ticket = self.core.handle(request, self._answered, now)
        return self

    def _answered(self, response: Response) -> None:
        self.answers.append(response)
        if response.growing is None:
            self._got += response.entity.body
        else:
            self.reader = response.growing.read(self.take, *(response.span or (0, None)))
            self.take()

    def take(self, most: int = 1 << 30) -> None:
        """Read what is there."""
        if self.reader is not None and (not self._idle or most < 1 << 30):
            for piece in self.reader.take(most):
                self._got += piece

    @property
    def got(self) -> bytes:
        """The content so far."""
        return bytes(self._got)

    def leave(self) -> None:
        """Close the connection."""
        if self.ticket is not None:
            self.ticket.cancel()
        if self.reader is not None:
            self.reader.cancel()
            self.reader = None

    @property
    def whole(self) -> bool:
        """It has all of what it was promised."""
        return bool(self.answers) and (self.reader is None or self.reader.done)

    @property
    def lost(self) -> bool:
        """What it was promised will not come."""
        return self.reader is not None and self.reader.lost


class FillHouse:
    """A core with small bounds in front of upstreams named a, b, … that are slow."""

    def __init__(self, upstreams: int = 1, object_bytes: int = 10_000) -> None:
        self.now = 100.0
        self.origins = [Slow() for _ in range(upstreams)]
        members = [Member(i, "abcdef"[i], origin, Breaker(3, 2.0)) for i, origin in enumerate(self.origins)]
        self.tiers = Tiers(members, TierRules("edge", ProbeRules("", 2.0, 2.0), 30.0, 1.25), self.now)
        limits = CoreLimits("edge", 10_000_000, 1_000, 10, 30.0, b"k" * 32, object_bytes=object_bytes)
        self.core = Core(limits, self.tiers, Quiet(), lambda: True, self.tiers, "id-1")

    @property
    def asked(self) -> Slow:
        """The one upstream that has a request to answer."""
        (one,) = [origin for origin in self.origins if origin.pending]
        return one

    @property
    def origin(self) -> Slow:
        """The first."""
        return self.origins[0]

    def get(self, target: str, *, idle: bool = False, method: Method = Method.GET, **fields: object) -> Reading:
        """A viewer asks now."""
        return Reading(self.core, idle=idle).get(target, self.now, method, **fields)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while self.now < end - 1e-9:
            self.now += TICK_S
            self.tiers.handle_timeout(self.now)
            self.core.handle_timeout(self.now)
