"""What the tests of the ladder share: sources whose picture flashes when their sound beeps, rungs of small size, and
how a running ladder is looked at from outside."""

from __future__ import annotations

import array
import io
import json
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame
from tests.encoded import encoded

from headwater.loadtest.bench.capture import Heard, common
from headwater.loadtest.bench.ladder import workers
from headwater.loadtest.bench.processes import FFMPEG, Peer, cpu_seconds, wait_until
from headwater.loadtest.bench.server import Headwater

RUNGS = ("240p", "144p")
SOUND = "audio-64k"
TOML = """
[ingest.encode]
enabled = true
[[ingest.encode.rungs]]
height = 240
[[ingest.encode.rungs]]
height = 144
[ingest.encode.thumbnails]
interval_s = 2
[ingest.encode.overload]
step_down_speed = 0.5
step_down_lag_s = 8
max_lag_s = 9
"""
"""Small pictures that are hardly ever given up, so that what is tested is not the machine's speed."""
SOUND_TOML = (
    TOML
    + """
[ingest.encode.worker]
hang_s = 6
queue_s = 9
[[ingest.encode.audio]]
bitrate = 64000
"""
)
"""With a rendition of sound, too, and a worker that is waited for."""

FLASH_S = 0.1
"""Length of each flash and beep; one begins at each whole second."""
LIP_S = 0.04
"""Between picture and sound nobody sees it (ITU-R BT.1359)."""


@dataclass(frozen=True)
class Flashing:
    """A moving picture with a white bar, and a tone, both in the first `FLASH_S` of each second."""

    name: str
    size: str = "640x360"
    fps: str = "30"
    seconds: float = 60
    gop: int = 60
    filters: str = ""
    """Behind the flashing picture."""
    video: tuple[str, ...] = ("-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency")
    audio: tuple[str, ...] = ("-c:a", "aac", "-b:a", "96k")
    audio_rate: int = 48_000
    push: tuple[str, ...] = ()
    output: tuple[str, ...] = ()
    """Of the encoding: `-fps_mode vfr`, ..."""

    def make(self, folder: Path) -> Path:
        """Its file in `folder`, which is a link to what was encoded once."""
        path = folder / f"{self.name}.mp4"
        if not path.exists():
            path.symlink_to(encoded(self._encoding()))
        return path

    def _encoding(self) -> list[str]:
        command: list[str] = []
        graph: list[str] = []
        if self.video:
            command += ["-f", "lavfi", "-i", f"testsrc2=size={self.size}:rate={self.fps}"]
            bar = f"drawbox=x=0:y=0:w=iw:h=ih/2:color=black:t=fill,{_white()}"
            graph.append(f"[0:v]{bar}{',' if self.filters else ''}{self.filters}[v]")
        if self.audio:
            tone = f"sin(2*PI*1000*t)*lt(mod(t,1),{FLASH_S})"
            command += ["-f", "lavfi", "-i", f"aevalsrc='{tone}':s={self.audio_rate}"]
        command += ["-filter_complex", ";".join(graph), "-map", "[v]"] if graph else []
        if self.video:
            command += [*self.video, "-g", str(self.gop), "-keyint_min", str(self.gop), "-pix_fmt", "yuv420p"]
        if self.audio:
            command += ["-map", f"{int(bool(self.video))}:a", *self.audio]
        return [*command, *self.output, "-t", str(self.seconds)]

    def push_command(self, path: Path, url: str) -> list[str]:
        """An ffmpeg that pushes the file in real time without touching a packet."""
        command = [FFMPEG, "-hide_banner", "-v", "warning", "-re", "-i", str(path)]
        return [*command, "-map", "0", "-c", "copy", *self.push, "-f", "flv", url]

    def start(self, server: Headwater, folder: Path, stream: str = "") -> Peer:
        """Push it as `stream`."""
        stream = stream or self.name
        return Peer(self.push_command(self.make(folder), server.rtmp(stream)), folder / f"{stream}.push.log")


def _white() -> str:
    return f"drawbox=x=0:y=0:w=iw:h=ih/2:color=white:t=fill:enable='lt(mod(t,1),{FLASH_S - 0.001})'"


# -- a ladder from outside


def summary(server: Headwater, stream: str, *, at: str = "origin") -> dict[str, Any]:
    """What streams.json says of it; empty when it is not listed."""
    status, body = server.get("/streams.json", at=at)
    found = json.loads(body)["streams"] if status == 200 else []
    return next((entry for entry in found if entry["name"] == stream), {})


def variants(server: Headwater, stream: str) -> dict[str, str]:
    """Rendition -> its line in the multivariant playlist, video and audio."""
    status, body = server.get(f"/live/{stream}/index.m3u8", at="origin")
    found: dict[str, str] = {}
    lines = body.decode().splitlines() if status == 200 else []
    for line, following in zip(lines, [*lines[1:], ""], strict=False):
        if line.startswith("#EXT-X-STREAM-INF") and following.endswith("/index.m3u8"):
            found[following.split("/")[0]] = line
        elif match := re.search(r'URI="([^"/]+)/index\.m3u8"', line):
            found[match[1]] = line
    return found


