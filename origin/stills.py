"""Pictures of one stream: the last one of each type, as it is served."""

from __future__ import annotations

import hashlib

from .responses import Body

FILES = {"image/jpeg": "thumb.jpg", "image/webp": "thumb.webp"}
"""Type of a picture -> its name in the stream's folder."""

MOST_BYTES = 1 << 20
"""Of one picture. Why: 1920 pixels of width are a quarter of it."""


class Stills:
    """See the module."""

    def __init__(self) -> None:
        self._bodies: dict[str, Body] = {}

    def put(self, content_type: str, data: bytes, unix: float) -> None:
        """A picture of `unix` seconds; one of another type, or too large, is left out."""
        name = FILES.get(content_type)
        if name is None or not 0 < len(data) <= MOST_BYTES:
            return
        tag = hashlib.blake2b(data, digest_size=9).hexdigest()
        self._bodies[name] = Body(data, content_type, f'"{tag}"', int(unix), dated=True)

    def find(self, name: str) -> Body | None:
        """The picture of a file name, or None."""
        return self._bodies.get(name)
