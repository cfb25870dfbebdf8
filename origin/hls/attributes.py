"""Attribute lists and the small values inside tags, and the one error that reading a playlist can raise.

    text    `BANDWIDTH=800000,CODECS="avc1.64001f,mp4a.40.2"`
    parsed  {"BANDWIDTH": "800000", "CODECS": '"avc1.64001f,mp4a.40.2"'}: values as written, quotes kept

Source: draft-pantos-hls-rfc8216bis-22, section 4.2. Sans-IO.
"""

from __future__ import annotations

import re
from collections.abc import Collection

MAX_DIGITS = 20
"""Digits of a decimal-integer that fits 64 bits."""

Attributes = dict[str, str]


class PlaylistError(ValueError):
    """A text is not a playlist that can be worked with. The message says what and, where known, the line."""


# 4.2: AttributeName is [A..Z], [0..9] and '-'; a quoted-string has no LF, CR or '"'; other values have no
# comma, quote or white space.
_ATTRIBUTE = re.compile(r'[ \t]*([A-Z0-9-]{1,64})=("[^"]*"|[^",\s]*)[ \t]*(?:,|$)')
_DECIMAL = re.compile(r"[0-9]{1,20}(?:\.[0-9]{0,20})?\Z")
_UNQUOTABLE = re.compile(r'["\x00-\x1f\x7f-\x9f]')


def parse(text: str) -> Attributes:
    """Split an attribute list. Raises PlaylistError for bad syntax and for a name that is given twice."""
    found: Attributes = {}
    at = 0
    while at < len(text):
        match = _ATTRIBUTE.match(text, at)
        if match is None:
            raise PlaylistError(f"bad attribute list at {text[at : at + 40]!r}")
        name = match[1]
        if name in found:  # 4.2: a name appears at most once in a list
            raise PlaylistError(f"attribute {name} is repeated")
        found[name] = match[2]
        at = match.end()
    return found


def string(attributes: Attributes, name: str) -> str | None:
    """A quoted-string's content, or None when the attribute is absent."""
    value = attributes.get(name)
    if value is None:
        return None
    if len(value) < 2 or value[0] != '"':
        raise PlaylistError(f"{name} is not a quoted string")
    return value[1:-1]


def required_string(attributes: Attributes, name: str) -> str:
    """A quoted-string that must be there and not empty."""
    value = string(attributes, name)
    if not value:
        raise PlaylistError(f"{name} is missing")
    return value


def integer(text: str) -> int:
    """A decimal-integer, 0 to 2^64-1."""
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS) or (value := int(text)) >= 1 << 64:
        raise PlaylistError(f"{text[:40]!r} is not a decimal integer")
    return value


def number(text: str) -> float:
    """A decimal-floating-point that is not negative."""
    if _DECIMAL.match(text) is None:
        raise PlaylistError(f"{text[:40]!r} is not a decimal number")
    return float(text)


def required_number(attributes: Attributes, name: str) -> float:
    """A decimal-floating-point that must be there."""
    value = attributes.get(name)
    if value is None:
        raise PlaylistError(f"{name} is missing")
    return number(value)


def optional_number(attributes: Attributes, name: str) -> float | None:
    """A decimal-floating-point, or None when the attribute is absent."""
    value = attributes.get(name)
    return None if value is None else number(value)


def optional_integer(attributes: Attributes, name: str) -> int | None:
    """A decimal-integer, or None when the attribute is absent."""
    value = attributes.get(name)
    return None if value is None else integer(value)


def flag(attributes: Attributes, name: str) -> bool:
    """An enumerated YES; anything else, also absence, is NO."""
    return attributes.get(name) == "YES"


def byterange(text: str) -> tuple[int, int | None]:
    """`length[@start]`, bytes (4.4.4.2)."""
    length, at, start = text.partition("@")
    return integer(length), integer(start) if at else None


def rest(attributes: Attributes, known: Collection[str]) -> str:
    """The attributes that are not in `known`, as text that goes at the end of a list (`,NAME=value...`)."""
    if len(attributes) <= len(known) and all(name in known for name in attributes):
        return ""
    return "".join(f",{name}={value}" for name, value in attributes.items() if name not in known)


def quotable(text: str) -> str:
    """`text` without what a quoted-string cannot hold."""
    return _UNQUOTABLE.sub("", text)


def seconds(value: float) -> str:
    """A duration as printed: three to six decimals. Monotone: a <= b prints as a number <= that of b."""
    text = f"{value:.6f}"
    # Whole milliseconds are the usual case, and the shortest form of a value is the same for whoever prints it.
    return text[:-3] if text.endswith("000") else text
