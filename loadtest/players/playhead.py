"""What a viewer sees: the buffer, the playhead in it, start, stalls, leaps. Sans-IO.

The model, after hls.js 1.7 with its default settings:

    start     at the hold-back from the edge of the first playlists, once all that they listed beyond it is loaded
              (a gap apart): the first frame is then the hold-back behind the edge
    playing   the playhead moves with the clock; a hole in the buffer that has media behind it is leaped over
    stall     the playhead has reached the end of what a track has. It goes on with the next part of it (browsers
              start again with the first future frame), so what a stall cost stays as latency
    latency   is not caught up by playing faster (maxLiveSyncPlaybackRate 1) or by a seek (liveMaxLatencyDuration
              infinite); only a playhead that fell out of the window is put back to the hold-back (`Player.viewed`)
    seek      as a start, without being one: neither start-up time nor a stall
    pause     the playhead stands

Times are seconds; the line that the playhead moves on is that of `view.Unit.start`.
"""

from __future__ import annotations

import enum

from .ledger import Ledger, us

HOLE_S = 0.1
"""Longest step between two units that counts as none (hls.js maxBufferHole)."""


class State(enum.Enum):
    """Of a viewer's picture."""

    JOINING = "joining"
    PLAYING = "playing"
    STALLED = "stalled"
    SEEKING = "seeking"
    PAUSED = "paused"
    ENDED = "ended"


class Buffer:
    """What one track has: media up to `end`, apart from holes."""

    __slots__ = ("end", "holes")

    def __init__(self) -> None:
        self.end = 0.0
        self.holes: tuple[tuple[float, float], ...] = ()

    def reset(self, start: float) -> None:
        """Empty, to be filled from `start` on."""
        self.end = start
        self.holes = ()

    def append(self, start: float, end: float) -> None:
        """A unit was loaded."""
        if start > self.end + HOLE_S:
            self.holes = (*self.holes, (self.end, start))
        if end > self.end:
            self.end = end

    def limit(self) -> float:
        """How far it can be played without a leap."""
        return self.holes[0][0] if self.holes else self.end


class Playhead:
    """The picture of one viewer."""

    __slots__ = ("_at", "_joined", "_ledger", "_limit", "_since", "buffers", "final", "goal", "head", "state")

    def __init__(self, ledger: Ledger, now: float) -> None:
        self._ledger = ledger
        self._joined = now
        self._at = now
        """Up to when `advance` has counted."""
        self._since = now
        """Of a stall."""
        self._limit = 0.0
        self.final = False
        """The stream ended, and all of it is in the buffers."""
        self.buffers: tuple[Buffer, ...] = ()
        self.state = State.JOINING
        self.head = 0.0
        self.goal = 0.0
        """JOINING and SEEKING end when everything up to here is loaded."""

    @property
    def level(self) -> float:
        """Seconds of media ahead of the playhead, holes included."""
        return max(0.0, self._end() - self.head)

    def _end(self) -> float:
        buffers = self.buffers
        if len(buffers) == 1:
            return buffers[0].end
        return min(buffer.end for buffer in buffers) if buffers else self.head

    def tune(self, head: float, goal: float, now: float) -> None:
        """Begin at `head`; a state other than JOINING becomes SEEKING. The tracks' buffers were reset."""
        self.advance(now)
        self._end_stall(now)
        self.head, self.goal = head, goal
        if self.state is not State.JOINING:
            self.state = State.SEEKING

    def advance(self, now: float) -> None:
        """The time is `now`: play up to it."""
        passed = now - self._at
        if passed <= 0:
            return
        self._at = now
        if self.state is State.PLAYING:
            head = self.head + passed
            if head <= self._limit:
                self.head = head
                self._ledger.watched += passed
            else:
                self._run_dry(passed, now)
        elif self.state is State.STALLED:
            self._ledger.stalled += passed

    def _run_dry(self, left: float, now: float) -> None:
        """Play to the end of the buffer, over its holes, and stall there."""
        while left > 0:
            step = min(left, max(0.0, self._limit - self.head))
            self.head += step
            self._ledger.watched += step
            left -= step
            if left > 0 and not self._leap():
                if self.final:
                    self.state = State.ENDED
                    return
                self.state = State.STALLED
                self._since = now - left
                self._ledger.stalls += 1
                self._ledger.stalled += left
                return

    def _leap(self) -> bool:
        """Over holes that the playhead stands at; whether there is media to play then."""
        for buffer in self.buffers:
            while buffer.holes and buffer.holes[0][0] <= self.head:
                self.head = max(self.head, buffer.holes[0][1])
                buffer.holes = buffer.holes[1:]
        self._limit = min(buffer.limit() for buffer in self.buffers)
        return self._limit > self.head

    def grown(self, now: float) -> None:
        """A buffer was appended to, right after `advance(now)`."""
        buffers = self.buffers
        self._limit = buffers[0].limit() if len(buffers) == 1 else min(buffer.limit() for buffer in buffers)
        state = self.state
        if state is State.PLAYING or state is State.PAUSED:
            return
        if state is State.STALLED:
            if self._limit > self.head or self._leap():
                self._end_stall(now)
        elif self._end() >= self.goal - HOLE_S:
            if state is State.JOINING:
                self._ledger.started += 1
                self._ledger.startup_us.append(us(now - self._joined))
            self.state = State.PLAYING

    def _end_stall(self, now: float) -> None:
        if self.state is State.STALLED:
            self._ledger.stall_us.append(us(now - self._since))
            self.state = State.PLAYING

    def pause(self, now: float) -> None:
        """The viewer pauses; only while playing."""
        self.advance(now)
        if self.state is State.PLAYING:
            self.state = State.PAUSED
            self._ledger.pauses += 1

    def resume(self, now: float) -> None:
        """The viewer goes on."""
        self.advance(now)
        if self.state is State.PAUSED:
            self.state = State.PLAYING

    def finish(self, now: float) -> None:
        """Nothing comes any more: the stream ended, or the viewer leaves. A stall that lasts ends here."""
        self.advance(now)
        self._end_stall(now)
        self.state = State.ENDED
