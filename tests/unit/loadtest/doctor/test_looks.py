from __future__ import annotations

from headwater.loadtest.doctor.looks import Access, Fragment, Init, Sample, TrackLook


def test_times_of_a_fragment() -> None:
    samples = tuple(Sample(100 + 10 * n, 110, 10, 5, True, Access.KEY, b"") for n in range(3))
    fragment = Fragment(1, 1, 100, samples, True)
    assert (fragment.start, fragment.duration, fragment.end) == (100, 30, 130)
    assert Fragment(1, 1, None, samples, True).start == 0


def test_tracks() -> None:
    init = Init((TrackLook(1, "vide", 90_000, "avc1"), TrackLook(2, "soun", 48_000, "mp4a")))
    found = init.track(2)
    assert found is not None
    assert found.entry == "mp4a"
    assert init.track(3) is None
