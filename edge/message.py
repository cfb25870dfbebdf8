"""What passes between the front ends, the core and the upstream client: plain values. Sans-IO.

    front end ── Request ──> core ── UpstreamRequest ──> client
    front end <── Response ── core <── UpstreamAnswer ── client

Times named `now`, `at` and `received` are monotonic seconds; `unix` is Unix seconds.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from .growing import Flow, Growing
from .viewers import Visitor

Headers = tuple[tuple[str, str], ...]
"""Field lines in their order; names as they are written on the wire."""


class Method(enum.Enum):
    """The methods that the edge answers itself from its store; all others are 405 or 501."""

    GET = "GET"
    HEAD = "HEAD"
    OPTIONS = "OPTIONS"


@dataclass(slots=True)
class Request:
    """One viewer request, as much of it as an answer may depend on."""

    method: Method
    target: bytes
    """The request-target as received: origin-form, not yet validated."""
    gzip: bool = False
    """Accept-Encoding allows gzip."""
    range: str | None = None
    """Range, and likewise the conditional fields, raw."""
    if_range: str | None = None
    if_none_match: str | None = None
    if_modified_since: str | None = None
    agent: bytes = b""
    """User-Agent."""
    accept_encoding: bytes | None = None
    """Accept-Encoding, while the request is read: `gzip` is what it comes to."""
    cmcd: bytes | None = None
    """The values of the CMCD fields, joined with commas. The core takes them out."""
    x_forwarded_for: bytes | None = None
    """X-Forwarded-For, and likewise Forwarded: repeated lines joined with commas. Anybody can write them."""
    forwarded: bytes | None = None
    visitor: Visitor | None = None
    """The connection it came on, to count viewers by."""
    forged: bool = False
    """Its playback token was verified in vain: set by the core, for the front end to count."""
    loop: str = ""
    """CDN-Loop: the edges that the request has passed (RFC 8586); empty for a viewer's."""
    rounds: int = 0
    """How often the core sent it round again (a playlist turned out to be live, an answer to be private)."""


class Outcome(enum.Enum):
    """How a request was answered. The value is the label of the metric."""

    HIT = "hit"
    """From the store, or from a follower's current playlist."""
    JOIN = "join"
    """Waited on a fetch that was under way for somebody else, or for a follower."""
    FETCH = "fetch"
    """Caused an upstream fetch."""
    STALE = "stale"
    """From the store past its lifetime, because the upstream fails."""
    PASS = "pass"  # noqa: S105  (the outcome, not a password)
    """Fetched for this request alone: the upstream's answers here may not be shared."""
    REJECT = "reject"
    """Answered by the edge itself: an error, a preflight, its own health."""

    __hash__ = object.__hash__  # members are singletons; Enum's own hash runs Python code for each look-up


@dataclass(slots=True, eq=False)
class Entity:
    """One representation of one URL: what the store keeps and what many viewers are sent at once.

    Not changed after it was made, except `wire`, `gzip` and `received` (a revalidation).
    """

    status: int
    headers: Headers
    """Without Content-Length, Age, Cache-Status and Connection: those are added per answer."""
    body: bytes | memoryview
    """A view when it is a range: a slow reader of a range keeps the whole alive, not a copy of its own."""
    received: float
    """When the last byte came from the upstream (rule 145: Age counts from here); of what went out while it came, when
    its head did."""
    age: float = 0.0
    """The upstream's own Age at that time, seconds."""
    lifetime: float = 0.0
    """Freshness lifetime, seconds, counted as Age is."""
    usable: float = 0.0
    """Age up to which it may be served while the upstream fails, seconds."""
    etag: str | None = None
    last_modified: str | None = None
    surrogate: str | None = None
    """Surrogate-Control as received: for this cache, so not among `headers`."""
    compress: bool = False
    """Text that is sent gzip to whoever accepts it."""
    gzip: Entity | None = None
    """The same version compressed, once somebody asked for it (rule 170)."""
    own: bool = False
    """Made by the edge, not received: sent without Age."""
    trail: str = ""
    """Cache-Status of the tiers above, to which ours is appended (RFC 9211 section 2)."""
    wire: dict[object, Any] = field(default_factory=dict)
    """What a front end has rendered for it, by whatever it renders it for."""

    def age_at(self, now: float) -> int:
        """Age in whole seconds (RFC 9111 section 4.2.3, with the hold time left out by rule 145)."""
        return max(0, int(self.seconds_old(now)))

    def age_told(self, now: float) -> int | None:
        """Value of Age in an answer with it; None: it has no such field, being made by the edge."""
        return None if self.own else self.age_at(now)

    def seconds_old(self, now: float) -> float:
        """Age, not rounded."""
        return self.age + now - self.received

    def fresh_at(self, now: float) -> bool:
        """Whether it may be served without asking the upstream."""
        return self.seconds_old(now) < self.lifetime


