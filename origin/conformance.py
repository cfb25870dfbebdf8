"""The cheap rules, held against everything that the origin publishes, as it goes out. Sans-IO.

    RenditionCheck.look(events, playlist) -> violations      once per publication of a rendition
    Together                                                 what the renditions of a stream have to agree on

Words
    rule        its number in docs/conformance.md and docs/doctor.md; RULES says which are checked here
    violation   something published that a rule forbids: a fault of ours, never of a publisher

What it knows it takes from what was published alone: events, the playlist that came of them, and the bytes of parts. It
must not raise, whatever those are, for a player is better off with a wrong part than with none.

Not here: rules about pace (19, 49), which an encoder breaks and we cannot; about requests and answers (80 to 101, 138
to 157), which tests and the doctor check; about text, which is written from what is checked here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from headwater.ingest.codecs import is_random_access
from headwater.ingest.media import Kind, Track

from .cmaf import readback
from .events import (
    Hinted,
    InitChanged,
    PartClosed,
    RenditionEnded,
    SegmentClosed,
    SegmenterEvent,
    SegmentOpened,
)
from .hls.model import MediaPlaylist
from .playlistcheck import PlaylistCheck

RULES = {
    8: "EXTINF, rounded, is at most TARGETDURATION",
    9: "TARGETDURATION never changes",
    10: "PART-TARGET and hold-backs never change",
    12: "media sequence numbers rise by one and never go back",
    16: "three target durations stay when segments are removed",
    22: "a segment is listed under its own name",
    23: "no name is used again",
    24: "an ended playlist has no hint and no open segment",
    28: "PART-HOLD-BACK is at least two part targets",
    29: "PART-HOLD-BACK is at least three part targets",
    30: "HOLD-BACK is at least three target durations",
    31: "CAN-SKIP-UNTIL is at least six target durations",
    42: "no part is longer than PART-TARGET",
    43: "a part has 85 % of PART-TARGET",
    46: "parts and segments are listed as they were made",
    47: "EXTINF is the sum of the parts",
    48: "parts count from 0 in their segment",
    51: "a part that begins with a keyframe says INDEPENDENT",
    52: "a part that says INDEPENDENT begins with a keyframe",
    57: "PART tags go after three target durations",
    58: "PART tags stay for three target durations",
    61: "the next part is hinted",
    62: "a new init section is hinted with its part",
    64: "a hint names the part that comes",
    113: "every segment has a date",
    115: "dates follow the media",
    116: "a new init section comes with a discontinuity",
    117: "DISCONTINUITY-SEQUENCE counts what slid out",
    118: "discontinuities are the same in all renditions",
    129: "every segment has an init section",
    181: "segments of all renditions begin together",
    182: "segments begin as INDEPENDENT-SEGMENTS promises",
    200: "a part is one whole chunk",
    204: "decode times go on without a hole",
}
"""What is checked, by number: the values of the label `rule`, so that each is there from the start, at 0."""

STEP_US = 500_000
"""Difference of dates and durations that is no rounding (rule 115: only sub-second overlap is allowed)."""

MOST_SEGMENTS = 1_024
"""Segments whose start is remembered to compare renditions by. Why: half an hour; a rendition that is further behind
than that has left them out."""


class Violation(NamedTuple):
    """A rule that was broken."""

    rule: int
    seen: str


class Together:
    """What all renditions of one stream have in common.

    Args:
        earlier: of the stream that had the same name before.
    """

    def __init__(self, earlier: Together | None = None) -> None:
        self._begins: dict[int, tuple[int, bool]] = {}
        """MSN -> date and discontinuity, as the first rendition had them."""
        self.highest: dict[tuple[str, int], int] = dict(earlier.highest) if earlier is not None else {}
        """By rendition and timescale: the highest number in a part's name (rule 23)."""

    def opened(self, event: SegmentOpened) -> tuple[int, bool]:
        """What another rendition has at this segment's place, or else the segment's own."""
        begins = self._begins
        if len(begins) >= MOST_SEGMENTS and event.msn not in begins:
            del begins[next(iter(begins))]
        return begins.setdefault(event.msn, (event.date_us, event.discontinuity))


