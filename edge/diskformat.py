"""One cached object as a file: what it says of itself, and whether that is still true. Sans-IO.

    magic  head length  body length  digest of the head  digest of the body │ head: JSON │ body
      8        4             8               16                  16         │

The digest of the head is over everything before the body. Whatever does not fit is `Damaged`: a file that was cut off,
changed on disk, or is somebody else's. Times in it are Unix seconds, since it outlives the process.
"""

from __future__ import annotations

import enum
import json
import struct
from dataclasses import dataclass
from hashlib import blake2b

from .message import Entity, Headers, UpstreamAnswer

MAGIC = b"HWCACHE1"
_FIXED = struct.Struct(">8sIQ16s16s")
PREFIX_BYTES = _FIXED.size
MAX_HEAD = 128 << 10
"""Longest head that is believed. Why: the upstream's fields are bounded by its client's, some 32 KiB."""
CLOCK_BACK_S = 60.0
"""How far the clock may have gone back since a file was written before its times mean nothing."""


class Drop(enum.Enum):
    """Why something is not on disk, or not any more; the value is a metric's label."""

    CORRUPT = "corrupt"
    """Its digests say so."""
    TRUNCATED = "truncated"
    FOREIGN = "foreign"
    """No file of ours, or of another key."""
    GONE = "gone"
    """Somebody else took it away."""
    EVICTED = "evicted"
    """To stay within the limit."""
    BUSY = "busy"
    """The disk is slower than what is to be written or read."""
    FULL = "full"
    """No space left on the device."""
    FAILED = "failed"
    """Any other error of the disk."""


class Damaged(Exception):
    """Not a whole file of ours for this key."""

    def __init__(self, why: Drop) -> None:
        super().__init__(why.value)
        self.why = why


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a stored object besides its body."""

    key: str
    headers: Headers
    """The upstream's fields, names in lower case, as far as they are about the object."""
    received: float
    """When its last byte came, or it was last confirmed."""
    age: float
    """Age that it had then, seconds."""
    fresh_until: float
    usable_until: float
    """Until when it may be served while the upstream fails."""
    etag: str | None
    last_modified: str | None

    def fresh_at(self, unix: float) -> bool:
        """Whether the upstream need not be asked."""
        return self.received - CLOCK_BACK_S <= unix < self.fresh_until

    def answer(self, body: bytes, at: float, unix: float) -> UpstreamAnswer:
        """As the upstream's answer that it was, grown older."""
        age = max(0, int(self.age + unix - self.received))
        headers = (*self.headers, ("age", str(age)))
        return UpstreamAnswer(at=at, unix=unix, status=200, headers=headers, body=body, stored=True)


@dataclass(frozen=True, slots=True)
class Head:
    """The part of a file before its body."""

    record: Record
    body_bytes: int
    body_digest: bytes


def record_of(key: str, entity: Entity, now: float, unix: float, via: str) -> Record:
    """What to keep of `entity`. `now` and `unix`: the same moment; `via`: our own entry of Via."""
    old = entity.seconds_old(now)
    return Record(
        key,
        _upstreams(entity, via),
        received=unix - (now - entity.received),
        age=entity.age,
        fresh_until=unix + entity.lifetime - old,
        usable_until=unix + entity.usable - old,
        etag=entity.etag,
        last_modified=entity.last_modified,
    )


def _upstreams(entity: Entity, via: str) -> Headers:
    kept = []
    for name, value in entity.headers:
        lower = name.lower()
        if lower.startswith("access-control-") or lower in ("timing-allow-origin", "accept-ranges"):
            continue
        if lower == "via":
            value = value.removesuffix(via).removesuffix(", ")
            if not value:
                continue
        kept.append((lower, value))
    if entity.surrogate is not None:
        kept.append(("surrogate-control", entity.surrogate))
    if entity.trail:
        kept.append(("cache-status", entity.trail))
    return tuple(kept)


def encode(record: Record, body: bytes | memoryview) -> bytes:
    """All of the file that comes before the body."""
    head = json.dumps(
        {
            "key": record.key,
            "status": 200,
            "headers": record.headers,
            "received": record.received,
            "age": record.age,
            "fresh_until": record.fresh_until,
            "usable_until": record.usable_until,
            "etag": record.etag,
            "last_modified": record.last_modified,
        }
    ).encode()
    digest = _digest(body)
    return _FIXED.pack(MAGIC, len(head), len(body), _head_digest(head, len(body), digest), digest) + head


def head_bytes(prefix: bytes) -> int:
    """How long the head is, of a file that begins with `prefix` (PREFIX_BYTES of it). Raises Damaged."""
    if not MAGIC.startswith(prefix[: len(MAGIC)]):
        raise Damaged(Drop.FOREIGN)
    if len(prefix) < PREFIX_BYTES:
        raise Damaged(Drop.TRUNCATED)
    _, length, *_ = _FIXED.unpack(prefix)
    if length > MAX_HEAD:
        raise Damaged(Drop.CORRUPT)
    return int(length)


def decode(prefix: bytes, head: bytes, file_bytes: int) -> Head:
    """What the file says of itself. Raises Damaged when that is not whole, or the file has another length."""
    length = head_bytes(prefix)
    _, _, body_bytes, head_digest, body_digest = _FIXED.unpack(prefix)
    if len(head) < length:
        raise Damaged(Drop.TRUNCATED)
    if _head_digest(head, body_bytes, body_digest) != head_digest:
        raise Damaged(Drop.CORRUPT)
    if file_bytes != PREFIX_BYTES + length + body_bytes:
        raise Damaged(Drop.TRUNCATED if file_bytes < PREFIX_BYTES + length + body_bytes else Drop.CORRUPT)
    try:
        document = json.loads(head)
        record = Record(
            str(document["key"]),
            tuple((str(name), str(value)) for name, value in document["headers"]),
            float(document["received"]),
            float(document["age"]),
            float(document["fresh_until"]),
            float(document["usable_until"]),
            _text(document["etag"]),
            _text(document["last_modified"]),
        )
    except (ValueError, KeyError, TypeError):
        raise Damaged(Drop.CORRUPT) from None
    return Head(record, body_bytes, body_digest)


def check_body(head: Head, body: bytes) -> None:
    """Raises Damaged when `body` is not the one that was written."""
    if len(body) < head.body_bytes:
        raise Damaged(Drop.TRUNCATED)
    if _digest(body) != head.body_digest:
        raise Damaged(Drop.CORRUPT)


def name_of(key: str) -> str:
    """The file of `key`, below the directory."""
    digest = blake2b(key.encode(), digest_size=20).hexdigest()
    return f"{digest[:2]}/{digest}"


def _digest(data: bytes | memoryview) -> bytes:
    return blake2b(data, digest_size=16).digest()


def _head_digest(head: bytes, body_bytes: int, body_digest: bytes) -> bytes:
    return _digest(struct.pack(">Q", body_bytes) + body_digest + head)


def _text(value: object) -> str | None:
    return None if value is None else str(value)
