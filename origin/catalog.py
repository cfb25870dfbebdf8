"""Renditions of a stream -> its multivariant playlist. Sans-IO.

    video           one variant per video rendition and audio group; the first one is what players start with
    audio           one group per codec, so that a player that lacks a codec still finds a variant it can play; of
                    several bit rates of a codec, the higher go with the larger pictures
    audio only      the renditions are variants themselves

Source: draft-pantos-hls-rfc8216bis-22, section 4.4.6; rules 171-182.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from headwater.ingest.media import Kind, Rendition, Track, VideoRange

from .hls.attributes import quotable
from .hls.multivariant import Media, Multivariant, Variant

HEADROOM = 1.1
"""BANDWIDTH over the measured peak. Why: the next minute may be busier, and 1.25 is all that rule 175 allows."""

ROUND_BITS = 1_000
"""BANDWIDTH is a whole number of kilobits, so that a breath of the encoder is not a new playlist."""

UNKNOWN_BITS = {Kind.VIDEO: 5_000_000, Kind.AUDIO: 160_000}
"""BANDWIDTH before a segment was measured: a usual encoder setting, bit/s."""

CAPTIONS = "cc"

FIRST_BITS = 2_000_000
"""Bit rate of a ladder's first variant, about. Why: rule 176; players start with it before they know their line."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A rendition that the multivariant playlist names."""

    rendition: Rendition
    track: Track
    peak: int | None
    """Measured peak, bit/s; None: not yet. Likewise `average`."""
    average: int | None
    independent_segments: bool
    """Every segment of it starts with an independent frame, guaranteed."""
    bitrate: int = 0
    """Most bit/s that its encoder was told to make; 0: passed through, not known."""

    @property
    def encoded(self) -> bool:
        """A rung of the ladder, not what the publisher sent."""
        return self.bitrate > 0

    @property
    def uri(self) -> str:
        """Of its media playlist, relative to the multivariant playlist."""
        return f"{self.rendition}/index.m3u8"


def in_order(listed: Sequence[Listed]) -> list[Listed]:
    """As the multivariant playlist names them: of a ladder the rung near `FIRST_BITS` first, then from the largest
    picture down; the order does not follow what is measured, so that it stays."""
    rungs = [item for item in listed if item.track.kind is Kind.VIDEO and item.encoded]
    if not rungs:
        return list(listed)
    first = min(rungs, key=lambda item: max(item.bitrate, FIRST_BITS) / min(item.bitrate, FIRST_BITS))

    def place(item: Listed) -> tuple[bool, bool, bool, int]:
        video = item.track.kind is Kind.VIDEO
        return not video, item is not first, item.encoded, -item.bitrate if video else 0

    return sorted(listed, key=place)


def describe(listed: Sequence[Listed], *, captions: bool = False) -> Multivariant:
    """The multivariant playlist of these renditions, in their order; `captions`: CEA-608 was seen in the video."""
    video = [item for item in listed if item.track.kind is Kind.VIDEO]
    audio = [item for item in listed if item.track.kind is Kind.AUDIO]
    groups = _groups(audio) if video or len(audio) > 1 else {}
    media = _audio_media(groups)
    if captions and video:
        media.append(Media("CLOSED-CAPTIONS", CAPTIONS, "CC1", autoselect=True, instream_id="CC1"))
    variants = []
    for item, rank in zip(video, _ranks(video), strict=True):
        for group in _paired(groups, rank, len(video)):
            variants.append(_variant(item, groups[group], group, captions))
        if not groups:
            variants.append(_variant(item, (), None, captions))
    if not video:
        for group, members in groups.items():
            variants.append(_variant(members[0], members[1:], group, captions))
        if not groups:
            variants.extend(_variant(item, (), None, captions) for item in audio)
    return Multivariant(
        variants=tuple(variants),
        media=tuple(media),
        independent_segments=bool(listed) and all(item.independent_segments for item in listed),
    )


