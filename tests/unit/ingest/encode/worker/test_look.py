"""Tracks of real files."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import pytest

from headwater.ingest.encode.worker.look import LookError, tracks
from headwater.ingest.media import Codec, Kind


def made(file: Path, *arguments: str) -> Path:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *arguments, str(file)]
    subprocess.run(command, check=True, timeout=60)
    return file


PICTURE = ("-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30000/1001:duration=0.5")
SOUND = ("-f", "lavfi", "-i", "sine=duration=0.5:sample_rate=44100")


def test_video_and_audio(tmp_path: Path) -> None:
    file = made(
        tmp_path / "a.mp4",
        *PICTURE,
        *SOUND,
        "-vf",
        "setsar=4/3",
        "-c:v",
        "libx264",
        "-pix_fmt",
        "yuv420p",
        "-c:a",
        "aac",
    )
    (video, audio), rotation = tracks(file)
    assert (video.kind, video.codec, video.width, video.height) == (Kind.VIDEO, Codec.H264, 320, 180)
    assert (video.frame_rate, video.sample_aspect) == (Fraction(30_000, 1_001), Fraction(4, 3))
    assert (audio.kind, audio.codec, audio.sample_rate, audio.channels) == (Kind.AUDIO, Codec.AAC, 44_100, 1)
    assert rotation == 0


def test_a_turned_picture(tmp_path: Path) -> None:
    plain = made(tmp_path / "a.mp4", *PICTURE, "-c:v", "libx264", "-pix_fmt", "yuv420p")
    turned = made(tmp_path / "b.mp4", "-display_rotation:v:0", "90", "-i", str(plain), "-c", "copy")
    assert abs(tracks(turned)[1]) == 90


def test_decoders_with_names_of_their_own(tmp_path: Path) -> None:
    file = made(tmp_path / "a.mkv", *PICTURE, *SOUND, "-c:v", "libsvtav1", "-pix_fmt", "yuv420p", "-c:a", "libmp3lame")
    assert [track.codec for track in tracks(file)[0]] == [Codec.AV1, Codec.MP3]


def test_what_is_no_source(tmp_path: Path) -> None:
    nothing = tmp_path / "x.mp4"
    nothing.write_bytes(b"nothing")
    with pytest.raises(LookError, match=r"x\.mp4"):
        tracks(nothing)
    raw = made(tmp_path / "a.wav", *SOUND)
    with pytest.raises(LookError, match="pcm_s16le: not a codec that encoders send"):
        tracks(raw)
