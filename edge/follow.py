"""A follower: one live playlist, always one held request ahead at the upstream. Sans-IO.

    FOLLOWING ── news ──> FOLLOWING        publish: wake the lines, prefetch what is new, ask for the next part
    FOLLOWING ── error ─> PAUSED ── time ─> RELOADING (plain request) ── 200 ─> FOLLOWING
    any ── ENDLIST, or no blocking ─> ENDED    any ── 410, or 404 for three target durations ─> GONE
    any ── nobody came for `grace_s` ─> STOPPED

The shell's timer calls `handle_timeout`; nothing here needs to be exact to better than a tenth of a second.
"""

from __future__ import annotations

import enum
import zlib

from headwater.origin.hls.directives import Directives, Reject, Serve, Wait, decide
from headwater.origin.hls.model import MediaPlaylist

from .collapse import Line, Waiter
from .entities import RETRY_AFTER_S, crowded, local, upstream_age
from .host import Host
from .keys import Target, with_directives
from .livewindow import LiveWindow
from .message import (
    Cancel,
    Failure,
    Outcome,
    Purpose,
    Reply,
    Request,
    UpstreamAnswer,
    UpstreamRequest,
)
from .places import Place
from .scout import Scout
from .succession import Succession
from .version import Version, cache_control, followable, read_playlist

BACKOFF_FIRST_S = 0.1
BACKOFF_MOST_S = 2.0
"""Between attempts at an upstream that fails. Why: held viewers wait for the first answer after it is back."""
EARLY_S = 0.1
"""Least time between two answers without news (rule 93: an upstream that does not really block)."""
CONFIRM_TARGETS = 2.0
"""Target durations without an answer after which a request is given up for a plain one."""
BEHIND_S = 0.5
"""Between looks at an upstream that went back, until that is believed."""

PLAIN_HEDGE_S = 1.0
"""Why: a playlist that is not held is a file to send; one that takes a second is late."""

MAX_PREFETCH = 64
"""Newest parts and init sections fetched ahead at once. Why: a foreign playlist may list thousands in one step."""

_GOLDEN = 0.618034
"""Each wake starts this much further round the line, so that no viewer is always last."""


class State(enum.Enum):
    """What the follower is doing."""

    FOLLOWING = "following"
    PAUSED = "paused"
    RELOADING = "reloading"
    ENDED = "ended"
    GONE = "gone"
    STOPPED = "stopped"