@dataclass(slots=True)
class Response:
    """An answer to one request. The body belongs to many answers: it is never changed."""

    entity: Entity
    outcome: Outcome
    age: int | None
    """Value of Age; None: no such field."""
    collapsed: bool = False
    """RFC 9211 `collapsed`: one upstream request answered several."""
    final: bool = False
    """The connection ends after this answer."""
    growing: Growing | None = None
    """Its body, which still comes: `entity` has status and fields then, and no content."""
    span: tuple[int, int | None] | None = None
    """Of a growing body, the bytes that are the answer's: the first, and the one after the last (None: to its end)."""
    rendered: tuple[object, bytes] | None = None
    """By whom and as what it was written for a viewer whose connection goes on: the same for all who are answered with
    this one."""

    @property
    def length(self) -> int | None:
        """Bytes of content; None: not known yet."""
        if self.growing is None:
            return len(self.entity.body)
        first, end = self.span or (0, None)
        end = self.growing.length if end is None else end
        return None if end is None else end - first


Reply = Callable[[Response], None]
"""Called exactly once per request, unless its ticket was cancelled; in the loop turn of the event it waits for."""


class Ticket(Protocol):
    """A viewer's place in a queue."""

    def cancel(self) -> None:
        """The viewer left: forget it. Idempotent; after it the reply is not called."""


class Failure(enum.Enum):
    """Why the upstream gave no usable answer. Value: the status a viewer gets, and words for it."""

    CONNECT = (502, "the upstream cannot be reached")
    RESET = (502, "the upstream broke off")
    INVALID = (502, "the upstream's answer is not valid")
    TOO_LARGE = (502, "the upstream's answer is larger than edge.object_bytes")
    TIMEOUT = (504, "the upstream did not answer in time")
    BUSY = (503, "all connections to the upstream are busy")
    ORPHAN = (503, "no upstream that can be reached has a playlist with this name in it")

    @property
    def status(self) -> int:
        """HTTP status for viewers."""
        return self.value[0]

    @property
    def reason(self) -> str:
        """One line in plain words."""
        return self.value[1]


class Purpose(enum.Enum):
    """What an upstream request is for; the value is the label of the metric."""

    OBJECT = "object"
    """Somebody waits for it now."""
    PLAYLIST = "playlist"
    """A follower's request, held by the upstream until there is news."""
    BLOCKING = "blocking"
    """A playlist with directives that is not followed: the upstream may hold it."""
    PREFETCH = "prefetch"
    """A part or an init section that viewers will ask for."""
    PROBE = "probe"
    """Whether the upstream lives."""


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """One GET upstream. Carries nothing of any viewer, so its answer is a function of the URL."""

    target: str
    """Canonical path and query."""
    purpose: Purpose = Purpose.OBJECT
    etag: str | None = None
    """If-None-Match, and likewise If-Modified-Since: revalidation of a stale entity."""
    last_modified: str | None = None
    range: str | None = None
    """Range, canonical."""
    loop: str = ""
    """CDN-Loop of the viewer request that it comes from: the edges that it has passed (RFC 8586)."""
    source: str = ""
    """Name of the upstream to ask as long as it has not failed; empty: any."""
    avoid: str = ""
    """Name of the upstream that is not meant."""
    hedge_s: float | None = None
    """Seconds after which an answer is overdue and another upstream is asked as well."""
    if_range: str | None = None
    """If-Range: a strong tag, with which alone the range is wanted (RFC 9110 section 13.1.5)."""
    arriving: Arriving | None = field(default=None, compare=False, repr=False)
    """Who takes the body while it comes; None: only the whole answer is of use."""

    @property
    def held(self) -> bool:
        """The upstream may hold it until there is news."""
        return "_HLS_msn=" in self.target


