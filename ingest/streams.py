"""The streams of the server: who may publish one, takeover, how long one goes on without a publisher, its end.

Protocols meet here: a stream is published over any of them, and taken over across them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import structlog

from headwater.config.settings import Ingest, Origin
from headwater.ingest.media import Sink, Track

from .auth import Authority, Refusal, Refused
from .encode.ladders import Ladders
from .metrics import IngestMetrics
from .publisher import Publisher, Wish, printable
from .state import MOST_FILES, StateStore
from .stream import LiveStream
from .timeline import Epoch, TimelineSettings

log = structlog.get_logger("headwater.ingest")


def wall_clock() -> float:
    """Unix seconds now."""
    return time.time_ns() / 1_000_000_000


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """One stream as `/streams.json` and the log tell it."""

    name: str
    publisher: str | None
    """Remote address without port; None while the stream has no publisher."""
    protocol: str | None
    """`rtmp`, `rtmps`, `srt`, `srt-pull`, or None without a publisher."""
    since_unix: float
    """Unix seconds at which the stream was opened."""
    kilobits_per_s: float
    """What the publisher sends, averaged over the last few seconds."""
    tracks: tuple[Track, ...]


class Streams:
    """The streams known now, by name.

    Args:
        settings: keys and limits.
        origin: the targets of the timelines.
        state_dir: folder of the state files, made when it is not there.
        sink: receives the streams.
        metrics: of ingest.
        ladders: of the streams.
        wall: Unix seconds now.
    """

    def __init__(
        self,
        settings: Ingest,
        origin: Origin,
        state_dir: Path,
        sink: Sink,
        metrics: IngestMetrics,
        ladders: Ladders,
        *,
        wall: Callable[[], float] = wall_clock,
    ) -> None:
        self.authority = Authority(settings)
        self.draining = False
        """No publish begins any more, and streams that lose their publisher wait for the next start."""
        self._settings = settings
        self._sink = sink
        self._store = StateStore(state_dir)
        self._wall = wall
        self._metrics = metrics
        self._ladders = ladders
        self._streams: dict[str, LiveStream] = {}
        self._ending: dict[str, LiveStream] = {}
        """Streams that are over, but for the last of their ladder."""
        self._epochs: dict[str, Epoch] = {}
        self._timeline = TimelineSettings(
            part_target_ms=origin.part_target_ms,
            segment_s=origin.segment_s,
            target_duration_s=origin.target_duration_s,
            window_s=origin.window_s,
            late_track_ms=settings.late_track_ms,
        )

    # -- life --------------------------------------------------------------------------------------------------------

    def restore(self) -> None:
        """Load the state files and open the streams that were alive a short while ago.

        Raises:
            OSError: the state folder cannot be used.
        """
        unix = self._wall()
        for saved in self._store.load(unix).values():
            self._epochs[saved.name] = saved.epoch
            age = unix - saved.saved_unix
            if not saved.epoch.ended and -60 < age < self._settings.linger_s and self._has_room():
                self._linger(self._open(saved.name, self._application))
                log.info("stream goes on", stream=saved.name, silent_s=round(age, 1))

    def live(self) -> Iterable[LiveStream]:
        """The streams there are now."""
        return self._streams.values()

    def status(self) -> list[StreamStatus]:
        """The streams known now, those without a publisher included, by name."""
        return [_status(self._streams[name]) for name in sorted(self._streams)]

    def suspend(self) -> None:
        """The server stops: state is saved, a restart goes on."""
        for stream in self._streams.values():
            stream.suspend(time.monotonic())

    async def settle(self) -> None:
        """After `suspend`: ladders give out what they hold, each within the same short time."""
        streams = [*self._streams.values(), *self._ending.values()]
        await asyncio.gather(*(stream.settle() for stream in streams))

    def clear(self) -> None:
        """Let everything go. Streams are not ended: their state files say where to go on."""
        self._streams.clear()

    # -- what publishers ask -----------------------------------------------------------------------------------------

    def judge(self, wish: Wish, now: float) -> Refused | None:
        """Why a publish may not begin now, or None; nothing is changed."""
        refused = self.authority.judge(wish.app, wish.name, wish.query, proven=wish.proven)
        if refused is not None:
            return refused
        if self.draining:
            return Refused(Refusal.DRAIN, "the server stops; publish again")
        stream = self._streams.get(wish.name)
        if stream is None and not self._has_room():
            return Refused(Refusal.STREAMS, "the server has no room for another stream")
        if stream is not None and stream.publisher is not None:
            silence_s = self._settings.takeover_silence_s
            if now - stream.publisher.silent_since < silence_s:
                text = f"{wish.name} has a publisher; it can be replaced once it is silent for {silence_s:g} s"
                return Refused(Refusal.BUSY, text)
        return None

    def admit(self, publisher: Publisher, wish: Wish, now: float) -> LiveStream | Refused:
        """The stream that the publisher feeds from now on, taken over from a silent one where there is one; or why
        there is none, counted and said in the log."""
        refused = self.judge(wish, now)
        if refused is not None:
            self.refused(publisher.address, wish.app, refused.refusal)
            return refused
        stream = self._streams.get(wish.name)
        if stream is not None and stream.publisher is not None:
            self._take_over(stream, stream.publisher, now)
        # Taking over may have ended a stream that had no media.
        stream = self._streams.get(wish.name) or self._open(wish.name, wish.app)
        log.info("publisher", stream=wish.name, address=publisher.address, protocol=publisher.protocol, by=wish.by)
        self._metrics.publishers.labels(publisher.protocol).inc()
        return stream

    def refused(self, address: str, app: str, refusal: Refusal) -> None:
        """Count a refused publish and say so, without what may be a secret."""
        self.refuse(refusal)
        log.warning("publish refused", address=address, reason=refusal.value, app=printable(app))

    def refuse(self, refusal: Refusal) -> None:
        """Count a refusal."""
        self._metrics.refused.labels(refusal.value).inc()

    def refused_track(self, track: Track) -> str | None:
        """Why the sink cannot take a track."""
        return self._sink.check(track)

    def left(self, publisher: Publisher, stream: LiveStream, now: float) -> None:
        """The publisher feeds `stream` no more."""
        self._metrics.publishers.labels(publisher.protocol).dec()
        if stream.publisher is not publisher:
            return
        log.info("publisher left", stream=stream.name, address=publisher.address)
        stream.leave(now)
        if not self.draining:
            if stream.started or stream.restored:
                self._linger(stream)
            else:
                self._end(stream)

    # -- streams -----------------------------------------------------------------------------------------------------

    def _take_over(self, stream: LiveStream, old: Publisher, now: float) -> None:
        log.warning("takeover", stream=stream.name, address=old.address, silent_s=round(now - old.silent_since, 1))
        self._metrics.takeovers.inc()
        old.shut("another publisher took the stream over")

    def _has_room(self) -> bool:
        return len(self._streams) < self._settings.max_streams

    def _open(self, name: str, application: str) -> LiveStream:
        ending = self._ending.pop(name, None)
        if ending is not None:
            ending.cut_short()
        stream = LiveStream(
            name,
            self._timeline,
            self._epochs.get(name),
            self._sink,
            self._store,
            self._wall,
            self._metrics,
            self._ladders,
            application,
        )
        self._streams[name] = stream
        return stream

    def _linger(self, stream: LiveStream) -> None:
        """Without a publisher the stream ends after a while."""
        if stream.linger is not None:
            stream.linger.cancel()
        loop = asyncio.get_running_loop()
        stream.linger = loop.call_later(self._settings.linger_s, self._end, stream)

    def _end(self, stream: LiveStream) -> None:
        if self._streams.get(stream.name) is not stream:
            return
        stream.end(time.monotonic())
        epoch = stream.timeline.epoch
        if epoch is not None:
            self._epochs[stream.name] = epoch
            while len(self._epochs) > MOST_FILES + self._settings.max_streams:
                forgotten = next(name for name in self._epochs if name not in self._streams)
                del self._epochs[forgotten]
                self._store.forget(forgotten)
        del self._streams[stream.name]
        if stream.finishing is not None:
            self._ending[stream.name] = stream
            stream.finishing.add_done_callback(lambda _: self._finished(stream))
        log.info("stream ended", stream=stream.name)

    def _finished(self, stream: LiveStream) -> None:
        if self._ending.get(stream.name) is stream:
            del self._ending[stream.name]

    @property
    def _application(self) -> str:
        """Of a stream that goes on before its publisher is back."""
        return self._settings.applications[0] if self._settings.applications else "live"


def _status(stream: LiveStream) -> StreamStatus:
    publisher = stream.publisher
    return StreamStatus(
        name=stream.name,
        publisher=publisher.address if publisher is not None else None,
        protocol=publisher.protocol if publisher is not None else None,
        since_unix=stream.since_unix,
        kilobits_per_s=round(stream.bitrate / 1_000, 1),
        tracks=stream.timeline.tracks,
    )
