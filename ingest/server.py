"""The ingest server: what listens and what pulls, around the streams that all of them share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from prometheus_client import CollectorRegistry

from headwater.config.settings import Ingest, Origin
from headwater.config.stages import Stage, StageTime
from headwater.ingest.media import Sink

from .encode.ladders import Ladders
from .listen import IngestStartError
from .metrics import IngestMetrics
from .pull import Puller
from .rtmplisten import RtmpListener
from .srtlisten import SrtListener
from .srtmetrics import SrtMetrics
from .streams import Streams, StreamStatus, wall_clock

__all__ = ["IngestServer", "IngestStartError", "StreamStatus"]

DRAIN_S = 2.0
"""Seconds that publishers have to take their last bytes when the server stops."""


class IngestServer:
    """Listeners on the running loop; every accepted publisher feeds a stream of `sink`.

    Args:
        settings: listeners, keys and limits.
        origin: the targets of the timelines.
        state_dir: folder of the state files, made when it is not there.
        sink: receives the streams.
        registry: of the metrics.
        wall: Unix seconds now.
    """

    def __init__(
        self,
        settings: Ingest,
        origin: Origin,
        state_dir: Path,
        sink: Sink,
        registry: CollectorRegistry,
        *,
        wall: Callable[[], float] = wall_clock,
    ) -> None:
        self.settings = settings
        self.ports: dict[str, int] = {}
        """The bound ports: `rtmp`, `rtmps`, `srt`. Filled by `start`."""
        self._metrics = IngestMetrics(registry, lambda: self._streams.live())
        self._ladders = Ladders(settings.encode, sink, registry)
        self._streams = Streams(settings, origin, state_dir, sink, self._metrics, self._ladders, wall=wall)
        self._rtmp = RtmpListener(settings, self._streams, self._metrics)
        self._srt_metrics = SrtMetrics(registry, lambda: self._streams.live(), lambda: self._pullers)
        self._srt = SrtListener(settings, self._streams, self._metrics, self._srt_metrics)
        self._pullers: list[Puller] = []

    async def start(self) -> None:
        """Load the state files, open the streams that were alive a short while ago, bind the listeners.

        Raises:
            IngestStartError: a listener cannot be bound, a certificate or the state folder cannot be used.
        """
        try:
            await self._ladders.start()
            self._restore()
            if self.settings.rtmp.enabled:
                await self._rtmp.start()
                self.ports.update(self._rtmp.ports)
            if self.settings.srt.enabled:
                self.ports["srt"] = self._srt.start()
            self._pull()
        except IngestStartError:
            await self.close()
            raise

    def streams(self) -> list[StreamStatus]:
        """The streams known now, those without a publisher included, by name."""
        return self._streams.status()

    @property
    def stages(self) -> dict[Stage, StageTime]:
        """Where media spends its time here."""
        return self._metrics.stages

    async def drain(self) -> None:
        """Take no more publishers and close those there are; streams stay open, so that a restart goes on."""
        self._streams.draining = True
        self._rtmp.stop()
        self._srt.stop()
        for puller in self._pullers:
            puller.stop()
        self._streams.suspend()
        await self._rtmp.gone_all(DRAIN_S)
        await self._streams.settle()

    async def close(self) -> None:
        """`drain`, then let everything go. Streams are not ended: their state files say where to go on."""
        await self.drain()
        self._rtmp.abort()
        self._srt.close()
        await asyncio.sleep(0)
        self._streams.clear()
        await self._ladders.close()
        self._metrics.close()
        self._srt_metrics.close()

    def _pull(self) -> None:
        for pull in self.settings.pull:
            if pull.enabled:
                self._pullers.append(Puller(pull, self.settings, self._streams, self._metrics, self._srt_metrics))
        for puller in self._pullers:
            puller.start()

    def _restore(self) -> None:
        try:
            self._streams.restore()
        except OSError as error:
            reason = error.strerror or str(error)
            raise IngestStartError(f"state.dir = {error.filename}: cannot be used: {reason}") from error
