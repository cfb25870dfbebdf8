"""[ingest.encode]: the encoder ladder. Sans-IO.

What is asked for stands here; what a given source gets of it is `ingest.encode.plan`'s to say.
"""

from __future__ import annotations

from collections import Counter
from fnmatch import fnmatchcase
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from .section import Section, wrong
from .units import MIB, Bytes, Seconds

VideoCodec = Literal["h264", "hevc", "av1"]
AudioCodec = Literal["aac", "opus"]
LongGop = Literal["drop-source", "keep-source"]

RUNG_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$"

SOFTWARE: dict[str, str] = {"h264": "libx264", "hevc": "libx265", "av1": "libsvtav1"}
"""The encoder of each codec that needs no hardware."""

HARDWARE: dict[str, tuple[str, ...]] = {
    "h264": ("h264_nvenc", "h264_qsv"),
    "hevc": ("hevc_nvenc", "hevc_qsv"),
    "av1": (),
}
"""Encoders of each codec that need it, the one to try first in front."""

_X26X = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo")
_QSV = ("veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")
_NVENC = tuple(f"p{number}" for number in range(1, 8))

PRESETS: dict[str, tuple[str, ...]] = {
    "libx264": _X26X,
    "libx265": _X26X,
    "libsvtav1": tuple(str(number) for number in range(14)),
    "h264_nvenc": _NVENC,
    "hevc_nvenc": _NVENC,
    "h264_qsv": _QSV,
    "hevc_qsv": _QSV,
}
"""What each encoder calls its presets."""

PROFILES: dict[str, tuple[str, ...]] = {"h264": ("baseline", "main", "high"), "hevc": ("main",), "av1": ("main",)}
"""8 bit, 4:2:0: what every player of the codec decodes."""

EncoderName = Literal["auto", "libx264", "libx265", "libsvtav1", "h264_nvenc", "hevc_nvenc", "h264_qsv", "hevc_qsv"]

VideoBitRate = Annotated[int, Field(ge=50_000, le=100_000_000, json_schema_extra={"unit": "bit/s"})]
BufferBits = Annotated[int, Field(ge=10_000, le=400_000_000, json_schema_extra={"unit": "bits"})]
AudioBitRate = Annotated[int, Field(ge=16_000, le=512_000, json_schema_extra={"unit": "bit/s"})]
Speed = Annotated[float, Field(ge=0.5, le=10, json_schema_extra={"unit": "x"})]


def encoders_of(codec: str) -> tuple[str, ...]:
    """Every encoder of a video codec."""
    return (*HARDWARE[codec], SOFTWARE[codec])


