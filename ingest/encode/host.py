"""The ladder of one stream, seen from the stream: source events in, the rungs' events out.

    source events -> replay (for the next worker) and feed (to this one) -> crew's worker -> progress -> sink

Nothing here is ever waited for by the source's own way to the sink. All of it belongs to one running event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import structlog

from headwater.config.settings_encode import Encode
from headwater.ingest.media import (
    VIDEO_TIMESCALE,
    Cut,
    Hole,
    LadderState,
    Rendition,
    Sample,
    Still,
    StreamEvent,
    StreamSink,
    StreamStarted,
    Track,
    TrackEnded,
    TrackStarted,
)

from .control import Change, Controller, Decision, Observation
from .crew import Crew
from .fallback import without_hardware
from .feed import Feed
from .model import Adjust, Configure, Failed, FromWorker, Note, Opened, Picture, Plan, Progress, Resume
from .numbers import Numbers
from .outlet import Outlet
from .process import Fault
from .progress import Deliveries, Phase
from .restarts import Again, Rest
from .source import Source
from .spares import Spares

log = structlog.get_logger("headwater.encode")

TICK_S = 0.1
"""Between two looks at the worker. Why: a worker that was stopped is noticed well within a second."""
CATCH_UP_S = 0.5
"""Seconds of the source that a worker which takes over encodes late rather than leaves out. Why: it has made them up
after some seconds, and they fit into every player's hold-back."""
LATE_S = 1.0
"""Seconds behind the source at which the rungs of a worker that is missing list their time as GAP."""
TRIAL_S = 10.0
"""Seconds that a worker after a storm of losses has to live before players are sent to its rungs."""
STALL_S = 5.0
"""Seconds for which frames may wait without one being encoded, while the worker says that it lives."""
Planner = Callable[[Mapping[Rendition, Track]], Plan | None]
"""What these source tracks get; None: the machine has no room for it."""


class Cutter(Protocol):
    """What the ladder asks of its stream's timeline."""

    def use_regular_cuts(self, allowed: bool) -> None:
        """Segments may be cut between keyframes of the source, where those are too rare."""

    def discontinue(self) -> None:
        """The next cut is a discontinuity."""


