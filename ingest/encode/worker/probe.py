"""Which encoders really open on this machine, and what encoding costs on it.

A process of its own, as a driver may crash.

    python -m headwater.ingest.encode.worker.probe [ENCODER...]      the software encoders to measure; default libx264

Prints one JSON object a line, so that what was found before a crash is not lost: `{"opens": NAME}`,
`{"refused": NAME, "reason": TEXT}`, `{"decode": RATE}`, `{"scale": RATE}`, `{"encode": NAME, "rate": RATE}` (megapixels
per CPU second), at the end `{"done": true}`. Encoders in hardware come last.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.filter import Graph
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import VideoReformatter

VIDEO = ("libx264", "libx265", "libsvtav1")
AUDIO = ("aac", "libopus")
STILLS = {"mjpeg": "yuvj420p", "libwebp": "yuv420p"}
IN_HARDWARE = ("h264_nvenc", "hevc_nvenc", "h264_qsv", "hevc_qsv")

WIDTH, HEIGHT = 1280, 720
FRAMES = 12
"""Of the calibration. Why: 0.4 s of a 30 fps source; enough for a figure within 10 %."""

FEW_FRAMES = 4
"""The same for encoders that are several times slower."""

BITRATE = 2_800_000

MEASURED_OPTIONS = {
    "libx264": {"preset": "veryfast", "tune": "zerolatency"},
    "libx265": {"preset": "ultrafast", "tune": "zerolatency", "x265-params": "log-level=none"},
    "libsvtav1": {"preset": "11", "svtav1-params": "pred-struct=1:rtc=1:scd=0:lp=1:rc=2"},
}
"""The default preset of each, as `plan` has it, with the worker's kind of tuning."""

Say = Callable[[dict[str, object]], None]


def main(measure: Sequence[str]) -> int:
    """Probe, measure, print."""
    run(measure, lambda line: print(json.dumps(line), flush=True))  # noqa: T201  # this is how it answers
    return 0


def run(measure: Sequence[str], say: Say) -> None:
    """Probe every encoder, measure those in `measure`; each finding goes to `say` at once."""
    pictures = noisy(FRAMES)
    opened: set[str] = set()

    def probe(name: str, attempt: Callable[[], object]) -> None:
        try:
            attempt()
        except Exception as error:  # av has many kinds, and any of them means that the encoder is of no use here
            say({"refused": name, "reason": getattr(error, "strerror", None) or str(error)})
        else:
            opened.add(name)
            say({"opens": name})

    for name in VIDEO:
        probe(name, lambda name=name: encode_video(name, pictures[:2], MEASURED_OPTIONS[name]))  # type: ignore[misc]
    for name in AUDIO:
        probe(name, lambda name=name: encode_audio(name))  # type: ignore[misc]
    for name, pixels in STILLS.items():
        probe(name, lambda name=name, pixels=pixels: encode_still(name, pixels, pictures[0]))  # type: ignore[misc]
    if "libx264" in opened:
        for line in measured(pictures, [name for name in measure if name in opened]):
            say(line)
    for name in IN_HARDWARE:
        probe(name, lambda name=name: encode_video(name, pictures[:2], {}))  # type: ignore[misc]
    say({"done": True})


def measured(pictures: list[VideoFrame], encoders: Sequence[str]) -> Iterator[dict[str, object]]:
    """Unit costs: CPU time, not wall time, so that a busy machine does not look slow."""
    started = time.process_time()
    packets = encode_video("libx264", pictures, MEASURED_OPTIONS["libx264"])
    yield {"encode": "libx264", "rate": _rate(len(pictures), started)}
    started = time.process_time()
    decode(packets)
    yield {"decode": _rate(len(pictures), started)}
    reformatter = VideoReformatter()
    started = time.process_time()
    for picture in pictures:
        reformatter.reformat(picture, 854, 480, "yuv420p", interpolation="BICUBIC")
    yield {"scale": _rate(len(pictures), started)}
    for name in encoders:
        if name in MEASURED_OPTIONS and name != "libx264":
            started = time.process_time()
            encode_video(name, pictures[:FEW_FRAMES], MEASURED_OPTIONS[name])
            yield {"encode": name, "rate": _rate(FEW_FRAMES, started)}


