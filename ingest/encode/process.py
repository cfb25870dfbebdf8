"""One worker process: its socket, its log, its end. The shell of `wire`.

    worker = await WorkerProcess.start()      # imports done or not: what is written waits in the socket
    worker.attach(name, receiver)             # from now on its messages go there
    worker.write(message)                     # while `worker.writable`
    worker.kill(Fault.HANG, "...")            # SIGKILL; the receiver hears of every end, once
    await worker.gone()                       # the process is reaped

The process leads its own session, so that a terminal's Ctrl-C is for the server alone, and it ends by itself when the
socket does, however the server went.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from typing import Protocol, cast

import structlog

from .model import FromWorker, ToWorker
from .wire import Decoder, WireError, encode

log = structlog.get_logger("headwater.encode")

SOCKET_BYTES = 256 * 1024
"""Bytes in the transport above which nothing more is written. Why: with the kernel's own buffer it is a third of a
second of the largest sources, and what is written cannot be taken back."""
LINE_BYTES = 2_000
LINES = 20
"""Lines of its stderr that are logged in `LINES_S` seconds; more are counted. Why: a decoder that complains about each
packet must not fill the disk."""
LINES_S = 10.0

COMMAND = (sys.executable, "-m", "headwater.ingest.encode.worker")
SETTINGS = "HEADWATER_"
"""Environment of this prefix is settings, publish keys among them: nothing for a process that decodes strangers'
bytes."""


class Fault(enum.StrEnum):
    """Why a worker is no more."""

    CRASH = "crash"
    HANG = "hang"
    MEMORY = "memory"
    PROTOCOL = "protocol"
    DONE = "done"
    """It was not needed any more."""


class Receiver(Protocol):
    """Who hears a worker."""

    def received(self, messages: Sequence[FromWorker]) -> None:
        """What it said."""

    def writable(self) -> None:
        """More can be written."""

    def ended(self, fault: Fault, detail: str) -> None:
        """It is no more. Called once."""


class WorkerProcess(asyncio.Protocol):
    """See the module. Made by `start`."""

    def __init__(self) -> None:
        self.pid = 0
        self.started_at = time.monotonic()
        self.heard_at: float | None = None
        """Monotonic seconds of its last message; None: it said nothing yet."""
        self.writable = True
        self._name = ""
        self._receiver: Receiver | None = None
        self._decoder = Decoder()
        self._transport: asyncio.Transport | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._reaper: asyncio.Task[None] | None = None
        self._end: tuple[Fault, str] | None = None

    @classmethod
    async def start(cls, command: Sequence[str] = COMMAND) -> WorkerProcess:
        """Start a process. Raises OSError: there is no process, memory or file to be had."""
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        worker = cls()
        try:
            ours.setblocking(False)
            worker._process = await asyncio.create_subprocess_exec(
                *command,
                str(theirs.fileno()),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                env={key: value for key, value in os.environ.items() if not key.startswith(SETTINGS)},
                limit=LINE_BYTES,
            )
            worker.pid = worker._process.pid
            worker._reaper = loop.create_task(worker._reap(worker._process), name=f"encoder {worker.pid}")
            await loop.create_unix_connection(lambda: worker, sock=ours)
        except BaseException:
            ours.close()
            worker._signal()
            raise
        finally:
            theirs.close()
        return worker

    def attach(self, name: str, receiver: Receiver) -> None:
        """It works for the stream `name` from now on."""
        self._name = name
        self._receiver = receiver
        if self._end is not None:
            self._tell()

    @property
    def alive(self) -> bool:
        """Nothing is known of its end."""
        return self._end is None

    @property
    def reaped(self) -> bool:
        """Nothing of the process is left."""
        return self._reaper is not None and self._reaper.done()

    def write(self, message: ToWorker) -> None:
        """Send one message."""
        if self._transport is not None and self._end is None:
            self._transport.writelines(encode(message))

    def kill(self, fault: Fault, detail: str) -> None:
        """End it now."""
        self._finish(fault, detail)
        self._signal()

    def stopped(self) -> bool:
        """Somebody stopped it (SIGSTOP)."""
        if self._end is not None:
            return False
        try:
            state = os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return False
        return state is not None

    async def gone(self) -> None:
        """Wait until the process is no more."""
        if self._reaper is not None:
            await asyncio.shield(self._reaper)

    # -- asyncio.Protocol ----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=SOCKET_BYTES)

    def data_received(self, data: bytes) -> None:
        self.heard_at = time.monotonic()
        if self._end is not None:
            return
        try:
            messages = cast(list[FromWorker], self._decoder.receive_data(data))
        except WireError as error:
            self.kill(Fault.PROTOCOL, str(error))
            return
        if self._receiver is not None and messages:
            self._receiver.received(messages)

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True
        if self._receiver is not None and self._end is None:
            self._receiver.writable()

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        # Its exit code comes a moment later, with `_reap`; when it does not, the process lives without a socket.
        asyncio.get_running_loop().call_later(0.1, self.kill, Fault.CRASH, "it closed its socket")

    # -- its end ---------------------------------------------------------------------------------------------------

    def _signal(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)

    def _finish(self, fault: Fault, detail: str) -> None:
        if self._end is not None:
            return
        self._end = (fault, detail)
        if self._transport is not None:
            self._transport.abort()
        self._tell()

    def _tell(self) -> None:
        receiver, self._receiver = self._receiver, None
        if receiver is not None and self._end is not None:
            receiver.ended(*self._end)

    async def _reap(self, process: asyncio.subprocess.Process) -> None:
        if process.stderr is not None:
            await self._log(process.stderr)
        code = await process.wait()
        self._finish(Fault.CRASH, f"signal {-code}" if code < 0 else f"exit code {code}")

    async def _log(self, lines: asyncio.StreamReader) -> None:
        """Its stderr, until it ends."""
        began, said, unsaid = time.monotonic(), 0, 0
        while True:
            try:
                line = await lines.readline()
            except ValueError:
                continue  # longer than LINE_BYTES: the reader has dropped it
            if not line:
                break
            now = time.monotonic()
            if now - began >= LINES_S:
                began, said = now, 0
            if said >= LINES:
                unsaid += 1
                continue
            said += 1
            text = line.decode(errors="replace").rstrip()
            log.warning("encoder says", stream=self._name, pid=self.pid, text=text, more_before=unsaid)
            unsaid = 0
