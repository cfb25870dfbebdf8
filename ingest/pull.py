"""[[ingest.pull]]: streams that we fetch from SRT listeners, again and again for as long as the server runs.

    waiting --pause--> looking up (thread: name, key) --> calling --> publishing
       ^                        |                            |            |
       +------------------------+----------------------------+------------+

A pulled stream is a publisher like any other: an encoder that pushes the name while it is silent takes it over, and
while somebody else publishes it, nothing is called.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

import structlog

from headwater.config.settings import Ingest
from headwater.config.settings_srt import Pull

from .auth import Pause, Refused
from .metrics import IngestMetrics
from .publisher import Wish
from .srt import events as srt
from .srt.addresses import Address
from .srt.caller import Caller
from .srt.keys import SALT_BYTES, KeyAnswer, KeyOffer, derive_kek
from .srt.stats import Stats
from .srtlisten import core_limits
from .srtmetrics import SrtMetrics
from .srtpublisher import SrtPublisher
from .streams import Streams
from .udp import UdpPort, enlarge

log = structlog.get_logger("headwater.ingest")

T = TypeVar("T")
PROTOCOL = "srt-pull"
SETTLED_S = 10.0
"""A connection that lasted so long makes the pauses short again."""
KEY_BYTES = 16
"""AES key length where the URL does not say: what libsrt takes by default."""


class Phase(enum.Enum):
    """What a pull does."""

    WAITING = "waiting"
    LOOKING_UP = "looking up"
    CALLING = "calling"
    PUBLISHING = "publishing"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What a thread found out for one attempt."""

    family: int
    address: Address
    offer: KeyOffer | None = field(repr=False)


