"""The pace of one publication, against servers that take everything, nothing, or their leave."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path

import pytest
from tests.publish_server import CONNECTED, CREATED, HANDSHAKE, PUBLISHED, status

from headwater.loadtest.publish import publication as module
from headwater.loadtest.publish.amf import Value
from headwater.loadtest.publish.connection import Connection
from headwater.loadtest.publish.flv import Tag, TagKind
from headwater.loadtest.publish.options import PublishOptions, parse_target
from headwater.loadtest.publish.publication import Publication, PublishFailed, backlog_bytes, heed, open_source
from headwater.loadtest.publish.rtmp import State
from headwater.loadtest.publish.source import FileSource, Source, SourceError, TestSource

WELCOME = HANDSHAKE + CONNECTED + CREATED + PUBLISHED
SMALL = PublishOptions("rtmp://h/live/x", width=160, height=90, fps=Fraction(10), bitrate=100_000, duration_s=1.0)


class Script:
    """A source whose tags are due when the test says."""

    def __init__(self, dues: list[float], payload: bytes = b"media") -> None:
        self.left = [*dues]
        self.payload = payload
        self.steps: list[float] = []

    def metadata(self) -> Mapping[str, Value]:
        return {"encoder": "a script"}

    def due_s(self) -> float | None:
        return self.left[0] if self.left else None

    def step(self) -> list[Tag]:
        self.steps.append(time.monotonic())
        return [Tag(TagKind.VIDEO, int(self.left.pop(0) * 1_000), self.payload)]

    def skip_to(self, media_s: float) -> None:
        raise AssertionError("only the live picture leaves frames out")

    def finish(self) -> list[Tag]:
        return [Tag(TagKind.VIDEO, 9_000, b"the end")]


class Counted(TestSource):
    """The live picture, and which frames it was asked for."""

    __test__ = False

    def __init__(self) -> None:
        super().__init__(SMALL, "x", 0)
        self.frames: list[float] = []

    def step(self) -> list[Tag]:
        due = self.due_s()
        assert due is not None
        self.frames.append(due)
        return super().step()


class Peer:
    """A server of one connection; `received` grows unless it is deaf."""

    def __init__(self, answer: bytes = WELCOME, *, deaf: bool = False) -> None:
        self.received = bytearray()
        self.released = threading.Event()
        self._answer, self._deaf = answer, deaf

    def serve(self, listener: socket.socket) -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                connection.sendall(self._answer)
                if self._deaf:
                    self.released.wait(60)
                while data := connection.recv(65_536):
                    self.received += data


@contextmanager
def connected(peer: Peer) -> Iterator[Connection]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=peer.serve, args=(listener,))
        thread.start()
        connection = Connection(parse_target(f"rtmp://127.0.0.1:{listener.getsockname()[1]}/live/x?key=secret"))
        try:
            yield connection
        finally:
            peer.released.set()
            connection.close(politely=True)
            thread.join()


def ready(connection: Connection) -> None:
    while connection.client.state is not State.PUBLISHING:
        heed(connection, time.monotonic() + 5)


def play(
    peer: Peer, source: Source, *, before: Callable[[], object] = lambda: None, stop: threading.Event | None = None
) -> list[str]:
    said: list[str] = []
    with connected(peer) as connection:
        ready(connection)
        publication = Publication(source, connection, 100_000, stop or threading.Event(), said.append)
        before()
        publication.play()
    return said


def test_everything_is_sent_in_order_at_its_time() -> None:
    peer, source = Peer(), Script([0.0, 0.1, 0.2])
    began = time.monotonic()
    play(peer, source)
    assert [step - began >= due for step, due in zip(source.steps, (0.0, 0.1, 0.2), strict=True)] == [True] * 3
    sent = bytes(peer.received)
    assert sent.count(b"media") == 3
    assert sent.index(b"a script") < sent.index(b"media") < sent.index(b"the end")


def test_stop_ends_it_with_the_end_of_the_tracks() -> None:
    peer, source, stop = Peer(), Script([0.0, 60.0]), threading.Event()
    threading.Timer(0.2, stop.set).start()
    play(peer, source, stop=stop)
    assert len(source.steps) == 1
    assert b"the end" in peer.received


def test_nothing_is_made_while_the_server_takes_nothing() -> None:
    peer, source, stop = Peer(deaf=True), Script([0.0] * 200, bytes(1_000_000)), threading.Event()
    with connected(peer) as connection:
        ready(connection)
        thread = threading.Thread(target=Publication(source, connection, 100_000, stop, lambda _: None).play)
        thread.start()
        made = -1
        while made != len(source.steps) or connection.unsent <= 100_000:
            made = len(source.steps)
            time.sleep(0.3)
        assert made < 200
        assert connection.unsent <= 100_000 + 1_100_000
        stop.set()
        thread.join()


def test_a_late_picture_leaves_frames_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LATE_S", 0.25)
    source = Counted()
    play(Peer(), source, before=lambda: time.sleep(0.45))
    assert source.frames[0] >= 0.4
    assert source.frames[-1] == pytest.approx(0.9)


def test_after_a_long_sleep_the_schedule_starts_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LATE_S", 0.1)
    monkeypatch.setattr(module, "LOST_TIME_S", 0.25)
    source = Counted()
    began = time.monotonic()
    play(Peer(), source, before=lambda: time.sleep(0.4))
    assert source.frames[0] == 0
    assert time.monotonic() - began >= 0.4 + 0.9


def test_it_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REPORT_S", 0.1)
    lines = play(Peer(), Script([0.0, 0.05, 0.15, 0.2]))
    assert lines
    assert all("packets/s" in line and "kbit/s" in line and "speed" in line for line in lines)


def test_a_refusal_and_a_loss_are_failures_without_the_key() -> None:
    refusal = HANDSHAKE + CONNECTED + CREATED + status("error", "NetStream.Publish.BadName", "taken")
    with connected(Peer(refusal)) as connection, pytest.raises(PublishFailed) as caught:
        ready(connection)
    assert "refused" in str(caught.value)
    assert "NetStream.Publish.BadName: taken" in str(caught.value)
    assert "secret" not in str(caught.value)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = Connection(parse_target(f"rtmp://127.0.0.1:{listener.getsockname()[1]}/live/x"))
        listener.accept()[0].close()
        with pytest.raises(PublishFailed, match="the server closed the connection"):
            ready(connection)
        connection.close(politely=False)


def test_the_source_that_the_options_ask_for(tmp_path: Path) -> None:
    live = open_source(SMALL, "x")
    assert isinstance(live, TestSource)
    path = tmp_path / "x.flv"
    path.write_bytes(b"")
    with pytest.raises(SourceError):
        open_source(PublishOptions("rtmp://h/live/x", file=path), "x")
    assert not isinstance(live, FileSource)
    live.finish()


def test_two_seconds_may_wait_for_the_server() -> None:
    assert backlog_bytes(SMALL) == 25_000
    assert backlog_bytes(PublishOptions("rtmp://h/live/x", file=Path("x.mp4"))) == 5_000_000
