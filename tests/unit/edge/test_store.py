"""The byte-bounded store."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headwater.edge.message import Entity, Outcome, Response
from headwater.edge.store import HEADS, OVERHEAD_BYTES, STALE_KEPT_S, SWEEP, Store
from headwater.edge.wire import Wire


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


def test_fields_and_the_heads_made_of_them_are_counted_for_each_form() -> None:
    store = Store(100 * COST)
    one = Entity(200, (("ETag", "x" * 90), ("Age", "1")), b"x" * 10, received=0.0)
    store.put("/a", one)
    fields = 4 + 90 + 4 + 3 + 1 + 4
    assert store.bytes == OVERHEAD_BYTES + 10 + HEADS * fields
    one.gzip = Entity(200, one.headers, b"x" * 5, received=0.0)
    store.weigh("/a", one)
    assert store.bytes == OVERHEAD_BYTES + 15 + 2 * HEADS * fields


def test_heads_of_all_kinds_are_within_what_is_counted() -> None:
    """What a front end keeps on an entity: a head for each way in which a stored object can be sent."""
    one = Entity(200, tuple((f"X-Field-{n}", "v" * 60) for n in range(40)), b"", received=0.0)
    wire = Wire("edge")
    kinds = [(Outcome.HIT, False), (Outcome.FETCH, True), (Outcome.JOIN, True), (Outcome.STALE, False)]
    for outcome, collapsed in kinds:
        wire.head(Response(one, outcome, 1, collapsed), keep_alive=True, http10=False)
    store = Store(100 * COST)
    store.put("/a", one)
    values = sum(len(name) + len(value) for name, value in one.headers)
    assert values + sum(map(len, one.wire.values())) <= store.bytes


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 4_000), st.sampled_from("pgwrmlPsS")), max_size=80))
def test_the_bytes_are_those_of_what_is_kept_and_never_above_the_limit(steps: list[tuple[int, int, str]]) -> None:
    limit = 6 * COST
    store, left = Store(limit), list[str]()
    store.leaving = lambda key, entity: left.append(key)
    for number, size, step in steps:
        key = f"/{number % 3}/{number}"
        kept = store.peek(key)
        match step:
            case "p" | "P":
                store.put(key, entity(size))
            case "g":
                store.get(key)
            case "w" if kept is not None:
                kept.gzip = entity(size)
                store.weigh(key, kept)
            case "r":
                store.remove(key)
            case "m":
                store.mark([key])
            case "l":
                store.release([key])
            case "s" | "S":
                store.purge([key], 1.0, soft=step == "s")
        places = (store._once, store._often, store._live)
        there = [key for place in places for key in place]
        assert len(there) == len(set(there)) == len(store)
        assert store.bytes == sum(store._sizes[key] for key in there) <= limit
        assert store._often_bytes == sum(store._sizes[key] for key in store._often)
        assert sorted(store.index.below("/")) == sorted(there)


def test_a_flood_of_one_hit_objects_pushes_out_neither_what_is_wanted_nor_the_live_window() -> None:
    store = Store(100 * COST)
    window = [f"/live/{n}" for n in range(20)]
    store.mark(window)
    wanted = [f"/poster/{n}" for n in range(20)]
    for key in (*window, *wanted):
        store.put(key, entity(1_000))
        store.get(key)
    for number in range(10_000):
        store.put(f"/scan/{number}", entity(1_000))
    assert all(store.peek(key) for key in (*window, *wanted))
    assert store.peek("/scan/9999")
    assert store.bytes == 100 * COST


def test_what_is_asked_for_often_leaves_room_for_what_is_new() -> None:
    store = Store(10 * COST)
    for number in range(10):
        store.put(f"/{number}", entity(1_000))
        store.get(f"/{number}")
    store.put("/new", entity(1_000))
    store.put("/newer", entity(1_000))
    assert store.peek("/new") and store.get("/newer")
    assert len(store._often) == 8


def test_what_is_replaced_stays_where_it_was() -> None:
    store = Store(3 * COST)
    store.put("/a", entity(1_000))
    store.get("/a")
    store.put("/a", entity(1_000))
    for number in range(9):
        store.put(f"/scan/{number}", entity(1_000))
    assert store.peek("/a")


def test_what_grows_larger_than_everything_is_not_kept() -> None:
    store = Store(2 * COST)
    one = entity(1_000)
    store.put("/a", one)
    one.gzip = entity(3_000)
    store.weigh("/a", one)
    assert (len(store), store.bytes) == (0, 0)


def test_who_leaves_the_window_or_the_memory_is_told_and_who_is_purged_is_not() -> None:
    store, left = Store(2 * COST), list[str]()
    store.leaving = lambda key, entity: left.append(key)
    store.mark(["/live"])
    store.put("/live", entity(1_000))
    store.release(["/live"])
    assert left == ["/live"]
    store.put("/b", entity(1_000))
    store.put("/b", entity(1_000))
    store.put("/c", entity(1_000))
    assert left == ["/live", "/live"]
    store.purge(["/b"], 1.0, soft=False)
    store.remove("/c")
    store.put("/d", entity(1_000))
    store.sweep(STALE_KEPT_S + 1)
    assert left == ["/live", "/live", "/d"]
