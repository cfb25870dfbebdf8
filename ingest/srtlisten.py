"""The SRT listener: one UDP port for all callers, around the sans-IO `srt.Listener`.

    datagrams -> Listener -> ConnectionRequested -> access, passphrase (thread), streams -> accept or reject
                          -> DataReceived        -> SrtPublisher -> Demuxer -> stream
"""

from __future__ import annotations

import os
import time
from typing import Protocol

import structlog

from headwater.config.settings import Ingest

from .auth import Pause, Refusal, Refused
from .gate import Gate
from .kek import KeyDeriver
from .metrics import IngestMetrics
from .srt import events as srt
from .srt.addresses import Address
from .srt.errors import RejectCode
from .srt.keys import KeyAnswer
from .srt.limits import Limits
from .srt.listener import Acceptance, Listener
from .srt.stats import Stats
from .srtaccess import CODES, REFUSALS, Asked, passphrase_of, read
from .srtpublisher import SrtPublisher
from .streams import Streams
from .udp import UdpPort, open_udp, plain

log = structlog.get_logger("headwater.ingest")


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
