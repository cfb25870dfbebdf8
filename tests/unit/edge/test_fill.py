"""One answer that goes out while it comes: who gets what of it when, where it goes on, how it ends."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial

import pytest
from tests.edge_kit import UNIX, named
from tests.fill_kit import Slow, Tap, Upload

from headwater.edge.collapse import Flight, Waiter
from headwater.edge.fill import RESUME_AFTER_S, SEEK_BYTES, UNREAD_S, Fill, Verdict
from headwater.edge.freshness import Life
from headwater.edge.growing import AHEAD_BYTES, Growing
from headwater.edge.kept import Kept
from headwater.edge.message import Failure, Method, Outcome, Purpose, Request, Response, Tally, Upstream, UpstreamAnswer

KEY = "/vod/s1.mp4"
TAG = '"v1"'
AT = 100.0
SHARED = Life(share=True, lifetime=60.0, keep=True)
LARGE = 1_000
"""`object_bytes`."""


def answer(at: float = AT, status: int = 200, body: bytes = b"", /, **fields: str) -> UpstreamAnswer:
    """Names of fields with _ for -."""
    return UpstreamAnswer(at, UNIX + at, status, named(fields), body, source="a")


def failure(why: Failure = Failure.RESET, at: float = AT) -> UpstreamAnswer:
    return UpstreamAnswer(at, UNIX + at, failure=why, source="a")


class House:
    """One fill, and `fill.Host`: notes what it is told."""

    def __init__(self, *, text: str | None = None, alone: bool = False, life: Life = SHARED, keep: bool = True) -> None:
        self.object_bytes = LARGE
        self.several = False
        self.tally = Tally()
        self.slow = Slow()
        self.upstream: Upstream = self.slow
        self.life: Life | None = life
        """None: it is wanted whole only."""
        self.room = True
        self.others: list[Waiter] = []
        """Whom the head will not be for."""
        self.asked_again: list[Waiter] = []
        self.told: list[str] = []
        self.left = 0
        """How often the first upstream request was cancelled."""
        self.tap = Tap()
        self.flight = Flight(KEY, self.tally, text, loop="above")
        self.flight.cancel = self._leave
        self.fill = Fill(self.flight, self, partial(self.told.append, "close"), alone=alone)
        self._keep = keep
        self._open = False

    def _leave(self) -> None:
        self.left += 1

    def head(self, flight: Flight, answer: UpstreamAnswer) -> Verdict | None:
        assert flight is self.flight
        life = self.life
        return Verdict(Kept(1, "").entity(answer, life), life, self._keep) if life is not None else None

    def room_for_large(self) -> bool:
        self.told.append("room?")
        return self.room

    def opened(self, fill: Fill) -> None:
        self._open = True

    def closed(self, fill: Fill) -> bool:
        was, self._open = self._open, False
        return was

    def divide(self, fill: Fill, now: float) -> tuple[list[Waiter], list[Waiter]]:
        waiters = self.flight.take()
        return [waiter for waiter in waiters if waiter not in self.others], self.others

    def again(self, waiters: list[Waiter], now: float) -> None:
        self.asked_again += waiters

    def filled(self, fill: Fill, now: float) -> None:
        assert self.body is not None
        self.body.finish()
        self.told.append("filled")

    def too_large(self, fill: Fill, now: float) -> None:
        self.told.append("too large")

    @property
    def body(self) -> Growing | None:
        return self.fill.body

    @property
    def grown(self) -> Growing:
        assert self.body is not None
        return self.body

    def viewer(self, **fields: object) -> Asking:
        """Waits for the head, or comes while it grows."""
        asking = Asking(Request(Method.GET, KEY.encode(), **fields))  # type: ignore[arg-type]
        if self.body is None:
            asking.waiter = self.flight.join(asking.request, asking.answers.append)
        else:
            asking.waiter = self.fill.join(asking.request, asking.answers.append, AT + 5)  # type: ignore[assignment]
        return asking

    def begin(self, length: int | None = None, status: int = 200, /, **fields: str) -> bool:
        """The head comes; whether it is taken."""
        return self.fill.head(answer(AT, status, **fields), length, self.tap)

    def begun(self, length: int | None = None, **fields: str) -> House:
        assert self.begin(length, **fields)
        return self

    def broken_off(self, length: int = 100, size: int = 30) -> House:
        """With a tag by which the rest can be had."""
        self.begun(length, etag=TAG).fill.piece(bytes(size), AT)
        self.fill.ended(failure())
        return self

    @property
    def over(self) -> list[str]:
        return [word for word in self.told if word in ("filled", "close")]

    @property
    def broken(self) -> dict[str, int]:
        return self.tally.fills.broken

    def rest(self, length: int | None, status: int = 206, /, **fields: str) -> Upload:
        """The head of the answer to the request for the rest."""
        return self.slow.begin(KEY, AT + 1, length, status, **fields)


@dataclass
class Asking:
    """A viewer, who takes no bytes."""

    request: Request
    answers: list[Response] = field(default_factory=list)
    waiter: Waiter | None = None

    @property
    def answer(self) -> Response:
        (one,) = self.answers
        return one


# -- the head


def test_a_head_opens_the_body() -> None:
    house = House().begun(100)
    assert (house.grown.length, house.grown.size, house.fill.large) == (100, 0, False)
    assert house.flight.fill is house.fill
    assert house.fill.first == answer()
    assert (house.tally.fills.streamed, house.told) == (1, [])


def test_what_is_wanted_whole_only_is_not_taken() -> None:
    house = House()
    house.life = None
    assert not house.begin(100)
    assert (house.body, house.flight.fill, house.tally.fills.streamed) == (None, None, 0)
    house.fill.piece(b"x", AT)
    assert house.tally.fills.size == 0
    assert not house.fill.ended(answer()), "its answer is for others to deal with"
    assert house.told == []


@pytest.mark.parametrize(
    ("text", "field", "length", "becomes"),
    [
        ("bytes=10-19", "bytes 10-19/100", 10, 10), ("bytes=10-19", "bytes 10-19/*", None, 10),
        ("bytes=10-19", "bytes 10-14/15", 5, 5), ("bytes=10-", "bytes 10-99/100", 90, 90),
        ("bytes=10-19", "bytes 10-19/100", 9, None), ("bytes=10-19", "bytes 11-19/100", 9, None),
        ("bytes=10-19", "bytes 10-20/100", 11, None), ("bytes=10-19", "bytes */100", 10, None),
        (None, "bytes 0-9/100", 10, None),
    ],
)  # fmt: skip
def test_a_206_is_taken_where_it_is_the_range_that_was_asked_for(
    text: str | None, field: str, length: int | None, becomes: int | None
) -> None:
    house = House(text=text)
    assert house.begin(length, 206, content_range=field) is (becomes is not None)
    assert (house.body.length if house.body else None) == becomes


def test_a_range_of_what_is_small_may_be_answered_with_all_of_it() -> None:
    assert House(text="bytes=10-19").begin(LARGE)
    house = House(text="bytes=10-19")
    assert not house.begin(LARGE + 1), "all of it again for each range"
    assert house.told == [], "no place is asked for"


@pytest.mark.parametrize(("length", "large"), [(LARGE, False), (LARGE + 1, True), (None, False)])
def test_what_is_longer_than_may_be_kept_is_known_from_its_head(length: int | None, *, large: bool) -> None:
    house = House().begun(length)
    assert house.fill.large is large
    assert house.told == (["room?", "too large"] if large else [])
    assert house.fill.joinable, "all of it is still here"


def test_without_room_what_is_large_is_not_taken() -> None:
    house = House()
    house.room = False
    assert not house.begin(LARGE + 1)
    assert (house.body, house.flight.fill) == (None, None)
    assert house.begin(LARGE)


# -- who is answered


@pytest.mark.parametrize("count", [1, 3])
def test_who_waits_is_answered_with_the_head(count: int) -> None:
    house = House()
    viewers = [house.viewer() for _ in range(count)]
    house.flight.asker = viewers[-1].waiter
    house.begun(100, age="7")
    outcomes = [viewer.answer.outcome for viewer in viewers]
    assert outcomes == [Outcome.JOIN] * (count - 1) + [Outcome.FETCH]
    for viewer in viewers:
        assert (viewer.answer.age, viewer.answer.collapsed) == (7, count > 1)
        assert (viewer.answer.growing, viewer.answer.span) == (house.body, (0, None))
    assert house.tally.requests[Outcome.FETCH] == 1
    assert house.tally.requests[Outcome.JOIN] == count - 1
    assert (house.tally.held, house.tally.fills.joined) == (0, 0)


def test_what_is_fetched_for_one_viewer_is_passed_on() -> None:
    house = House(alone=True)
    viewers = [house.viewer(), house.viewer()]
    house.begun(100)
    assert [(one.answer.outcome, one.answer.collapsed) for one in viewers] == [(Outcome.PASS, False)] * 2


def test_whom_the_head_is_not_for_asks_anew() -> None:
    house = House()
    mine, other = house.viewer(), house.viewer()
    assert other.waiter is not None
    house.others = [other.waiter]
    house.begun(100)
    assert (len(mine.answers), other.answers, house.asked_again) == (1, [], [other.waiter])
    assert not mine.answer.collapsed


def test_who_comes_late_gets_what_is_there_and_the_age_it_has_by_then() -> None:
    house = House().begun(100)
    house.fill.piece(b"x" * 40, AT)
    late = house.viewer()
    assert (late.waiter, late.answer.outcome, late.answer.age, late.answer.collapsed) == (None, Outcome.JOIN, 5, True)
    assert house.tally.fills.joined == 1


def test_a_range_waits_for_its_first_byte_and_what_has_no_content_for_nothing() -> None:
    house = House().begun(100, etag=TAG)
    same, beyond = house.viewer(if_none_match=TAG), house.viewer(range="bytes=100-")
    assert [(one.answer.entity.status, one.answer.growing) for one in (same, beyond)] == [(304, None), (416, None)]
    house.fill.piece(bytes(40), AT)
    ahead = house.viewer(range="bytes=40-49")
    assert (ahead.answers, len(house.flight), house.tally.fills.joined) == ([], 1, 3)
    house.fill.piece(b"x", AT + 6)
    assert (ahead.answer.entity.status, ahead.answer.span, ahead.answer.length) == (206, (40, 50), 10)
    assert (ahead.answer.outcome, ahead.answer.age) == (Outcome.JOIN, 6)
    assert len(house.flight) == house.tally.held == 0


def test_a_range_of_what_is_too_large_is_answered_with_all_of_it() -> None:
    house = House()
    waits = house.viewer(range="bytes=500-", if_range=TAG)
    house.begun(LARGE + 1, etag=TAG)
    assert (waits.answer.entity.status, waits.answer.span) == (200, (0, None))
    assert waits.request.range == "bytes=500-", "the request stays as it is"
    assert house.viewer(range="bytes=5-9").answer.entity.status == 200


@pytest.mark.parametrize("why", ["no head", "void", "private", "alone", "gone"])
def test_who_may_not_join(why: str) -> None:
    life = replace(SHARED, share=why != "private")
    house = House(alone=why == "alone", life=life)
    if why != "no head":
        house.begun(4 * LARGE)
    house.flight.void = why == "void"
    if why == "gone":
        house.fill.piece(bytes(2 * LARGE), AT)
        assert house.grown.kept_from > 0
    assert not house.fill.joinable


# -- ranges that are far ahead

FAR = SEEK_BYTES + 10


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        ({"range": f"bytes={FAR}-"}, None), ({"range": f"bytes={FAR + 1}-"}, f"bytes={FAR + 1}-{2 * FAR - 1}"),
        ({"range": f"bytes={FAR + 1}-{FAR + 5}"}, f"bytes={FAR + 1}-{FAR + 5}"),
        ({"range": f"bytes={FAR + 1}-{3 * FAR}"}, f"bytes={FAR + 1}-{2 * FAR - 1}"),
        ({"range": "bytes=-5"}, f"bytes={2 * FAR - 5}-{2 * FAR - 1}"), ({"range": f"bytes={2 * FAR}-"}, None),
        ({"range": "bytes=0-4,9-10"}, None), ({}, None), ({"range": "bytes=-5", "if_range": TAG}, None),
        ({"range": "bytes=-5", "if_none_match": TAG}, None),
        ({"range": "bytes=-5", "if_modified_since": "Sun, 06 Nov 1994 08:49:37 GMT"}, None),
        ({"range": "bytes=-5", "method": Method.HEAD}, None),
    ],
)  # fmt: skip
def test_what_begins_far_ahead_is_fetched_as_a_range(fields: dict[str, object], asked: str | None) -> None:
    house = House()
    house.object_bytes = 10 * FAR
    house.begun(2 * FAR)
    house.fill.piece(bytes(10), AT)
    request = Request(**{"method": Method.GET, "target": KEY.encode(), **fields})  # type: ignore[arg-type]
    assert house.fill.seek(request) == asked


def test_what_no_range_is_fetched_of() -> None:
    far = Request(Method.GET, KEY.encode(), range="bytes=-5")
    none, part, endless, without = House(), House(text="bytes=0-"), House(), House()
    part.object_bytes = endless.object_bytes = without.object_bytes = 10 * FAR
    assert part.begin(2 * FAR, 206, content_range=f"bytes 0-{2 * FAR - 1}/*")
    endless.begun()
    without.begun(2 * FAR, accept_ranges=" None ")
    assert [house.fill.seek(far) for house in (none, part, endless, without)] == [None] * 4


# -- bytes


def test_one_byte_too_many_is_an_error() -> None:
    house = House().begun(5)
    waits = house.viewer(range="bytes=4-")
    house.fill.piece(b"0123", AT)
    house.fill.piece(b"45", AT)
    assert (house.broken, house.left, house.over) == ({"invalid": 1}, 1, ["close"])
    assert (house.grown.broken, house.grown.size) == (True, 4)
    assert (house.asked_again, waits.answers) == ([waits.waiter], []), "who has not begun may try again"
    house.fill.piece(b"6", AT)
    assert house.tally.fills.size == 6, "nothing is counted of what is over"
    assert house.fill.ended(failure()), "it was dealt with"
    house.fill.stop()
    assert (house.broken, house.over) == ({"invalid": 1}, ["close"])


def test_what_grows_larger_than_may_be_kept_is_large_from_then_on() -> None:
    house = House().begun()
    house.fill.piece(bytes(LARGE), AT)
    assert not house.fill.large
    house.fill.piece(b"x", AT)
    assert house.fill.large
    house.fill.piece(b"x", AT)
    assert house.told == ["room?", "too large"], "said once"


def test_without_room_what_grows_too_large_ends() -> None:
    house = House().begun()
    house.room = False
    house.fill.piece(bytes(LARGE + 1), AT)
    assert (house.broken, house.left, house.grown.broken) == ({"too_large": 1}, 1, True)
    assert house.told == ["room?", "close"]


def test_a_reader_of_what_is_large_may_be_so_far_behind() -> None:
    house = House().begun(4 * LARGE)
    behind = house.grown.read(lambda: None)
    for size in (LARGE, 1):
        house.fill.piece(bytes(size), AT)
    assert not behind.cut
    house.fill.piece(b"x", AT)
    assert behind.cut


# -- the end


@pytest.mark.parametrize(
    ("length", "size", "end", "how"),
    [
        (10, 10, answer(), "filled"), (10, 10, failure(), "filled"), (0, 0, answer(), "filled"),
        (None, 10, answer(), "filled"), (None, 0, answer(), "filled"), (10, 9, answer(), "short"),
        (10, 9, failure(Failure.TIMEOUT), "timeout"), (None, 10, failure(), "reset"),
    ],
)  # fmt: skip
def test_whether_it_is_whole(length: int | None, size: int, end: UpstreamAnswer, how: str) -> None:
    house = House().begun(length)
    house.fill.piece(bytes(size), AT)
    assert house.fill.ended(end)
    assert house.over == (["close", "filled"] if how == "filled" else ["close"])
    assert house.broken == ({} if how == "filled" else {how: 1})
    assert (house.grown.ended, house.grown.broken) == (how == "filled", how != "filled")
    assert (house.flight.fill, house.flight.asker) == (None, None)


def test_stopping_answers_nobody() -> None:
    house = House().begun(10)
    waits = house.viewer(range="bytes=5-")
    house.fill.stop()
    assert (house.left, house.grown.broken, house.over, house.broken) == (1, True, ["close"], {})
    assert (waits.answers, house.asked_again, house.flight.fill) == ([], [], None)
    early, resumed = House(), House().broken_off()
    resumed.fill.stop()
    assert (resumed.slow.left, resumed.left, resumed.slow.pending) == ([KEY], 0, []), "the rest is left"
    early.fill.stop()
    assert (early.left, early.told) == (1, []), "there is no head yet"


# -- going on elsewhere


@pytest.mark.parametrize(("several", "avoid"), [(False, ""), (True, "a")])
def test_the_rest_is_asked_for_at_once_and_elsewhere_where_there_is_another(*, several: bool, avoid: str) -> None:
    house = House()
    house.several = several
    house.broken_off(100, 30)
    ((request, _),) = house.slow.pending
    assert (request.target, request.purpose, request.range) == (KEY, Purpose.OBJECT, "bytes=30-99")
    assert (request.if_range, request.loop, request.avoid) == (TAG, "above", avoid)
    assert request.arriving is house.fill
    assert (house.tally.fills.resumed, house.over) == (1, [])
    assert house.fill.joinable


def test_the_rest_of_a_range_is_counted_from_the_objects_start() -> None:
    house = House(text="bytes=10-")
    assert house.begin(90, 206, etag=TAG, content_range="bytes 10-99/100")
    house.fill.piece(bytes(30), AT)
    house.fill.ended(failure())
    assert house.slow.pending[0][0].range == "bytes=40-99"
    assert house.rest(60, etag=TAG, content_range="bytes 40-99/100").taken


def test_each_attempt_has_its_time() -> None:
    house = House().broken_off()
    now = AT
    for number, after in enumerate(RESUME_AFTER_S):
        if number:
            house.fill.handle_timeout(now + after - 0.01)
            assert not house.slow.pending
            house.fill.handle_timeout(now + after)
            house.fill.handle_timeout(now + after)
        now += after
        assert house.tally.fills.resumed == number + 1
        assert len(house.slow.pending) == 1
        house.slow.fail(KEY, now, Failure.CONNECT)
    assert (house.broken, house.grown.broken) == ({"connect": 1}, True)
    assert house.tally.fetches == {("object", "connect"): 4}
    house.fill.handle_timeout(now + 60)
    assert not house.slow.pending


@pytest.mark.parametrize(("length", "tag"), [(100, ""), (100, 'W/"v1"'), (100, "v1"), (None, TAG)])
def test_without_a_strong_tag_or_a_length_there_is_no_rest(length: int | None, tag: str) -> None:
    house = House().begun(length, **({"etag": tag} if tag else {}))
    house.fill.ended(failure())
    assert (house.broken, house.slow.pending) == ({"reset": 1}, [])


@pytest.mark.parametrize("who", ["nobody", "a reader", "who waits", "the store", "the store, but it is large"])
def test_the_rest_is_asked_for_where_somebody_wants_it(who: str) -> None:
    house = House(keep=who.startswith("the store")).begun(LARGE + 1 if "large" in who else 100, etag=TAG)
    if who == "a reader":
        house.grown.read(lambda: None)
    elif who == "who waits":
        house.viewer(range="bytes=50-")
    house.fill.ended(failure())
    assert len(house.slow.pending) == (0 if who == "nobody" or "large" in who else 1)


GOOD = {"etag": TAG, "content_range": "bytes 30-99/100"}


@pytest.mark.parametrize(
    ("status", "fields", "taken"),
    [
        (206, GOOD, True), (206, {**GOOD, "content_range": "bytes 30-99/*"}, True),
        (206, {**GOOD, "content_range": "bytes 30-99/101"}, False),
        (206, {**GOOD, "content_range": "bytes 29-99/100"}, False),
        (206, {**GOOD, "content_range": "bytes 31-99/100"}, False),
        (206, {**GOOD, "content_range": "bytes 30-98/100"}, False), (206, {**GOOD, "etag": '"v2"'}, False),
        (206, {**GOOD, "etag": f"W/{TAG}"}, False), (206, {"content_range": GOOD["content_range"]}, False),
        (206, {"etag": TAG}, False), (200, GOOD, False),
    ],
)  # fmt: skip
def test_only_the_rest_of_the_same_version_is_taken(status: int, fields: dict[str, str], *, taken: bool) -> None:
    house = House().broken_off(100, 30)
    upload = house.rest(70, status, **fields)
    assert upload.taken is taken
    upload.piece(bytes(70), AT + 1)
    assert house.grown.size == (100 if taken else 30)
    assert house.broken == ({} if taken else {"changed": 1})
    assert (house.slow.left, house.left) == ([] if taken else [KEY], 0), "the rest is left, not the first request"
    if taken:
        upload.end(AT + 2)
        assert house.over == ["close", "filled"]


def test_what_is_large_comes_as_fast_as_it_is_read_and_so_does_its_rest() -> None:
    house, size, total = House(), AHEAD_BYTES + 1, 4 * AHEAD_BYTES
    house.object_bytes = 2 * AHEAD_BYTES
    house.begun(total, etag=TAG)
    reader = house.grown.read(lambda: None)
    house.fill.piece(bytes(size), AT)
    assert house.tap.paused
    reader.take(size)
    assert not house.tap.paused
    house.fill.ended(failure())
    upload = house.rest(total - size, etag=TAG, content_range=f"bytes {size}-{total - 1}/{total}")
    upload.piece(bytes(size), AT + 1)
    assert (upload.paused, house.tap.paused) == (True, False)
    reader.take(size)
    assert not upload.paused


@pytest.mark.parametrize(
    ("status", "fields", "body", "how"),
    [
        (206, GOOD, bytes(70), "filled"), (206, {**GOOD, "etag": '"v2"'}, bytes(70), "changed"),
        (200, {"etag": TAG}, bytes(100), "changed"), (200, {"etag": TAG}, b"", "changed"),
        (412, {}, b"", "changed"), (416, {}, b"no", "changed"), (403, {}, b"no", "changed"),
        (206, GOOD, bytes(60), "again"), (404, {}, b"", "again"), (500, {}, b"oops", "again"), (503, {}, b"", "again"),
    ],
)  # fmt: skip
def test_an_answer_to_the_request_for_the_rest_that_comes_whole(
    status: int, fields: dict[str, str], body: bytes, how: str
) -> None:
    house = House().broken_off(100, 30)
    house.slow.answer(KEY, AT + 1, body, status, **fields)
    assert house.over == {"filled": ["close", "filled"], "changed": ["close"], "again": []}[how]
    assert house.broken == ({"changed": 1} if how == "changed" else {})
    assert house.tally.fetches == {("object", f"{status // 100}xx"): 1}
    house.fill.handle_timeout(AT + 1.25)
    assert len(house.slow.pending) == (1 if how == "again" else 0)


# -- time


@pytest.mark.parametrize("reads", [True, False])
def test_who_reads_or_waits_keeps_it_alive_and_the_time_begins_anew(*, reads: bool) -> None:
    house = House().begun(100)
    house.fill.handle_timeout(AT)
    reader = house.grown.read(lambda: None) if reads else None
    waits = house.viewer(range="bytes=50-") if not reads else None
    house.fill.handle_timeout(AT + 10 * UNREAD_S)
    if reader is not None:
        reader.cancel()
    if waits is not None and waits.waiter is not None:
        waits.waiter.cancel()
    house.fill.handle_timeout(AT + 11 * UNREAD_S)
    house.fill.handle_timeout(AT + 12 * UNREAD_S)
    assert not house.grown.over
    house.fill.handle_timeout(AT + 12 * UNREAD_S + 0.1)
    assert house.broken == {"unwanted": 1}


@pytest.mark.parametrize(("keep", "length"), [(False, 100), (True, LARGE + 1)])
def test_what_nobody_reads_and_will_not_be_kept_ends_at_once(*, keep: bool, length: int) -> None:
    house = House(keep=keep).begun(length)
    reader = house.grown.read(lambda: None)
    house.fill.handle_timeout(AT)
    assert not house.grown.over
    reader.cancel()
    house.fill.handle_timeout(AT)
    assert (house.broken, house.left) == ({"unwanted": 1}, 1)


def test_waiting_for_the_next_attempt_is_given_up_with_the_last_reader() -> None:
    house = House(keep=False).begun(100, etag=TAG)
    reader = house.grown.read(lambda: None)
    house.fill.ended(failure())
    house.slow.fail(KEY, AT, Failure.CONNECT)
    reader.cancel()
    house.fill.handle_timeout(AT + 0.1)
    assert house.broken == {"unwanted": 1}
    house.fill.handle_timeout(AT + 60)
    assert (house.slow.pending, house.tally.fills.resumed) == ([], 1)
