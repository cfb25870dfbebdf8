"""Text and tags of every playlist: rules 1, 3-8, 11, 13, 24, 27, 39-41, 79, 122-130. Sans-IO."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator

from headwater.loadtest.doctor.findings import Seen
from headwater.loadtest.doctor.values import Recording
from headwater.origin.hls import attributes, dates
from headwater.origin.hls import tags as known

from . import tags
from .tags import Line, quoted

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")

_MEDIA_ONLY = frozenset({
    "#EXTINF", "#EXT-X-TARGETDURATION", "#EXT-X-MEDIA-SEQUENCE", "#EXT-X-PART", "#EXT-X-PART-INF",
    "#EXT-X-SERVER-CONTROL", "#EXT-X-MAP", "#EXT-X-BYTERANGE", "#EXT-X-DISCONTINUITY", "#EXT-X-PRELOAD-HINT",
})  # fmt: skip

_FLOORS = {"#EXT-X-BYTERANGE": 4, "#EXT-X-I-FRAMES-ONLY": 4, "#EXT-X-MAP": 6, "#EXT-X-DEFINE": 8, "#EXT-X-SKIP": 9}
"""Section 8."""

_CONTEXT = frozenset({"#EXT-X-DISCONTINUITY", "#EXT-X-KEY", "#EXT-X-MAP", "#EXT-X-PROGRAM-DATE-TIME"})
_METHODS = frozenset({"NONE", "AES-128", "SAMPLE-AES", "SAMPLE-AES-CTR", "AES-256-GCM"})


def check(recording: Recording) -> Iterator[Seen]:
    """Every version of every playlist, deltas too."""
    if recording.multivariant is not None or recording.error:
        yield from _multivariant(recording)
    for record in recording.renditions:
        for text, error in dict.fromkeys((v.text, v.error) for v in record.versions if v.answer.ok):
            found = list(media_playlist(record.name, text))
            yield from found
            if error and not found:
                yield Seen(1, record.name, f"the playlist cannot be read: {error}")
        for probe in record.probes:
            if "#EXT-X-SKIP" in probe.text:
                yield from _version(record.name, tags.lines(probe.text))


def media_playlist(where: str, text: str) -> Iterator[Seen]:
    """All rules of one text."""
    found = tags.lines(text)
    yield from _clean(where, text, found)
    yield from _once(where, found)
    for line in found:
        if line.name in known.MULTIVARIANT:
            yield Seen(4, where, f"line {line.number}: {line.name} in a media playlist")
    yield from _version(where, found)
    yield from _durations(where, found)
    yield from _head(where, found)
    yield from _segments(where, found)
    yield from _whole(where, found)
    yield from _metadata(where, found)


def _multivariant(recording: Recording) -> Iterator[Seen]:
    text = recording.entry_text
    found = tags.lines(text)
    seen = [*_clean("", text, found)]
    for line in found:
        if line.name in _MEDIA_ONLY:
            seen.append(Seen(4, "", f"line {line.number}: {line.name} in a multivariant playlist"))
        elif line.name == "#EXT-X-SESSION-DATA":
            seen.extend(_session_data(line))
        elif line.name == "#EXT-X-STREAM-INF" and line.attributes is not None and "BANDWIDTH" not in line.attributes:
            seen.append(Seen(171, "", f"line {line.number}: no BANDWIDTH"))
    yield from seen
    if recording.error and not seen:
        yield Seen(1, "", f"the multivariant playlist cannot be read: {recording.error}")


def _clean(where: str, text: str, found: list[Line]) -> Iterator[Seen]:
    if not text.startswith("#EXTM3U"):
        yield Seen(1, where, f"the first line is {text[:20].splitlines()[:1]}")
    if bad := _CONTROL.search(text):
        yield Seen(1, where, f"control character {bad[0]!r}")
    if "\ufffd" in text:
        yield Seen(1, where, "bytes that are no UTF-8")
    if not unicodedata.is_normalized("NFC", text):
        yield Seen(1, where, "text that is not normalised (NFC)")
    for line in found:
        if line.repeated:
            yield Seen(5, where, f"line {line.number}: {line.name}: {line.problem}")
        elif line.problem:
            yield Seen(1, where, f"line {line.number}: {line.name}: {line.problem}")
        elif line.spaced:
            yield Seen(1, where, f"line {line.number}: white space in the list of {line.name}")


def _once(where: str, found: list[Line]) -> Iterator[Seen]:
    for name, count in Counter(line.name for line in found if line.name in known.ONCE).items():
        if count > 1:
            yield Seen(3, where, f"{name} stands {count} times")


def _version(where: str, found: list[Line]) -> Iterator[Seen]:
    said = next((line.value for line in found if line.name == "#EXT-X-VERSION"), "1")
    version = int(said) if said.isascii() and said.isdigit() and len(said) < 6 else 0
    needed, reason = 1, ""
    offered = 1
    for line in found:
        floor = _FLOORS.get(line.name, 3 if line.name == "#EXTINF" and "." in line.value.partition(",")[0] else 1)
        if line.name == "#EXT-X-SKIP" and "RECENTLY-REMOVED-DATERANGES" in line.value:
            floor = 10
        if "CAN-SKIP-UNTIL" in line.value and line.name == "#EXT-X-SERVER-CONTROL":
            offered = 10  # its delta updates need as much, and some servers write one version everywhere
        if floor > needed:
            needed, reason = floor, line.name
    if version < needed:
        yield Seen(6, where, f"EXT-X-VERSION is {said[:10]}, {reason} needs {needed}")
    elif version > max(needed, offered, 7):
        yield Seen(7, where, f"EXT-X-VERSION is {version}, the tags need {needed}")


def _durations(where: str, found: list[Line]) -> Iterator[Seen]:
    said = next((line.value.strip() for line in found if line.name == "#EXT-X-TARGETDURATION"), None)
    if said is None:
        yield Seen(8, where, "there is no EXT-X-TARGETDURATION")
        return
    if not (said.isascii() and said.isdigit() and len(said) < 10 and int(said) > 0):
        yield Seen(8, where, f"EXT-X-TARGETDURATION is {said[:40]}, not a whole number above 0")
        return
    for line in found:
        if line.name != "#EXTINF":
            continue
        duration = tags.number(line.value.partition(",")[0])
        if duration is None:
            yield Seen(1, where, f"line {line.number}: EXTINF {line.value[:40]} is no duration")
        elif int(duration + 0.5) > int(said):  # 4.4.3.1: rounded to the nearest integer
            yield Seen(8, where, f"EXTINF {duration:g} is above TARGETDURATION {said}")


def _head(where: str, found: list[Line]) -> Iterator[Seen]:
    in_segments = discontinuity = False
    for line in found:
        if line.name == "#EXT-X-MEDIA-SEQUENCE" and in_segments:
            yield Seen(11, where, f"line {line.number}: EXT-X-MEDIA-SEQUENCE after a segment")
        if line.name == "#EXT-X-DISCONTINUITY-SEQUENCE" and (in_segments or discontinuity):
            yield Seen(11, where, f"line {line.number}: EXT-X-DISCONTINUITY-SEQUENCE after a segment")
        in_segments = in_segments or line.name in ("", "#EXTINF", "#EXT-X-PART")
        discontinuity = discontinuity or line.name == "#EXT-X-DISCONTINUITY"


def _segments(where: str, found: list[Line]) -> Iterator[Seen]:
    """The order of tags within a segment."""
    parts, extinf = 0, False
    part_inf = any(line.name == "#EXT-X-PART-INF" for line in found)
    for line in found:
        if line.name == "#EXT-X-PART":
            parts += 1
            yield from _part(where, line, extinf=extinf, part_inf=part_inf)
        elif line.name == "#EXTINF":
            extinf = True
        elif line.name in _CONTEXT and parts and not extinf:
            yield Seen(40, where, f"line {line.number}: {line.name} after a part of its segment")
        elif line.name == "":
            parts, extinf = 0, False
            if "_HLS_" in line.value:
                yield Seen(79, where, f"segment URI {line.value[:120]}")
        if line.name in ("#EXT-X-PART", "#EXT-X-RENDITION-REPORT", "#EXT-X-PRELOAD-HINT"):
            uri = quoted(line, "URI") or ""
            if "_HLS_" in uri:
                yield Seen(79, where, f"{line.name} with URI {uri[:120]}")


def _part(where: str, line: Line, *, extinf: bool, part_inf: bool) -> Iterator[Seen]:
    if extinf:
        yield Seen(41, where, f"line {line.number}: EXT-X-PART between EXTINF and the URI")
    if not part_inf:
        yield Seen(27, where, "EXT-X-PART without EXT-X-PART-INF")
    if line.attributes is None:
        return
    missing = [name for name in ("URI", "DURATION") if name not in line.attributes]
    if missing:
        yield Seen(39, where, f"line {line.number}: EXT-X-PART without {' and '.join(missing)}")


def _whole(where: str, found: list[Line]) -> Iterator[Seen]:
    names = {line.name for line in found}
    sequence = next((line.value for line in found if line.name == "#EXT-X-MEDIA-SEQUENCE"), "0")
    for line in found:
        if line.name == "#EXT-X-PLAYLIST-TYPE" and "#EXT-X-ENDLIST" not in names:
            # EVENT may not remove segments, VOD may not change at all
            if line.value == "VOD" or sequence.strip("0"):
                yield Seen(13, where, f"EXT-X-PLAYLIST-TYPE:{line.value[:20]} in a playlist that slides")
        elif line.name == "#EXT-X-KEY":
            yield from _key(where, line)
        elif line.name == "#EXT-X-START" and "#EXT-X-PART-INF" in names:
            yield Seen(126, where, f"EXT-X-START:{line.value[:60]}")
        elif line.name == "#EXT-X-SERVER-CONTROL" and "CAN-BLOCK-RELOAD=NO" in line.value:
            yield Seen(32, where, "CAN-BLOCK-RELOAD=NO: the attribute is YES or absent")
    if "#EXT-X-ENDLIST" in names and "#EXT-X-PRELOAD-HINT" in names:
        yield Seen(24, where, "EXT-X-PRELOAD-HINT together with EXT-X-ENDLIST")


def _key(where: str, line: Line) -> Iterator[Seen]:
    if line.attributes is None:
        return
    method = line.attributes.get("METHOD", "")
    if method not in _METHODS:
        yield Seen(130, where, f"METHOD {method[:40] or 'is missing'}")
    elif method == "NONE" and len(line.attributes) > 1:
        yield Seen(130, where, "METHOD=NONE with other attributes")
    elif method != "NONE" and not quoted(line, "URI"):
        yield Seen(130, where, f"METHOD={method} without a URI")


def _metadata(where: str, found: list[Line]) -> Iterator[Seen]:
    dated = any(line.name == "#EXT-X-PROGRAM-DATE-TIME" for line in found)
    defined: set[str] = set()
    ranges: set[str] = set()
    for line in found:
        if line.attributes is None:
            continue
        if line.name == "#EXT-X-DATERANGE":
            yield from (Seen(122, where, text) for text in _daterange(line, ranges, dated=dated))
        elif line.name == "#EXT-X-DEFINE":
            yield from (Seen(124, where, text) for text in _define(line, defined))


def _daterange(line: Line, ranges: set[str], *, dated: bool) -> Iterator[str]:
    found = line.attributes or {}
    name = quoted(line, "ID")
    if not name:
        yield f"line {line.number}: EXT-X-DATERANGE without ID"
        return
    if not dated:
        yield f"date range {name}: the playlist has no dates"
    start, end = _date(quoted(line, "START-DATE")), _date(quoted(line, "END-DATE"))
    if name not in ranges and start is None:
        yield f"date range {name}: no START-DATE, or one that is no date"
    ranges.add(name)
    if start is not None and end is not None and end < start:
        yield f"date range {name}: END-DATE before START-DATE"
    for attribute in ("DURATION", "PLANNED-DURATION"):
        if attribute in found and tags.number(found[attribute]) is None:
            yield f"date range {name}: {attribute} is {found[attribute][:40]}"
    if found.get("END-ON-NEXT") == "YES" and ("CLASS" not in found or "DURATION" in found or "END-DATE" in found):
        yield f"date range {name}: END-ON-NEXT needs CLASS, and neither DURATION nor END-DATE"


def _date(text: str | None) -> int | None:
    try:
        return None if text is None else dates.read(text)
    except attributes.PlaylistError:
        return None


def _define(line: Line, defined: set[str]) -> Iterator[str]:
    found = line.attributes or {}
    kinds = [kind for kind in ("NAME", "IMPORT", "QUERYPARAM") if kind in found]
    if len(kinds) != 1:
        yield f"line {line.number}: EXT-X-DEFINE with {' and '.join(kinds) or 'no name'}"
        return
    name = quoted(line, kinds[0]) or ""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        yield f"line {line.number}: EXT-X-DEFINE of the name {name[:40]!r}"
    if kinds[0] == "NAME" and "VALUE" not in found:
        yield f"line {line.number}: EXT-X-DEFINE without VALUE"
    if name in defined:
        yield f"line {line.number}: {name[:40]} is defined twice"
    defined.add(name)


def _session_data(line: Line) -> Iterator[Seen]:
    found = line.attributes
    if found is not None and ("DATA-ID" not in found or ("VALUE" in found) == ("URI" in found)):
        yield Seen(127, "", f"line {line.number}: EXT-X-SESSION-DATA:{line.value[:80]}")
