"""Playlists are parsed once, and forgotten again."""

from __future__ import annotations

import pytest
from tests.viewers_kit import MULTIVARIANT, Stream

from headwater.loadtest.players import library
from headwater.loadtest.players.address import address
from headwater.loadtest.players.library import Library, is_multivariant
from headwater.origin.hls.attributes import PlaylistError

PLACE = address("http://h/live/v/index.m3u8")


def body(count: int, *, skip: bool = False) -> bytes:
    return Stream(skips=True).playlist(count, ended=False, skip=skip).encode()


def test_the_same_body_is_the_same_view() -> None:
    books = Library()
    first = books.view(PLACE, body(42), None)
    assert books.view(PLACE, body(42), first) is first
    assert books.view(address("http://h/live/w/index.m3u8"), body(42), None) is not first
    assert books.parsed == 2


def test_delta_updates_are_merged_into_what_the_viewer_has() -> None:
    books = Library()
    first = books.view(PLACE, body(62), None)
    merged = books.view(PLACE, body(63, skip=True), first)
    assert len(merged.segments) == len(books.view(PLACE, body(63), None).segments)
    assert books.view(PLACE, body(63, skip=True), first) is merged
    assert books.parsed == 3
    with pytest.raises(PlaylistError):
        books.view(PLACE, body(63, skip=True), None)


@pytest.mark.parametrize("broken", [b"", b"nonsense", b"\xff\xfe", MULTIVARIANT.encode()])
def test_what_is_no_playlist_is_refused_again_without_being_read(broken: bytes) -> None:
    books = Library()
    for _ in range(3):
        with pytest.raises(PlaylistError):
            books.view(PLACE, broken, None)
    assert books.parsed == 1


def test_a_refusal_is_raised_anew_every_time() -> None:
    """An exception that is raised again keeps every frame it ever went through."""
    books = Library()
    found = []
    for _ in range(3):
        with pytest.raises(PlaylistError) as refusal:
            books.view(PLACE, b"nonsense", None)
        found.append((str(refusal.value), len(refusal.traceback)))
        assert refusal.value.__context__ is None
    assert found[1:] == found[:1] * 2


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "MAX_ENTRIES", 4)
    books = Library()
    for count in range(40, 60):
        books.view(PLACE, body(count), None)
    assert len(books._views) == 4
    monkeypatch.setattr(library, "MAX_BYTES", 10)
    books.view(PLACE, body(60), None)
    assert len(books._views) == 1
    assert books._views.bytes == len(body(60))


def test_ladders() -> None:
    books = Library()
    assert is_multivariant(MULTIVARIANT.encode())
    assert not is_multivariant(body(42))
    ladder = books.ladder(PLACE, MULTIVARIANT.encode())
    assert books.ladder(PLACE, MULTIVARIANT.encode()) is ladder
    for _ in range(2):
        with pytest.raises(PlaylistError):
            books.ladder(PLACE, b"#EXTM3U\n")
    assert books.parsed == 2
