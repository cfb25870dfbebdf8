"""Pictures: places with bars, colours, fields, rotation."""

from __future__ import annotations

from fractions import Fraction

import pytest
from av.video.frame import VideoFrame
from hypothesis import given
from hypothesis import strategies as st
from tests.worker_kit import START, X264, decoded, video

from headwater.ingest.encode.worker.picture import Fit, Shaper, Upright, colour_of, fit, is_hdr
from headwater.ingest.encode.worker.video import Colour

ONE = Fraction(1)


def grey(width: int, height: int, level: int = 200, pixels: str = "yuv420p") -> VideoFrame:
    frame = VideoFrame(width, height, pixels)
    for plane, value in zip(frame.planes, (level, 128, 128), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    frame.pts = START
    return frame


def luma(frame: VideoFrame, x: int, y: int) -> int:
    plane = frame.planes[0]
    return bytes(plane)[y * plane.line_size + x]


@pytest.mark.parametrize(
    ("source", "aspect", "rung", "place"),
    [
        ((1920, 1080), ONE, (1280, 720), Fit(1280, 720, 0, 0)),
        ((1920, 1080), ONE, (854, 480), Fit(854, 480, 0, 0)),
        ((1440, 1080), Fraction(4, 3), (1280, 720), Fit(1280, 720, 0, 0)),
        ((720, 576), Fraction(16, 15), (1280, 720), Fit(960, 720, 160, 0)),
        ((1080, 1920), ONE, (1280, 720), Fit(404, 720, 438, 0)),
        ((1920, 800), ONE, (1280, 720), Fit(1280, 532, 0, 94)),
    ],
)
def test_where_a_picture_stands(source: tuple[int, int], aspect: Fraction, rung: tuple[int, int], place: Fit) -> None:
    assert fit(*source, aspect, *rung) == place


even = st.integers(1, 1_000).map(lambda half: 2 * half)


@given(st.integers(1, 4_000), st.integers(1, 4_000), st.fractions(Fraction(1, 4), 4), even, even)
def test_a_picture_is_inside_and_even(width: int, height: int, aspect: Fraction, wide: int, high: int) -> None:
    place = fit(width, height, aspect, wide, high)
    assert place.left >= 0 and place.left + place.width <= wide
    assert place.top >= 0 and place.top + place.height <= high
    assert not any(value % 2 for value in (place.width, place.height, place.left, place.top))


def test_bars_are_black_and_the_picture_between_them_is_whole() -> None:
    shaped = Shaper(256, 144, "yuv420p").shape(grey(144, 144), ONE, Colour())
    assert (shaped.width, shaped.height, shaped.format.name) == (256, 144, "yuv420p")
    assert [luma(shaped, x, 70) for x in (0, 50, 60, 128, 195, 205, 255)] == [16, 16, 200, 200, 200, 16, 16]


def test_one_shaper_follows_a_source_that_changes() -> None:
    shaper = Shaper(160, 90, "yuv420p")
    for width, height in ((320, 180), (322, 182), (180, 320), (160, 90)):
        shaped = shaper.shape(grey(width, height), ONE, Colour())
        assert (shaped.width, shaped.height) == (160, 90) and luma(shaped, 80, 45) == 200


def test_the_source_is_left_alone() -> None:
    frame = grey(160, 90)
    shaped = Shaper(160, 90, "yuv420p").shape(frame, ONE, Colour())
    shaped.pts = 7
    assert shaped is not frame and frame.pts == START


def test_full_range_becomes_limited() -> None:
    frame = grey(160, 90, 255)
    frame.color_range = 2
    assert luma(Shaper(80, 44, "yuv420p").shape(frame, ONE, Colour()), 40, 20) == 235


def test_another_matrix_is_converted_and_an_unknown_one_is_not() -> None:
    def red(matrix: int) -> VideoFrame:
        frame = grey(160, 90, 81)
        frame.planes[1].update(bytes([90]) * frame.planes[1].buffer_size)
        frame.planes[2].update(bytes([240]) * frame.planes[2].buffer_size)
        frame.colorspace = matrix
        return frame

    assert luma(Shaper(80, 44, "yuv420p").shape(red(6), ONE, Colour(1, 1, 1)), 40, 20) in range(60, 66)
    assert luma(Shaper(80, 44, "yuv420p").shape(red(6), ONE, Colour(5, 6, 5)), 40, 20) == 81
    assert luma(Shaper(80, 44, "yuv420p").shape(red(2), ONE, Colour(1, 1, 1)), 40, 20) == 81


@pytest.mark.parametrize("pixels", ["yuv422p", "yuv444p", "yuv420p10le", "yuvj420p", "gray"])
def test_any_format_of_pixels_becomes_the_rungs(pixels: str) -> None:
    frame = Shaper(320, 180, pixels).shape(grey(320, 180), ONE, Colour())
    shaped = Shaper(160, 90, "yuv420p").shape(frame, ONE, Colour())
    assert shaped.format.name == "yuv420p" and abs(luma(shaped, 80, 45) - 200) <= 2


def test_progressive_frames_pass_as_they_are() -> None:
    frame = grey(160, 90)
    upright = Upright()
    assert upright.frames(frame, ONE) == [(frame, START, ONE)]
    assert upright.close() == []


def test_fields_become_frames_each_with_its_time() -> None:
    clip = video(
        "testsrc2=size=320x180:rate=50,interlace", "-c:v libx264 -preset ultrafast -flags +ildct+ilme -bf 0", 0.4
    )
    frames = decoded(clip.track, clip.samples)
    assert all(frame.interlaced_frame for frame in frames)
    upright = Upright()
    out = [made for frame in frames for made in upright.frames(frame, ONE)]
    assert upright.interlaced and len(out) == len(frames) - 1  # the deinterlacer looks one frame ahead
    out += upright.close()
    assert [pts for _, pts, _ in out] == [frame.pts for frame in frames]
    assert not any(frame.interlaced_frame for frame, _, _ in out)


ON_ITS_SIDE = X264 + " -bsf:v h264_metadata=display_orientation=insert:rotate="


@pytest.mark.parametrize(
    ("turn", "size", "aspect", "bright", "dark"),
    [
        (90, (90, 160), Fraction(3, 4), (20, 80), (70, 80)),
        (180, (160, 90), Fraction(4, 3), (80, 70), (80, 20)),
        (270, (90, 160), Fraction(3, 4), (70, 80), (20, 80)),
    ],
)
def test_a_source_on_its_side_is_turned(
    turn: int, size: tuple[int, int], aspect: Fraction, bright: tuple[int, int], dark: tuple[int, int]
) -> None:
    """The sender says in its keyframes by how much the picture is to be turned, anticlockwise."""
    picture = "color=black:size=160x90:rate=30,drawbox=w=160:h=45:color=white:t=fill"
    clip = video(picture, f"{ON_ITS_SIDE}{turn}", 0.3)
    upright = Upright()
    out = [made for frame in decoded(clip.track, clip.samples) for made in upright.frames(frame, Fraction(4, 3))]
    assert [pts for _, pts, _ in out] == [sample.pts for sample in clip.samples]
    for frame, _, shape in out:
        assert (frame.width, frame.height) == size and shape == aspect
        assert luma(frame, *bright) > 200 and luma(frame, *dark) < 40


def test_colours_of_the_source_are_kept() -> None:
    frame = grey(160, 90)
    assert colour_of(frame) == Colour(2, 2, 2) and not is_hdr(frame)
    frame.color_primaries, frame.color_trc, frame.colorspace = 3, 3, 3
    assert colour_of(frame) == Colour(2, 2, 2)
    assert luma(Shaper(80, 44, "yuv420p").shape(frame, ONE, Colour(2, 2, 2)), 40, 20) == 200
    frame.colorspace = 0
    assert colour_of(frame).matrix == 1
    frame.color_primaries, frame.color_trc, frame.colorspace = 9, 16, 9
    assert colour_of(frame) == Colour(9, 16, 9) and is_hdr(frame)
