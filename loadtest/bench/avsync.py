"""Whether sound and picture of a delivered stream belong together: a source that flashes and beeps, and its reader.

The source shows a white frame and sounds a tone at the same instant, once a second. `skews` decodes a live stream and
tells by how much each tone begins after its flash.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import av

from .processes import FFMPEG

PERIOD_S = 1
FLASH_S = 0.1
"""Three frames at 30 fps."""
BRIGHT, LOUD = 180, 0.1
"""Mean luma of a flash (0 to 255), amplitude of a tone (0 to 1)."""
SOURCE_S = 64
"""A whole number of video and audio frames, so that the file can be looped: 1,920 and 3,000."""
SOURCE = (
    *("-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=30"),
    *("-f", "lavfi", "-i", f"aevalsrc='if(lt(mod(t,{PERIOD_S}),{FLASH_S}),0.5*sin(2*PI*1000*t),0)':s=48000"),
    *("-vf", f"drawbox=color=white:thickness=fill:enable='lt(mod(t,{PERIOD_S}),{FLASH_S} - 0.001)'"),
    *("-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency"),
    *("-g", "60", "-b:v", "3M", "-maxrate", "3M", "-bufsize", "1500k", "-c:a", "aac", "-b:a", "128k"),
)


def make_source(folder: Path, seconds: int = SOURCE_S) -> Path:
    """The file, 720p30 at 3 Mbit/s; made once."""
    path = folder / f"flash-720p30-{seconds}.mp4"
    if not path.exists():
        temporary = path.with_suffix(".tmp.mp4")
        subprocess.run(
            [FFMPEG, "-v", "error", "-y", *SOURCE, "-t", str(seconds), str(temporary)], check=True, timeout=300
        )
        temporary.rename(path)
    return path


def skews(url: str, seconds: float) -> list[float]:
    """Seconds from each flash to its tone (negative: the tone comes first), in `seconds` of the stream at `url`.

    Raises:
        ValueError: a flash has no tone within half a period, or there is none of them.
    """
    watch = _Watch()
    with av.open(url) as container:
        picture, sound = container.streams.video[0], container.streams.audio[0]
        picture.thread_count = 1
        for packet in container.demux(picture, sound):
            for frame in packet.decode():
                if isinstance(frame, av.VideoFrame):
                    watch.picture(frame)
                elif isinstance(frame, av.AudioFrame):
                    watch.sound(frame)
            if watch.seen_s > seconds:
                break
    return pair(watch.flashes, watch.tones)


class _Watch:
    """Finds where flashes and tones begin."""

    def __init__(self) -> None:
        self.flashes: list[float] = []
        self.tones: list[float] = []
        self.seen_s = 0.0
        self._first: float | None = None
        self._bright = self._loud = True

    def picture(self, frame: av.VideoFrame) -> None:
        if frame.pts is None:
            return
        time = frame.time
        self._first = time if self._first is None else self._first
        self.seen_s = time - self._first
        small = frame.reformat(width=64, height=36, format="gray8").planes[0]
        bright = sum(bytes(small)) > BRIGHT * small.line_size * 36
        if bright and not self._bright:
            self.flashes.append(time)
        self._bright = bright

    def sound(self, frame: av.AudioFrame) -> None:
        time = frame.time
        if time is None:
            return
        # libavcodec's AAC decoder gives floats, a plane per channel.
        samples = memoryview(bytes(frame.planes[0])).cast("f")[: frame.samples]
        at = next((index for index, sample in enumerate(samples) if abs(sample) > LOUD), None)
        if at is not None and not self._loud:
            self.tones.append(time + at / frame.sample_rate)
        self._loud = at is not None


def pair(flashes: list[float], tones: list[float]) -> list[float]:
    """The distance from each flash to the nearest tone; those at the ends may lack one."""
    found = [min(tones, key=lambda tone: abs(tone - flash)) - flash for flash in flashes] if tones else []
    inner = found[1:-1]
    if not inner:
        raise ValueError(f"{len(flashes)} flashes and {len(tones)} tones")
    if any(abs(skew) > PERIOD_S / 2 for skew in inner):
        raise ValueError(f"a flash without a tone: {inner}")
    return inner
