"""Reads init sections and fragments of any conforming (or broken) fMP4 file. Sans-IO; never raises.

Sources: ISO/IEC 14496-12 sections 8.4 to 8.8; RFC 8216bis 3.1.2.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

from . import bitstream, codecs
from .looks import Access, Form, Fragment, Init, Look, Sample, TrackLook

MAX_BOXES = 20_000
MAX_SAMPLES = 50_000
"""Of one file. Why: ten seconds of audio frames of 2.5 ms is 4,000."""
DIGEST_BYTES = 8

_NON_SYNC = 0x10000


class BrokenMp4(Exception):
    """The bytes are not what the boxes say."""


@dataclass(slots=True)
class _Count:
    """What is left of a file's bounds."""

    boxes: int = MAX_BOXES
    samples: int = MAX_SAMPLES


def boxes(data: bytes, start: int, end: int, count: _Count) -> Iterator[tuple[str, int, int]]:
    """(type, payload start, payload end) of each box; raises BrokenMp4."""
    at = start
    while at < end:
        if end - at < 8:
            raise BrokenMp4(f"{end - at} bytes are left over at {at}")
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1 and end - at >= 16:
            (size,) = struct.unpack_from(">Q", data, at + 8)
            head = 16
        elif size == 0:
            size = end - at
        name = kind.decode("latin-1")
        if size < head or at + size > end:
            raise BrokenMp4(f"box {name!r} of {size} bytes at {at} does not fit into {end - at}")
        count.boxes -= 1
        if count.boxes < 0:
            raise BrokenMp4("too many boxes")
        yield name, at + head, at + size
        at += size


def form(data: bytes) -> Form:
    """By the first bytes."""
    if len(data) >= 8 and data[4:8] in (
        b"styp",
        b"moof",
        b"ftyp",
        b"moov",
        b"sidx",
        b"prft",
        b"emsg",
        b"mdat",
        b"free",
    ):
        return Form.FMP4
    if data[:1] == b"\x47" and (len(data) < 376 or data[188:189] == b"\x47"):
        return Form.TS
    if data[:3] == b"ID3" or (len(data) > 2 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0):
        return Form.PACKED
    if data.lstrip(b"\xef\xbb\xbf")[:6] == b"WEBVTT":
        return Form.VTT
    return Form.OTHER


def look(data: bytes, init: Init | None) -> Look:
    """A part or segment, with the init section of its playlist."""
    kind = form(data)
    if kind is not Form.FMP4:
        return Look(kind)
    fragments: list[Fragment] = []
    try:
        error = _walk(data, init, fragments)
    except (BrokenMp4, struct.error, IndexError, OverflowError) as broken:
        error = str(broken) or "cut off"
    return Look(kind, tuple(fragments), error)


def _walk(data: bytes, init: Init | None, fragments: list[Fragment]) -> str:
    count = _Count()
    waiting = False
    for kind, start, end in boxes(data, 0, len(data), count):
        if kind == "moof":
            if waiting:
                return "a moof without its mdat"
            fragments.extend(_moof(data, start, end, init, count))
            waiting = True
        elif kind == "mdat":
            waiting = False
    if waiting:
        return "a moof without its mdat"
    return "" if fragments else "no moof"


def _moof(data: bytes, start: int, end: int, init: Init | None, count: _Count) -> Iterator[Fragment]:
    sequence = 0
    moof = start - 8
    for kind, inner, inner_end in boxes(data, start, end, count):
        if kind == "mfhd":
            (sequence,) = struct.unpack_from(">4xI", data[inner:inner_end])
        elif kind == "traf":
            yield _traf(data, inner, inner_end, _Base(moof, sequence), init, count)


@dataclass(slots=True)
class _Base:
    """Where a fragment's data offsets count from."""

    moof: int
    sequence: int


def _traf(data: bytes, start: int, end: int, base: _Base, init: Init | None, count: _Count) -> Fragment:
    track, tfdt, moof_based, offset = TrackLook(0, "", 0, ""), None, True, base.moof
    samples: list[Sample] = []
    for kind, inner, inner_end in boxes(data, start, end, count):
        body = data[inner:inner_end]
        if kind == "tfhd":
            track, explicit = _tfhd(body, init)
            if explicit is not None:
                moof_based, offset = False, explicit
        elif kind == "tfdt":
            (tfdt,) = struct.unpack_from(">4xQ" if body[:1] == b"\1" else ">4xI", body)
        elif kind == "trun":
            dts = samples[-1].dts + samples[-1].duration if samples else tfdt or 0
            offset = _trun(data, body, _Run(track, offset, base.moof if moof_based else offset, dts), samples, count)
    return Fragment(track.id, base.sequence, tfdt, tuple(samples), moof_based)


