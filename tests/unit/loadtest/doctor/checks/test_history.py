from __future__ import annotations

from tests.doctor_records import media, recording, rendition, rules, version

from headwater.loadtest.doctor.checks.history import check
from headwater.loadtest.doctor.values import RenditionRecord


def found(*texts: str) -> set[int]:
    return rules(check, recording(rendition(*texts)))


def test_going_forward() -> None:
    texts = [media(9, parts=4, opened=n, first=100) for n in (1, 2, 3)]
    assert found(*texts, media(9, first=101, parts=4, opened=1)) == set()


def test_tags_of_parts_that_stay() -> None:
    assert found(media(12, parts=4, parts_on=12, opened=1)) == {57}
    assert found(media(3, parts=4, opened=1)) == set()


def test_what_was_listed_changes() -> None:
    text = media(parts=4, opened=2)
    assert found(text, text.replace("#EXTINF:4.000,\ns103", "#EXTINF:3.999,\ns103")) == {14}
    assert found(text, media(parts=4, opened=1)) == {14}
    assert found(text, text.replace('1.000,URI="p107.2', '0.900,URI="p107.2')) == {14}
    assert found(media(8), media(7)) == {14}
    assert found(text, text.replace("s103.m4s", "other.m4s")) == {22}
    assert found(text, text.replace("s103.m4s", "s103.m4s?token=2")) == set()


def test_numbers() -> None:
    assert found(media(first=100), media(first=90)) == {12}
    moved = media(first=100).replace("MEDIA-SEQUENCE:100", "MEDIA-SEQUENCE:101")
    assert found(media(first=100), moved) == {12}


def test_a_name_in_two_places() -> None:
    text = media(parts=4, opened=2)
    assert found(text.replace("p106.1.m4s", "p105.1.m4s")) == {23}


def at(*times: tuple[float, str]) -> set[int]:
    made = recording(RenditionRecord("source", "u", versions=[version(text, time) for time, text in times]))
    return rules(check, made)


def test_pace() -> None:
    one, two, three = media(9), media(9, first=101), media(9, first=102)
    assert at((0, one), (4, two), (8, three)) == set()
    assert at((0, one), (4, two), (14, three)) == {19}
    assert at((0, one), (20, one)) == {19}
    parts = [media(9, parts=4, opened=n) for n in (1, 2, 3)]
    assert at((0, parts[0]), (1, parts[1]), (2, parts[2])) == set()
    assert at((0, parts[0]), (1, parts[1]), (4.5, parts[2])) == {49}
    assert at() == set()
