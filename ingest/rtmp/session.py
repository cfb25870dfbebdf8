"""One publisher's connection, from its first byte to `Closed`. Sans-IO.

    session = PublishSession(limits, now, entropy)
    session.receive_data(data, now)               # whatever the socket gave
    for event in session.events_received(): ...   # PublishRequested: call accept or reject
    transport.write(session.data_to_send())       # only while the transport takes more
    when session.next_timeout() is reached: session.handle_timeout(now)

Nothing that a peer sends raises here. After the `Closed` event every method does nothing: drain
`data_to_send`, then close the connection.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from headwater.ingest.media import Packet
from headwater.ingest.tracks import TrackConfigured

from .chunks import ChunkReader
from .commands import read_command, read_metadata
from .enhanced import BadTag
from .errors import CloseReason, LimitExceeded, RtmpError, WrongState
from .events import Closed, MetadataReceived, PublishEnded, PublishRequested, RejectCode, SessionEvent
from .flv import TagReader
from .handshake import ServerHandshake
from .limits import BAD_TAGS_IN_A_ROW, UNPUBLISHED_MESSAGES, RtmpLimits
from .link import Link
from .messages import Message, MessageType, split_aggregate
from .negotiation import Negotiation, Outcome, Stage

PLAIN = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What of a target may stand in a log."""


@dataclass(slots=True)
class Counters:
    """What a session has seen, for the shell's metrics and limits; only ever grows."""

    bytes_received: int = 0
    media_messages: int = 0
    """Audio and video messages that were taken."""
    bad_tags: int = 0
    """Audio and video messages that were malformed."""
    ignored: int = 0
    """Messages of unknown or unused types, and media outside a publish."""
    unreadable: int = 0
    """Commands and metadata that could not be read, or are too large."""


