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

from headwater.ingest.media import VIDEO_TIMESCALE

from .video import Colour

NEAR = 2
"""Pixels by which a picture may miss the rung's size and is stretched to it. Why: sides are even numbers, and
bars of one pixel help nobody."""

_PQ, _HLG = 16, 18
_UNKNOWN = 2
_BT601 = frozenset({5, 6})
_BT709, _RGB = 1, 0
_PRIMARIES = frozenset({1, *range(4, 13), 22})
_TRANSFERS = frozenset({1, *range(4, 19)})
_COEFFICIENTS = frozenset({0, 1, *range(4, 15)})
"""Values of H.273; `VideoFrame` has them as they are."""
_NO_COLOUR = "setparams=color_primaries=unknown:color_trc=unknown:colorspace=unknown"
_MATRICES = {1: "bt709", 5: "bt601", 6: "smpte170m", 7: "smpte240m", 9: "bt2020"}
"""What the scaler calls them."""

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
    """What rungs made from a source say of their colours: what the source says.

    Also for PQ and HLG: with 8 bits there may be bands, but players know how to show it. Why: tone mapping by the
    scaler costs as much as encoding (29 ms for 720p).
    """
    matrix = int(frame.colorspace)
    return Colour(
        _known(int(frame.color_primaries), _PRIMARIES),
        _known(int(frame.color_trc), _TRANSFERS),
        _BT709 if matrix == _RGB else _known(matrix, _COEFFICIENTS),
    )


def _known(value: int, values: frozenset[int]) -> int:
    """A value of H.273 that an encoder takes; what is reserved is unknown."""
    return value if value in values else _UNKNOWN


def is_hdr(frame: VideoFrame) -> bool:
    """PQ or HLG."""
    return frame.color_trc in (_PQ, _HLG)


class Upright:
    """Frames as they are to be seen. Free while the source is progressive and not rotated."""

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._made_for: tuple[object, ...] = ()
        self._turn = 0
        self.interlaced = False
        """Interlaced frames came: the deinterlacer stays, and is one frame late."""

    def frames(self, frame: VideoFrame, aspect: Fraction) -> list[tuple[VideoFrame, int, Fraction]]:
        """What a decoded frame brings out: frame, `pts` at `VIDEO_TIMESCALE`, and the shape of its pixels."""
        if frame.key_frame or frame.rotation:
            # Senders say it with each keyframe.
            self._turn = -frame.rotation % 360
        turn = self._turn if self._turn in _TURNS else 0
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
    """One rung's pictures. Keeps its scaler: one per frame would cost 15 MB each.

    Each rung is scaled from the source's picture. Why: made from the next larger rung scaling costs a third less, 7 %
    of all work, but luma is then 54 dB from what it should be, 0.3 dB of a rung at 43 dB. By libavfilter's scaler and
    not by `VideoReformatter`, whose chroma samples stand elsewhere: 0.5 dB. So rungs are those of ffmpeg, bit by bit.
    """

    def __init__(self, width: int, height: int, pixels: str) -> None:
        self.size = (width, height)
        self._pixels = pixels
        self._graph: Graph | None = None
        self._made_for: tuple[object, ...] = ()

    def shape(self, frame: VideoFrame, aspect: Fraction, colour: Colour) -> VideoFrame:
        """`frame`, whose pixels have the shape `aspect`, in the rung's size and colours. `frame` is not changed, nor
        given back: other threads may use it."""
        key = (frame.width, frame.height, frame.format.name, *_said(frame), aspect)
        if key != self._made_for:
            self._graph, self._made_for = _graph(frame, self._filters(frame, aspect, colour)), key
        assert self._graph is not None
        self._graph.vpush(frame)
        (made,) = _pull(self._graph)
        return made

    def _filters(self, frame: VideoFrame, aspect: Fraction, colour: Colour) -> list[str]:
        width, height = self.size
        place = fit(frame.width, frame.height, aspect, width, height)
        scale = f"scale={place.width}:{place.height}:flags=bicubic:out_range=tv"
        if _differ(int(frame.colorspace), colour.matrix) and colour.matrix in _MATRICES:
            scale += f":out_color_matrix={_MATRICES[colour.matrix]}"
        # The scaler refuses reserved values, which senders do send.
        fixed = [_NO_COLOUR] if _reserved(frame) else []
        bars = [] if (place.width, place.height) == self.size else [f"pad={width}:{height}:{place.left}:{place.top}"]
        return [*fixed, scale, f"format={self._pixels}", *bars, "setsar=1"]


def _said(frame: VideoFrame) -> tuple[int, int, int, int]:
    return int(frame.color_primaries), int(frame.color_trc), int(frame.colorspace), int(frame.color_range)


def _reserved(frame: VideoFrame) -> bool:
    """Whether it says something of its colours that H.273 has no meaning for."""
    pairs = zip(_said(frame), (_PRIMARIES, _TRANSFERS, _COEFFICIENTS), strict=False)
    return any(value != _UNKNOWN and value not in values for value, values in pairs)


def _differ(source: int, wanted: int) -> bool:
    """Whether two matrices are known and not the same."""
    if _UNKNOWN in (source, wanted) or {source, wanted} <= _BT601:
        return False
    return source != wanted


def _graph(frame: VideoFrame, filters: Sequence[str]) -> Graph:
    graph = Graph()
    graph.threads = 1
    source = graph.add(
        "buffer",
        f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}:time_base=1/{VIDEO_TIMESCALE}"
        f":colorspace={_known(int(frame.colorspace), _COEFFICIENTS)}:range={int(frame.color_range)}",
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
