"""What a source gets: its tracks, the settings and the encoders that open here -> the plan. Sans-IO.

Nothing is upscaled. Pictures keep their aspect ratio and come out upright with square pixels and even sides; a rung's
height counts the smaller side, so that portrait sources have the ladder that landscape ones have. What could not be as
it was asked for is in the notes, in words for the operator.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from headwater.config.settings_encode import HARDWARE, PRESETS, PROFILES, SOFTWARE, AudioRendition, Encode, Rung
from headwater.ingest.media import Codec, Rendition, Track, VideoRange
from headwater.ingest.timeline.lane import rendition_of

from .model import AudioRung, Plan, Thumbnails, VideoRung
from .shape import (
    BUFFER_S,
    DEFAULT_GRID,
    MAXRATE,
    Shape,
    bitrate_for,
    default_heights,
    divisor_for,
    grid_of,
    own_size,
    scaled,
    shown,
)

DEFAULT_PRESET = {
    "libx264": "veryfast",
    "libx265": "ultrafast",
    "libsvtav1": "11",
    "h264_nvenc": "p4",
    "hevc_nvenc": "p4",
    "h264_qsv": "veryfast",
    "hevc_qsv": "veryfast",
}
"""Why: what keeps up with a live source on few cores; hardware keeps up with better."""

AUDIO_ENCODER = {Codec.AAC: "aac", Codec.OPUS: "libopus"}

AAC_RATES = (48_000, 44_100, 32_000, 24_000, 22_050, 16_000)
"""Sample rates that a source's audio keeps, Hz; any other becomes 48000."""

OPUS_RATE = 48_000

CHANNELS = (1, 2, 6)
"""What is encoded: mono, stereo, 5.1."""

MAX_AUDIO_RUNGS = 8
"""Why: a source may have eight audio tracks; each rung is a rendition with metrics and memory of its own."""

_PLAIN = Rung(height=720)
"""Of which a default ladder is made."""

MONO_BITRATE = 64_000
"""bit/s of AAC for one channel that was not asked for; two have `AudioRendition`'s default."""


@dataclass(frozen=True, slots=True)
class PlanResult:
    """A plan, and what has to be said about it."""

    plan: Plan
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Choice:
    """Which encoder makes a rung, and what was said about it."""

    codec: Codec
    encoder: str
    notes: tuple[str, ...] = ()


def plan(
    source_video: Track | None,
    source_audio: tuple[tuple[Rendition, Track, bool], ...],
    settings: Encode,
    encoders: frozenset[str],
    rotation: int = 0,
) -> PlanResult:
    """The ladder of a source.

    Args:
        source_video: the first video track; None: there is none.
        source_audio: rendition and track of each, and whether players can get it as it is (`Sink.check`).
        settings: of this stream (`Encode.for_stream`).
        encoders: libavcodec's names of those that open here (`capacity`).
        rotation: degrees by which the source's pictures are to be turned.
    """
    if not settings.enabled:
        return PlanResult(Plan(DEFAULT_GRID, None), tuple(_left_alone(source_audio)))
    notes: list[str] = []
    audio = tuple(_audio(source_audio, settings, encoders, notes))
    if source_video is None:
        return PlanResult(Plan(DEFAULT_GRID, None, audio=audio), tuple(notes))
    grid = _grid(source_video, notes)
    video: tuple[VideoRung, ...] = ()
    if source_video.width > 0 and source_video.height > 0:
        shape = shown(source_video, rotation)
        video = tuple(_video(shape, grid, settings, encoders, notes))
    else:
        notes.append("no video rungs: the size of the source is not known")
    if video and source_video.video_range is not VideoRange.SDR:
        notes.append(f"the source is {source_video.video_range}: the rungs have 8 bits and are not tone-mapped")
    if not video and not settings.list_source:
        notes.append("the source is offered to players all the same: there is no video rung")
    stills = settings.thumbnails
    thumbnails = Thumbnails(stills.interval_s, stills.width) if stills.enabled else None
    list_source = settings.list_source or not video
    made = Plan(grid, rendition_of(source_video.id), video, audio, thumbnails, list_source)
    return PlanResult(made, tuple(notes))


