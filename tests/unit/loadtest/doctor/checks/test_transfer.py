from __future__ import annotations

from dataclasses import replace

import pytest
from tests.doctor_records import HEADERS, answer, media, probe, recording, rendition, rules

from headwater.loadtest.doctor.checks.transfer import check, lifetime
from headwater.loadtest.doctor.values import File, FileKind, ProbeKind, Recording

NOW = media(8, parts=4, opened=2)


def made(**changes: str) -> Recording:
    record = recording(rendition(NOW))
    record.entry = answer(record.url, headers={**HEADERS, **changes})
    return record


def test_good() -> None:
    assert rules(check, made()) == set()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("", None), ("no-store", 0), ("private, max-age=5", 0), ("public, max-age=5", 5), ("MAX-AGE=5", 5),
        ("max-age=0, s-maxage=7", 7), ("max-age=9999999999999999999", 999999999999), ("x=1", None),
    ],
)  # fmt: skip
def test_lifetimes(value: str, seconds: int | None) -> None:
    assert lifetime(answer(headers={"cache-control": value})) == seconds


def test_a_gap_that_hangs() -> None:
    record = made()
    record.renditions[0].probes.append(probe(ProbeKind.GAP_FILE, status=404))
    assert rules(check, record) == set()
    record.renditions[0].probes.append(probe(ProbeKind.GAP_FILE, status=0))
    assert rules(check, record) == {120}


def test_byte_ranges() -> None:
    record = made()
    key = ("http://h/a.m4s", 100, 50)
    headers = {**HEADERS, "content-type": "video/mp4", "content-range": "bytes 100-149/1000"}
    good = File(FileKind.PART, key, answer(status=206, headers=headers), 50, b"")
    record.renditions[0].files[key] = good
    assert rules(check, record) == set()
    record.renditions[0].files[key] = replace(good, size=49)
    assert rules(check, record) == {141}
    record.renditions[0].files[key] = replace(good, answer=answer(status=200, headers=headers))
    assert rules(check, record) == {141}


def test_playlists_that_do_not_come() -> None:
    record = made()
    record.renditions[0].versions.append(replace(record.renditions[0].versions[0], answer=answer(status=502)))
    assert rules(check, record) == {301}
    given_up = answer(status=503, headers={"retry-after": "1"})
    record.renditions[0].versions[-1] = replace(record.renditions[0].versions[0], answer=given_up)
    assert rules(check, record) == set()


def test_http2() -> None:
    record = made()
    record.http2 = None
    assert rules(check, record) == {138}
    plain = recording(rendition(media()))
    plain.http2 = None
    assert rules(check, plain) == set()