def _groups(audio: Iterable[Listed]) -> dict[str, list[Listed]]:
    groups: dict[str, list[Listed]] = {}
    for item in audio:
        rate = f"-{item.bitrate // 1_000}k" if item.encoded else ""
        groups.setdefault(f"audio-{item.track.codec}{rate}", []).append(item)
    return groups


def _ranks(video: Sequence[Listed]) -> list[int]:
    """The place of each in the order of bit rates, the highest first; what is passed through comes before."""
    order = sorted(range(len(video)), key=lambda index: (video[index].encoded, -video[index].bitrate))
    return [order.index(index) for index in range(len(video))]


def _paired(groups: dict[str, list[Listed]], rank: int, count: int) -> list[str]:
    """The audio groups of the video with `rank` among `count`: one of each codec, or all where videos are fewer."""
    found: list[str] = []
    for codec in dict.fromkeys(members[0].track.codec for members in groups.values()):
        same = [name for name, members in groups.items() if members[0].track.codec is codec]
        same.sort(key=lambda name: (groups[name][0].encoded, -groups[name][0].bitrate))
        found += same if count < len(same) else [same[rank * len(same) // count]]
    return found


def _audio_media(groups: dict[str, list[Listed]]) -> list[Media]:
    media: list[Media] = []
    for group, members in groups.items():
        names: set[str] = set()
        for index, item in enumerate(members):
            # 4.4.6.1: NAMEs of one group are distinct; at most one is DEFAULT
            name = _name(item.track, index)
            while name in names:
                name += f" {index + 1}"
            names.add(name)
            media.append(
                Media(
                    type="AUDIO",
                    group=group,
                    name=name,
                    uri=item.uri,
                    # Rule 177: LANGUAGE is always said.
                    language=quotable(item.track.language) or "und",
                    channels=_channels(item.track),
                    default=index == 0,
                    autoselect=True,
                )
            )
    return media


def _name(track: Track, index: int) -> str:
    language = track.language if track.language not in ("", "und") else ""
    return quotable(track.name) or quotable(language) or f"Audio {index + 1}"


def _channels(track: Track) -> str | None:
    return str(track.channels) if track.channels else None


def _variant(item: Listed, others: Sequence[Listed], group: str | None, captions: bool) -> Variant:
    track = item.track
    # 6.2.4: CODECS names every format of any rendition of the variant
    codecs = dict.fromkeys(part.track.codec_string for part in (item, *others))
    video = track.kind is Kind.VIDEO
    closed = None
    if video:
        # 4.4.6.2: NONE says that no rendition has captions
        closed = CAPTIONS if captions else "NONE"
    return Variant(
        uri=item.uri,
        bandwidth=_bits(_peak(item) + max(map(_peak, others), default=0)),
        average_bandwidth=_average(item, others),
        codecs=",".join(codecs),
        resolution=_resolution(track) if video else None,
        frame_rate=float(track.frame_rate) if video and track.frame_rate else None,
        video_range=None if track.video_range is VideoRange.SDR else str(track.video_range),
        audio=group,
        closed_captions=closed,
    )


def _peak(item: Listed) -> float:
    """With headroom; of a rung at least what its encoder may make, so that a quiet start promises no small peak."""
    known = item.peak or (0 if item.encoded else UNKNOWN_BITS[item.track.kind])
    return max(HEADROOM * known, item.bitrate)


def _average(item: Listed, others: Sequence[Listed]) -> int | None:
    if item.average is None or any(other.average is None for other in others):
        return None
    return _bits(item.average + max((other.average or 0 for other in others), default=0))


def _bits(value: float) -> int:
    return -int(-value // ROUND_BITS) * ROUND_BITS


def _resolution(track: Track) -> tuple[int, int] | None:
    if not (track.width and track.height):
        return None
    # 4.4.6.2: the size at which to display, so with square pixels
    return round(track.width * track.sample_aspect), track.height
