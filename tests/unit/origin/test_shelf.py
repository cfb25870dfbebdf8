"""Names to bytes: found, hinted, gone, unknown, and when they go."""

from __future__ import annotations

from headwater.origin.hls.model import Segment
from headwater.origin.shelf import Found, Gone, HintedName, MediaKind, Shelf, Stored, Unknown


def shelf() -> tuple[Shelf, Stored]:
    shelf = Shelf(60.0)
    shelf.add_init("init-1.mp4", b"init")
    stored = Stored(Segment(5, None, 0.0, map=shelf.use_init("init-1.mp4")), "s100.m4s", 100, "init-1.mp4")
    shelf.add_part(stored, "p100.m4s", b"one")
    shelf.add_part(stored, "p200.m4s", b"")
    shelf.add_part(stored, "p300.m4s", b"three")
    return shelf, stored


def test_names_are_found_with_their_kind() -> None:
    names, stored = shelf()
    assert names.find("init-1.mp4", "", stored, 0) == Found((b"init",), MediaKind.INIT, 4, 60.0)
    assert names.find("p100.m4s", "", stored, 0) == Found((b"one",), MediaKind.PART, 3, 60.0)
    assert names.find("s100.m4s", "", stored, 0) == Unknown()
    names.add_segment(stored)
    assert names.find("s100.m4s", "", stored, 0) == Found((b"one", b"three"), MediaKind.SEGMENT, 8, 60.0)
    assert names.size == 8


def test_other_names_are_refused_at_once_or_held() -> None:
    names, stored = shelf()
    assert names.find("p200.m4s", "", stored, 0) == Gone()  # GAP
    assert names.find("p400.m4s", "p400.m4s", stored, 0) == HintedName()
    assert names.find("p500.m4s", "p400.m4s", stored, 0) == Unknown()
    assert names.find("p50.m4s", "p400.m4s", stored, 0) == Gone()
    assert names.find("s99.m4s", "p400.m4s", stored, 0) == Gone()
    assert names.find("", "", stored, 0) == Unknown()
    assert names.find("p50.m4s\n", "", stored, 0) == Unknown()
    assert names.find("index.m3u8", "", None, 0) == Unknown()


def test_kept_bytes_stay_until_their_time_and_then_take_the_names_with_them() -> None:
    names, stored = shelf()
    names.add_segment(stored)
    names.add_init("init-2.mp4", b"other")
    names.keep(stored, 70.0)
    names.expire(69.0)
    found = names.find("s100.m4s", "", None, 69.0)
    assert isinstance(found, Found) and found.available_s == 1.0
    names.expire(70.0)
    assert names.size == 0
    later = Stored(Segment(6, None, 0.0), "s400.m4s", 400, "init-2.mp4")
    for name in ("s100.m4s", "p100.m4s", "p300.m4s"):
        assert names.find(name, "", later, 70.0) == Gone()
    assert names.find("init-1.mp4", "", later, 70.0) == Unknown()
    assert isinstance(names.find("init-2.mp4", "", later, 70.0), Found)
    assert not names.drop_kept()


def test_an_init_section_is_one_map_object_however_often_it_is_used() -> None:
    names, stored = shelf()
    names.add_init("init-1.mp4", b"init")
    assert names.use_init("init-1.mp4") is stored.segment.map
