"""The whole publisher against real listeners: ffmpeg records it, small servers refuse or drop it."""

from __future__ import annotations

import io
import os
import signal
import socket
import sys
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest
from av.subtitles.subtitle import SubtitleSet
from tests.publish_server import CONNECTED, CREATED, HANDSHAKE, PUBLISHED, status

from headwater.loadtest.bench.processes import FFMPEG, Peer, free_port, running, wait_until
from headwater.loadtest.publish import PublishOptions, run
from headwater.loadtest.publish.picture import layout_of
from headwater.loadtest.publish.stripes import read_stripes

FPS = 25


def is_listening(port: int) -> bool:
    """Whether somebody listens, found out without connecting: ffmpeg takes one connection only."""
    wanted = f":{port:04X} 00000000:0000 0A"
    return wanted in Path("/proc/net/tcp").read_text()


class Recorder:
    """`ffmpeg -listen 1`: a real RTMP server that writes down what it gets."""

    def __init__(self, path: Path) -> None:
        self.path = path
        port = free_port()
        self.url = f"rtmp://127.0.0.1:{port}/live/x"
        arguments = ("-loglevel", "error", "-y", "-listen", "1", "-i", self.url, "-c", "copy", "-copyts", str(path))
        self.peer = Peer([FFMPEG, *arguments], path.with_suffix(".log"))
        try:
            wait_until(lambda: is_listening(port), timeout_s=20, what="ffmpeg listens", peer=self.peer)
        except BaseException:
            self.peer.kill()
            raise

    def finish(self) -> None:
        """Waits until everything is on disk."""
        assert self.peer.wait(20) == 0


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    recorder = Recorder(tmp_path / "recorded.mkv")
    yield recorder
    recorder.peer.kill()


