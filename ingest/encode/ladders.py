"""All ladders of this server: who gets one, what it may cost, and what they share."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence

import structlog
from prometheus_client import CollectorRegistry

from headwater.config.settings_encode import SOFTWARE, Encode
from headwater.ingest.media import Kind, Rendition, Sink, StreamSink, Track

from .capacity import Capacity, cores, wanted
from .cost import Machine, TooMuch, estimate, judge
from .host import Cutter, Ladder
from .metrics import EncodeMetrics
from .model import Plan
from .plan import AUDIO_ENCODER, plan
from .process import COMMAND
from .spares import Spares

log = structlog.get_logger("headwater.encode")

PROBE_S = 6.0
"""Seconds that the server's start waits for the probe of the machine. Why: it takes 2 s; encoders come back at once
after a restart, and without its answer their ladders would be made without the encoders in hardware."""


class Ladders:
    """See the module. All of it belongs to one running event loop.

    Args:
        settings: `ingest.encode`, overrides included.
        sink: says which tracks players can get as they are.
        registry: of the metrics.
        command: what a worker is.
        capacity: what the machine can do, in place of probing it.
    """

    def __init__(
        self,
        settings: Encode,
        sink: Sink,
        registry: CollectorRegistry,
        *,
        command: Sequence[str] = COMMAND,
        capacity: Capacity | None = None,
    ) -> None:
        self._settings = settings
        self._sink = sink
        self._ladders: dict[str, Ladder] = {}
        self._taken: dict[str, float] = {}
        """Cores that each running ladder needs, by estimate."""
        self._capacity = capacity or Capacity(wanted(settings))
        self._spares = Spares(command)
        self._metrics = EncodeMetrics(registry, lambda: self._ladders.values())
        self._probing: asyncio.Task[Machine] | None = None

    @property
    def enabled(self) -> bool:
        """Some stream gets a ladder."""
        return self._settings.enabled or any(entry.enabled for entry in self._settings.stream)

    async def start(self) -> None:
        """Find out what the machine can do, and have a worker ready."""
        if not self.enabled:
            return
        self._spares.start()
        self._probing = asyncio.get_running_loop().create_task(self._capacity.get(), name="probe of the encoders")
        with contextlib.suppress(TimeoutError):
            machine = await asyncio.wait_for(asyncio.shield(self._probing), PROBE_S)
            say = log.warning if machine.problem else log.info
            say(
                "encoders",
                cores=machine.cores,
                open=sorted(machine.encoders),
                problem=machine.problem or None,
            )

    def ladder(self, name: str, application: str, sink: StreamSink, cutter: Cutter) -> Ladder | None:
        """The ladder of a stream that begins, or None."""
        settings = self._settings.for_stream(name, application)
        if not settings.enabled:
            return None

        def planner(tracks: Mapping[Rendition, Track]) -> Plan | None:
            return self._plan(name, settings, tracks)

        ladder = self._ladders[name] = Ladder(name, settings, planner, sink, cutter, self._spares)
        return ladder

    def gone(self, ladder: Ladder) -> None:
        """The stream of a ladder is over: its series go."""
        if self._ladders.get(ladder.name) is ladder:
            del self._ladders[ladder.name]
            self._taken.pop(ladder.name, None)

    async def close(self) -> None:
        """End everything."""
        for ladder in self._ladders.values():
            ladder.close()
        self._ladders.clear()
        if self._probing is not None:
            self._probing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._probing
            self._probing = None
        await self._spares.close()
        self._metrics.close()

    def _plan(self, name: str, settings: Encode, tracks: Mapping[Rendition, Track]) -> Plan | None:
        machine = self._capacity.machine or _unknown()
        video = min((track for track in tracks.values() if track.kind is Kind.VIDEO), key=_number, default=None)
        audio = tuple(
            (rendition, track, self._sink.check(track) is None)
            for rendition, track in sorted(tracks.items(), key=lambda item: _number(item[1]))
            if track.kind is Kind.AUDIO
        )
        result = plan(video, audio, settings, machine.encoders)
        for note in result.notes:
            log.info("ladder note", stream=name, text=note)
        if result.plan.empty or machine.measured is None:
            return result.plan
        needed = estimate(result.plan, video, machine.measured).cores
        others = sum(taken for other, taken in self._taken.items() if other != name)
        verdict = judge(needed, machine.cores, others)
        if isinstance(verdict, TooMuch):
            if settings.refuse_over_capacity == "refuse":
                log.error("ladder refused: only the source goes on", stream=name, reason=verdict.text)
                self._metrics.refused.inc()
                return None
            log.warning("ladder may be too much for this machine", stream=name, reason=verdict.text)
        self._taken[name] = needed
        return result.plan


def _number(track: Track) -> int:
    return int(track.id[1:])


def _unknown() -> Machine:
    """Before the machine was probed: what comes with libavcodec."""
    return Machine(cores(), frozenset((*SOFTWARE.values(), *AUDIO_ENCODER.values())), problem="not probed")
