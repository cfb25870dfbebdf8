"""What becomes of all fills of an edge: what is kept of them, who is answered at their end, how many may be large."""

from __future__ import annotations

from functools import partial

import pytest
from tests.edge_kit import UNIX, OnePath, Script, named
from tests.fill_kit import Tap

from headwater.edge import fill as fill_module
from headwater.edge import fills as fills_module
from headwater.edge.collapse import Flight, Waiter
from headwater.edge.fill import Fill, Verdict
from headwater.edge.fills import PARTIAL_S, Fills
from headwater.edge.freshness import Why
from headwater.edge.judge import Judge
from headwater.edge.kept import Kept
from headwater.edge.marks import HitForMiss, Marks
from headwater.edge.message import Entity, Method, Request, Tally, Upstream, UpstreamAnswer
from headwater.edge.overrides import Policy
from headwater.edge.paths import Paths

KEY = "/vod/s1.mp4"
MARK_S = 10.0
LARGE = 1_000
"""`object_bytes`: larger ones are not kept."""


def answer(status: int = 200, at: float = 100.0, /, **fields: str) -> UpstreamAnswer:
    """A head; names with _ for -."""
    stated = {"content_type": "video/mp4", "cache_control": "max-age=60", **fields}
    return UpstreamAnswer(at, UNIX + at, status, named(stated))


