"""The library of broken streams: a good one, broken in one way each, and the rule that must be found for it."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from tests.doctor_kit import BASE, GOOD, Asked, Fault, Reply, examine, found, tape
from tests.live_feed import EPOCH_S

from headwater.loadtest.doctor import probes, watch
from headwater.loadtest.doctor.catalogue import RULES
from headwater.loadtest.doctor.checks import form
from headwater.loadtest.doctor.findings import Seen, Severity
from headwater.loadtest.doctor.probes import NO_NAME
from headwater.origin.hls import reader
from headwater.origin.hls.directives import Decision, Reject, Serve
from headwater.origin.hls.model import MediaPlaylist, Segment

Text = Callable[[Asked, str], str]
LATER_S = 65.0
"""Stream time during the watch."""


def sub(pattern: str, by: str, *, of: str = "", since: float = 0.0, count: int = 0) -> Text:
    """Replace in the playlists of rendition `of` (all of them: empty)."""

    def change(asked: Asked, text: str) -> str:
        if (of and asked.rendition != of) or asked.at < since:
            return text
        return re.sub(pattern, by, text, count=count, flags=re.MULTILINE)

    return change


def head(line: str, *, of: str = "source") -> Text:
    """One more line in the head."""
    return sub(r"^(#EXT-X-MEDIA-SEQUENCE)", line + r"\n\1", of=of)


def master(pattern: str, by: str) -> Callable[[str], str]:
    return lambda text: re.sub(pattern, by, text, flags=re.MULTILINE)


def answers(change: Callable[[Asked, Reply], None]) -> Callable[[Asked, Reply], Reply]:
    def reply(asked: Asked, made: Reply) -> Reply:
        change(asked, made)
        return made

    return reply


def header(name: str, value: str | None, when: Callable[[Asked, Reply], bool]) -> Callable[[Asked, Reply], Reply]:
    def change(asked: Asked, reply: Reply) -> None:
        if when(asked, reply):
            reply.headers.pop(name, None)
            if value is not None:
                reply.headers[name] = value

    return answers(change)


def a_playlist(asked: Asked, reply: Reply) -> bool:
    return asked.path.endswith("m3u8") and reply.status == 200


def a_file(asked: Asked, reply: Reply) -> bool:
    return not asked.path.endswith("m3u8") and reply.status in (200, 206)


def plain(asked: Asked) -> bool:
    return asked.is_playlist and not asked.query


def status(code: int, when: Callable[[Asked], bool]) -> Callable[[Asked, Reply], Reply]:
    def change(asked: Asked, reply: Reply) -> None:
        if when(asked):
            reply.status, reply.body = code, b""

    return answers(change)


def serve(when: Callable[[Asked], bool]) -> Callable[[Asked, Decision], Decision]:
    """Answer at once what should be held or refused."""

    def decide(asked: Asked, decision: Decision) -> Decision:
        delta = decision.delta if not isinstance(decision, Reject) else False
        return Serve(delta) if when(asked) else decision

    return decide


def refuse(when: Callable[[Asked], bool]) -> Callable[[Asked, Decision], Decision]:
    return lambda asked, decision: Reject(400, "no") if when(asked) else decision


def just_msn(asked: Asked) -> bool:
    """`_HLS_msn` alone, of a segment that comes."""
    number = value(asked, "_HLS_msn")
    return len(asked.query) == 1 and number.isdigit() and 1_000 < int(number) < 1_500


def value(asked: Asked, name: str) -> str:
    return dict(asked.query).get(name, "")


def segments(
    change: Callable[[Segment], Segment], *, of: str = "source"
) -> Callable[[Asked, MediaPlaylist], MediaPlaylist]:
    """Change each segment, the open one too."""

    def model(asked: Asked, playlist: MediaPlaylist) -> MediaPlaylist:
        if of and asked.rendition != of:
            return playlist
        opened = change(playlist.open) if playlist.open else None
        return replace(playlist, segments=tuple(map(change, playlist.segments)), open=opened)

    return model


def window(keep: Callable[[Segment], bool], count: int = 1_000) -> Callable[[Asked, MediaPlaylist], MediaPlaylist]:
    def model(asked: Asked, playlist: MediaPlaylist) -> MediaPlaylist:
        kept = tuple(filter(keep, playlist.segments))[-count:]
        return replace(playlist, segments=kept, media_sequence=kept[0].msn)

    return model


def without_parts(asked: Asked, playlist: MediaPlaylist) -> MediaPlaylist:
    bare = tuple(replace(s, parts=(), part_count=0) for s in playlist.segments)
    return replace(playlist, segments=bare, open=None, hints=())


def plain_hls(asked: Asked, playlist: MediaPlaylist) -> MediaPlaylist:
    bare = without_parts(asked, playlist)
    control = replace(bare.control, part_hold_back=None)
    off = tuple(replace(s, duration=s.duration + 0.3) if s.msn == 1_031 else s for s in bare.segments)
    return replace(bare, part_target=None, control=control, reports=(), segments=off)


def old_parts_gone(asked: Asked, playlist: MediaPlaylist) -> MediaPlaylist:
    *old, last = playlist.segments
    return replace(playlist, segments=(*(replace(s, parts=()) for s in old), last))


def one_step_back(asked: Asked, playlist: MediaPlaylist) -> MediaPlaylist:
    back = 500 if asked.index == tape().index(66.0) and "_HLS_skip" not in dict(asked.query) else 0
    moved = tuple(replace(s, msn=s.msn - back) for s in playlist.segments)
    opened = replace(playlist.open, msn=playlist.open.msn - back) if playlist.open else None
    return replace(playlist, media_sequence=playlist.media_sequence - back, segments=moved, open=opened)


def longer(segment: Segment) -> Segment:
    return replace(segment, duration=segment.duration + 0.07) if segment.msn % 3 == 0 and segment.uri else segment


def dated(seconds: float, since_msn: int = 0) -> Callable[[Segment], Segment]:
    def change(segment: Segment) -> Segment:
        moved = segment.date_us is not None and segment.msn >= since_msn
        return replace(segment, date_us=(segment.date_us or 0) + round(seconds * 1e6)) if moved else segment

    return change


def flip_end(key: str, data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def shift_times(key: str, data: bytes) -> bytes:
    """Decode times of video from LATER_S on are 50 ms later."""
    out = bytearray(data)
    at = data.find(b"tfdt")
    while at >= 0 and key.startswith("source"):
        start = int.from_bytes(data[at + 8 : at + 16], "big")
        if start >= (EPOCH_S + LATER_S) * 90_000:
            out[at + 8 : at + 16] = (start + 4_500).to_bytes(8, "big")
        at = data.find(b"tfdt", at + 4)
    return bytes(out)


def boxes(old: bytes, new: bytes, where: str) -> Callable[[str, bytes], bytes]:
    return lambda key, data: data.replace(old, new) if re.search(where, key) else data


def second_time(asked: Asked, reply: Reply) -> Reply:
    if a_file(asked, reply) and reply.status == 200 and asked.ask.method == "GET":
        TIMES[asked.path] = TIMES.get(asked.path, 0) + 1
        if TIMES[asked.path] > 1:
            reply.body = flip_end("", reply.body)
    return reply


TIMES: dict[str, int] = {}
COUNTER = itertools.count()


def skipping(change: Callable[[str], str]) -> Text:
    return lambda asked, text: change(text) if "#EXT-X-SKIP" in text else text


def skip_more(text: str) -> str:
    """Three segments more than CAN-SKIP-UNTIL allows."""
    body = re.sub(r"(#EXT-X-SKIP:.*\n)(?:[^\n]*\n)*?(?:s\d+\.m4s\n)", r"\1", text, count=1)
    for _ in range(2):
        body = re.sub(r"(#EXT-X-SKIP:.*\n)(?:[^\n]*\n)*?(?:s\d+\.m4s\n)", r"\1", body, count=1)
    return re.sub(r"(SKIPPED-SEGMENTS=)(\d+)", lambda m: f"{m[1]}{int(m[2]) + 3}", body)


def skip_count(text: str) -> str:
    return re.sub(r"(SKIPPED-SEGMENTS=)(\d+)", lambda m: f"{m[1]}{int(m[2]) + 1}", text)


def skip_first(text: str) -> str:
    skip = re.search(r"#EXT-X-SKIP:.*\n", text)
    assert skip is not None
    return text.replace(skip[0], "").replace("#EXT-X-MEDIA-SEQUENCE", skip[0] + "#EXT-X-MEDIA-SEQUENCE")


def nothing_skipped(asked: Asked, text: str) -> str:
    if not value(asked, "_HLS_skip"):
        return text
    text = text.replace("#EXT-X-VERSION:6", "#EXT-X-VERSION:9")
    return re.sub(r"(#EXT-X-DISCONTINUITY-SEQUENCE.*\n)", r"\1#EXT-X-SKIP:SKIPPED-SEGMENTS=0\n", text)


def no_delta(asked: Asked, decision: Decision) -> Decision:
    return decision if isinstance(decision, Reject) else replace(decision, delta=False)


def slow(seconds: float, when: Callable[[Asked], bool], kind: str = "delay_s") -> Callable[[Asked, Reply], Reply]:
    def reply(asked: Asked, made: Reply) -> Reply:
        if when(asked):
            setattr(made, kind, seconds)
        return made

    return reply


def _names(start_s: float, kind: str) -> set[str]:
    """Files of video that were published before."""
    return {key for key, (at, _) in tape().files.items() if at <= start_s and re.match(f"source/{kind}", key)}


class _Lazy:
    """Names that are on the tape, read when they are first needed."""

    def __init__(self, start_s: float, kind: str) -> None:
        self._of = (start_s, kind)

    def __contains__(self, name: object) -> bool:
        return name in _names(*self._of)


OLDEST = _Lazy(38.0, "s")
BEFORE = _Lazy(62.0, "p")
FAULTS: dict[str, Fault] = {
    "byte order mark": Fault({1}, text=sub(r"\A", "\ufeff", of="source")),
    "space in a list": Fault({1}, text=sub("YES,PART-HOLD-BACK", "YES, PART-HOLD-BACK")),
    "control character": Fault({1}, text=sub("^#EXTINF:(.*)$", "#EXTINF:\\1\x07", of="source")),
    "no type and no ending": Fault({2}, url=BASE + "watch", reply=header("Content-Type", "text/plain",
                                                                         lambda a, r: a.path == "watch")),
    "a tag twice": Fault({3}, text=head("#EXT-X-VERSION:6")),
    "a multivariant tag": Fault({4}, text=head("#EXT-X-STREAM-INF:BANDWIDTH=1")),
    "an attribute twice": Fault({5}, text=sub("(PART-TARGET=0.520)", r"\1,\1", of="source")),
    "version too low": Fault({6}, text=sub("^#EXT-X-VERSION:.*", "#EXT-X-VERSION:3")),
    "version too high": Fault({7}, text=sub("^#EXT-X-VERSION:.*", "#EXT-X-VERSION:12")),
    "target duration is no integer": Fault({8}, text=sub("TARGETDURATION:4", "TARGETDURATION:4.5")),
    "target duration changes": Fault({9}, text=sub("TARGETDURATION:4", "TARGETDURATION:3", since=LATER_S)),
    "part hold-back changes": Fault({10}, text=sub("PART-HOLD-BACK=1.560", "PART-HOLD-BACK=1.6", since=LATER_S)),
    "media sequence after a segment": Fault({11}, text=sub(r"(?s)(#EXT-X-MEDIA-SEQUENCE:\d+\n)(.*?\.m4s\n)", r"\2\1",
                                                           count=1)),
    "media sequence goes back": Fault({12}, model=one_step_back),
    "playlist type": Fault({13}, text=head("#EXT-X-PLAYLIST-TYPE:EVENT")),
    "a duration changes": Fault({14}, text=sub(r"^(#EXTINF:\d\.\d\d)\d+", r"\g<1>9", since=LATER_S, of="audio")),
    "window too short": Fault({16}, model=window(lambda s: True, 5)),
    "first playlist too early": Fault({18}, model=window(lambda s: s.msn >= 1_027)),
    "segments come late": Fault({19}, late_s=8.5),
    "removed segments are gone": Fault({20}, reply=status(404, lambda a: a.path in OLDEST)),
    "segments are missing": Fault({21}, reply=status(404, lambda a: "source/s" in a.path and a.path not in OLDEST)),
    "segment names change": Fault({22}, text=sub(r"^s(\d+\.m4s)", r"z\1", since=LATER_S, of="audio"),
                                  rename=lambda name: name.replace("/z", "/s")),
    "a name has other bytes": Fault({23}, reply=second_time),
    "a hint after the end": Fault({24}, text=sub(r"\Z", "#EXT-X-ENDLIST\n")),
    "parts without part information": Fault({27}, text=sub("^#EXT-X-PART-INF.*\n", "", of="source")),
    "part hold-back far too short": Fault({28}, text=sub("PART-HOLD-BACK=1.560", "PART-HOLD-BACK=0.6")),
    "no part hold-back": Fault({28}, text=sub("PART-HOLD-BACK=1.560,", "")),
    "part hold-back too short": Fault({29}, text=sub("PART-HOLD-BACK=1.560", "PART-HOLD-BACK=1.3")),
    "hold-back too short": Fault({30}, text=sub(",HOLD-BACK=12.000", ",HOLD-BACK=8")),
    "skip boundary too near": Fault({31}, text=sub("CAN-SKIP-UNTIL=24.000", "CAN-SKIP-UNTIL=12")),
    "reloads do not block": Fault({32}, decide=serve(lambda a: "_HLS_msn" in dict(a.query) and "_HLS_skip" not in dict(
        a.query) and value(a, "_HLS_msn").isdigit() and int(value(a, "_HLS_msn")) < 1_500
        and value(a, "_HLS_part") != "1000")),
    "server control differs": Fault({33}, text=sub(",HOLD-BACK=12.000", ",HOLD-BACK=16", of="audio")),
    "parts promised": Fault({36}, model=lambda a, m: without_parts(a, m) if a.rendition == "audio" else m),
    "parts without blocking": Fault({38}, text=sub("CAN-BLOCK-RELOAD=YES,", "")),
    "a part without duration": Fault({39}, text=sub("DURATION=0.520,", "", of="source", count=1)),
    "date after a part": Fault({40}, text=sub(r"(#EXT-X-PROGRAM-DATE-TIME:.*\n)(#EXT-X-PART:.*\n)", r"\2\1")),
    "a part after EXTINF": Fault({41}, text=sub(r"(#EXT-X-PART:.*\n)(#EXTINF:.*\n)", r"\2\1", of="source")),
    "parts too long": Fault({42}, text=sub("PART-TARGET=0.520", "PART-TARGET=0.5")),
    "parts too short": Fault({43}, text=lambda a, t: t.replace("PART-TARGET=0.520", "PART-TARGET=0.65").replace(
        "PART-HOLD-BACK=1.560", "PART-HOLD-BACK=2")),
    "a segment is not its parts": Fault({46}, media=lambda k, d: flip_end(k, d) if "source/s" in k else d),
    "EXTINF is not the sum": Fault({47}, model=segments(longer)),
    "parts come late": Fault({49}, late_s=3.0),
    "parts are missing": Fault({50}, reply=status(404, lambda a: a.path in BEFORE)),
    "independent parts not flagged": Fault({51}, text=sub(",INDEPENDENT=YES", "", of="source")),
    "dependent parts flagged": Fault({52}, text=sub(r"^(#EXT-X-PART:[^,]*,URI=\"[^\"]*\")$", r"\1,INDEPENDENT=YES",
                                                    of="source")),
    "audio not flagged": Fault({54}, text=sub(",INDEPENDENT=YES", "", of="audio")),
    "part tags go too early": Fault({58}, model=old_parts_gone),
    "no hint": Fault({61}, text=sub("^#EXT-X-PRELOAD-HINT:TYPE=PART.*\n", "")),
    "no map hint": Fault({62}, text=sub("^#EXT-X-PRELOAD-HINT:TYPE=MAP.*\n", "")),
    "two hints": Fault({63}, text=sub(
        '^(#EXT-X-PRELOAD-HINT:TYPE=PART.*\n)', r'\1#EXT-X-PRELOAD-HINT:TYPE=PART,URI="x"' "\n")),
    "a wrong hint": Fault({64}, text=sub('(TYPE=PART,URI=")p', r"\1q")),
    "hints are refused": Fault({65}, refuse_hints=True),
    "parts trickle": Fault({66}, reply=slow(0.45, lambda a: "/p" in a.path, "lasts_s")),
    "unknown names are found": Fault({67}, reply=status(200, lambda a: NO_NAME in a.path)),
    "no reports": Fault({74}, text=sub("^#EXT-X-RENDITION-REPORT.*\n", "", of="source")),
    "report of another address": Fault({75}, text=sub(r'(REPORT:URI="[^"]*)"', r'\1?x=1"')),
    "report ahead": Fault({76}, text=sub(r"LAST-MSN=(\d)(\d+)", r"LAST-MSN=2\2")),
    "report without part": Fault({77}, text=sub(r",LAST-PART=\d+", "")),
    "stale report": Fault({78}, text=lambda a, t: re.sub(r"LAST-MSN=(\d+)", lambda m: f"LAST-MSN={int(m[1]) - 1}", t)),
    "directives in addresses": Fault({79}, text=sub(r"^(s\d+\.m4s)", r"\1?_HLS_msn=5")),
    "msn is answered early": Fault({80}, decide=serve(just_msn)),
    "part is answered early": Fault({81}, decide=serve(lambda a: value(a, "_HLS_part") == "2")),
    "part past the end is refused": Fault({82}, decide=refuse(lambda a: 50 <= (a.directives.part or 0) < 1_000)),
    "old positions are refused": Fault({83}, decide=refuse(lambda a: (a.directives.msn or 9_999) < 1_015)),
    "part without msn": Fault({85}, decide=serve(lambda a: [n for n, _ in a.query] == ["_HLS_part"])),
    "far msn": Fault({86}, decide=serve(lambda a: value(a, "_HLS_msn") > "1500" and value(a, "_HLS_msn").isdigit())),
    "far part": Fault({87}, decide=serve(lambda a: value(a, "_HLS_part") == "1000")),
    "letters": Fault({89}, decide=serve(lambda a: value(a, "_HLS_msn") == "abc")),
    "unknown directive": Fault({90}, decide=refuse(lambda a: "_HLS_doctor" in dict(a.query))),
    "held for ever": Fault({19, 91}, frozen_at=LATER_S, seconds=16),
    "plain requests wait": Fault({95}, reply=slow(1.5, plain)),
    "listed positions wait": Fault({96}, reply=slow(0.4, lambda a: a.directives.part is not None and not a.held)),
    "order of directives": Fault({100}, decide=refuse(lambda a: [n for n, _ in a.query] == ["_HLS_part", "_HLS_msn"])),
    "a counter in the playlist": Fault({101}, text=lambda a, t: f"{t}# {next(COUNTER)}\n"),
    "no delta": Fault({102}, decide=no_delta),
    "delta skips too much": Fault({103}, text=skipping(skip_more)),
    "delta counts wrongly": Fault({104}, text=skipping(skip_count)),
    "delta without its media sequence": Fault({104}, text=skipping(lambda t: re.sub(
        r"(MEDIA-SEQUENCE:)(\d+)", lambda m: f"{m[1]}{int(m[2]) + 6}", t))),
    "skip before the numbers": Fault({105}, text=skipping(skip_first)),
    "nothing skipped": Fault({107}, decide=no_delta, text=nothing_skipped),
    "delta is another playlist": Fault({112}, text=skipping(lambda t: t.replace("#EXTINF:2.000", "#EXTINF:1.999"))),
    "no dates": Fault({113}, text=sub("^#EXT-X-PROGRAM-DATE-TIME.*\n", "")),
    "dates differ": Fault({114}, model=segments(dated(-0.3), of="audio")),
    "dates jump": Fault({115}, model=segments(dated(-3, 1_030), of="")),
    "change without discontinuity": Fault({116}, text=sub("^#EXT-X-DISCONTINUITY\n", "")),
    "discontinuity sequence moves": Fault({117}, text=sub("(DISCONTINUITY-SEQUENCE:).*", r"\g<1>1", since=LATER_S)),
    "discontinuity sequences differ": Fault({118}, text=sub("(DISCONTINUITY-SEQUENCE:).*", r"\g<1>7", of="audio")),
    "a date range without start": Fault({122}, text=head('#EXT-X-DATERANGE:ID="ad"')),
    "a definition without name": Fault({124}, text=lambda a, t: t.replace(
        "#EXT-X-VERSION:6", '#EXT-X-VERSION:8\n#EXT-X-DEFINE:VALUE="x"')),
    "a start": Fault({126}, text=head("#EXT-X-START:TIME-OFFSET=-30")),
    "session data without id": Fault({127}, multivariant=master(r"\Z", '#EXT-X-SESSION-DATA:VALUE="x"\n')),
    "bit rate of segments": Fault({128}, text=sub(r"^(#EXTINF)", r"#EXT-X-BITRATE:9\n\1", of="source")),
    "no map": Fault({129}, text=sub("^#EXT-X-MAP.*\n", "", of="source")),
    "an unknown method": Fault({130}, text=sub("^(#EXT-X-MAP)", r"#EXT-X-KEY:METHOD=ROT13\n\1", of="source")),
    "no HTTP/2": Fault({138}, http2=False),
    "wrong ranges": Fault({141}, reply=header("Content-Range", "bytes 0-5/6", lambda a, r: r.status == 206)),
    "no gzip": Fault({142}, reply=header("Content-Encoding", None, a_playlist)),
    "no Vary": Fault({142}, reply=header("Vary", None, a_playlist)),
    "Age counts the hold": Fault({145}, reply=header("Age", "3", lambda a, r: a.held)),
    "playlists cached": Fault({146}, reply=header("Cache-Control", "max-age=60", lambda a, r: plain(a))),
    "refusals cached": Fault({148}, reply=header("Cache-Control", "max-age=60", lambda a, r: r.status == 400)),
    "404 cached": Fault({149}, reply=header("Cache-Control", "max-age=60", lambda a, r: r.status == 404)),
    "media not cached": Fault({151}, reply=header("Cache-Control", "no-store", a_file)),
    "redirects": Fault({153}, reply=lambda a, r: replace(r, redirects=int(a_file(a, r)))),
    "media types": Fault({154}, reply=header("Content-Type", "text/plain", a_file)),
    "playlist type of content": Fault({154}, reply=header("Content-Type", "text/plain", a_playlist)),
    "no CORS": Fault({155}, reply=header("Access-Control-Allow-Origin", None, lambda a, r: True)),
    "Age not exposed": Fault({155}, reply=header("Access-Control-Expose-Headers", "Date", a_playlist)),
    "old Last-Modified": Fault({156}, reply=header("Last-Modified", "Thu, 01 Jan 1970 00:00:00 GMT", a_playlist)),
    "unusual endings": Fault({157}, text=sub(r"\.m4s", ".dat"), rename=lambda name: name.replace(".dat", ".m4s")),
    "gzip is another text": Fault({170}, text=lambda a, t: t if dict(a.ask.headers).get(
        "Accept-Encoding") != "identity" else t + "# plain\n"),
    "wrong frame rate": Fault({171}, multivariant=master("FRAME-RATE=25.000", "FRAME-RATE=50.000")),
    "wrong size": Fault({171}, multivariant=master("RESOLUTION=1280x720", "RESOLUTION=1920x1080")),
    "audio missing in CODECS": Fault({172}, multivariant=master(",mp4a.40.2", "")),
    "wrong profile": Fault({173}, multivariant=master("avc1.64001f", "avc1.42c01e")),
    "HDR without frame rate": Fault({174}, multivariant=master("FRAME-RATE=25.000", "VIDEO-RANGE=PQ")),
    "bandwidth too low": Fault({175}, multivariant=master("BANDWIDTH=[0-9]+", "BANDWIDTH=1000")),
    "no language": Fault({177}, multivariant=master(',LANGUAGE="en"', "")),
    "no such group": Fault({178}, multivariant=master('AUDIO="[^"]*"', 'AUDIO="none"')),
    "no such captions": Fault({179}, multivariant=master("CLOSED-CAPTIONS=NONE", 'CLOSED-CAPTIONS="cc"')),
    "target durations differ": Fault({180}, text=sub("TARGETDURATION:4", "TARGETDURATION:3", of="audio")),
    "segments not independent": Fault({182}, text=lambda a, t: t if a.rendition == "audio" else t.replace(
        ",INDEPENDENT=YES", ""), media=boxes(b"\x03\xe1\x65", b"\x03\xe1\x41", "source/"),
        multivariant=master("^(#EXT-X-VERSION.*)$", r"\1\n#EXT-X-INDEPENDENT-SEGMENTS")),
    "EXTINF is not the media": Fault({183}, model=plain_hls),
    "no mvex": Fault({199}, media=boxes(b"mvex", b"free", "source/init")),
    "no decode times": Fault({200}, media=boxes(b"tfdt", b"free", "source/[ps]")),
    "half a chunk": Fault({202}, media=lambda k, d: d[:-10] if "source/p" in k else d),
    "a hole in decode times": Fault({204}, media=shift_times),
    "a playlist that fails": Fault({301}, reply=status(500, lambda a: a.path == "audio/index.m3u8")),
    "dates in the future": Fault({302}, model=segments(dated(10), of="")),
    "no HEAD": Fault({303}, reply=status(405, lambda a: a.ask.method == "HEAD")),
}  # fmt: skip


USUAL = {176, 184}
"""Advice on the good stream: one variant, no I-frame playlist."""


@pytest.fixture(autouse=True)
def _read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most texts are those of the good stream: they are parsed and checked once for all tests."""
    monkeypatch.setattr(watch, "read", READ)
    monkeypatch.setattr(probes, "read", READ)
    monkeypatch.setattr(form, "media_playlist", lambda where, text: [replace(seen, where=where) for seen in FORM(text)])


READ = functools.lru_cache(maxsize=2_000)(reader.read)


@functools.lru_cache(maxsize=2_000)
def FORM(text: str, check: Callable[[str, str], Iterator[Seen]] = form.media_playlist) -> list[Seen]:
    return list(check("", text))


def test_nothing_is_found_on_the_good_stream() -> None:
    report = examine(GOOD)
    assert not found(report), found(report)
    assert set(found(report, advice=True)) == USUAL
    assert not report.failed


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_found_with_its_rule(name: str) -> None:
    TIMES.clear()
    fault = FAULTS[name]
    report = examine(fault)
    advice = all(RULES[rule].severity is Severity.ADVICE for rule in fault.rules)
    seen = found(report, advice=advice)
    assert {rule for rule in seen if rule not in USUAL} == fault.rules, (report.text(), report.recording.notes)
    assert report.failed == any(f.severity is Severity.ERROR for f in report.findings)


def test_the_library_is_large_enough() -> None:
    assert len(FAULTS) > 100
    assert len({rule for fault in FAULTS.values() for rule in fault.rules}) > 85