class Ladder:
    """See the module.

    Args:
        name: of the stream.
        settings: of the stream, overrides applied.
        planner: makes the plan.
        sink: receives the rungs.
        cutter: the stream's timeline.
        spares: where workers come from.
    """

    def __init__(
        self, name: str, settings: Encode, planner: Planner, sink: StreamSink, cutter: Cutter, spares: Spares
    ) -> None:
        self.name = name
        self.state = LadderState.STARTING
        self.plan: Plan | None = None
        self.numbers = Numbers()
        self.crew = Crew(name, settings.worker, spares, self)
        self._settings = settings
        self._planner = planner
        self._cutter = cutter
        self._outlet = Outlet(name, sink)
        self._source = Source(settings.worker.replay_bytes)
        self._deliveries = Deliveries(())
        self._controller: Controller | None = None
        self._tick: asyncio.TimerHandle | None = None
        self._regular = True
        """Segments start on keyframes of the source."""
        self._failed: set[Rendition] = set()
        self._advanced_at = 0.0
        self._position = 0
        self._closed = False

    # -- what metrics and listings read ----------------------------------------------------------------------------

    @property
    def level(self) -> int:
        """How much quality is given up."""
        return self._controller.level if self._controller is not None else 0

    @property
    def speed(self) -> float:
        """Seconds of media per second of work; 0: not known."""
        return (self._controller.speed if self._controller is not None else None) or 0.0

    @property
    def lag_s(self) -> float:
        """Age of the oldest source sample that the rungs have not come to, seconds."""
        return self._source.lag_s(time.monotonic())

    @property
    def holes(self) -> Mapping[Rendition, int]:
        """Holes so far, by rung."""
        return self._deliveries.holes

    # -- the source --------------------------------------------------------------------------------------------------

    def feed(self, event: StreamEvent, now: float) -> None:
        """The source's next event; `flushed` follows when all that came with it was given. Never blocks."""
        if self._closed or not isinstance(event, (Sample, Cut, Hole, TrackStarted, TrackEnded, StreamStarted)):
            return
        if isinstance(event, StreamStarted):
            self._deliveries.set_part(event.part_target_us)
            return
        if isinstance(event, Cut):
            if self._source.changed:
                self._make_plan(now)
            self._deliveries.cut(event)
        elif isinstance(event, TrackEnded):
            video = self.plan is not None and event.rendition == self.plan.video_source
            self._outlet.emit(self._deliveries.end_of(event.rendition, video=video), now)
        self._source.note(event)
        if self.crew.feed is not None:
            self.crew.feed.put(event)

    def flushed(self, now: float) -> None:
        """Give the worker what it can take."""
        feed = self.crew.feed
        if feed is None:
            return
        if feed.overflows:
            self._jump(f"{feed.size} bytes of the source wait", now)
        self.crew.pump()

    def source_is_regular(self, regular: bool, now: float) -> None:
        """Whether segments start on keyframes of the source, so that it can be offered."""
        if regular != self._regular:
            self._regular = regular
            self._offer(now)

    # -- the plan ----------------------------------------------------------------------------------------------------

    def _make_plan(self, now: float) -> None:
        """The tracks are known, or others came: what there is goes on, what is new is added."""
        self._source.changed = False
        wanted = self._planner(self._source.tracks)
        if wanted is None:
            if self.plan is None:
                self.state = LadderState.REFUSED
                self._say(now)
            return
        plan = wanted if self.plan is None else self._deliveries.merged(self.plan, wanted)
        known = {rung.rendition for rung in plan.rungs} <= set(self._deliveries.rungs)
        if plan.empty and self.plan is not None:
            self.plan = None
            self._source.forget()
            self.crew.stop()
        if not plan.empty and not (plan == self.plan and known):
            self._adopt(plan, now)

    def _adopt(self, plan: Plan, now: float) -> None:
        self.plan = plan
        self._deliveries.extend(plan.rungs)
        self._controller = Controller(plan, self._settings.overload)
        self._source.adopt(plan)
        self._outlet.plan(self._deliveries.waiting, now)
        self._cutter.use_regular_cuts(bool(plan.video) and self._settings.long_gop == "drop-source")
        log.info("ladder", stream=self.name, rungs=[str(rung.rendition) for rung in plan.rungs], grid=str(plan.grid))
        self.crew.replace()
        self._arm()
        self._offer(now)
        self._say(now)

    # -- crew.Owner ----------------------------------------------------------------------------------------------------

    def beginning(self) -> Feed:
        """A worker takes over: it is told the plan, where to go on, and the source since the last keyframe."""
        assert self.plan is not None
        now, limits = time.monotonic(), self._settings.worker
        video = self.plan.video_source if self.plan.video else None
        waits = video is not None and not self._source.begins_with_a_keyframe
        feed = Feed(video, limits.queue_bytes, limits.queue_s, waits_for_key=waits)
        self.numbers.another_worker()
        self._advanced_at = now
        feed.put(Configure(self.plan))
        farthest = self._deliveries.farthest
        if farthest is not None:
            position = max(farthest, self._source.end - int(CATCH_UP_S * VIDEO_TIMESCALE))
            self._outlet.emit(self._deliveries.skip(position), now)
            feed.put(Resume(position))
            self._source.reached(position, delivered=False)
        if self.level:
            feed.put(Adjust(self.level))
        for event in self._source.events():
            feed.put(event)
        return feed

    def received(self, messages: Sequence[FromWorker], now: float) -> None:
        """What the worker said. Raises ProtocolError."""
        for message in messages:
            self._message(message, now)
        position = self._deliveries.position
        if position is None or position <= self._position:
            return
        self._position, self._advanced_at = position, now
        self._source.reached(position)
        if self.crew.feed is not None:
            self.crew.feed.acknowledge(position)

    def lost(self, fault: Fault, detail: str, again: Again | Rest, now: float) -> None:
        """The worker is no more."""
        self._deliveries.lost()
        if fault is Fault.DONE:
            return
        if self._controller is not None:
            self._controller.worker_replaced()
        self.state = LadderState.PAUSED if isinstance(again, Rest) else LadderState.RECOVERING
        if self.state is LadderState.PAUSED:
            self._outlet.plan_less(self._deliveries.waiting, now)
        self._offer(now)
        self._say(now)

    def _message(self, message: FromWorker, now: float) -> None:
        if isinstance(message, Sample):
            self._sample(message, now)
        elif isinstance(message, Hole):
            self._outlet.emit(self._deliveries.hole(message), now)
        elif isinstance(message, Progress):
            self._progress(message, now)
        elif isinstance(message, Picture):
            self._outlet.emit([Still(message.content_type, message.time, message.data)], now)
            self._runs(now)
        elif isinstance(message, Opened):
            events, other = self._deliveries.opened(message)
            self._outlet.emit(events, now)
            if other:
                log.warning("encoder has another configuration", stream=self.name, rendition=message.rendition)
                self._cutter.discontinue()
        elif isinstance(message, Failed):
            self._fail(message, now)
        elif isinstance(message, Note):
            log.warning("encoder notes", stream=self.name, rendition=message.rendition, text=message.text)

    def _sample(self, sample: Sample, now: float) -> None:
        away = self._deliveries.phase(sample.rendition) is Phase.AWAY
        events = self._deliveries.sample(sample)
        if not events:
            return
        self.numbers.frames += self._deliveries.is_video(sample.rendition)
        self._outlet.emit(events, now)
        self._runs(now)
        if away:
            self._offer(now)

    def _runs(self, now: float) -> None:
        """Something was encoded. A worker that follows a storm of losses has to prove itself first."""
        proven = self.state is not LadderState.PAUSED or now - self.crew.attached_at >= TRIAL_S
        if self.state is not LadderState.RUNNING and proven:
            self.state = LadderState.RUNNING
            log.info("ladder runs", stream=self.name)
            self._offer(now)
            self._say(now)

    def _fail(self, message: Failed, now: float) -> None:
        if message.rendition is None:
            self.crew.fail(Fault.CRASH, message.reason)
            return
        log.error("rendition failed", stream=self.name, rendition=message.rendition, reason=message.reason)
        other = without_hardware(self.plan, message.rendition) if self.plan is not None else None
        if other is not None:
            log.warning("rendition goes on without hardware", stream=self.name, rendition=message.rendition)
            self._adopt(other, now)
            return
        self._failed.add(message.rendition)
        self._deliveries.fail(message.rendition)
        self._outlet.plan_less(self._deliveries.waiting, now)
        self._offer(now)

    # -- overload ------------------------------------------------------------------------------------------------------

    def _progress(self, said: Progress, now: float) -> None:
        self.numbers.progress(said)
        if self._controller is None or self.plan is None:
            return
        queued = said.queued + self.crew.waiting_messages
        seen = Observation(now, self.lag_s, said.media_s, said.busy_s, queued, said.level)
        for decision in self._controller.observe(seen):
            self.act(decision, now)

    def act(self, decision: Decision, now: float) -> None:
        """Do what the controller decided."""
        if isinstance(decision, Change):
            self._step(decision, now)
        else:
            self._jump(decision.reason, now)

    def _step(self, change: Change, now: float) -> None:
        """Tell the worker, the log, the metrics and the sink."""
        meaning = change.meaning
        down = meaning.level > change.previous
        self.numbers.change("down" if down else "up", change.cause.value)
        say = log.warning if down else log.info
        event = "ladder steps down" if down else "ladder steps up"
        say(event, stream=self.name, step=meaning.level, effect=meaning.text, reason=change.reason)
        for rung in self._deliveries.rungs:
            self._deliveries.want(rung, rung not in meaning.shed and rung not in self._failed)
        if self.crew.feed is not None:
            self.crew.feed.urgent(Adjust(meaning.level))
        self._offer(now)
        self._say(now)

    def _jump(self, reason: str, now: float) -> None:
        """The rungs leave out what is late."""
        feed, position = self.crew.feed, self._source.end - int(CATCH_UP_S * VIDEO_TIMESCALE)
        if feed is None or (position <= self._position and not feed.overflows):
            return  # what waits is the source's own silence
        position = max(self._position, position)
        self.numbers.skips += 1
        log.warning("ladder jumps ahead", stream=self.name, reason=reason)
        feed.jump(position)
        self._outlet.emit(self._deliveries.skip(position), now)
        self._source.reached(position, delivered=False)

    # -- time ----------------------------------------------------------------------------------------------------------

    def _arm(self) -> None:
        if self._tick is None and not self._closed:
            self._tick = asyncio.get_running_loop().call_later(TICK_S, self._look)

    def _look(self) -> None:
        self._tick = None
        now = time.monotonic()
        self.crew.look(now)
        if self.crew.worker is not None and self.lag_s > STALL_S and now - self._advanced_at > STALL_S:
            self.crew.fail(Fault.HANG, f"nothing was encoded for {STALL_S:g} s")
        if self._outlet.late(now):
            self._outlet.plan_less(self._deliveries.waiting, now)
        missing = self.state in (LadderState.RECOVERING, LadderState.PAUSED)
        behind = self._source.end - int(LATE_S * VIDEO_TIMESCALE)
        position = self._deliveries.position if not missing else None
        if position is not None or missing:
            self._outlet.emit(self._deliveries.follow(behind if position is None else position, every=missing), now)
        if self._outlet.silent(now):
            self._say(now)
        self._arm()

    def _offer(self, now: float) -> None:
        runs = self.state is not LadderState.PAUSED
        self._outlet.offer(self.plan, self._deliveries, now, runs=runs, regular=self._regular)

    def _say(self, now: float) -> None:
        text = self._controller.meaning.text if self._controller is not None and self.level else ""
        self._outlet.say(self.state, now, level=self.level, speed=self.speed, lag_s=self.lag_s, text=text)

    # -- the end -------------------------------------------------------------------------------------------------------

    async def drain(self, within_s: float) -> None:
        """Give out what the worker holds, for at most `within_s` seconds; what is missing then becomes a hole."""
        await self.crew.drain(within_s)
        self._outlet.emit(self._deliveries.skip(self._source.end), time.monotonic())
        self.close()

    def close(self) -> None:
        """End everything now. Idempotent."""
        self._closed = True
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
        self.crew.close()
