"""Decoded frames -> pictures of a rung's size: upright, progressive, square pixels, 8 bit, bars where needed.

Upright    once per source: deinterlaces and rotates, where the frames say so
Cascade    once per ladder: the source's picture in the size of each rung, each made from the next larger one
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import av
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from headwater.ingest.media import VIDEO_TIMESCALE

from .video import Colour

NEAR = 2
"""Pixels by which a picture may miss the rung's size and is stretched to it. Why: sides are even numbers, and
bars of one pixel help nobody."""

_PQ, _HLG = 16, 18
_UNKNOWN = 2
_BT709 = 1
_BT601 = frozenset({5, 6})
_FULL_RANGE = 2
"""Values of H.273; `VideoFrame` has them as they are."""

_TURNS = {90: ("transpose=clock",), 180: ("hflip", "vflip"), 270: ("transpose=cclock",)}
"""Filters by degrees clockwise."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Where a source's picture stands inside a rung's."""

    width: int
    height: int
    left: int
    top: int


def fit(width: int, height: int, aspect: Fraction, rung_width: int, rung_height: int) -> Fit:
    """The largest place for a picture of `width` x `height` pixels of shape `aspect` inside a rung of square pixels."""
    shape = Fraction(width, height) * aspect
    wide, high = rung_width, round(rung_width / shape)
    if high > rung_height:
        wide, high = round(rung_height * shape), rung_height
    wide, high = max(2, wide // 2 * 2), max(2, high // 2 * 2)
    if rung_width - wide <= NEAR and rung_height - high <= NEAR:
        return Fit(rung_width, rung_height, 0, 0)
    return Fit(wide, high, (rung_width - wide) // 4 * 2, (rung_height - high) // 4 * 2)


def colour_of(frame: VideoFrame) -> Colour:
    """What rungs made from a source say of their colours: what the source says, and BT.709 for high dynamic range."""
    if is_hdr(frame):
        return Colour(_BT709, _BT709, _BT709)
    return Colour(int(frame.color_primaries), int(frame.color_trc), int(frame.colorspace))


def is_hdr(frame: VideoFrame) -> bool:
    """PQ or HLG."""
    return frame.color_trc in (_PQ, _HLG)


class Upright:
    """Frames as they are to be seen. Free while the source is progressive and not rotated."""

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._made_for: tuple[object, ...] = ()
        self.interlaced = False
        """Interlaced frames came: the deinterlacer stays, and is one frame late."""

    def frames(self, frame: VideoFrame, aspect: Fraction) -> list[tuple[VideoFrame, int, Fraction]]:
        """What a decoded frame brings out: frame, `pts` at `VIDEO_TIMESCALE`, and the shape of its pixels."""
        turn = -frame.rotation % 360
        turn = turn if turn in _TURNS else 0
        self.interlaced = self.interlaced or frame.interlaced_frame
        if not self.interlaced and not turn:
            assert frame.pts is not None
            return [*self.close(), (frame, frame.pts, aspect)]
        shape = aspect if turn in (0, 180) else 1 / aspect
        key = (frame.width, frame.height, frame.format.name, turn, self.interlaced, shape)
        out: list[tuple[VideoFrame, int, Fraction]] = []
        if key != self._made_for:
            out += self.close()
            filters = [*(("bwdif=mode=send_frame:deint=interlaced",) if self.interlaced else ()), *_TURNS.get(turn, ())]
            self._graph, self._made_for = _graph(frame, filters), key
        assert self._graph is not None
        self._graph.vpush(frame)
        return out + [(made, _ticks(made), shape) for made in _pull(self._graph)]

    def close(self) -> list[tuple[VideoFrame, int, Fraction]]:
        """What the deinterlacer still holds; the next frame starts anew."""
        if self._graph is None:
            return []
        graph, shape = self._graph, self._made_for[-1]
        assert isinstance(shape, Fraction)
        self._graph, self._made_for = None, ()
        graph.vpush(None)
        return [(made, _ticks(made), shape) for made in _pull(graph)]


class Shaper:
    """One rung's pictures. Keeps its scaler: one per frame would cost 15 MB each."""

    def __init__(self, width: int, height: int, pixels: str) -> None:
        self.size = (width, height)
        self._pixels = pixels
        self._reformatter = VideoReformatter()
        self._graph: Graph | None = None
        self._made_for: tuple[object, ...] = ()

    def shape(self, frame: VideoFrame, aspect: Fraction, colour: Colour) -> VideoFrame:
        """`frame`, whose pixels have the shape `aspect`, in the rung's size and colours. May be `frame` itself."""
        place = fit(frame.width, frame.height, aspect, *self.size)
        if (place.width, place.height) == self.size:
            return self._scaled(frame, colour)
        key = (frame.width, frame.height, frame.format.name, place)
        if key != self._made_for:
            width, height = self.size
            filters = [
                f"scale={place.width}:{place.height}:flags=bicubic",
                f"format={self._pixels}",
                f"pad={width}:{height}:{place.left}:{place.top}",
                "setsar=1",
            ]
            self._graph, self._made_for = _graph(frame, filters), key
        assert self._graph is not None
        self._graph.vpush(frame)
        (made,) = _pull(self._graph)
        return self._scaled(made, colour)

    def _scaled(self, frame: VideoFrame, colour: Colour) -> VideoFrame:
        width, height = self.size
        source = int(frame.colorspace)
        wanted = colour.matrix if _differ(source, colour.matrix) else None
        return self._reformatter.reformat(
            frame,
            width,
            height,
            self._pixels,
            dst_colorspace=5 if wanted in _BT601 else wanted,
            src_color_range=_FULL_RANGE if frame.color_range == _FULL_RANGE else None,
            dst_color_range=1 if frame.color_range == _FULL_RANGE else None,
            interpolation=Interpolation.BICUBIC,
            threads=1,
        )


def _differ(source: int, wanted: int) -> bool:
    """Whether two matrices are known and not the same."""
    if _UNKNOWN in (source, wanted) or {source, wanted} <= _BT601:
        return False
    return source != wanted


class Cascade:
    """The pictures of all rungs, for one frame at a time.

    Args:
        sizes: width and height of each rung, and its pixel format.
    """

    def __init__(self, sizes: Sequence[tuple[int, int, str]]) -> None:
        self._shapers = [Shaper(*size) for size in sizes]
        self._order = sorted(range(len(sizes)), key=lambda index: -sizes[index][0] * sizes[index][1])
        self._frame: VideoFrame | None = None
        self._aspect = Fraction(1)
        self._made: dict[int, VideoFrame] = {}

    def show(self, frame: VideoFrame, aspect: Fraction) -> None:
        """The source's picture from now on."""
        self._frame, self._aspect = frame, aspect
        self._made.clear()

    def picture(self, index: int, colour: Colour) -> VideoFrame:
        """It, in the size of rung `index`. The same object when it is asked for again."""
        made = self._made.get(index)
        if made is None:
            assert self._frame is not None
            larger = self._larger(index)
            source, aspect = (self._made[larger], Fraction(1)) if larger is not None else (self._frame, self._aspect)
            made = self._made[index] = self._shapers[index].shape(source, aspect, colour)
        return made

    def _larger(self, index: int) -> int | None:
        """The smallest picture made already that is larger, in both directions, than that of rung `index`."""
        width, height = self._shapers[index].size
        found = None
        for other in self._order:
            if other in self._made and other != index:
                wide, high = self._shapers[other].size
                if wide >= width and high >= height:
                    found = other
        return found


def _graph(frame: VideoFrame, filters: Sequence[str]) -> Graph:
    graph = Graph()
    graph.threads = 1
    source = graph.add(
        "buffer",
        f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}:time_base=1/{VIDEO_TIMESCALE}"
        f":colorspace={int(frame.colorspace)}:range={int(frame.color_range)}",
    )
    steps = [source, *(graph.add(*text.split("=", 1)) for text in filters), graph.add("buffersink")]
    for before, after in pairwise(steps):
        before.link_to(after)
    graph.configure()
    return graph


def _pull(graph: Graph) -> list[VideoFrame]:
    frames = []
    while True:
        try:
            frames.append(graph.vpull())
        except EOFError:
            return frames
        except av.FFmpegError as error:
            if error.errno != errno.EAGAIN:
                raise
            return frames


def _ticks(frame: VideoFrame) -> int:
    """`pts` of a filtered frame: deinterlacers count in half ticks."""
    assert frame.pts is not None and frame.time_base is not None
    return int(frame.pts * frame.time_base * VIDEO_TIMESCALE)
