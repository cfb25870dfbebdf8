"""Who may publish what. Sans-IO.

Keys are compared in constant time and all of them, so that neither a wrong key nor a wrong name can be found
by measuring the answer. Nothing of this module ever holds a key in a text meant for a log.
"""

from __future__ import annotations

import enum
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from headwater.config.section import NAME_PATTERN
from headwater.config.settings import Ingest


class Refusal(enum.StrEnum):
    """Why a publisher, or one of its tracks, is refused: the `reason` label of the metric."""

    APPLICATION = "application"
    NAME = "name"
    KEY = "key"
    BUSY = "busy"
    STREAMS = "streams"
    CONNECTIONS = "connections"
    ADDRESS = "address"
    DRAIN = "drain"
    TRACK = "track"
    TRACKS = "tracks"
    STATE = "state"
    MODE = "mode"
    """The caller wants to play, not to publish."""
    SECRET = "secret"  # noqa: S105  # a reason
    """Another SRT passphrase."""
    UNSECURE = "unsecure"
    """Only one side has an SRT passphrase."""
    CIPHER = "cipher"
    """An SRT key length or cipher that is not accepted."""
    HANDSHAKE = "handshake"
    """An SRT handshake of a version or kind that is not offered."""


class Pause(enum.StrEnum):
    """Why a publisher is not read for a moment: the `reason` label of the metric."""

    AHEAD = "ahead"
    """Its media is further ahead of the clock than `ingest.ahead_s`."""
    BITRATE = "bitrate"
    WORK = "work"
    """Reading it costs more of a core than one connection may."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A publish that may not begin. `description` is for the broadcaster."""

    refusal: Refusal
    description: str


class Authority:
    """The publish rules of the settings."""

    def __init__(self, settings: Ingest) -> None:
        self._applications = frozenset(settings.applications)
        self._keys = tuple((rule.name, rule.key.get_secret_value().encode()) for rule in settings.publish)
        self._name = re.compile(NAME_PATTERN)

    @property
    def open(self) -> bool:
        """Anybody who reaches the listener may publish."""
        return not self._keys

    def judge(self, app: str, name: str, query: Mapping[str, str], *, proven: bool = False) -> Refused | None:
        """None when a publish of `name` to application `app` may begin.

        Args:
            query: parameters as sent, still percent-encoded; the key is `key`.
            proven: the publisher has shown another secret that opens this name: the key is not asked for.
        """
        if app not in self._applications:
            known = ", ".join(sorted(self._applications))
            return Refused(Refusal.APPLICATION, f"there is no such application; known: {known}")
        # fullmatch: `$` in the pattern would let a line feed at the end pass.
        if self._name.fullmatch(name) is None:
            return Refused(Refusal.NAME, "a stream name has 1 to 64 letters, digits, _ or -")
        if self._keys and not proven and not self._opens(name, query.get("key", "")):
            return Refused(Refusal.KEY, "the publish key is missing or wrong: publish to NAME?key=KEY")
        return None

    def _opens(self, name: str, sent: str) -> bool:
        candidates = (sent.encode(errors="surrogatepass"), unquote(sent).encode(errors="surrogatepass"))
        opened = False
        for allowed, key in self._keys:
            matches = [hmac.compare_digest(key, candidate) for candidate in candidates]
            opened |= any(matches) and allowed in ("*", name)
        return opened
