from __future__ import annotations

from tests.doctor_records import media, recording, rendition, rules

from headwater.loadtest.doctor.checks.dates import check, numbers
from headwater.origin.hls import reader


def found(*texts: str) -> set[int]:
    return rules(check, recording(rendition(*texts)))


def undated(text: str) -> str:
    return "".join(line + "\n" for line in text.split("\n") if line and "DATE-TIME" not in line)


def test_good() -> None:
    assert found(media(), media(first=101)) == set()


def test_no_dates() -> None:
    assert found(undated(media())) == {113}


def test_dates_in_some_playlists_only() -> None:
    made = recording(rendition(media()), rendition(undated(media()), name="audio"))
    assert rules(check, made) == {113, 114}


def test_a_jump_and_a_drift() -> None:
    text = media()
    assert found(text.replace("T00:07:00", "T00:07:02")) == {115}
    drift = text
    for second, moved in (("06:44", "06:44.3"), ("06:48", "06:48.6"), ("06:52", "06:52.9"), ("06:56", "06:57.2")):
        drift = drift.replace(f"T00:{second}.000", f"T00:{moved}00")
    assert drift != text
    assert found(drift) == {115}


def test_discontinuity_numbers() -> None:
    text = media().replace("#EXTINF:4.000,\ns103", "#EXT-X-DISCONTINUITY\n#EXTINF:4.000,\ns103")
    found_numbers = numbers(reader.read(text))
    assert (found_numbers[102], found_numbers[103], found_numbers[107]) == (0, 1, 1)
    slid = media(first=104)
    assert found(text, slid) == {117}
    assert found(text, slid.replace("#EXT-X-MAP", "#EXT-X-DISCONTINUITY-SEQUENCE:1\n#EXT-X-MAP", 1)) == set()


def test_renditions_that_are_apart() -> None:
    made = recording(rendition(media()), rendition(media().replace(".000Z", ".500Z"), name="audio"))
    assert rules(check, made) == {181}
