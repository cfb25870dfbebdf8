"""HTTP/2 as a viewer speaks it, over the library h2: one connection, its streams and windows. Sans-IO, bounded.

RFC 9113. What differs from the library's own way: GOAWAY does not end what is open (6.8), few closed streams are
remembered, nothing is pushed, and the path is kept out of the header table, as browsers do.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Iterable, Sequence

from h2.config import H2Configuration
from h2.connection import ConnectionInputs, ConnectionState, H2Connection, H2ConnectionStateMachine
from h2.errors import ErrorCodes
from h2.events import Event
from h2.exceptions import ProtocolError
from h2.frame_buffer import FrameBuffer
from h2.settings import SettingCodes, Settings
from hpack import Decoder, HeaderTuple, NeverIndexedHeaderTuple
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH

from .response import MAX_BODY

ALPN = "h2"
STREAM_WINDOW, CONNECTION_WINDOW = 6 << 20, 15 << 20
"""Bytes that the server may send ahead. Why: what Chromium gives."""
USUAL_WINDOW = 65_535
"""Of a connection before it is opened further (6.9.2)."""
MAX_FIELDS = 64 << 10
"""Bytes of the fields of an answer (SETTINGS_MAX_HEADER_LIST_SIZE)."""

MAX_BLOCK, MAX_BLOCKS = 2 << 10, 4_096
"""Bytes of a header block that is remembered, and how many are. Why: far more than differ within a second."""

_STATUS = re.compile(rb"[1-5][0-9][0-9]\Z")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+\Z")
_VALUE = re.compile(rb"[^\x00\r\n]*\Z")
_CONNECTION = frozenset({b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"})
_DECIMAL = re.compile(rb"[0-9]{1,12}\Z")
_CONFIG = H2Configuration(
    validate_outbound_headers=False,
    normalize_outbound_headers=False,
    validate_inbound_headers=False,
    normalize_inbound_headers=False,
)
"""What is sent is written here, and right; what comes is judged by `read_head`."""

Fields = tuple[tuple[bytes, bytes], ...]


class Http2Error(Exception):
    """What came is no HTTP/2, or more than is taken."""


class _Huffman(HuffmanEncoder):
    """Remembers: thousands of viewers ask for the same paths, and a path costs more than all else in a request."""

    @functools.lru_cache(maxsize=4_096)  # noqa: B019  (there is one, for ever)
    def encode(self, bytes_to_encode: bytes | None) -> bytes:
        """As the library says it."""
        return super().encode(bytes_to_encode)


_HUFFMAN = _Huffman(REQUEST_CODES, REQUEST_CODES_LENGTH)
_blocks: dict[bytes, Iterable[HeaderTuple]] = {}


class _Decoder(Decoder):
    """A header block that has nothing to do with the table means the same on all connections, and is read once."""

    def decode(self, data: bytes, raw: bool = False) -> Iterable[HeaderTuple]:
        """As the library says it."""
        found = _blocks.get(data)
        if found is not None:
            return found
        table = self.header_table
        clean, size = not table.dynamic_entries, table.maxsize
        found = super().decode(data, raw)
        # Had it named an entry, it would have failed; had it made one, it would be there
        if clean and not table.dynamic_entries and table.maxsize == size and len(data) <= MAX_BLOCK:
            if len(_blocks) >= MAX_BLOCKS:
                _blocks.clear()
            _blocks[data] = found
        return found


class _Machine(H2ConnectionStateMachine):
    """The library takes GOAWAY for the end, but what is open goes on (6.8)."""

    _transitions = H2ConnectionStateMachine._transitions | {
        (ConnectionState.CLIENT_OPEN, ConnectionInputs.RECV_GOAWAY): (None, ConnectionState.CLIENT_OPEN)
    }


class _Frames(FrameBuffer):
    """The library judges the length of a frame once all of it has come: up to 16 MiB."""

    def overlong(self) -> bool:
        """Whether the frame that is not whole yet is longer than we take."""
        return int.from_bytes(self._data[:3], "big") > self.max_frame_size and len(self._data) >= 3


class _H2(H2Connection):
    MAX_CLOSED_STREAMS = 64
    """Why: viewers of a long run close 100,000s, and only what was just cancelled may still get frames."""

    def clear_outbound_data_buffer(self) -> None:
        """Called at GOAWAY: what is to be said is said all the same."""


class Session:
    """The client's side of one connection. After each call: write what `output` gives."""

    __slots__ = ("_frames", "_h2", "_more", "_pseudo")

    def __init__(self, authority: str, more: Fields, window: int = STREAM_WINDOW) -> None:
        """`more`: fields of each request. `window`: bytes that a stream may send ahead of what was `read`."""
        self._pseudo: Fields = (
            (b":method", b"GET"), (b":scheme", b"https"), (b":authority", authority.encode("ascii"))
        )  # fmt: skip
        self._more = more
        machine = self._h2 = _H2(_CONFIG)
        self._frames = machine.incoming_buffer = _Frames(server=False)
        machine.state_machine = _Machine()
        machine.encoder.huffman_coder = _HUFFMAN
        machine.decoder = _Decoder()
        machine.decoder.max_header_list_size = MAX_FIELDS
        machine.local_settings = Settings(
            client=True,
            initial_values={
                SettingCodes.ENABLE_PUSH: 0,
                SettingCodes.INITIAL_WINDOW_SIZE: window,
                SettingCodes.MAX_HEADER_LIST_SIZE: MAX_FIELDS,
            },
        )
        del machine.local_settings[SettingCodes.ENABLE_CONNECT_PROTOCOL]
        machine.initiate_connection()
        whole = max(window, USUAL_WINDOW) if window < STREAM_WINDOW else CONNECTION_WINDOW
        if whole > USUAL_WINDOW:
            machine.increment_flow_control_window(whole - USUAL_WINDOW)

    def room(self) -> bool:
        """The server takes one more request at once (SETTINGS_MAX_CONCURRENT_STREAMS)."""
        return self._h2.open_outbound_streams < self._h2.remote_settings.max_concurrent_streams

    def request(self, target: bytes, extra: Fields = ()) -> int:
        """Ask for `target`, where there is `room`: the number of the stream. Its numbers last for 2**30 requests."""
        number = self._h2.get_next_available_stream_id()
        path = NeverIndexedHeaderTuple(b":path", target)
        self._h2.send_headers(number, [*self._pseudo, path, *self._more, *extra], end_stream=True)
        return number

    def cancel(self, number: int) -> None:
        """Nobody waits for the answer any more."""
        # What came may have ended the stream already, and its events are only being read
        with contextlib.suppress(ProtocolError):
            self._h2.reset_stream(number, ErrorCodes.CANCEL)

    def receive(self, data: memoryview) -> Sequence[Event]:
        """What came means: the library's events. Raises Http2Error."""
        try:
            events = self._h2.receive_data(data)
        except ProtocolError as error:
            raise Http2Error(str(error)) from error
        if self._frames.overlong():
            raise Http2Error("a frame is too long")
        return events

    def read(self, size: int, number: int) -> None:
        """The viewer has read `size` flow-controlled bytes of a stream, which may be gone."""
        self._h2.acknowledge_received_data(size, number)

    def output(self) -> bytes:
        """What is to be written."""
        return self._h2.data_to_send()


@functools.lru_cache(maxsize=4_096)
def fields_of(lines: bytes) -> Fields:
    """Header lines of a lane (`Lane.extra`) as HTTP/2 has them."""
    pairs = (line.partition(b": ") for line in lines.split(b"\r\n") if line)
    return tuple((name.lower(), value) for name, _, value in pairs)


@functools.lru_cache(maxsize=MAX_BLOCKS)
def read_head(fields: tuple[tuple[bytes, bytes], ...]) -> tuple[int, int]:
    """Status and age of an answer's fields. Raises Http2Error for what is malformed (8.2, 8.3), and a body too long."""
    name, status = fields[0] if fields else (b"", b"")
    if name != b":status" or not _STATUS.match(status):
        raise Http2Error("bad status")
    age = 0
    for name, value in fields[1:]:
        if not _NAME.match(name) or not _VALUE.match(value) or name in _CONNECTION:
            raise Http2Error("bad field")
        if name == b"age" and _DECIMAL.match(value):
            age = int(value)
        elif name == b"content-length" and (not _DECIMAL.match(value) or int(value) > MAX_BODY):
            raise Http2Error("the body is too long")
    return int(status), age
