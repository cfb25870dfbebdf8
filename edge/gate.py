"""The gate before look-up: takes the playback token off a request, and judges it. Sans-IO.

    /t/TOKEN/live/x/index.m3u8         the token is a prefix: relative URIs of the playlist keep it
    /live/x/index.m3u8?token=TOKEN     the first request: sent on to the prefix by a redirect

What is behind the gate (keys, store, followers, the upstream) sees `/live/x/index.m3u8` and nothing of any token, so
all viewers share one object (rules 159, 229). A token is verified once and its grant remembered; time, path and
address are judged with every request.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from urllib.parse import unquote_to_bytes

from .entities import CORS, RETRY_AFTER_S, local
from .jwts import KeySet
from .keys import UNRESERVED, Target
from .message import Entity, Request, Tally
from .tokens import MAX_TOKEN_BYTES, Grant, Verdict, is_signed, verify

MAX_GRANTS = 65_536
"""Verified tokens that are remembered, the least used forgotten first. Why: above the connections of one edge, each
with a token of its own; only tokens that are genuine are kept, at most 2 KiB each."""

HEALTH = ("/healthz", "/readyz")
"""Load balancers have no token."""

_PREFIX = b"/t/"
_ESCAPED_PREFIX = b"/%74/"
_QUERY = b"token"


class Gate:
    """One per edge."""

    def __init__(self, public: tuple[str, ...], tally: Tally) -> None:
        """`public`: paths that need no token, with all below those that end in a slash."""
        self.counts: dict[Verdict, int] = dict.fromkeys(Verdict, 0)
        """Requests by what became of their token."""
        self._public = frozenset((*HEALTH, *public))
        self._public_below = tuple(path for path in public if path.endswith("/"))
        self._tally = tally
        self._secrets: Mapping[str, bytes] = {}
        self._key_set: KeySet | None = None
        self._wants_jwt = False
        self._unknown: Callable[[], None] = _nothing
        self._grants: OrderedDict[bytes, Grant] = OrderedDict()
        self._unix = 0.0

    def use_secrets(self, secrets: Mapping[str, bytes]) -> None:
        """From now on signed tokens are verified with these, by key id."""
        self._secrets = dict(secrets)
        self._grants.clear()

    def expect_jwt(self, unknown: Callable[[], None]) -> None:
        """JWTs are taken, as soon as a key set is there. `unknown` hears of a key that is not in it."""
        self._wants_jwt, self._unknown = True, unknown

    def use_key_set(self, key_set: KeySet) -> None:
        """From now on JWTs are verified with this."""
        self._key_set = key_set
        self._grants.clear()

    def tell_time(self, now: float, unix: float) -> None:
        """What the wall clock shows at monotonic `now`; to be told often."""
        self._unix = unix - now

    # -- requests

    def take(self, request: Request) -> tuple[bytes | None, bool]:
        """Rid the target of its token. The token as it stood there (None: there is none), and whether it stood in the
        query only."""
        raw = request.target
        token: bytes | None = None
        start = 3 if raw.startswith(_PREFIX) else 5 if raw.startswith(_ESCAPED_PREFIX) else 0
        if start:
            end = raw.find(b"/", start)
            token = raw[start:end] if end > 0 else raw[start:]
            request.target = raw = raw[end:] if end > 0 else b"/"
        query = raw.find(b"?")
        if query >= 0 and (_QUERY in raw or b"%" in raw[query:]):
            found, kept = _from_query(raw[query + 1 :])
            if found is not None:
                request.target = raw[:query] + (b"?" + kept if kept else b"")
                if token is None:
                    return found, True
        return token, False

    def judge(self, token: bytes | None, in_query: bool, target: Target, request: Request, now: float) -> Entity | None:
        """None: go on with the request. Else its answer: a refusal, or the redirect to the prefix."""
        address = request.visitor.address if request.visitor is not None else ""
        verdict = self._verdict(token, target.path, address, now + self._unix)
        if verdict is Verdict.OK:
            if not in_query:
                self.counts[verdict] += 1
                return None
            assert token is not None  # what is OK was there
            self.counts[Verdict.REDIRECTED] += 1
            return _onward(_unescaped(token), target.full)
        if self._is_public(target.path):
            return None
        self.counts[verdict] += 1
        self._tally.refuse(f"token-{verdict.label}")
        request.forged = verdict is Verdict.SIGNATURE
        if verdict is Verdict.NO_KEYS:
            return local(503, verdict.words, retry_after=RETRY_AFTER_S)
        return local(403, verdict.words)

    def _verdict(self, token: bytes | None, path: str, address: str, unix: float) -> Verdict:
        # A second prefix behind the first would take a token upstream as part of the path.
        if path.startswith("/t/"):
            return Verdict.MALFORMED
        if not token:
            return Verdict.MISSING
        grant = self._grants.get(token)
        if grant is None:
            found = self._verified(token)
            if isinstance(found, Verdict):
                return found
            grant = found
            if unix < grant.expires:
                if len(self._grants) >= MAX_GRANTS:
                    self._grants.popitem(last=False)
                self._grants[token] = grant
        else:
            self._grants.move_to_end(token)
            if unix >= grant.expires:
                del self._grants[token]
        return grant.judge(path, address, unix)

    def _verified(self, raw: bytes) -> Grant | Verdict:
        if len(raw) > 3 * MAX_TOKEN_BYTES:
            return Verdict.MALFORMED
        plain = _unescaped(raw)
        if len(plain) > MAX_TOKEN_BYTES or not UNRESERVED.issuperset(plain):
            return Verdict.MALFORMED
        token = plain.decode("ascii")
        if is_signed(token):
            return verify(token, self._secrets)
        if not self._wants_jwt:
            return Verdict.MALFORMED
        if self._key_set is None:
            return Verdict.NO_KEYS
        found = self._key_set.verify(token)
        if found is Verdict.UNKNOWN_KEY:
            self._unknown()
        return found

    def _is_public(self, path: str) -> bool:
        return path in self._public or path.startswith(self._public_below)


def _nothing() -> None:
    """Nobody wants to hear of unknown keys."""


def _unescaped(token: bytes) -> bytes:
    """RFC 3986 section 2.3: an escaped unreserved character is that character."""
    return unquote_to_bytes(token) if b"%" in token else token


def _from_query(query: bytes) -> tuple[bytes | None, bytes]:
    """The first token of a query (None: it has none), and the query without any."""
    found: bytes | None = None
    kept = []
    for pair in query.split(b"&"):
        name, _, value = pair.partition(b"=")
        if name == _QUERY or (b"%" in name and unquote_to_bytes(name) == _QUERY):
            found = value if found is None else found
        else:
            kept.append(pair)
    return found, b"&".join(kept)


def _onward(token: bytes, rest: str) -> Entity:
    """302 to the same below the token's prefix: what is relative in a playlist stays there."""
    location = f"/t/{token.decode('ascii')}{rest}"
    headers = (
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Cache-Control", "no-store"),
        ("Location", location),
        # The URL that is left has the token in it, and so has the one that follows.
        ("Referrer-Policy", "no-referrer"),
        *CORS,
    )
    return Entity(302, headers, b"302 Found\n", received=0.0, own=True)
