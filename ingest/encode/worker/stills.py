"""Still pictures of the source, a JPEG and a WebP every few seconds, by encoders of libavcodec."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from headwater.ingest.encode.model import Picture, Thumbnails
from headwater.ingest.media import VIDEO_TIMESCALE

JPEG_QUALITY = 5
"""Quantiser of mjpeg, 2 (best) to 31. Why: 12 kB at 320x180."""
WEBP_QUALITY = 70
"""Of libwebp, 0 to 100. Why: looks like the JPEG at half of its size."""

_UNKNOWN, _BT709, _BT601 = 2, 1, 5
"""Matrix coefficients of H.273."""
_HIGH = 720
"""Lines of high definition."""
_TICK = Fraction(1, VIDEO_TIMESCALE)


class Stills:
    """Pictures at an interval of stream time.

    Args:
        settings: see there.
    """

    def __init__(self, settings: Thumbnails) -> None:
        self._width = max(2, settings.width // 2 * 2)
        self._interval = max(1, int(settings.interval_s * VIDEO_TIMESCALE))
        self._due: int | None = None
        self._reformatter = VideoReformatter()
        self._encoders = (
            ("image/jpeg", "mjpeg", "yuvj420p", {"qmin": str(JPEG_QUALITY), "qmax": str(JPEG_QUALITY)}),
            ("image/webp", "libwebp", "yuv420p", {"quality": str(WEBP_QUALITY), "compression_level": "2"}),
        )

    def due(self, pts: int) -> bool:
        """It is time for one; also after a jump back."""
        return self._due is None or not self._due - self._interval <= pts < self._due

    def offer(self, frame: VideoFrame, pts: int, aspect: Fraction) -> Iterator[Picture]:
        """The pictures of a frame, if it is time for one. Raises av.FFmpegError, ValueError.

        Args:
            frame: upright; its picture type is changed.
            pts: stream time.
            aspect: width : height of its pixels.
        """
        if not self.due(pts):
            return
        self._due = pts + self._interval
        shape = Fraction(frame.width, frame.height) * aspect
        width = min(self._width, max(2, round(frame.width * max(aspect, Fraction(1))) // 2 * 2))
        height = max(2, round(width / shape) // 2 * 2)
        for content_type, encoder, pixels, options in self._encoders:
            yield Picture(content_type, pts, self._encoded(frame, width, height, encoder, pixels, options))

    def _encoded(
        self, frame: VideoFrame, width: int, height: int, encoder: str, pixels: str, options: dict[str, str]
    ) -> bytes:
        small = self._reformatter.reformat(
            frame,
            width,
            height,
            pixels,
            # What does not say its matrix has that of its size, as players take it. JFIF and WebP are BT.601.
            src_colorspace=_BT709 if frame.colorspace == _UNKNOWN and frame.height >= _HIGH else None,
            dst_colorspace=_BT601,
            dst_color_range=2 if pixels == "yuvj420p" else 1,
            interpolation=Interpolation.BICUBIC,
            threads=1,
        )
        # One context per picture: it is small, comes every few seconds, and keeps no memory in between.
        context = av.CodecContext.create(encoder, "w")
        assert isinstance(context, VideoCodecContext)
        context.width, context.height, context.pix_fmt = width, height, pixels
        context.time_base, context.thread_count = _TICK, 1
        context.color_range = 2 if pixels == "yuvj420p" else 1
        context.options = options
        context.open()
        small.pict_type = PictureType.NONE
        packets = [*context.encode(small), *context.encode(None)]
        return b"".join(bytes(packet) for packet in packets)
