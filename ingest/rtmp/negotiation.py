"""From `connect` to `publish` and back: the publisher's commands and their answers. Sans-IO.

    CONNECTING --connect--> IDLE --publish--> DECIDING --accept--> PUBLISHING
                             ^                                         |
                             +---- FCUnpublish, deleteStream, closeStream

Commands that encoders send on the way are answered where they stand; unknown ones are answered when they
carry a transaction id; nothing but nonsense closes.
"""

from __future__ import annotations

import enum

from headwater.ingest.publisher import printable

from .commands import (
    Command,
    StatusCode,
    connect_error,
    connect_result,
    on_fc,
    on_status,
    result,
)
from .errors import CommandError
from .link import Link
from .messages import UserControl
from .target import Target, parse

SWAPPED_ONE = 0x01000000
"""Message stream id 1 of senders that write it big-endian."""


class Stage(enum.Enum):
    """How far a connection has come."""

    CONNECTING = enum.auto()
    IDLE = enum.auto()
    """Connected; nothing is published."""
    DECIDING = enum.auto()
    """`publish` was received; the shell decides."""
    PUBLISHING = enum.auto()


class Outcome(enum.Enum):
    """What a command means for the session."""

    ANSWERED = enum.auto()
    """Nothing: it was answered, or needs no answer."""
    ASKED = enum.auto()
    """`target` wants to be published."""
    ENDED = enum.auto()
    """The publish is over."""
    PLAY = enum.auto()
    """The peer wanted to play; it was told that it cannot."""


class Negotiation:
    """The publish state machine of one connection; writes its answers to `link`."""

    def __init__(self, link: Link) -> None:
        self.stage = Stage.CONNECTING
        self.target = Target("", "", {})
        """What was last asked for."""
        self.encoder = ""
        """`flashVer`, printable."""
        self._link = link
        self._app = ""
        self._tc_url = ""
        self._streams = 0
        """Message streams created; their ids are 1 to this."""
        self._publish_stream = 0

    def command(self, command: Command, stream_id: int) -> Outcome:
        """Act on one command received on message stream `stream_id`.

        Raises:
            CommandError: `publish` before `connect`.
            LimitExceeded: the answer does not fit the outgoing buffer.
        """
        match command.name:
            case "connect":
                self._connect(command)
            case "createStream":
                self._streams += 1
                self._link.command(result(command.transaction, self._streams))
            case "publish":
                return self._publish(command, stream_id)
            case "FCPublish":
                self._link.command(result(command.transaction))
                self._fc("onFCPublish", command, StatusCode.PUBLISH_START)
            case "FCUnpublish":
                self._link.command(result(command.transaction))
                self._fc("onFCUnpublish", command, StatusCode.UNPUBLISHED)
                return self._end()
            case "deleteStream":
                return self._delete(command.number(1))
            case "closeStream":
                return self._delete(float(stream_id))
            case "play" | "play2":
                return self._play(stream_id)
            case "getStreamLength":
                self._link.command(result(command.transaction, 0))
            case "_result" | "_error" | "onStatus":
                pass  # answers to nothing that was asked
            case _:
                # releaseStream, _checkbw and whatever else: RTMP 1.0 section 7.2.1.2, an id wants an answer.
                if command.transaction:
                    self._link.command(result(command.transaction))
        return Outcome.ANSWERED

    # -- the shell's decision ------------------------------------------------------------------------

    def accept(self) -> None:
        """Tell the publisher to start."""
        self.stage = Stage.PUBLISHING
        self._link.stream_event(UserControl.STREAM_BEGIN, self._publish_stream or 1)
        self._status("status", StatusCode.PUBLISH_START, "Publishing.")

    def reject(self, code: str, description: str) -> None:
        """Tell the publisher why not."""
        self.stage = Stage.IDLE
        self._status("error", code, description)

    # -- commands --------------------------------------------------------------------------------------

    def _connect(self, command: Command) -> None:
        if self.stage is not Stage.CONNECTING:
            self._link.command(connect_error(command.transaction, "This connection is connected already."))
            return
        properties = {name.lower(): value for name, value in command.properties().items()}
        app, url, version = (properties.get(name) for name in ("app", "tcurl", "flashver"))
        self._app = app if isinstance(app, str) else ""
        self._tc_url = url if isinstance(url, str) else ""
        self.encoder = printable(version) if isinstance(version, str) else ""
        self.stage = Stage.IDLE
        self._link.greet()
        self._link.command(connect_result(command))

    def _publish(self, command: Command, stream_id: int) -> Outcome:
        if self.stage is Stage.CONNECTING:
            raise CommandError("publish before connect")
        if self.stage is Stage.PUBLISHING:
            info = on_status("error", StatusCode.PUBLISH_BAD_NAME, "This connection publishes already.")
            self._link.command(info, stream_id)
            return Outcome.ANSWERED
        self._publish_stream = stream_id
        self.target = parse(self._app, self._tc_url, command.text(1))
        self.stage = Stage.DECIDING
        return Outcome.ASKED

    def _delete(self, stream_id: float | None) -> Outcome:
        """`deleteStream` or `closeStream`: the end, unless it names another stream that was created."""
        mine = 1 if self._publish_stream == SWAPPED_ONE else self._publish_stream
        created = stream_id is not None and 1 <= stream_id <= self._streams
        mine_created = 1 <= mine <= self._streams
        if created and mine_created and stream_id != mine:
            return Outcome.ANSWERED
        return self._end()

    def _end(self) -> Outcome:
        if self.stage is not Stage.PUBLISHING:
            return Outcome.ANSWERED
        self.stage = Stage.IDLE
        self._status("status", StatusCode.UNPUBLISHED, "Publishing ended.")
        return Outcome.ENDED

    def _play(self, stream_id: int) -> Outcome:
        text = "This server takes publishers; streams are watched over HTTP."
        self._link.command(on_status("error", StatusCode.PLAY_NOT_FOUND, text), stream_id)
        return Outcome.ANSWERED if self.stage is Stage.PUBLISHING else Outcome.PLAY

    def _fc(self, name: str, command: Command, code: StatusCode) -> None:
        self._link.command(on_fc(name, command.transaction, code, ""))

    def _status(self, level: str, code: str, description: str) -> None:
        self._link.command(on_status(level, code, description), self._publish_stream)
