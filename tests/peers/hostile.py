"""Attackers: what a stranger can throw at the RTMP and HTTP listeners of one server.

Each attack is a coroutine that ends by itself within seconds; all of one wave run at once. Attackers come from
other loopback addresses than the honest peers, so that the limits per address tell them apart.

    attack(victim, dice)      `victim.rtmp` or one of `victim.web` is the port; `dice` is seeded
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.test_edge_http1 import SEEDS
from tests.fuzz.test_edge_http1 import mutate as mutate_request
from tests.fuzz.test_rtmp_session import mutate as mutate_session
from tests.rtmp_client import COMMAND, SET_CHUNK_SIZE, Publisher, amf0, chunk_header, control, message

CAPTURES = [path.read_bytes() for path in sorted((Path(__file__).parent.parent / "captures").glob("*.rtmp"))]
CAPTURED_NAME = b"demo"
HANDSHAKE_BYTES = 3_073
GONE = (OSError, EOFError, TimeoutError)
"""How a server ends an attack."""


@dataclass
class Victim:
    """Where to aim."""

    rtmp: int
    web: int
    """The port of the edge or of the origin."""
    busy: str
    """The stream that an honest publisher sends."""
    answers: dict[str, list[str]] = field(default_factory=dict)
    """What the server said, by attack: status codes of HTTP or RTMP."""

    def heard(self, attack: str, answers: Iterable[str]) -> None:
        """Note what an attack was answered."""
        self.answers.setdefault(attack, []).extend(answers)


Attack = Callable[[Victim, random.Random], Awaitable[None]]


@contextlib.asynccontextmanager
async def connected(
    port: int, dice: random.Random, *, source: str = "", window: int | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection from `source`, by default one of some addresses. Whatever the server does ends the block quietly.

    `window`: bytes of the receive buffer, for peers that never read.
    """
    sock = socket.socket()
    sock.setblocking(False)
    if window is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    writer = None
    try:
        sock.bind((source or f"127.0.{dice.randint(1, 40)}.{dice.randint(1, 250)}", 0))
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        limit = window or 1 << 16
        reader, writer = await asyncio.open_connection(sock=sock, limit=limit)
        yield reader, writer
    except GONE:
        pass
    finally:
        if writer is None:
            sock.close()
        else:
            writer.transport.abort()


async def crowd(count: int, one: Callable[[int], Awaitable[None]], *, at_once: int = 60) -> None:
    """`one(0)` to `one(count - 1)`, some at once."""
    room = asyncio.Semaphore(at_once)

    async def guarded(index: int) -> None:
        async with room:
            await one(index)

    async with asyncio.TaskGroup() as group:
        for index in range(count):
            group.create_task(guarded(index))


async def until_closed(reader: asyncio.StreamReader, timeout_s: float) -> bytes:
    """All that the server sends until it closes; TimeoutError when it does not."""
    async with asyncio.timeout(timeout_s):
        return await reader.read(-1)


