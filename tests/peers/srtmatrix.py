"""The matrix of SRT: callers x key lengths x networks, as data. `srtrun` runs it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from headwater.loadtest.bench.srtpeers import Call
from headwater.loadtest.udpproxy import Link

PASSPHRASE = "correct-horse-battery-staple"
WRONG = "correct-horse-battery-stapler"
REORDER_S = 0.01
"""How long a datagram is held back that others overtake: five of them, at 2 Mbit/s.

Why not more: libsrt callers ask again after 250 ms. At a round trip of more than that the answers to their two
questions are under way at once, and a caller (1.5.1 and 1.5.7) gives up when these change places.
"""


@dataclass(frozen=True)
class Network:
    """Both directions are alike. `loss`, `reorder`, `duplicate`: shares of datagrams."""

    name: str
    rtt_ms: int = 0
    loss: float = 0
    reorder: float = 0
    duplicate: float = 0

    @property
    def link(self) -> Link:
        """One direction."""
        delay_s = self.rtt_ms / 2_000
        return Link(self.loss, self.duplicate, self.reorder, REORDER_S, delay_s, delay_s / 50)

    @property
    def latency_ms(self) -> int:
        """What is promised to be enough: 4 round trips up to 1 % loss, 6 up to 5 %, 8 at 10 %; 120 at the least."""
        trips = 4 if self.loss <= 0.01 else 6 if self.loss <= 0.05 else 8
        return max(120, trips * self.rtt_ms)


NETWORKS = {
    network.name: network
    for network in (
        Network("direct"),
        *(
            Network(f"{name}-{rtt_ms}ms", rtt_ms, *shares)
            for rtt_ms in (50, 200)
            for name, shares in (
                ("clean", ()),
                ("loss1", (0.01,)),
                ("loss5", (0.05,)),
                ("loss10", (0.1,)),
                ("reorder", (0, 0.1)),
                ("duplicate", (0, 0, 0.1)),
            )
        ),
    )
}
CALLERS = ("ffmpeg", "transmit")
KEYS = (0, 16, 24, 32)


@dataclass(frozen=True)
class Case:
    """One caller; its name is also its stream's."""

    caller: str
    key_bytes: int
    network: Network

    @property
    def name(self) -> str:
        return f"{self.caller}-{f'aes{8 * self.key_bytes}' if self.key_bytes else 'plain'}-{self.network.name}"

    @property
    def passphrase(self) -> str:
        return PASSPHRASE if self.key_bytes else ""

    def call(self, port: int, stream_id: str) -> Call:
        return Call(port, self.network.latency_ms, stream_id, self.passphrase, self.key_bytes)


ALL = [Case(*parts) for parts in itertools.product(CALLERS, KEYS, NETWORKS.values())]
"""The whole product, for `make srt-matrix`."""
COVER = [
    Case(caller, KEYS[(turn + 2 * which) % len(KEYS)], network)
    for turn, network in enumerate(NETWORKS.values())
    for which, caller in enumerate(CALLERS)
]
"""Every caller on every network, and every caller with every key length three times or more: for `make test`."""

FAULTS = {"wrong": (PASSPHRASE, WRONG), "missing": (PASSPHRASE, ""), "unexpected": ("", PASSPHRASE)}
"""Callers that are turned away: the receiver's passphrase, and the caller's."""
