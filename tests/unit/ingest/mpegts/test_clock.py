from __future__ import annotations

from fractions import Fraction

from headwater.ingest.mpegts.clock import PictureClock, Times

WRAP = 1 << 33


def test_stamped_pictures_are_where_they_say() -> None:
    clock = PictureClock()
    assert clock.place(Times(7_200, 3_600)) == (3_600, 7_200)
    assert clock.place(Times(5_000, None)) == (5_000, 5_000)
    assert clock.place(Times(None, 8_600)) == (8_600, 8_600)


def test_without_stamps_they_follow_at_the_measured_step() -> None:
    clock = PictureClock()
    assert clock.place(Times(None, None)) is None
    clock.set_rate(Fraction(50))
    assert clock.place(Times(0, 0)) == (0, 0)
    assert clock.place(Times(None, None)) == (1_800, 1_800)
    assert clock.place(Times(6_000, 4_800)) == (4_800, 6_000)
    assert clock.place(Times(None, None)) == (7_800, 9_000)


def test_without_a_rate_it_is_25_a_second() -> None:
    clock = PictureClock()
    clock.set_rate(None)
    clock.place(Times(0, 0))
    assert clock.place(Times(None, None)) == (3_600, 3_600)


def test_pauses_and_jumps_are_no_step() -> None:
    clock = PictureClock()
    for pts in (WRAP - 1_500, 0, 900_000, 5):
        clock.place(Times(pts, None))
    assert clock.place(Times(None, None)) == (1_505, 1_505)
