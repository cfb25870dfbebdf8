"""TLS as a transport: its peer is OpenSSL too, in the same process, without sockets."""

from __future__ import annotations

import asyncio
import gc
import ssl
import weakref
from collections.abc import Iterable
from pathlib import Path

import pytest
from tests.h2_kit import client_context
from tests.tls_kit import issue

from headwater.edge import encrypted
from headwater.edge.encrypted import PIECE_BYTES, RECORD_BYTES, Encrypted

HEAD_BYTES = 5
"""Of a record (RFC 8446 section 5.1)."""


class Tcp(asyncio.Transport):
    """The TCP transport: what is sent is kept for the peer."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.1", 1)})
        self.sent: list[bytes] = []
        self.eof = self.closed = self.aborted = self.deaf = False
        self.limits: tuple[int | None, int | None] = (None, None)
        self.unsent = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.eof and not self.closed, "nothing is sent behind the end"
        self.sent.append(bytes(data))

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        for data in list_of_data:
            self.write(data)

    def write_eof(self) -> None:
        self.eof = True

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True

    def pause_reading(self) -> None:
        self.deaf = True

    def resume_reading(self) -> None:
        self.deaf = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.limits = (high, low)

    def get_write_buffer_size(self) -> int:
        return self.unsent


class Viewer(asyncio.Protocol):
    """The protocol: what it is told is kept."""

    def __init__(self) -> None:
        self.transport: Encrypted | None = None
        self.got: list[bytes] = []
        self.told: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, Encrypted)
        self.transport = transport
        self.told.append("made")

    def data_received(self, data: bytes) -> None:
        self.got.append(data)

    def eof_received(self) -> bool:
        self.told.append("eof")
        return True  # which TLS cannot do

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.told.append(f"lost {exc}")


class Talk:
    """Both ends. Without sockets: `carry` brings to the peer what was sent, `say` the other way."""

    def __init__(self, context: ssl.SSLContext, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> None:
        viewer = self.viewer = Viewer()
        self.tcp = Tcp()
        self.edge = Encrypted(context, lambda _: viewer)
        self.edge.connection_made(self.tcp)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        theirs = client_context("h2")
        theirs.minimum_version = theirs.maximum_version = version
        self.peer = theirs.wrap_bio(self.incoming, self.outgoing)

    def carry(self) -> None:
        for data in self.tcp.sent:
            self.incoming.write(data)
        self.tcp.sent.clear()

    def hello(self, piece: int = 1 << 20) -> Talk:
        """The handshake, in pieces of so many bytes."""
        while True:
            try:
                self.peer.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.say(piece=piece)
                self.carry()
        self.say(piece=piece)
        assert self.edge.shaken.done()
        self.carry()
        return self

    def say(self, data: bytes = b"", piece: int = 1 << 20) -> None:
        """The peer sends `data`, and whatever else it has to send."""
        if data:
            self.peer.write(data)
        raw = self.outgoing.read()
        for start in range(0, len(raw), piece):
            self.edge.data_received(raw[start : start + piece])

    def hear(self) -> bytes:
        """What the peer gets; b"" behind it: close_notify."""
        self.carry()
        found = b""
        try:
            while data := self.peer.read(1 << 16):
                found += data
        except ssl.SSLWantReadError:
            return found
        return found + b"|end"

    @property
    def records(self) -> list[int]:
        """Sizes of what was sent, without heads."""
        raw, sizes, at = b"".join(self.tcp.sent), [], 0
        while at < len(raw):
            sizes.append(int.from_bytes(raw[at + 3 : at + 5], "big"))
            at += HEAD_BYTES + sizes[-1]
        return sizes


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    files = issue(Path(tmp_path_factory.mktemp("tls")), "a", "edge")
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(files.certificate, files.private_key)
    made.set_alpn_protocols(["h2"])
    return made


@pytest.mark.parametrize("piece", [1, 1 << 20])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_bytes_both_ways_whole_and_in_pieces(
    context: ssl.SSLContext, version: ssl.TLSVersion, piece: int
) -> None:
    talk = Talk(context, version).hello(piece)
    assert talk.viewer.told == ["made"]
    assert talk.edge.welcomed
    await talk.edge.shaken
    connection = talk.edge.get_extra_info("ssl_object")
    assert (connection.selected_alpn_protocol(), connection.version()) == ("h2", talk.peer.version())
    assert talk.edge.get_extra_info("peername") == ("192.0.2.1", 1)
    talk.say(b"question" * 3_000, piece)
    assert b"".join(talk.viewer.got) == b"question" * 3_000
    talk.edge.write(b"answer")
    assert talk.hear() == b"answer"


async def test_what_comes_with_the_end_of_the_handshake_is_not_lost(context: ssl.SSLContext) -> None:
    talk = Talk(context)
    with pytest.raises(ssl.SSLWantReadError):
        talk.peer.do_handshake()
    talk.say()
    talk.carry()
    talk.peer.do_handshake()
    talk.say(b"early")
    assert (talk.viewer.told, talk.viewer.got) == (["made"], [b"early"])


@pytest.mark.parametrize("size", [1, RECORD_BYTES, RECORD_BYTES + 1, PIECE_BYTES, 3 * PIECE_BYTES + 5])
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
async def test_records_are_as_large_as_they_may_be(context: ssl.SSLContext, size: int, kind: type) -> None:
    talk = Talk(context).hello()
    body = bytes(range(256)) * (size // 256 + 1)
    talk.edge.write(kind(body[:size]))
    assert max(map(len, talk.tcp.sent)) < PIECE_BYTES + 200, "no more is in OpenSSL's buffer at a time"
    sizes = talk.records
    assert len(sizes) == -(-size // RECORD_BYTES)
    assert all(size > RECORD_BYTES for size in sizes[:-1])
    assert talk.hear() == body[:size]


async def test_several_pieces_are_one_record(context: ssl.SSLContext) -> None:
    talk = Talk(context).hello()
    talk.edge.writelines([b"a" * 10, memoryview(b"b" * 20), b"c"])
    assert len(talk.records) == 1
    assert talk.hear() == b"a" * 10 + b"b" * 20 + b"c"
    talk.edge.write(b"")
    assert talk.records == []


async def test_closing_says_so_and_drops_what_still_comes(context: ssl.SSLContext) -> None:
    talk = Talk(context).hello()
    talk.edge.pause_reading()
    talk.edge.write(b"last")
    talk.edge.close()
    talk.edge.close()
    talk.edge.write(b"nothing")
    assert talk.edge.is_closing() and not talk.edge.is_reading()
    assert (talk.tcp.eof, talk.tcp.closed, talk.tcp.deaf) == (True, False, False), "it reads until the peer ends"
    talk.say(b"late")
    assert talk.viewer.got == []
    assert talk.hear() == b"last|end"
    assert not talk.edge.eof_received(), "TCP closes"
    talk.edge.connection_lost(None)
    assert talk.viewer.told == ["made", "lost None"]


@pytest.mark.parametrize("politely", [True, False])
async def test_the_peer_ends(context: ssl.SSLContext, politely: bool) -> None:
    talk = Talk(context).hello()
    talk.say(b"bye")
    if politely:
        with pytest.raises(ssl.SSLWantReadError):
            talk.peer.unwrap()
        talk.say()
    else:
        talk.edge.eof_received()
    assert (talk.viewer.told, talk.viewer.got) == (["made", "eof"], [b"bye"])
    assert talk.tcp.closed and talk.edge.is_closing()
    if politely:
        talk.carry()
        talk.peer.unwrap()  # it gets a close_notify of ours: else it would want to read
    else:
        assert talk.hear() == b"|end"
    talk.edge.eof_received()
    talk.edge.connection_lost(None)
    assert talk.viewer.told == ["made", "eof", "lost None"], "the end is told once"


async def test_what_is_no_tls(context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encrypted, "ALERT_S", 0.0)
    talk = Talk(context)
    talk.edge.data_received(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(ssl.SSLError, match="HTTP_REQUEST"):
        await talk.edge.shaken
    assert talk.tcp.closed and not talk.edge.welcomed
    await asyncio.sleep(0.01)
    assert talk.tcp.aborted, "a peer that does not read the alert holds nothing up"


async def test_an_alert_says_what_is_wrong(context: ssl.SSLContext) -> None:
    talk = Talk(context).hello()
    talk.edge.data_received(b"\x17\x03\x03\x00\x20" + b"x" * 32)
    assert talk.tcp.closed
    talk.edge.write(b"nothing")
    with pytest.raises(ssl.SSLError, match="BAD_RECORD_MAC"):
        talk.hear()
    assert talk.viewer.told == ["made"]
    talk.edge.connection_lost(None)
    assert talk.viewer.told == ["made", "lost None"]


async def test_ends_inside_the_handshake(context: ssl.SSLContext) -> None:
    for error in (None, BrokenPipeError("gone")):
        talk = Talk(context)
        with pytest.raises(ssl.SSLWantReadError):
            talk.peer.do_handshake()
        talk.say()
        talk.edge.eof_received()
        assert talk.tcp.closed
        talk.edge.connection_lost(error)
        with pytest.raises(ConnectionError, match="gone" if error else "inside the handshake"):
            await talk.edge.shaken
        assert talk.viewer.told == []


async def test_reading_can_wait(context: ssl.SSLContext) -> None:
    talk = Talk(context).hello()
    talk.edge.pause_reading()
    assert talk.tcp.deaf and not talk.edge.is_reading()
    talk.say(b"one")  # was under way
    talk.say(b"two")
    assert talk.viewer.got == []
    talk.edge.resume_reading()
    assert not talk.tcp.deaf and talk.edge.is_reading()
    assert talk.viewer.got == [], "not from inside of the one who resumes"
    await asyncio.sleep(0)
    assert talk.viewer.got == [b"one", b"two"]
    talk.edge.pause_reading()
    talk.edge.resume_reading()
    talk.edge.abort()
    await asyncio.sleep(0)
    assert talk.tcp.aborted


async def test_who_stops_reading_inside_gets_no_more_than_that(context: ssl.SSLContext) -> None:
    talk = Talk(context).hello()

    class Once(Viewer):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            talk.edge.pause_reading()

    once = Once()
    talk.edge.set_protocol(once)
    assert talk.edge.get_protocol() is once
    for word in (b"one", b"two"):
        talk.peer.write(word)
    talk.say()
    assert once.got == [b"one"]
    talk.edge.resume_reading()
    await asyncio.sleep(0)
    assert once.got == [b"one", b"two"]


async def test_flow_control_is_that_of_tcp(context: ssl.SSLContext) -> None:
    talk = Talk(context)
    talk.edge.pause_writing()
    talk.edge.resume_writing()
    talk.hello()
    talk.edge.pause_writing()
    talk.edge.resume_writing()
    assert talk.viewer.told == ["made", "pause", "resume"]
    talk.edge.set_write_buffer_limits(high=7, low=3)
    talk.tcp.unsent = 42
    assert (talk.tcp.limits, talk.edge.get_write_buffer_size()) == ((7, 3), 42)
    assert not talk.edge.can_write_eof(), "over TLS there is no half of a connection"


async def test_nobody_is_told_before_and_after(context: ssl.SSLContext) -> None:
    talk = Talk(context)
    with pytest.raises(RuntimeError, match="no protocol"):
        talk.edge.get_protocol()
    talk.hello().edge.connection_lost(None)
    with pytest.raises(RuntimeError, match="no protocol"):
        talk.edge.get_protocol()


async def test_nothing_is_left_of_a_connection(context: ssl.SSLContext) -> None:
    gc.disable()
    try:
        talk = Talk(context).hello()
        talk.edge.connection_lost(None)
        assert (talk.edge.get_write_buffer_size(), talk.edge.get_extra_info("peername", "x")) == (0, "x")
        for call in (talk.edge.close, talk.edge.abort, talk.edge.pause_reading, talk.edge.resume_reading):
            call()
        talk.edge.write(b"nothing")
        talk.edge.set_write_buffer_limits(1, 1)
        talk.viewer.transport = None
        here = weakref.ref(talk.edge)
        del talk, call
        assert here() is None, "no cycle"
    finally:
        gc.enable()
