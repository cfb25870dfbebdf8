"""Child processes of `headwater up` and of an edge with workers: started, told their settings, restarted with growing
pauses, never left behind.

A child is `python -m headwater.config.child ROLE`. Its standard input is a pipe. The first line is its hand-over (JSON;
secrets go this way, never through arguments or the environment), further lines are what `tell` sends, and its end is
the sign that the parent is gone, however it went. On its standard output the child says JSON lines; its log goes to the
shared stderr.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import json
import signal
import sys
from collections.abc import Callable, Mapping, Sequence

import structlog

log = structlog.get_logger("headwater.config")

PAUSE_S = 0.5
"""Before the first restart; doubles with each."""
MAX_PAUSE_S = 30.0
GOOD_RUN_S = 60.0
"""A child that ran this long starts again with the first pause."""
START_S = 20.0
"""For a child to say that it listens. Why: a cold start on a busy machine takes seconds, never this long."""
MAX_LINE_BYTES = 1 << 16

Message = Mapping[str, object]


class Cause(enum.StrEnum):
    """Why a child had to be started again; the value is the label of the metric."""

    DIED = "died"
    HUNG = "hung"
    """It lived and did nothing, and was ended for that."""


class ChildFailed(Exception):
    """The child ended, or said nothing, before it was ready. Its own words are on stderr."""

    def __init__(self, name: str, code: int) -> None:
        super().__init__(f"{name} did not start")
        self.code = code
        """Exit code that fits: the child's own 1 or 2."""


class Supervisor:
    """One child in role `role`. `document()` makes the hand-over of each start; `said` receives the child's messages.

    A child is ready with its first message. `command` is what is run in place of the role's own process, `pause_s`
    the pause before the first restart; `at_once`: a child that dies is started again without any pause, and only the
    one after that, when it dies within `GOOD_RUN_S` too, waits for `pause_s`. `max_pause_s` bounds the pauses.
    `pass_fds` are descriptors that the child inherits under the same numbers, `spare` gives a process that is loaded
    already to start it again in, `start_s` is what `start` waits, `name` what the log calls it. All methods belong to
    one running event loop.
    """

    def __init__(
        self,
        role: str,
        document: Callable[[], str],
        said: Callable[[Message], None],
        *,
        command: Sequence[str] | None = None,
        pause_s: float = PAUSE_S,
        max_pause_s: float = MAX_PAUSE_S,
        at_once: bool = False,
        start_s: float = START_S,
        pass_fds: Sequence[int] = (),
        spare: Callable[[], asyncio.subprocess.Process | None] = lambda: None,
        name: str = "",
    ) -> None:
        self._role = name or role
        self._document = document
        self._said = said
        self._command = command or (sys.executable, "-m", "headwater.config.child", role)
        self._pause_s = pause_s
        self._max_pause_s = max_pause_s
        self._first_pause_s = 0.0 if at_once else pause_s
        self._start_s = start_s
        self._pass_fds = tuple(pass_fds)
        self._spare = spare
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._stopping = False
        self._given_up = False
        self.lost: dict[Cause, int] = dict.fromkeys(Cause, 0)
        """Restarts since `start` by why: tries, those that found no room for a process included."""

    @property
    def restarts(self) -> int:
        """All of `lost`."""
        return sum(self.lost.values())

    @property
    def running(self) -> bool:
        """True while the child runs and has said that it is ready."""
        return self._ready.is_set()

    @property
    def pid(self) -> int | None:
        """Of the child that runs; None: there is none."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    def tell(self, line: str) -> None:
        """Send the running child one more line; nothing when there is none. The next one reads its hand-over anew."""
        process = self._process
        if process is not None and process.returncode is None and process.stdin is not None:
            process.stdin.write(line.encode() + b"\n")

    def give_up(self) -> None:
        """SIGKILL for a child that hangs; it is started again like one that died. Nothing when there is none."""
        process = self._process
        if process is not None and process.returncode is None:
            self._given_up = True
            with contextlib.suppress(ProcessLookupError):
                process.kill()

    async def start(self, *, wait: bool) -> None:
        """Run the child from now on; with `wait` return when it is ready. Raises ChildFailed."""
        try:
            started = await self._spawn()
        except OSError as error:
            self._say_unstarted(error)
            raise ChildFailed(self._role, 1) from error
        self._task = asyncio.get_running_loop().create_task(self._keep(started), name=f"supervise {self._role}")
        if not wait:
            return
        ready = asyncio.ensure_future(self._ready.wait())
        ended = asyncio.ensure_future(started.wait())
        await asyncio.wait({ready, ended}, timeout=self._start_s, return_when=asyncio.FIRST_COMPLETED)
        failed = not ready.done()
        for waiter in (ready, ended):
            waiter.cancel()
        if failed:
            await self.stop(1)
            raise ChildFailed(self._role, 2 if started.returncode == 2 else 1)

    async def stop(self, within_s: float, sign: signal.Signals = signal.SIGTERM) -> None:
        """`sign`, and SIGKILL when the child is still there after `within_s`. Idempotent."""
        self._stopping = True
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(sign)
            try:
                await asyncio.wait_for(process.wait(), within_s)
            except TimeoutError:
                log.warning("child killed", role=self._role, pid=process.pid, waited_s=within_s)
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _spawn(self, loaded: asyncio.subprocess.Process | None = None) -> asyncio.subprocess.Process:
        process = loaded or await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=MAX_LINE_BYTES,
            pass_fds=self._pass_fds,
        )
        self._process = process
        if process.stdin is None:
            raise RuntimeError("no pipe to the child")
        process.stdin.write(self._document().encode() + b"\n")
        # A child that is gone already is found by `_keep`; its pipe stays open until then.
        with contextlib.suppress(ConnectionError):
            await process.stdin.drain()
        return process

    async def _keep(self, process: asyncio.subprocess.Process) -> None:
        pause_s = self._first_pause_s
        cause = Cause.DIED
        loop = asyncio.get_running_loop()
        running: asyncio.subprocess.Process | None = process
        while True:
            if running is not None:
                began = loop.time()
                await self._listen(running)
                code = await running.wait()
                self._ready.clear()
                if self._stopping:
                    return
                if loop.time() - began >= GOOD_RUN_S:
                    pause_s = self._first_pause_s
                cause, self._given_up = Cause.HUNG if self._given_up else Cause.DIED, False
                log.error("child ended", role=self._role, cause=cause.value, code=code, restart_in_s=pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(max(2 * pause_s, self._pause_s), self._max_pause_s)
            self.lost[cause] += 1
            try:
                running = await self._spawn(self._spare())
            except OSError as error:  # no process, memory or file to be had now
                running = None
                self._say_unstarted(error)

    def _say_unstarted(self, error: OSError) -> None:
        log.error("child cannot be started", role=self._role, reason=error.strerror or str(error))

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        """Hand on what the child says until its standard output ends."""
        if process.stdout is None:
            raise RuntimeError("no pipe from the child")
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:
                continue  # longer than MAX_LINE_BYTES: the reader has dropped it
            if not line:
                return
            try:
                message = json.loads(line)
            except ValueError:
                continue  # a library that prints: not for us
            if isinstance(message, dict):
                self._ready.set()
                self._said(message)
