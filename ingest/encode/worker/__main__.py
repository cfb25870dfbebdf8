"""The entry of a worker: `python -m headwater.ingest.encode.worker FD`. FD: its end of a stream socket pair.

Ends when the host closes the socket, or is gone; signals of a terminal, or of a service manager that stops the whole
group, are the host's to act on.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import sys
import traceback
from typing import NoReturn

NICE = 2
"""Added to the niceness. Why: packaging and HTTP go before encoding, and other programs hardly do."""
OOM_SCORE = 500
"""Added to the badness. Why: when memory runs out a ladder is to go, not the server."""


def main(arguments: list[str]) -> int:
    """Serve the socket; the exit code."""
    if len(arguments) != 1 or not arguments[0].isdigit():
        print("usage: python -m headwater.ingest.encode.worker FD", file=sys.stderr)  # noqa: T201
        return 2
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    humble()
    end = socket.socket(fileno=int(arguments[0]))
    end.set_inheritable(False)
    end.setblocking(True)
    # libavcodec and its encoders are loaded here, before there is work.
    from .link import Link
    from .loop import run

    return run(Link(end), cores())


def humble() -> None:
    """Stand behind the server in all that may be short."""
    # SVT-AV1 writes to standard error by itself; only its errors are wanted there.
    os.environ.setdefault("SVT_LOG", "1")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(NICE)
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write(str(OOM_SCORE))
    except OSError:  # a container may forbid it
        return


def cores() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0))


def leave(code: int) -> NoReturn:
    """End at once: what libav and its encoders do when the interpreter takes them down may hang, and helps nobody."""
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    try:
        status = main(sys.argv[1:])
    except BaseException:
        traceback.print_exc()
        status = 1
    leave(status)