def choose(codec: str, encoder: str, hardware: str, encoders: frozenset[str]) -> _Choice | None:
    """The encoder for `codec`: `encoder` where it opens, else the software one, else H.264; None: nothing opens.

    `hardware` is the setting: `off` keeps every encoder in hardware out.
    """
    usable = encoders if hardware == "auto" else encoders - {name for names in HARDWARE.values() for name in names}
    wanted = (*HARDWARE[codec], SOFTWARE[codec]) if encoder == "auto" else (encoder, SOFTWARE[codec])
    for name in wanted:
        if name in usable:
            if encoder in ("auto", name):
                return _Choice(Codec(codec), name)
            why = "is switched off" if encoder in encoders else "does not open on this machine"
            return _Choice(Codec(codec), name, (f"{encoder} {why}: {name} instead",))
    if codec != "h264":
        other = choose("h264", "auto", hardware, encoders)
        if other is not None:
            note = f"no encoder for {codec} opens on this machine: H.264 by {other.encoder} instead"
            return _Choice(other.codec, other.encoder, (note,))
    return None


def _left_alone(source_audio: tuple[tuple[Rendition, Track, bool], ...]) -> Iterator[str]:
    for rendition, track, deliverable in source_audio:
        if not deliverable:
            yield (
                f"{rendition}: players cannot get {track.codec}, so it is left out; "
                "with ingest.encode.enabled = true it would be made AAC"
            )


def _grid(track: Track, notes: list[str]) -> Fraction:
    grid = grid_of(track.frame_rate)
    if track.frame_rate is None:
        notes.append(f"the frame rate of the source is not known: the ladder has {_fps(grid)}")
    elif not Fraction(24, 25) < track.frame_rate / grid < Fraction(25, 24):
        notes.append(f"the source has {_fps(track.frame_rate)}: the ladder has {_fps(grid)}")
    return grid


def _video(
    source: Shape, grid: Fraction, settings: Encode, encoders: frozenset[str], notes: list[str]
) -> Iterator[VideoRung]:
    wanted = list(_fitting(source, settings, notes))
    if not wanted and not settings.rungs:
        notes.append(f"no video rungs: the source, {source}, is as small as the lowest already")
    made = [rung for entry in wanted if (rung := _rung(entry, source, grid, settings, encoders, notes)) is not None]
    names = [rung.rendition for rung in made]
    for rung in sorted(made, key=lambda rung: (-rung.width * rung.height, -rung.bitrate)):
        if names.count(rung.rendition) > 1:  # only after a fallback to another codec or size could they meet
            notes.append(f"{rung.rendition}: left out, there are two of that name")
        else:
            yield rung


def _fitting(source: Shape, settings: Encode, notes: list[str]) -> Iterator[Rung]:
    """The rungs asked for that are not larger than the source."""
    if not settings.rungs:
        for height in default_heights(source, with_own=not settings.list_source):
            yield _PLAIN.model_copy(update={"height": height})
        return
    fitting = [rung for rung in settings.rungs if rung.height <= source.small]
    for rung in settings.rungs:
        if rung not in fitting:
            notes.append(f"{rung.rendition}: left out, the source is only {source}")
    yield from fitting
    if not fitting and not settings.list_source:
        lowest = min(settings.rungs, key=lambda rung: rung.height)
        notes.append(f"no rung fits into {source}: one of the source's size instead")
        update = {"height": own_size(source), "name": None, "bitrate": None, "maxrate": None, "bufsize": None}
        yield lowest.model_copy(update=update)


