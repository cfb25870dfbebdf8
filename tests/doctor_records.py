"""Recordings made by hand, for tests of single checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from headwater.loadtest.doctor.findings import Seen
from headwater.loadtest.doctor.values import Answer, Ask, Probe, ProbeKind, Recording, RenditionRecord, Version
from headwater.origin.hls import multivariant, reader
from headwater.origin.hls.attributes import PlaylistError

URL = "http://stream.example/live/demo/index.m3u8"
MEDIA_URL = "http://stream.example/live/demo/source/index.m3u8"
HEADERS = {
    "content-type": "application/vnd.apple.mpegurl",
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "Age",
    "content-encoding": "gzip",
    "vary": "Accept-Encoding",
}


def answer(url: str = MEDIA_URL, *, at: float = 0.0, status: int = 200, headers: Mapping[str, str] = HEADERS) -> Answer:
    return Answer(Ask(url), status, dict(headers), b"", url, at, at, at, at)


def version(text: str, at: float = 0.0, msn: int | None = None, part: int | None = None) -> Version:
    try:
        return Version(answer(at=at), text, reader.read(text), "", msn, part)
    except PlaylistError as error:
        return Version(answer(at=at), text, None, str(error), msn, part)


def rendition(*texts: str, name: str = "source", url: str = MEDIA_URL) -> RenditionRecord:
    """One second between versions."""
    return RenditionRecord(name, url, versions=[version(text, float(n)) for n, text in enumerate(texts)])


def recording(*records: RenditionRecord, master: str = "") -> Recording:
    read = multivariant.read(master) if master else None
    return Recording(URL, answer(URL), master, read, "", list(records), 0.0, 10.0, http2=True)


def probe(kind: ProbeKind, text: str = "", *, status: int = 200, at: float = 0.0, before: str = "") -> Probe:
    made = version(text, at) if text else None
    earlier = reader.read(before) if before else None
    return Probe(kind, earlier, answer(at=at, status=status), made.playlist if made else None, text)


def rules(check: Callable[[Recording], Iterator[Seen]], made: Recording) -> set[int]:
    return {seen.rule for seen in check(made)}


def media(
    count: int = 8,
    *,
    first: int = 100,
    target: int = 4,
    duration: float = 4.0,
    head: str = "",
    parts: int = 0,
    parts_on: int = 3,
    part_target: float = 1.0,
    opened: int = 0,
    tail: str = "",
) -> str:
    """The text of a media playlist; `parts` of the last `parts_on` segments, and `opened` of the open one."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:6", f"#EXT-X-TARGETDURATION:{target}", f"#EXT-X-MEDIA-SEQUENCE:{first}"]
    if parts or opened:
        lines += [
            f"#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={3 * part_target:.3f}",
            f"#EXT-X-PART-INF:PART-TARGET={part_target}",
        ]
    lines += [*filter(None, head.split("\n")), '#EXT-X-MAP:URI="init.mp4"']
    for msn in range(first, first + count):
        lines.append(
            f"#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:{msn * duration // 60 % 60:02.0f}:{msn * duration % 60:06.3f}Z"
        )
        shown = parts if msn >= first + count - parts_on else 0
        lines += [f'#EXT-X-PART:DURATION={duration / parts:.3f},URI="p{msn}.{n}.m4s"' for n in range(shown)]
        lines += [f"#EXTINF:{duration:.3f},", f"s{msn}.m4s"]
    lines += [f'#EXT-X-PART:DURATION={part_target:.3f},URI="p{first + count}.{n}.m4s"' for n in range(opened)]
    if parts or opened:
        lines.append(f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="p{first + count}.{opened}.m4s"')
    return "\n".join([*lines, *filter(None, tail.split("\n"))]) + "\n"