class Puller:
    """One configured pull, on the running loop.

    Args:
        pull: what to fetch.
        settings: of ingest.
        streams: what it feeds.
        metrics: of ingest.
        srt_metrics: of SRT.
    """

    def __init__(
        self, pull: Pull, settings: Ingest, streams: Streams, metrics: IngestMetrics, srt_metrics: SrtMetrics
    ) -> None:
        self.name = pull.name
        self.streams = streams
        self.phase = Phase.WAITING
        self.attempts = 0
        self.failures = 0
        self._pull = pull
        self._target = pull.target
        self._settings = settings
        self._metrics = metrics
        self._srt_metrics = srt_metrics
        latency_ms = self._target.latency_ms if self._target.latency_ms is not None else settings.srt.latency_ms
        limits = core_limits(settings)
        latency_s = latency_ms / 1_000
        self._limits = replace(limits, latency_s=latency_s, max_latency_s=max(limits.max_latency_s, latency_s))
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._caller: Caller | None = None
        self._udp: UdpPort | None = None
        self._publisher: SrtPublisher | None = None
        self._began = 0.0
        self._pause_s = pull.retry_min_s
        self._said = ""

    @property
    def connected(self) -> bool:
        """Media may come."""
        return self.phase is Phase.PUBLISHING

    def start(self) -> None:
        """Begin."""
        log.info("pull", stream=self.name, source=self._target.shown)
        self._attempt()

    def stop(self) -> None:
        """Take leave of the source; nothing is called any more. Idempotent."""
        if self.phase is Phase.STOPPED:
            return
        self.phase = Phase.STOPPED
        if self._timer is not None:
            self._timer.cancel()
        if self._caller is not None:
            self._caller.close(self._caller.session, "the server stops", time.monotonic())
            self._turn(time.monotonic())
        self._let_go()

    # -- what its publisher asks -----------------------------------------------------------------------------------

    def stats(self, session: srt.SessionId, now: float) -> Stats | None:
        """What the session measures; None when it is over."""
        return self._caller.stats(session, now) if self._caller is not None else None

    def hang_up(self, session: srt.SessionId, detail: str) -> None:
        """Close the session."""
        if self._caller is not None:
            now = time.monotonic()
            self._caller.close(session, detail, now)
            self._loop.call_soon(self._turn, now)

    def paused(self, pause: Pause) -> None:
        """Count a pause of reading."""
        self._metrics.paused.labels(pause.value).inc()

    # -- an attempt ------------------------------------------------------------------------------------------------

    def _wish(self) -> Wish:
        return Wish(self._settings.applications[0], self.name, {}, f"pull {self._target.shown}", proven=True)

    def _attempt(self) -> None:
        self._timer = None
        refused = self.streams.judge(self._wish(), time.monotonic())
        if refused is not None:
            self._again(refused.description, failed=False)
            return
        self.phase = Phase.LOOKING_UP
        self.attempts += 1
        self._began = time.monotonic()
        target = self._target
        salt = os.urandom(SALT_BYTES)

        def work() -> _Prepared:
            found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_DGRAM)
            family, _, _, _, address = found[0]
            offer = None
            if target.passphrase:
                offer = KeyOffer(salt, derive_kek(target.passphrase, salt, target.key_bytes or KEY_BYTES))
            return _Prepared(family, _as_address(address), offer)

        in_thread(work, self._call, lambda reason: self._again(f"{target.host}: {reason}"))

    def _call(self, prepared: _Prepared) -> None:
        if self.phase is not Phase.LOOKING_UP:
            return
        self.phase = Phase.CALLING
        sock = socket.socket(prepared.family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            sock.bind(("", 0))
            enlarge(sock, self._settings.srt.limits.socket_bytes)
        except OSError as error:
            sock.close()
            self._again(error.strerror or str(error))
            return
        now = time.monotonic()
        caller = self._caller = Caller(self._limits, now, os.urandom(64))
        self._udp = UdpPort(sock, caller.receive_datagram, self._turn)
        caller.connect(prepared.address, self._target.stream_id, prepared.offer, now)
        self._turn(now)

    def _turn(self, now: float) -> None:
        caller, udp = self._caller, self._udp
        if caller is None or udp is None:
            return
        due = caller.next_timeout()
        if due is not None and due <= now:
            caller.handle_timeout(now)
        closed: srt.SessionClosed | None = None
        while events := caller.events_received():
            for event in events:
                if isinstance(event, srt.SessionClosed):
                    closed = event
                else:
                    self._guarded(caller, event, now)
        udp.send(caller.datagrams_to_send())
        udp.wake_at(caller.next_timeout(), now)
        if closed is not None:
            self._ended(closed, now)

    def _guarded(self, caller: Caller, event: srt.Event, now: float) -> None:
        """What goes wrong with a stream ends the connection, and it is called again."""
        try:
            self._event(caller, event, now)
        except Exception:
            log.exception("srt session failed", stream=self.name)
            caller.close(caller.session, "an error of the server", now)

    def _event(self, caller: Caller, event: srt.Event, now: float) -> None:
        publisher = self._publisher
        if isinstance(event, srt.DataReceived):
            if publisher is not None:
                publisher.receive(event.data, now)
        elif isinstance(event, srt.PacketsLost):
            if publisher is not None:
                publisher.lost(event.count, now)
        elif isinstance(event, srt.Connected):
            self._connected(caller, event, now)
        elif isinstance(event, srt.KeyRefreshRequested):
            self._refresh(caller, event)

    def _connected(self, caller: Caller, event: srt.Connected, now: float) -> None:
        publisher = SrtPublisher(self, event.session, self._settings, self._target.host, PROTOCOL, event.latency_s, now)
        admitted = self.streams.admit(publisher, self._wish(), now)
        if isinstance(admitted, Refused):
            publisher.closed(now)
            caller.close(event.session, admitted.description, now)
            return
        self.phase = Phase.PUBLISHING
        self._publisher = publisher
        self._said = ""
        self._metrics.connections.labels(PROTOCOL).inc()
        latency_ms = round(event.latency_s * 1_000)
        log.info("pull connected", stream=self.name, latency_ms=latency_ms, encrypted=event.encrypted)
        publisher.begin(admitted, now)

    def _refresh(self, caller: Caller, event: srt.KeyRefreshRequested) -> None:
        passphrase, request = self._target.passphrase, event.request

        def answer(kek: bytes) -> None:
            if self._caller is caller:
                caller.answer_key(event.session, KeyAnswer(kek), time.monotonic())
                self._turn(time.monotonic())

        in_thread(lambda: derive_kek(passphrase, request.salt, request.length), answer, lambda reason: None)

    def _ended(self, closed: srt.SessionClosed, now: float) -> None:
        publisher, self._publisher = self._publisher, None
        if publisher is not None:
            publisher.closed(now)
            self._srt_metrics.ended(self.name, publisher)
            self._metrics.connections.labels(PROTOCOL).dec()
            self._metrics.closed.labels(closed.reason.value).inc()
        self._let_go()
        if publisher is not None and now - self._began > SETTLED_S:
            self._pause_s = self._pull.retry_min_s
        self._again(closed.detail)

    def _let_go(self) -> None:
        if self._udp is not None:
            self._udp.close()
        self._udp = self._caller = None

    def _again(self, reason: str, *, failed: bool = True) -> None:
        """Try again after a pause that grows. A reason is said when it is another one than before."""
        if self.phase is Phase.STOPPED:
            return
        self.phase = Phase.WAITING
        self.failures += failed
        pause_s, self._pause_s = self._pause_s, min(self._pull.retry_max_s, self._pause_s * 2)
        say = log.warning if reason != self._said else log.debug
        say("pull waits", stream=self.name, source=self._target.shown, reason=reason, retry_s=pause_s)
        self._said = reason
        self._timer = self._loop.call_later(pause_s, self._attempt)


def in_thread(work: Callable[[], T], then: Callable[[T], None], failed: Callable[[str], None]) -> None:
    """`work` in a thread of its own, then `then` with its result, or `failed`, on the running loop.

    Why no pool: a name server that does not answer holds a thread for half a minute, and must hold up neither the other
    pulls nor the end of the process.
    """
    loop = asyncio.get_running_loop()

    def told(call: Callable[[], None]) -> None:
        # The loop may be closed by now: nobody waits any more.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(call)

    def run() -> None:
        try:
            result = work()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            told(lambda: failed(reason))
        else:
            told(lambda: then(result))

    threading.Thread(target=run, name="srt-pull", daemon=True).start()


def _as_address(found: tuple[object, ...]) -> Address:
    host, port = str(found[0]), int(str(found[1]))
    return (host, port) if len(found) == 2 else (host, port, int(str(found[2])), int(str(found[3])))
