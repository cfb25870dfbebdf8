"""Addresses of playlists and what they hold, and bytes as text. Sans-IO; nothing here raises."""

from __future__ import annotations

import functools
from urllib.parse import urljoin

from headwater.origin.hls import reader
from headwater.origin.hls.model import MediaPlaylist


@functools.lru_cache(maxsize=4_096)
def absolute(base: str, uri: str) -> str:
    """`uri` of a playlist at `base`; as it is when it is no URI."""
    try:
        return urljoin(base, uri)
    except ValueError:
        return uri


def with_directives(url: str, **values: int | str | None) -> str:
    """`url` with `_HLS_NAME=value` for each value that is not None."""
    pairs = "&".join(f"_HLS_{name}={value}" for name, value in values.items() if value is not None)
    url = url.partition("#")[0]
    return f"{url}{'&' if '?' in url else '?'}{pairs}" if pairs else url


@functools.lru_cache(maxsize=8)
def read(text: str) -> MediaPlaylist:
    """The playlist of a text, raising PlaylistError. The same version often comes to the watch and to a probe."""
    return reader.read(text)


def decoded(body: bytes) -> tuple[str, str]:
    """The text of a playlist, and why it is none."""
    try:
        return body.decode(), ""
    except UnicodeDecodeError as error:
        return body.decode(errors="replace"), f"not UTF-8: {error.reason} at byte {error.start}"