class Recording:
    """Decoded: picture times with their flash and clock, and the sound as one row of samples."""

    def __init__(self, path: Path) -> None:
        self.pictures: list[tuple[float, bool, int]] = []
        self.keyframes: list[float] = []
        self.onsets: list[float] = []
        quiet_until = -1.0
        with av.open(str(path)) as container:
            for frame in container.decode(container.streams.video[0], container.streams.audio[0]):
                assert not isinstance(frame, SubtitleSet)
                assert frame.time is not None
                if isinstance(frame, av.VideoFrame):
                    self._picture(frame)
                    continue
                assert isinstance(frame, av.AudioFrame)
                for at, value in enumerate(array("f", bytes(frame.planes[0])[: 4 * frame.samples])):
                    moment = frame.time + at / frame.sample_rate
                    if abs(value) > 0.05:
                        if moment > quiet_until:
                            self.onsets.append(moment)
                        quiet_until = moment + 0.3

    def _picture(self, frame: av.VideoFrame) -> None:
        plane = frame.planes[0]
        luma = bytes(plane)
        last = (frame.height - 4) * plane.line_size
        clock = read_stripes(luma[last : last + frame.width])
        assert clock is not None
        assert frame.time is not None
        x, y, side = layout_of(frame.width, frame.height).flash
        flash = luma[(y + side // 2) * plane.line_size + x + side // 2] > 128
        self.pictures.append((frame.time, flash, clock))
        if frame.key_frame:
            self.keyframes.append(frame.time)


def test_ffmpeg_records_picture_and_sound(recorder: Recorder) -> None:
    began = time.time_ns() // 1_000_000
    options = PublishOptions(recorder.url + "?key=secret", 320, 180, Fraction(FPS), 400_000, gop_s=1.0, duration_s=2.0)
    out = io.StringIO()
    assert run(options, threading.Event(), out) == 0
    took_ms = time.time_ns() // 1_000_000 - began
    recorder.finish()
    assert "secret" not in out.getvalue()
    found = Recording(recorder.path)
    times = [time for time, _, _ in found.pictures]
    # A machine under load may cost frames; it never costs the clock its truth.
    assert len(times) > FPS
    assert 1.7 <= times[-1] - times[0] + 1 / FPS <= 2.01
    assert all(abs((time - times[0]) * FPS % 1 - 0.5) > 0.45 for time in times)  # on the 40 ms grid
    clocks = [clock for _, _, clock in found.pictures]
    assert began <= clocks[0] <= clocks[-1] <= began + took_ms
    assert all(abs((clock - clocks[0]) - (time - times[0]) * 1000) < 45 for time, _, clock in found.pictures)
    assert len(found.keyframes) >= 2
    # The first picture of a second flashes: the beep began between the picture before it and this one.
    end = times[-1] - 0.2
    flashes = [
        (then, now)
        for (then, before, _), (now, flash, _) in pairwise(found.pictures)
        if flash and not before and now < end
    ]
    assert flashes
    for then, now in flashes:
        assert any(then - 0.02 < beep < now + 0.02 for beep in found.onsets), (flashes, found.onsets)


def test_a_signal_ends_it_well(recorder: Recorder, tmp_path: Path) -> None:
    code = (
        "import sys; from headwater.loadtest.publish import PublishOptions, run;"
        f"sys.exit(run(PublishOptions({recorder.url!r}, 160, 90)))"
    )
    with running([sys.executable, "-c", code], tmp_path / "log") as peer:
        started = f"publishing to {recorder.url}\n"
        wait_until(lambda: peer.text() == started, timeout_s=20, what=started, peer=peer)
        time.sleep(0.5)
        os.kill(peer.pid, signal.SIGTERM)
        assert peer.wait(10) == 0
    recorder.finish()
    with av.open(str(recorder.path)) as container:
        assert len([packet for packet in container.demux(video=0) if packet.size]) >= 5


class Server:
    """Answers one connection after the other with a script's bytes, then does what `after` says."""

    def __init__(self, *scripts: bytes, after: Callable[[socket.socket], None]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"rtmp://127.0.0.1:{self._listener.getsockname()[1]}/live/x?key=secret"
        self.served = 0
        self._thread = threading.Thread(target=self._serve, args=(scripts, after))
        self._thread.start()

    def _serve(self, scripts: tuple[bytes, ...], after: Callable[[socket.socket], None]) -> None:
        for script in scripts:
            with suppress(OSError):
                connection, _ = self._listener.accept()
                with connection:
                    connection.sendall(script)
                    self.served += 1
                    after(connection)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self._thread.join()


def read_to_end(connection: socket.socket) -> None:
    while connection.recv(65_536):
        pass


def go_at_once(connection: socket.socket) -> None:
    connection.recv(65_536)


def options(url: str, **more: object) -> PublishOptions:
    return PublishOptions(url, 160, 90, **more)  # type: ignore[arg-type]


def test_a_refusal_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    answer = HANDSHAKE + CONNECTED + CREATED + status("error", "NetStream.Publish.BadName", "already published")
    with Server(answer, after=read_to_end) as server:
        assert run(options(server.url), threading.Event(), io.StringIO()) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "refused" in error and "NetStream.Publish.BadName: already published" in error
    assert "secret" not in error


def test_nobody_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(options(f"rtmp://127.0.0.1:{free_port()}/live/x"), threading.Event(), io.StringIO()) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "Connection refused" in error


@pytest.mark.parametrize(("url", "more"), [("x", {}), ("http://h/live/x", {}), ("rtmp://h/live/x", {"codec": "mp3"})])
def test_bad_words(url: str, more: dict[str, object], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(options(url, **more), threading.Event(), io.StringIO()) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_it_comes_back_when_the_server_goes(capsys: pytest.CaptureFixture[str]) -> None:
    stop = threading.Event()
    welcome = HANDSHAKE + CONNECTED + CREATED + PUBLISHED
    ended: list[int] = []
    with Server(welcome, welcome, after=go_at_once) as server:
        publisher = threading.Thread(
            target=lambda: ended.append(run(options(server.url, reconnect=True), stop, io.StringIO()))
        )
        publisher.start()
        deadline = time.monotonic() + 20
        while server.served < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        stop.set()
        publisher.join()
    assert server.served == 2
    assert ended == [0]
    assert "the server closed the connection" in capsys.readouterr().err


def test_a_silent_server_does_not_hold_it(capsys: pytest.CaptureFixture[str]) -> None:
    stop = threading.Event()
    with Server(b"", after=read_to_end) as server:
        ended: list[int] = []
        publisher = threading.Thread(target=lambda: ended.append(run(options(server.url), stop, io.StringIO())))
        publisher.start()
        while server.served < 1:
            time.sleep(0.01)
        stop.set()
        publisher.join(5)
        assert ended == [0]
