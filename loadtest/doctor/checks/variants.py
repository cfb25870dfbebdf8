"""The multivariant playlist against what is sent: rules 171-179, 184. Sans-IO."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from headwater.loadtest.doctor import codecs
from headwater.loadtest.doctor.findings import Seen, Severity
from headwater.loadtest.doctor.looks import TrackLook
from headwater.loadtest.doctor.values import FileKind, Recording, RenditionRecord
from headwater.origin.hls.multivariant import Media, Multivariant, Variant

from . import tags
from .media import Placed, placed

PEAK_SHARE = 1.25
"""Apple authoring 1.28: the measured peak of a live stream against BANDWIDTH."""
FPS_SHARE = 0.1
_RANGES = (None, "SDR", "HLG", "PQ")


def check(recording: Recording) -> Iterator[Seen]:
    """The playlist by itself, then against the media."""
    playlist = recording.multivariant
    if playlist is None:
        return
    yield from _advice(recording, playlist)
    yield from _groups(playlist)
    for line in tags.lines(recording.entry_text):
        said = (line.attributes or {}).get
        if line.name == "#EXT-X-MEDIA" and (said("DEFAULT"), said("AUTOSELECT")) == ("YES", "NO"):
            yield Seen(178, tags.quoted(line, "NAME") or "", "DEFAULT=YES with AUTOSELECT=NO")
    yield from _captions(playlist)
    for variant in playlist.variants:
        yield from _variant(variant)
        record = next((r for r in recording.renditions if variant in r.variants), None)
        if record is not None:
            yield from _media(recording, variant, record)


def _advice(recording: Recording, playlist: Multivariant) -> Iterator[Seen]:
    if len({variant.uri for variant in playlist.variants}) == 1:
        yield Seen(176, "", "there is one variant")
    pictures = any(variant.resolution is not None for variant in playlist.variants)
    if pictures and not any(tag.startswith("#EXT-X-I-FRAME-STREAM-INF") for tag in playlist.tags):
        yield Seen(184, "", "there is no EXT-X-I-FRAME-STREAM-INF")
    for media in playlist.media:
        if media.type in ("AUDIO", "SUBTITLES") and media.language is None:
            yield Seen(177, media.name, f"{media.type} rendition {media.name} has no LANGUAGE")


def _variant(variant: Variant) -> Iterator[Seen]:
    where = variant.uri
    if variant.codecs is None:
        yield Seen(172, where, "no CODECS", Severity.WARNING)
    missing = [
        name
        for name, value in (
            ("AVERAGE-BANDWIDTH", variant.average_bandwidth),
            ("RESOLUTION", variant.resolution if _has_video(variant) else 1),
            ("FRAME-RATE", variant.frame_rate if _has_video(variant) else 1),
        )
        if value is None
    ]
    if missing:
        yield Seen(171, where, f"no {', '.join(missing)}", Severity.ADVICE)
    if variant.video_range not in _RANGES:
        yield Seen(174, where, f"VIDEO-RANGE={variant.video_range}")
    elif variant.video_range in ("HLG", "PQ") and variant.frame_rate is None:
        yield Seen(174, where, f"VIDEO-RANGE={variant.video_range} without FRAME-RATE")
    used = [name for name in ("avc3", "hev1") if name in (variant.codecs or "")]
    if used:
        yield Seen(173, where, f"{used[0]}: Apple's devices want avc1 or hvc1", Severity.ADVICE)


def _has_video(variant: Variant) -> bool:
    audio = ("mp4a", "ac-3", "ec-3", "opus", "flac")
    return any(codecs.family(c) not in audio for c in (variant.codecs or "avc1").split(","))


def _groups(playlist: Multivariant) -> Iterator[Seen]:
    groups: dict[tuple[str, str], list[Media]] = {}
    for media in playlist.media:
        groups.setdefault((media.type, media.group), []).append(media)
    for (kind, group), members in groups.items():
        twice = [name for name, count in Counter(m.name for m in members).items() if count > 1]
        if twice:
            yield Seen(178, twice[0], f"NAME={twice[0]} stands twice in {kind} group {group}")
        if sum(member.default for member in members) > 1:
            yield Seen(178, group, f"{kind} group {group} has more than one DEFAULT=YES")
    for variant in playlist.variants:
        if variant.audio is not None and ("AUDIO", variant.audio) not in groups:
            yield Seen(178, variant.uri, f"AUDIO={variant.audio}: there is no such group")
    yield from _same_members(groups)


def _same_members(groups: dict[tuple[str, str], list[Media]]) -> Iterator[Seen]:
    for kind in {kind for kind, _ in groups}:
        sets = {group: {m.name for m in members} for (of, group), members in groups.items() if of == kind}
        if len({frozenset(names) for names in sets.values()}) > 1:
            yield Seen(
                178, "", f"groups of {kind} have different members: {', '.join(list(sets)[:4])}", Severity.WARNING
            )


def _captions(playlist: Multivariant) -> Iterator[Seen]:
    names = {media.group for media in playlist.media if media.type == "CLOSED-CAPTIONS"}
    for media in playlist.media:
        if media.type == "CLOSED-CAPTIONS" and (media.instream_id is None or media.uri is not None):
            yield Seen(179, media.name, "CLOSED-CAPTIONS needs INSTREAM-ID and has no URI")
    said = {variant.closed_captions for variant in playlist.variants}
    for group in said - names - {None, "NONE"}:
        yield Seen(179, "", f"CLOSED-CAPTIONS={group}: there is no such group")
    if "NONE" in said and len(said) > 1:
        yield Seen(179, "", "CLOSED-CAPTIONS=NONE in some variants only")
    elif said == {None}:
        yield Seen(179, "", "neither captions nor CLOSED-CAPTIONS=NONE", Severity.ADVICE)


# -- against the media ---------------------------------------------------------------------------------------


def _media(recording: Recording, variant: Variant, record: RenditionRecord) -> Iterator[Seen]:
    audio = [
        r for r in recording.renditions if r.media is not None and r.media.type == "AUDIO"
        and r.media.group == variant.audio and variant.audio is not None
    ]  # fmt: skip
    tracks = [*_tracks(record), *(track for r in audio for track in _tracks(r))]
    yield from _codecs(variant, tracks)
    mine = [place for place in placed(recording, record) if place.part is None and place.file.answer.ok]
    yield from _picture(variant, _tracks(record), mine)
    peak = _peak(mine, record)
    for r in audio[:1]:
        peak += _peak([p for p in placed(recording, r) if p.part is None and p.file.answer.ok], r)
    if peak > PEAK_SHARE * variant.bandwidth:
        yield Seen(175, variant.uri, f"{peak / 1000:.0f} kbit/s measured, BANDWIDTH is {variant.bandwidth / 1000:.0f}")


def _tracks(record: RenditionRecord) -> list[TrackLook]:
    return [t for file in record.files_of(FileKind.INIT) if file.init is not None for t in file.init.tracks]


def _codecs(variant: Variant, tracks: list[TrackLook]) -> Iterator[Seen]:
    if variant.codecs is None:
        return
    said = [codec.strip() for codec in variant.codecs.split(",")]
    families = {codecs.family(codec) for codec in said}
    for track in tracks:
        family = codecs.family(track.codec or track.entry)
        if not track.codec or track.kind not in ("vide", "soun"):
            continue
        if family not in families:
            yield Seen(172, variant.uri, f"CODECS={variant.codecs[:100]} has no {track.codec}")
        elif not any(_same(codec, track.codec) for codec in said):
            meant = [codec for codec in said if codecs.family(codec) == family]
            yield Seen(173, variant.uri, f"CODECS says {', '.join(meant)[:80]}, the media is {track.codec}")


def _same(said: str, real: str) -> bool:
    one, other = said.lower(), real.lower()
    if codecs.family(one) != codecs.family(other):
        return False
    a, b = one.split("."), other.split(".")
    if codecs.family(one) in ("av01", "vp09"):  # what follows the first four may be left out
        a, b = a[:4], b[:4]
    if codecs.family(one) == "hvc1":  # ISO/IEC 14496-15 E.3: trailing constraint bytes of zero are left out
        a, b = a[:4], b[:4]
    return a[1:] == b[1:]


def _picture(variant: Variant, tracks: list[TrackLook], segments: list[Placed]) -> Iterator[Seen]:
    video = [track for track in tracks if track.kind == "vide"]
    sizes = {(track.width, track.height) for track in video}
    if variant.resolution is not None and video and variant.resolution not in sizes:
        shown = ", ".join(f"{w}x{h}" for w, h in sorted(sizes))
        said = "{}x{}".format(*variant.resolution)
        if not any(_squared(variant.resolution, size) for size in sizes):
            yield Seen(171, variant.uri, f"RESOLUTION says {said}, the media is {shown}")
    rate = _frame_rate(video, segments)
    if variant.frame_rate and rate and abs(rate - variant.frame_rate) > FPS_SHARE * variant.frame_rate + 0.5:
        yield Seen(171, variant.uri, f"FRAME-RATE says {variant.frame_rate:g}, {rate:.2f} were counted")


def _squared(said: tuple[int, int], real: tuple[int, int]) -> bool:
    """The display size of pictures whose samples are not square: one side is the same."""
    return said[1] == real[1] or said[0] == real[0]


def _frame_rate(video: list[TrackLook], segments: list[Placed]) -> float | None:
    count, seconds = 0, 0.0
    for place in segments:
        for fragment in place.look.fragments:
            track = next((t for t in video if t.id == fragment.track and t.timescale), None)
            if track is not None:
                count += len(fragment.samples)
                seconds += fragment.duration / track.timescale
    return count / seconds if seconds > 1 else None


def _peak(segments: list[Placed], record: RenditionRecord) -> float:
    """Highest bit rate over half a target duration or more (Apple authoring 1.28)."""
    target = record.last.target_duration if record.last else 0
    peak = 0.0
    for index in range(len(segments)):
        size, seconds = 0, 0.0
        for place in segments[index : index + 8]:
            size, seconds = size + place.file.size, seconds + place.segment.duration
            if 0.5 * target <= seconds <= 1.5 * target + 0.5:
                peak = max(peak, size * 8 / seconds)
    return peak
