"""The SRT listener: one UDP port for all callers, around the sans-IO `srt.Listener`.

datagrams -> Listener -> ConnectionRequested -> access, passphrase (thread), streams -> accept or reject
                      -> DataReceived        -> SrtPublisher -> Demuxer -> stream
"""

from __future__ import annotations

import asyncio
import os
import time

import structlog

from headwater.config.settings import Ingest

from .auth import Pause, Refusal, Refused
from .gate import Gate
from .kek import KeyDeriver
from .metrics import IngestMetrics
from .srt import events as srt
from .srt.keys import KeyAnswer
from .srt.limits import Limits
from .srt.listener import Acceptance, Listener
from .srt.stats import Stats
from .srtaccess import CODES, REFUSALS, Asked, passphrase_of, read
from .srtmetrics import Port, SrtMetrics
from .srtpublisher import SrtPublisher
from .streams import Streams
from .udp import UdpPort, open_udp, plain

log = structlog.get_logger("headwater.ingest")

WATCH_S = 10.0
"""Between two looks at what the kernel dropped."""


def srt_bind_host(settings: Ingest) -> str:
    """The address to listen on; empty: every address."""
    if settings.srt.host is not None:
        return settings.srt.host
    return "" if settings.publish or settings.srt.passphrase is not None else "127.0.0.1"


def core_limits(settings: Ingest) -> Limits:
    """The settings as the core has them."""
    chosen, limits = settings.srt, settings.srt.limits
    return Limits(
        latency_s=chosen.latency_ms / 1_000,
        max_latency_s=chosen.max_latency_ms / 1_000,
        early_release=chosen.early_release,
        idle_s=limits.idle_s,
        buffer_bytes=limits.buffer_bytes,
        sessions=limits.connections,
        sessions_per_address=limits.connections_per_address,
        half_open=limits.half_open,
        half_open_per_address=limits.half_open_per_address,
        inductions_per_s=limits.handshakes_per_s,
    )