class Rung(Section):
    """[[ingest.encode.rungs]]: one video rendition."""

    height: Annotated[int, Field(ge=90, le=2160, multiple_of=2, json_schema_extra={"unit": "px"})] = Field(
        description="Picture height; of a portrait picture the width. The other side follows from the source. "
        "A rung that is larger than the source is left out."
    )
    name: str | None = Field(
        None,
        pattern=RUNG_NAME,
        description="Folder in the URL; unset: `720p`, or `720p-hevc` and `720p-av1` for the other codecs.",
    )
    bitrate: VideoBitRate | None = Field(
        None, description="Of the video; unset: from the size, the frame rate and the codec (see docs/ladder.md)."
    )
    maxrate: VideoBitRate | None = Field(
        None,
        description="Greatest rate, averaged over `bufsize`; unset: 1.15 times `bitrate`. Why: players choose a "
        "rendition by its peak, so a peak far above the average wastes their line.",
    )
    bufsize: BufferBits | None = Field(
        None,
        description="Over how many bits `maxrate` is averaged; unset: one second of `bitrate`. Why: less makes "
        "keyframes poor, more lets a scene stall a player that has one second of buffer.",
    )
    codec: VideoCodec = Field("h264", description="Video codec. Why: everything decodes H.264.")
    encoder: EncoderName = Field(
        "auto",
        description="libavcodec's encoder; auto: one in hardware when `hardware` allows it and it opens, else the "
        "software one. One that does not open here is replaced by the software one, which is said.",
    )
    preset: str | None = Field(
        None,
        pattern=r"^[a-z0-9]{1,12}$",
        description="The encoder's own preset; unset: veryfast (libx264), ultrafast (libx265), 11 (libsvtav1), p4 "
        "(nvenc), veryfast (qsv). Why: they are what keeps up with a live source.",
    )
    profile: str | None = Field(
        None,
        pattern=r"^[a-z0-9]{1,12}$",
        description="Profile of the codec: baseline, main or high of H.264, main of the others; unset: the last.",
    )
    fps: Annotated[float, Field(ge=5, le=60, json_schema_extra={"unit": "1/s"})] | None = Field(
        None,
        description="Frame rate cap: the rung has every second, third, ... frame until it is not above it; unset: "
        "all frames.",
    )

    @property
    def rendition(self) -> str:
        """Its name, chosen or made."""
        return self.name or f"{self.height}p" + ("" if self.codec == "h264" else f"-{self.codec}")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.encoder != "auto" and self.encoder not in encoders_of(self.codec):
            raise wrong("encoder", f"does not make {self.codec}; {' and '.join(encoders_of(self.codec))} do")
        fitting = encoders_of(self.codec) if self.encoder == "auto" else (self.encoder,)
        presets = [preset for encoder in fitting for preset in PRESETS[encoder]]
        if self.preset is not None and self.preset not in presets:
            raise wrong("preset", f"no preset of {' or '.join(fitting)}: {', '.join(dict.fromkeys(presets))}")
        if self.profile is not None and self.profile not in PROFILES[self.codec]:
            raise wrong("profile", f"not one of {', '.join(PROFILES[self.codec])}, which {self.codec} has")
        if self.bitrate is not None and self.maxrate is not None and self.maxrate < self.bitrate:
            raise wrong("maxrate", f"below `bitrate`, {self.bitrate}")
        return self


class AudioRendition(Section):
    """[[ingest.encode.audio]]: one audio rendition, made of each audio track of the source."""

    bitrate: AudioBitRate = Field(128_000, description="Of the audio. Why: stereo AAC is clean at it.")
    name: str | None = Field(
        None, pattern=RUNG_NAME, description="Folder in the URL; unset: `audio-64k`, `audio-64k-opus`."
    )
    codec: AudioCodec = Field("aac", description="Audio codec. Why: everything decodes AAC.")
    channels: Literal[1, 2, 6] = Field(
        2,
        description="Most channels: mono, stereo or 5.1; a source with more is mixed down, one with fewer keeps the "
        "next lower of these. Why: phones and browsers have stereo.",
    )
    sample_rate: Literal[16000, 22050, 24000, 32000, 44100, 48000] | None = Field(
        None, description="Hz; unset: the source's, 48000 above it and for Opus."
    )

    @property
    def rendition(self) -> str:
        """Its name, chosen or made."""
        return self.name or f"audio-{self.bitrate // 1000}k" + ("" if self.codec == "aac" else f"-{self.codec}")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.codec == "opus" and self.sample_rate not in (None, 48_000):
            raise wrong("sample_rate", "Opus in MP4 is always 48000")
        if self.codec == "opus" and self.channels > 2:
            raise wrong("channels", "Opus has one or two here")
        return self


class Thumbnails(Section):
    """[ingest.encode.thumbnails]: `/live/NAME/thumb.jpg` and `.webp`."""

    interval_s: Annotated[float, Field(ge=0, le=3_600, json_schema_extra={"unit": "s"})] = Field(
        5,
        description="Between two pictures of a stream with a ladder; 0: none are made. Why: the list page shows what "
        "goes on, and one small picture in 5 s is not seen in the load.",
    )
    width: Annotated[int, Field(ge=0, le=1_920, json_schema_extra={"unit": "px"})] = Field(
        320, description="Picture width, the height follows from the source; 0: none are made."
    )

    @property
    def enabled(self) -> bool:
        """Pictures are made."""
        return self.interval_s > 0 and self.width > 0


