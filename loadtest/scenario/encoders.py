"""The publishers of a run: one process each, and for those with loss a bad network in front of the server."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from headwater.config.srturl import parse_srt_url
from headwater.loadtest import records_json
from headwater.loadtest.records import ChaosEvent
from headwater.loadtest.udpproxy import Link, UdpProxy

from .children import Child
from .encoder import Job
from .faults import Faults, what
from .publishing import Loss, Publisher

MODULE = "headwater.loadtest.scenario.encoder"
LOOK_S = 0.05
"""Between looks at what the network is to do now."""
FAREWELL_S = 5.0
"""For an encoder to take leave of the server."""


class NoHost(Exception):
    """The host of an SRT publisher with loss is not known."""


class Encoders:
    """All publishers of a scenario."""

    def __init__(self, sink: Callable[[ChaosEvent], None]) -> None:
        self._sink = sink
        self._children: list[Child] = []
        self._readers: list[asyncio.Task[None]] = []
        self._networks: list[tuple[UdpProxy, Faults, str]] = []
        self._ending = False
        self._now: Callable[[], float] = lambda: 0.0

    async def start(self, publishers: tuple[Publisher, ...], seed: int) -> None:
        """Start them all. Raises NoHost, OSError."""
        for publisher in publishers:
            for number in range(1, publisher.count + 1):
                url, shown = publisher.url_of(number), publisher.shown(number)
                losses = [fault for fault in publisher.faults if isinstance(fault, Loss)]
                if losses:
                    url = await self._through_network(url, Faults(losses), shown, f"{seed} {len(self._children)}")
                child = await Child.start(MODULE)
                self._children.append(child)
                own = publisher.model_copy(update={"url": url, "count": 1})
                await child.send(Job(publisher=own, shown=shown).model_dump_json())
                self._readers.append(asyncio.ensure_future(self._read(child, shown)))

    async def begin(self, epoch_wall: float, now: Callable[[], float]) -> None:
        """Second 0 is known. Runs the networks until it is cancelled; `now`: seconds since the run began."""
        self._now = now
        for child in self._children:
            await child.send(repr(epoch_wall))
        while self._networks:
            for proxy, faults, shown in self._networks:
                second = now()
                proxy.there.link = Link(loss=faults.loss(second))
                for spell in faults.begun(second):
                    self._sink(ChaosEvent(round(second, 3), f"{shown}: {what(spell.fault)}", ok=True))
            await asyncio.sleep(LOOK_S)

    async def close(self) -> None:
        """All take leave; no process is left behind."""
        self._ending = True
        for child in self._children:
            child.finish()
        await asyncio.gather(*(child.ended(FAREWELL_S) for child in self._children))
        for reader in self._readers:
            reader.cancel()
        for proxy, _, _ in self._networks:
            await proxy.close()

    async def _through_network(self, url: str, faults: Faults, shown: str, seed: str) -> str:
        target = parse_srt_url(url)
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                target.host, target.port, family=socket.AF_INET, type=socket.SOCK_DGRAM
            )
        except OSError as error:
            raise NoHost(f"{shown}: {error.strerror}") from None
        proxy = UdpProxy((str(found[0][4][0]), target.port), seed=seed)
        port = await proxy.start()
        self._networks.append((proxy, faults, shown))
        return f"srt://127.0.0.1:{port}?{url.partition('?')[2]}"

    async def _read(self, child: Child, shown: str) -> None:
        wrong = ""
        try:
            async for line in child.lines():
                self._sink(records_json.from_text(ChaosEvent, line))
        except ValueError as error:  # RecordError is one
            wrong = f"wrote what is no event: {error}"
        if not self._ending:
            code = await child.ended(FAREWELL_S)
            detail = wrong or f"exit code {code}: {await child.last_words()}"
            self._sink(ChaosEvent(round(self._now(), 3), f"{shown}: its process ended", ok=False, detail=detail[:500]))