class PublishSession:
    """The server's side of one RTMP connection that publishes.

    Args:
        limits: what the peer may cost.
        now: monotonic seconds; every later `now` is on the same clock.
        entropy: 16 or more unpredictable bytes, for the handshake.
    """

    def __init__(self, limits: RtmpLimits, now: float, entropy: bytes) -> None:
        self.counters = Counters()
        self.last_media_at = now
        """When the last packet or configuration came, or the publish was accepted; monotonic seconds."""
        self._limits = limits
        self._handshake = ServerHandshake(entropy)
        self._reader = ChunkReader(limits)
        self._link = Link(limits, now)
        self._negotiation = Negotiation(self._link)
        self._tags = TagReader(limits.tracks_per_kind)
        self._events: list[SessionEvent] = []
        self._deadline: float | None = now + limits.handshake_s
        self._closed = False
        self._unpublished_bytes = 0
        """Bytes consumed while nothing is published."""
        self._unpublished_messages = 0
        self._held = bytearray()
        """Bytes that came while the shell decides."""
        self._bad_in_a_row = 0

    # -- what the shell may ask ----------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """`Closed` was said: drain `data_to_send`, then close."""
        return self._closed

    @property
    def shaken(self) -> bool:
        """The peer speaks RTMP: the handshake is done."""
        return self._handshake.done

    @property
    def publishing(self) -> bool:
        """A publish was accepted and has not ended."""
        return not self._closed and self._negotiation.stage is Stage.PUBLISHING

    @property
    def round_trip_s(self) -> float | None:
        """Of the last answered ping, seconds; None before the first."""
        return self._link.round_trip_s

    @property
    def buffered_bytes(self) -> int:
        """Bytes kept in unfinished messages, and while the shell decides."""
        return self._reader.partial_bytes + len(self._held)

    def describe(self) -> str:
        """Application, name and encoder for the log; never the query, which holds the key.

        What is no plain name is left out too: it may be a key behind a mistyped separator.
        """
        target = self._negotiation.target
        parts = [part if PLAIN.fullmatch(part) else "(unnamed)" for part in (target.app, target.name)]
        return f"{'/'.join(parts)} {self._negotiation.encoder}".rstrip()

    # -- bytes -----------------------------------------------------------------------------------------

    def receive_data(self, data: bytes, now: float) -> None:
        """Take what the peer sent, in any segmentation."""
        if self._closed:
            return
        self.counters.bytes_received += len(data)
        try:
            self._receive(data, now)
        except RtmpError as error:
            self._close(error.reason, str(error))

    def receive_eof(self, now: float) -> None:
        """The peer sends nothing more."""
        self._close(CloseReason.PEER, "the peer closed the connection")

    def data_to_send(self) -> bytes:
        """Bytes for the peer; each is given once.

        Do not call it while the transport is full: what is not collected counts against `outgoing_bytes`,
        which is how a peer that never reads is found.
        """
        return self._link.take()

    def events_received(self) -> list[SessionEvent]:
        """What has happened since the last call, in order."""
        events = self._events
        self._events = []
        return events

    # -- time ------------------------------------------------------------------------------------------

    def next_timeout(self) -> float | None:
        """When to call `handle_timeout`, monotonic seconds; None after `Closed`. Changes with every call."""
        if self._closed:
            return None
        if not self._handshake.done:
            return self._deadline
        ping = self._link.next_timeout()
        return ping if self._deadline is None else min(ping, self._deadline)

    def handle_timeout(self, now: float) -> None:
        """Act on what is due; early or late calls do no harm."""
        if self._closed:
            return
        if self._deadline is not None and now >= self._deadline:
            shaken = self._handshake.done
            self._close(CloseReason.TIMEOUT, "no publish in time" if shaken else "no handshake in time")
            return
        if not self._handshake.done:
            return
        try:
            alive = self._link.handle_timeout(now)
        except RtmpError as error:
            self._close(error.reason, str(error))
            return
        if not alive:
            self._close(CloseReason.PING, f"nothing heard for {self._limits.ping_s:g} s after a ping")

    # -- the shell's decisions ---------------------------------------------------------------------------

    def accept(self, now: float) -> None:
        """Let the publish that was asked for begin, and go on reading.

        Raises:
            WrongState: there was no PublishRequested. (After `Closed` nothing happens: the peer may have left.)
        """
        if not self._deciding():
            return
        self._deadline = None
        self.last_media_at = now
        self._tags = TagReader(self._limits.tracks_per_kind)
        self._bad_in_a_row = 0
        try:
            self._negotiation.accept()
            held = bytes(self._held)
            self._held.clear()
            self._read_chunks(held, now)
        except RtmpError as error:
            self._close(error.reason, str(error))

    def reject(self, code: RejectCode, description: str, now: float) -> None:
        """Refuse the publish that was asked for; `description` goes to the encoder. Closes.

        Raises:
            WrongState: as `accept`.
        """
        if not self._deciding():
            return
        try:
            self._negotiation.reject(code, description)
        except RtmpError as error:
            self._close(error.reason, str(error))
            return
        self._close(CloseReason.REJECTED, f"publish rejected: {code}")

    def close(self, detail: str) -> None:
        """End the session for a reason of the server: takeover, idle media, too fast, shutdown."""
        self._close(CloseReason.SERVER, detail)

    def _deciding(self) -> bool:
        if self._closed:
            return False
        if self._negotiation.stage is not Stage.DECIDING:
            raise WrongState("no publish was asked for")
        return True

    # -- inside ------------------------------------------------------------------------------------------

    def _receive(self, data: bytes, now: float) -> None:
        stage = self._negotiation.stage
        if stage is Stage.DECIDING:
            if len(self._held) > self._limits.pre_publish_bytes:
                self._refuse_size()
            self._held += data
            self._link.received(len(data), now)
            return
        if stage is Stage.PUBLISHING:
            self._link.received(len(data), now)
            self._read_chunks(data, now)
            return
        self._unpublished_bytes += len(data)
        if not self._handshake.done:
            data = self._shake(data, now)
        if not data:
            return
        self._link.received(len(data), now)
        self._read_chunks(data, now)
        waiting = self._negotiation.stage in (Stage.CONNECTING, Stage.IDLE)
        if waiting and self._unpublished_bytes > self._limits.pre_publish_bytes:
            self._refuse_size()

    def _shake(self, data: bytes, now: float) -> bytes:
        """Go on with the handshake; return what follows it."""
        reply, rest = self._handshake.receive(data)
        self._link.write(reply)
        if self._handshake.done:
            self._deadline = now + self._limits.publish_s
            self._link.begin(now)
        return rest

    def _refuse_size(self) -> None:
        self._close(CloseReason.LIMIT, f"more than {self._limits.pre_publish_bytes} bytes before a publish")

    def _read_chunks(self, data: bytes, now: float) -> None:
        """Act on every message of `data`, up to one that makes the shell decide."""
        reader = self._reader
        reader.feed(data)
        while not self._closed:
            message = reader.next_message()
            if message is None:
                return
            self._message(message, now)
            stage = self._negotiation.stage
            if stage is Stage.PUBLISHING:
                continue
            if stage is Stage.DECIDING:
                self._held += reader.unread()
                return
            self._unpublished_messages += 1
            if self._unpublished_messages > UNPUBLISHED_MESSAGES:
                raise LimitExceeded(f"more than {UNPUBLISHED_MESSAGES} messages before a publish")

    def _message(self, message: Message, now: float) -> None:
        kind = message.type
        if kind in (MessageType.VIDEO, MessageType.AUDIO):
            self._media(message, now)
        elif kind == MessageType.AGGREGATE:
            for part in split_aggregate(message):
                if self._closed:
                    return
                if part.type in (MessageType.VIDEO, MessageType.AUDIO, MessageType.DATA_AMF0):
                    self._message(part, now)
        elif kind in (MessageType.COMMAND_AMF0, MessageType.COMMAND_AMF3):
            self._command(message, now)
        elif kind in (MessageType.DATA_AMF0, MessageType.DATA_AMF3):
            self._data(message)
        elif MessageType.ACKNOWLEDGEMENT <= kind <= MessageType.SET_PEER_BANDWIDTH:
            self._link.message(message, now)
        else:
            self.counters.ignored += 1

    def _media(self, message: Message, now: float) -> None:
        # The message stream id is not compared: senders use 0, 1 and 0x01000000 as they like.
        payload = message.payload
        if self._negotiation.stage is not Stage.PUBLISHING or not payload:
            self.counters.ignored += 1
            return
        read = self._tags.video if message.type == MessageType.VIDEO else self._tags.audio
        try:
            events = read(payload, message.timestamp, now)
        except BadTag:
            self.counters.bad_tags += 1
            self._bad_in_a_row += 1
            if self._bad_in_a_row >= BAD_TAGS_IN_A_ROW:
                self._close(CloseReason.MEDIA, f"{BAD_TAGS_IN_A_ROW} malformed audio and video messages in a row")
            return
        self._bad_in_a_row = 0
        self.counters.media_messages += 1
        self._events.extend(events)
        # Frames that nothing can be made of (no configuration, a refused codec) are silence: they hold no name.
        if events and isinstance(events[-1], Packet | TrackConfigured):
            self.last_media_at = now

    def _data(self, message: Message) -> None:
        if self._negotiation.stage is not Stage.PUBLISHING:
            self.counters.ignored += 1
            return
        if len(message.payload) > self._limits.command_bytes:
            self.counters.unreadable += 1
            return
        values = read_metadata(message.payload)
        if values is None:
            self.counters.ignored += 1
            return
        self._tags.metadata(values)
        self._events.append(MetadataReceived(values))

    def _command(self, message: Message, now: float) -> None:
        command = read_command(message.payload)
        if command is None:
            self.counters.unreadable += 1
            return
        match self._negotiation.command(command, message.stream_id):
            case Outcome.ASKED:
                target = self._negotiation.target
                encoder = self._negotiation.encoder
                self._events.append(PublishRequested(target.app, target.name, target.query, encoder))
            case Outcome.ENDED:
                self._deadline = now + self._limits.publish_s
                self._unpublished_bytes = self._unpublished_messages = 0
                self._events.append(PublishEnded())
            case Outcome.PLAY:
                self._close(CloseReason.PLAY, "a player; only publishers are served over RTMP")
            case Outcome.ANSWERED:
                pass

    def _close(self, reason: CloseReason, detail: str) -> None:
        if self._closed:
            return
        if self._negotiation.stage is Stage.PUBLISHING:
            self._events.append(PublishEnded())
        self._closed = True
        self._deadline = None
        self._held.clear()
        # Unfinished messages may be megabytes; the shell may keep the session until its bytes are drained.
        self._reader = ChunkReader(self._limits)
        self._events.append(Closed(reason, detail))
