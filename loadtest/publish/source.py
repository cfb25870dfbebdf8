"""What is pushed: the test picture and beep, encoded, or the packets of a file, both as FLV tags with a due time.

libavformat's FLV muxer runs in memory, one per track: a muxer with several tracks would hold a packet back until
every other track has one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any, Protocol

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from .amf import Value
from .flv import Tag, TagKind, TagSplitter
from .options import PublishOptions
from .picture import Planes, TestPicture
from .tone import RATE, Beep

BASE_S = 1
"""Timestamp of the first picture. Why: priming audio and B-frames begin earlier, and FLV has no negative time."""
AUDIO_BITRATE = 96_000
AAC_SAMPLES = 1024
AAC_AHEAD = AAC_SAMPLES
"""Samples that the encoder is given early. Why: it holds one frame back, and servers like tracks in order of time."""

# Encoder and options by codec; all: keyframes exactly where asked and nowhere else, no frame held back.
ENCODERS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "h264": (
        "libx264",
        {
            "preset": "veryfast",
            "tune": "zerolatency",
            "forced-idr": "1",
            "x264-params": "keyint=infinite:min-keyint=1:scenecut=0:open-gop=0",
        },
    ),
    "hevc": (
        "libx265",
        {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "forced-idr": "1",
            "x265-params": "keyint=-1:min-keyint=1:scenecut=0:open-gop=0:log-level=none:pools=1:frame-threads=1",
        },
    ),
    "av1": (
        "libsvtav1",
        {"preset": "12", "svtav1-params": "rc=2:pred-struct=1:rtc=1:scd=0:lp=1:keyint=-1"},
    ),
}


class SourceError(Exception):
    """There is nothing to push, or it cannot be put into FLV; the text is for the user."""


class Source(Protocol):
    """Media in the order and at the pace in which it is to be sent."""

    def metadata(self) -> Mapping[str, Value]:
        """For `onMetaData`."""

    def due_s(self) -> float | None:
        """When the next `step` is due, in seconds from the start; None: there is nothing left."""

    def step(self) -> list[Tag]:
        """The next tags."""

    def skip_to(self, media_s: float) -> None:
        """Leaves out what is due before `media_s`, where that is possible."""

    def finish(self) -> list[Tag]:
        """What the encoders still hold, and the end of each track. The source is closed by this, once; to be called
        whatever happened before."""


class _Memory:
    """A file for PyAV to write to: gives tags."""

    name = "memory"

    def __init__(self) -> None:
        self._splitter = TagSplitter()
        self._tags: list[Tag] = []

    def write(self, data: bytes) -> int:
        self._tags += [tag for tag in self._splitter.feed(bytes(data)) if tag.kind is not TagKind.SCRIPT]
        return len(data)

    def take(self) -> list[Tag]:
        tags, self._tags = self._tags, []
        return tags


class _Track:
    """One track with a muxer of its own. Metadata tags are left out: they would tell of this track alone."""

    def __init__(self) -> None:
        self._memory = _Memory()
        options = {"flvflags": "no_duration_filesize", "flush_packets": "1"}
        self.container = av.open(self._memory, "w", format="flv", container_options=options)

    def mux(self, packets: list[Packet[Any]]) -> list[Tag]:
        for packet in packets:
            self.container.mux_one(packet)
        return self._memory.take()

    def close(self) -> list[Tag]:
        self.container.close()
        return self._memory.take()


class TestSource:
    """The test picture and the beep."""

    __test__ = False

    def __init__(self, options: PublishOptions, title: str, anchor_ns: int) -> None:
        """`anchor_ns`: Unix time of frame 0, in nanoseconds."""
        self.anchor_ns = anchor_ns
        self._options = options
        self._fps = options.fps
        self._number = 0
        self._finished = False
        self._gop = max(1, round(options.gop_s * options.fps))
        self._last_gop = -1
        self._base_frames = round(BASE_S * options.fps)
        self._video = _Track()
        self._encoder = self._open_video()
        self._frame = VideoFrame(options.width, options.height, "yuv420p")
        y, u, v = self._frame.planes
        planes = Planes(memoryview(y), memoryview(u), memoryview(v), y.line_size, u.line_size)
        self._picture = TestPicture(planes, options.width, options.height, options.fps, _title(options, title))
        self._beep = Beep()
        self._samples_done = 0
        self._audio: _Track | None = None
        if options.audio:
            self._audio = _Track()
            self._audio_stream = self._open_audio(self._audio)

    def metadata(self) -> Mapping[str, Value]:
        options = self._options
        values: dict[str, Value] = {
            "width": float(options.width),
            "height": float(options.height),
            "framerate": float(options.fps),
            "videodatarate": options.bitrate / 1000,
            "encoder": "Headwater test picture",
        }
        if options.codec == "h264":
            values["videocodecid"] = 7.0
        if self._audio is not None:
            values |= {
                "audiocodecid": 10.0,
                "audiosamplerate": float(RATE),
                "audiochannels": 2.0,
                "stereo": True,
                "audiodatarate": AUDIO_BITRATE / 1000,
            }
        return values

    def due_s(self) -> float | None:
        limit = self._options.duration_s
        due = float(self._number / self._fps)
        return None if limit is not None and due >= limit else due

    def skip_to(self, media_s: float) -> None:
        self._number = max(self._number, int(media_s * self._fps))

    def step(self) -> list[Tag]:
        tags = self._encode_audio(up_to_s=self._number / self._fps)
        frame = self._frame
        self._picture.draw(self._number, (self.anchor_ns + int(self._number * 1_000_000_000 / self._fps)) // 1_000_000)
        frame.pts = self._number + self._base_frames
        frame.time_base = 1 / self._fps
        # A keyframe at each mark of the grid, also when the frame on the mark was left out.
        gop = self._number // self._gop
        frame.pict_type = PictureType.I if gop != self._last_gop else PictureType.NONE
        self._last_gop = gop
        self._number += 1
        return tags + self._video.mux(self._encoder.encode(frame))

    def finish(self) -> list[Tag]:
        if self._finished:
            return []
        self._finished = True
        # Encoders are always flushed before they are dropped: SVT-AV1 complains, x264 would lose frames.
        tags = self._video.mux(self._encoder.encode(None)) + self._video.close()
        if self._audio is not None:
            tags += self._audio.mux(list(self._audio_stream.encode(None))) + self._audio.close()
        return tags

    def _open_video(self) -> VideoStream:
        options = self._options
        encoder, settings = ENCODERS[options.codec]
        stream = self._video.container.add_stream(encoder, rate=options.fps)
        assert isinstance(stream, VideoStream)
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = options.width, options.height, "yuv420p"
        context.time_base = 1 / options.fps
        context.bit_rate = options.bitrate
        context.thread_count = 1
        context.options = {**settings, "maxrate": str(options.bitrate), "bufsize": str(options.bitrate)}
        _tag_colour(context)
        # SVT-AV1 writes to standard error by itself; only its errors are wanted there.
        os.environ.setdefault("SVT_LOG", "1")
        try:
            context.open()
        except av.FFmpegError as error:
            raise SourceError(f"{encoder} does not start: {error.strerror}") from None
        assert not context.options, context.options  # what the encoder did not know
        return stream

    def _open_audio(self, track: _Track) -> AudioStream:
        stream = track.container.add_stream("aac", rate=RATE)
        assert isinstance(stream, AudioStream)
        context: AudioCodecContext = stream.codec_context
        context.layout = "stereo"
        context.format = "fltp"
        context.bit_rate = AUDIO_BITRATE
        context.time_base = Fraction(1, RATE)
        context.open()
        return stream

    def _encode_audio(self, up_to_s: Fraction) -> list[Tag]:
        """AAC frames, so that the packets of all sound up to `up_to_s` are out before that moment's picture."""
        if self._audio is None:
            return []
        tags: list[Tag] = []
        anchor = self.anchor_ns * RATE // 1_000_000_000
        base = round(self._base_frames * RATE / self._fps)
        while self._samples_done <= up_to_s * RATE + AAC_AHEAD:
            frame = AudioFrame("fltp", "stereo", AAC_SAMPLES)
            samples = self._beep.samples(anchor + self._samples_done, AAC_SAMPLES)
            for plane in frame.planes:
                plane.update(samples)
            frame.sample_rate = RATE
            frame.pts = base + self._samples_done
            frame.time_base = Fraction(1, RATE)
            self._samples_done += AAC_SAMPLES
            tags += self._audio.mux(list(self._audio_stream.encode(frame)))
        return tags


