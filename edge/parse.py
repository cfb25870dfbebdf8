"""Bytes -> requests, on llhttp (through httptools), strict. Sans-IO.

`Parser.feed` reports to a `Receiver`; errors of the peer arrive there as a `Refusal`, never as an exception.
RFC 9112; the limits are this server's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

import httptools

from .entities import method_not_allowed
from .fields import HOST, MAX_BODY_BYTES, MAX_FIELDS, METHODS, TAKES, Take, again, body_too_large
from .heads import Head, Refusal
from .message import Method, Request

SLICE_BYTES = 4 << 10
"""llhttp cannot be stopped between two requests of one piece of data: pieces are at most this large, so that one
read makes no more than a few hundred parsed requests."""
MAX_BLOCKS, MAX_BLOCK_BYTES = 1_024, 1_500
"""Header blocks that are remembered whole, and their size. Why: a player sends the same fields with every request."""
MAX_REMEMBERED = 512
"""Field names whose meaning is remembered."""

MAX_METHOD_BYTES = 32
"""What is looked at of a method that is not known."""

_LINE = re.compile(rb"GET (/[!-~]*) HTTP/1\.1")
_BLOCKS: dict[bytes, Request] = {}
_REASONS = {405: "method", 413: "body", 414: "head", 431: "head"}


class Receiver(Protocol):
    """Who is told."""

    def head_began(self) -> None:
        """The first bytes of a request came."""

    def request(self, head: Head) -> None:
        """A request is whole, its body dropped."""

    def refuse(self, refusal: Refusal) -> None:
        """What came is no request that is served here; nothing after it is read."""


class Parser:
    """Of one connection. The names `on_...` are llhttp's callbacks."""

    __slots__ = (
        "_body_bytes",
        "_completed",
        "_done",
        "_fed",
        "_fields",
        "_head_bytes",
        "_hosts",
        "_http",
        "_in_head",
        "_limit",
        "_receiver",
        "_refusal",
        "_reports",
        "_request",
        "_te",
        "_url",
    )

    def __init__(self, receiver: Receiver, header_bytes: int) -> None:
        self._receiver: Receiver | None = receiver
        self._http: httptools.HttpRequestParser | None = None
        """While a request is under way; what comes again needs none, and an idle connection keeps none."""
        self._limit = header_bytes
        self._fed = 0
        self._completed = 0
        self._done = False
        self._reset()

    def _reset(self) -> None:
        self._request = Request(Method.GET, b"")
        self._url = b""
        self._hosts = self._fields = self._head_bytes = self._body_bytes = 0
        self._in_head = True
        self._te = self._reports = False
        self._refusal: Refusal | None = None

    @property
    def in_request(self) -> bool:
        """Part of a request has come, and not all of it."""
        return self._fed > 0

    def close(self) -> None:
        """Let go of the receiver and of llhttp, which hold this object in turn."""
        self._receiver = self._http = None
        self._done = True
        self._fed = 0

    def feed(self, data: bytes, full: Callable[[], bool]) -> bytes:
        """Parse `data`; what is left of it once `full()` says to stop."""
        if len(data) <= SLICE_BYTES:
            self._feed(data)
            return b""
        for start in range(0, len(data), SLICE_BYTES):
            if full():
                return b"" if self._done else data[start:]
            self._feed(data[start : start + SLICE_BYTES])
        return b""

    def _feed(self, data: bytes) -> None:
        if self._done or self._receiver is None:
            return
        fresh = not self._fed
        if fresh:
            if self._feed_known(data):
                return
            self._receiver.head_began()
        self._completed = 0
        self._fed += len(data)
        if self._http is None:
            self._http = httptools.HttpRequestParser(self)
        try:
            self._http.feed_data(data)
        except httptools.HttpParserUpgrade:
            # RFC 9110 section 7.8: an upgrade may be ignored. llhttp stops there, so nothing after it is read.
            self._done = True
            return
        except httptools.HttpParserInvalidMethodError:
            # RFC 9110 section 15.6.2; a TLS hello or the like is no request at all
            word = data[:MAX_METHOD_BYTES].partition(b" ")[0]
            self._refuse(Refusal.of(501 if word.isalpha() else 400, "no method that is known here", "malformed"))
            return
        except httptools.HttpParserError as error:
            self._refuse(Refusal.of(400, f"malformed request: {_words(error)}", "malformed"))
            return
        if not self._fed:
            self._http = None
            if fresh and self._completed == 1 and not self._done:
                self._remember_block(data)
        # A head that never ends calls back for nothing: count what was fed.
        if self._in_head and self._fed > self._limit + SLICE_BYTES:
            self._refuse(self._too_long())

    def _feed_known(self, data: bytes) -> bool:
        """A whole request whose fields, byte for byte, llhttp has passed before: only its request line is new."""
        end = data.find(b"\r\n")
        known = _BLOCKS.get(data[end:]) if end > 0 else None
        if known is None or len(data) > self._limit or self._receiver is None:
            return False
        line = _LINE.fullmatch(data, 0, end)
        if line is None:
            return False
        request = again(known, line[1])
        self._receiver.request(Head(request, True, False, data))
        return True

    def _remember_block(self, data: bytes) -> None:
        """`data` was exactly one request, without a body, that keeps the connection open."""
        request = self._request
        end = data.find(b"\r\n")
        if end <= 0 or self._body_bytes or request.method is not Method.GET or len(data) - end > MAX_BLOCK_BYTES:
            return
        if self._reports:  # CMCD says something else in each request: it would only displace what comes again
            return
        if _LINE.fullmatch(data, 0, end) is not None:
            if len(_BLOCKS) >= MAX_BLOCKS:
                _BLOCKS.clear()
            _BLOCKS[data[end:]] = request

    def _refuse(self, refusal: Refusal) -> None:
        if not self._done and self._receiver is not None:
            self._done = True
            self._fed = 0
            self._receiver.refuse(refusal)

    def _too_long(self) -> Refusal:
        # RFC 9110 section 15.5.15, RFC 6585 section 5
        if len(self._url) > self._limit or not self._fields:
            return Refusal.of(414, "the request line is too long", "head")
        return Refusal.of(431, "the header fields are too long", "head")

    # -- llhttp

    def on_message_begin(self) -> None:
        """A request line follows."""
        self._fed = self._fed or 1  # it may begin behind another one in the same piece
        self._reset()

    def on_url(self, piece: bytes) -> None:
        """The request-target, in as many pieces as it came in."""
        self._url += piece

    def on_header(self, name: bytes, value: bytes) -> None:
        """One field; trailers of a chunked body come here too, and mean nothing."""
        if not self._in_head:
            return
        self._fields += 1
        self._head_bytes += len(name) + len(value) + 4
        field = _KNOWN.get(name, _unseen)
        if field is _unseen:
            field = _remember(name)
        if field is None:
            return
        if field is _host:
            # RFC 9112 section 3.2: a Host that is no host counts as one too many
            self._hosts += 1 if HOST.fullmatch(value) else 2
        elif field is _transfer_encoding:
            self._te = True
        else:
            field(self._request, value)

    def on_headers_complete(self) -> None:
        """The head is whole: judge all that does not need the core."""
        http = self._http
        assert http is not None  # it calls
        self._in_head = False
        if self._head_bytes + len(self._url) > self._limit or self._fields > MAX_FIELDS:
            self._refusal = self._too_long()
            return
        version = http.get_http_version()
        if version not in ("1.1", "1.0"):
            self._refusal = Refusal.of(505, "HTTP/1.1 and HTTP/1.0 are served here", "malformed")
        # RFC 9112 section 3.2: exactly one Host in HTTP/1.1, never several
        elif self._hosts > 1 or (self._hosts == 0 and version == "1.1"):
            self._refusal = Refusal.of(400, "a request has exactly one Host field, with a host in it", "malformed")
        # RFC 9112 section 6.1: HTTP/1.0 has no transfer codings; who sends one frames wrongly
        elif self._te and version == "1.0":
            self._refusal = Refusal.of(400, "Transfer-Encoding in HTTP/1.0", "malformed")
        method = METHODS.get(http.get_method())
        if method is not None:
            self._request.method = method
        elif self._refusal is None:
            self._refusal = Refusal(method_not_allowed(), "method")

    def on_body(self, piece: bytes) -> None:
        """Content, dropped."""
        self._body_bytes += len(piece)
        if self._body_bytes > MAX_BODY_BYTES:
            self._refuse(Refusal(body_too_large(), "body"))

    def on_message_complete(self) -> None:
        """A request is whole."""
        http = self._http
        if self._done or self._receiver is None or http is None:
            return
        self._fed = 0
        self._completed += 1
        self._in_head = True
        if self._refusal is not None:
            self._refuse(self._refusal)
            return
        request = self._request
        self._reports = request.cmcd is not None  # the core takes it out
        request.target = b"/" if self._url == b"*" and request.method is Method.OPTIONS else self._url
        keep_alive = http.should_keep_alive() and not http.should_upgrade()
        if not keep_alive:
            self._done = True
        self._receiver.request(Head(request, keep_alive, http.get_http_version() == "1.0"))


def _words(error: Exception) -> str:
    """llhttp's own words, without anything that the peer sent."""
    return "".join(char for char in str(error)[:80] if char.isascii() and char.isprintable())


# -- fields


def _host(request: Request, value: bytes) -> None:
    """Stands for Host, which frames the request: the parser counts them."""


def _transfer_encoding(request: Request, value: bytes) -> None:
    """Stands for Transfer-Encoding, likewise."""


def _unseen(request: Request, value: bytes) -> None:
    """Stands for a name that was not seen before."""


_FIELDS: dict[bytes, Take] = {**TAKES, b"host": _host, b"transfer-encoding": _transfer_encoding}
_KNOWN: dict[bytes, Take | None] = {}


def _remember(name: bytes) -> Take | None:
    """What the field `name` means, whatever its case (RFC 9110 section 5.1); remembered as it was written."""
    field = _FIELDS.get(name.lower())
    if len(_KNOWN) < MAX_REMEMBERED and len(name) <= 64:
        _KNOWN[name] = field
    return field
