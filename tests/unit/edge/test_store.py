"""The byte-bounded store."""

from __future__ import annotations

from headwater.edge.message import Entity
from headwater.edge.store import OVERHEAD_BYTES, STALE_KEPT_S, SWEEP, Store


def entity(size: int) -> Entity:
    return Entity(200, (), b"x" * size, received=0.0)


COST = OVERHEAD_BYTES + 1_000


def test_the_least_recently_used_goes_first() -> None:
    store = Store(3 * COST)
    for key in "abc":
        store.put(key, entity(1_000))
    store.get("a")
    store.put("d", entity(1_000))
    assert [key for key in "abcd" if store.peek(key)] == ["a", "c", "d"]
    assert store.bytes == 3 * COST
    assert store.evictions == 1


def test_the_live_window_goes_last() -> None:
    store = Store(3 * COST)
    store.mark(["a", "b"])
    for key in "abcd":
        store.put(key, entity(1_000))
    assert [key for key in "abcd" if store.peek(key)] == ["a", "b", "d"]
    store.put("e", entity(2_000 + OVERHEAD_BYTES))
    assert store.peek("a") is None, "when nothing else is left, the live window goes too"
    assert store.bytes <= 3 * COST


def test_what_left_the_window_is_evicted_like_everything_else() -> None:
    store = Store(2 * COST)
    store.mark(["a"])
    store.put("a", entity(1_000))
    store.put("b", entity(1_000))
    store.release(["a"])
    assert not store.marked("a")
    store.get("b")
    store.get("a")
    store.put("c", entity(1_000))
    assert store.peek("b") is None


def test_marks_are_counted() -> None:
    store = Store(10 * COST)
    store.put("a", entity(10))
    store.mark(["a"])
    store.mark(["a"])
    store.release(["a"])
    assert store.marked("a")
    store.release(["a"])
    assert not store.marked("a")
    store.release(["a"])
    assert store.peek("a") is not None


def test_replacing_and_removing_keep_the_count() -> None:
    store = Store(10 * COST)
    store.put("a", entity(10))
    store.put("a", entity(20))
    assert store.bytes == OVERHEAD_BYTES + 20
    assert len(store) == 1
    store.remove("a")
    store.remove("a")
    assert store.bytes == 0
    assert store.get("a") is None


def test_what_is_larger_than_the_store_is_not_kept() -> None:
    store = Store(COST)
    store.put("a", entity(10))
    assert not store.put("b", entity(COST))
    assert store.peek("a") is not None


def test_a_compressed_form_is_counted() -> None:
    store = Store(10 * COST)
    one = entity(100)
    store.put("a", one)
    one.gzip = entity(50)
    store.weigh("a", one)
    store.weigh("a", one)
    assert store.bytes == OVERHEAD_BYTES + 150
    store.weigh("a", entity(100))
    store.weigh("b", one)
    assert store.bytes == OVERHEAD_BYTES + 150
    one.gzip = entity(70)  # what was counted is what is given back
    store.remove("a")
    assert store.bytes == 0


def test_what_is_stale_for_long_is_swept_out_unless_it_is_in_a_live_window() -> None:
    store = Store(1_000 * COST)
    store.mark(["live"])
    for key in ("live", *(f"old{n}" for n in range(3 * SWEEP))):
        store.put(key, entity(1_000))
    young = entity(1_000)
    young.received = STALE_KEPT_S
    store.put("young", young)
    store.sweep(STALE_KEPT_S - 1)
    assert len(store) == 3 * SWEEP + 2
    for _ in range(8):
        store.sweep(STALE_KEPT_S + 1)
    assert len(store) == 2 and store.peek("live") and store.peek("young")
    assert store.bytes == 2 * COST
    assert store.evictions == 0