class Overload(Section):
    """[ingest.encode.overload]: when the ladder gives up quality to stay in real time, and when it takes it back."""

    step_down_speed: Speed = Field(
        1.0,
        description="Below this encoding speed (media seconds per second of work) over `step_down_after_s`, once the "
        "rungs are a third of `step_down_lag_s` behind: as many steps down as it says are needed. Why: below 1 the "
        "ladder falls behind.",
    )
    step_down_after_s: Seconds = Field(
        2, description="Over how long the speed is taken. Why: one busy second passes; two are two parts of a segment."
    )
    step_down_lag_s: Seconds = Field(
        0.75,
        description="A step down also when the rungs are this far behind the source, whatever the speed. Why: half "
        "of `max_lag_s`, so that steps come before anything is skipped.",
    )
    step_up_speed: Speed = Field(
        1.3, description="At least this speed for `step_up_after_s`: a step up. Why: a step costs up to a third more."
    )
    step_up_after_s: Seconds = Field(
        10, description="How long it has to be calm before a step up. Why: five segments of evidence."
    )
    step_up_after_max_s: Seconds = Field(
        160,
        description="The calm time doubles with each step up that had to be taken back, up to this. Why: a machine "
        "that is a little too slow for ever would otherwise go up and down for ever.",
    )
    max_lag_s: Seconds = Field(
        1.5,
        description="Most delay of the ladder: above it the rungs jump to the newest keyframe of the source and the "
        "time between is listed as GAP. Why: with the part hold-back of 1.6 s viewers stay under 4 s.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.step_up_speed <= self.step_down_speed:
            raise wrong("step_up_speed", f"not above `step_down_speed`, {self.step_down_speed:g}")
        if self.step_up_after_s > self.step_up_after_max_s:
            raise wrong("step_up_after_max_s", f"below `step_up_after_s`, {self.step_up_after_s:g} s")
        if self.step_down_lag_s >= self.max_lag_s:
            raise wrong("step_down_lag_s", f"not below `max_lag_s`, {self.max_lag_s:g} s")
        return self


class Worker(Section):
    """[ingest.encode.worker]: the encoder process of a stream, and when it is replaced."""

    hang_s: Seconds = Field(
        1, description="Without a sign of life before it is killed and replaced. Why: it gives one twice a second."
    )
    start_s: Seconds = Field(
        10, description="From its start to the first sign of life. Why: a busy machine loads the codecs slowly."
    )
    memory_bytes: Bytes = Field(
        1_536 * MIB,
        description="Resident memory above which it is replaced. Why: four times what a 1080p ladder takes.",
    )
    queue_bytes: Bytes = Field(
        32 * MIB, description="Source samples that wait for it. Why: 2 s of a 100 Mbit/s source."
    )
    queue_s: Seconds = Field(
        2, description="Media that waits for it; above it the ladder jumps to the newest keyframe. Why: late is lost."
    )
    replay_bytes: Bytes = Field(
        64 * MIB, description="Source samples since the last keyframe that are kept for a new process."
    )
    restart_min_s: Seconds = Field(0.1, description="Pause before the second start in a row; the first is at once.")
    restart_max_s: Seconds = Field(
        10,
        description="The pause doubles with each failure, up to this. Why: a source that crashes the decoder "
        "each time must not cost the machine a core.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.restart_min_s > self.restart_max_s:
            raise wrong("restart_min_s", f"above `restart_max_s`, {self.restart_max_s:g} s")
        return self


_RUNGS = Annotated[tuple[Rung, ...], Field(max_length=8)]
_AUDIO = Annotated[tuple[AudioRendition, ...], Field(max_length=4)]


class StreamOverride(Section):
    """[[ingest.encode.stream]]: other values for some streams. Every table that fits counts, the later ones win."""

    name: str = Field(
        "*", pattern=r"^[A-Za-z0-9_*-]{1,64}$", description="Stream name; `*` stands for any characters: `cam-*`."
    )
    application: str = Field("*", pattern=r"^[^\s/]{1,128}$", description="Application; `*` as in `name`.")
    enabled: bool | None = Field(None, description="As `ingest.encode.enabled`; unset: as before. Likewise below.")
    rungs: _RUNGS | None = Field(None, description="As `ingest.encode.rungs`, all of them.")
    audio: _AUDIO | None = Field(None, description="As `ingest.encode.audio`, all of them.")
    list_source: bool | None = Field(None, description="As `ingest.encode.list_source`.")
    long_gop: LongGop | None = Field(None, description="As `ingest.encode.long_gop`.")
    hardware: Literal["auto", "off"] | None = Field(None, description="As `ingest.encode.hardware`.")
    refuse_over_capacity: Literal["refuse", "warn"] | None = Field(
        None, description="As `ingest.encode.refuse_over_capacity`."
    )
    thumbnails: Thumbnails | None = Field(None, description="As `ingest.encode.thumbnails`, all of it.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _check_names(self.rungs or (), self.audio or ())
        return self


class Encode(Section):
    """[ingest.encode]"""

    enabled: bool = Field(
        False, description="Make a ladder of each stream. Why: it costs cores, and nobody wants that by surprise."
    )
    rungs: _RUNGS = Field(
        (),
        description="Video renditions; none: the default ladder, which is 1080p, 720p, 480p and 360p as far as they "
        "are clearly smaller than the source.",
    )
    audio: _AUDIO = Field(
        (),
        description="Audio renditions beside the source's; none: AAC for audio that players cannot get as it is, "
        "nothing else.",
    )
    list_source: bool = Field(
        True,
        description="Offer the source as it came, too. False: players get the rungs only, and the default ladder "
        "has one of the source's size.",
    )
    long_gop: LongGop = Field(
        "drop-source",
        description="When the source's keyframes are further apart than `origin.target_duration_s`, or irregular. "
        "drop-source: segments keep their regular length, and the source, whose segments could not start on "
        "keyframes, is not offered while that lasts. keep-source: the source stays, and all renditions are cut at "
        "its keyframes, with longer segments. Why: players switch and join fast on regular segments.",
    )
    hardware: Literal["auto", "off"] = Field(
        "auto",
        description="Encoders in hardware (nvenc, qsv); auto: those that open on this machine are used for rungs that "
        "name no encoder.",
    )
    refuse_over_capacity: Literal["refuse", "warn"] = Field(
        "warn",
        description="When the ladder of a new stream is estimated to need more than the machine has left: make none, "
        "or make it and warn. Why: the estimate is rough, and an overloaded ladder steps down by itself.",
    )
    thumbnails: Thumbnails = Thumbnails()
    overload: Overload = Overload()
    worker: Worker = Worker()
    stream: tuple[StreamOverride, ...] = Field(
        (), max_length=1_000, description="Other values for some streams, by name and application."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _check_names(self.rungs, self.audio)
        return self

    def for_stream(self, name: str, application: str = "live") -> Encode:
        """The settings of one stream: overrides applied, none left."""
        values: dict[str, object] = {"stream": ()}
        for entry in self.stream:
            if fnmatchcase(name, entry.name) and fnmatchcase(application, entry.application):
                chosen = {key: getattr(entry, key) for key in entry.model_fields_set - {"name", "application"}}
                values |= {key: value for key, value in chosen.items() if value is not None}
        return self.model_copy(update=values)


def _check_names(rungs: tuple[Rung, ...], audio: tuple[AudioRendition, ...]) -> None:
    counts = Counter([rung.rendition for rung in rungs] + [rendition.rendition for rendition in audio])
    for index, rung in enumerate(rungs):
        _check_name(f"rungs.{index}.name", rung.rendition, counts)
    for index, rendition in enumerate(audio):
        _check_name(f"audio.{index}.name", rendition.rendition, counts)


def _check_name(key: str, name: str, counts: Counter[str]) -> None:
    if counts[name] > 1:
        raise wrong(key, f"{counts[name]} renditions would be called {name}: give each a name")
    base, _, number = name.partition("-")
    if base in ("source", "audio") and (not number or number.isdecimal()):
        raise wrong(key, f"{name} is the name of a rendition of the source")
