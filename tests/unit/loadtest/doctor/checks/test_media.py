"""Files that are not in the library of broken streams."""

from __future__ import annotations

from dataclasses import replace

from tests.doctor_records import MEDIA_URL, answer, media, recording, rendition, rules

from headwater.loadtest.doctor.checks.media import check
from headwater.loadtest.doctor.looks import Access, Form, Fragment, Init, Look, Sample, TrackLook
from headwater.loadtest.doctor.urls import absolute
from headwater.loadtest.doctor.values import File, FileKind, Recording, key_of

VIDEO = TrackLook(1, "vide", 90_000, "avc1", codec="avc1.64001f")
AUDIO = TrackLook(2, "soun", 48_000, "mp4a", codec="mp4a.40.2")


def fragment(start_s: float, seconds: float, fps: int = 25) -> Fragment:
    step = 90_000 // fps
    first = round(start_s * 90_000)
    samples = [
        Sample(first + n * step, first + n * step, step, 1_000, n == 0, Access.NONE if n else Access.KEY, b"%d" % n)
        for n in range(round(seconds * fps))
    ]
    return Fragment(1, 1, first, tuple(samples), True)


def made(*tracks: TrackLook, fps: int = 25, hole: float = 0.0, text: str = "") -> Recording:
    """Eight segments of four seconds, one file each."""
    record = rendition(text or media(), url=MEDIA_URL)
    key = key_of(absolute(MEDIA_URL, "init.mp4"), None)
    record.files[key] = File(FileKind.INIT, key, answer(), 700, b"i", init=Init(tracks or (VIDEO,)))
    for n in range(8):
        name = key_of(absolute(MEDIA_URL, f"s{100 + n}.m4s"), None)
        look = Look(Form.FMP4, (fragment(n * 4 + (hole if n > 3 else 0), 4, fps),))
        record.files[name] = File(FileKind.SEGMENT, name, answer(), 100_000, b"%d" % n, look=look)
    return recording(record)


def test_good() -> None:
    assert rules(check, made()) == set()


def test_several_tracks() -> None:
    assert rules(check, made(VIDEO, AUDIO)) == {201}


def test_too_many_frames() -> None:
    assert rules(check, made(fps=100)) == {185}


def test_a_hole_and_a_hole_that_is_a_discontinuity() -> None:
    assert rules(check, made(hole=1.0)) == {204}
    text = media().replace(
        "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:06:56",
        "#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:06:56",
    )
    assert "DISCONTINUITY" in text
    assert rules(check, made(hole=1.0, text=text)) == set()


def test_other_forms_are_noted() -> None:
    record = made()
    for key, file in list(record.renditions[0].files.items()):
        if file.kind is FileKind.SEGMENT:
            record.renditions[0].files[key] = replace(file, look=Look(Form.TS))
    assert rules(check, record) == set()
    assert record.notes == ["source: MPEG-TS media is not looked into"]


def test_files_that_fail() -> None:
    record = made()
    key = key_of(absolute(MEDIA_URL, "s103.m4s"), None)
    file = record.renditions[0].files[key]
    record.renditions[0].files[key] = replace(file, answer=answer(status=404), look=None)
    assert rules(check, record) == {21}


def test_segments_that_begin_without_a_keyframe() -> None:
    record = made(text=media(head="#EXT-X-INDEPENDENT-SEGMENTS"))
    key = key_of(absolute(MEDIA_URL, "s103.m4s"), None)
    file = record.renditions[0].files[key]
    assert file.look is not None
    one = file.look.fragments[0]
    first = replace(one.samples[0], access=Access.NONE)
    look = replace(file.look, fragments=(replace(one, samples=(first, *one.samples[1:])),))
    record.renditions[0].files[key] = replace(file, look=look)
    assert rules(check, record) == {182}
