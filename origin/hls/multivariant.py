"""The multivariant playlist as data, as text, and back. Sans-IO.

Source: draft-pantos-hls-rfc8216bis-22, section 4.4.6; rules 171-179 and 187.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from . import attributes
from .attributes import PlaylistError

MAX_CHARS = 1 << 20
"""Longest text that is read. Why: a thousand variants with long tokens fit."""


@dataclass(frozen=True, slots=True)
class Media:
    """EXT-X-MEDIA (4.4.6.1): a rendition that variants refer to by its group."""

    type: str
    """AUDIO, VIDEO, SUBTITLES or CLOSED-CAPTIONS."""
    group: str
    name: str
    uri: str | None = None
    language: str | None = None
    channels: str | None = None
    default: bool = False
    autoselect: bool = False
    instream_id: str | None = None
    extra: str = ""
    """Attributes that are not modelled, as read: `,NAME=value...`."""


@dataclass(frozen=True, slots=True)
class Variant:
    """EXT-X-STREAM-INF (4.4.6.2) and its URI."""

    uri: str
    bandwidth: int
    """Peak, bit/s, audio group included."""
    average_bandwidth: int | None = None
    codecs: str | None = None
    """RFC 6381 strings of every format in the variant, comma separated."""
    resolution: tuple[int, int] | None = None
    frame_rate: float | None = None
    video_range: str | None = None
    """SDR, HLG or PQ; None: not said."""
    audio: str | None = None
    """Group of its audio renditions."""
    closed_captions: str | None = None
    """Group of its captions, NONE when there are none; None: not said."""
    extra: str = ""


@dataclass(frozen=True, slots=True)
class Multivariant:
    """A multivariant playlist."""

    variants: tuple[Variant, ...]
    media: tuple[Media, ...] = ()
    independent_segments: bool = False
    version: int = 6
    tags: tuple[str, ...] = ()
    """Other tags, whole lines as read, in their order."""


def render(playlist: Multivariant) -> str:
    """The text of `playlist`."""
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{playlist.version}"]
    if playlist.independent_segments:
        lines.append("#EXT-X-INDEPENDENT-SEGMENTS")
    lines.extend(playlist.tags)
    lines.extend(map(_media, playlist.media))
    for variant in playlist.variants:
        lines.append(_variant(variant))
        lines.append(variant.uri)
    return "\n".join(lines) + "\n"


def read(text: str) -> Multivariant:
    """Read a multivariant playlist. Raises PlaylistError, also for a media playlist."""
    if len(text) > MAX_CHARS:
        raise PlaylistError("the playlist is too long")
    first, *rest = (line.rstrip("\r \t") for line in text.split("\n"))
    if first != "#EXTM3U":
        raise PlaylistError("the first line is not #EXTM3U")
    media: list[Media] = []
    variants: list[Variant] = []
    tags: list[str] = []
    independent, version = False, 1
    lines = filter(_meaningful, rest)
    for line in lines:
        name, _, value = line.partition(":")
        if name == "#EXT-X-STREAM-INF":
            # 4.4.6.2: the URI line follows its EXT-X-STREAM-INF
            variants.append(_read_variant(value, next(lines, "#")))
        elif name == "#EXT-X-MEDIA":
            media.append(_read_media(value))
        elif name == "#EXT-X-VERSION":
            version = attributes.integer(value)
        elif name == "#EXT-X-INDEPENDENT-SEGMENTS":
            independent = True
        elif name in ("#EXTINF", "#EXT-X-TARGETDURATION", "#EXT-X-MEDIA-SEQUENCE"):
            raise PlaylistError("this is a media playlist")
        elif line[0] != "#":
            raise PlaylistError("a URI without EXT-X-STREAM-INF")
        else:
            tags.append(line)
    return Multivariant(tuple(variants), tuple(media), independent, version, tuple(tags))


def _meaningful(line: str) -> bool:
    """Neither empty nor a comment (4.1)."""
    return line[:1] not in ("", "#") or line.startswith("#EXT")


def _media(media: Media) -> str:
    # TYPE first and DEFAULT before AUTOSELECT: the order that every known parser has seen.
    line = f'#EXT-X-MEDIA:TYPE={media.type},GROUP-ID="{media.group}",NAME="{media.name}"'
    if media.language is not None:
        line += f',LANGUAGE="{media.language}"'
    # 4.4.6.1: DEFAULT=YES goes only with AUTOSELECT=YES
    if media.default:
        line += ",DEFAULT=YES"
    if media.autoselect or media.default:
        line += ",AUTOSELECT=YES"
    if media.channels is not None:
        line += f',CHANNELS="{media.channels}"'
    if media.instream_id is not None:
        line += f',INSTREAM-ID="{media.instream_id}"'
    if media.uri is not None:
        line += f',URI="{media.uri}"'
    return line + media.extra


def _variant(variant: Variant) -> str:
    line = f"#EXT-X-STREAM-INF:BANDWIDTH={variant.bandwidth}"
    if variant.average_bandwidth is not None:
        line += f",AVERAGE-BANDWIDTH={variant.average_bandwidth}"
    if variant.codecs is not None:
        line += f',CODECS="{variant.codecs}"'
    if variant.resolution is not None:
        line += f",RESOLUTION={variant.resolution[0]}x{variant.resolution[1]}"
    if variant.frame_rate is not None:
        line += f",FRAME-RATE={Decimal(variant.frame_rate):.3f}"
    if variant.video_range is not None:
        line += f",VIDEO-RANGE={variant.video_range}"
    if variant.audio is not None:
        line += f',AUDIO="{variant.audio}"'
    if variant.closed_captions == "NONE":
        line += ",CLOSED-CAPTIONS=NONE"
    elif variant.closed_captions is not None:
        line += f',CLOSED-CAPTIONS="{variant.closed_captions}"'
    return line + variant.extra


_MEDIA = frozenset({
    "TYPE", "GROUP-ID", "NAME", "URI", "LANGUAGE", "CHANNELS", "DEFAULT", "AUTOSELECT", "INSTREAM-ID",
})  # fmt: skip
_VARIANT = frozenset({
    "BANDWIDTH", "AVERAGE-BANDWIDTH", "CODECS", "RESOLUTION", "FRAME-RATE", "VIDEO-RANGE", "AUDIO", "CLOSED-CAPTIONS",
})  # fmt: skip


def _read_media(text: str) -> Media:
    found = attributes.parse(text)
    if found.get("TYPE") not in ("AUDIO", "VIDEO", "SUBTITLES", "CLOSED-CAPTIONS"):
        raise PlaylistError("EXT-X-MEDIA of an unknown TYPE")
    return Media(
        type=found["TYPE"],
        group=attributes.required_string(found, "GROUP-ID"),
        name=attributes.required_string(found, "NAME"),
        uri=attributes.string(found, "URI"),
        language=attributes.string(found, "LANGUAGE"),
        channels=attributes.string(found, "CHANNELS"),
        default=attributes.flag(found, "DEFAULT"),
        autoselect=attributes.flag(found, "AUTOSELECT"),
        instream_id=attributes.string(found, "INSTREAM-ID"),
        extra=attributes.rest(found, _MEDIA),
    )


def _read_variant(text: str, uri: str) -> Variant:
    if uri[0] == "#":
        raise PlaylistError("EXT-X-STREAM-INF without a URI")
    found = attributes.parse(text)
    captions = found.get("CLOSED-CAPTIONS")
    return Variant(
        uri=uri,
        bandwidth=attributes.integer(found.get("BANDWIDTH", "")),
        average_bandwidth=attributes.optional_integer(found, "AVERAGE-BANDWIDTH"),
        codecs=attributes.string(found, "CODECS"),
        resolution=_resolution(found.get("RESOLUTION")),
        frame_rate=attributes.optional_number(found, "FRAME-RATE"),
        video_range=found.get("VIDEO-RANGE"),
        audio=attributes.string(found, "AUDIO"),
        closed_captions=captions if captions == "NONE" else attributes.string(found, "CLOSED-CAPTIONS"),
        extra=attributes.rest(found, _VARIANT),
    )


def _resolution(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    width, _, height = text.partition("x")
    return attributes.integer(width), attributes.integer(height)
