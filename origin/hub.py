"""Where streams arrive: the origin's `media.Sink`.

    hub = Hub(settings.origin, registry)
    sink = hub.open("demo")            # ingest writes StreamEvents into it
    stream = hub.stream("demo")        # handlers read playlists and media from it
    hub.streams()                      # all that are known, for listings
    hub.close()                        # cancels timers
"""

from __future__ import annotations

import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry

from headwater.config.settings import Origin
from headwater.ingest.media import StreamSink, Track


class Hub:
    """All streams of this origin."""

    def __init__(
        self, settings: Origin, registry: CollectorRegistry, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        raise NotImplementedError

    def open(self, name: str) -> StreamSink:
        """Begin the stream `name`, or go on with it."""
        raise NotImplementedError

    def check(self, track: Track) -> str | None:
        """Why `track` cannot be delivered, or None."""
        raise NotImplementedError

    def drain(self) -> None:
        """Answer all held requests."""
        raise NotImplementedError

    def close(self) -> None:
        """Cancel timers."""
        raise NotImplementedError
