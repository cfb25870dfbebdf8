"""Strangers at the SRT port: each attack is a coroutine that ends by itself; all of them run at once.

Strangers send from other loopback addresses than the honest caller, except for what is spoofed: that goes through the
honest caller's own network, so that it comes from the honest address and port.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from tests.srt_sender import Profile, Sender, control, handshake

from headwater.loadtest.udpproxy import UdpProxy

APART_S = 0.000_25
"""Between two datagrams of one attack on average: a server that others need too is not to be drowned."""
BURST = 20
SHUTDOWN = 5
SIZES = (0, 1, 15, 16, 17, 20, 63, 64, 80, 200, 1_316, 1_456, 1_472, 1_500, 1_501, 2_000, 9_000, 65_000)


@dataclass
class Victim:
    """The port, and the honest caller's network with what it carried."""

    port: int
    key: str
    """Publish key of every stream but the honest one."""
    proxy: UdpProxy
    captured: list[bytes] = field(default_factory=list)
    """Datagrams of the honest caller."""
    strangers: dict[str, list[Stranger]] = field(default_factory=dict)
    """By attack."""
    cases: int = 1_000
    """Datagrams of each attack."""


Attack = Callable[[Victim, random.Random], Coroutine[Any, Any, None]]


class Stranger:
    """One socket of an attacker, and what it was answered."""

    def __init__(self, port: int, address: str) -> None:
        self.sent = self.heard = self.answers = 0
        """Bytes sent and heard, datagrams heard."""
        self.kinds: set[int] = set()
        """Handshake types that were heard."""
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.setblocking(False)
        self._sock.bind((address, 0))
        self._sock.connect(("127.0.0.1", port))

    def send(self, datagram: bytes) -> None:
        with contextlib.suppress(OSError):
            self._sock.send(datagram)
            self.sent += len(datagram)

    def receive(self) -> list[bytes]:
        """What has come."""
        found = []
        with contextlib.suppress(OSError):
            while True:
                datagram = self._sock.recv(2_048)
                found.append(datagram)
                self.heard += len(datagram)
                self.answers += 1
                if len(datagram) >= 64 and datagram[:4] == b"\x80\0\0\0":
                    self.kinds.add(struct.unpack_from(">I", datagram, 36)[0])
        return found

    def close(self) -> None:
        self.receive()
        self._sock.close()


@contextlib.asynccontextmanager
async def strangers(
    victim: Victim, attack: str, count: int, dice: random.Random, *, address: str = ""
) -> AsyncIterator[list[Stranger]]:
    """Sockets of some addresses, or of the one given."""
    found = [
        Stranger(victim.port, address or f"127.{dice.randint(1, 40)}.{dice.randint(0, 250)}.{dice.randint(1, 250)}")
        for _ in range(count)
    ]
    victim.strangers.setdefault(attack, []).extend(found)
    try:
        yield found
        await asyncio.sleep(0.5)
    finally:
        for stranger in found:
            stranger.close()


async def paced(count: int, one: Callable[[int], None]) -> None:
    """`one(0)` to `one(count - 1)`, not too fast."""
    for index in range(count):
        one(index)
        if index % BURST == BURST - 1:
            await asyncio.sleep(APART_S * BURST)


def mutate(datagram: bytes, dice: random.Random) -> bytes:
    """A few changes: bits, bytes, lengths, pieces of other places."""
    out = bytearray(datagram)
    for _ in range(dice.choice((1, 1, 2, 4))):
        at = dice.randrange(len(out)) if out else 0
        size = dice.choice((1, 2, 4, 16, 200))
        match dice.randrange(6):
            case 0 if out:
                out[at] ^= 1 << dice.randrange(8)
            case 1 if out:
                out[at] = dice.choice((0, 1, 0x7F, 0x80, 0xFF))
            case 2:
                del out[at : at + size]
            case 3:
                out[at:at] = dice.randbytes(size)
            case 4:
                out[at : at + size] = out[dice.randrange(len(out) + 1) :][:size]
            case _:
                del out[dice.randrange(len(out) + 1) :]
    return bytes(out[:9_000])


# -- without a cookie ------------------------------------------------------------------------------------------------