class Follower:
    """Follows the playlist at canonical key `key`, beginning with `answer`, whose body is `model`."""

    def __init__(
        self, key: str, host: Host, answer: UpstreamAnswer, model: MediaPlaylist, *, grace_s: float, via: str, loop: str
    ) -> None:
        self.key = key
        self.state = State.FOLLOWING
        self._host = host
        self._grace_s = grace_s
        self._via = via
        self._loop = loop
        self._succession = Succession(key, host.paths, answer, model)
        self._scout = Scout(key, host.upstream, self._succession, loop, self._passed)
        self._jitter = (zlib.crc32(key.encode()) % 100) / 1_000
        self._cache_plain: str | None = None
        self._cache_blocking: str | None = None
        self._lines: dict[Directives, Line] = {}
        self._window = LiveWindow(key, host)
        self._cancel: Cancel | None = None
        self._failures = self._wakes = 0
        self.lost = False
        self._retry_at = 0.0
        self._asked_at = answer.at
        self._behind_since: float | None = None
        self._anew = False
        """What is known was purged: the next answer counts, also when it says other things at the same position."""
        self._last = answer
        self.last_wanted = answer.at
        self._learn(answer, blocking=False)
        shown, answer = self._succession.visible(answer) or (model, answer)
        self.version = self._version(answer, shown)

    @property
    def stale_after_s(self) -> float:
        """Rule 163: how old a playlist may be that is served although the upstream fails."""
        return 3.0 * self._target_s

    @property
    def _target_s(self) -> int:
        return self.version.model.target_duration

    def start(self, now: float) -> None:
        """Begin to follow; called once, after the host knows the follower."""
        self._enter(self.version, None, now)

    # -- viewers

    def ask(self, request: Request, reply: Reply, target: Target, now: float) -> Waiter | None:
        """Answer a viewer now, or hold it."""
        self.last_wanted = now
        version, ask = self.version, target.directives
        if isinstance(ask, Reject):
            self._refuse(request, reply, ask, now)
            return None
        decision = version.decide(ask)
        match decision:
            case Serve():
                self._serve(request, reply, decision, ask, now)
                return None
            case Wait():
                if not self._host.room():
                    self._host.send(request, reply, crowded(), Outcome.REJECT, now)
                    return None
                line = self._lines.get(ask)
                if line is None:
                    line = self._lines[ask] = Line(self._host.tally)
                return line.join(request, reply, now + decision.timeout_s)
            case Reject():
                self._refuse(request, reply, decision, now)
                return None

    def place(self, request: Request, ask: Directives | Reject) -> Place | None:
        """Where `request` waits, for others that are the same; None: it does not wait."""
        if isinstance(ask, Reject) or (line := self._lines.get(ask)) is None:
            return None
        wait = self.version.decide(ask)
        return Place(self, line, request, wait.timeout_s) if isinstance(wait, Wait) else None

    def _serve(self, request: Request, reply: Reply, serve: Serve, ask: Directives, now: float) -> None:
        version = self.version
        # An upstream that answers is believed, whatever Age a cache in front of it states.
        silent_s = version.full.seconds_old(now) if self.lost else now - version.received
        if silent_s > self.stale_after_s:
            # Rule 163: too old to be told from a frozen stream; not kept by anybody (rule 148)
            error = local(503, "the upstream has been silent for too long", retry_after=RETRY_AFTER_S)
            self._host.send(request, reply, error, Outcome.REJECT, now)
            return
        outcome = Outcome.STALE if self.lost else Outcome.HIT
        self._host.send(request, reply, version.entity(serve, ask), outcome, now)

    def _refuse(self, request: Request, reply: Reply, why: Reject, now: float) -> None:
        self._host.send(request, reply, local(why.status, why.reason), Outcome.REJECT, now)

    def _wake(self, now: float) -> None:
        """Answer every line that the current version satisfies, in this turn of the loop."""
        ready: list[tuple[Directives, Serve | Reject]] = []
        for ask in self._lines:
            decision = decide(ask, self.version.position, held=True)
            if not isinstance(decision, Wait):
                ready.append((ask, decision))
        if not ready:
            return
        self._wakes += 1
        count = sum(len(self._lines[ask]) for ask, _ in ready)
        self._host.waking(count)
        for ask, verdict in ready:
            if isinstance(verdict, Serve):
                entity, outcome = self.version.entity(verdict, ask), Outcome.JOIN
            else:
                # The stream went back under held viewers. A 4xx would be the end of hls.js (rule 88).
                entity = local(503, "the stream started again", retry_after=RETRY_AFTER_S)
                outcome = Outcome.REJECT
            self._host.send_all(self._lines.pop(ask).take(self._wakes * _GOLDEN % 1.0), entity, outcome, now)
        self._host.tally.woken += count
        self._host.woke(count)

    def _expire(self, now: float) -> None:
        for ask, line in list(self._lines.items()):
            for waiter in line.overdue(now):
                # Rule 91: blocked for more than three target durations
                late = local(503, "no news within three target durations", retry_after=RETRY_AFTER_S)
                self._host.send(waiter.request, waiter.reply, late, Outcome.REJECT, now)
            if not line:
                del self._lines[ask]

    def release(self, now: float) -> None:
        """Answer all who wait with the current version, whatever they wait for: the server stops."""
        entity = self.version.unasked()
        for ask, line in list(self._lines.items()):
            for waiter in line.take():
                self._host.send(waiter.request, waiter.reply, entity, Outcome.JOIN, now)
            del self._lines[ask]

    # -- the upstream

    def _hold(self, now: float) -> None:
        """Ask for the next part (or segment) and let the upstream hold the request."""
        at = self._succession.position(self.version.position)
        # 6.2.5.2: the part after the last one listed; its parent's end is the upstream's business (rule 82)
        part = at.open_parts if at.part_target is not None else None
        self._fetch(with_directives(self.key, at.last_msn + 1, part), State.FOLLOWING, now)

    def _fetch(self, target: str, state: State, now: float) -> None:
        self.state = state
        self._asked_at = now
        # A plain request is held by nobody: overdue after a second
        hedge_s = None if state is State.FOLLOWING else PLAIN_HEDGE_S
        request = UpstreamRequest(
            target, Purpose.PLAYLIST, loop=self._loop, source=self._succession.source, hedge_s=hedge_s
        )
        self._cancel = self._host.upstream.fetch(request, self._answered)

    def ask_anew(self, now: float) -> None:
        """What is known was purged: ask for the whole playlist at once. Numbers do not go back by it."""
        if self.state in (State.FOLLOWING, State.PAUSED, State.RELOADING):
            self._abandon()
            self._anew = True
            self._fetch(self.key, State.RELOADING, now)

    def _answered(self, answer: UpstreamAnswer) -> None:
        self._cancel = None
        self._last = answer
        self._host.tally.fetched(Purpose.PLAYLIST, answer)
        model = read_playlist(answer.body) if answer.status == 200 else None
        if model is None:
            self._failed(answer)
            return
        if not self._succession.accepts(answer, model, self.version.model):
            if self.state is State.RELOADING:  # our own upstream failed, or this one would not have been heard
                self._failed(answer)
            else:
                self._pause(answer.at, EARLY_S)
            return
        self.lost, anew, self._anew = False, self._anew, False
        blocking = self.state is State.FOLLOWING
        self._learn(answer, blocking=blocking)
        visible = self._succession.visible(answer)
        if visible is None:  # of a presentation that is about to take over
            self._failures = 0
            self._pause(answer.at, EARLY_S)
            return
        version = self._version(visible[1], visible[0])
        if version.order > self.version.order or not followable(model):
            self._publish(version, answer.at)
        elif version.order < self.version.order and not self._accept_return(answer.at):
            self._pause(answer.at, EARLY_S if self._behind_since == answer.at else BEHIND_S)
        elif version.body != self.version.body and (blocking or anew or version.order != self.version.order):
            # The same position with other text (a tag removed or added), or a stream that really started again
            self._publish(version, answer.at)
        else:
            self.version.confirm(answer, upstream_age(answer))
            if blocking:  # answered early, or the upstream's own patience ended
                self._pause(answer.at, max(EARLY_S, (model.part_target or model.target_duration / 2) / 2))
            else:
                self._hold(answer.at)

    def _passed(self, answer: UpstreamAnswer) -> None:
        """Another upstream has the next part already, and ours has not."""
        if self.state in (State.FOLLOWING, State.PAUSED):
            self._abandon()
            self.state = State.RELOADING
            self._answered(answer)

    def _accept_return(self, now: float) -> bool:
        """Whether a step back is a new start of the stream, not one straggling replica of the upstream (rule 12)."""
        if self._behind_since is None:
            self._behind_since = now
        if now - self._behind_since < 1.5 * self._target_s:
            return False
        self._behind_since = None
        return True

    def _publish(self, version: Version, now: float) -> None:
        before = self.version
        self._failures = 0
        if version.order >= before.order:
            self._behind_since = None
        if version.order != before.order:
            self._succession.news(now)
        self.version = version
        self._enter(version, before, now)

    def _enter(self, version: Version, before: Version | None, now: float) -> None:
        """Make `version` current: ask for the next, prefetch, wake."""
        over = not followable(version.model)
        if over:
            self.state = State.ENDED
        elif version.order == (before.order if before else None):
            self._pause(now, EARLY_S)
        else:
            self._hold(now)
        self._window.move(version, self._succession.source, over=over)
        uris = version.wanted_first() if before is None else version.new_since(before)
        self._host.prefetch(self._window.keys(uris[-MAX_PREFETCH:]), now, listed=True)
        if not over:
            self._host.prefetch(self._window.keys(version.hinted()), now, listed=False)
        self._wake(now)
        if self.state is State.ENDED:
            self._finish()

    def _failed(self, answer: UpstreamAnswer) -> None:
        self._failures += 1
        self.lost = True
        if answer.status == 508:  # the circle that the first request went through; or whoever sent it made that up
            self._loop = ""
        if answer.status == 410:  # rule 25: gone for good
            self.state = State.GONE
            self._finish()
            return
        delay = min(BACKOFF_MOST_S, BACKOFF_FIRST_S * 2 ** min(self._failures - 1, 8)) + self._jitter
        if answer.failure is Failure.TIMEOUT:  # it was given all its time already
            delay = BACKOFF_FIRST_S
        self._pause(answer.at, delay)

    def _pause(self, now: float, delay_s: float) -> None:
        self.state = State.PAUSED
        self._retry_at = now + delay_s

    # -- time

    def handle_timeout(self, now: float) -> None:
        """Whatever is due: late viewers, another attempt, the end of an unwatched follower."""
        if self._lines:
            self._expire(now)
        if not self._succession.calm(now):
            if self.state in (State.FOLLOWING, State.PAUSED) and self._succession.failed(now):
                # Whoever else has the stream is asked plainly, for its names
                self._abandon()
                self._fetch(self.key, State.RELOADING, now)
                return
            self._scout.look(now)
        if self.state is State.PAUSED and now >= self._retry_at:
            self._retry(now)
        elif self._cancel is not None and now - self._asked_at > CONFIRM_TARGETS * self._target_s:
            # Held for long: ask plainly whether the playlist still stands, before rule 163 takes it from viewers.
            # A plain request has no reason to take that long: its connection may be dead.
            self._abandon()
            self._fetch(self.key, State.RELOADING, now)
        if not self._lines and now - self.last_wanted > self._grace_s and self.state is not State.STOPPED:
            self.state = State.STOPPED
            self._finish()

    def _retry(self, now: float) -> None:
        # Rule 25: the presentation was removed. Before that, a 404 may be an origin that restarts.
        if self._last.status == 404 and self.version.full.seconds_old(now) > self.stale_after_s:
            self.state = State.GONE
            self._finish()
        elif self._failures:
            self._fetch(self.key, State.RELOADING, now)
        else:
            self._hold(now)

    def _finish(self) -> None:
        self.stop()
        self._host.finished(self, self._last)

    def stop(self) -> None:
        """End the upstream request and give up the window. Viewers still in line stay with the host."""
        self._abandon()
        self._scout.stop()
        self._window.release()

    def _abandon(self) -> None:
        if self._cancel is not None:
            self._cancel()
            self._cancel = None

    def take_waiters(self) -> list[Waiter]:
        """Everybody who still waits, out of their lines."""
        lines, self._lines = self._lines, {}
        return [waiter for line in lines.values() for waiter in line.take()]

    # -- what the playlist says

    def _learn(self, answer: UpstreamAnswer, *, blocking: bool) -> None:
        """Rule 150: the upstream states lifetimes; each kind of answer has its own."""
        if blocking:
            self._cache_blocking = answer.get("cache-control")
        else:
            self._cache_plain = answer.get("cache-control")

    def _version(self, answer: UpstreamAnswer, model: MediaPlaylist) -> Version:
        duration = model.target_duration
        return Version(
            model,
            answer,
            self._via,
            self._cache_plain or cache_control("plain", duration),
            self._cache_blocking or cache_control("blocking", duration),
        )
