"""The entry of the processes that `headwater up` supervises: `python -m headwater.config.child ROLE`.

Reads the hand-over from the first line of standard input, then runs the role until SIGTERM, or until standard input
ends because the parent is gone. A terminal's Ctrl-C reaches parent and children alike; only the parent acts on it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping

from .load import ConfigError, from_handover

ORPHAN_S = 10.0
"""What a child without a parent has for its drain before it ends at once."""


def main(role: str) -> int:
    """Run `role`; the exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    document = json.loads(sys.stdin.buffer.readline() or b"{}")
    threading.Thread(target=_end_with_parent, name="parent watch", daemon=True).start()
    match role:
        case "edge":
            return _edge(document)
        case "publish":
            return _publish(document)
        case _:
            print(f"no such role: {role}", file=sys.stderr)
            return 2


def say(message: Mapping[str, object]) -> None:
    """One message to the parent."""
    print(json.dumps(message), flush=True)


def _edge(document: object) -> int:
    from .roles import serve_edge

    try:
        settings = from_handover(json.dumps(document))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    return serve_edge(settings, said=say)


def _publish(document: Mapping[str, object]) -> int:
    from headwater.loadtest.publish import run

    from .demo import options_from

    say({"event": "started"})
    return run(options_from(document))


def _end_with_parent() -> None:
    # `os.read` on the bare descriptor: the interpreter's own shutdown must not wait for a lock of the buffered stream.
    while os.read(0, 4_096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(ORPHAN_S)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) == 2 else ""))