async def send(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Write, waiting for room."""
    writer.write(data)
    await writer.drain()


async def leave(writer: asyncio.StreamWriter, dice: random.Random) -> None:
    """Go in one of the rude ways."""
    match dice.randrange(3):
        case 0:
            writer.write_eof()
            await asyncio.sleep(0.3)
        case 1:
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        case _:
            await asyncio.sleep(dice.random())


# -- RTMP ------------------------------------------------------------------------------------------------------------


async def rtmp_noise(victim: Victim, dice: random.Random) -> None:
    """Random bytes, half of them behind a valid version byte."""

    async def one(index: int) -> None:
        async with connected(victim.rtmp, dice) as (_, writer):
            await send(writer, b"\x03" * (index % 2) + dice.randbytes(dice.choice((1, 1_000, 8_000, 300_000))))
            await leave(writer, dice)

    await crowd(100, one)


def _renamed(capture: bytes, index: int) -> bytes:
    return capture.replace(CAPTURED_NAME, b"d%03d" % (index % 1_000))


async def rtmp_mutated(victim: Victim, dice: random.Random) -> None:
    """Recorded sessions of real encoders with a few changes, under some names."""

    async def one(index: int) -> None:
        session = _renamed(dice.choice(CAPTURES), dice.randrange(40))
        opening, rest = session[:HANDSHAKE_BYTES], session[HANDSHAKE_BYTES:]
        async with connected(victim.rtmp, dice) as (_, writer):
            data = opening + mutate_session(rest, dice)
            while data:
                size = dice.choice((7, 500, 4_000, 100_000))
                await send(writer, data[:size])
                data = data[size:]
            await leave(writer, dice)

    await crowd(150, one, at_once=30)


async def rtmp_cut(victim: Victim, dice: random.Random) -> None:
    """Recorded sessions that stop anywhere."""

    async def one(index: int) -> None:
        session = _renamed(dice.choice(CAPTURES), 100 + dice.randrange(40))
        async with connected(victim.rtmp, dice) as (_, writer):
            await send(writer, session[: dice.randrange(1, len(session))])
            await leave(writer, dice)

    await crowd(150, one, at_once=30)


async def rtmp_slow(victim: Victim, dice: random.Random) -> None:
    """Handshakes that never end."""

    async def one(index: int) -> None:
        async with connected(victim.rtmp, dice) as (reader, writer):
            hello = Publisher().hello()
            for byte in hello[: dice.randrange(1, 12)]:
                await send(writer, bytes([byte]))
                await asyncio.sleep(0.1)
            await until_closed(reader, 30)
            victim.heard("rtmp_slow", ["closed"])

    await crowd(40, one)


async def rtmp_deaf(victim: Victim, dice: random.Random) -> None:
    """Publishers that ask and ask, and never read an answer."""

    async def one(index: int) -> None:
        publisher = Publisher()
        async with connected(victim.rtmp, dice, window=2_048) as (_, writer):
            await send(writer, publisher.opening(f"deaf{index}"))
            question = publisher.command("getStreamLength", None, "x" * 50) * 1_000
            async with asyncio.timeout(5):
                while True:
                    await send(writer, question)

    await crowd(4, one)


async def rtmp_huge(victim: Victim, dice: random.Random) -> None:
    """Lengths, chunk sizes and values that claim more than there is, before and after the publish."""
    bombs = [
        control(SET_CHUNK_SIZE, 0x7FFFFFFF) + chunk_header(6, 0, 0, 0xFFFFFF, 9, 1) + bytes(9_000_000),
        b"".join(chunk_header(csid, 0, 0, 0xFFFFFF, 9, 1) + bytes(4_096) for csid in range(4, 300)),
        control(SET_CHUNK_SIZE, 0) + b"\xc6" * 1_000,
        message(COMMAND, amf0("connect", 1) + b"\x0a\xff\xff\xff\xff" * 10_000),
        message(COMMAND, amf0("connect", 1) + b"\x03\0\1a" * 15_000),
        message(18, b"\x02\0\x0aonMetaData" + b"\x08\xff\xff\xff\xff\0\1a" * 7_000),
        message(COMMAND, b"\x0c\xff\xff\xff\xff" + bytes(50_000)),
    ]

    async def one(index: int) -> None:
        publisher = Publisher()
        start = publisher.hello() + publisher.c2() if index % 2 else publisher.opening(f"huge{index}")
        async with connected(victim.rtmp, dice) as (reader, writer):
            await send(writer, start)
            for _ in range(3):
                await send(writer, bombs[index % len(bombs)])
            await until_closed(reader, 1)

    await crowd(4 * len(bombs), one, at_once=8)


async def rtmp_flood(victim: Victim, dice: random.Random) -> None:
    """A publisher of nothing: messages of one byte each, as fast as the server reads them."""
    publisher = Publisher()
    async with connected(victim.rtmp, dice) as (_, writer):
        await send(writer, publisher.opening("flood") + chunk_header(6, 0, 0, 0, 9, 1))
        async with asyncio.timeout(5):
            while True:
                await send(writer, b"\xc6" * 65_536)


async def rtmp_short(victim: Victim, dice: random.Random) -> None:
    """Connections that say nothing and go."""

    async def one(index: int) -> None:
        async with connected(victim.rtmp, dice) as (_, writer):
            await send(writer, b"\x03" * (index % 2))

    await crowd(2_000, one)


async def rtmp_many(victim: Victim, dice: random.Random) -> None:
    """More connections from one address than one address may have."""

    async def one(index: int) -> None:
        async with connected(victim.rtmp, dice, source="127.0.99.99") as (reader, writer):
            await send(writer, Publisher().hello())
            async with asyncio.timeout(30):
                await reader.readexactly(3_073)
            victim.heard("rtmp_many", ["answered"])
            await asyncio.sleep(1)
            return
        victim.heard("rtmp_many", ["refused"])

    await crowd(60, one)


async def publish_code(port: int, dice: random.Random, key: str, app: str = "live") -> str:
    """What a publish of `key` is answered: the last status code."""
    publisher = Publisher()
    async with connected(port, dice) as (reader, writer):
        await send(writer, publisher.opening(key, app))
        async with asyncio.timeout(30):
            while data := await reader.read(65_536):
                publisher.receive(data)
                if any("Publish" in code for code in publisher.codes() if "Start" not in code):
                    break
    return publisher.codes()[-1] if publisher.codes() else ""


async def rtmp_hijack(victim: Victim, dice: random.Random) -> None:
    """Publishes of the name that is taken."""

    async def one(index: int) -> None:
        victim.heard("rtmp_hijack", [await publish_code(victim.rtmp, dice, victim.busy)])

    await crowd(40, one)


RTMP_ATTACKS: tuple[Attack, ...] = (
    rtmp_noise, rtmp_mutated, rtmp_cut, rtmp_slow, rtmp_deaf, rtmp_huge, rtmp_flood, rtmp_short, rtmp_many, rtmp_hijack,
)  # fmt: skip


# -- HTTP ------------------------------------------------------------------------------------------------------------


def get(path: str, *more: str) -> bytes:
    """A GET as bytes; `path` and fields go out as they are."""
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: h", *more, "", ""]).encode("latin-1")


def statuses(data: bytes) -> list[str]:
    """The status codes of an answer stream."""
    return [code.decode() for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", data)]


async def exchange(victim: Victim, dice: random.Random, data: bytes, timeout_s: float = 5) -> list[str]:
    """Send, close our half, and read to the end."""
    async with connected(victim.web, dice) as (reader, writer):
        await send(writer, data)
        writer.write_eof()
        return statuses(await until_closed(reader, timeout_s))
    return []


async def http_noise(victim: Victim, dice: random.Random) -> None:
    """Random bytes, and mutated requests."""

    async def one(index: int) -> None:
        noise = dice.randbytes(dice.choice((1, 500, 50_000)))
        data = noise if index % 4 == 0 else mutate_request(dice, dice.choice(SEEDS))
        async with connected(victim.web, dice) as (_, writer):
            await send(writer, data)
            await leave(writer, dice)

    await crowd(300, one)


async def http_slow(victim: Victim, dice: random.Random) -> None:
    """Heads that come one byte at a time."""

    async def one(index: int) -> None:
        async with connected(victim.web, dice) as (reader, writer):
            answer = asyncio.ensure_future(until_closed(reader, 30))
            for byte in get("/", "X: " + "y" * 1_000):
                writer.write(bytes([byte]))
                await asyncio.wait((answer,), timeout=0.1)
                if answer.done():
                    break
            victim.heard("http_slow", statuses(await answer) or ["closed"])

    await crowd(40, one)


ABSURD = [
    "/../../../../etc/passwd", "/live/../../etc/passwd", "/assets/../app.py", "/assets/..%2f..%2fapp.py",
    "/assets/%2e%2e/%2e%2e/app.py", "/live/%2e%2e/x/index.m3u8", "/assets//etc/passwd", "/live/a%00b/source/index.m3u8",
    "/live/" + "a" * 65 + "/index.m3u8", "/live/" + "a" * 9_000, "//evil/index.m3u8", "/live/\xff\xfe/index.m3u8",
    "http://evil.example/live/x/index.m3u8", "*", "x", "/?" + "&".join(f"a{i}=b" for i in range(500)),
    "/live/x/source/index.m3u8?" + "_HLS_msn=1&" * 50, "/live/x/source/%252e%252e%252f", "/assets/\\..\\..\\app.py",
]  # fmt: skip


async def http_absurd(victim: Victim, dice: random.Random) -> None:
    """Paths that lead out, or nowhere."""

    async def one(index: int) -> None:
        async with connected(victim.web, dice) as (reader, writer):
            await send(writer, get(ABSURD[index], "Connection: close"))
            answer = await until_closed(reader, 30)
            assert b"root:" not in answer and b"import annotations" not in answer, ABSURD[index]
            victim.heard("http_absurd", statuses(answer))

    await crowd(len(ABSURD), one)


async def http_bombs(victim: Victim, dice: random.Random) -> None:
    """Heads and bodies that are too large, or could be read in two ways."""
    bombs = [
        get("/", *(f"X{i}: {i}" for i in range(5_000))),
        get("/", "X: " + "y" * 1_000_000),
        get("/" + "x" * 1_000_000),
        get("/", "Content-Length: 99999999999"),
        get("/", "Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
        get("/", "Transfer-Encoding: chunked") + b"FFFFFFFF\r\n" + bytes(1_000_000),
        get("/", "Transfer-Encoding: chunked") + b"1\r\nx\r\n" * 50_000,
        get("/", "Cookie: " + "a=b;" * 3_900),
    ]

    async def one(index: int) -> None:
        victim.heard("http_bombs", await exchange(victim, dice, bombs[index % len(bombs)]))

    await crowd(4 * len(bombs), one, at_once=8)


async def http_pipeline(victim: Victim, dice: random.Random) -> None:
    """Thousands of requests in one go: some read the answers, some never do."""

    async def one(index: int) -> None:
        flood = get(f"/live/{victim.busy}/source/index.m3u8") * 500
        async with connected(victim.web, dice, window=2_048 if index % 2 else None) as (reader, writer):
            async with asyncio.timeout(6):
                await send(writer, flood)
                if index % 2 == 0:
                    writer.write_eof()
                    await reader.read(-1)
                else:
                    while True:
                        await send(writer, flood)

    await crowd(10, one)


async def http_deaf(victim: Victim, dice: random.Random) -> None:
    """Viewers that ask for segments, whole and in ranges, and never read them."""
    async with connected(victim.web, dice) as (reader, writer):
        await send(writer, get(f"/live/{victim.busy}/source/index.m3u8", "Connection: close"))
        listed = re.findall(rb"\n(s\d+\.m4s)\r?\n", await until_closed(reader, 5))
        names = [name.decode() for name in listed] or ["none"]

    async def one(index: int) -> None:
        async with connected(victim.web, dice, window=2_048) as (_, writer):
            path = f"/live/{victim.busy}/source/{dice.choice(names)}"
            await send(writer, get(path, "Range: bytes=1-") * 200 if index % 2 else get(path) * 200)
            await asyncio.sleep(6)

    await crowd(80, one, at_once=80)


async def http_unknown(victim: Victim, dice: random.Random) -> None:
    """Streams, renditions and files that there are not, by the thousand."""

    async def one(index: int) -> None:
        kinds = (f"/live/u{index}-%d/index.m3u8", f"/live/u{index}-%d/source/index.m3u8?_HLS_msn=%d",
                 f"/live/{victim.busy}/r{index}-%d/index.m3u8", f"/live/{victim.busy}/source/p{index}%d.m4s",
                 f"/live/{victim.busy}/source/index.m3u8?x{index}-%d=1", f"/u{index}-%d")  # fmt: skip
        paths = [kinds[n % len(kinds)].replace("%d", str(n)) for n in range(150)]
        async with connected(victim.web, dice) as (reader, writer):
            await send(writer, b"".join(map(get, paths)) + get("/healthz", "Connection: close"))
            victim.heard("http_unknown", statuses(await until_closed(reader, 30))[:-1])

    await crowd(20, one)


async def http_future(victim: Victim, dice: random.Random) -> None:
    """Positions that nobody may wait for."""
    asks = ["_HLS_msn=9999999999", "_HLS_msn=99999999999999999999", "_HLS_msn=-1", "_HLS_part=1",
            "_HLS_msn=1&_HLS_part=x", "_HLS_msn=9999999999&_HLS_part=4", "_HLS_msn=1e9"]  # fmt: skip

    async def one(index: int) -> None:
        path = f"/live/{victim.busy}/source/index.m3u8?{asks[index % len(asks)]}"
        async with connected(victim.web, dice) as (reader, writer):
            await send(writer, get(path, "Connection: close"))
            victim.heard("http_future", statuses(await until_closed(reader, 30)))

    await crowd(40, one)


async def http_abandoned(victim: Victim, dice: random.Random) -> None:
    """Requests that are held and then left, two thousand of them."""

    async def one(index: int) -> None:
        async with connected(victim.web, dice) as (reader, writer):
            await send(writer, get(f"/live/{victim.busy}/source/index.m3u8"))
            async with asyncio.timeout(5):
                text = (await reader.readuntil(b"EXT-X-PRELOAD-HINT")).decode()
            (first,) = re.findall(r"MEDIA-SEQUENCE:(\d+)", text)
            msn = int(first) + len(re.findall(r"#EXTINF", text))
            held = get(f"/live/{victim.busy}/source/index.m3u8?_HLS_msn={msn}")
            for _ in range(10):
                async with connected(victim.web, dice) as (_, other):
                    await send(other, held * 3)
                    await leave(other, dice)

    await crowd(200, one, at_once=100)


HTTP_ATTACKS: tuple[Attack, ...] = (
    http_noise, http_slow, http_absurd, http_bombs, http_pipeline, http_deaf, http_unknown, http_future, http_abandoned,
)  # fmt: skip