def _tfhd(body: bytes, init: Init | None) -> tuple[TrackLook, int | None]:
    """The track with the defaults of this fragment, and the explicit base-data-offset."""
    flags, number = struct.unpack_from(">II", body)
    known = init.track(number) if init else None
    track = known or TrackLook(number, "", 0, "")
    at, explicit = 8, None
    if flags & 0x01:
        (explicit,) = struct.unpack_from(">Q", body, at)
        at += 8
    at += 4 if flags & 0x02 else 0
    for bit, name in ((0x08, "default_duration"), (0x10, "default_size"), (0x20, "default_flags")):
        if flags & bit:
            (value,) = struct.unpack_from(">I", body, at)
            track = replace(track, **{name: value})
            at += 4
    return track, explicit


@dataclass(slots=True)
class _Run:
    track: TrackLook
    offset: int
    """Where the data of this run starts when the run does not say it."""
    base: int
    dts: int


def _trun(data: bytes, body: bytes, run: _Run, samples: list[Sample], count: _Count) -> int:
    """Append the run's samples; where its data ends."""
    head, number = struct.unpack_from(">II", body)
    flags, at, track = head & 0xFFFFFF, 8, run.track
    offset, dts, first_flags = run.offset, run.dts, None
    count.samples -= number
    if count.samples < 0:
        raise BrokenMp4(f"a trun of {number} samples")
    if flags & 0x01:
        offset = run.base + int(struct.unpack_from(">i", body, at)[0])
        at += 4
    if flags & 0x04:
        (first_flags,) = struct.unpack_from(">I", body, at)
        at += 4
    present = [bit for bit in (0x100, 0x200, 0x400, 0x800) if flags & bit]
    row = struct.Struct(">" + "".join("i" if bit == 0x800 and head >> 24 else "I" for bit in present))
    for index in range(number):
        fields = dict(zip(present, row.unpack_from(body, at), strict=True))
        at += row.size
        duration, size = fields.get(0x100, track.default_duration), fields.get(0x200, track.default_size)
        marked = fields.get(0x400, track.default_flags)
        if index == 0 and first_flags is not None:
            marked = first_flags
        if not 0 <= offset <= offset + size <= len(data):
            raise BrokenMp4(f"sample of {size} bytes at {offset} is outside the file of {len(data)}")
        payload = data[offset : offset + size]
        access = Access.UNKNOWN if track.encrypted else bitstream.access(track.entry, payload, track.nal_length)
        digest = hashlib.blake2b(payload, digest_size=DIGEST_BYTES).digest()
        pts = dts + fields.get(0x800, 0)
        samples.append(Sample(dts, pts, duration, size, not marked & _NON_SYNC, access, digest))
        dts, offset = dts + duration, offset + size
    return offset


def init(data: bytes) -> Init | None:
    """An init section; None when it is not fMP4 at all."""
    if form(data) is not Form.FMP4:
        return None
    tracks: list[TrackLook] = []
    problems: list[str] = []
    try:
        _init(data, tracks, problems)
    except (BrokenMp4, struct.error, IndexError, OverflowError) as broken:
        problems.append(str(broken) or "cut off")
    return Init(tuple(tracks), tuple(problems))


def _init(data: bytes, tracks: list[TrackLook], problems: list[str]) -> None:
    count = _Count()
    top = list(boxes(data, 0, len(data), count))
    if not top or top[0][0] != "ftyp":
        problems.append("it does not begin with ftyp")
    moov = next((box for box in top if box[0] == "moov"), None)
    if moov is None:
        problems.append("there is no moov")
        return
    defaults: dict[int, tuple[int, int, int]] = {}
    extended = False
    for kind, start, end in boxes(data, moov[1], moov[2], count):
        if kind == "trak":
            tracks.append(_trak(data, start, end, problems, count))
        elif kind == "mvex":
            extended = True
            for inner, at, stop in boxes(data, start, end, count):
                if inner == "trex":
                    number, _, duration, size, flags = struct.unpack_from(">4xIIIII", data[at:stop])
                    defaults[number] = (duration, size, flags)
    if not extended:
        problems.append("there is no mvex")
    if not tracks:
        problems.append("there is no trak")
    for index, track in enumerate(tracks):
        if track.id in defaults:
            duration, size, flags = defaults[track.id]
            tracks[index] = replace(track, default_duration=duration, default_size=size, default_flags=flags)


