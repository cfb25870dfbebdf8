"""A playlist's text as lines of name and value, without judging it. Sans-IO; never raises."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from headwater.origin.hls import attributes

MAX_LINES = 100_000
MAX_KEPT = 1_000
"""Characters of a line that is remembered: 4 MB in all."""

LISTS = frozenset({
    "#EXT-X-PART-INF", "#EXT-X-SERVER-CONTROL", "#EXT-X-PART", "#EXT-X-MAP", "#EXT-X-KEY", "#EXT-X-PRELOAD-HINT",
    "#EXT-X-RENDITION-REPORT", "#EXT-X-SKIP", "#EXT-X-DATERANGE", "#EXT-X-DEFINE", "#EXT-X-START", "#EXT-X-MEDIA",
    "#EXT-X-STREAM-INF", "#EXT-X-I-FRAME-STREAM-INF", "#EXT-X-SESSION-DATA", "#EXT-X-SESSION-KEY",
    "#EXT-X-CONTENT-STEERING",
})  # fmt: skip
"""Tags whose value is an attribute list (4.4)."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line that is not a comment. `name` is empty for a URI."""

    number: int
    name: str
    value: str
    attributes: dict[str, str] | None = None
    """Of an attribute list that can be read."""
    problem: str = ""
    """Why the list cannot be read."""
    repeated: bool = False
    """The problem is that a name is given twice."""
    spaced: bool = False
    """There is white space around a name or a comma."""


def lines(text: str) -> list[Line]:
    """All tags and URIs."""
    found: list[Line] = []
    for number, raw in enumerate(text.removeprefix("\ufeff").split("\n", MAX_LINES), 1):
        line = raw.rstrip("\r")
        if not line.strip():
            continue
        if not line.startswith("#"):
            found.append(Line(number, "", line))
        elif line.startswith("#EXT"):
            found.append(_tag(number, line))
    return found


def _tag(number: int, line: str) -> Line:
    known = _parsed(line) if len(line) <= MAX_KEPT else _parsed.__wrapped__(line)
    return Line(number, known.name, known.value, known.attributes, known.problem, known.repeated, known.spaced)


@functools.lru_cache(maxsize=4_096)
def _parsed(line: str) -> Line:
    """A playlist says most of its lines again in each version."""
    name, _, value = line.partition(":")
    if name not in LISTS:
        return Line(0, name, value)
    try:
        read = attributes.parse(value)
    except attributes.PlaylistError as error:
        text = str(error)
        return Line(0, name, value, problem=text, repeated="repeated" in text)
    return Line(0, name, value, read, spaced=_spaced(value))


def _spaced(value: str) -> bool:
    outside = re.sub(r'"[^"]*"', "", value)
    return any(character in outside for character in " \t")


def quoted(line: Line, name: str) -> str | None:
    """A quoted string of the line's list, None when it is not there or not quoted."""
    value = (line.attributes or {}).get(name)
    return value[1:-1] if value is not None and len(value) >= 2 and value[0] == '"' else None


def number(text: str) -> float | None:
    """A decimal number, None for anything else."""
    try:
        return attributes.number(text.strip())
    except attributes.PlaylistError:
        return None