async def noise(victim: Victim, dice: random.Random) -> None:
    """Random bytes of all sizes."""
    async with strangers(victim, "noise", 20, dice) as found:

        def one(index: int) -> None:
            stranger = found[index % len(found)]
            stranger.send(dice.randbytes(dice.choice(SIZES)))
            stranger.receive()

        await paced(victim.cases, one)


async def mutated(victim: Victim, dice: random.Random) -> None:
    """The honest caller's datagrams with changes, from elsewhere."""
    async with strangers(victim, "mutated", 20, dice) as found:

        def one(index: int) -> None:
            stranger = found[index % len(found)]
            stranger.send(mutate(dice.choice(victim.captured), dice))
            stranger.receive()

        await paced(victim.cases, one)


async def elsewhere(victim: Victim, dice: random.Random) -> None:
    """The honest caller's datagrams as they are, from elsewhere: handshakes, data, and a SHUTDOWN of its session."""
    session = session_of(victim)
    async with strangers(victim, "elsewhere", 20, dice) as found:

        def one(index: int) -> None:
            stranger = found[index % len(found)]
            stranger.send(dice.choice(victim.captured))
            if index % 10 == 0:
                stranger.send(control(SHUTDOWN, 0, session, body=bytes(4)))
            stranger.receive()

        await paced(victim.cases, one)


async def inductions(victim: Victim, dice: random.Random) -> None:
    """First handshakes, from many addresses and faster from one."""
    async with (
        strangers(victim, "inductions", 100, dice) as many,
        strangers(victim, "inductions", 1, dice, address="127.77.7.7") as single,
    ):

        def one(index: int) -> None:
            stranger = single[0] if index % 2 else many[index % len(many)]
            stranger.send(Sender(Profile(socket_id=1 + index)).induction(0.0))
            stranger.receive()

        await paced(victim.cases, one)


async def bad_cookies(victim: Victim, dice: random.Random) -> None:
    """Second handshakes with cookies that nobody gave, and rendezvous."""
    async with strangers(victim, "bad_cookies", 50, dice) as found:

        def one(index: int) -> None:
            stranger = found[index % len(found)]
            profile = Profile(stream_id=f"publish:live/s{index}", socket_id=1 + index)
            if index % 5:
                stranger.send(Sender(profile).conclusion(dice.getrandbits(32), 0.0))
            else:
                stranger.send(handshake(0, version=5, flags=0, sequence=1, socket_id=1 + index, stamp=0))
            stranger.receive()

        await paced(victim.cases, one)


# -- with a cookie of their own --------------------------------------------------------------------------------------


async def connect(stranger: Stranger, profile: Profile) -> Sender:
    """Go through the handshake, and be accepted, refused, or left alone."""
    sender = Sender(profile)
    sender.connect(0.0)
    for _ in range(40):
        for datagram in sender.outgoing:
            stranger.send(datagram)
        sender.outgoing.clear()
        for datagram in stranger.receive():
            with contextlib.suppress(AssertionError):
                sender.receive(datagram, 0.0)
        if sender.connected or sender.rejected:
            break
        await asyncio.sleep(0.05)
    return sender


async def crowd(count: int, one: Callable[[int], Awaitable[None]], *, at_once: int) -> None:
    """`one(0)` to `one(count - 1)`, some at once."""
    room = asyncio.Semaphore(at_once)

    async def guarded(index: int) -> None:
        async with room:
            await one(index)

    async with asyncio.TaskGroup() as group:
        for index in range(count):
            group.create_task(guarded(index))


async def guesses(victim: Victim, dice: random.Random) -> None:
    """Wrong passphrases: each makes the server compute."""
    async with strangers(victim, "guesses", 60, dice) as found:

        async def one(index: int) -> None:
            secret = f"guess-{dice.getrandbits(64):x}"
            stream_id = "publish:live/vault" if index % 4 else "publish:live/honest"
            await connect(found[index], Profile(stream_id=stream_id, passphrase=secret, socket_id=500 + index))

        await crowd(len(found), one, at_once=30)


