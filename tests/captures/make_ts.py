"""Record what FFmpeg writes as MPEG-TS: the transport streams that the talk and fuzz tests read.

    .venv/bin/python tests/captures/make_ts.py            # writes tests/captures/*.ts

Small on purpose. `tests/talk/test_mpegts_captures.py` compares what we read with what libavformat reads.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import imageio_ffmpeg

HERE = Path(__file__).parent
FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()

VIDEO = ["-f", "lavfi", "-i", "testsrc=size=160x90:rate=25"]
AUDIO = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"]
STEREO = ["-f", "lavfi", "-i", "aevalsrc=sin(440*2*PI*t)|sin(660*2*PI*t):sample_rate=44100"]
SURROUND = [
    "-f",
    "lavfi",
    "-i",
    "anoisesrc=sample_rate=48000:amplitude=0.1,pan=5.1|c0=c0|c1=c0|c2=c0|c3=c0|c4=c0|c5=c0",
]
X264 = ["-c:v", "libx264", "-preset", "veryfast", "-g", "12", "-pix_fmt", "yuv420p", "-b:v", "60k", "-threads", "1"]
AAC = ["-c:a", "aac", "-b:a", "32k"]
TIME = ["-t", "1"]

CASES: dict[str, list[str]] = {
    "h264-aac": [*VIDEO, *AUDIO, *TIME, *X264, "-bf", "2", *AAC],
    "hevc-aac": [*VIDEO, *STEREO, *TIME, "-c:v", "libx265", "-preset", "ultrafast", "-g", "12", "-bf", "2",
                 "-x265-params", "log-level=0:pools=1", "-pix_fmt", "yuv420p", "-b:v", "60k", *AAC],
    "av1-opus": [*VIDEO, *AUDIO, *TIME, "-c:v", "libsvtav1", "-preset", "12", "-g", "12", "-pix_fmt", "yuv420p",
                 "-svtav1-params", "pred-struct=1", "-c:a", "libopus", "-b:a", "32k"],
    "interlaced-latm": ["-f", "lavfi", "-i", "testsrc=size=160x96:rate=50", *AUDIO, *TIME, "-vf", "interlace", *X264,
                        "-flags:v", "+ildct+ilme", *AAC, "-mpegts_flags", "+latm"],
    "mp2": [*AUDIO, *TIME, "-c:a", "mp2", "-b:a", "64k"],
    "mp3": [*STEREO, *TIME, "-c:a", "libmp3lame", "-b:a", "64k"],
    "ac3": [*SURROUND, *TIME, "-c:a", "ac3", "-b:a", "192k"],
    "eac3": [*STEREO, *TIME, "-c:a", "eac3", "-b:a", "64k"],
    "eac3-dvb": [*AUDIO, *TIME, "-c:a", "eac3", "-b:a", "64k", "-mpegts_flags", "+system_b"],
    "opus-surround": [*SURROUND, *TIME, "-c:a", "libopus", "-b:a", "96k", "-mapping_family", "1"],
    "languages": [*VIDEO, *AUDIO, *AUDIO, *STEREO, *TIME, "-map", "0", "-map", "1", "-map", "2", "-map", "3",
                  "-pes_payload_size", "300", *X264, *AAC, "-metadata:s:a:0", "language=eng",
                  "-metadata:s:a:1", "language=ger", "-disposition:a:2", "visual_impaired",
                  "-metadata:s:a:2", "language=fre"],
    "wrap": [*VIDEO, *AUDIO, *TIME, "-output_ts_offset", "95442.2", *X264, "-bf", "2", *AAC],
    "bluray": [*VIDEO, *AUDIO, *TIME, *X264, "-c:a", "ac3", "-b:a", "64k", "-mpegts_m2ts_mode", "1"],
    "programs": [*VIDEO, *AUDIO, *AUDIO, *TIME, "-map", "0", "-map", "1", "-map", "2", *X264, *AAC,
                 "-program", "title=one:st=0:st=1", "-program", "title=two:st=2"],
}  # fmt: skip


def capture(name: str, arguments: list[str]) -> None:
    """Record one case."""
    target = HERE / f"{name}.ts"
    command = [FFMPEG, "-hide_banner", "-loglevel", "error", "-y", *arguments, "-f", "mpegts", str(target)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode:
        sys.exit(done.stderr.decode())
    print(f"{name}: {target.stat().st_size} bytes")
    print("".join(line for line in done.stderr.decode().splitlines(True) if "Svt[" not in line), end="")


if __name__ == "__main__":
    for case, options in CASES.items():
        if len(sys.argv) < 2 or case in sys.argv[1:]:
            capture(case, options)
