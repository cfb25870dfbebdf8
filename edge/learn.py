"""What objects learn from the playlists that pass through and are not followed. Sans-IO."""

from __future__ import annotations

from collections.abc import Iterator

from headwater.origin.hls import multivariant
from headwater.origin.hls.attributes import PlaylistError
from headwater.origin.hls.model import MediaPlaylist

from .entities import is_media, is_playlist
from .freshness import Shape
from .keys import path_of, read_key, resolve
from .message import UpstreamAnswer
from .paths import Paths
from .version import read_playlist

MAX_NAMED = 100
"""Files that one playlist may name by ranges. Why: it is one, or one per advertisement."""
NEWEST = 100
"""Segments of a live playlist whose names are noted, the newest. Why: the rest is here, or nobody asks for it."""
MAX_CHILDREN = 500
"""Playlists that one multivariant playlist may lead to. Why: a large ladder with languages has fifty."""


def in_ranges(model: MediaPlaylist, base: str) -> Iterator[str]:
    """The keys of what a playlist that is not followed names by byte ranges (4.4.4.2, 4.4.4.5)."""
    uris = {segment.uri for segment in model.segments if segment.byterange is not None and segment.uri is not None}
    for uri in sorted(uris)[:MAX_NAMED]:
        if (key := resolve(base, uri)) is not None:
            yield key


def children(body: bytes, base: str) -> list[str]:
    """The keys of the media playlists that the multivariant playlist in `body` leads to; none when it is none."""
    if b"#EXT-X-STREAM-INF" not in body:
        return []
    try:
        playlist = multivariant.read(body.decode("utf-8"))
    except (PlaylistError, UnicodeDecodeError):
        return []
    uris = dict.fromkeys([*(variant.uri for variant in playlist.variants), *(media.uri for media in playlist.media)])
    keys = (resolve(base, uri) for uri in list(uris)[:MAX_CHILDREN] if uri)
    return [key for key in keys if key is not None]


def model_of(key: str, answer: UpstreamAnswer) -> MediaPlaylist | None:
    """The media playlist that the answer for `key` is; None when it is none, or no whole answer."""
    if answer.status == 200 and is_playlist(path_of(key), answer.get("content-type") or ""):
        return read_playlist(answer.body)
    return None


def shape_of(key: str, answer: UpstreamAnswer, *, listed: bool) -> Shape:
    """What the answer for `key` is; `listed`: it is in a live window."""
    if answer.status >= 400:
        # A name that no playlist lists any more cannot be told from one that none lists yet (rule 149).
        return Shape.PLAYLIST if path_of(key).endswith((".m3u8", ".m3u")) else Shape.PENDING
    if is_playlist(path_of(key), answer.get("content-type") or ""):
        return Shape.BLOCKING if read_key(key).asked else Shape.PLAYLIST
    if listed or is_media(path_of(key), answer.get("content-type") or ""):
        return Shape.LISTED
    return Shape.OTHER


def tell(paths: Paths, key: str, answer: UpstreamAnswer, model: MediaPlaylist | None) -> None:
    """Where the choice of upstreams may learn from: a playlist that came from one of several."""
    if not paths.several or answer.status != 200 or not is_playlist(path_of(key), answer.get("content-type") or ""):
        return
    if model is None:
        if led := children(answer.body, key):
            paths.leads_to(key, led)
        return
    if not model.ended:  # a recording is the same wherever it is
        paths.names(_named(model, key), answer.source)


def _named(model: MediaPlaylist, base: str) -> list[str]:
    uris: dict[str, None] = {}
    for segment in model.segments[-NEWEST:]:
        if segment.map is not None:
            uris[segment.map.uri] = None
        if segment.uri is not None and not segment.gap:
            uris[segment.uri] = None
    return [key for uri in uris if (key := resolve(base, uri)) is not None]