def wait_offered(server: Headwater, stream: str, names: Iterable[str], *, timeout_s: float = 40) -> None:
    """Until every one of `names` is in the multivariant playlist."""
    wanted = set(names)
    wait_until(
        lambda: variants(server, stream).keys() >= wanted,
        timeout_s=timeout_s,
        what=lambda: f"{wanted} of {stream} are offered, now: {variants(server, stream)}",
        peer=server.peer,
    )


def busiest_worker(server: Headwater) -> int:
    """Process id of the encoder process that works; another one waits to take over."""
    before = {pid: cpu_seconds(pid) for pid in workers(server)}
    time.sleep(0.7)
    used = {pid: cpu_seconds(pid) - before[pid] for pid in workers(server) if pid in before}
    return max(used, key=lambda pid: used[pid])


# -- judging what was heard


def check_boundaries(heard: Mapping[str, Heard], frame_s: Mapping[str, float]) -> list[int]:
    """Every segment begins with the first sample at or after its cut in every rendition; the MSNs that were compared.

    `source` (or the first rendition) begins on the cut itself; `frame_s`: seconds of a sample of each rendition.
    """
    shared = common(heard)
    assert len(shared) >= 2, {name: sorted(one.whole()) for name, one in heard.items()}
    reference = heard.get("source") or next(iter(heard.values()))
    for name, one in heard.items():
        assert not one.errors, one.errors
        for msn in shared:
            off = one.starts()[msn] - reference.starts()[msn]
            # Half a millisecond: what rounding to a rendition's own ticks may make of it.
            assert -0.0005 <= off < frame_s[name] + 0.0005, f"{name} begins {1e3 * off:.1f} ms off in segment {msn}"
    return shared


@dataclass(frozen=True)
class Decoded:
    """Frames of one rendition: presentation times in seconds, and a level for each (brightness or loudness)."""

    times: list[float]
    levels: list[float]
    size: tuple[int, int] = (0, 0)

    def onsets(self, threshold: float) -> list[float]:
        """Times at which the level passes `threshold` upwards."""
        pairs = zip(self.levels, self.levels[1:], self.times[1:], strict=False)
        return [time for before, now, time in pairs if before < threshold <= now]


def decode_video(one: Heard, msns: Sequence[int]) -> Decoded:
    """Decode these segments; brightness of the upper half, where the flash is. Fails on any decoding error."""
    times, levels, size = [], [], (0, 0)
    with av.open(io.BytesIO(media(one, msns)), "r", options={"err_detect": "explode"}) as container:
        for frame in container.decode(video=0):
            assert isinstance(frame, VideoFrame) and frame.time is not None
            times.append(frame.time)
            levels.append(_brightness(frame))
            size = (frame.width, frame.height)
    return Decoded(times, levels, size)


def decode_audio(one: Heard, msns: Sequence[int]) -> Decoded:
    """Decode these segments; loudness in steps of 2 ms."""
    times: list[float] = []
    levels: list[float] = []
    with av.open(io.BytesIO(media(one, msns)), "r") as container:
        for frame in container.decode(audio=0):
            assert isinstance(frame, AudioFrame) and frame.time is not None
            assert frame.format.name == "fltp"  # libavcodec's AAC decoder gives nothing else
            samples = array.array("f", bytes(frame.planes[0]))[: frame.samples]
            step = frame.sample_rate // 500
            for start in range(0, len(samples) - step + 1, step):
                times.append(frame.time + start / frame.sample_rate)
                levels.append(max(map(abs, samples[start : start + step])))
    return Decoded(times, levels)


def _brightness(frame: VideoFrame) -> float:
    """Mean luma of one row of the flashing half."""
    plane = frame.planes[0]  # of yuv420p: 8 bit luma
    assert frame.format.name in ("yuv420p", "yuvj420p"), frame.format.name
    start = frame.height // 4 * plane.line_size
    row = memoryview(plane)[start : start + frame.width]
    return sum(row) / len(row)


def media(one: Heard, msns: Sequence[int]) -> bytes:
    """Init section and these segments."""
    whole = one.whole()
    return one.init + b"".join(part.body for msn in msns for part in whole[msn])


def lip_offsets(picture: Decoded, sound: Decoded) -> list[float]:
    """Seconds by which each beep is later than its flash. Flashes and beeps are a second apart."""
    flashes, beeps = picture.onsets(128), sound.onsets(0.3)
    found = []
    for flash in flashes:
        nearest = min(beeps, key=lambda beep: abs(beep - flash), default=None)
        if nearest is not None and abs(nearest - flash) < 0.5:
            found.append(nearest - flash)
    return found