def _trak(data: bytes, start: int, end: int, problems: list[str], count: _Count) -> TrackLook:
    track = TrackLook(0, "", 0, "")
    for kind, inner, inner_end in boxes(data, start, end, count):
        body = data[inner:inner_end]
        if kind == "tkhd":
            (number,) = struct.unpack_from(">I", body, 12 if body[:1] == b"\0" else 20)
            track = replace(track, id=number)
        elif kind == "mdia":
            track = _mdia(data, inner, inner_end, track, problems, count)
    return track


def _mdia(data: bytes, start: int, end: int, track: TrackLook, problems: list[str], count: _Count) -> TrackLook:
    for kind, inner, inner_end in boxes(data, start, end, count):
        body = data[inner:inner_end]
        if kind == "mdhd":
            (scale,) = struct.unpack_from(">I", body, 12 if body[:1] == b"\0" else 20)
            track = replace(track, timescale=scale)
        elif kind == "hdlr":
            track = replace(track, kind=body[8:12].decode("latin-1"))
        elif kind == "minf":
            for sub, at, stop in boxes(data, inner, inner_end, count):
                if sub == "stbl":
                    track = _stbl(data, at, stop, track, problems, count)
    return track


def _stbl(data: bytes, start: int, end: int, track: TrackLook, problems: list[str], count: _Count) -> TrackLook:
    for kind, inner, inner_end in boxes(data, start, end, count):
        body = data[inner:inner_end]
        if kind == "stsd":
            track = _entry(body, track, count)
        elif kind in ("stts", "stsc", "stco", "co64") and any(body[4:8]):
            problems.append(f"{kind} is not empty")
    return track


_VIDEO_HEAD, _AUDIO_HEAD = 78, 28
"""Bytes of a VisualSampleEntry and an AudioSampleEntry before their boxes (12.1.3, 12.2.3)."""


def _entry(stsd: bytes, track: TrackLook, count: _Count) -> TrackLook:
    for kind, start, end in boxes(stsd, 8, len(stsd), count):
        body = stsd[start:end]
        video = track.kind == "vide"
        if track.kind not in ("vide", "soun"):
            return replace(track, entry=kind)
        if video:
            width, height = struct.unpack_from(">HH", body, 24)
            track = replace(track, width=width, height=height)
        head = _VIDEO_HEAD if video else _AUDIO_HEAD
        inner = {name: body[at:stop] for name, at, stop in boxes(body, head, len(body), count)}
        encrypted = kind in ("encv", "enca")
        if encrypted:
            kind = _original(inner.get("sinf", b""), count) or kind
        return _configured(replace(track, entry=kind, encrypted=encrypted), inner)
    return track


def _original(sinf: bytes, count: _Count) -> str:
    for name, at, stop in boxes(sinf, 0, len(sinf), count):
        if name == "frma":
            return sinf[at:stop][:4].decode("latin-1")
    return ""


_WHOLE = ("Opus", "ac-3", "ec-3", "fLaC", "ac-4")
"""Sample entries whose name is the whole codec string."""


def _configured(track: TrackLook, inner: dict[str, bytes]) -> TrackLook:
    entry = track.entry
    if "avcC" in inner:
        avcc = inner["avcC"]
        return replace(track, codec=codecs.avc(entry, avcc), nal_length=(avcc[4] & 3) + 1)
    if "hvcC" in inner:
        hvcc = inner["hvcC"]
        return replace(track, codec=codecs.hevc(entry, hvcc), nal_length=(hvcc[21] & 3) + 1)
    if "av1C" in inner:
        return replace(track, codec=codecs.av1(inner["av1C"]))
    if "esds" in inner:
        return replace(track, codec=codecs.mp4a(inner["esds"][4:]))
    if "vpcC" in inner:
        return replace(track, codec=codecs.vp9(entry, inner["vpcC"]))
    return replace(track, codec=entry.lower() if entry in _WHOLE else "")
