"""`python -m headwater.loadtest.badserver [--port 0] [--fault KIND=AMOUNT,share=…,from=…,to=…]…`

Prints the URL of its stream, then serves until SIGTERM or Ctrl-C. `/told` says what it did.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import resource
import signal
import sys

import uvloop

from .faults import FaultError, Faults, Kind
from .server import BadServer
from .shape import Shape, ShapeError

BAD_USAGE = 2


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="headwater.loadtest.badserver", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (127.0.0.1)")
    parser.add_argument("--port", type=int, default=0, help="port; 0: a free one (0)")
    parser.add_argument("--part-ms", type=int, default=500, help="length of a part, 200 to 1000 ms (500)")
    parser.add_argument("--parts", type=int, default=4, help="parts of a segment (4)")
    parser.add_argument("--part-bytes", type=int, default=20_000, help="size of a part of the largest variant (20000)")
    parser.add_argument("--connections", type=int, default=40_000, help="most connections at once (40000)")
    parser.add_argument("--fault", action="append", default=[], help=f"repeatable; kinds: {', '.join(Kind)}")
    return parser.parse_args(arguments)


async def _serve(arguments: argparse.Namespace, shape: Shape, faults: Faults) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = BadServer(shape, faults, connections=arguments.connections)
    url = await server.start(arguments.host, arguments.port)
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()
    await stop.wait()
    await server.stop()


def main(arguments: list[str] | None = None) -> int:
    """Serve; the exit code: 0 stopped, 2 bad usage."""
    given = _arguments(arguments)
    try:
        shape, faults = Shape(given.part_ms, given.parts, given.part_bytes), Faults.of(given.fault)
    except (FaultError, ShapeError) as problem:
        sys.stderr.write(f"headwater.loadtest.badserver: {problem}\n")
        return BAD_USAGE
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    gc.disable()  # nothing on the way of a request makes a cycle, and a collection over 40,000 connections is a pause
    uvloop.run(_serve(given, shape, faults))
    return 0


if __name__ == "__main__":
    sys.exit(main())