@dataclass(frozen=True, slots=True)
class UpstreamAnswer:
    """How an upstream request ended: a whole response, or a failure."""

    at: float
    """When its last byte came, or the failure was noticed; monotonic seconds."""
    unix: float
    status: int = 0
    """0 when `failure` is set."""
    headers: Headers = ()
    """Names in lower case; Content-Encoding already undone."""
    body: bytes = b""
    failure: Failure | None = None
    began: float = 0.0
    """When its head came, `time.perf_counter` seconds; 0: there was none. For a held request: when there was news."""
    source: str = ""
    """Name of the upstream that it came from."""
    stored: bool = False
    """It came from this node's disk; no upstream was asked."""

    def get(self, name: str) -> str | None:
        """The field `name` (lower case), repeated lines joined with a comma; None when absent."""
        values = [value for key, value in self.headers if key == name]
        return ", ".join(values) if values else None


class Arriving(Protocol):
    """Takes a body while it comes. Called between `fetch` and `done` only, and not any more after a cancel.

    The client offers a 200 or 206 whose body is large or slow. Where that is taken, the body goes piece by piece and
    `done` gets an answer without it: its status, or a failure when the body broke off.
    """

    def head(self, answer: UpstreamAnswer, length: int | None, flow: Flow) -> bool:
        """Status and fields came, and `length` bytes of content will (None: not said). True: it is taken like that."""

    def piece(self, data: bytes, at: float) -> None:
        """Content, in its order, at `at` (monotonic seconds)."""


Done = Callable[[UpstreamAnswer], None]
Cancel = Callable[[], None]
"""Ends an upstream request; its `Done` is not called any more. Idempotent."""


class Upstream(Protocol):
    """The upstream client as the core sees it."""

    def fetch(self, request: UpstreamRequest, done: Done) -> Cancel:
        """Begin a GET; `done` is called once, never before this returns."""


@dataclass(slots=True)
class Fills:
    """Counters of the answers that went to viewers while they came."""

    streamed: int = 0
    joined: int = 0
    """Viewers who came while one grew."""
    resumed: int = 0
    """Upstream requests for the rest of one that broke off."""
    size: int = 0
    """Their bytes, as they came."""
    broken: dict[str, int] = field(default_factory=dict)
    """Ended short, by reason: a `Failure` in lower case, `changed`, or `unwanted`."""

    def broke(self, reason: str) -> None:
        """Count one that ended short."""
        self.broken[reason] = self.broken.get(reason, 0) + 1


@dataclass(slots=True)
class Tally:
    """Plain counters that the core and the front ends raise, and the metrics collector reads."""

    requests: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    fetches: dict[tuple[str, str], int] = field(default_factory=dict)
    """By purpose and result: a status class such as `2xx`, or a `Failure` name in lower case."""
    refused: dict[str, int] = field(default_factory=dict)
    """By reason, a fixed set of words."""
    held: int = 0
    """Requests that wait right now."""
    woken: int = 0
    bytes_sent: int = 0
    slow_closed: int = 0
    connections: int = 0
    accepted: int = 0
    fills: Fills = field(default_factory=Fills)

    def fetched(self, purpose: Purpose, answer: UpstreamAnswer) -> None:
        """Count the end of an upstream request."""
        if answer.stored:
            return
        result = answer.failure.name.lower() if answer.failure else f"{answer.status // 100}xx"
        self.fetches[purpose.value, result] = self.fetches.get((purpose.value, result), 0) + 1

    def refuse(self, reason: str) -> None:
        """Count a refusal; `reason` is one of a fixed set of words."""
        self.refused[reason] = self.refused.get(reason, 0) + 1
