from __future__ import annotations

import pytest

from headwater.loadtest.doctor.urls import absolute, decoded, read, with_directives
from headwater.origin.hls.attributes import PlaylistError


def test_directives() -> None:
    assert with_directives("http://h/a.m3u8", msn=1, part=None) == "http://h/a.m3u8?_HLS_msn=1"
    assert with_directives("http://h/a.m3u8?t=2#x", msn=1, part=0) == "http://h/a.m3u8?t=2&_HLS_msn=1&_HLS_part=0"
    assert with_directives("http://h/a.m3u8") == "http://h/a.m3u8"


def test_addresses() -> None:
    assert absolute("http://h/a/b.m3u8", "c.m4s") == "http://h/a/c.m4s"
    assert absolute("http://h/a/b.m3u8", "//[bad") == "//[bad"


def test_text() -> None:
    assert decoded("é".encode()) == ("é", "")
    assert decoded(b"a\xffb") == ("a\ufffdb", "not UTF-8: invalid start byte at byte 1")


def test_reading() -> None:
    text = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n"
    assert read(text) is read(text)
    with pytest.raises(PlaylistError):
        read("x")
