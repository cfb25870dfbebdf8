"""Viewers that hold the next playlist: what they read of an answer, what they ask for, and when they say it came."""

from __future__ import annotations

import dataclasses
import re
import socket
import socketserver
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import pytest

from headwater.loadtest.bench import heldviewers
from headwater.loadtest.bench.heldviewers import (
    RETRY_S,
    Audience,
    Control,
    Job,
    NoStamp,
    Viewer,
    arrival,
    body_at,
    newest,
    opened,
    watch,
)
from headwater.loadtest.scenario.offset import wall

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


LIMIT_S = 10.0
"""For what comes at once on a machine that is not busy."""


def answer(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


class Peer:
    """The server's end of one viewer's connection."""

    def __init__(self, audience: Audience, sock: socket.socket) -> None:
        self.audience, self.sock = audience, sock
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.came = b""

    def until(self, done: Callable[[], Any]) -> None:
        """Let the viewer do what it has to, until then."""
        end = time.monotonic() + LIMIT_S
        while not done():
            assert time.monotonic() < end
            self.audience.attend(time.monotonic() + 0.001)

    def asked(self) -> str:
        """What the viewer asks for next."""
        self.until(lambda: b"\r\n\r\n" in self._all())
        request, self.came = self.came.split(b"\r\n\r\n", 1)
        return request.decode().split()[1]

    def _all(self) -> bytes:
        with suppress(BlockingIOError):
            self.came += self.sock.recv(1 << 20)
        return self.came

    def give(self, data: bytes, step: int = 1 << 20) -> None:
        """In pieces, which the viewer takes as they come."""
        for at in range(0, len(data), step):
            assert self.sock.send(data[at : at + step]) == len(data[at : at + step])
            self.audience.attend(0.0)


@contextmanager
def watched(job: Job = JOB, *, make: Callable[[], socket.socket] = opened) -> Iterator[Peer]:
    """One viewer, and its server."""
    with closing(Audience(job, wall)) as audience, socket.create_server(("127.0.0.1", 0)) as server:
        sock = make()
        sock.connect_ex(server.getsockname())
        Viewer(audience, sock)
        accepted, _ = server.accept()
        with accepted:
            yield Peer(audience, accepted)


@contextmanager
def loading() -> Iterator[Peer]:
    """A viewer that has asked for its part, and is measured."""
    with watched(dataclasses.replace(JOB, media=True)) as peer:
        peer.asked()
        peer.give(answer(WHOLE.encode()))
        peer.asked()
        peer.audience.measuring = True
        yield peer


@pytest.fixture(scope="module", autouse=True)
def stamping() -> Iterator[None]:
    """The kernel begins to stamp a moment after the first socket wants it, and ends with the last."""
    with socket.create_server(("127.0.0.1", 0)) as server, opened() as sock:
        sock.connect_ex(server.getsockname())
        accepted, _ = server.accept()
        with accepted:
            sock.setblocking(True)
            end = time.monotonic() + LIMIT_S
            while True:
                accepted.send(b"x")
                try:
                    arrival(sock.recvmsg(1, 100)[1])
                    break
                except NoStamp:
                    assert time.monotonic() < end
            yield


@pytest.mark.parametrize("step", [1, 7, 10_000])
@pytest.mark.parametrize("media", [False, True])
def test_one_viewer(step: int, media: bool) -> None:
    with watched(dataclasses.replace(JOB, media=media)) as peer:
        audience = peer.audience
        assert peer.asked() == "/live/a/index.m3u8"
        audience.measuring = True
        began = wall()
        peer.give(answer(WHOLE.encode()), step)
        if media:
            assert peer.asked() == "/live/a/p48.m4s"
            peer.give(answer(b"x" * 1_999), step)
        assert peer.asked() == "/live/a/index.m3u8?_HLS_msn=12&_HLS_part=1&_HLS_skip=YES"
        peer.give(answer(WHOLE.replace("SEQUENCE:10", "SEQUENCE:11").encode()), step)
        peer.asked()
        assert [0.0 < 49 * 0.333 + delay - began < LIMIT_S for delay in audience.parts] == [True] * media
        assert [0.0 < 50 * 0.333 + delay - began < LIMIT_S for delay in audience.delays] == [True]
        assert (audience.late, audience.errors) == (len(audience.parts), 0)
        assert len(audience.behind) == 1 + media
        assert all(0.0 < behind < LIMIT_S for behind in audience.behind)


PART_BYTES = 125_000


@pytest.mark.parametrize("body", [b"x" * 10, b"x" * PART_BYTES, WHOLE.encode()], ids=["short", "part", "playlist"])
def test_what_is_read_late_came_when_it_came(body: bytes) -> None:
    media = body[0] == ord("x")
    with watched(dataclasses.replace(JOB, media=media)) as peer:
        peer.asked()
        peer.give(answer(WHOLE.encode()))
        peer.asked()
        peer.audience.measuring = True
        began = wall()
        data = answer(body)
        assert peer.sock.send(data[:-5]) + peer.sock.send(data[-5:]) == len(data)
        time.sleep(0.4)
        read = wall()
        peer.asked()
        delays = peer.audience.parts if media else peer.audience.delays
        came = [delay + (49 if media else 50) * 0.333 for delay in delays]
        assert len(came) == 1
        assert began - 1e-6 < came[0] < read - 0.2
        assert peer.audience.behind[0] > 0.2


def test_a_part_that_nobody_reads_fits_into_the_socket() -> None:
    with loading() as peer:
        data = answer(b"x" * (3 * PART_BYTES // 2))
        began, sent = wall(), 0
        while sent < len(data):
            assert wall() < began + LIMIT_S
            with suppress(BlockingIOError):
                sent += peer.sock.send(data[sent:])
        time.sleep(0.4)
        read = wall()
        peer.asked()
        assert peer.audience.parts[0] + 49 * 0.333 < read - 0.2


@pytest.mark.parametrize("read_before", [True, False])
def test_the_last_piece_is_what_counts(read_before: bool) -> None:
    with loading() as peer:
        data = answer(b"x" * PART_BYTES)
        peer.sock.send(data[:60_000])
        if read_before:
            peer.audience.attend(0.0)
        time.sleep(0.2)
        last = wall()
        peer.sock.send(data[60_000:])
        time.sleep(0.4)
        read = wall()
        assert not peer.audience.parts
        peer.asked()
        assert last - 1e-6 < peer.audience.parts[0] + 49 * 0.333 < read - 0.2


@pytest.mark.parametrize(("early", "late"), [(0.5, 0), (-0.25, 1)], ids=["in time", "late"])
def test_a_part_is_late_by_when_it_came(early: float, late: int) -> None:
    with loading() as peer:
        # The next part, 49, is due in a moment, which is over when the viewer reads; or it was.
        peer.audience.job = dataclasses.replace(peer.audience.job, part_s=(wall() + early) / 50)
        peer.sock.send(answer(b"x" * PART_BYTES))
        time.sleep(0.7)
        peer.asked()
        assert (len(peer.audience.parts), peer.audience.late) == (1, late)


def test_what_is_no_playlist_is_an_error_and_asked_for_again() -> None:
    with watched() as peer:
        peer.asked()
        for count, wrong in enumerate([
            answer(b"not here", "404 Not Found"),
            answer(b"#EXTM3U\n"),
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\n#EXTM3U\n",
        ]):  # fmt: skip
            at = time.monotonic()
            peer.give(wrong)
            assert peer.asked() == "/live/a/index.m3u8"
            assert time.monotonic() - at >= RETRY_S
            assert peer.audience.errors == count + 1
        for _ in range(2):
            peer.give(answer(WHOLE.encode()), 50)
            assert peer.asked() == "/live/a/index.m3u8?_HLS_msn=12&_HLS_part=1&_HLS_skip=YES"
        assert not peer.audience.delays  # it does not measure yet


def test_a_part_that_is_not_there_is_an_error() -> None:
    with loading() as peer:
        peer.give(answer(b"?" * 5_000, "404 Not Found"), 700)
        assert peer.asked() == "/live/a/index.m3u8"
        assert (peer.audience.errors, len(peer.audience.parts)) == (1, 0)


def close(sock: socket.socket) -> None:
    sock.close()


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@pytest.mark.parametrize("end", [close, reset])
@pytest.mark.parametrize(
    "after", [b"", answer(b"", "404 Not Found"), answer(WHOLE.encode())[:-9], answer(WHOLE.encode())]
)
def test_a_connection_that_ends_is_an_error(after: bytes, end: Callable[[socket.socket], None]) -> None:
    with watched(dataclasses.replace(JOB, media=True)) as peer:
        peer.asked()
        peer.give(after)
        if after == answer(WHOLE.encode()):
            peer.asked()
            peer.give(answer(b"x" * PART_BYTES)[:-1])
        end(peer.sock)
        peer.until(lambda: not peer.audience.viewers)
        peer.audience.attend(time.monotonic() + 1.5 * RETRY_S)
        assert peer.audience.errors == (2 if b"404" in after else 1)
        assert not peer.audience.again


def fill(sock: socket.socket) -> int:
    """Bytes that went until no more do."""
    sent = 0
    with suppress(BlockingIOError):
        while True:
            sent += sock.send(b"x" * 65_536)
    return sent


def test_what_cannot_be_sent_now_is_sent_later() -> None:
    with watched() as peer:
        peer.asked()
        (viewer,) = peer.audience.viewers.values()
        while fill(viewer.sock):
            time.sleep(0.05)
        peer.give(answer(WHOLE.encode()))
        wanted = peer.audience.request(49)
        peer.audience.attend(time.monotonic() + 0.05)
        peer.until(lambda: peer._all().endswith(wanted))
        assert peer.came.count(b"GET ") == 1
        assert peer.came.strip(b"x") == wanted
        peer.came = b""
        peer.give(answer(WHOLE.replace("SEQUENCE:10", "SEQUENCE:11").encode()))
        assert peer.asked() == "/live/a/index.m3u8?_HLS_msn=13&_HLS_part=1&_HLS_skip=YES"


def test_a_system_without_stamps(monkeypatch: pytest.MonkeyPatch) -> None:
    def plain() -> socket.socket:
        return socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)

    with watched(make=plain) as peer:
        peer.asked()
        peer.audience.measuring = True
        peer.give(answer(WHOLE.encode()))
        peer.asked()
        with pytest.raises(NoStamp, match="SO_TIMESTAMPNS"):
            peer.give(answer(WHOLE.encode()))
            peer.asked()
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(NoStamp, match="Linux"):
        opened()


def test_the_stamp_among_what_the_kernel_says() -> None:
    stamp = struct.pack("@ll", 1_700_000_000, 250_000_000)
    control: Control = [(socket.SOL_SOCKET, 99, b"?"), (socket.IPPROTO_TCP, 35, b"?"), (socket.SOL_SOCKET, 35, stamp)]
    assert arrival(control) == 1_700_000_000.25
    with pytest.raises(NoStamp):
        arrival(control[:2])


def test_what_is_asked_for() -> None:
    with closing(Audience(JOB, wall)) as audience:
        assert audience.request(-1).startswith(b"GET /live/a/index.m3u8 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n")
        held = b"GET /live/a/index.m3u8?_HLS_msn=12&_HLS_part=1&_HLS_skip=YES HTTP/1.1\r\n"
        assert audience.request(49).startswith(held)
        for number in range(100):
            assert audience.request(number) == audience.request(number)
            assert audience.newest(WHOLE.encode())[0] == 48


class Server(socketserver.StreamRequestHandler):
    """Has every part a moment after it is asked for."""

    def handle(self) -> None:
        while line := self.rfile.readline():
            while self.rfile.readline().strip():
                pass
            self.wfile.write(answer(self.body(line.decode())))

    def body(self, line: str) -> bytes:
        if ".m4s" in line:
            return b"x" * PART_BYTES
        time.sleep(0.02)
        asked = re.search(r"_HLS_msn=(\d+)&_HLS_part=(\d)", line)
        msn, part = map(int, asked.groups()) if asked else (12, 0)
        parts = "".join(f'{PART}"p{at}.m4s"\n' for at in range(part + 1)) + "#EXTINF:1.332,\ns.m4s\n" * (part == 3)
        return f"{WHOLE[: WHOLE.index('#EXT-X-MEDIA')]}#EXT-X-MEDIA-SEQUENCE:{msn}\n{parts}".encode()


@pytest.mark.parametrize("media", [False, True])
def test_a_whole_run(media: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heldviewers, "SETTLE_S", 0.1)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}/live/a/index.m3u8"
        try:
            found = watch(Job(url, 4, 0.333, 3, 0.5, media=media), wall)
        finally:
            server.shutdown()
            thread.join()
    assert found.errors == 0
    assert found.playlists.parts >= 3
    assert (found.parts is not None and found.parts.parts >= 3) is media
    assert found.behind.parts == found.playlists.parts + (found.parts.parts if found.parts else 0)
    assert 0 < found.behind.p50_ms < 1e3 * LIMIT_S
    assert 0 < found.cpu < 1.1
    # The server is gone.
    with pytest.raises(ValueError, match="too few"):
        watch(Job(url, 4, 0.333, 3, 0.1), wall)
