"""Viewers that hold the next playlist: what they read of an answer, and what they ask for."""

from __future__ import annotations

import pytest

from headwater.loadtest.bench.heldviewers import Audience, Job, body_of, newest

PART = "#EXT-X-PART:DURATION=0.333,URI="
WHOLE = f"""#EXTM3U
#EXT-X-MEDIA-SEQUENCE:10
#EXTINF:1.332,
s10.m4s
{PART}"p44.m4s"
{PART}"p45.m4s"
{PART}"p46.m4s"
{PART}"p47.m4s"
#EXTINF:1.332,
s11.m4s
{PART}"p48.m4s"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="p49.m4s"
"""
JOB = Job("http://127.0.0.1:8080/live/a/index.m3u8", 4, 0.333, 1, 1)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (WHOLE, 12 * 4),
        (WHOLE.replace(f'{PART}"p48.m4s"\n', ""), 12 * 4 - 1),
        (WHOLE.replace("#EXTM3U\n", "#EXTM3U\n#EXT-X-SKIP:SKIPPED-SEGMENTS=7\n"), 19 * 4),
    ],
    ids=["open segment", "between two segments", "delta update"],
)
def test_the_newest_part(text: str, number: int) -> None:
    assert newest(text, 4) == number


def test_what_is_no_playlist() -> None:
    with pytest.raises(ValueError, match="MEDIA-SEQUENCE"):
        newest("not here", 4)


HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (HEAD[:20], None),
        (HEAD + b"abc", None),
        (HEAD + b"abcd", b"abcd"),
        (CHUNKED + b"4\r\nabcd\r\n", None),
        (CHUNKED + b"4\r\nabcd\r\n0\r\n\r\n", b"4\r\nabcd\r\n0\r\n\r\n"),
        (b"HTTP/1.1 304 Not Modified\r\n\r\n", b""),
    ],
)
def test_a_whole_answer(answer: bytes, body: bytes | None) -> None:
    found = body_of(answer)
    assert (None if found is None else answer[found[0] : found[1]]) == body


def test_what_is_asked_for() -> None:
    audience = Audience(JOB, lambda: 0.0)
    assert audience.request(-1).startswith(b"GET /live/a/index.m3u8 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n")
    assert audience.request(49).startswith(b"GET /live/a/index.m3u8?_HLS_msn=12&_HLS_part=1&_HLS_skip=YES HTTP/1.1\r\n")
    for number in range(100):
        assert audience.request(number) == audience.request(number)
        assert audience.number(WHOLE.encode()) == 48


def test_delays_count_from_when_a_part_is_due() -> None:
    audience = Audience(JOB, lambda: 0.0)
    audience.seen(2, 1.5)
    assert not audience.delays
    audience.measuring = True
    audience.seen(2, 1.5)
    assert list(audience.delays) == [pytest.approx(1.5 - 3 * 0.333)]
