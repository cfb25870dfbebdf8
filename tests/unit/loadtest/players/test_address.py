"""Addresses out of playlists."""

from __future__ import annotations

import pytest

from headwater.loadtest.players.address import MAX_URL, address, resolve
from headwater.origin.hls.attributes import PlaylistError


@pytest.mark.parametrize(
    ("url", "authority", "target"),
    [
        ("http://h/live/index.m3u8", "h", b"/live/index.m3u8"),
        ("http://h:80", "h", b"/"),
        ("https://h:443/?a=b&c", "h", b"/?a=b&c"),
        ("https://h:80/x", "h:80", b"/x"),
        ("http://[::1]:8080/x#y", "[::1]:8080", b"/x"),
        ("http://h/a b/\u00e9\r\nX: y?q=\u00e9 z%20%2F", "h", b"/a%20b/%C3%A9X:%20y?q=%C3%A9%20z%20%2F"),
        ("http://b\u00fccher.example/", "xn--bcher-kva.example", b"/"),
    ],
)
def test_what_stands_in_the_request(url: str, authority: str, target: bytes) -> None:
    found = address(url)
    assert (found.origin.authority, found.target) == (authority, target)


@pytest.mark.parametrize(
    "url",
    ["", "/x", "ftp://h/", "http://", "http://h:x/", "http://h:99999/", "http://[::1/", "http://h/" + "x" * MAX_URL],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(PlaylistError):
        address(url)


@pytest.mark.parametrize(
    ("base", "uri", "target"),
    [
        ("http://h/t/TOKEN/live/a/index.m3u8", "p1.m4s", b"/t/TOKEN/live/a/p1.m4s"),
        ("http://h/live/a/index.m3u8?token=1", "p1.m4s", b"/live/a/p1.m4s"),
        ("http://h/live/a/index.m3u8?token=1", "p1.m4s?token=1", b"/live/a/p1.m4s?token=1"),
        ("http://h/live/a/index.m3u8", "../b/index.m3u8", b"/live/b/index.m3u8"),
        ("http://h/live/a/index.m3u8", "http://other/x", b"/x"),
    ],
)
def test_relative_addresses(base: str, uri: str, target: bytes) -> None:
    assert resolve(base, uri).target == target


def test_a_uri_that_is_none() -> None:
    with pytest.raises(PlaylistError):
        resolve("http://h/", "http://[x/")


def test_directives_are_added_to_the_query() -> None:
    assert address("http://h/i.m3u8").plus("_HLS_msn=1") == b"/i.m3u8?_HLS_msn=1"
    assert address("http://h/i.m3u8?t=1").plus("_HLS_msn=1") == b"/i.m3u8?t=1&_HLS_msn=1"
