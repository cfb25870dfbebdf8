"""Heads of answers as HPACK blocks, without a dynamic table: what is rendered once serves every connection. Sans-IO.

Strings are Huffman-coded where that is shorter; most fields of all answers are the same, so their form is remembered.
"""

from __future__ import annotations

from typing import Protocol

from headwater.edge.message import Entity, Headers, Outcome, Response

from .frames import DATA, END_HEADERS, END_STREAM, FRAME_BYTES, HEADERS, WINDOW_BYTES, before_stream
from .hpack import STATIC
from .huffman import encode

MAX_FIELDS, MAX_FIELD_BYTES = 4_096, 512
"""Encoded fields that are remembered, and their size."""

_NAMES: dict[bytes, int] = {}
_WHOLE: dict[tuple[bytes, bytes], int] = {}
for _index, (_name, _value) in enumerate(STATIC, 1):
    _NAMES.setdefault(_name, _index)
    _WHOLE[_name, _value] = _index
_FIELDS: dict[tuple[bytes, bytes], bytes] = {}

AGES = 600
"""Seconds of Age whose field is made beforehand."""
_HIT, _READY = "h2 hit", "h2 ready"
"""Where an entity keeps its head for a plain hit, and the frames of one."""
READY_BYTES = WINDOW_BYTES
"""Of content that may be sent at once: what a peer has room for that never said how much it has."""
TABLE_OFF = b"\x20"
"""A table size update to 0: said once to a peer whose table is smaller than by default (RFC 7541 section 4.2)."""


def _integer(value: int, bits: int, flags: int) -> bytes:
    """RFC 7541 section 5.1."""
    most = (1 << bits) - 1
    if value < most:
        return bytes((flags | value,))
    out = bytearray((flags | most,))
    value -= most
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _string(value: bytes) -> bytes:
    short = encode(value)
    if len(short) < len(value):
        return _integer(len(short), 7, 0x80) + short
    return _integer(len(value), 7, 0) + value


def encoded(name: bytes, value: bytes) -> bytes:
    """One field: indexed where the static table has it whole, else a literal that no table takes up."""
    known = _FIELDS.get((name, value))
    if known is not None:
        return known
    whole = _WHOLE.get((name, value))
    if whole is not None:
        block = _integer(whole, 7, 0x80)
    elif name in _NAMES:
        block = _integer(_NAMES[name], 4, 0) + _string(value)
    else:
        block = b"\x00" + _string(name) + _string(value)
    if len(name) + len(value) <= MAX_FIELD_BYTES:
        if len(_FIELDS) >= MAX_FIELDS:
            _FIELDS.clear()
        _FIELDS[name, value] = block
    return block


class Fields(Protocol):
    """What renders the fields of both front ends (`edge.wire.Wire`)."""

    def fields(self, response: Response, length: int | None) -> list[tuple[str, bytes]]:
        """All that do not change from answer to answer."""

    def date(self) -> bytes:
        """Now as an HTTP-date."""


class Ready:
    """A plain hit, whole, but for the stream's number."""

    __slots__ = ("__weakref__", "_data", "_middle", "_more", "_start", "size", "until")

    def __init__(self, block: bytes, body: bytes | memoryview, until: float) -> None:
        self.size = len(body)
        """Bytes of content."""
        self.until = until
        """Monotonic seconds at which Age is another one, or the answer not fresh any more."""
        frames = _frames(body)
        head, self._data = frames[0]
        self._start = before_stream(HEADERS, END_HEADERS, len(block))
        self._middle = block + head
        self._more = frames[1:]

    def on(self, stream: bytes) -> bytes:
        """Its frames, on `stream`: the four bytes of a frame's head."""
        if not self._more:
            return b"".join((self._start, stream, self._middle, stream, self._data))
        pieces = [self._start, stream, self._middle, stream, self._data]
        for head, data in self._more:
            pieces += (head, stream, data)
        return b"".join(pieces)


def _frames(body: bytes | memoryview) -> list[tuple[bytes, bytes | memoryview]]:
    """DATA frames of a whole body: what is before the stream, and what they bear."""
    if len(body) > FRAME_BYTES:
        view = memoryview(body)
        *first, last = (view[start : start + FRAME_BYTES] for start in range(0, len(body), FRAME_BYTES))
        return [*((before_stream(DATA, 0, FRAME_BYTES), data) for data in first), _last(last)]
    return [_last(body)]


def _last(data: bytes | memoryview) -> tuple[bytes, bytes | memoryview]:
    return before_stream(DATA, END_STREAM, len(data)), data


class Blocks:
    """Renders heads; one per listener."""

    def __init__(self, wire: Fields) -> None:
        self._wire = wire
        self._ages = [encoded(b"age", b"%d" % age) for age in range(AGES)]

    def block(self, response: Response, length: int | None) -> bytes:
        """The header block; `length`: of the content, None: not known."""
        entity = response.entity
        kind = ("h2", response.outcome, response.collapsed, length)
        fixed = entity.wire.get(kind)
        if fixed is None:
            fixed = entity.wire[kind] = self._fixed(response, length)
        if entity.own:
            return fixed + encoded(b"date", self._wire.date())
        return fixed + self._age(response.age or 0)

    def hit(self, entity: Entity, age: int) -> bytes:
        """`block` of a plain hit, with nothing to decide."""
        fixed = entity.wire.get(_HIT)
        if fixed is None:
            fixed = entity.wire[_HIT] = self._fixed(Response(entity, Outcome.HIT, age), len(entity.body))
        return fixed + self._age(age)

    def ready(self, entity: Entity, now: float) -> Ready | None:
        """A plain hit that is only to be numbered; None: it has no content, or more than `READY_BYTES`."""
        ready: Ready | None = entity.wire.get(_READY)
        if ready is not None and now < ready.until:
            return ready
        age = entity.age_at(now)
        block = self.hit(entity, age)
        if not 0 < len(entity.body) <= READY_BYTES or len(block) > FRAME_BYTES:
            return None
        left_s = min(age + 1, entity.lifetime) - entity.seconds_old(now)
        ready = entity.wire[_READY] = Ready(block, entity.body, now + left_s)
        return ready

    def _age(self, age: int) -> bytes:
        return self._ages[age] if age < AGES else encoded(b"age", b"%d" % age)

    def _fixed(self, response: Response, length: int | None) -> bytes:
        entity = response.entity
        parts = [encoded(b":status", b"%d" % entity.status)]
        # RFC 9113 section 8.2.1: names in lower case
        fields = [
            (name.lower().encode("latin-1", "replace"), value) for name, value in self._wire.fields(response, length)
        ]
        parts += [encoded(name, value) for name, value in fields]
        urgency = urgency_of(entity)
        if urgency is not None and not any(name == b"priority" for name, _ in fields):
            parts.append(encoded(b"priority", b"u=%d" % urgency))
        return b"".join(parts)


PLAYLIST_URGENCY, MEDIA_URGENCY = 1, 3
"""Rule 139: playlists before media, and all renditions alike, so that a higher one is never ahead of a lower."""


def urgency_of(entity: Entity) -> int | None:
    """RFC 9218: how urgent the answer is; None: it is neither a playlist nor media."""
    kind = _content_type(entity.headers)
    if "mpegurl" in kind:
        return PLAYLIST_URGENCY
    return MEDIA_URGENCY if kind.startswith(("video/", "audio/")) else None


def _content_type(headers: Headers) -> str:
    return next((value.lower() for name, value in headers if name == "Content-Type"), "")
