"""The disk before the upstream, on a stepped clock."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.edge_kit import UNIX, OnePath, Quiet, Script, Viewer, statuses

from headwater.edge.core import Core, CoreLimits
from headwater.edge.diskfirst import DiskFirst
from headwater.edge.diskformat import Record
from headwater.edge.message import Cancel, Failure, Outcome

KEY = "/live/x/s1.m4s"
FIELDS = (("content-type", "video/mp4"), ("cache-control", "max-age=60"), ("etag", '"1"'))


class Shelf:
    """A disk whose reads end when the test says so."""

    def __init__(self) -> None:
        self.there: dict[str, tuple[Record, bytes]] = {}
        self.reads: list[tuple[str, Callable[[Record | None, bytes], None]]] = []
        self.dropped: list[str] = []

    def may_have(self, key: str) -> bool:
        return key in self.there

    def read(self, key: str, came: Callable[[Record | None, bytes], None]) -> Cancel:
        entry = (key, came)
        self.reads.append(entry)
        return lambda: self.reads.remove(entry)

    def drop(self, key: str) -> None:
        self.dropped.append(key)

    def come(self, *, missing: bool = False) -> None:
        key, came = self.reads.pop(0)
        record, body = self.there[key]
        came(None, b"") if missing else came(record, body)


class Setup:
    """A core with a disk before its upstream. The object on it came at UNIX and was fresh for 60 s."""

    def __init__(self, **fields: float) -> None:
        self.now = 10.0
        self.script, self.shelf = Script(), Shelf()
        record = Record(KEY, FIELDS, UNIX, 0.0, UNIX + 60, UNIX + fields.get("usable", 1e6), '"1"', None)
        self.shelf.there[KEY] = (record, b"from the disk")
        first = DiskFirst(self.script, self.shelf, lambda: (self.now, UNIX + self.now))
        limits = CoreLimits("edge", 10_000_000, 1_000, 10, 30.0, b"k" * 32)
        self.core = Core(limits, first, Quiet(), lambda: True, OnePath(), "edge-id")

    def get(self, now: float, key: str = KEY, range: str | None = None) -> Viewer:  # noqa: A002
        self.now = now
        return Viewer(self.core).get(key, now, range=range)


def test_many_viewers_are_one_read_and_no_upstream_request() -> None:
    setup = Setup()
    viewers = [setup.get(10.0) for _ in range(50)]
    ranged = setup.get(10.0, range="bytes=0-3")
    assert len(setup.shelf.reads) == 1
    setup.shelf.come()
    assert statuses(viewers) == [200] * 50
    assert viewers[0].body == b"from the disk"
    assert ranged.body == b"from"
    assert {viewer.answer.outcome for viewer in viewers} == {Outcome.HIT}
    assert viewers[0].answer.age == 10
    assert not setup.script.seen
    assert setup.core.tally.fetches == {}
    assert setup.get(59.0).answer.outcome is Outcome.HIT
    assert not setup.shelf.reads, "in memory now"


def test_what_is_not_there_after_all_is_fetched() -> None:
    setup = Setup()
    viewer = setup.get(10.0)
    setup.shelf.come(missing=True)
    request = setup.script.answer(KEY, 10.5, b"from above", 200, cache_control="max-age=60")
    assert request.etag is None
    assert viewer.body == b"from above"
    assert setup.core.tally.fetches == {("object", "2xx"): 1}


def test_what_is_not_on_disk_is_not_looked_for() -> None:
    setup = Setup()
    setup.get(10.0, "/other.m4s")
    assert setup.script.targets == ["/other.m4s"]


def test_what_is_stale_is_revalidated_and_a_304_gives_it_a_new_life() -> None:
    setup = Setup()
    viewer = setup.get(100.0)
    setup.shelf.come()
    request = setup.script.answer(KEY, 100.1, status=304, cache_control="max-age=30", date="now", x_new="no")
    assert request.etag == '"1"'
    assert viewer.body == b"from the disk"
    assert viewer.answer.age == 0
    assert viewer.header("Cache-Control") == "max-age=30"
    assert viewer.header("ETag") == '"1"'
    assert viewer.header("X-New") is None
    assert setup.get(130.0).answer.outcome is Outcome.HIT
    assert not setup.shelf.dropped


def test_another_version_is_taken_and_the_old_one_dropped() -> None:
    setup = Setup()
    viewer = setup.get(100.0)
    setup.shelf.come()
    setup.script.answer(KEY, 100.1, b"new", 200, cache_control="max-age=30")
    assert viewer.body == b"new"
    assert setup.shelf.dropped == [KEY]


def test_what_the_upstream_has_no_more_is_no_more() -> None:
    setup = Setup()
    viewer = setup.get(100.0)
    setup.shelf.come()
    setup.script.answer(KEY, 100.1, b"", 404)
    assert viewer.status == 404
    assert setup.shelf.dropped == [KEY]


@pytest.mark.parametrize("failure", [Failure.CONNECT, None])
def test_rule_163_segments_are_served_stale_while_the_upstream_fails(failure: Failure | None) -> None:
    setup = Setup()
    viewers = [setup.get(100.0) for _ in range(2)]
    setup.shelf.come()
    if failure is not None:
        setup.script.fail(KEY, 100.1, failure)
    else:
        setup.script.answer(KEY, 100.1, b"", 503)
    assert [viewer.body for viewer in viewers] == [b"from the disk"] * 2
    assert viewers[0].answer.outcome is Outcome.STALE
    assert viewers[0].answer.age == 100
    assert not setup.shelf.dropped


def test_what_may_not_be_served_stale_is_not() -> None:
    setup = Setup(usable=90.0)
    viewer = setup.get(100.0)
    setup.shelf.come()
    setup.script.fail(KEY, 100.1, Failure.CONNECT)
    assert viewer.status == 502


def test_what_is_in_memory_but_stale_is_revalidated_with_the_upstream_not_read_again() -> None:
    setup = Setup()
    setup.get(10.0)
    setup.shelf.come()
    setup.get(100.0)
    assert not setup.shelf.reads
    assert setup.script.pending[0][0].etag == '"1"'


def test_nobody_is_answered_after_the_end() -> None:
    setup = Setup()
    viewer = setup.get(10.0)
    setup.core.stop()
    assert not setup.shelf.reads
    assert not viewer.answers
    setup = Setup()
    setup.get(100.0)
    setup.shelf.come()
    setup.core.stop()
    assert not setup.script.pending


def test_what_is_stale_on_disk_is_set_against_a_whole_answer() -> None:
    """A body that goes out while it comes could not be taken back for what is on the disk."""
    setup = Setup()
    setup.get(70.0)
    setup.shelf.come()
    ((request, _),) = setup.script.pending
    assert (request.etag, request.arriving) == ('"1"', None)
    other = Setup()
    other.get(10.0)
    other.shelf.come(missing=True)
    ((request, _),) = other.script.pending
    assert request.arriving is not None