def _rung(
    entry: Rung, source: Shape, grid: Fraction, settings: Encode, encoders: frozenset[str], notes: list[str]
) -> VideoRung | None:
    choice = choose(entry.codec, entry.encoder, settings.hardware, encoders)
    if choice is None:
        notes.append(f"{entry.rendition}: left out, no encoder for {entry.codec} opens on this machine")
        return None
    notes += [f"{entry.rendition}: {note}" for note in choice.notes]
    size = scaled(source, entry.height)
    divisor = divisor_for(grid, entry.fps)
    bitrate = entry.bitrate or bitrate_for(size, grid / divisor, choice.codec)
    if entry.bitrate is None and entry.maxrate is not None:
        bitrate = min(bitrate, entry.maxrate)
    preset = entry.preset or DEFAULT_PRESET[choice.encoder]
    if preset not in PRESETS[choice.encoder]:
        notes.append(f"{entry.rendition}: {choice.encoder} has no preset {preset}: {DEFAULT_PRESET[choice.encoder]}")
        preset = DEFAULT_PRESET[choice.encoder]
    profile = entry.profile if entry.profile in PROFILES[choice.codec] else None
    return VideoRung(
        rendition=Rendition(entry.rendition),
        codec=choice.codec,
        encoder=choice.encoder,
        width=size.width,
        height=size.height,
        bitrate=bitrate,
        maxrate=entry.maxrate or round(bitrate * MAXRATE),
        bufsize=entry.bufsize or round(bitrate * BUFFER_S),
        preset=preset,
        profile=profile or PROFILES[choice.codec][-1],
        divisor=divisor,
    )


def _audio(
    sources: tuple[tuple[Rendition, Track, bool], ...],
    settings: Encode,
    encoders: frozenset[str],
    notes: list[str],
) -> Iterator[AudioRung]:
    taken: set[str] = {rung.rendition for rung in settings.rungs}
    for rendition, track, deliverable in sources:
        wanted = settings.audio
        if not wanted and not deliverable:
            mono = {"bitrate": MONO_BITRATE} if track.channels == 1 else {}
            wanted = (AudioRendition.model_validate(mono),)
            notes.append(f"{rendition}: players cannot get {track.codec}, they get {wanted[0].rendition}")
        for entry in wanted:
            made = _audio_rung(entry, rendition, track, encoders, notes)
            if made is None:
                continue
            if len(taken) - len(settings.rungs) == MAX_AUDIO_RUNGS or made.rendition in taken:
                notes.append(f"{made.rendition}: left out, more than {MAX_AUDIO_RUNGS} or twice the same name")
                continue
            taken.add(made.rendition)
            yield made


def _audio_rung(
    entry: AudioRendition, source: Rendition, track: Track, encoders: frozenset[str], notes: list[str]
) -> AudioRung | None:
    codec = Codec(entry.codec)
    if AUDIO_ENCODER[codec] not in encoders:
        if AUDIO_ENCODER[Codec.AAC] not in encoders:
            notes.append(f"{entry.rendition}: left out, {AUDIO_ENCODER[codec]} does not open on this machine")
            return None
        notes.append(f"{entry.rendition}: {AUDIO_ENCODER[codec]} does not open on this machine: AAC instead")
        codec = Codec.AAC
    kept = track.sample_rate if track.sample_rate in AAC_RATES else AAC_RATES[0]
    # `audio-2` gives `audio-64k-2`.
    name = f"{entry.rendition}{str(source).removeprefix('audio')}"
    return AudioRung(
        rendition=Rendition(name),
        source=source,
        codec=codec,
        encoder=AUDIO_ENCODER[codec],
        bitrate=entry.bitrate,
        sample_rate=OPUS_RATE if codec is Codec.OPUS else entry.sample_rate or kept,
        channels=max(count for count in CHANNELS if count <= min(entry.channels, track.channels or 2)),
        language=track.language,
        name=track.name,
    )


def _fps(rate: Fraction) -> str:
    return f"{float(rate):.4g} frames per second"