def noisy(count: int) -> list[VideoFrame]:
    """A moving test picture with noise: what a camera in a dim room sends, the dearest that is usual."""
    graph = Graph()
    steps = [
        graph.add("testsrc2", f"size={WIDTH}x{HEIGHT}:rate=30"),
        graph.add("noise", "alls=12:allf=t"),
        graph.add("format", "pix_fmts=yuv420p"),
        graph.add("buffersink"),
    ]
    for before, after in pairwise(steps):
        before.link_to(after)
    graph.configure()
    return [graph.vpull() for _ in range(count)]


def encode_video(name: str, pictures: Sequence[VideoFrame], options: dict[str, str]) -> list[bytes]:
    """Open, encode, flush. Raises what av raises."""
    context = VideoCodecContext.create(name, "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    context.time_base, context.framerate = Fraction(1, 90_000), Fraction(30)
    context.bit_rate = BITRATE
    context.thread_count = 1
    context.options = dict(options)
    context.open()
    packets: list[bytes] = []
    for number, picture in enumerate(pictures):
        picture.pts, picture.time_base = number * 3_000, Fraction(1, 90_000)
        picture.pict_type = PictureType.NONE
        packets += map(bytes, context.encode(picture))
    packets += map(bytes, context.encode(None))
    if not packets:
        raise RuntimeError("opened, but encoded nothing")
    return packets


def decode(packets: Sequence[bytes]) -> int:
    """How many pictures came out of H.264 `packets`."""
    context = VideoCodecContext.create("h264", "r")
    assert isinstance(context, VideoCodecContext)
    context.thread_count = 1
    count = 0
    for data in packets:
        packet = av.Packet(len(data))  # never Packet(bytes): no padding, and it is freed under the GIL
        packet.update(data)
        count += len(context.decode(packet))
    return count + len(context.decode(None))


def encode_audio(name: str) -> None:
    """Open, encode a little silence, flush. Raises what av raises."""
    context = AudioCodecContext.create(name, "w")
    assert isinstance(context, AudioCodecContext)
    context.sample_rate, context.layout = 48_000, "stereo"
    context.format = "fltp" if name == "aac" else "flt"
    context.time_base, context.bit_rate = Fraction(1, 48_000), 128_000
    context.open()
    samples = context.frame_size or 960
    frame = AudioFrame(format=context.format.name, layout="stereo", samples=samples)
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    frame.sample_rate, frame.pts, frame.time_base = 48_000, 0, Fraction(1, 48_000)
    if not [*context.encode(frame), *context.encode(None)]:
        raise RuntimeError("opened, but encoded nothing")


def encode_still(name: str, pixels: str, picture: VideoFrame) -> None:
    """Open, encode one picture. Raises what av raises."""
    context = VideoCodecContext.create(name, "w")
    assert isinstance(context, VideoCodecContext)
    small = VideoReformatter().reformat(picture, 320, 180, pixels)
    context.width, context.height, context.pix_fmt = 320, 180, pixels
    context.time_base = Fraction(1, 25)
    context.open()
    small.pts, small.time_base = 0, Fraction(1, 25)
    if not [*context.encode(small), *context.encode(None)]:
        raise RuntimeError("opened, but encoded nothing")


def _rate(pictures: int, started: float) -> float:
    """Megapixels per CPU second since `started`."""
    return pictures * WIDTH * HEIGHT / 1_000_000 / max(1e-4, time.process_time() - started)


if __name__ == "__main__":
    os.environ.setdefault("SVT_LOG", "1")  # its notes of each start are nobody's
    sys.exit(main(sys.argv[1:] or ("libx264",)))
