"""A playlist as players use it."""

from __future__ import annotations

import pytest
from tests.viewers_kit import UNIX, Stream

from headwater.loadtest.players.address import address
from headwater.loadtest.players.view import KEYS, View
from headwater.origin.hls import reader
from headwater.origin.hls.attributes import PlaylistError

PLACE = address("http://h/live/v/index.m3u8")
HEAD = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:10\n"


def view(text: str, anchor: View | None = None) -> View:
    return View(PLACE, reader.read(text), anchor)


def test_parts_where_there_are_some_else_segments() -> None:
    found = view(Stream(window=6).playlist(42, ended=False, skip=False))
    # Segments 4 to 9, of which 7 to 9 have parts, and the open segment 10 with two
    assert [unit.key for unit in found.units[:5]] == [4 * KEYS, 5 * KEYS, 6 * KEYS, 7 * KEYS, 7 * KEYS + 1]
    assert [unit.whole for unit in found.units[:4]] == [True, True, True, False]
    assert found.next_key == 10 * KEYS + 2
    assert found.edge == UNIX + 42
    assert found.end(whole=True) == (UNIX + 40, UNIX + 40, 10 * KEYS)
    last_of_9 = found.find(9 * KEYS + 3, whole=False)
    assert last_of_9 is not None
    assert (last_of_9.start, last_of_9.end, last_of_9.next_key) == (UNIX + 39, UNIX + 40, 10 * KEYS)
    assert found.hint is not None
    assert found.hint.target == b"/live/v/p42.m4s"
    assert found.reports["http://h/live/audio/index.m3u8"] == (10, 1)


def test_finding() -> None:
    found = view(Stream(window=6).playlist(42, ended=False, skip=False))
    key = found.next_key
    assert found.find(key, whole=False) is None, "not published yet"
    gone = found.find(2 * KEYS + 1, whole=False)
    assert gone is not None
    assert gone.key == 4 * KEYS, "what left the window: the first that is left"
    short = found.find(8 * KEYS + 7, whole=False)
    assert short is not None
    assert short.key == 9 * KEYS, "past the end of a segment: the next one (rule 82)"
    assert found.find(10 * KEYS, whole=True) is None


@pytest.mark.parametrize(("time", "start"), [(39.5, 36.0), (36.0, 36.0), (35.9, 32.0), (0.0, 16.0), (99.0, 40.0)])
def test_a_start_is_independent(time: float, start: float) -> None:
    unit = view(Stream(window=6).playlist(42, ended=False, skip=False)).at(UNIX + time, whole=False)
    assert unit is not None
    assert unit.start == UNIX + start


def test_after_a_switch_it_goes_on_at_the_segment() -> None:
    found = view(Stream(window=6).playlist(42, ended=False, skip=False))
    unit = found.after(UNIX + 36.02, whole=False)
    assert unit is not None
    assert unit.key == 9 * KEYS
    assert found.after(UNIX + 44, whole=False) is None


def test_directives() -> None:
    found = view(Stream(skips=True).playlist(42, ended=False, skip=False))
    assert found.ask(skip=False) == b"/live/v/index.m3u8?_HLS_msn=10&_HLS_part=2"
    assert found.ask(skip=True) == b"/live/v/index.m3u8?_HLS_msn=10&_HLS_part=2&_HLS_skip=YES"
    plain = view(Stream(parts=False).playlist(40, ended=False, skip=False))
    assert plain.ask(skip=False) == b"/live/v/index.m3u8?_HLS_msn=10"


def test_hold_backs() -> None:
    assert view(Stream().playlist(42, ended=False, skip=False)).hold_back(whole=False) == 3.0
    assert view(Stream().playlist(42, ended=False, skip=False)).hold_back(whole=True) == 12.0
    told = view(HEAD + "#EXT-X-SERVER-CONTROL:HOLD-BACK=13.5\n#EXTINF:4,\na.ts\n")
    assert told.hold_back(whole=False) == 13.5


def test_dates_in_the_middle_count_in_both_directions() -> None:
    found = view(HEAD + "#EXTINF:4,\na\n#EXT-X-PROGRAM-DATE-TIME:2027-01-15T08:00:00Z\n#EXTINF:3,\nb\n#EXTINF:2,\nc\n")
    assert [unit.start - UNIX for unit in found.units] == [-4.0, 0.0, 3.0]


def test_without_dates_the_line_goes_on_from_version_to_version() -> None:
    first = view(HEAD + "#EXTINF:4,\na\n#EXTINF:3,\nb\n")
    assert not first.dated
    second = view(HEAD.replace(":10", ":11") + "#EXTINF:3,\nb\n#EXTINF:2,\nc\n", first)
    assert [unit.start for unit in second.units] == [4.0, 7.0]
    later = view(HEAD.replace(":10", ":90") + "#EXTINF:3,\nb\n", second)
    assert [unit.start for unit in later.units] == [9.0]


def test_byte_ranges() -> None:
    text = (
        HEAD
        + '#EXT-X-PART-INF:PART-TARGET=1\n#EXT-X-PART:DURATION=1,URI="s",BYTERANGE="100@0"\n'
        + '#EXT-X-PART:DURATION=1,URI="s",BYTERANGE="50"\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI="s",BYTERANGE-START=150\n'
    )
    found = view(text)
    assert [unit.range for unit in found.units] == [b"Range: bytes=0-99\r\n", b"Range: bytes=100-149\r\n"]
    assert found.hint_range == b"Range: bytes=150-\r\n"


def test_gaps() -> None:
    found = view(Stream(gaps=frozenset({41})).playlist(42, ended=False, skip=False))
    assert (found.edge, found.filled) == (UNIX + 42, UNIX + 41)


def test_an_empty_playlist_is_one() -> None:
    found = view(HEAD)
    assert found.units == ()
    assert found.at(0.0, whole=False) is None
    assert found.next_key == 10 * KEYS


def test_addresses_that_are_none_are_refused() -> None:
    with pytest.raises(PlaylistError):
        view(HEAD + "#EXTINF:4,\nftp://h/a\n")
