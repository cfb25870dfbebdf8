"""The test picture stays inside its frame at every size and moves."""

from fractions import Fraction

import pytest

from headwater.loadtest.publish.picture import NEUTRAL, Planes, TestPicture, layout_of
from headwater.loadtest.publish.stripes import read_stripes

NOW = 1_795_173_300_000
GUARD = 0xEE


class Frame:
    """Planes with padding and a guard behind each."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.stride, self.half_stride = width + 32, width // 2 + 16
        self.y = bytearray([GUARD]) * (self.stride * height)
        self.u = bytearray([GUARD]) * (self.half_stride * height // 2)
        self.v = bytearray(self.u)
        self.planes = Planes(memoryview(self.y), memoryview(self.u), memoryview(self.v), self.stride, self.half_stride)

    def row(self, at: int) -> bytes:
        return bytes(self.y[at * self.stride : at * self.stride + self.width])


@pytest.mark.parametrize("size", [(160, 90), (1280, 720), (720, 1280), (3840, 90), (160, 2160), (426, 240)])
def test_every_pixel_is_drawn_and_none_outside(size: tuple[int, int]) -> None:
    width, height = size
    frame = Frame(width, height)
    picture = TestPicture(frame.planes, width, height, Fraction(30), "a_long-name that will not fit in")
    for number in range(0, 200, 7):
        picture.draw(number, NOW + number * 33)
        assert read_stripes(frame.row(height - 1)) == NOW + number * 33
    for plane, stride, used in ((frame.y, frame.stride, width), (frame.u, frame.half_stride, width // 2)):
        for at in range(0, len(plane), stride):
            assert GUARD not in plane[at : at + used]
            assert set(plane[at + used : at + stride]) == {GUARD}
    assert bytes(frame.y).count(GUARD) == 32 * height


def test_the_second_flashes() -> None:
    frame = Frame(640, 360)
    picture = TestPicture(frame.planes, 640, 360, Fraction(25), "x")
    x, y, side = layout_of(640, 360).flash
    seen = []
    for ms in (0, 99, 100, 999):
        picture.draw(0, NOW + ms)
        seen.append(frame.row(y + side // 2)[x + side // 2] > 128)
    assert seen == [True, True, False, False]


def test_the_block_leaves_no_trace() -> None:
    frame = Frame(640, 360)
    picture = TestPicture(frame.planes, 640, 360, Fraction(25), "x")
    picture.draw(0, NOW)
    before = bytes(frame.y), bytes(frame.u), bytes(frame.v)
    for number in range(1, 100):
        picture.draw(number, NOW)
    middle = layout_of(640, 360).bars_end // 4 * frame.half_stride
    assert NEUTRAL in frame.u[middle : middle + 320]
    picture.draw(100, NOW)  # four seconds: the block is back at the left
    end = layout_of(640, 360).bars_end
    assert bytes(frame.y[: end * frame.stride]) == before[0][: end * frame.stride]
    assert (bytes(frame.u), bytes(frame.v)) == before[1:]


def test_the_clock_changes() -> None:
    frame = Frame(640, 360)
    picture = TestPicture(frame.planes, 640, 360, Fraction(25), "x")
    top = layout_of(640, 360).clock_y
    seen = set()
    for ms in range(0, 1000, 40):
        picture.draw(0, NOW + ms)
        seen.add(b"".join(frame.row(row) for row in range(top, top + 7)))
    assert len(seen) > 10
