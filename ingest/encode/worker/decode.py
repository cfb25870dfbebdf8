"""Source packets -> frames, with libavcodec.

Traps of PyAV that are avoided here: `Packet(bytes)` has no padding and is freed under the GIL, which deadlocks with
threaded decoders, so packets are made by size and filled; a decoder is flushed before it is dropped; frame threads, and
dav1d's own, would hold frames back.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.codec.context import ThreadType
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from headwater.ingest.media import VIDEO_TIMESCALE, Codec, Sample, Track

MAX_THREADS = 4
"""Slice threads of a video decoder. Why: senders that cut pictures into slices use four or eight."""

VIDEO_DECODERS: Mapping[Codec, str] = {
    Codec.H264: "h264",
    Codec.HEVC: "hevc",
    Codec.AV1: "libdav1d",
    Codec.VP9: "vp9",
}
AUDIO_DECODERS: Mapping[Codec, str] = {
    Codec.AAC: "aac",
    Codec.OPUS: "libopus",
    Codec.AC3: "ac3",
    Codec.EAC3: "eac3",
    Codec.FLAC: "flac",
    Codec.MP3: "mp3float",
    Codec.MP2: "mp2float",
}


def said(error: Exception) -> str:
    """What an error of libav says, without the options that PyAV adds."""
    return str(getattr(error, "strerror", None) or error)


class NoDecoder(Exception):
    """There is no decoder for the track, or it does not open; the text says which."""


class VideoDecoder:
    """One video track. Frames come out in order of `pts`, ticks at `VIDEO_TIMESCALE`.

    Args:
        track: of the source.
        cores: that it may use.

    Raises:
        NoDecoder: see there.
    """

    def __init__(self, track: Track, cores: int) -> None:
        self.track = track
        self.errors = 0
        """Packets that were refused."""
        self._context = _open_video(track, cores)

    @property
    def sample_aspect(self) -> Fraction:
        """Width : height of a pixel, by what was decoded last."""
        return self._context.sample_aspect_ratio or self.track.sample_aspect or Fraction(1)

    def decode(self, sample: Sample) -> list[VideoFrame]:
        """The frames that a sample brings out. What the decoder does not take is counted."""
        packet = packet_of(sample, Fraction(1, VIDEO_TIMESCALE))
        try:
            return [frame for frame in self._context.decode(packet) if frame.pts is not None]
        except av.FFmpegError:
            self.errors += 1
            return []

    def still(self, sample: Sample) -> list[VideoFrame]:
        """The frame of a keyframe that stands alone, at once, whatever order the source's frames come in."""
        frames = self.decode(sample) + self.close()
        self._context.flush_buffers()
        return frames

    def close(self) -> list[VideoFrame]:
        """The frames that it still holds. Nothing may be decoded after it."""
        try:
            return [frame for frame in self._context.decode(None) if frame.pts is not None]
        except av.FFmpegError:
            self.errors += 1
            return []


class AudioDecoder:
    """One audio track. Frames come out with `pts` in ticks of the track's timescale.

    Raises:
        NoDecoder: see there.
    """

    def __init__(self, track: Track) -> None:
        self.track = track
        self.errors = 0
        self._context = _open_audio(track)
        self._tick = Fraction(1, track.timescale)

    def decode(self, sample: Sample) -> list[AudioFrame]:
        """As for video."""
        try:
            frames = self._context.decode(packet_of(sample, self._tick))
        except av.FFmpegError:
            self.errors += 1
            return []
        return [frame for frame in frames if frame.pts is not None and frame.samples and frame.sample_rate]

    def close(self) -> None:
        """Nothing may be decoded after it."""
        try:
            self._context.decode(None)
        except av.FFmpegError:
            self.errors += 1


def packet_of(sample: Sample, tick: Fraction) -> Packet[Any]:
    """A padded packet with the sample's payload and times."""
    packet: Packet[Any] = Packet(len(sample.payload))
    packet.update(sample.payload)
    packet.pts, packet.dts, packet.time_base = sample.pts, sample.dts, tick
    return packet


def _open_video(track: Track, cores: int) -> VideoCodecContext:
    name = VIDEO_DECODERS.get(track.codec)
    if name is None:
        raise NoDecoder(f"no decoder for {track.codec}")
    try:
        context = av.CodecContext.create(name, "r")
        assert isinstance(context, VideoCodecContext)
        if track.config and track.codec is not Codec.VP9:
            context.extradata = track.config
        # Slices only: frame threads hold one frame back for each thread.
        context.thread_type = ThreadType.SLICE
        context.thread_count = max(1, min(cores, MAX_THREADS))
        if name == "libdav1d":
            context.options = {"max_frame_delay": "1"}
        context.open()
    except (av.FFmpegError, ValueError) as error:
        raise NoDecoder(f"{name} does not open: {said(error)}") from None
    return context


def _open_audio(track: Track) -> AudioCodecContext:
    name = AUDIO_DECODERS.get(track.codec)
    if name is None:
        raise NoDecoder(f"no decoder for {track.codec}")
    try:
        context = av.CodecContext.create(name, "r")
        assert isinstance(context, AudioCodecContext)
        extradata = _audio_extradata(track)
        if extradata:
            context.extradata = extradata
        context.thread_count = 1
        if track.codec in (Codec.MP2, Codec.MP3, Codec.AC3, Codec.EAC3, Codec.AAC):
            context.sample_rate = track.sample_rate
        context.open()
    except (av.FFmpegError, ValueError) as error:
        raise NoDecoder(f"{name} does not open: {said(error)}") from None
    return context


def _audio_extradata(track: Track) -> bytes:
    """What libavcodec wants to know of the track."""
    config = track.config
    if track.codec is Codec.OPUS and len(config) >= 11:
        # dOps is big-endian, OpusHead little-endian (RFC 7845 5.1); the mapping table is the same.
        channels, skip, rate, gain, family = struct.unpack_from(">BHIhB", config, 1)
        return b"OpusHead" + struct.pack("<BBHIhB", 1, channels, skip, rate, gain, family) + config[11:]
    if track.codec is Codec.FLAC:
        # dfLa: version and flags, then metadata blocks with a head of 4 bytes; STREAMINFO is the first (FLAC in MP4).
        return config[8:42]
    return config if track.codec is Codec.AAC else b""
