"""From the request-target to the canonical key. Sans-IO.

Two targets that any origin must treat alike have one key (rules 100, 158, 159, 254; RFC 3986 section 6.2.2):
percent-encoding is normalised, query pairs are sorted by name, viewer-specific names are dropped. What two
servers could read differently (dot segments, encoded slashes, NUL) is refused, never forwarded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes, urljoin, urlsplit

from headwater.origin.hls.directives import Directives, Reject, parse

UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PATH = UNRESERVED | frozenset(b"!$&'()*+,;=:@/")
_QUERY = UNRESERVED | frozenset(b"!$'()*+,;:@/?=")
"""What stands for itself in a pair; an escaped reserved character stays escaped (`%2B` is not `+`)."""

_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})?")
_DOTS = re.compile(r"(?:^|/)\.\.?(?:/|$)")
_PLAIN_PATH = re.compile(rb"/[A-Za-z0-9_~/-]*(?:\.[A-Za-z0-9_-]+)*")
"""A path that is its own canonical form: the usual case, checked in one go."""

_DIRECTIVES = frozenset(("_HLS_msn", "_HLS_part", "_HLS_skip"))
_DIRECTIVE_BYTES = frozenset(name.encode() for name in _DIRECTIVES)
_DROPPED = frozenset(("CMCD", "_HLS_throughput", "_HLS_primary_id"))
"""Rule 159: about the viewer, never about the answer."""

MAX_PAIRS = 64
"""Query pairs of one target. Why: players send four, signed URLs about ten."""
MAX_DIRECTIVE_PAIRS = 6
"""Delivery directives on top of those: each of the three, and once more. A follower adds two to any valid target."""


@dataclass(frozen=True, slots=True)
class BadTarget:
    """The request-target is refused with 400."""

    reason: str


@dataclass(frozen=True, slots=True)
class Target:
    """A validated request-target in its canonical forms. All are paths with `/` in front, ASCII."""

    path: str
    """Path alone."""
    plain: str
    """Path and query without `_HLS_msn`, `_HLS_part` and `_HLS_skip`: the key of a followed playlist."""
    full: str
    """Path and whole query: the key of a plain object."""
    directives: Directives | Reject
    asked: bool
    """A delivery directive is there, valid or not."""

    @property
    def playlist_like(self) -> bool:
        """The path says that it is a playlist (rule 2)."""
        return self.path.endswith((".m3u8", ".m3u"))


_NONE = Directives()


def read_target(raw: bytes) -> Target | BadTarget:
    """Validate an origin-form request-target and bring it to its canonical forms."""
    # RFC 9112 section 3.2.1. The absolute and authority forms are for proxies, which this is not.
    if not raw.startswith(b"/"):
        return BadTarget("the request-target is not a path")
    raw_path, question, raw_query = raw.partition(b"?")
    path = _read_path(raw_path)
    if isinstance(path, BadTarget):
        return path
    if not question or not raw_query:
        return Target(path, path, path, _NONE, False)
    pairs = _read_query(raw_query)
    if isinstance(pairs, BadTarget):
        return pairs
    directives = parse((pair.name, pair.value) for pair in pairs)
    asked = any(pair.name in _DIRECTIVES for pair in pairs)
    # Rule 254: decoded, sorted by name bytes; pairs of one name keep their order.
    kept = sorted((pair for pair in pairs if pair.name not in _DROPPED), key=_by_name)
    plain = _join(path, [pair for pair in kept if pair.name not in _DIRECTIVES])
    return Target(path, plain, _join(path, kept) if asked else plain, directives, asked)


def plain_path(raw: bytes) -> str | None:
    """A request-target that is a path in its canonical form, and nothing else; None: it is more than that."""
    return raw.decode("ascii") if _PLAIN_PATH.fullmatch(raw) else None


def read_key(key: str) -> Target:
    """A key taken apart: keys are canonical targets."""
    target = read_target(key.encode("ascii"))
    assert isinstance(target, Target)
    return target


def resolve(base: str, uri: str) -> str | None:
    """The key of `uri`, as it stands in the playlist at key `base`; None when it leaves this server or is malformed.

    RFC 3986 section 5: what a player would ask us for.
    """
    try:
        parts = urlsplit(urljoin(base, uri))
    except ValueError:
        return None
    if parts.scheme or parts.netloc:
        return None
    joined = f"{parts.path}?{parts.query}" if parts.query else parts.path
    if not joined.isascii():
        joined = "".join(
            c if c.isascii() else "".join(f"%{b:02X}" for b in c.encode("utf-8", "replace")) for c in joined
        )
    target = read_target(joined.encode("ascii"))
    return None if isinstance(target, BadTarget) else target.full


def path_of(key: str) -> str:
    """The path of a key."""
    return key.partition("?")[0]


def with_directives(plain: str, msn: int, part: int | None) -> str:
    """The target of a blocking reload of the playlist `plain`, canonical."""
    query = f"_HLS_msn={msn}" if part is None else f"_HLS_msn={msn}&_HLS_part={part}"
    target = read_target(f"{plain}{'&' if '?' in plain else '?'}{query}".encode("ascii"))
    assert isinstance(target, Target)  # `plain` is canonical already
    return target.full


def _read_path(raw: bytes) -> str | BadTarget:
    if _PLAIN_PATH.fullmatch(raw):
        return raw.decode("ascii")
    if b"#" in raw or b"\\" in raw:
        return BadTarget("the path has a character that no path may have")
    path = _normalise(raw, _PATH)
    if isinstance(path, BadTarget):
        return path
    # Decoded or not, these are read differently by different servers: a wall between tiers has no room for that.
    if "%2F" in path or "%5C" in path:
        return BadTarget("the path has an encoded slash")
    if _DOTS.search(path):
        return BadTarget("the path has a dot segment")
    return path


def _normalise(raw: bytes, allowed: frozenset[int]) -> str | BadTarget:
    """RFC 3986 section 6.2.2: unreserved characters plain, everything else escaped in upper case."""
    text = _unescape(raw)
    if isinstance(text, BadTarget):
        return text
    return "".join(chr(code) if plain and code in allowed else _escaped(code) for code, plain in text)


def _unescape(raw: bytes) -> list[tuple[int, bool]] | BadTarget:
    """Bytes with a flag: True where the byte may stand for itself, False where it must stay escaped."""
    result: list[tuple[int, bool]] = []
    at = 0
    for match in _ESCAPE.finditer(raw):
        result.extend((code, True) for code in raw[at : match.start()])
        at = match.end()
        if match[1] is None:
            return BadTarget("a percent sign without two hexadecimal digits")
        code = int(match[1], 16)
        result.append((code, code in UNRESERVED))
    result.extend((code, True) for code in raw[at:])
    if any(code < 0x20 or code == 0x7F for code, _ in result):
        return BadTarget("a control character")
    return result


def _escaped(code: int) -> str:
    return f"%{code:02X}"


@dataclass(frozen=True, slots=True)
class _Pair:
    name: str
    """Decoded, and `value` likewise; bytes that are not UTF-8 survive as surrogates."""
    value: str
    text: str
    """As it stands in a canonical query."""


def _read_query(raw: bytes) -> list[_Pair] | BadTarget:
    if b"#" in raw:
        return BadTarget("the query has a fragment")
    items = [item for item in raw.split(b"&") if item]
    directives = sum(item.partition(b"=")[0] in _DIRECTIVE_BYTES for item in items)
    if len(items) - directives > MAX_PAIRS or directives > MAX_DIRECTIVE_PAIRS:
        return BadTarget(f"the query has more than {MAX_PAIRS} pairs")
    pairs = []
    for item in items:
        text = _normalise(item, _QUERY)
        if isinstance(text, BadTarget):
            return text
        name, _, value = item.partition(b"=")
        pairs.append(_Pair(_decode(name), _decode(value), text))
    return pairs


def _by_name(pair: _Pair) -> bytes:
    return pair.name.encode("utf-8", "surrogateescape")


def _decode(raw: bytes) -> str:
    return unquote_to_bytes(raw).decode("utf-8", "surrogateescape")


def _join(path: str, pairs: list[_Pair]) -> str:
    if not pairs:
        return path
    return f"{path}?" + "&".join(pair.text for pair in pairs)
