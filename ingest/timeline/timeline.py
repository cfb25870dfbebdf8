"""One stream's timeline, alive across its publishers. Sans-IO."""

from __future__ import annotations

from headwater.ingest.media import Packet, StreamEvent, Track

from .model import Advice, Counters, Epoch, TimelineSettings


class Timeline:
    """Turns the packets of a stream's publishers, one publisher at a time, into one sequence of events.

    Args:
        settings: see `TimelineSettings`.
        epoch: of an earlier timeline of the same name, or None.
    """

    def __init__(self, settings: TimelineSettings, epoch: Epoch | None = None) -> None:
        self.counters = Counters()

    def publisher_joined(self, now: float, unix: float) -> None:
        """A publisher begins; an earlier one is taken as gone."""
        raise NotImplementedError

    def configure(self, track: Track, now: float, unix: float) -> None:
        """A track of the present publisher, or its changed configuration."""
        raise NotImplementedError

    def packet(self, packet: Packet, now: float, unix: float) -> None:
        """One packet of the present publisher; packets of unknown tracks are ignored."""
        raise NotImplementedError

    def publisher_left(self, now: float, unix: float) -> None:
        """The present publisher is gone; a stream that has started goes on as holes."""
        raise NotImplementedError

    def next_timeout(self) -> float | None:
        """Monotonic time at which `handle_timeout` wants to be called, or None."""
        raise NotImplementedError

    def handle_timeout(self, now: float, unix: float) -> None:
        """Let time pass: late tracks, silent publishers."""
        raise NotImplementedError

    def end(self, now: float, unix: float) -> None:
        """Give out what is held, then StreamEnded. Nothing follows."""
        raise NotImplementedError

    def events(self) -> list[StreamEvent]:
        """The events since the last call, in order."""
        raise NotImplementedError

    @property
    def epoch(self) -> Epoch | None:
        """To be saved whenever `events` holds a Cut or the StreamEnded, before they are handed on. None: not started."""
        raise NotImplementedError

    def ahead_s(self, now: float) -> float:
        """Seconds by which media runs ahead of real time; negative when behind."""
        raise NotImplementedError

    def advice(self) -> list[Advice]:
        """What there is to say to the broadcaster since the last call."""
        raise NotImplementedError
