"""What the sources give: tags in order, keyframes on the grid, clean ends."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest

from headwater.loadtest.publish.flv import Tag, TagKind
from headwater.loadtest.publish.options import PublishOptions
from headwater.loadtest.publish.source import FileSource, Source, SourceError, TestSource

URL = "rtmp://h/live/x"
SMALL = PublishOptions(URL, width=160, height=90, bitrate=100_000)
ANCHOR_NS = 1_795_173_300_000_000_000


def drain(source: Source) -> list[Tag]:
    tags: list[Tag] = []
    while source.due_s() is not None:
        tags += source.step()
    return tags + source.finish()


def video(tags: list[Tag]) -> list[Tag]:
    """Coded frames: AVC packets of type 1."""
    return [tag for tag in tags if tag.kind is TagKind.VIDEO and tag.payload[1] == 1]


def test_keyframes_stand_on_the_grid_also_after_a_gap() -> None:
    source = TestSource(replace(SMALL, fps=Fraction(20), gop_s=0.5, duration_s=3.0), "x", ANCHOR_NS)
    tags: list[Tag] = []
    while (due := source.due_s()) is not None:
        if due == 1.0:
            source.skip_to(1.62)
        tags += source.step()
    tags += source.finish()
    frames = video(tags)
    # Numbers 20 to 31 are left out, the grid's frame 30 among them: the next one is the keyframe.
    numbers = [round((tag.timestamp - 1000) / 50) for tag in frames]
    assert numbers == [*range(20), *range(32, 60)]
    assert [number for number, tag in zip(numbers, frames, strict=True) if tag.payload[0] >> 4 == 1] == [
        0,
        10,
        32,
        40,
        50,
    ]


def test_sequence_headers_come_first_and_an_end_last() -> None:
    tags = drain(TestSource(replace(SMALL, duration_s=0.3), "x", ANCHOR_NS))
    for kind, header in ((TagKind.VIDEO, b"\x17\x00"), (TagKind.AUDIO, b"\xaf\x00")):
        own = [tag for tag in tags if tag.kind is kind]
        assert own[0].payload[:2] == header
        assert [tag.timestamp for tag in own] == sorted(tag.timestamp for tag in own)
    assert [tag.payload[:2] for tag in tags if tag.kind is TagKind.VIDEO][-1] == b"\x17\x02"
    assert len(video(tags)) == 9


@pytest.mark.parametrize(("codec", "fourcc"), [("hevc", b"hvc1"), ("av1", b"av01")])
def test_other_codecs_and_no_audio(codec: str, fourcc: bytes) -> None:
    options = replace(SMALL, fps=Fraction(10), gop_s=0.5, duration_s=1.0, audio=False, codec=codec)
    tags = drain(TestSource(options, "x", ANCHOR_NS))
    assert {tag.kind for tag in tags} == {TagKind.VIDEO}
    assert tags[0].payload[:5] == b"\x90" + fourcc  # Enhanced RTMP: sequence start
    frames = [tag for tag in tags if tag.payload[0] & 0x0F in (1, 3)]
    assert [tag.timestamp for tag in frames] == list(range(1000, 2000, 100))
    assert [tag.timestamp for tag in frames if tag.payload[0] >> 4 & 7 == 1] == [1000, 1500]


def test_ntsc_rate_keeps_step() -> None:
    options = replace(SMALL, fps=Fraction(30_000, 1001), duration_s=1.0)
    frames = video(drain(TestSource(options, "x", ANCHOR_NS)))
    assert [tag.timestamp for tag in frames] == [round((number + 30) * 1001 / 30) for number in range(30)]


def test_file_packets_keep_their_bytes_and_times(tmp_path: Path) -> None:
    path = tmp_path / "b.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"bf": "2", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 160, 90, "yuv420p"
        for number in range(25):
            frame = av.VideoFrame(160, 90, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes([number * 9]) * plane.buffer_size)
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with av.open(str(path)) as container:
        read = [(packet.dts, packet.pts, bytes(packet)) for packet in container.demux(video=0) if packet.size]
        tick = container.streams.video[0].time_base
    assert tick is not None
    packets = [(dts, pts, payload) for dts, pts, payload in read if dts is not None and pts is not None]
    assert len(packets) == len(read) == 25
    source = FileSource(PublishOptions(URL, file=path))
    assert source.metadata()["width"] == 160.0
    found = video(drain(source))
    assert [tag.payload[5:] for tag in found] == [payload for _, _, payload in packets]
    offsets = {round(tag.timestamp - dts * tick * 1000) for tag, (dts, _, _) in zip(found, packets, strict=True)}
    assert len(offsets) == 1
    compositions = [int.from_bytes(tag.payload[2:5], "big", signed=True) for tag in found]
    assert compositions == [round((pts - dts) * tick * 1000) for dts, pts, _ in packets]


def test_file_ends_at_the_wanted_time(tmp_path: Path) -> None:
    path = tmp_path / "a.flv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48_000)
        for at in range(0, 96_000, 1024):
            frame = av.AudioFrame("fltp", "mono", 1024)
            frame.sample_rate, frame.pts = 48_000, at
            frame.planes[0].update(bytes(4096))
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    tags = drain(FileSource(PublishOptions(URL, file=path, duration_s=1.0)))
    assert {tag.kind for tag in tags} == {TagKind.AUDIO}
    assert tags[-1].timestamp < 1000 + 1000


@pytest.mark.parametrize("content", [b"", b"no media at all" * 100])
def test_files_that_are_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"x\.mp4"):
        FileSource(PublishOptions(URL, file=path))
