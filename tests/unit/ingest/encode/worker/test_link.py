"""The socket: messages through, bounded, and the end of the host is the end."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from headwater.ingest.encode import wire
from headwater.ingest.encode.model import Adjust, Drain, Drained, Note
from headwater.ingest.encode.worker.link import MOST_BYTES, MOST_MESSAGES, Link, LinkClosed
from headwater.ingest.media import Rendition, Sample


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, Link]]:
    ours, theirs = socket.socketpair()
    link = Link(theirs, exits=False)
    yield ours, link
    ours.close()
    link.close()


def sample(size: int) -> Sample:
    return Sample(Rendition("source"), 0, 0, 1, False, True, bytes(size), 0.0)


def test_messages_pass_both_ways(ends: tuple[socket.socket, Link]) -> None:
    host, link = ends
    host.sendall(b"".join(wire.encode(Adjust(1)) + wire.encode(sample(9)) + wire.encode(Drain(2))))
    assert [link.get(5), link.get(5), link.get(5)] == [Adjust(1), sample(9), Drain(2)]
    assert link.get(0.01) is None and link.queued == 0
    link.send(Drained(2))
    link.send(Note(None, "x"))
    host.settimeout(5)
    decoder = wire.Decoder()
    said: list[wire.Message] = []
    while len(said) < 2:
        said += decoder.receive_data(host.recv(1_000))
    assert said == [Drained(2), Note(None, "x")]


@pytest.mark.parametrize(("size", "count"), [(10, MOST_MESSAGES), (MOST_BYTES // 2, 2), (3 * MOST_BYTES, 1)])
def test_what_waits_is_bounded(ends: tuple[socket.socket, Link], size: int, count: int) -> None:
    host, link = ends
    total = 4 * MOST_MESSAGES if size < 1_000 else 16
    writer = threading.Thread(target=host.sendall, args=(b"".join(wire.encode(sample(size))) * total,))
    writer.start()
    most = 0
    for _ in range(total):
        assert link.get(10) is not None
        most = max(most, link.queued)
    writer.join()
    assert most <= count


def test_the_end_of_the_host_is_told_at_once(ends: tuple[socket.socket, Link]) -> None:
    host, link = ends
    host.sendall(b"".join(wire.encode(Drain(1))))
    host.close()
    with pytest.raises(LinkClosed):
        while link.get(5) is not None:
            pass
    with pytest.raises(LinkClosed):
        link.send(Drained(1))


def test_bytes_that_are_no_message_end_it(ends: tuple[socket.socket, Link]) -> None:
    host, link = ends
    host.sendall(b"\xff" * 10)
    with pytest.raises(LinkClosed, match="a message of"):
        link.get(5)


def test_a_wait_for_the_host_to_read_ends_with_it(ends: tuple[socket.socket, Link]) -> None:
    host, link = ends
    threading.Timer(0.3, host.close).start()
    with pytest.raises(LinkClosed):
        link.send(Note(None, "x" * 50_000_000))