def _title(options: PublishOptions, name: str) -> str:
    return f"{name} {options.width}x{options.height} {float(options.fps):.5g} fps"


def _tag_colour(context: VideoCodecContext) -> None:
    """BT.709, limited range: what the levels of the picture are meant in."""
    context.color_primaries = context.color_trc = context.colorspace = 1
    context.color_range = 1


class FileSource:
    """A file's first video and first audio track, packets unchanged."""

    def __init__(self, options: PublishOptions) -> None:
        """Raises SourceError."""
        self._limit_s = options.duration_s
        self._finished = False
        try:
            self._input = av.open(str(options.file), "r")
        except (av.FFmpegError, OSError) as error:
            raise SourceError(f"cannot read {options.file}: {getattr(error, 'strerror', None) or error}") from None
        wanted = [*self._input.streams.video[:1], *(self._input.streams.audio[:1] if options.audio else ())]
        if not wanted:
            raise SourceError(f"{options.file}: neither video nor audio in it")
        self._tracks: dict[int, tuple[_Track, Stream]] = {}
        self._video = self._input.streams.video[0] if self._input.streams.video else None
        for stream in wanted:
            track = _Track()
            self._tracks[stream.index] = track, self._copy_of(stream, track)
        self._start = Fraction(self._input.start_time or 0, 1_000_000)
        self._packets: Iterator[Packet[Any]] = self._input.demux(wanted)
        self._next = self._read()

    def metadata(self) -> Mapping[str, Value]:
        values: dict[str, Value] = {"encoder": "Headwater file"}
        if self._video is not None:
            values |= {"width": float(self._video.width), "height": float(self._video.height)}
            if self._video.average_rate:
                values["framerate"] = float(self._video.average_rate)
        return values

    def due_s(self) -> float | None:
        if self._next is None:
            return None
        assert self._next.dts is not None
        due = float(self._next.dts * self._next.time_base - self._start)
        return None if self._limit_s is not None and due >= self._limit_s else due

    def skip_to(self, media_s: float) -> None:
        """Nothing is left out: packets depend on each other. The server sees the delay."""

    def step(self) -> list[Tag]:
        packet = self._next
        assert packet is not None and packet.stream is not None
        track, stream = self._tracks[packet.stream.index]
        shift = round((BASE_S - self._start) / packet.time_base)
        packet.dts = (packet.dts or 0) + shift
        packet.pts = packet.dts if packet.pts is None else packet.pts + shift
        packet.stream = stream
        try:
            tags = track.mux([packet])
        except av.FFmpegError as error:
            raise SourceError(f"a packet does not fit into FLV: {error.strerror}") from None
        self._next = self._read()
        return tags

    def finish(self) -> list[Tag]:
        if self._finished:
            return []
        self._finished = True
        self._input.close()
        return [tag for track, _ in self._tracks.values() for tag in track.close()]

    def _read(self) -> Packet[Any] | None:
        """The next packet that has a time; the demuxer's last ones are empty."""
        try:
            return next((packet for packet in self._packets if packet.dts is not None and packet.size), None)
        except av.FFmpegError as error:
            raise SourceError(f"reading failed: {error.strerror}") from None

    def _copy_of(self, stream: Stream, track: _Track) -> Stream:
        try:
            return track.container.add_stream_from_template(stream)
        except (av.FFmpegError, ValueError) as error:
            raise SourceError(f"{stream.codec_context.name} does not go into FLV: {error}") from None
