"""Processes of real peers: started with pipes that cannot fill up, ended by their own id, never left behind."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import imageio_ffmpeg

FFMPEG: str = imageio_ffmpeg.get_ffmpeg_exe()

FIRST_PORT = 15_000
"""Above the ports that services are known by."""
_turns = itertools.count()


def free_udp_port() -> int:
    """The same for UDP."""
    return _free_port(socket.SOCK_DGRAM)


def free_port() -> int:
    """A TCP port of loopback that nobody listens on right now; never the same one twice in one process.

    From below the ports that the kernel gives to outgoing connections, so that none of those takes it before the
    server does. Each process walks the range from a place of its own, so that two suites seldom meet.
    """
    return _free_port(socket.SOCK_STREAM)


def _free_port(kind: socket.SocketKind) -> int:
    ports = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0]) - FIRST_PORT
    start = random.Random(os.getpid()).randrange(ports)
    for _ in range(ports):
        port = FIRST_PORT + (start + next(_turns)) % ports
        with socket.socket(type=kind) as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no free port")


def step_back(pid: int) -> None:
    """A process that stands for another machine leaves the processors to the servers under test.

    `pid`: of the leader of a session. Why not its priority alone: the kernel shares processors among sessions first
    (autogroups), and each `Peer` is one: a dozen clients would leave a server a twelfth.
    """
    with contextlib.suppress(OSError):  # a kernel that does not group by sessions: then the priority is enough
        Path(f"/proc/{pid}/autogroup").write_text("10")
    os.setpriority(os.PRIO_PROCESS, pid, 10)


class PeerEnded(Exception):
    """A process ended while something was expected of it; the text has its last words."""


class Peer:
    """A child process in its own group, its output in a file."""

    def __init__(self, arguments: Sequence[str], log: Path, *, env: dict[str, str] | None = None) -> None:
        self.log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                list(arguments),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=None if env is None else {**os.environ, **env},
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Exit code, or None while it runs."""
        return self._process.poll()

    def text(self) -> str:
        """All that it has printed so far."""
        return self.log.read_text(errors="replace")

    def wait(self, timeout_s: float) -> int:
        """Its exit code; raises `subprocess.TimeoutExpired`."""
        return self._process.wait(timeout_s)

    def stop(self, timeout_s: float = 15) -> int:
        """SIGTERM, then SIGKILL of its group if it does not go; returns the exit code."""
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout_s)
        self.kill()
        return self._process.wait()

    def kill(self) -> None:
        """SIGKILL the whole group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@contextlib.contextmanager
def running(arguments: Sequence[str], log: Path, *, env: dict[str, str] | None = None) -> Iterator[Peer]:
    """A peer for the length of a `with` block."""
    peer = Peer(arguments, log, env=env)
    try:
        yield peer
    finally:
        peer.stop()


def wait_until(
    condition: Callable[[], bool], *, timeout_s: float, what: str | Callable[[], str], peer: Peer | None = None
) -> None:
    """Poll `condition()` until it is true; TimeoutError with `what` when it never is.

    `what`: a text, or what gives it when the wait has failed. With `peer`, PeerEnded as soon as that process is gone.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        ended = peer is not None and peer.returncode is not None
        late = time.monotonic() >= deadline
        if condition():  # asked after the two above, so that what was said or done last still counts
            return
        if not ended and not late:
            time.sleep(0.05)
            continue
        awaited = what if isinstance(what, str) else what()
        if peer is None:
            raise TimeoutError(f"not within {timeout_s} s: {awaited}")
        said = f"{awaited}; {peer.log} ends:\n{peer.text()[-3_000:]}"
        if ended:
            raise PeerEnded(f"exit code {peer.returncode} before: {said}")
        raise TimeoutError(f"not within {timeout_s} s: {said}")


def fetched(url: str, timeout_s: float) -> tuple[int, bytes]:
    """Status and body of a plain GET; (0, b"") when nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
    except OSError:
        return 0, b""


def started(arguments: Sequence[str], log: Path, ready: Callable[[Peer], bool], *, what: str, timeout_s: float) -> Peer:
    """A peer that is `ready`. Raises TimeoutError or PeerEnded with `what`; no process is left then."""
    peer = Peer(arguments, log)
    try:
        wait_until(lambda: ready(peer), timeout_s=timeout_s, what=what, peer=peer)
    except BaseException:
        peer.kill()
        raise
    return peer


def cpu_seconds(pid: int) -> float:
    """User and system time that process `pid` has used so far (its children not counted)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    """Resident memory of process `pid`."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def pin(pid: int, core: int) -> None:
    """Bind all threads of process `pid`, and of its children, to one core; what they start later too."""
    with contextlib.suppress(ProcessLookupError, FileNotFoundError):  # it has ended
        for child in children(pid):
            pin(child, core)
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {core})


def pinned(core: int | None) -> list[str]:
    """What goes before a command so that it runs on one core."""
    return [] if core is None else ["taskset", "-c", str(core)]


def children(pid: int) -> list[int]:
    """Ids of the direct children of `pid`."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
