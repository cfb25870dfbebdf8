"""`headwater config check --source`: the ladder that a source would get, as a text. Sans-IO."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from headwater.ingest.encode.control import levels
from headwater.ingest.encode.cost import Estimate, Machine, TooMuch, estimate, judge
from headwater.ingest.encode.model import AudioRung, Plan, VideoRung
from headwater.ingest.encode.plan import PlanResult, plan
from headwater.ingest.encode.shape import shown
from headwater.ingest.media import VIDEO_TIMESCALE, Codec, Kind, Rendition, Track, TrackId
from headwater.ingest.timeline.lane import rendition_of
from headwater.origin import cmaf

from .settings_encode import HARDWARE, Encode

VIDEO = (Codec.H264, Codec.HEVC, Codec.AV1, Codec.VP9)

FORM = "WIDTHxHEIGHT[@FPS][:CODEC[+AUDIO...]], such as 1920x1080@30 or 1280x720@59.94:hevc+aac+ac3"

_ASSUMED_CONFIG = b"\0"
"""Stands for the configuration that the source would send."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a publisher would send."""

    tracks: tuple[Track, ...]
    rotation: int = 0

    @property
    def video(self) -> Track | None:
        """The track that rungs are made from."""
        return next((track for track in self.tracks if track.kind is Kind.VIDEO), None)

    @property
    def audio(self) -> tuple[tuple[Rendition, Track, bool], ...]:
        """Each audio track, and whether players can get it as it is."""
        return tuple(
            (rendition_of(track.id), track, deliverable(track)) for track in self.tracks if track.kind is Kind.AUDIO
        )


@dataclass(frozen=True, slots=True)
class Outlook:
    """The text for the operator, and whether the ladder would be made."""

    text: str
    refused: bool


def parse_source(text: str) -> Source:
    """The source behind `FORM`. Raises ValueError."""
    shape, colon, codecs = text.partition(":")
    size, at, fps = shape.partition("@")
    width, _, height = size.partition("x")
    names = (codecs if colon else "h264+aac").split("+")
    try:
        sides = int(width), int(height)
        rate = Fraction(fps) if at else None
        video, *sound = (Codec(name.lower()) for name in names)
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"{text}: not {FORM}") from None
    known = ", ".join(VIDEO)
    if video not in VIDEO or any(codec in VIDEO for codec in sound):
        raise ValueError(f"{text}: the video codec, one of {known}, comes first and once")
    if min(sides) < 16 or max(sides) > 16_384 or (rate is not None and not 0 < rate <= 1_000):
        raise ValueError(f"{text}: out of range, 16 to 16384 pixels and up to 1000 frames per second")
    tracks = [
        Track(
            TrackId("v0"), Kind.VIDEO, video, b"", "", VIDEO_TIMESCALE, width=sides[0], height=sides[1], frame_rate=rate
        )
    ]
    for number, codec in enumerate(sound):
        tracks.append(Track(TrackId(f"a{number}"), Kind.AUDIO, codec, b"", "", 48_000, sample_rate=48_000, channels=2))
    return Source(tuple(tracks))


def deliverable(track: Track) -> bool:
    """Whether MP4 and HLS can carry the track."""
    assumed = Track(
        track.id, track.kind, track.codec, track.config or _ASSUMED_CONFIG, track.codec_string, track.timescale,
        sample_rate=track.sample_rate, channels=track.channels,
    )  # fmt: skip
    return cmaf.supported(assumed) is None


def outlook(settings: Encode, source: Source, machine: Machine, stream: str, application: str) -> Outlook:
    """The ladder that `source` would get as `stream` on `machine`."""
    own = settings.for_stream(stream, application)
    on = own if own.enabled else own.model_copy(update={"enabled": True})
    result = plan(source.video, source.audio, on, machine.encoders, source.rotation)
    cost = None if machine.measured is None else estimate(result.plan, source.video, machine.measured)
    lines = [f'Stream "{stream}" of application "{application}" from {_told(source)}:']
    if not own.enabled:
        lines.append("no ladder: ingest.encode.enabled is false for it. With true it would be")
    lines += ["", *_table(result.plan, source, cost), ""]
    verdict = None if cost is None else judge(cost.cores, machine.cores, 0.0)
    refused = isinstance(verdict, TooMuch) and own.refuse_over_capacity == "refuse" and own.enabled
    if isinstance(verdict, TooMuch):
        lines.append(f"{'Refused' if refused else 'Warning'}: {verdict.text}.")
    elif verdict is not None:
        lines.append(f"It fits: {verdict.text}.")
    lines += _facts(result, own, machine)
    return Outlook("\n".join(lines), refused)


