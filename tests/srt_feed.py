"""An SRT publisher on a real socket, and a transport stream for it to send."""

from __future__ import annotations

import asyncio
import io
import random
from fractions import Fraction
from functools import cache
from typing import cast

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream
from tests.srt_sender import Profile, Sender

PAYLOAD = 1_316
"""Seven TS packets: what every live sender puts into a datagram."""
FPS = 25


class Pipe(io.RawIOBase):
    """What a muxer writes, piece by piece."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]
        self.pieces.append(piece)
        return len(piece)


@cache
def transport_stream(seconds: int = 6, *, audio: bool = True) -> tuple[tuple[float, bytes], ...]:
    """MPEG-TS of H.264 (a keyframe every second) and AAC in pieces of PAYLOAD, each with its due time in seconds."""
    pipe = Pipe()
    container = av.open(pipe, "w", format="mpegts", buffer_size=PAYLOAD)
    picture = container.add_stream("libx264", rate=FPS)
    assert isinstance(picture, VideoStream)
    picture.width, picture.height, picture.pix_fmt = 160, 90, "yuv420p"
    picture.codec_context.options = {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "forced-idr": "1",
        "x264-params": "keyint=infinite:scenecut=0",
    }
    sound = container.add_stream("aac", rate=48_000) if audio else None
    frame = VideoFrame(160, 90, "yuv420p")
    dice = random.Random(1)
    done, samples, taken, timed = bytearray(), 0, 0, []
    for number in range(seconds * FPS):
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        frame.pict_type = PictureType.I if number % FPS == 0 else PictureType.NONE
        for plane in frame.planes:
            plane.update(dice.randbytes(plane.buffer_size // 8) * 8)
        for packet in picture.encode(frame):
            container.mux_one(packet)
        while isinstance(sound, AudioStream) and samples * FPS <= number * 48_000:
            tone = AudioFrame("fltp", "mono", 1_024)
            tone.planes[0].update(bytes(4_096))
            tone.sample_rate, tone.pts, tone.time_base = 48_000, samples, Fraction(1, 48_000)
            for packet in sound.encode(tone):
                container.mux_one(packet)
            samples += 1_024
        done += b"".join(pipe.pieces)
        pipe.pieces.clear()
        while len(done) - taken >= PAYLOAD:
            timed.append((number / FPS, bytes(done[taken : taken + PAYLOAD])))
            taken += PAYLOAD
    picture.encode(None)
    container.close()
    return tuple(timed)


class Client(asyncio.DatagramProtocol):
    """A `Sender` on a UDP socket."""

    def __init__(self, profile: Profile, *, listening: bool = False) -> None:
        self.sender = Sender(profile, listening=listening)
        self.transport: asyncio.DatagramTransport | None = None
        self.peer: tuple[str, int] | None = None

    async def open(self, port: int, host: str = "127.0.0.1") -> Client:
        """Call a listener at `port`; with `listening`, wait there for a caller."""
        loop = asyncio.get_running_loop()
        where = {"local_addr": (host, port)} if self.sender.listening else {"remote_addr": (host, port)}
        await loop.create_datagram_endpoint(lambda: self, **where)  # type: ignore[arg-type]
        return self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.peer = addr
        self.sender.receive(data, asyncio.get_running_loop().time())
        self.flush()

    def flush(self) -> None:
        outgoing, self.sender.outgoing = self.sender.outgoing, []
        for datagram in outgoing:
            assert self.transport is not None
            self.transport.sendto(datagram, self.peer if self.sender.listening else None)

    async def connect(self) -> Client:
        """Until the listener has accepted or refused."""
        self.sender.connect(asyncio.get_running_loop().time())
        self.flush()
        return await self.answered()

    async def answered(self) -> Client:
        async with asyncio.timeout(10):
            while not (self.sender.connected or self.sender.rejected):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        return self

    async def send(self, seconds: int = 6, *, speed: float = 1.0, lose: frozenset[int] = frozenset()) -> None:
        """Send the transport stream at `speed` times real time; `lose`: packets that do not arrive the first time."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        for number, (due, piece) in enumerate(transport_stream(seconds)):
            while loop.time() - start < due / speed:
                await asyncio.sleep(0.002)
                if self.sender.closed:
                    return
            self.sender.send(piece, loop.time(), first_time=number not in lose)
            self.flush()

    def close(self) -> None:
        """Take leave."""
        if self.transport is not None and not self.transport.is_closing():
            if self.sender.connected and not self.sender.closed:
                self.sender.shutdown(asyncio.get_running_loop().time())
                self.flush()
            self.transport.close()
