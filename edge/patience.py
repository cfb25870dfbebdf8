"""A worker's upstream while its node is away: what the node's end broke off is asked again. Sans-IO.

The node's listening socket outlives the node, so a request that is sent again waits in its queue until the next node
accepts it. Everybody else at the worker goes on waiting as before; nobody is told of the change. A body that the core
takes while it comes is not asked again here: the core has a part of it, and asks for the rest itself.

    fetch ─> ask ── answer ─────────────────────> done
              └──── broken off, nobody there ──> ask again, for `PATIENCE_S` from when the node was last heard
"""

from __future__ import annotations

from dataclasses import replace

from .growing import Flow
from .message import Arriving, Cancel, Done, Failure, Upstream, UpstreamAnswer, UpstreamRequest

PATIENCE_S = 8.0
"""Without any answer of the node, until those who wait are told. Why: a node is back within two seconds, on a
busy machine within five; a player gives a request ten."""
AGAIN_S = 0.05
"""Before a request is sent again. Why: a node that breaks off at once must not be asked in a tight circle."""
MAX_TRIES = 20
"""Of one request. Why: what ends the node each time must not do so for ever."""

_GONE = frozenset((Failure.CONNECT, Failure.RESET))


class _Call:
    """One request of the core."""

    __slots__ = ("again_at", "asked", "cancel", "done", "last", "relayed", "request", "tries")

    def __init__(self, request: UpstreamRequest, done: Done, now: float) -> None:
        self.request = request
        self.done = done
        self.asked = now
        self.tries = 0
        self.cancel: Cancel | None = None
        """Of the attempt under way."""
        self.again_at = 0.0
        self.last: UpstreamAnswer | None = None
        self.relayed = False
        """Its body goes to the core while it comes."""


class _Ear:
    """`message.Arriving` of one request: notes that its body was taken."""

    def __init__(self, patient: Patient, call: _Call, arriving: Arriving) -> None:
        self._patient = patient
        self._call = call
        self._arriving = arriving
        self.piece = arriving.piece

    def head(self, answer: UpstreamAnswer, length: int | None, flow: Flow) -> bool:
        """Status and fields."""
        self._patient.heard()
        self._call.relayed = self._arriving.head(answer, length, flow)
        return self._call.relayed


class Patient:
    """`message.Upstream` over the client of the node. `now` is heard from a timer and from answers."""

    def __init__(self, node: Upstream, now: float) -> None:
        self._node = node
        self._now = now
        self._calls: dict[_Call, None] = {}
        self._due: dict[_Call, None] = {}
        """Broken off, to be asked again."""
        self._silent: float | None = None
        """Since when nothing was heard of a node that broke off; None: it answers."""
        self.repeated = 0
        """Requests that were sent again."""

    @property
    def away(self) -> bool:
        """The node broke off and has not answered since."""
        return self._silent is not None

    def heard(self) -> None:
        """The node answers."""
        self._silent = None

    def fetch(self, request: UpstreamRequest, done: Done) -> Cancel:
        """Ask the node; `done` is called once, from a later event."""
        call = _Call(request, done, self._now)
        self._calls[call] = None
        self._ask(call)

        def cancel() -> None:
            self._drop(call)

        return cancel

    def _ask(self, call: _Call) -> None:
        call.tries += 1
        request = call.request
        if request.arriving is not None:
            request = replace(request, arriving=_Ear(self, call, request.arriving))
        call.cancel = self._node.fetch(request, lambda answer: self._answered(call, answer))

    def _answered(self, call: _Call, answer: UpstreamAnswer) -> None:
        self._now = max(self._now, answer.at)
        call.cancel = None
        if answer.failure not in _GONE or call.relayed:
            if answer.failure is None:
                self._silent = None
            self._end(call, answer)
            return
        if self._silent is None:
            self._silent = self._now
        call.last = answer
        if call.tries >= MAX_TRIES:
            self._end(call, answer)
        else:
            call.again_at = self._now + AGAIN_S
            self._due[call] = None

    def _end(self, call: _Call, answer: UpstreamAnswer) -> None:
        self._drop(call)
        call.done(answer)

    def _drop(self, call: _Call) -> None:
        self._due.pop(call, None)
        if self._calls.pop(call, call) is None and call.cancel is not None:
            call.cancel()
            call.cancel = None

    def handle_timeout(self, now: float) -> None:
        """Ask again what is due, and give up what has waited for too long."""
        self._now = max(self._now, now)
        silent = self._silent
        for call in list(self._calls) if silent is not None else ():
            # An answer given just now may have made somebody cancel it
            if call in self._calls and self._now - max(silent or 0.0, call.asked) >= PATIENCE_S:
                self._end(call, call.last or UpstreamAnswer(self._now, 0.0, failure=Failure.CONNECT))
        for call in list(self._due):
            if call in self._due and self._now >= call.again_at:
                del self._due[call]
                self.repeated += 1
                self._ask(call)

    def stop(self) -> None:
        """End every request; nobody is answered any more."""
        for call in list(self._calls):
            self._drop(call)
