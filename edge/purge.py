"""What a purge is about: a URL, everything below a prefix, or a stream. Sans-IO.

    order (JSON, command line) ── read_order ──> Order ── Core.purge ──> Scope ──> store, flights, followers, disk

Hard: what is kept is removed. Soft: it is stale from now on, revalidated at the next request, and still there for
viewers while the upstream fails. What is on its way was asked for before the purge, so whoever waits for it gets
it, nobody keeps it, and nobody joins it any more.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from .collapse import Flight
from .gate import Gate
from .keyindex import KeyIndex, folder_of
from .keys import BadTarget, path_of, read_key, read_target, resolve
from .learn import children
from .message import Method, Request
from .store import Store
from .version import Version, read_playlist, uris_of

MAX_URL = 2_048
MAX_NAMED = 20_000
"""URLs that one stream may name. Why: what is in its folder is found without."""


class What(enum.Enum):
    """What is purged; the value is the name in the order, and a metric's label."""

    URL = "url"
    PREFIX = "prefix"
    STREAM = "stream"


class BadOrder(ValueError):
    """The order cannot be carried out; `str()` says why, in one line."""


@dataclass(frozen=True, slots=True)
class Order:
    """One purge, as it was asked for."""

    what: What
    target: str
    """Canonical: the key of a URL or a stream's playlist, or a prefix of paths."""
    soft: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    """The keys that a purge is about."""

    keys: frozenset[str] = frozenset()
    """With a query: these alone, with every range and delivery directive."""
    paths: frozenset[str] = frozenset()
    """With every query, range and directive."""
    prefixes: tuple[str, ...] = ()

    def covers(self, key: str) -> bool:
        """Whether `key`, which may be that of a range, is meant."""
        whole = key.partition("#")[0]
        path = path_of(whole)
        if path in self.paths or (self.prefixes and path.startswith(self.prefixes)):
            return True
        return bool(self.keys) and (whole in self.keys or _plain(whole) in self.keys)

    def void(self, flights: dict[str, Flight], lone: Iterable[Flight]) -> int:
        """Of what is on its way nothing is kept or joined any more; how many there were."""
        voided = [flights.pop(at) for at in list(flights) if self.covers(at)]
        voided.extend(flight for flight in lone if self.covers(flight.key))
        for flight in voided:
            flight.void = True
        return len(voided)

    def of(self, index: KeyIndex) -> list[str]:
        """Those of them that `index` knows."""
        found = [key for path in self.paths for key in index.at(path)]
        for prefix in self.prefixes:
            found.extend(index.below(prefix))
        for whole in self.keys:
            found.extend(key for key in index.at(path_of(whole)) if self.covers(key))
        return list(dict.fromkeys(found))


@dataclass(slots=True)
class Purged:
    """What a purge found."""

    objects: int = 0
    """In memory."""
    followers: int = 0
    """Live playlists that were asked for anew."""
    flights: int = 0
    """Fetches under way whose answers will not be kept."""
    disk: int = 0
    """On disk."""

    def to_json(self) -> dict[str, int]:
        """As the admin listener answers."""
        return {"objects": self.objects, "playlists": self.followers, "fetches": self.flights, "disk": self.disk}


def read_order(document: object) -> Order:
    """The order in a JSON document. Raises BadOrder."""
    if not isinstance(document, Mapping):
        raise BadOrder("not a JSON object")
    unknown = [str(name) for name in document if name not in ("soft", *(what.value for what in What))]
    if unknown:
        raise BadOrder(f"unknown: {unknown[0][:40]}")
    named = [what for what in What if what.value in document]
    if len(named) != 1:
        raise BadOrder("one of url, prefix and stream has to be there, and only one")
    target, soft = document[named[0].value], document.get("soft", False)
    if not isinstance(target, str) or not isinstance(soft, bool):
        raise BadOrder(f"{named[0].value} is a text, soft is true or false")
    return Order(named[0], _canonical(named[0], target), soft)


def _canonical(what: What, text: str) -> str:
    if len(text) > MAX_URL or not text.isascii() or not text.isprintable():
        raise BadOrder(f"not an ASCII URL of at most {MAX_URL} characters")
    if "://" in text.partition("?")[0]:  # as it stands in a browser; the host is not in the key
        try:
            parts = urlsplit(text)
        except ValueError:
            raise BadOrder("not a URL") from None
        text = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if what is not What.URL and "?" in text:
        raise BadOrder(f"a {what.value} has no query")
    target = read_target(text.encode("ascii"))
    if isinstance(target, BadTarget):
        raise BadOrder(target.reason)
    if what is What.STREAM and not target.playlist_like:
        raise BadOrder("a stream is named by its playlist: a path that ends in .m3u8")
    return target.plain


def scope_of(order: Order, named: Iterable[str] = ()) -> Scope:
    """The keys that `order` is about. `named`: what the stream's playlists name, playlists and media."""
    match order.what:
        case What.PREFIX:
            return Scope(prefixes=(order.target,))
        case What.URL:
            return (
                Scope(keys=frozenset((order.target,)))
                if "?" in order.target
                else Scope(paths=frozenset((order.target,)))
            )
        case What.STREAM:
            paths = {path_of(order.target), *(path_of(key) for key in named)}
            folder = folder_of(order.target)
            # At the root, other streams are below it too: only what is named is this one's.
            prefixes = (folder,) if folder != "/" else ()
            return Scope(paths=frozenset(path for path in paths if not path.startswith(prefixes)), prefixes=prefixes)


def named_by(order: Order, store: Store, followed: Mapping[str, Version]) -> list[str]:
    """The keys that the playlists of a stream name, as far as they are here: media playlists and their media."""
    if order.what is not What.STREAM:
        return []
    found: list[str] = []
    entity = store.peek(order.target)
    playlists = [order.target, *(children(bytes(entity.body), order.target) if entity is not None else ())]
    for playlist in playlists:
        found.append(playlist)
        version = followed.get(playlist)
        if version is not None:
            uris = [*version.uris(), *version.hinted()]
        else:
            entity = store.peek(playlist)
            model = read_playlist(bytes(entity.body)) if entity is not None else None
            uris = uris_of(model) if model is not None else []
        found.extend(key for uri in uris if (key := resolve(playlist, uri)) is not None)
        if len(found) > MAX_NAMED:
            break
    return found[:MAX_NAMED]


def without_token(order: Order, gate: Gate) -> Order:
    """`order` for the URL that a playback token was put into."""
    request = Request(Method.GET, order.target.encode("ascii"))
    gate.take(request)
    target = read_target(request.target)
    return order if isinstance(target, BadTarget) else replace(order, target=target.plain)


class Purges:
    """What was purged since the start, by what was named."""

    def __init__(self) -> None:
        self.orders: dict[What, int] = dict.fromkeys(What, 0)
        self.found: dict[What, int] = dict.fromkeys(What, 0)

    def count(self, what: What, found: int) -> None:
        """One order, and how much it was about."""
        self.orders[what] += 1
        self.found[what] += found


def _plain(key: str) -> str:
    return read_key(key).plain if "?" in key else key
