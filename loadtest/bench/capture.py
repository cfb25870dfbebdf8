"""Follows all renditions of a stream at once and keeps what came: for boundaries, delays, quality and decoding."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import aiohttp

from headwater.loadtest.follow import PartFollower
from headwater.loadtest.fragments import chunks, timescale


@dataclass(frozen=True, slots=True)
class HeardPart:
    """One part as it came in."""

    msn: int
    index: int
    start: float
    """Stream time of its first sample (tfdt), seconds. Likewise `end`, of its last one's end."""
    end: float
    frames: int
    arrived: float
    """Monotonic seconds of its last byte; parts that were listed before the client came have its own beginning."""
    body: bytes = field(repr=False, default=b"")


@dataclass
class Heard:
    """One rendition. `gaps` are parts that were listed as GAP."""

    rendition: str
    init: bytes = b""
    timescale: int = 0
    parts: list[HeardPart] = field(default_factory=list)
    gaps: list[tuple[int, int]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    """Decode times that do not continue."""

    def whole(self) -> dict[int, list[HeardPart]]:
        """The segments that came from their first part to their last, without a gap, by MSN."""
        found: dict[int, list[HeardPart]] = {}
        for part in self.parts:
            found.setdefault(part.msn, []).append(part)
        last = max(found, default=-1)
        gone = {msn for msn, _ in self.gaps}
        return {msn: parts for msn, parts in found.items() if parts[0].index == 0 and msn != last and msn not in gone}

    def starts(self) -> dict[int, float]:
        """Stream time at which each whole segment begins, seconds."""
        return {msn: parts[0].start for msn, parts in self.whole().items()}

    def save(self, path: Path, msns: Iterable[int]) -> Path:
        """These segments as one fragmented MP4 file."""
        whole = self.whole()
        path.write_bytes(self.init + b"".join(part.body for msn in msns for part in whole[msn]))
        return path


async def listen(base: str, renditions: Sequence[str], seconds: float, *, keep: bool = True) -> dict[str, Heard]:
    """Follow each of `renditions` of the stream at `base` (`.../live/NAME/`) for `seconds`. Raises FollowError.

    `keep`: the bytes, too.
    """
    heard = {name: Heard(name) for name in renditions}
    deadline = time.monotonic() + seconds
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        for name, seen in heard.items():
            group.create_task(follow(PartFollower(session, f"{base}{name}/index.m3u8"), seen, deadline, keep=keep))
    return heard


async def follow(
    follower: PartFollower, heard: Heard, deadline: float, *, keep: bool, file: BinaryIO | None = None
) -> None:
    """Take every part of one rendition into `heard` until `deadline`, and write what came to `file`."""
    await follower.reload()
    heard.init = await follower.init()
    heard.timescale = timescale(heard.init)
    if file is not None:
        file.write(heard.init)
    expected: int | None = None
    async for part in follower.parts():
        if part.download is None:
            heard.gaps.append((part.msn, part.index))
            expected = None
        else:
            found = chunks(part.download.body)
            if file is not None:
                file.write(part.download.body)
            for chunk in found:
                if expected is not None and chunk.base_time != expected:
                    heard.errors.append(
                        f"{heard.rendition}: tfdt {chunk.base_time} follows {expected} at {part.msn}.{part.index}"
                    )
                expected = chunk.base_time + chunk.duration
            heard.parts.append(
                HeardPart(
                    part.msn,
                    part.index,
                    found[0].base_time / heard.timescale,
                    (found[-1].base_time + found[-1].duration) / heard.timescale,
                    sum(chunk.samples for chunk in found),
                    part.download.last_byte,
                    part.download.body if keep else b"",
                )
            )
        if time.monotonic() > deadline:
            return


def common(heard: Mapping[str, Heard]) -> list[int]:
    """MSNs of the segments that every rendition has whole, in order."""
    return sorted(set.intersection(*(set(one.whole()) for one in heard.values())))


def misalignment_s(heard: Mapping[str, Heard]) -> float:
    """The largest distance between the beginnings of one segment in two renditions, seconds; infinite when no
    segment was seen in all of them."""
    starts = [one.starts() for one in heard.values()]
    shared = common(heard)
    if not shared:
        return float("inf")
    return max(max(each[msn] for each in starts) - min(each[msn] for each in starts) for msn in shared)


def added_delays(
    passthrough: Heard, rung: Heard, *, settle: int = 8, tolerance_s: float = 0.017, ordered: bool = True
) -> list[float]:
    """Seconds from the arrival of a source part to that of the rung's part with the same end.

    Negative where the rung was first: it knows its last frame, the source waits for the next one. The first `settle`
    parts are left out: they were listed before the client came. `tolerance_s`: half a frame, by which the ends may
    differ. `ordered`: the shortest first, not in order of time.
    """
    ends = [(part.end, part.arrived) for part in passthrough.parts[settle:]]
    found, at = [], 0
    for part in rung.parts[settle:]:
        while at < len(ends) and ends[at][0] < part.end - tolerance_s:
            at += 1
        if at < len(ends) and ends[at][0] <= part.end + tolerance_s:
            found.append(part.arrived - ends[at][1])
    return sorted(found) if ordered else found


def percentile(ordered: Sequence[float], share: float) -> float:
    """Of sorted values; raises ValueError when there are none."""
    if not ordered:
        raise ValueError("nothing was measured")
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
