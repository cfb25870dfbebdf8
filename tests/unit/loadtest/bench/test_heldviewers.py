"""Viewers that hold the next playlist: what they read of an answer, and what they ask for."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from headwater.loadtest.bench.heldviewers import RETRY_S, Audience, Job, Viewer, body_at, newest

PART = "#EXT-X-PART:DURATION=0.333,URI="
WHOLE = f"""#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1,CAN-SKIP-UNTIL=12
#EXT-X-PART-INF:PART-TARGET=0.333
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
    ("text", "number", "uri"),
    [
        (WHOLE, 12 * 4, "p48.m4s"),
        (WHOLE.replace(f'{PART}"p48.m4s"\n', ""), 12 * 4 - 1, "p47.m4s"),
        (WHOLE.replace("SEQUENCE:10\n", "SEQUENCE:10\n#EXT-X-SKIP:SKIPPED-SEGMENTS=7\n"), 19 * 4, "p48.m4s"),
    ],
    ids=["open segment", "between two segments", "delta update"],
)
def test_the_newest_part(text: str, number: int, uri: str) -> None:
    assert newest(text, 4) == (number, uri)


def test_what_is_no_playlist() -> None:
    with pytest.raises(ValueError, match="#EXTM3U"):
        newest("not here", 4)
    with pytest.raises(ValueError, match="EXT-X-PART"):
        newest("#EXTM3U\n#EXT-X-TARGETDURATION:2\n", 4)


HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n"


def test_where_a_body_is() -> None:
    assert body_at(HEAD[:-1]) is None
    assert body_at(HEAD) == body_at(HEAD + b"abcdef") == (len(HEAD), len(HEAD) + 4)
    with pytest.raises(ValueError, match="length"):
        body_at(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n")


def answer(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


class Wire(asyncio.Transport):
    """What a viewer writes."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.asked.append(bytes(data).decode().split()[1])


def give(audience: Audience, viewer: Viewer, data: bytes, step: int) -> None:
    for at in range(0, len(data), step):
        piece = data[at : at + step]
        viewer.get_buffer(-1)[: len(piece)] = piece
        viewer.buffer_updated(len(piece))


@pytest.mark.parametrize("step", [1, 7, 10_000])
@pytest.mark.parametrize("media", [False, True])
def test_one_viewer(step: int, media: bool) -> None:
    audience = Audience(dataclasses.replace(JOB, media=media), lambda: 20.0)
    viewer, wire = Viewer(audience), Wire()
    viewer.connection_made(wire)
    assert wire.asked == ["/live/a/index.m3u8"]
    audience.measuring = True
    give(audience, viewer, answer(WHOLE.encode()), step)
    if media:
        assert wire.asked.pop() == "/live/a/p48.m4s"
        give(audience, viewer, answer(b"x" * 999), step)
        assert list(audience.parts) == [pytest.approx(20 - 49 * 0.333)]
    assert wire.asked.pop() == "/live/a/index.m3u8?_HLS_msn=12&_HLS_part=1&_HLS_skip=YES"
    give(audience, viewer, answer(WHOLE.replace("SEQUENCE:10", "SEQUENCE:11").encode()), step)
    assert list(audience.delays) == [pytest.approx(20 - 50 * 0.333)]
    assert (audience.late, audience.errors) == (len(audience.parts), 0)


async def test_what_is_no_playlist_is_an_error_and_asked_for_again() -> None:
    audience = Audience(JOB, lambda: 0.0)
    viewer, wire = Viewer(audience), Wire()
    viewer.connection_made(wire)
    give(audience, viewer, answer(b"not here", "404 Not Found"), 5)
    give(audience, viewer, answer(b"#EXTM3U\n"), 1_000)
    assert audience.errors == 2
    await asyncio.sleep(2 * RETRY_S)
    assert wire.asked == ["/live/a/index.m3u8"] * 3
    viewer.connection_lost(None)
    assert audience.errors == 3


def test_what_is_asked_for() -> None:
    audience = Audience(JOB, lambda: 0.0)
    assert audience.request(-1).startswith(b"GET /live/a/index.m3u8 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n")
    assert audience.request(49).startswith(b"GET /live/a/index.m3u8?_HLS_msn=12&_HLS_part=1&_HLS_skip=YES HTTP/1.1\r\n")
    for number in range(100):
        assert audience.request(number) == audience.request(number)
        assert audience.newest(WHOLE.encode())[0] == 48