class SrtListener:
    """Takes callers on the running loop.

    Args:
        settings: of ingest.
        streams: what accepted publishers feed.
        metrics: of ingest.
        srt_metrics: of SRT.
    """

    def __init__(self, settings: Ingest, streams: Streams, metrics: IngestMetrics, srt_metrics: SrtMetrics) -> None:
        self.settings = settings
        self.streams = streams
        self.core: Listener | None = None
        """None before `start`."""
        self.udp: UdpPort | None = None
        self._metrics = metrics
        self._srt_metrics = srt_metrics
        limits = settings.srt.limits
        self._gate = Gate(limits.connections, limits.connections_per_address, metrics)
        self._publishers: dict[srt.SessionId, SrtPublisher] = {}
        self._keys: KeyDeriver | None = None
        self._turning = False
        self._watch: asyncio.TimerHandle | None = None
        self._kernel_drops = 0

    # -- life --------------------------------------------------------------------------------------------------------

    def start(self) -> int:
        """Bind the port and return its number.

        Raises:
            IngestStartError: it cannot be bound.
        """
        host = srt_bind_host(self.settings)
        sock = open_udp(host, self.settings.srt.port, "ingest.srt.port", self.settings.srt.limits.socket_bytes)
        self.core = Listener(core_limits(self.settings), time.monotonic(), os.urandom(64))
        self.udp = UdpPort(sock, self.core.receive_datagram, self._turn)
        self._keys = KeyDeriver(self.settings.srt.limits.key_derivations_per_s)
        core, udp, keys = self.core, self.udp, self._keys
        self._srt_metrics.port = Port(
            lambda: core.counters, lambda: udp.kernel_drops, lambda: udp.unsent, lambda: keys.derived
        )
        self._say(host, self.udp.port)
        self._watch = asyncio.get_running_loop().call_later(WATCH_S, self._look)
        return self.udp.port

    def stop(self) -> None:
        """Take no more publishers and take leave of those there are."""
        self._gate.closed = True
        for publisher in list(self._publishers.values()):
            publisher.shut("the server stops; publish again")

    def close(self) -> None:
        """Let everything go. Idempotent."""
        self.stop()
        if self._watch is not None:
            self._watch.cancel()
        if self._keys is not None:
            self._keys.close()
        if self.udp is not None:
            self.udp.close()

    def _say(self, host: str, port: int) -> None:
        url = f"srt://{host or 'HOST'}:{port}?streamid=publish:{self.settings.applications[0]}/NAME"
        secrets = self.settings.srt.passphrase is not None
        if not self.streams.authority.open or secrets:
            shown = f"{url}&passphrase=PASSPHRASE" if secrets else f"{url}?key=KEY"
            log.info("ingest listens", url=shown, address=host or "every address")
        elif self.settings.srt.host is None:
            how = "no publish keys and no passphrase, so only this machine can publish"
            log.info("ingest listens", url=url, address=host, note=how)
        else:
            log.warning("ingest listens", url=url, address=host or "every address", note="anybody can publish: no keys")

    def _look(self) -> None:
        """Say so when the kernel drops what comes in."""
        self._watch = asyncio.get_running_loop().call_later(WATCH_S, self._look)
        drops = self.udp.kernel_drops if self.udp is not None else 0
        if drops > self._kernel_drops:
            log.warning(
                "the kernel dropped datagrams of SRT: the server is too busy, or its UDP receive buffer too small",
                dropped=drops - self._kernel_drops,
                how="see the log's start for the buffer, headwater_event_loop_lag_seconds for the load",
            )
        self._kernel_drops = drops

    # -- what publishers ask ---------------------------------------------------------------------------------------

    def stats(self, session: srt.SessionId, now: float) -> Stats | None:
        """What a session measures; None when it is over."""
        return self.core.stats(session, now) if self.core is not None else None

    def hang_up(self, session: srt.SessionId, detail: str) -> None:
        """Close a session with a SHUTDOWN to its peer."""
        if self.core is not None:
            now = time.monotonic()
            self.core.close(session, detail, now)
            self._turn(now)

    def paused(self, pause: Pause) -> None:
        """Count a pause of reading."""
        self._metrics.paused.labels(pause.value).inc()

    # -- turns of the core -------------------------------------------------------------------------------------------

    def _turn(self, now: float) -> None:
        """Let time pass, act on what the core found, send what it has to say."""
        core, udp = self.core, self.udp
        if core is None or udp is None or self._turning:
            return
        self._turning = True
        try:
            due = core.next_timeout()
            if due is not None and due <= now:
                core.handle_timeout(now)
            # What is answered here may bring further events: a refused caller, a session that was closed.
            while events := core.events_received():
                for event in events:
                    self._guarded(core, event, now)
            udp.send(core.datagrams_to_send())
            udp.wake_at(core.next_timeout(), now)
        finally:
            self._turning = False

    def _guarded(self, core: Listener, event: srt.Event, now: float) -> None:
        """What goes wrong with one caller ends its session, and the port goes on for the others."""
        try:
            self._event(core, event, now)
        except Exception:
            log.exception("srt session failed", event_kind=type(event).__name__)
            if isinstance(event, srt.DataReceived | srt.PacketsLost):
                core.close(event.session, "an error of the server", now)

    def _event(self, core: Listener, event: srt.Event, now: float) -> None:
        match event:
            case srt.DataReceived(session, data, _):
                publisher = self._publishers.get(session)
                if publisher is not None:
                    publisher.receive(data, now)
            case srt.PacketsLost(session, count):
                publisher = self._publishers.get(session)
                if publisher is not None:
                    publisher.lost(count, now)
            case srt.ConnectionRequested():
                self._requested(core, event, now)
            case srt.KeyRefreshRequested(session, request):
                self._refresh(core, session, request.salt, request.length, now)
            case srt.CallerRefused(address, code, _):
                self._gate.turn_away(plain(address), REFUSALS.get(code, Refusal.HANDSHAKE))
            case srt.SessionClosed(session, reason, detail):
                self._closed(session, reason.value, detail, now)

    # -- callers -----------------------------------------------------------------------------------------------------

    def _requested(self, core: Listener, request: srt.ConnectionRequested, now: float) -> None:
        asked = read(self.settings, request)
        if isinstance(asked, Refused):
            self._reject(core, request, asked, now)
            return
        refused = self.streams.judge(asked.wish, now)
        if refused is not None:
            self._reject(core, request, refused, now)
        elif request.encrypted is None or asked.passphrase is None:
            self._accept(core, request, asked, None, now)
        else:
            self._derive(core, request, asked, now)

    def _derive(self, core: Listener, request: srt.ConnectionRequested, asked: Asked, now: float) -> None:
        assert self._keys is not None and request.encrypted is not None and asked.passphrase is not None

        def then(kek: bytes) -> None:
            later = time.monotonic()
            # Meanwhile somebody else may have begun to publish the stream, or the server to stop.
            refused = self.streams.judge(asked.wish, later)
            if refused is not None:
                self._reject(core, request, refused, later)
            else:
                self._accept(core, request, asked, KeyAnswer(kek), later)
            self._turn(later)

        encrypted = request.encrypted
        if not self._keys.derive(asked.passphrase, encrypted.salt, encrypted.length, then):
            busy = Refused(Refusal.CONNECTIONS, "too many passphrases are being checked")
            self._reject(core, request, busy, now)

    def _accept(
        self, core: Listener, request: srt.ConnectionRequested, asked: Asked, keys: KeyAnswer | None, now: float
    ) -> None:
        outcome = core.accept(request.session, keys, now)
        if outcome is not Acceptance.OPEN:
            if outcome is not Acceptance.GONE:
                refusal = Refusal.SECRET if outcome is Acceptance.BAD_SECRET else Refusal.UNSECURE
                self._gate.turn_away(plain(request.address), refusal)
            return
        publisher = SrtPublisher(
            self, request.session, self.settings, plain(request.address), "srt", request.latency_s, now
        )
        self._publishers[request.session] = publisher
        self._gate.enter(publisher)
        admitted = self.streams.admit(publisher, asked.wish, now)
        if isinstance(admitted, Refused):
            core.close(request.session, admitted.description, now)
            return
        latency_ms = round(request.latency_s * 1_000)
        log.info("srt connection", stream=asked.wish.name, latency_ms=latency_ms, encrypted=keys is not None)
        publisher.begin(admitted, now)

    def _reject(self, core: Listener, request: srt.ConnectionRequested, refused: Refused, now: float) -> None:
        core.reject(request.session, CODES[refused.refusal], now)
        # Only a name that is configured may stand in the log: anything else of a stream id may be a secret.
        app = request.stream_id.app
        known = app if app in self.settings.applications else ""
        self.streams.refused(plain(request.address), known, refused.refusal)

    def _refresh(self, core: Listener, session: srt.SessionId, salt: bytes, length: int, now: float) -> None:
        """A sender announced a key with another salt: the passphrase is that of its stream."""
        assert self._keys is not None
        publisher = self._publishers.get(session)
        stream = publisher.feed.stream if publisher is not None else None
        passphrase, _ = passphrase_of(self.settings, stream.name) if stream is not None else (None, False)

        def then(kek: bytes) -> None:
            later = time.monotonic()
            core.answer_key(session, KeyAnswer(kek), later)
            self._turn(later)

        if passphrase is None or not self._keys.derive(passphrase, salt, length, then):
            core.answer_key(session, None, now)

    def _closed(self, session: srt.SessionId, reason: str, detail: str, now: float) -> None:
        publisher = self._publishers.pop(session, None)
        if publisher is None:
            return
        publisher.closed(now)
        self._srt_metrics.ended(publisher.name, publisher)
        self._gate.leave(publisher)
        self._metrics.closed.labels(reason).inc()
        log.info("connection closed", address=publisher.address, protocol="srt", reason=reason, detail=detail)
