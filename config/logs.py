"""Structured logs: one line per event on stderr, human on a terminal and JSON elsewhere, secrets hidden.

Both structlog loggers and the standard library's (asyncio, aiohttp) end in the same handler, so that every line has
the same form and passes the same redaction.
"""

from __future__ import annotations

import logging
import math
import re
import sys
from collections.abc import Iterable, Mapping
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from .describe import HIDDEN
from .settings import Log, Settings

_SECRET_NAMES = frozenset(
    {"authorization", "cookie", "key", "passphrase", "password", "secret", "stream_key", "streamkey", "token"}
)
_ASSIGNED = re.compile(
    r"(?i)\b(key|pass(?:word|phrase|wd)?|secret|stream_?key|token|auth|sig(?:nature)?)"
    r"(=|%3d|['\"]?: ?['\"])([^&\s\"',;)}\]#]+)"
)
_USERINFO = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^/@\s\"']+@")
_PREFIX = re.compile(r"/t/(?:h1\.|ey)[A-Za-z0-9._~%-]+")
"""A playback token in a URL."""
_MAX_DEPTH = 6
"""Of nested values that are looked into; what lies deeper is shown as text."""


class Redactor:
    """Hides secrets: `key=...` and its like in any text, user and password in URLs, values under secret names, and
    every configured secret wherever it stands."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = sorted(set(secrets), key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        """As a structlog processor."""
        return {name: self._value(name, value, 0) for name, value in event.items()}

    def text(self, text: str) -> str:
        """`text` without its secrets."""
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        text = _ASSIGNED.sub(rf"\1\2{HIDDEN}", text)
        text = _PREFIX.sub(f"/t/{HIDDEN}", text)
        return _USERINFO.sub(rf"\1{HIDDEN}@", text)

    def _value(self, name: str, value: object, depth: int) -> object:
        if name.lower() in _SECRET_NAMES and value is not None:
            return HIDDEN
        match value:
            case str():
                return self.text(value)
            case float() if not math.isfinite(value):
                return str(value)  # JSON has no such numbers
            case None | bool() | int() | float():
                return value
            case bytes():
                return self.text(repr(value))
            case Mapping() if depth < _MAX_DEPTH:
                return {str(key): self._value(str(key), item, depth + 1) for key, item in value.items()}
            case list() | tuple() | set() | frozenset() if depth < _MAX_DEPTH:
                return [self._value("", item, depth + 1) for item in value]
            case _:
                return self.text(str(value))


def _in_order(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """What every line has comes first, as people read it."""
    first = {name: event[name] for name in ("timestamp", "level", "logger", "event") if name in event}
    return {**first, **event}


def secrets_of(settings: Settings) -> list[str]:
    """Every configured secret."""
    ingest = settings.ingest
    found = [entry.key for entry in ingest.publish]
    passphrases = [ingest.srt.passphrase, *(entry.passphrase for entry in ingest.publish)]
    found += [secret for secret in passphrases if secret is not None]
    found += [key.secret for key in settings.edge.tokens.keys]
    texts = [secret.get_secret_value() for secret in found]
    for pull in ingest.pull:
        texts += [pull.url.get_secret_value(), pull.target.passphrase]
    return [text for text in texts if text]


def setup(settings: Log, secrets: Iterable[str] = (), stream: TextIO | None = None) -> None:
    """Route all logging of this process to `stream` (stderr). Call once, before the first event."""
    stream = sys.stderr if stream is None else stream
    human = settings.format == "human" or (settings.format == "auto" and stream.isatty())
    # `_record` and `_from_structlog` are taken off before redaction, which makes plain values of everything it sees.
    ending: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        Redactor(secrets),
        _in_order,
        structlog.dev.ConsoleRenderer(colors=stream.isatty()) if human else structlog.processors.JSONRenderer(),
    ]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="%H:%M:%S.%f" if human else "iso", utc=not human, key="timestamp"),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.UnicodeDecoder(),
    ]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=ending, foreign_pre_chain=shared))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    level = getattr(logging, settings.level.upper())
    root.setLevel(level)
    for noisy in ("aiohttp.access", "asyncio"):
        logging.getLogger(noisy).setLevel(max(level, logging.WARNING))
    logging.captureWarnings(True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
