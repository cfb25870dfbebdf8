"""Whose playlist a follower shows, where several upstreams have the stream. Sans-IO. ADR 14 has the rules' reasons.

* Same names for the same numbers: one presentation. Whoever has it later may go on with it.
* Other names or numbers: another presentation. It is refused while the upstream that is followed lives. When that has
  failed, the other one is shown from the first number that viewers have not seen: numbers never go back, and no number
  gets a second name (rules 12, 189).
* One that is too far behind for that is a new start of the stream; viewers get it only when the old presentation is
  over for all of them, after three target durations of silence (rule 163).
"""

from __future__ import annotations

import enum
from dataclasses import replace

from headwater.origin.hls.directives import Position
from headwater.origin.hls.model import MediaPlaylist, Segment
from headwater.origin.hls.writer import render

from .message import UpstreamAnswer
from .paths import Paths

FROZEN_TARGETS = 1.5
"""Target durations without news after which an upstream that answers counts as failed for the stream."""
PASSED_TARGETS = 0.75
"""The same when another upstream is seen to move on: it is not the encoder that stands still."""
OVER_TARGETS = 3.0
"""Target durations without news after which the presentation is over (rule 163)."""
CATCH_UP_SEGMENTS = 3
"""How far behind another presentation may be to be waited for. Why: no segment is longer than a target duration, so
by the time that it is there the old one would be over anyway."""
PLAIN_HEDGE_S = 1.0
"""When a plain playlist request is overdue: nobody has a reason to hold it."""


class Verdict(enum.Enum):
    """What an answer is worth."""

    TAKE = "take"
    """Of the upstream that is followed now."""
    REFUSE = "refuse"
    """Of another one, and not to be mixed with what is followed."""
    RESTART = "restart"
    """A new start: shown although its numbers are lower."""


def same_names(ours: MediaPlaylist, theirs: MediaPlaylist) -> bool:
    """Whether both are versions of one presentation: numbers that both have, at least one, have the same names."""
    known = {segment.msn: segment for segment in _all(ours)}
    common = [(known[segment.msn], segment) for segment in _all(theirs) if segment.msn in known]
    compared = [verdict for one, other in common if (verdict := _same(one, other)) is not None]
    return bool(compared) and all(compared)


def _same(one: Segment, other: Segment) -> bool | None:
    """None: nothing to compare."""
    pairs = [
        (a.uri, a.byterange) == (b.uri, b.byterange)
        for a, b in zip(one.parts, other.parts, strict=False)
        if not (a.gap or b.gap)
    ]
    if one.uri is not None and other.uri is not None and not (one.gap or other.gap):
        pairs.append((one.uri, one.byterange) == (other.uri, other.byterange))
    return all(pairs) if pairs else None


def _all(model: MediaPlaylist) -> tuple[Segment, ...]:
    return (*model.segments, model.open) if model.open is not None else model.segments


def last_shown(model: MediaPlaylist) -> int:
    """The highest number of which viewers have seen anything."""
    return model.last_msn + (1 if model.open is not None and model.open.parts else 0)


def above(model: MediaPlaylist, floor: int) -> MediaPlaylist | None:
    """`model` without the numbers up to `floor`; None when nothing is left yet."""
    kept = tuple(segment for segment in model.segments if segment.msn > floor)
    opened = model.open if model.open is not None and model.open.msn > floor else None
    if not kept and (opened is None or not opened.parts):
        return None
    dropped = model.segments[: len(model.segments) - len(kept)]
    return replace(
        model,
        media_sequence=model.media_sequence + len(dropped),
        # 6.2.2: raised by the discontinuities that are removed
        discontinuity_sequence=model.discontinuity_sequence + sum(segment.discontinuity for segment in dropped),
        segments=kept,
        open=opened,
    )


class Succession:
    """The upstream that is followed for one playlist."""

    def __init__(self, key: str, paths: Paths, answer: UpstreamAnswer, model: MediaPlaylist) -> None:
        self.source = answer.source
        self.model = model
        """The newest playlist of `source`, whole."""
        self.news_at = answer.at
        """When it last showed something new."""
        self._key = key
        self._paths = paths
        self._floor: int | None = None
        """Numbers up to this one were another presentation's and are not shown."""
        self._rival: tuple[str, tuple[int, int]] | None = None
        self._passed = False
        self._suspect_at = 0.0

    # -- answers

    def judge(self, answer: UpstreamAnswer, model: MediaPlaylist, shown: MediaPlaylist) -> Verdict:
        """What `answer` is worth; `shown` is what viewers have now."""
        if answer.source == self.source or same_names(self.model, model):
            changed = answer.source != self.source
            self._take(answer, model)
            if changed:
                self._paths.taken_over(self._key, self.source, answer.at, changed=False)
            return Verdict.TAKE
        if not self._paths.gone(self._key, self.source, answer.at):
            self._note(answer.source, model)
            return Verdict.REFUSE
        if last_shown(shown) - last_shown(model) <= CATCH_UP_SEGMENTS:
            self._floor = last_shown(shown)
            verdict = Verdict.TAKE
        elif answer.at - self.news_at > OVER_TARGETS * shown.target_duration:
            self._floor = None
            verdict = Verdict.RESTART
        else:
            return Verdict.REFUSE
        self._take(answer, model)
        self._paths.taken_over(self._key, self.source, answer.at, changed=True)
        return verdict

    def _take(self, answer: UpstreamAnswer, model: MediaPlaylist) -> None:
        self.source, self.model = answer.source, model

    def _note(self, source: str, model: MediaPlaylist) -> None:
        order = (model.position.last_msn, model.position.open_parts)
        if self._rival is not None and self._rival[0] == source:
            self._passed = self._passed or order > self._rival[1]
        else:
            self._rival = source, order

    def visible(self, answer: UpstreamAnswer) -> tuple[MediaPlaylist, UpstreamAnswer] | None:
        """What viewers may have of the newest playlist; None: nothing that is new to them, so far."""
        floor = self._floor
        if floor is None or self.model.media_sequence > floor:
            self._floor = None
            return self.model, answer
        model = above(self.model, floor)
        if model is None:
            return None
        # The validators are those of the whole text.
        headers = tuple(pair for pair in answer.headers if pair[0] not in ("etag", "last-modified"))
        return model, replace(answer, headers=headers, body=render(model).encode())

    def position(self, shown: Position) -> Position:
        """Where to go on; `shown`: where viewers are."""
        return shown if self._floor is None else self.model.position

    def news(self, now: float) -> None:
        """Viewers got something new."""
        self.news_at = now
        self._rival, self._passed = None, False

    # -- time

    def hedge_s(self, now: float, *, held: bool) -> float:
        """After how long a request is overdue, by the cadence of what came before."""
        if not held:
            return PLAIN_HEDGE_S
        step = self.model.part_target or float(self.model.target_duration)
        return max(step, self.news_at + 1.5 * step + 0.1 - now)

    def failed(self, now: float) -> bool:
        """Whether the upstream has to be given up now: it is gone, or there was no news for too long."""
        if not self._paths.several or now < self._suspect_at:
            return False
        target_s = self.model.target_duration
        if self._paths.gone(self._key, self.source, now):
            self._suspect_at = now + target_s / 2
            return True
        if now - self.news_at < (PASSED_TARGETS if self._passed else FROZEN_TARGETS) * target_s:
            return False
        self._suspect_at = now + FROZEN_TARGETS * target_s
        self._paths.stands_still(self._key, self.source, now)
        return True
