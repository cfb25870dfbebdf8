"""The entry of the processes that are supervised: `python -m headwater.config.child ROLE`.

Reads the hand-over from the first line of standard input, then runs the role until SIGTERM, or until standard input
ends because the parent is gone. A further line is a new hand-over: an edge with workers restarts them with it. A
terminal's Ctrl-C reaches parent and children alike, and so does its end; only the parent acts on them.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from .load import ConfigError, from_handover
from .settings import Settings

ORPHAN_S = 10.0
"""What a child without a parent has for its drain before it ends at once."""


_ALIVE = b'{"event": "alive"}\n'

_newest: list[bytes] = []
"""The newest hand-over, once there was another one than the first."""


def main(role: str) -> int:
    """Run `role`; the exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Until the role knows what to do with it: the default would end the process.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if role == "spare":
        from . import edgemember  # noqa: F401  (loaded before it is needed: that is what a spare process is for)
        from .spare import LOADED

        print(json.dumps(LOADED), flush=True)
    lines = _Lines()
    first = lines.next()
    if role == "spare" and not first:  # the parent ended without need of it
        return 0
    document = json.loads(first or b"{}")
    threading.Thread(target=_mind_parent, args=(lines,), name="parent watch", daemon=True).start()
    match role:
        case "edge":
            return _edge(document)
        case "node" | "worker" | "spare":
            return _member(document)
        case "publish":
            return _publish(document)
        case _:
            print(f"no such role: {role}", file=sys.stderr)
            return 2


def say(message: Mapping[str, object]) -> None:
    """One message to the parent."""
    print(json.dumps(message), flush=True)


def alive() -> None:
    """A sign of life to the parent. None when the pipe is full, since a parent that does not read it does not count
    either; and the loop must not wait for it."""
    if select.select((), (1,), (), 0)[1]:
        with suppress(OSError):  # the parent is gone: `_mind_parent` sees to that
            os.write(1, _ALIVE)


def _edge(document: object) -> int:
    from .edgerole import serve_edge

    def newest() -> Settings:
        return from_handover(_newest[-1].decode() if _newest else json.dumps(document))

    try:
        settings = newest()
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    return serve_edge(settings, said=say, reload=newest)


def _member(document: Mapping[str, Any]) -> int:
    from .edgemember import serve_member

    try:
        return serve_member(document, say, alive)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2


def _publish(document: Mapping[str, object]) -> int:
    from headwater.loadtest.publish import run

    from .demo import options_from

    say({"event": "started"})
    return run(options_from(document))


class _Lines:
    """Lines of standard input. `os.read` on the bare descriptor: the interpreter's own shutdown must not wait for a
    lock of the buffered stream."""

    def __init__(self) -> None:
        self._rest = b""

    def next(self) -> bytes:
        """The next line without its end; empty when there are no more."""
        while b"\n" not in self._rest:
            piece = os.read(0, 1 << 16)
            if not piece:
                return b""
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\n")
        return line


def _mind_parent(lines: _Lines) -> None:
    while line := lines.next():
        _newest[:] = [line]
        os.kill(os.getpid(), signal.SIGHUP)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(ORPHAN_S)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) == 2 else ""))
