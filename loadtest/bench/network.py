"""`udpproxy` in a process of its own: `python -m headwater.loadtest.bench.network JOB`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import uvloop

from headwater.loadtest.udpproxy import Link, UdpProxy

from .processes import running, wait_until


@contextlib.contextmanager
def in_process(target_port: int, there: Link, back: Link, seed: int | str, folder: Path) -> Iterator[int]:
    """A proxy in front of a port of loopback, in a process of its own: its port.

    Why a process: what the caller computes meanwhile would add to the delay.
    """
    job = {"target": target_port, "there": asdict(there), "back": asdict(back), "seed": seed}
    with running([sys.executable, "-m", __name__, json.dumps(job)], folder / f"network-{target_port}.log") as peer:
        wait_until(lambda: peer.text().endswith("\n"), timeout_s=20, what="the network is there", peer=peer)
        yield int(peer.text())


async def _main(job: dict[str, Any]) -> None:
    there, back = Link(**job["there"]), Link(**job["back"])
    proxy = UdpProxy(("127.0.0.1", job["target"]), there=there, back=back, seed=job["seed"])
    print(await proxy.start(), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_main(json.loads(sys.argv[1])))
