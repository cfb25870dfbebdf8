"""What goes into the store, and what is known of names."""

from __future__ import annotations

from tests.edge_kit import named

from headwater.edge.collapse import Flight
from headwater.edge.freshness import ALONE, ONCE, Life
from headwater.edge.kept import Kept
from headwater.edge.message import Tally, UpstreamAnswer

LONG = Life(share=True, lifetime=60.0, keep=True)


def answer(status: int = 200, **fields: str) -> UpstreamAnswer:
    return UpstreamAnswer(1.0, 1e9, status, named(fields), b"0123456789")


def put(store: Kept, life: Life, status: int = 200, text: str | None = None, **fields: str) -> None:
    flight = Flight("/a", Tally(), text)
    store.keep(flight, store.entity(answer(status, **fields), life), life)


def test_what_is_useful_is_kept_and_replaces_what_was() -> None:
    store = Kept(100_000, "1.1 e")
    put(store, LONG)
    assert store.store.peek("/a") is not None
    put(store, ONCE)
    assert store.store.peek("/a") is None, "a newer answer that may not be kept voids the older one"
    put(store, Life(share=True, lifetime=0.0, keep=True))
    assert len(store.store) == 0, "neither fresh nor to be revalidated"
    put(store, Life(share=True, lifetime=0.0, keep=True), etag='"a"')
    assert len(store.store) == 1
    put(store, ALONE)
    assert len(store.store) == 0


def test_ranges_are_kept_under_their_own_key() -> None:
    store = Kept(100_000, "1.1 e")
    put(store, LONG, 206, "bytes=0-9", content_range="bytes 0-9/20")
    put(store, LONG, 206, "bytes=10-", content_range="bytes 10-19/20")
    assert (len(store.store), store.store.peek("/a")) == (1, None), "how much N- is depends on when it is asked for"
    entity = store.store.peek("/a#bytes=0-9")
    assert entity is not None
    assert ("Content-Range", "bytes 0-9/20") in entity.headers


def test_a_file_that_grows_is_not_kept_whole() -> None:
    store = Kept(100_000, "1.1 e")
    put(store, LONG)
    store.grow(["/a"], [])
    assert len(store.store) == 0
    put(store, LONG)
    assert len(store.store) == 0
    store.grow([], ["/a"])
    put(store, LONG)
    assert len(store.store) == 1


def test_what_was_purged_on_its_way_is_not_kept_and_replaces_nothing() -> None:
    store = Kept(100_000, "1.1 e")
    put(store, LONG)
    flight = Flight("/a", Tally())
    flight.void = True
    for life in (LONG, ONCE):
        store.keep(flight, store.entity(answer(), life), life)
    assert len(store.store) == 1
