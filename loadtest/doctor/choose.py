"""Which media playlists of a multivariant playlist are followed, and what they are called. Sans-IO."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

from headwater.origin.hls.multivariant import Media, Multivariant

from .urls import absolute
from .values import RenditionRecord


def renditions(playlist: Multivariant, base: str, most: int) -> tuple[list[RenditionRecord], int]:
    """At most `most` records, and how many more there are.

    The first variant, one rendition of each group, then the others: what most players take comes first.
    """
    found: dict[str, RenditionRecord] = {}
    for variant in playlist.variants:
        record = found.setdefault(absolute(base, variant.uri), RenditionRecord(short(variant.uri), ""))
        record.variants = (*record.variants, variant)
    for media in playlist.media:
        if media.uri is not None:
            record = found.setdefault(absolute(base, media.uri), RenditionRecord(short(media.uri), ""))
            record.media = record.media or media
    records = [replace(record, url=url) for url, record in found.items()]
    firsts: set[tuple[str, str]] = set()
    order = sorted(records, key=lambda record: _rank(record, firsts))
    _distinct(order)
    return order[:most], max(0, len(order) - most)


def _rank(record: RenditionRecord, firsts: set[tuple[str, str]]) -> int:
    media = record.media
    kind = ("variant", "") if record.variants else _group(media)
    if kind in firsts:
        return 2 if record.variants else 3
    firsts.add(kind)
    return 0 if record.variants else 1


def _group(media: Media | None) -> tuple[str, str]:
    return (media.type, media.group) if media else ("", "")


def _distinct(records: list[RenditionRecord]) -> None:
    """Names are told apart in the report."""
    for index, record in enumerate(records):
        if any(other.name == record.name for other in records[:index]):
            record.name = f"{record.name} ({index + 1})"


def addresses(text: str, base: str) -> list[str]:
    """The URI lines of a text that cannot be read as a playlist."""
    lines = (line.strip() for line in text.split("\n")[:1_000])
    return [absolute(base, line) for line in lines if line and line[0] != "#"][:8]


def short(uri: str) -> str:
    """The part of a URI that tells it from its neighbours: its folder and file, without the query."""
    try:
        path = urlsplit(uri).path
    except ValueError:
        path = uri
    pieces = [piece for piece in path.split("/") if piece]
    if len(pieces) > 1 and pieces[-1].partition(".")[0] in ("index", "playlist", "media", "chunklist", "llhls"):
        return pieces[-2][:60]
    return (pieces[-1] if pieces else uri)[:60]
