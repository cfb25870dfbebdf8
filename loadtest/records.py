"""The vocabulary of a load run: who watches, what is counted, what one generator process reports every second.

    scenario ──> ViewerClass ──> players + generator ──> Tick (each second, each process) ──> results
                                                                                             ▲
                                                        ServerSample, ChaosEvent ────────────┘

Sans-IO, plain serialisable data: ticks cross a process boundary. Times are seconds unless a name says otherwise;
histograms count microseconds.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

LOWEST_US, HIGHEST_US, DIGITS = 1, 3_600_000_000, 3
"""Of every HdrHistogram. Why an hour: a frozen server must show as what it is; three digits are 0.1 %."""

NO_HTTP2 = "no h2"
"""How errors begin of requests that needed HTTP/2 where a server does not choose it (ALPN)."""


class Protocol(enum.StrEnum):
    """What the viewers of a run speak, all of them; by its name in ALPN."""

    HTTP1 = "http/1.1"
    HTTP2 = "h2"
    """Over TLS, one connection per viewer and server."""


class Mode(enum.StrEnum):
    """Which player a viewer behaves like."""

    HLSJS = "hlsjs"
    """Blocking playlist reload, then the part it names."""
    SAFARI = "safari"
    """The hinted part and the next playlist at the same time: two connections, or two streams of one."""
    LEGACY = "legacy"
    """Plain HLS: polls the playlist, loads whole segments."""


class Abr(enum.StrEnum):
    """How a viewer chooses its variant."""

    FIXED = "fixed"
    """The variant that `ViewerClass.variant` names."""
    THROUGHPUT = "throughput"
    TOP = "top"
    LOWEST = "lowest"


class Cmcd(enum.StrEnum):
    """CTA-5004 reports of the viewer."""

    OFF = "off"
    QUERY = "query"
    HEADER = "header"


@dataclass(frozen=True, slots=True)
class ViewerClass:
    """Viewers that are alike. The values a single viewer draws (from its own seed) are ranges (from, to)."""

    name: str = "viewers"
    mode: Mode = Mode.HLSJS
    share: float = 1.0
    """Weight among the classes of a phase."""
    abr: Abr = Abr.TOP
    variant: str | None = None
    """Of `Abr.FIXED`: name, height ("720p") or number in the multivariant playlist; None: the first one."""
    audio: bool = True
    """Also load the audio rendition of the variant's group, where it has one."""
    watch_s: tuple[float, float] | None = None
    """How long a viewer stays; None: to the end of the run. Shorter stays are churn: leavers are replaced."""
    pause_every_s: float | None = None
    """Mean distance between pauses; None: never. A paused viewer loads nothing new."""
    pause_s: tuple[float, float] = (2.0, 10.0)
    seek_every_s: float | None = None
    """Mean distance between seeks back into the window."""
    seek_back_s: tuple[float, float] = (5.0, 30.0)
    read_bps: int | None = None
    """A slow reader takes no more than this many bits per second from its connections."""
    cmcd: Cmcd = Cmcd.OFF
    headers: tuple[tuple[str, str], ...] = ()


class Timing(enum.StrEnum):
    """What is measured, each an HdrHistogram of microseconds."""

    PART = "part"
    """From the publication of a part at the live edge to its last byte at the viewer."""
    PLAYLIST = "playlist"
    """From the publication of the newest part a playlist names to that playlist's last byte."""
    SEGMENT = "segment"
    """From the publication of a segment to its last byte: viewers without low latency."""
    RESPONSE = "response"
    """From sending a request for what is published already to the last byte."""
    FIRST_BYTE = "first_byte"
    STARTUP = "startup"
    """From the join to the first frame: buffer filled to the hold-back."""
    LATENCY = "latency"
    """Wall clock minus the date at the playhead, sampled once a second per playing viewer."""
    STALL = "stall"


class Count(enum.StrEnum):
    """What is counted; sums over a tick."""

    JOINED = "joined"
    LEFT = "left"
    FATAL = "fatal"
    """Viewers that gave up, as their player would with a fatal error."""
    STARTED = "started"
    STALLS = "stalls"
    STALLED_US = "stalled_us"
    WATCHED_US = "watched_us"
    """Media time played."""
    SWITCHES = "switches"
    PAUSES = "pauses"
    SEEKS = "seeks"
    PLAYLISTS = "playlists"
    PARTS = "parts"
    SEGMENTS = "segments"
    OTHERS = "others"
    """Multivariant playlists and init sections."""
    GAPS = "gaps"
    """Parts and segments listed GAP that a viewer had to leap over."""
    LATE = "late"
    """Parts that arrived after the playhead needed them."""
    EARLY = "early"
    """Parts that arrived before their date says they were published: it, or the clock offset, is wrong."""
    BEHIND = "behind"
    """Blocking reloads that came back without anything new, or skipped an update."""
    CONNECTIONS = "connections"
    RETRIES = "retries"
    BYTES = "bytes"
    """Of bodies."""


@dataclass(frozen=True, slots=True)
class Tick:
    """One second of one generator process."""

    process: int
    second: int
    """Since the run began; the tick covers [second, second + 1)."""
    viewers: int
    """At the end of it."""
    playing: int
    counts: Mapping[Count, int] = field(default_factory=dict)
    errors: Mapping[str, int] = field(default_factory=dict)
    """By kind: `status 404 part`, `reset playlist`, `timeout part`, `no h2 part`… (bounded kinds)."""
    timings: Mapping[Timing, bytes] = field(default_factory=dict)
    """Encoded HdrHistograms (V2, as `HdrHistogram.encode()` gives them)."""
    cpu: float = 0.0
    """Of the process, cores."""
    lag_us: int = 0
    """Largest lateness of the event loop in this second: what the generator itself may have added to a time."""
    lag_p99_us: int = 0


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """Server's clock minus ours, which every time since publication contains."""

    seconds: float
    uncertainty_s: float
    source: str
    """`Date` of the answers, `PROGRAM-DATE-TIME of the newest part`, or `given`."""


@dataclass(frozen=True, slots=True)
class ServerSample:
    """What the server's /metrics said, where it is reachable."""

    second: float
    values: Mapping[str, float]
    """`cpu` (cores), `memory` (bytes), and the sums of the chosen series by name."""


@dataclass(frozen=True, slots=True)
class ChaosEvent:
    """A step that the scenario did to the system under test."""

    second: float
    what: str
    ok: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class PhaseSpan:
    """When a phase of the scenario ran, seconds since the run began."""

    name: str
    start: float
    end: float
    invariants: tuple[str, ...] = ()
    """As written in the scenario: `fatal == 0`, `stall_ratio < 0.1 %`, `part p99 < 250 ms`…"""
