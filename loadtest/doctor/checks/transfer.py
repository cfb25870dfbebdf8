"""HTTP: rules 2, 67, 120, 138-157, 301, 303. Sans-IO."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from headwater.loadtest.doctor.findings import Seen
from headwater.loadtest.doctor.values import Answer, File, FileKind, Recording, RenditionRecord, low_latency
from headwater.loadtest.doctor.values import ProbeKind as K

PLAYLIST_TYPES = ("application/vnd.apple.mpegurl", "audio/mpegurl", "application/x-mpegurl", "audio/x-mpegurl")
MEDIA_TYPES = (
    "video/mp4", "audio/mp4", "video/iso.segment", "audio/iso.segment", "video/mp2t", "audio/aac", "audio/mpeg",
    "text/vtt", "application/mp4", "audio/ac3", "audio/eac3",
)  # fmt: skip
ENDINGS = (".mp4", ".m4s", ".m4a", ".m4v", ".cmfv", ".cmfa", ".ts", ".aac", ".vtt", ".webvtt", ".ac3", ".ec3", ".mp3")
WORTH_GZIP = 1_000
"""Bytes below which a playlist gains nothing from compression: it fits one packet."""
HELD_S = 0.2
"""An answer that took this long was held (rule 145)."""
_AGE = re.compile(r"(?:^|[,\s])(s-maxage|max-age)\s*=\s*\"?(\d{1,12})", re.IGNORECASE)


def check(recording: Recording) -> Iterator[Seen]:
    """The entry, then each rendition."""
    if recording.entry.ok:
        yield from _playlist("", recording.entry)
    for record in recording.renditions:
        yield from _loaded(record)
        good = next((v.answer for v in record.versions if v.answer.ok), None)
        if good is not None and good.ask.url != recording.entry.ask.url:
            yield from _playlist(record.name, good)
        yield from _lifetimes(record)
        yield from _media(record)
        yield from _ranges(record)
        yield from _unknown(record)
        yield from _head(record)
    if low_latency(recording.renditions) and not recording.http2:
        said = "plain HTTP" if recording.http2 is None else "TLS without h2"
        yield Seen(138, "", said)


def _loaded(record: RenditionRecord) -> Iterator[Seen]:
    for version in record.versions:
        answer = version.answer
        if answer.ok or (400 <= answer.status < 500 and version.msn is not None):
            continue
        # A server may give up a hold with 503 (6.2.5.2); pace says what stands still, and blocking what hangs.
        if answer.status == 503 and answer.header("retry-after"):
            continue
        if not answer.status and version.msn is not None and "not finished" in answer.failure:
            continue
        yield Seen(301, record.name, f"{answer.ask.url[:160]}: {answer.failure or f'status {answer.status}'}")


def _type(answer: Answer) -> str:
    return answer.header("content-type").partition(";")[0].strip().lower()


def _ending(url: str) -> str:
    try:
        path = urlsplit(url).path
    except ValueError:
        return ""
    return "." + path.rpartition(".")[2].lower() if "." in path.rpartition("/")[2] else ""


def _playlist(where: str, answer: Answer) -> Iterator[Seen]:
    kind = _type(answer)
    if kind not in PLAYLIST_TYPES:
        rule = 154 if _ending(answer.url) in (".m3u8", ".m3u") else 2
        yield Seen(rule, where, f"playlist with Content-Type {kind or 'missing'}")
    if "access-control-allow-origin" not in answer.headers:
        yield Seen(155, where, "playlist without Access-Control-Allow-Origin")
    elif not _exposes(answer, "age"):
        yield Seen(155, where, "Access-Control-Expose-Headers of the playlist does not name Age")
    vary = answer.header("vary").lower()
    if answer.header("content-encoding") and "accept-encoding" not in vary and "*" not in vary:
        yield Seen(142, where, "compressed without Vary: Accept-Encoding")


def _exposes(answer: Answer, name: str) -> bool:
    exposed = {item.strip().lower() for item in answer.header("access-control-expose-headers").split(",")}
    return name in exposed or "*" in exposed


def _lifetimes(record: RenditionRecord) -> Iterator[Seen]:
    last = record.last
    if last is None:
        return
    for version in record.versions:
        answer = version.answer
        age = _number(answer.header("age"))
        if version.msn is not None and version.satisfied and answer.waited > HELD_S and age is not None and age > 1:
            yield Seen(145, record.name, f"Age {age} on an answer that was held for {answer.waited:.1f} s and is new")
    plain = [probe.answer for probe in record.probe(K.PLAIN) if probe.answer.ok]
    lives = [life for answer in plain if (life := lifetime(answer)) is not None]
    if lives and max(lives) > last.target_duration and not last.ended:
        yield Seen(146, record.name, f"a plain request may be cached for {max(lives)} s")
    compressed = any(answer.header("content-encoding") for answer in plain)
    size = max((len(probe.text) for probe in record.probe(K.PLAIN)), default=0)
    if plain and not compressed and size > WORTH_GZIP:
        yield Seen(142, record.name, f"{size} characters were sent without gzip")
    for probe in record.probe(K.IDENTITY):
        if probe.answer.ok and probe.answer.header("content-encoding") not in ("", "identity"):
            yield Seen(
                142, record.name, f"Accept-Encoding: identity got {probe.answer.header('content-encoding')[:40]}"
            )
    yield from _refusals(record)
    yield from _modified(record, last.target_duration)


def lifetime(answer: Answer) -> int | None:
    """Seconds that a shared cache may keep it; None: not said."""
    value = answer.header("cache-control").lower()
    if "no-store" in value or "no-cache" in value or "private" in value:
        return 0
    found = {name.lower(): int(seconds) for name, seconds in _AGE.findall(value)}
    return found.get("s-maxage", found.get("max-age"))


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None


def _refusals(record: RenditionRecord) -> Iterator[Seen]:
    part = record.last.part_target or 1.0 if record.last else 1.0
    for kind in (K.FAR_MSN, K.FAR_PART):
        for probe in record.probe(kind):
            life = lifetime(probe.answer) or 0
            if probe.answer.status in (400, 503) and life > part + 1:
                yield Seen(148, record.name, f"{probe.answer.status} of {kind} may be cached for {life} s")
    for probe in record.probe(K.NO_FILE):
        life = lifetime(probe.answer) or 0
        if probe.answer.status == 404 and life > part + 1:
            yield Seen(149, record.name, f"404 of an unknown part may be cached for {life} s")


def _modified(record: RenditionRecord, target: int) -> Iterator[Seen]:
    answer = next((v.answer for v in reversed(record.versions) if v.answer.ok), None)
    if answer is None or (record.last is not None and record.last.ended):
        return
    try:
        date = parsedate_to_datetime(answer.header("date")).timestamp()
        modified = parsedate_to_datetime(answer.header("last-modified")).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return
    if date - modified > 3 * target:
        yield Seen(156, record.name, f"Last-Modified is {date - modified:.0f} s before Date")


def _media(record: RenditionRecord) -> Iterator[Seen]:
    for file in record.files.values():
        answer = file.answer
        if not answer.ok:
            continue
        kind = _type(answer)
        if kind not in MEDIA_TYPES:
            yield Seen(154, record.name, f"{file.kind} with Content-Type {kind or 'missing'}")
        if _ending(file.key[0]) not in ENDINGS:
            yield Seen(157, record.name, f"{file.kind} {file.key[0].partition('?')[0][-80:]}")
        if "access-control-allow-origin" not in answer.headers:
            yield Seen(155, record.name, f"{file.kind} without Access-Control-Allow-Origin")
        if answer.redirects:
            yield Seen(153, record.name, f"{file.kind} {file.key[0][-80:]} was redirected")
        life = lifetime(answer)
        if life is not None and life < 1 and file.kind is not FileKind.INIT:
            yield Seen(151, record.name, f"{file.kind} with Cache-Control: {answer.header('cache-control')[:80]}")


def _ranges(record: RenditionRecord) -> Iterator[Seen]:
    for file in record.files.values():
        if file.key[2] and file.answer.ok:
            yield from _ranged(record.name, file)
    for probe in record.probe(K.RANGE):
        answer = probe.answer
        if answer.status == 206:
            match = re.match(r"bytes 0-(\d+)/(\d+|\*)\Z", answer.header("content-range"))
            if match is None or probe.text != str(int(match[1]) + 1) or int(match[1]) > 99:
                yield Seen(
                    141, record.name, f"bytes=0-99 got {probe.text} bytes, {answer.header('content-range')[:60]!r}"
                )
        elif answer.status not in (200, 0, 404, 410):
            yield Seen(141, record.name, f"bytes=0-99 of a segment: {answer.status}")
    ranges = any(probe.answer.status == 206 for probe in record.probe(K.RANGE))
    for probe in record.probe(K.RANGE_PAST):
        if ranges and probe.answer.status not in (416, 200, 0):
            yield Seen(141, record.name, f"a range past the end of a segment: {probe.answer.status}, not 416")


def _ranged(where: str, file: File) -> Iterator[Seen]:
    _, start, length = file.key
    if file.answer.status != 206:
        yield Seen(141, where, f"bytes {start}-{start + length - 1}: {file.answer.status}, not 206")
    elif not file.answer.header("content-range").startswith(f"bytes {start}-") or file.size != length:
        said = file.answer.header("content-range")[:60]
        yield Seen(141, where, f"bytes {start}-{start + length - 1}: {file.size} bytes, Content-Range {said!r}")


def _unknown(record: RenditionRecord) -> Iterator[Seen]:
    for probe in record.probe(K.NO_FILE):
        if probe.answer.status not in (404, 410, 403):
            said = probe.answer.failure or str(probe.answer.status)
            yield Seen(67, record.name, f"a part that never was: {said}")
        elif "access-control-allow-origin" not in probe.answer.headers:
            yield Seen(155, record.name, f"{probe.answer.status} without Access-Control-Allow-Origin")
    for probe in record.probe(K.GAP_FILE):
        if not probe.answer.status:
            yield Seen(120, record.name, f"a GAP: {probe.answer.failure}")


def _head(record: RenditionRecord) -> Iterator[Seen]:
    for kind in (K.HEAD, K.HEAD_FILE):
        for probe in record.probe(kind):
            if probe.answer.status != 200:
                yield Seen(303, record.name, f"{kind}: {probe.answer.status or probe.answer.failure}")
