"""What is known of the disk: bounded, in the order of use, and what a purge means before all of it is known."""

from __future__ import annotations

import pytest

from headwater.edge import diskindex
from headwater.edge.diskindex import BLOCK, DiskIndex, DiskRules
from headwater.edge.entities import local
from headwater.edge.message import Entity
from headwater.edge.overrides import Kind
from headwater.edge.purge import Scope


def put(
    index: DiskIndex, key: str, size: int = 1_000, version: str | None = '"1"', fresh_until: float = 100.0
) -> list[str]:
    return index.put(key, size, version, fresh_until)


def test_bytes_are_counted_in_blocks_and_bounded() -> None:
    index = DiskIndex(3 * BLOCK)
    assert put(index, "/a") == put(index, "/b") == []
    index.touch("/a")
    assert put(index, "/c", BLOCK + 1) == ["/b"]
    assert index.bytes == 3 * BLOCK
    assert put(index, "/c", 10) == [], "in place of what was there"
    assert index.bytes == 2 * BLOCK
    assert put(index, "/d", 9 * BLOCK) == ["/a", "/c", "/d"], "larger than all there is"
    assert (index.bytes, len(index)) == (0, 0)


def test_a_device_that_has_less_room_gets_some_back() -> None:
    index = DiskIndex(1 << 30)
    for key in ("/a", "/b", "/c"):
        put(index, key)
    assert index.give_back(1) == ["/a"]
    put(index, "/d")
    assert len(index) == 3, "how much there is is not known before the scan is through"
    index.end_scan()
    assert index.give_back(BLOCK + 1) == ["/b", "/c"]
    assert put(index, "/e") == ["/d"]
    assert index.give_back(1 << 30) == ["/e"]
    assert index.give_back(1) == []
    assert put(index, "/f") == [], "with nothing of ours there, room is not ours to give"


def test_their_number_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diskindex, "MAX_ENTRIES", 2)
    index = DiskIndex(1 << 30)
    assert [put(index, key) for key in ("/a", "/b", "/c")] == [[], [], ["/a"]]


def test_what_is_not_known_may_be_there_until_the_scan_is_through() -> None:
    index = DiskIndex(1 << 30)
    assert index.may_have("/a")
    assert index.found("/a", 10, None, 0.0) == []
    index.end_scan()
    assert index.may_have("/a")
    assert not index.may_have("/b")


def test_what_the_scan_finds_is_older_than_what_is_known_and_the_newest_comes_first() -> None:
    index = DiskIndex(4 * BLOCK)
    put(index, "/now")
    for key in ("/newest", "/middle", "/oldest"):
        assert index.found(key, 10, None, 0.0) == []
    assert index.found("/too-old", 10, None, 0.0) == ["/too-old"]
    assert index.found("/now", 10, None, 0.0) == []
    assert put(index, "/next") == ["/oldest"]
    assert put(index, "/next2") == ["/middle"]


def test_a_purge_counts_for_what_the_scan_finds_later() -> None:
    index = DiskIndex(1 << 30)
    put(index, "/a/1")
    put(index, "/b/1")
    assert index.purge(Scope(prefixes=("/a/",))) == ["/a/1"]
    assert not index.may_have("/a/2")
    assert index.may_have("/b/2")
    assert index.found("/a/2", 10, None, 0.0) == ["/a/2"]
    assert index.found("/b/2", 10, None, 0.0) == []
    put(index, "/a/3")
    assert index.may_have("/a/3"), "written since"
    index.end_scan()
    assert len(index) == 3


def test_after_too_many_purges_nothing_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diskindex, "MAX_SCOPES", 2)
    index = DiskIndex(1 << 30)
    for number in range(3):
        index.purge(Scope(paths=frozenset((f"/{number}",))))
    assert not index.may_have("/other")
    assert index.found("/other", 10, None, 0.0) == ["/other"]


def test_what_is_there_already_is_not_written_again() -> None:
    index = DiskIndex(1 << 30)
    put(index, "/a", version='"1"', fresh_until=100.0)
    assert index.current("/a", '"1"', 100.5)
    assert not index.current("/a", '"1"', 200.0), "confirmed since"
    assert not index.current("/a", '"2"', 100.0)
    put(index, "/b", version=None)
    assert not index.current("/b", None, 100.0)


def test_what_is_worth_the_disk() -> None:
    rules = DiskRules(1_000_000, 100, 1_000)

    def wants(
        size: int, kind: Kind = Kind.SEGMENT, lifetime: float = 1.0, etag: str | None = None, status: int = 200
    ) -> bool:
        return rules.wants(Entity(status, (), b"x" * size, 0.0, lifetime=lifetime, etag=etag), kind)

    assert wants(100) and wants(1_000)
    assert not wants(99) and not wants(1_001)
    assert wants(10, Kind.INIT), "small, and no segment plays without"
    assert not wants(100, Kind.PART) and not wants(100, Kind.PLAYLIST) and not wants(100, Kind.OTHER)
    assert not wants(100, lifetime=0.0)
    assert wants(100, lifetime=0.0, etag='"1"')
    assert not wants(100, status=404) and not wants(100, status=206)
    assert not rules.wants(local(200, "x" * 200), Kind.SEGMENT)
