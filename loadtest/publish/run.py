"""Publishes until done: options, signals, connection after connection, exit code."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import TextIO

from headwater.config.srturl import SrtUrl

from .connection import ConnectFailed, Connection
from .options import BadTarget, PublishOptions, Target, UsageError, parse_target
from .publication import POLL_S, Link, Publication, PublishFailed, backlog_bytes, heed, open_source
from .rtmp import State
from .source import Source, SourceError
from .srt import SrtConnection, parse_srt_target

BACKOFF_S = (1.0, 2.0, 4.0, 8.0, 15.0)
SETTLED_S = 10.0
"""A publication that lasted so long resets the backoff."""


def run(options: PublishOptions, stop: threading.Event | None = None, out: TextIO | None = None) -> int:
    """Publishes as `options` say; returns the exit code: 0 done or stopped, 1 failed, 2 bad usage.

    `stop` ends it cleanly from another thread; without it SIGTERM and SIGINT do (call from the main thread then).
    Progress goes to `out` (standard output), one line per error to standard error.
    """
    try:
        options.check()
        target = target_of(options.url)
    except (UsageError, BadTarget) as error:
        _complain(str(error))
        return 2
    if stop is not None:
        return Publisher(options, target, stop, out or sys.stdout).run()
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        return Publisher(options, target, stop, out or sys.stdout).run()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def target_of(url: str) -> Target | SrtUrl:
    """What a URL says. Raises BadTarget."""
    return parse_srt_target(url) if url.lower().startswith("srt:") else parse_target(url)


def _complain(text: str) -> None:
    sys.stderr.write(f"headwater publish: {text}\n")
    sys.stderr.flush()


class Publisher:
    """Publishes as its options say; `stop` ends it cleanly."""

    def __init__(
        self,
        options: PublishOptions,
        target: Target | SrtUrl,
        stop: threading.Event,
        out: TextIO,
        through: Callable[[Link], Link] = lambda link: link,
    ) -> None:
        """`through` may put something between the source and each connection that is ready for media."""
        self._options, self._target, self._stop, self._out = options, target, stop, out
        self._through = through

    def run(self) -> int:
        """Connection after connection; the exit code."""
        attempt = 0
        while True:
            started = time.monotonic()
            try:
                self.once()
                return 0
            except SourceError as error:
                _complain(str(error))
                return 1
            except (PublishFailed, ConnectFailed) as error:
                if self._stop.is_set():
                    return 0
                _complain(str(error))
                if not self._options.reconnect:
                    return 1
            attempt = 0 if time.monotonic() - started > SETTLED_S else attempt
            pause = BACKOFF_S[min(attempt, len(BACKOFF_S) - 1)]
            attempt += 1
            self._say(f"trying again in {pause:.0f} s")
            if self._stop.wait(pause):
                return 0

    def once(self) -> None:
        """One connection. Raises ConnectFailed, SourceError, PublishFailed."""
        if isinstance(self._target, SrtUrl):
            self._publish_srt(self._target)
        else:
            self._publish(self._target)

    def _say(self, text: str) -> None:
        if not self._options.quiet:
            self._out.write(text + "\n")
            self._out.flush()

    def _publish(self, target: Target) -> None:
        """One connection, from connect to goodbye. Raises ConnectFailed, SourceError, PublishFailed."""
        source = open_source(self._options, target.key.partition("?")[0])
        try:
            connection = Connection(target, tls_verify=self._options.tls_verify)
            polite = False
            try:
                polite = self._begin(connection)
                if polite:
                    self._say(f"publishing to {target.shown}")
                    self._play(source, connection)
            except PublishFailed:
                polite = False
                raise
            finally:
                connection.close(politely=polite)
        finally:
            source.finish()

    def _publish_srt(self, target: SrtUrl) -> None:
        """One ffmpeg, from its start to its end. Raises ConnectFailed, SourceError, PublishFailed."""
        connection = SrtConnection(self._options, target)
        self._say(f"publishing to {target.shown}")
        polite = False
        try:
            if self._options.file is None:
                self._play_into(connection, target)
            else:
                self._watch(connection)
            polite = True
        finally:
            connection.close(politely=polite)

    def _play_into(self, connection: SrtConnection, target: SrtUrl) -> None:
        source = open_source(self._options, target.shown)
        try:
            self._play(source, connection)
        finally:
            source.finish()

    def _play(self, source: Source, connection: Link) -> None:
        link = self._through(connection)
        Publication(source, link, backlog_bytes(self._options), self._stop, self._say).play()

    def _watch(self, connection: SrtConnection) -> None:
        """Until ffmpeg has sent its file, or a signal."""
        link = self._through(connection)
        while not self._stop.is_set() and not connection.ended():
            try:
                heed(link, time.monotonic() + POLL_S)
            except PublishFailed:
                if not connection.ended():
                    raise

    def _begin(self, connection: Connection) -> bool:
        """Waits until the server takes media; False: told to stop before. Raises PublishFailed."""
        while connection.client.state is not State.PUBLISHING:
            if self._stop.is_set():
                return False
            heed(connection, time.monotonic() + POLL_S)
        return True
