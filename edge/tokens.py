"""Playback tokens: what one opens, how a signed one is minted and verified (ADR 0014). Sans-IO.

    h1.KID.CLAIMS.MAC
        KID     which key signed it
        CLAIMS  base64url of a JSON object: exp, path, and where wanted nbf and ip
        MAC     base64url of HMAC-SHA256 over all that stands before its dot

Only characters that need no escape in a URL. The claims are those that a JWT has here too (`edge.jwts`).
Times are Unix seconds.
"""

from __future__ import annotations

import base64
import binascii
import enum
import hmac
import ipaddress
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .addresses import Network
from .keys import Target, read_target

MAX_TOKEN_BYTES = 2_048
"""Why: a JWT with an RSA-2048 signature and a few claims has about 800."""
MAX_LISTED = 16
"""Paths, and networks, of one token."""
EARLY_S = 5.0
"""How far `nbf` may be ahead. Why: the clock of the machine that mints is not ours."""
MIN_SECRET_BYTES = 16

_VERSION = "h1"


class Verdict(enum.Enum):
    """What became of a token. Value: the label of the metric, and words for the viewer."""

    OK = ("ok", "")
    REDIRECTED = ("redirected", "")
    MISSING = ("missing", "this stream wants a playback token")
    MALFORMED = ("malformed", "this is no playback token")
    UNKNOWN_KEY = ("unknown-key", "the playback token is signed with a key that is not known here")
    SIGNATURE = ("signature", "the playback token is not genuine")
    CLAIMS = ("claims", "the playback token does not say what it opens, or is not for this server")
    EXPIRED = ("expired", "the playback token has expired")
    EARLY = ("early", "the playback token is not valid yet")
    PATH = ("path", "the playback token does not open this path")
    ADDRESS = ("address", "the playback token is for another address")
    NO_KEYS = ("no-keys", "the keys that verify playback tokens cannot be had now")

    @property
    def label(self) -> str:
        """For the metric."""
        return self.value[0]

    @property
    def words(self) -> str:
        """For the viewer."""
        return self.value[1]

    __hash__ = object.__hash__  # members are singletons; Enum's own hash runs Python code for each look-up


class ClaimError(ValueError):
    """A token cannot be minted like this; the message says why."""


@dataclass(slots=True, eq=False)
class Grant:
    """What a verified token opens."""

    expires: float
    not_before: float
    paths: tuple[str, ...]
    """Canonical; each opens itself and what is below it."""
    networks: tuple[Network, ...] = ()
    """Of the viewers; empty: any."""
    _below: tuple[str, ...] = field(init=False)
    _known: str | None = field(init=False, default=None)
    """The viewer's address that was in `networks` last."""

    def __post_init__(self) -> None:
        self._below = tuple(path if path.endswith("/") else f"{path}/" for path in self.paths)

    def judge(self, path: str, address: str, unix: float) -> Verdict:
        """Whether it opens the canonical `path` for the viewer at `address` (canonical; empty: not known)."""
        if unix >= self.expires:
            return Verdict.EXPIRED
        if unix < self.not_before - EARLY_S:
            return Verdict.EARLY
        if not path.startswith(self._below) and path not in self.paths:
            return Verdict.PATH
        if self.networks and address != self._known and not self._holds(address):
            return Verdict.ADDRESS
        return Verdict.OK

    def _holds(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        if not any(parsed in network for network in self.networks):
            return False
        self._known = address
        return True


def mint(
    kid: str,
    secret: bytes,
    *,
    expires: float,
    paths: Sequence[str],
    not_before: float | None = None,
    networks: Sequence[str] = (),
) -> str:
    """A signed token. Raises ClaimError for what no edge would take."""
    claims: dict[str, object] = {"exp": int(expires), "path": _one_or_all(paths)}
    if not_before is not None:
        claims["nbf"] = int(not_before)
    if networks:
        claims["ip"] = _one_or_all(networks)
    if read_claims(claims) is None:
        raise ClaimError("a path begins with a slash, an address is one such as 203.0.113.7 or 203.0.113.0/24")
    signed = f"{_VERSION}.{kid}.{_encoded(json.dumps(claims, separators=(',', ':')).encode())}"
    token = f"{signed}.{_mac(secret, signed)}"
    if len(token) > MAX_TOKEN_BYTES:
        raise ClaimError(f"longer than {MAX_TOKEN_BYTES} characters: fewer paths or addresses")
    return token


def is_signed(token: str) -> bool:
    """Whether it looks like one of ours, and not like a JWT."""
    return token.startswith(f"{_VERSION}.")


def verify(token: str, secrets: Mapping[str, bytes]) -> Grant | Verdict:
    """What a signed token opens; nothing in it is read before its MAC was compared, in constant time."""
    signed, _, mac = token.rpartition(".")
    pieces = signed.split(".")
    if len(pieces) != 3 or pieces[0] != _VERSION or not token.isascii():
        return Verdict.MALFORMED
    secret = secrets.get(pieces[1])
    if secret is None:
        return Verdict.UNKNOWN_KEY
    if not hmac.compare_digest(_mac(secret, signed), mac):
        return Verdict.SIGNATURE
    try:
        text = base64.b64decode(pieces[2] + "=" * (-len(pieces[2]) % 4), altchars=b"-_", validate=True)
        claims = json.loads(text)
    except (binascii.Error, ValueError, RecursionError):
        return Verdict.CLAIMS
    return read_claims(claims) or Verdict.CLAIMS


def read_claims(claims: object) -> Grant | None:
    """The grant of a token that is genuine; None when it says less than it has to, or nonsense."""
    if not isinstance(claims, dict):
        return None
    expires, not_before = _number(claims.get("exp")), _number(claims.get("nbf", 0))
    paths, networks = _texts(claims.get("path")), _texts(claims.get("ip", []))
    if expires is None or not_before is None or not paths or networks is None:
        return None
    scopes = [scope(path) for path in paths]
    try:
        nets = tuple(ipaddress.ip_network(text, strict=False) for text in networks)
    except ValueError:
        return None
    known = tuple(path for path in scopes if path is not None)
    return Grant(expires, not_before, known, nets) if len(known) == len(scopes) else None


def scope(path: str) -> str | None:
    """`path` as requests are compared with it; None when no request can have it."""
    target = read_target(path.encode("utf-8", "surrogatepass"))
    return target.path if isinstance(target, Target) and "?" not in path else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _texts(value: object) -> list[str] | None:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or len(values) > MAX_LISTED:
        return None
    return values if all(isinstance(each, str) for each in values) else None


def _one_or_all(texts: Sequence[str]) -> str | list[str]:
    return texts[0] if len(texts) == 1 else list(texts)


def _mac(secret: bytes, signed: str) -> str:
    return _encoded(hmac.digest(secret, signed.encode("ascii"), "sha256"))


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
