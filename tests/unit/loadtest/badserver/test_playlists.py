"""The playlists of the good server and of one with wrong durations and dates."""

from __future__ import annotations

import pytest

from headwater.loadtest.badserver.faults import Faults
from headwater.loadtest.badserver.playlists import Line, entry
from headwater.loadtest.badserver.shape import Rendition, Shape, part_name
from headwater.origin.hls import multivariant, reader, writer
from headwater.origin.hls.model import MediaPlaylist

FIRST = 4_000
MS = FIRST * 500


def made(last: int, *faults: str, rendition: Rendition = Rendition.HD) -> MediaPlaylist:
    line = Line(Shape(500, 4), Faults.of(faults), rendition)
    for number in range(FIRST, last + 1):
        line.add(number)
    return reader.read(writer.render(line.playlist(last)))


def test_the_last_part_comes_with_its_segment() -> None:
    third, fourth = made(FIRST + 10), made(FIRST + 11)
    assert third.open is not None
    assert [part.uri for part in third.open.parts] == [part_name(FIRST + n) for n in (8, 9, 10)]
    assert [part.independent for part in third.open.parts] == [True, False, False]
    assert fourth.open is None
    assert (fourth.last_msn, fourth.segments[-1].duration) == (FIRST // 4 + 2, 2.0)
    assert [hint.uri for hint in fourth.hints] == [part_name(FIRST + 12)]
    assert [(r.uri, r.last_msn, r.last_part) for r in fourth.reports] == [
        (f"../{name}/index.m3u8", FIRST // 4 + 2, 3) for name in ("sd", "audio")
    ]
    assert [segment.date_us for segment in fourth.segments] == [1_000 * (MS + 2_000 * n) for n in range(3)]


def test_the_window_slides_and_parts_leave_before_it() -> None:
    shape = Shape(500, 4)
    playlist = made(FIRST + 4 * (shape.window + 5) - 1)
    assert len(playlist.segments) == shape.window
    assert playlist.media_sequence == FIRST // 4 + 5
    assert [bool(segment.parts) for segment in playlist.segments[-5:]] == [False, True, True, True, True]


def test_all_audio_parts_are_independent() -> None:
    playlist = made(FIRST + 6, rendition=Rendition.AUDIO)
    assert playlist.open is not None
    assert all(part.independent for part in playlist.open.parts)


def test_durations_and_dates_are_wrong_by_what_was_told() -> None:
    playlist = made(FIRST + 11, "pace=1.5", "drift=-250")
    segment = playlist.segments[-1]
    assert (segment.duration, playlist.part_target, playlist.target_duration) == (3.0, 0.75, 3)
    assert playlist.control.part_hold_back == 2.25
    assert segment.date_us == 1_000 * (MS + 2 * 2_000 - 250)


@pytest.mark.parametrize("part_ms", [200, 1_000])
def test_the_entry_names_every_rendition(part_ms: int) -> None:
    shape = Shape(part_ms)
    playlist = multivariant.read(entry(shape))
    assert [variant.uri for variant in playlist.variants] == ["hd/index.m3u8", "sd/index.m3u8"]
    assert [media.uri for media in playlist.media] == ["audio/index.m3u8"]
    assert playlist.variants[0].bandwidth == 22_000 * 8_000 // part_ms
