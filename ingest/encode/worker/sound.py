"""Decoded sound -> samples of one audio rung: resampler, whole frames, encoder."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import Any

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.codec.context import Flags
from av.packet import Packet

from headwater.ingest.codecs import audio_track
from headwater.ingest.codecs.errors import BadConfig
from headwater.ingest.encode.model import AudioRung
from headwater.ingest.media import Codec, Sample, Track, TrackId

from .decode import said
from .video import NoEncoder, refuse_unknown_options

LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
"""By channels; the resampler mixes whatever comes into it."""

COMPENSATION = {"async": "1000", "min_hard_comp": "0.02"}
"""Of libswresample. Sound that is off by up to 20 ms is stretched or squeezed by at most 1000 samples per second, which
is not heard; what is off by more is cut or filled at once. Why: 20 ms is just below one frame of AAC, whose loss is a
gap and no clock."""

_SAMPLES = {Codec.AAC: "fltp", Codec.OPUS: "flt"}


class SoundEncoder:
    """One audio rung, from its first sound to the next hole, and again.

    Args:
        rung: what to make.

    Raises:
        NoEncoder: the encoder does not open, or says nothing of its configuration.
    """

    track: Track

    def __init__(self, rung: AudioRung) -> None:
        self.rung = rung
        self._context: AudioCodecContext | None = _open(rung)
        self.track = _track(rung, self._context.extradata or b"")
        self._frame = self._context.frame_size
        self._origin: int | None = None
        """Where the count began, ticks of the rung."""
        self._encoded = 0
        """Samples that the encoder took since then."""
        self._written = 0
        """Samples that the resampler gave since then."""
        self._resampler: AudioResampler | None = None
        self._form = ("", "", 0)
        self._fifo = AudioFifo()
        self._arrived = 0.0

    def encode(self, frame: AudioFrame, pts: int, timescale: int, arrived: float) -> list[Sample]:
        """The samples that decoded sound brings out.

        Args:
            frame: of any format.
            pts: of its first sample, stream time.
            timescale: ticks per second of `pts`.
            arrived: of the source's packet.
        """
        rate = self.rung.sample_rate
        if self._origin is None:
            # The first whole frame that is not before the sound.
            at = -(-pts * rate // timescale)
            self._origin = -(-at // self._frame) * self._frame
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._resampler is None or form != self._form:
            self._change(form)
        assert self._resampler is not None
        frame.pts = round(Fraction(pts * rate - self._origin * timescale, timescale * rate) * frame.sample_rate)
        frame.time_base = Fraction(1, frame.sample_rate)
        self._arrived = arrived
        self._take(self._resampler.resample(frame))
        return self._whole_frames()

    def finish(self) -> list[Sample]:
        """All that is held, the last frame filled up with silence. What comes next starts anew."""
        if self._origin is None:
            return []
        self._flush_resampler()
        samples = self._whole_frames()
        rest = self._fifo.read(self._frame, partial=True)
        if rest is not None:
            rest.pts = None
            self._fifo.write(rest)
            self._fifo.write(self._silence(self._frame - rest.samples))
            samples += self._whole_frames()
        context = self._opened()
        samples += [sample for packet in context.encode(None) if (sample := self._sample(packet)) is not None]
        self._context = None
        self._reset()
        return samples

    def _reset(self) -> None:
        self._origin = None
        self._encoded = self._written = 0
        self._form, self._resampler, self._fifo = ("", "", 0), None, AudioFifo()

    def _change(self, form: tuple[str, str, int]) -> None:
        """A resampler for sound of another format; it goes on where the last one stopped."""
        self._flush_resampler()
        self._form = form
        first = round(Fraction(self._written * form[2], self.rung.sample_rate))
        # frame_size: without one, and with nothing to convert, gaps would pass unseen.
        self._resampler = AudioResampler(
            format=_SAMPLES[self.rung.codec],
            layout=LAYOUTS[self.rung.channels],
            rate=self.rung.sample_rate,
            frame_size=self._frame,
            options={**COMPENSATION, "first_pts": str(first)},
        )

    def _flush_resampler(self) -> None:
        if self._resampler is not None:
            self._take(self._resampler.resample(None))
            self._resampler = None

    def _take(self, frames: list[AudioFrame]) -> None:
        for frame in frames:
            frame.pts = None
            self._written += frame.samples
            self._fifo.write(frame)

    def _whole_frames(self) -> list[Sample]:
        samples: list[Sample] = []
        context = self._opened()
        while (frame := self._fifo.read(self._frame)) is not None:
            frame.pts, frame.time_base = self._encoded, Fraction(1, self.rung.sample_rate)
            self._encoded += frame.samples
            samples += [sample for packet in context.encode(frame) if (sample := self._sample(packet)) is not None]
        return samples

    def _opened(self) -> AudioCodecContext:
        if self._context is None:
            self._context = _open(self.rung)
        return self._context

    def _sample(self, packet: Packet[Any]) -> Sample | None:
        """None: the encoder's priming, which is before all sound."""
        assert packet.pts is not None and self._origin is not None
        if packet.pts < 0:
            return None
        pts = self._origin + packet.pts
        return Sample(self.rung.rendition, pts, pts, self._frame, True, True, bytes(packet), self._arrived)

    def _silence(self, samples: int) -> AudioFrame:
        frame = AudioFrame(_SAMPLES[self.rung.codec], LAYOUTS[self.rung.channels], samples)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.sample_rate = self.rung.sample_rate
        return frame


def _open(rung: AudioRung) -> AudioCodecContext:
    try:
        context = av.CodecContext.create(rung.encoder, "w")
        assert isinstance(context, AudioCodecContext)
        context.sample_rate, context.layout = rung.sample_rate, LAYOUTS[rung.channels]
        context.format = _SAMPLES[rung.codec]
        context.bit_rate, context.time_base = rung.bitrate, Fraction(1, rung.sample_rate)
        context.thread_count = 1
        context.flags |= Flags.global_header
        if rung.codec is Codec.OPUS:
            context.options = {"application": "audio", "frame_duration": "20", "vbr": "constrained"}
        context.open()
    except (av.FFmpegError, ValueError, KeyError) as error:
        raise NoEncoder(f"{rung.encoder} does not open: {said(error)}") from None
    refuse_unknown_options(context, rung.encoder)
    return context


def _track(rung: AudioRung, extradata: bytes) -> Track:
    try:
        track = audio_track(TrackId(str(rung.rendition)), rung.codec, extradata, language=rung.language, name=rung.name)
    except BadConfig as error:
        raise NoEncoder(f"{rung.encoder} gives no configuration: {error}") from None
    if track.timescale != rung.sample_rate:
        raise NoEncoder(f"{rung.encoder} has {track.timescale} Hz instead of {rung.sample_rate}")
    return dataclasses.replace(track, channels=rung.channels)