async def one_address(victim: Victim, dice: random.Random) -> None:
    """More connections from one address than it may have, and more refusals than it may ask for."""
    async with strangers(victim, "one_address", 60, dice, address="127.99.9.9") as found:

        async def one(index: int) -> None:
            name = f"publish:live/c{index}" if index % 3 else "#!::r=live/x,m=request"
            await connect(found[index], Profile(stream_id=name, socket_id=900 + index))
            await asyncio.sleep(1)

        await crowd(len(found), one, at_once=60)


async def streams(victim: Victim, dice: random.Random) -> None:
    """Accepted callers that send nonsense: data, controls with absurd ranges, keys nobody asked for."""
    async with strangers(victim, "streams", 12, dice) as found:

        async def one(index: int) -> None:
            sender = await connect(
                found[index], Profile(stream_id=f"publish:live/n{index}?key={victim.key}", socket_id=1_200 + index)
            )
            if not sender.connected:
                return
            await paced(victim.cases // 8, lambda _: found[index].send(nonsense(sender, dice)))

        await crowd(len(found), one, at_once=12)


def nonsense(sender: Sender, dice: random.Random) -> bytes:
    """A datagram of an accepted session."""
    sequence = (sender.profile.sequence + dice.choice((0, 1, 5, 100, 8_000, 9_000, 1 << 20, 1 << 30))) % (1 << 31)
    match dice.randrange(8):
        case 0:
            return sender.data_packet(sequence, dice.randbytes(dice.choice((0, 188, 1_316))), dice.getrandbits(32))
        case 1:
            payload = (b"\x47" + dice.randbytes(187)) * 7
            return sender.data_packet(sequence, payload, 0, which=dice.randrange(4), flags=dice.choice((0, 1 << 26)))
        case 2:
            ends = (sequence, dice.getrandbits(32))
            return control(7, 0, sender.peer, body=struct.pack(">II", *ends))
        case 3:
            body = dice.randbytes(dice.choice((0, 4, 28, 1_400)))
            return control(dice.choice((2, 3, 4, 6, 8)), 0, sender.peer, specific=dice.getrandbits(32), body=body)
        case 4:
            return control(0x7FFF, 0, sender.peer, subtype=3, body=dice.randbytes(dice.choice((0, 16, 48, 104, 1_400))))
        case 5:
            return control(6, dice.getrandbits(32), sender.peer, specific=dice.randrange(50))
        case 6:
            return sender.conclusion(dice.getrandbits(32), 0.0)
        case _:
            return control(1, 0, sender.peer)


# -- from the honest address -----------------------------------------------------------------------------------------


async def replayed(victim: Victim, dice: random.Random) -> None:
    """What the honest caller has sent, again, from its own address."""

    def one(_: int) -> None:
        victim.proxy.inject(dice.choice(victim.captured))

    await paced(victim.cases, one)


async def spoofed(victim: Victim, dice: random.Random) -> None:
    """From the honest address, by somebody who does not see its packets and guesses the session."""
    taken = session_of(victim)

    def one(_: int) -> None:
        session = dice.randrange(1, 1 << 30)
        if session != taken:
            kind = dice.choice((SHUTDOWN, 7, 1, 0x7FFF))
            victim.proxy.inject(control(kind, 0, session, body=dice.randbytes(8)))
            victim.proxy.inject(
                struct.pack(">IIII", dice.getrandbits(31), 0xC0000001, 0, session) + dice.randbytes(188)
            )

    await paced(victim.cases // 2, one)


def session_of(victim: Victim) -> int:
    """Socket id of the honest session at the server."""
    data = next(datagram for datagram in victim.captured if datagram[0] < 0x80)
    return int.from_bytes(data[12:16], "big")


def worth_replaying(datagram: bytes) -> bool:
    """A goodbye ends a session whoever repeats it (SRT signs nothing); everything else must do no harm."""
    return datagram[:2] != b"\x80\x05"


WITHOUT_COOKIE = ("noise", "mutated", "elsewhere", "inductions", "bad_cookies")
"""Attacks of addresses that never brought a cookie back: none of them may be answered with more than it sent."""
ATTACKS: tuple[Attack, ...] = (
    noise, mutated, elsewhere, inductions, bad_cookies, guesses, one_address, streams, replayed, spoofed,
)  # fmt: skip
