"""Rules 102 to 112: what a delta update leaves out, and that it can be put back."""

from __future__ import annotations

import functools
from dataclasses import replace

import pytest
from tests.unit.origin.hls.playlists import live

from headwater.origin.hls.attributes import PlaylistError
from headwater.origin.hls.delta import delta_of, merge
from headwater.origin.hls.directives import Skip
from headwater.origin.hls.model import MediaPlaylist, ServerControl
from headwater.origin.hls.reader import read
from headwater.origin.hls.writer import render


def test_skips_only_past_the_boundary() -> None:
    """Rule 103: the distance of each segment's end from the end of the last complete segment."""
    delta = delta_of(live())
    assert delta.skipped == 17
    assert delta.segments[0].msn == 117
    skipped_end = sum(segment.duration for segment in delta.segments)
    assert skipped_end > 24
    assert skipped_end - delta.segments[0].duration <= 24
    assert (delta.media_sequence, delta.last_msn) == (100, 129)


@pytest.mark.parametrize(
    "playlist",
    [
        live(count=12),
        live(count=13),
        replace(live(), ended=True),
        replace(live(), control=ServerControl()),
        replace(live(), segments=(), open=None),
        delta_of(live()),
    ],
)
def test_nothing_to_skip(playlist: MediaPlaylist) -> None:
    """Rules 102, 107."""
    assert delta_of(playlist) is playlist


@functools.cache
def older(new_map_at: int) -> tuple[MediaPlaylist, ...]:
    """Copies from 0 to 6 segments ago."""
    return tuple(read(render(live(first=100 - behind, new_map_at=new_map_at))) for behind in range(7))


@pytest.mark.parametrize("new_map_at", [95, 99, 100, 103, 110, 117, 118, 120, 129, 130, 131])
@pytest.mark.parametrize("open_parts", [0, 1, 4])
def test_merge_of_a_delta_and_an_older_copy_is_the_full_playlist(new_map_at: int, open_parts: int) -> None:
    """Rule 112, byte for byte; the copy is up to half of CAN-SKIP-UNTIL old (rule 109)."""
    now = live(open_parts=open_parts, new_map_at=new_map_at)
    delta = read(render(now, delta=Skip.YES))
    assert delta.skipped == 17
    for before in older(new_map_at):
        assert render(merge(delta, before)) == render(now), before.media_sequence


def test_merge_again_and_again() -> None:
    """An edge that only ever asks for deltas keeps the full playlist."""
    held = read(render(live(first=100, new_map_at=131)))
    for first in range(101, 140):
        now = live(first=first, new_map_at=131)
        held = merge(read(render(now, delta=Skip.YES)), held)
        assert render(held) == render(now)


def test_a_full_playlist_needs_no_merge() -> None:
    full = read(render(live()))
    assert merge(full, full) is full


@pytest.mark.parametrize("previous", [live(first=80), live(first=101), delta_of(live()), live(count=10)])
def test_a_copy_that_lacks_what_was_skipped(previous: MediaPlaylist) -> None:
    with pytest.raises(PlaylistError):
        merge(read(render(live(), delta=Skip.YES)), previous)


def test_keys_are_inherited() -> None:
    key = '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="k"'
    now = live()
    keyed = replace(
        now,
        segments=tuple(replace(segment, keys=(key,)) for segment in now.segments),
        open=replace(now.open, keys=(key,)) if now.open else None,
    )
    text = render(keyed)
    assert text.count(key) == 1
    assert key not in render(keyed, delta=Skip.YES)
    assert render(merge(read(render(keyed, delta=Skip.YES)), read(text))) == text


def test_date_ranges_of_a_v2_delta() -> None:
    """Rule 106: what was removed goes, what was skipped stays, what is said stays as said."""

    def line(name: str, more: str = "") -> str:
        return f'#EXT-X-DATERANGE:ID="{name}",START-DATE="2025-11-20T11:16:09.123Z"{more}'

    before = replace(live(), tags=(line("old"), line("gone"), line("changed")))
    delta = replace(delta_of(live()), tags=(line("changed", ",DURATION=1"), line("new")), removed_dateranges=("gone",))
    text = render(delta)
    assert "#EXT-X-VERSION:10\n" in text
    assert ',RECENTLY-REMOVED-DATERANGES="gone"\n' in text
    merged = merge(read(text), before)
    assert merged.tags == (line("old"), line("changed", ",DURATION=1"), line("new"))
    assert merged.removed_dateranges is None
    assert read(render(replace(delta, removed_dateranges=()))).removed_dateranges == ()
