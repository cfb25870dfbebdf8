"""Stills: sizes, formats, times."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import pytest
from av.video.frame import VideoFrame

from headwater.ingest.encode.model import Picture, Thumbnails
from headwater.ingest.encode.worker.stills import Stills

ONE = Fraction(1)


def frame(width: int = 640, height: int = 360, level: int = 180) -> VideoFrame:
    made = VideoFrame(width, height, "yuv420p")
    for plane, value in zip(made.planes, (level, 128, 128), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    made.pts = 0
    return made


def opened(still: Picture) -> VideoFrame:
    with av.open(io.BytesIO(still.data), "r") as container:
        return next(container.decode(video=0))


@pytest.mark.parametrize(
    ("source", "aspect", "size"),
    [
        ((640, 360), ONE, (320, 180)),
        ((720, 576), Fraction(16, 15), (320, 240)),
        ((360, 640), ONE, (320, 568)),
        ((160, 90), ONE, (160, 90)),
    ],
)
def test_size(source: tuple[int, int], aspect: Fraction, size: tuple[int, int]) -> None:
    stills = list(Stills(Thumbnails(4, 320)).offer(frame(*source), 0, aspect))
    assert [still.content_type for still in stills] == ["image/jpeg", "image/webp"]
    assert stills[0].data.startswith(b"\xff\xd8\xff") and stills[1].data[8:12] == b"WEBP"
    for still in stills:
        picture = opened(still)
        assert (picture.width, picture.height) == size
        grey = picture.reformat(format="gray")
        # 180 of 16 to 235 is 191 of 255.
        assert abs(bytes(grey.planes[0])[0] - (191 if picture.color_range == 2 else 180)) <= 12


def test_interval() -> None:
    stills, small = Stills(Thumbnails(1.0, 64)), frame(64, 36)
    times = (100, 90_000, 90_099, 90_100, 300_000, 10)
    assert [pts for pts in times if list(stills.offer(small, pts, ONE))] == [100, 90_100, 300_000, 10]