class Objects:
    """`fills.Owner` and `fills.Host`, with a store of its own; notes who is sent where."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.upstream: Upstream = Script()
        self.paths: Paths = OnePath()
        self.kept = Kept(1_000_000, "1.1 edge")
        self.judge = Judge(Policy(), self.kept.store)
        self.alone = HitForMiss(MARK_S)
        self.partial = Marks()
        self.asked_again: list[Request] = []
        self.sent: list[tuple[list[Request], Entity, float, bool]] = []
        """Those who were answered, with what, when, and whether each fetches for itself."""
        self.fills = Fills(self, self, LARGE)
        self.closed: list[Flight] = []

    def again(self, waiters: list[Waiter], now: float) -> None:
        self.asked_again += [waiter.request for waiter in waiters]

    def divide(self, flight: Flight, now: float, *, ignores: bool) -> tuple[list[Waiter], list[Waiter]]:
        assert not ignores
        waiters = flight.take()
        mine = [waiter for waiter in waiters if waiter.request.target == flight.key.encode()]
        return mine, [waiter for waiter in waiters if waiter not in mine]

    def send_all(
        self, flight: Flight, waiters: list[Waiter], entity: Entity, now: float, *, alone: bool = False
    ) -> None:
        self.sent.append(([waiter.request for waiter in waiters], entity, now, alone))

    def flight(self, *requests: Request, text: str | None = None, key: str = KEY) -> Flight:
        """Under way for these."""
        flight = Flight(key, self.tally, text)
        for request in requests:
            flight.join(request, lambda response: None)
        return flight

    def begun(
        self, flight: Flight, head: UpstreamAnswer | None = None, length: int | None = None, *, alone: bool = False
    ) -> Fill:
        """A fill whose head was taken."""
        fill = Fill(flight, self.fills, partial(self.closed.append, flight), alone=alone)
        assert fill.head(head or answer(), length, Tap())
        return fill


def get(target: str = KEY, **fields: str) -> Request:
    return Request(Method.GET, target.encode(), **fields)  # type: ignore[arg-type]


def ahead(target: str = KEY) -> Request:
    """It waits while a body of unknown length grows."""
    return get(target, range="bytes=-5")


# -- heads


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("/live/x/index.m3u8", "video/mp4"),
        ("/live/x/index.m3u8?a=b", "text/plain"),
        ("/radio.m3u", ""),
        ("/play", "application/vnd.apple.mpegurl"),
        ("/play", "Audio/MPEGURL; charset=utf-8"),
    ],
)
def test_playlists_go_out_complete_only(key: str, kind: str) -> None:
    objects = Objects()
    assert objects.fills.head(objects.flight(key=key), answer(content_type=kind)) is None


def test_a_query_that_ends_like_a_playlist_makes_none() -> None:
    objects = Objects()
    assert objects.fills.head(objects.flight(key="/a.mp4?next=b.m3u8"), answer()) is not None


def test_what_viewers_get_of_a_head() -> None:
    objects = Objects()
    verdict = objects.fills.head(objects.flight(), answer(200, 100.0, etag='"v1"', age="7", server="x"))
    assert verdict is not None
    entity = verdict.entity
    assert (entity.status, entity.body, entity.received, entity.age, entity.etag) == (200, b"", 100.0, 7, '"v1"')
    assert ("Via", "1.1 edge") in entity.headers
    assert not {"Server", "Age"} & {name for name, _ in entity.headers}
    assert (verdict.life.share, verdict.life.lifetime, verdict.life.why) == (True, 60, None)


@pytest.mark.parametrize(
    ("status", "text", "fields", "keep"),
    [
        (200, None, {}, True),
        (200, None, {"cache_control": "no-store"}, False),
        (200, None, {"cache_control": "private"}, False),
        (200, None, {"cache_control": "no-cache"}, True),
        (206, "bytes=0-9", {"content_range": "bytes 0-9/20"}, True),
        (206, "bytes=0-", {"content_range": "bytes 0-19/20"}, False),
        (206, "bytes=0-9", {"content_range": "bytes 0-9/20", "cache_control": "no-cache", "etag": '"v1"'}, False),
    ],
)
def test_which_of_them_go_into_the_store(status: int, text: str | None, fields: dict[str, str], keep: bool) -> None:
    objects = Objects()
    flight = objects.flight(text=text)
    verdict = objects.fills.head(flight, answer(status, 100.0, **fields))
    assert verdict is not None
    assert verdict.keep is keep
    flight.void = True
    later = objects.fills.head(flight, answer(status, 100.0, **fields))
    assert later is not None
    assert not later.keep, "it was purged"


def test_a_range_says_which_one_it_is() -> None:
    objects = Objects()
    verdict = objects.fills.head(objects.flight(text="bytes=0-9"), answer(206, content_range="bytes 0-9/20"))
    assert isinstance(verdict, Verdict)
    assert ("Content-Range", "bytes 0-9/20") in verdict.entity.headers
    assert verdict.life.lifetime == 60, "judged as the 200 that it is a part of"


# -- how many


def test_so_many_may_be_large_and_a_place_is_free_again_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fills_module, "MAX_LARGE", 2)
    objects = Objects()
    objects.begun(objects.flight(get()), length=LARGE)
    first, _ = (objects.begun(objects.flight(get()), length=LARGE + 1) for _ in range(2))
    assert not objects.fills.room_for_large()
    assert objects.tally.refused == {"large": 1}
    objects.begun(objects.flight(get()), length=LARGE)
    assert len(objects.fills) == 4, "others are not counted"
    first.stop()
    assert objects.fills.room_for_large()
    assert objects.tally.refused == {"large": 1}


def test_the_bound_is_sixty_four() -> None:
    objects = Objects()
    for _ in range(64):
        assert objects.fills.room_for_large()
        objects.begun(objects.flight(get()), length=LARGE + 1)
    assert not objects.fills.room_for_large()


def test_a_fill_is_over_once() -> None:
    objects = Objects()
    fill, other = objects.begun(objects.flight(get())), objects.begun(objects.flight(get()))
    assert list(objects.fills) == [fill, other]
    assert objects.fills.closed(fill)
    assert not objects.fills.closed(fill)
    assert list(objects.fills) == [other]


@pytest.mark.parametrize("several", [True, False])
def test_whether_there_is_another_upstream(*, several: bool) -> None:
    objects, paths = Objects(), OnePath()
    paths.several, objects.paths = several, paths
    assert Fills(objects, objects, LARGE).several is several


# -- who is answered


def test_a_head_that_may_be_shared_is_for_all_who_asked_for_its_url() -> None:
    objects = Objects()
    objects.alone.set(KEY, 1_000.0)
    one, two, other = ahead(), ahead(), ahead(KEY + "?a=b")
    flight = objects.flight(one, other, two)
    objects.begun(flight)
    assert [waiter.request for waiter in flight.waiting()] == [one, two]
    assert objects.asked_again == [other]
    assert not objects.alone.has(KEY, 100.0), "an answer that may be shared ends the mark"


def test_a_head_that_may_not_be_shared_is_for_the_first() -> None:
    objects = Objects()
    one, two, three, other = ahead(), ahead(), ahead(), ahead(KEY + "?a=b")
    flight = objects.flight(one, other, two, three)
    objects.begun(flight, answer(cache_control="private"))
    assert [waiter.request for waiter in flight.waiting()] == [one]
    assert objects.asked_again == [two, three, other]
    assert objects.alone.has(KEY, 100.0 + MARK_S - 0.1)
    assert not objects.alone.has(KEY, 100.0 + MARK_S)
    assert objects.alone.counts[Why.PRIVATE] == 1


def test_nobody_but_who_asked_waits_for_what_is_fetched_alone() -> None:
    objects = Objects()
    one, two = ahead(), ahead()
    flight = objects.flight(one, two)
    objects.begun(flight, answer(cache_control="private"), alone=True)
    assert [waiter.request for waiter in flight.waiting()] == [one, two]
    assert objects.asked_again == []


def test_a_range_is_for_all_who_wait_for_it() -> None:
    objects = Objects()
    flight = objects.flight(ahead(), ahead(KEY + "?a=b"), text="bytes=0-9")
    fill = objects.begun(flight, answer(206, content_range="bytes 0-9/20"))
    flight.join(ahead(), lambda response: None)
    flight.join(ahead(KEY + "?a=b"), lambda response: None)
    mine, others = objects.fills.divide(fill, 100.0)
    assert (len(mine), others) == (2, [])
    assert objects.asked_again == []


# -- the end


def test_what_is_whole_is_kept_and_whoever_still_waits_gets_it() -> None:
    objects = Objects()
    one, other = ahead(), ahead(KEY + "?a=b")
    flight = objects.flight(one)
    fill = objects.begun(flight, answer(200, 100.0, age="3"))
    flight.join(other, lambda response: None)
    fill.piece(b"01234", 101.0)
    fill.piece(b"56789", 109.0)
    assert fill.ended(answer(200, 110.0))
    stored = objects.kept.store.peek(KEY)
    assert stored is not None
    assert (stored.status, stored.body, stored.received, stored.age_at(110.0)) == (200, b"0123456789", 100.0, 13)
    assert objects.sent == [([one], stored, 110.0, False)]
    assert objects.asked_again == [other]
    assert fill.body is not None
    assert fill.body.ended
    assert (objects.closed, len(objects.fills)) == ([flight], 0)


def test_a_range_is_kept_under_its_own_key() -> None:
    objects = Objects()
    fill = objects.begun(objects.flight(get(), text="bytes=5-7"), answer(206, content_range="bytes 5-7/20"))
    fill.piece(b"567", 100.0)
    fill.ended(answer(206))
    assert objects.kept.store.peek(KEY) is None
    stored = objects.kept.store.peek(KEY + "#bytes=5-7")
    assert stored is not None
    assert (stored.status, stored.body) == (206, b"567")


@pytest.mark.parametrize(("void", "left"), [(False, None), (True, b"old")])
def test_what_may_not_be_kept_replaces_what_was_unless_that_is_newer(*, void: bool, left: bytes | None) -> None:
    objects = Objects()
    old = objects.begun(objects.flight(get()))
    old.piece(b"old", 100.0)
    old.ended(answer())
    flight = objects.flight(get())
    fill = objects.begun(flight, answer(cache_control="no-store"))
    flight.void = void
    fill.piece(b"new", 100.0)
    fill.ended(answer())
    stored = objects.kept.store.peek(KEY)
    assert (stored.body if stored else None) == left


def test_what_is_fetched_alone_is_sent_as_such() -> None:
    objects = Objects()
    one = ahead()
    fill = objects.begun(objects.flight(one), answer(cache_control="private"), alone=True)
    fill.piece(b"own", 100.0)
    fill.ended(answer())
    ((requests, entity, _, alone),) = objects.sent
    assert (requests, entity.body, alone) == ([one], b"own", True)
    assert len(objects.kept.store) == 0


def test_what_is_large_ends_and_is_kept_by_nobody() -> None:
    objects = Objects()
    fill = objects.begun(objects.flight(get()), length=LARGE + 1)
    fill.piece(bytes(LARGE + 1), 100.0)
    fill.ended(answer())
    assert fill.body is not None
    assert fill.body.ended
    assert len(objects.kept.store) == 0
    assert objects.sent == []


# -- too large


@pytest.mark.parametrize(
    ("text", "if_range", "asked"),
    [
        ("bytes=50-", None, "bytes=50-"),
        ("bytes=50-59", None, "bytes=50-59"),
        ("bytes=-9", None, "bytes=1992-2000"),
        ("bytes=-9999", None, "bytes=0-2000"),
        ("bytes=-0", None, None),
        ("bytes=50-", '"v1"', None),
        ("bytes=-9", '"v1"', None),
        ("bytes=1-2,4-5", None, None),
        (None, None, None),
    ],
)
def test_who_waits_for_a_range_of_what_is_too_large_asks_for_that(
    text: str | None, if_range: str | None, asked: str | None
) -> None:
    objects = Objects()
    fill = objects.begun(objects.flight(), length=2 * LARGE + 1)
    request = get()
    request.range, request.if_range = text, if_range
    fill.flight.join(request, lambda response: None)
    objects.fills.too_large(fill, 100.0)
    assert [again.range for again in objects.asked_again] == ([asked] if asked else [])
    assert len(fill.flight) == (0 if asked else 1)
    assert request.range == (asked or text), "who waits on, waits for what it asked for"


def test_where_the_length_is_not_known_the_last_bytes_are_not_either() -> None:
    objects = Objects()
    fill = objects.begun(objects.flight())
    request = ahead()
    fill.flight.join(request, lambda response: None)
    objects.fills.too_large(fill, 100.0)
    assert (objects.asked_again, request.range) == ([], "bytes=-5")


def test_what_is_too_large_is_fetched_by_ranges_for_ten_minutes() -> None:
    objects = Objects()
    objects.begun(objects.flight(get()), answer(200, 100.0), length=LARGE + 1)
    assert PARTIAL_S == 600
    assert objects.partial.has(KEY, 699.9)
    assert not objects.partial.has(KEY, 700.0)


def test_a_range_that_is_too_large_says_nothing_of_the_whole() -> None:
    objects = Objects()
    flight = objects.flight(text="bytes=0-")
    fill = objects.begun(flight, answer(206, content_range="bytes 0-1999/2000"))
    flight.join(get(range="bytes=0-"), lambda response: None)
    objects.fills.too_large(fill, 100.0)
    assert (len(objects.partial), objects.asked_again) == (0, [])


def test_single_bytes_may_cost_as_much_as_a_body() -> None:
    objects = Objects()
    objects.fills.object_bytes = 10 * fill_module.PIECE_BYTES
    fill = objects.begun(objects.flight(get()))
    for _ in range(10):
        fill.piece(b"x", 100.0)
    assert not fill.large
    fill.piece(b"x", 100.0)
    assert fill.large
    assert objects.partial.has(KEY, 100.0)


# -- time


def test_time_passes_for_all_even_as_they_end() -> None:
    objects = Objects()
    for _ in range(3):
        objects.begun(objects.flight(), answer(cache_control="no-store"))
    objects.fills.handle_timeout(100.1)
    assert len(objects.fills) == 0
    assert objects.tally.fills.broken == {"unwanted": 3}


def test_what_will_be_kept_outlives_its_readers_for_a_time() -> None:
    objects = Objects()
    objects.begun(objects.flight())
    for now in (100.0, 100.0 + fill_module.UNREAD_S):
        objects.fills.handle_timeout(now)
    assert len(objects.fills) == 1
    objects.fills.handle_timeout(100.1 + fill_module.UNREAD_S)
    assert len(objects.fills) == 0


def test_stopping_ends_all_and_answers_nobody() -> None:
    objects = Objects()
    fills = [objects.begun(objects.flight(ahead())) for _ in range(3)]
    objects.fills.stop()
    assert len(objects.fills) == 0
    assert all(fill.body is not None and fill.body.broken for fill in fills)
    assert (objects.sent, objects.asked_again, len(objects.closed)) == ([], [], 3)