def _facts(result: PlanResult, settings: Encode, machine: Machine) -> Iterator[str]:
    made = result.plan
    yield from (f"Note: {note}." for note in result.notes)
    if made.thumbnails is not None:
        yield f"Pictures: every {made.thumbnails.interval_s:g} s, {made.thumbnails.width} pixels wide."
    steps = [level.text for level in levels(made)[1:]]
    if steps:
        yield f"When the machine is too slow, in this order: {'; '.join(steps)}."
    if made.video:
        yield f"Long or irregular GOP: {settings.long_gop}."
    hardware = [name for names in HARDWARE.values() for name in names]
    closed = [f"{name} ({machine.refused[name]})" for name in hardware if name in machine.refused]
    if closed:
        yield f"Do not open on this machine: {', '.join(closed)}."
    if machine.problem:
        yield f"Warning: {machine.problem}."


def _table(made: Plan, source: Source, cost: Estimate | None) -> Iterator[str]:
    rows: list[tuple[str, ...]] = [("rendition", "picture or sound", "fps", "made by", "bit/s", "at most", "cores")]
    cores: Mapping[Rendition, float] = {} if cost is None else cost.rungs
    if source.video is not None:
        how = "as it came" if made.list_source else "not offered"
        spent = f"{cost.decode:.2f} to decode" if cost is not None and made.video else ""
        size = f"{source.video.width}x{source.video.height} {source.video.codec}"
        rows.append((rendition_of(source.video.id), size, _rate(source.video.frame_rate), how, "", "", spent))
    rows += [_video_row(rung, made.grid, cores) for rung in made.video]
    for rendition, track, fine in source.audio:
        rows.append((rendition, _sound(track.codec, track.sample_rate, track.channels), "", _how(fine), "", "", ""))
    rows += [_audio_row(rung, cores) for rung in made.audio]
    return _aligned(rows)


def _how(fine: bool) -> str:
    return "as it came" if fine else "not offered"


def _video_row(rung: VideoRung, grid: Fraction, cores: Mapping[Rendition, float]) -> tuple[str, ...]:
    return (
        rung.rendition,
        f"{rung.width}x{rung.height} {rung.codec}",
        _rate(grid / rung.divisor),
        f"{rung.encoder} {rung.preset} {rung.profile}",
        _bits(rung.bitrate),
        f"{_bits(rung.maxrate)} in {rung.bufsize / rung.maxrate:.2f} s",
        _cores(rung.rendition, cores),
    )


def _audio_row(rung: AudioRung, cores: Mapping[Rendition, float]) -> tuple[str, ...]:
    sound = _sound(rung.codec, rung.sample_rate, rung.channels)
    made_by = f"{rung.encoder} from {rung.source}"
    return (rung.rendition, sound, "", made_by, _bits(rung.bitrate), "", _cores(rung.rendition, cores))


def _cores(rendition: Rendition, cores: Mapping[Rendition, float]) -> str:
    return f"{cores[rendition]:.2f}" if rendition in cores else ""


def _aligned(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _told(source: Source) -> str:
    """The source in words."""
    video = source.video
    words = []
    if video is not None:
        as_shown = shown(video, source.rotation)
        rate = f" at {_rate(video.frame_rate)} frames per second" if video.frame_rate else ", frame rate unknown"
        plain = as_shown == shown(
            Track(video.id, video.kind, video.codec, b"", "", 1, width=video.width, height=video.height)
        )
        turned = "" if plain else f" (shown as {as_shown})"
        words.append(f"{video.width}x{video.height}{turned} {video.codec}{rate}")
    words += [_sound(track.codec, track.sample_rate, track.channels) for _, track, _ in source.audio]
    return ", ".join(words)


def _sound(codec: Codec, rate: int, channels: int) -> str:
    return f"{codec} {rate} Hz {channels} ch"


def _rate(rate: Fraction | None) -> str:
    return "?" if rate is None else f"{float(rate):.5g}"


def _bits(rate: int) -> str:
    return f"{rate / 1_000_000:.2f}M" if rate >= 1_000_000 else f"{rate / 1_000:.0f}k"
