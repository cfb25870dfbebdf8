"""The player's pages and what they load: read once at start, served from memory."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from .responses import Body

MAX_FILE_BYTES = 8 << 20
MAX_FILES = 256
LEAST_GZIP_BYTES = 512
"""Smaller files fit one packet as they are."""

CACHE_CONTROL = "public, max-age=60, s-maxage=60"
"""Why: names carry no version, so a new release shows within a minute; the ETag makes asking again cheap."""

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".txt": "text/plain; charset=utf-8",
}
"""What is served, by file ending; other files are not."""

_TEXT = (".html", ".css", ".js", ".svg", ".txt")


@dataclass(frozen=True, slots=True)
class Asset:
    """One file in the forms it is served in."""

    identity: Body
    compressed: Body | None

    def body(self, *, compressed: bool) -> Body:
        """The form for a client that accepts gzip, or not."""
        return self.compressed if compressed and self.compressed is not None else self.identity


def load(folder: Path) -> dict[str, Asset]:
    """All files of `folder` that browsers ask for, by their path in it (`vendor/hls.min.js`)."""
    found: dict[str, Asset] = {}
    for path in sorted(folder.rglob("*")):
        kind = _TYPES.get(path.suffix)
        if kind is None or not path.is_file() or path.stat().st_size > MAX_FILE_BYTES:
            continue
        if len(found) >= MAX_FILES:
            break
        found[path.relative_to(folder).as_posix()] = _asset(path, kind)
    return found


def _asset(path: Path, kind: str) -> Asset:
    data = path.read_bytes()
    tag = hashlib.blake2b(data, digest_size=9).hexdigest()
    small = path.suffix not in _TEXT or len(data) < LEAST_GZIP_BYTES
    identity = Body(data, kind, f'"{tag}"', int(path.stat().st_mtime), dated=True, varies=not small)
    if small:
        return Asset(identity, None)
    packed = replace(identity, data=gzip.compress(data, 9, mtime=0), etag=f'"{tag}-gz"', encoding="gzip")
    return Asset(identity, packed)