class RenditionCheck:
    """One rendition, from its first publication to its last.

    Args:
        rendition: its name.
        part_target_s: PART-TARGET of the stream, seconds.
        target_duration_s: TARGETDURATION of the stream.
        together: of the stream.
    """

    def __init__(self, rendition: str, part_target_s: float, target_duration_s: int, together: Together) -> None:
        self._rendition = rendition
        self._part_target_s = part_target_s
        self._target_s = target_duration_s
        self._together = together
        self._playlist = PlaylistCheck(part_target_s, target_duration_s, self._say)
        self._found: list[Violation] = []
        self._promised = False
        self._track: Track | None = None
        self._timescale = 1
        self._segment: SegmentOpened | None = None
        self._msn: int | None = None
        self._init = ""
        self._parts = 0
        self._ticks = 0
        self._media = False
        """The open segment has a part that is no gap."""
        self._next_date_us: int | None = None
        self._end: int | None = None
        """Where the next part begins, ticks."""
        self._after_gap = False
        self._hint = ""
        self._short = ""
        """What was seen of a part below 85 %, until it is known whether it may be."""
        self._sequence = -1

    def look(self, events: Sequence[SegmenterEvent], playlist: MediaPlaylist) -> list[Violation]:
        """What is wrong with a publication: its events, and the playlist that they led to."""
        self._promised = playlist.independent_segments
        for event in events:
            match event:
                case PartClosed():
                    self._part(event)
                case Hinted():
                    self._hint = event.name
                case SegmentOpened():
                    self._opened(event)
                case SegmentClosed():
                    self._closed(event)
                case InitChanged():
                    self._changed(event)
                case RenditionEnded():
                    self._short, self._hint = "", ""
        self._playlist.look(playlist, events, self._segment)
        found, self._found = self._found, []
        return found

    def _say(self, rule: int, seen: str) -> None:
        self._found.append(Violation(rule, seen))

    # -- segments ------------------------------------------------------------------------------------------

    def _changed(self, event: InitChanged) -> None:
        if event.track.timescale != self._timescale:
            self._timescale, self._end, self._after_gap = event.track.timescale, None, False
            self._hint = ""  # rule 68: what was hinted in other ticks is given up
        self._track = event.track

    def _opened(self, event: SegmentOpened) -> None:
        if self._msn is not None and event.msn != self._msn + 1:
            self._say(12, f"segment {event.msn} follows {self._msn}")
        if self._init and event.init != self._init and not event.discontinuity:
            self._say(116, f"segment {event.msn} has {event.init} after {self._init}")
        if self._next_date_us is not None:
            step = event.date_us - self._next_date_us
            if step < -STEP_US or (step > STEP_US and not self._after_gap):
                self._say(115, f"the date of segment {event.msn} is {step / 1e6:+.3f} s off its media")
        date_us, discontinuity = self._together.opened(event)
        # A cut is at one time, and a rendition's first sample after it may be up to a part later.
        if abs(event.date_us - date_us) > self._part_target_s * 1e6:
            apart = (event.date_us - date_us) / 1e6
            self._say(181, f"segment {event.msn} begins {apart:+.3f} s from that of another rendition")
        if event.discontinuity != discontinuity:
            self._say(118, f"segment {event.msn} is a discontinuity in one rendition only")
        self._segment, self._msn, self._init = event, event.msn, event.init
        self._parts = self._ticks = 0
        self._media = False

    def _closed(self, event: SegmentClosed) -> None:
        self._short = ""
        opened, self._segment = self._segment, None
        if opened is None or (opened.msn, opened.name) != (event.msn, event.name):
            self._say(22, f"segment {event.msn} closes as {event.name}, which it did not open as")
            return
        if event.duration_ticks != self._ticks:
            self._say(47, f"segment {event.msn} of {event.duration_ticks} ticks has parts of {self._ticks}")
        if int(event.duration_ticks / self._timescale + 0.5) > self._target_s:
            self._say(8, f"segment {event.msn} lasts {event.duration_ticks / self._timescale:.3f} s")
        self._next_date_us = opened.date_us + event.duration_ticks * 1_000_000 // self._timescale

    # -- parts ---------------------------------------------------------------------------------------------

    def _part(self, event: PartClosed) -> None:
        opened = self._segment
        if opened is None or event.msn != opened.msn or event.index != self._parts:
            self._say(48, f"{event.name} is part {event.index} of segment {event.msn}, after {self._parts}")
        if self._hint and event.name != self._hint:
            self._say(64, f"{event.name} comes where {self._hint} was hinted")
        self._hint = ""
        start = self._start(event)
        self._length(event)
        if not event.gap:
            self._chunk(event, start)
            if self._promised and not self._media and not event.independent:
                self._say(182, f"segment {event.msn} begins with {event.name}, which is not independent")
            self._media = True
        self._after_gap = event.gap
        self._end = start + event.duration_ticks
        self._parts += 1
        self._ticks += event.duration_ticks

    def _start(self, event: PartClosed) -> int:
        """The decode time in its name; it is where the part before ended, or later after a gap that was cut off."""
        digits = event.name[1:-4]
        if not (event.name.startswith("p") and event.name.endswith(".m4s") and digits.isdecimal()):
            self._say(23, f"{event.name[:40]!r} does not say its time")
            return self._end or 0
        start = int(digits)
        key = (self._rendition, self._timescale)
        if start <= self._together.highest.get(key, -1):
            self._say(23, f"{event.name} was used before, or its time was")
        else:
            self._together.highest[key] = start
        if self._end is not None and start != self._end and not (self._after_gap and start > self._end):
            self._say(204, f"{event.name} follows a part that ends at {self._end}")
        return start

    def _length(self, event: PartClosed) -> None:
        if self._short and not event.gap:
            self._say(43, self._short)
        self._short = ""
        seconds = event.duration_ticks / self._timescale
        if round(seconds, 6) > self._part_target_s:
            self._say(42, f"{event.name} lasts {seconds:.6f} s")
        elif seconds < 0.85 * self._part_target_s and not event.gap and not event.independent:
            # It may, when the segment ends with it or a gap follows.
            self._short = f"{event.name} lasts {seconds:.6f} s"

    def _chunk(self, event: PartClosed, start: int) -> None:
        """The bytes of a part say what was said of it."""
        try:
            chunk = readback.read(event.data)
        except ValueError as error:
            self._say(200, f"{event.name}: {error}")
            return
        if (chunk.tfdt, chunk.ticks) != (start, event.duration_ticks):
            self._say(204, f"{event.name} of {event.duration_ticks} has media at {chunk.tfdt} of {chunk.ticks} ticks")
        if chunk.sequence <= self._sequence:
            self._say(204, f"{event.name} has number {chunk.sequence} after {self._sequence}")
        self._sequence = chunk.sequence
        track = self._track
        if track is None:
            self._say(129, f"{event.name} comes without an init section")
            return
        key = track.kind is Kind.AUDIO or is_random_access(track, chunk.first)
        if key != event.independent or key != chunk.sync:
            self._say(51 if key else 52, f"{event.name}: its first sample is {'' if key else 'not '}a keyframe")
