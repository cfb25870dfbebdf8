"""Decoders: every codec of ingest, at once and in order, whatever the packets are, and no deadlock when dropped."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from fractions import Fraction

import pytest
from tests.worker_kit import START, X264, audio, video

from headwater.ingest.encode.worker.decode import AudioDecoder, NoDecoder, VideoDecoder, packet_of
from headwater.ingest.media import Codec, Sample

X265 = "-c:v libx265 -preset ultrafast -bf 0 -x265-params log-level=none:keyint=30:bframes=0 -tag:v hvc1"
AV1 = "-c:v libsvtav1 -preset 12 -g 30 -svtav1-params lp=1:pred-struct=1:rtc=1:rc=2 -b:v 300k"
VP9 = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 30 -lag-in-frames 0 -error-resilient 1"


@pytest.mark.parametrize("options", [X264, X265, AV1, VP9], ids=["h264", "hevc", "av1", "vp9"])
def test_each_frame_comes_out_with_its_packet(options: str) -> None:
    clip = video(options=options)
    decoder = VideoDecoder(clip.track, cores=4)
    for sample in clip.samples:
        (frame,) = decoder.decode(sample)
        assert (frame.pts, frame.width, frame.height) == (sample.pts, 320, 180)
    assert decoder.close() == [] and decoder.errors == 0


def test_reordered_frames_come_out_in_order_of_presentation() -> None:
    clip = video(options="-c:v libx264 -preset ultrafast -g 30 -bf 3 -b_strategy 0 -x264-params b-pyramid=normal")
    assert any(sample.pts != sample.dts for sample in clip.samples)
    decoder = VideoDecoder(clip.track, cores=2)
    out = [frame.pts for sample in clip.samples for frame in decoder.decode(sample)]
    assert 0 < len(out) < 30
    out += [frame.pts for frame in decoder.close()]
    assert out == sorted(sample.pts for sample in clip.samples)


def test_a_keyframe_alone_gives_a_still_at_once() -> None:
    clip = video(options="-c:v libx264 -preset ultrafast -g 10 -bf 3 -b_strategy 0")
    decoder = VideoDecoder(clip.track, cores=2)
    keys = [sample for sample in clip.samples if sample.independent]
    assert len(keys) == 3
    assert [frame.pts for key in keys for frame in decoder.still(key)] == [key.pts for key in keys]


def broken(sample: Sample) -> Sample:
    return dataclasses.replace(sample, payload=b"\x00\x00\x00\x05" + b"\xff" * 5)


def test_what_is_refused_is_counted_and_the_next_keyframe_helps() -> None:
    clip = video(options="-c:v libx264 -preset ultrafast -g 10 -bf 0")
    decoder = VideoDecoder(clip.track, cores=2)
    frames = 0
    for number, sample in enumerate(clip.samples):
        frames += len(decoder.decode(broken(sample) if number % 10 == 3 else sample))
    frames += len(decoder.close())
    assert decoder.errors == 3
    assert frames >= 24


def test_garbage_never_raises() -> None:
    clip = video()
    decoder = VideoDecoder(clip.track, cores=2)
    for size in (1, 4, 5, 64, 4_096):
        decoder.decode(dataclasses.replace(clip.samples[0], payload=b"\xa5" * size))
    assert decoder.errors > 0
    decoder.close()


def test_the_shape_of_pixels_is_known() -> None:
    clip = video("testsrc2=size=320x180:rate=30,setsar=4/3", seconds=0.2)
    decoder = VideoDecoder(clip.track, cores=1)
    decoder.decode(clip.samples[0])
    assert decoder.sample_aspect == Fraction(4, 3)
    decoder.close()


def test_no_decoder() -> None:
    clip = video()
    with pytest.raises(NoDecoder, match="no decoder for aac"):
        VideoDecoder(dataclasses.replace(clip.track, codec=Codec.AAC), cores=1)
    with pytest.raises(NoDecoder, match="no decoder for h264"):
        AudioDecoder(clip.track)
    with pytest.raises(NoDecoder, match="does not open"):
        AudioDecoder(dataclasses.replace(audio(options="-c:a libopus -b:a 64k").track, config=b"\x00\xc8" + bytes(9)))


@pytest.mark.parametrize(
    ("options", "rate", "lost"),
    [
        ("-c:a aac", 48_000, 0),
        ("-c:a libopus -b:a 64k", 48_000, 0),
        ("-c:a ac3", 48_000, 0),
        ("-c:a eac3", 48_000, 0),
        ("-c:a flac -strict -2", 48_000, 0),
        ("-c:a libmp3lame", 48_000, 0),
        ("-c:a mp2", 48_000, 0),
        ("-c:a aac -ar 8000 -ac 1", 8_000, 0),
    ],
    ids=["aac", "opus", "ac3", "eac3", "flac", "mp3", "mp2", "aac 8 kHz"],
)
def test_sound_of_every_codec(options: str, rate: int, lost: int) -> None:
    clip = audio(options=options)
    decoder = AudioDecoder(clip.track)
    frames = [frame for sample in clip.samples for frame in decoder.decode(sample)]
    decoder.close()
    assert decoder.errors == lost
    assert {frame.sample_rate for frame in frames} == {rate}
    assert 0.9 * rate < sum(frame.samples for frame in frames) < 1.2 * rate
    assert frames[-1].pts is not None and frames[-1].pts >= START * clip.track.timescale // 90_000


def test_broken_sound_is_counted() -> None:
    clip = audio()
    decoder = AudioDecoder(clip.track)
    for sample in clip.samples[:20]:
        decoder.decode(dataclasses.replace(sample, payload=b"\xff" * 40))
    assert decoder.errors > 0
    decoder.close()


def test_packets_have_padding_and_their_own_memory() -> None:
    sample = video().samples[0]
    packet = packet_of(sample, Fraction(1, 90_000))
    assert bytes(packet) == sample.payload and packet.pts == sample.pts


DROPPED = """
from tests.worker_kit import video
from headwater.ingest.encode.worker.decode import VideoDecoder
for options in {options!r}:
    for _ in range(8):
        clip = video(options=options)
        decoder = VideoDecoder(clip.track, cores=4)
        for sample in clip.samples[:7]:
            decoder.decode(sample)
        del decoder  # as an exception would: without a flush
print("alive")
"""


def test_decoders_that_are_dropped_do_not_hang_the_process() -> None:
    """`av.Packet(bytes)` with threads hangs here for ever."""
    code = DROPPED.format(options=[X264, AV1])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert "alive" in done.stdout, done.stderr
