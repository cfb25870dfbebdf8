"""The connection below the commands: outgoing buffer, acknowledgements, windows, pings. Sans-IO."""

from __future__ import annotations

from .chunks import ChunkWriter
from .errors import LimitExceeded
from .limits import RtmpLimits
from .messages import (
    Limit,
    Message,
    MessageType,
    UserControl,
    number,
    peer_bandwidth,
    read_number,
    read_user_control,
    user_control,
)

WINDOW = 2_500_000
"""Bytes: our window acknowledgement size and peer bandwidth, and the window assumed until a peer names its own."""
OUR_CHUNK_SIZE = 65_536
"""Bytes. FFmpeg takes the size over for what it sends: 128-byte chunks would cost it and us."""

_CONTROL_CSID = 2
_COMMAND_CSID = 3
_STREAM_CSID = 5


class Link:
    """Answers the protocol control messages and keeps the connection alive.

    Args:
        limits: `outgoing_bytes` and `ping_s` are used.
        now: monotonic seconds.
    """

    def __init__(self, limits: RtmpLimits, now: float) -> None:
        self.round_trip_s: float | None = None
        """Of the last answered ping, seconds."""
        self._limits = limits
        self._writer = ChunkWriter()
        self._out = bytearray()
        self._received = 0
        self._acknowledged = 0
        self._peer_window = WINDOW
        self._announced_window = 0
        self._heard = now
        self._ping_at = now + limits.ping_s
        self._pinged: float | None = None

    # -- outgoing ----------------------------------------------------------------------------------

    def take(self) -> bytes:
        """What is to be sent, and forget it."""
        out = bytes(self._out)
        self._out.clear()
        return out

    def write(self, data: bytes) -> None:
        """Queue raw bytes.

        Raises:
            LimitExceeded: the peer does not read; nothing is queued any more.
        """
        if len(self._out) + len(data) > self._limits.outgoing_bytes:
            raise LimitExceeded(f"more than {self._limits.outgoing_bytes} bytes of replies that the peer does not read")
        self._out += data

    def control(self, kind: MessageType, payload: bytes) -> None:
        """Queue a protocol control message. Raises LimitExceeded as `write`."""
        self.write(self._writer.write(_CONTROL_CSID, kind, 0, payload))

    def command(self, payload: bytes, stream_id: int = 0) -> None:
        """Queue a command on a message stream. Raises LimitExceeded as `write`."""
        csid = _STREAM_CSID if stream_id else _COMMAND_CSID
        self.write(self._writer.write(csid, MessageType.COMMAND_AMF0, stream_id, payload))

    def greet(self) -> None:
        """Window, bandwidth and chunk size, as they precede the answer to `connect`."""
        self._announce_window(WINDOW)
        self.control(MessageType.SET_PEER_BANDWIDTH, peer_bandwidth(WINDOW, Limit.DYNAMIC))
        self.control(MessageType.SET_CHUNK_SIZE, number(OUR_CHUNK_SIZE))
        self._writer.chunk_size = OUR_CHUNK_SIZE

    def stream_event(self, event: UserControl, stream_id: int) -> None:
        """StreamBegin or StreamEOF of a message stream."""
        self.control(MessageType.USER_CONTROL, user_control(event, stream_id))

    def _announce_window(self, size: int) -> None:
        self._announced_window = size
        self.control(MessageType.WINDOW_ACK_SIZE, number(size))

    # -- incoming ----------------------------------------------------------------------------------

    def received(self, size: int, now: float) -> None:
        """Account for `size` bytes of chunk stream; acknowledges when the peer's window is full."""
        self._heard = now
        self._received += size
        # RTMP 1.0 section 5.4.3: the number of bytes received so far, 32 bits, so it wraps.
        if self._received - self._acknowledged >= self._peer_window:
            self._acknowledged = self._received
            self.control(MessageType.ACKNOWLEDGEMENT, number(self._received))

    def message(self, message: Message, now: float) -> None:
        """Obey a control message (types 3 to 6), whatever stream it came on; a malformed one is ignored."""
        if message.type == MessageType.USER_CONTROL:
            self._user_control(message.payload, now)
            return
        size = read_number(message.payload)
        if not size:
            return
        if message.type == MessageType.WINDOW_ACK_SIZE:
            # More often than asked does no harm, and some senders name windows that never fill.
            self._peer_window = min(size, WINDOW)
        elif message.type == MessageType.SET_PEER_BANDWIDTH and size != self._announced_window:
            # RTMP 1.0 section 5.4.5: "SHOULD respond with a Window Acknowledgement Size message".
            self._announce_window(size)

    def _user_control(self, payload: bytes, now: float) -> None:
        parsed = read_user_control(payload)
        if parsed is None:
            return
        event, value = parsed
        if event == UserControl.PING_REQUEST:
            self.control(MessageType.USER_CONTROL, user_control(UserControl.PING_RESPONSE, value))
        elif event == UserControl.PING_RESPONSE and self._pinged is not None and value == _stamp(self._pinged):
            self.round_trip_s = now - self._pinged

    # -- time --------------------------------------------------------------------------------------

    def begin(self, now: float) -> None:
        """The handshake is over: the first ping is due in one interval."""
        self._ping_at = now + self._limits.ping_s

    def next_timeout(self) -> float:
        """When the next ping is due, monotonic seconds."""
        return self._ping_at

    def handle_timeout(self, now: float) -> bool:
        """Send the ping that is due; False when nothing was heard since the last one: the peer is gone."""
        if now < self._ping_at:
            return True
        if self._pinged is not None and self._heard <= self._pinged:
            return False
        self._pinged = now
        self._ping_at = now + self._limits.ping_s
        self.control(MessageType.USER_CONTROL, user_control(UserControl.PING_REQUEST, _stamp(now)))
        return True


def _stamp(now: float) -> int:
    """The timestamp of a ping: milliseconds, 32 bits."""
    return int(now * 1000) & 0xFFFFFFFF
