"""Whose playlist a follower shows, where several upstreams have the stream. Sans-IO. ADR 15 has the rules' reasons.

* Same names for the same numbers: one presentation. Whoever has it later may go on with it.
* Other names or numbers: another presentation. It is refused while the upstream that is followed lives. When that has
  failed, viewers are joined to the other one (`join`): numbers never go back, and none gets a second name.
"""

from __future__ import annotations

from dataclasses import replace

from headwater.origin.hls.directives import Position
from headwater.origin.hls.model import MediaPlaylist, Segment
from headwater.origin.hls.writer import render

from .join import MOST_BACK, Join, join, joined, last_shown
from .message import UpstreamAnswer
from .paths import Paths

FROZEN_TARGETS = 1.5
"""Target durations without news after which an upstream that answers counts as failed for the stream."""
PASSED_TARGETS = 0.75
"""The same when another upstream is seen to move on: it is not the encoder that stands still."""
LATE_S = 0.1
"""On top of one and a half parts: what a network and an encoder may be late without anybody asking."""


def late_after(step_s: float) -> float:
    """Seconds after which news is late that comes every `step_s`."""
    return 1.5 * step_s + LATE_S


def same_names(ours: MediaPlaylist, theirs: MediaPlaylist) -> bool:
    """Whether both are versions of one presentation: numbers that both have, at least one, have the same names."""
    known = {segment.msn: segment for segment in ours.all_segments}
    common = [(known[segment.msn], segment) for segment in theirs.all_segments if segment.msn in known]
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


class Succession:
    """The upstream that is followed for one playlist."""

    def __init__(self, key: str, paths: Paths, answer: UpstreamAnswer, model: MediaPlaylist) -> None:
        self.source = answer.source
        self.model = model
        """The newest playlist of `source`, whole."""
        self._key = key
        self._paths = paths
        self._several = paths.several
        self._join = paths.join_of(key, answer.source)
        """How its numbers become those of viewers; None: they are."""
        if self._join is not None and joined(model, self._join) is None:
            self._join = None
        self._rival: tuple[str, tuple[int, int]] | None = None
        self._passed = False
        self._suspect_at = 0.0
        self.news(answer.at)

    # -- answers

    def accepts(self, answer: UpstreamAnswer, model: MediaPlaylist, shown: MediaPlaylist) -> bool:
        """Whether `answer` is of the presentation that is followed, or followed from now on; else it is to be left.

        `shown` is what viewers have now.
        """
        same = answer.source == self.source or same_names(self.model, model)
        alike = self._alike(answer.source, model, shown, same=same)
        if answer.source != self.source:
            if same and alike is None:
                self._paths.taken_over(self._key, answer.source, answer.at, self._join, changed=False)
            elif same or self._paths.gone(self._key, self.source, answer.at):
                self._join = alike or join(shown, model)
                self._paths.taken_over(self._key, answer.source, answer.at, self._join, changed=True)
            else:
                return False
        elif alike is not None:
            self._join = alike
        elif self._join is not None and model.last_msn + MOST_BACK < self._join.first:
            self._join = join(shown, model)  # that upstream itself started again
        self.source, self.model = answer.source, model
        return True

    def _alike(self, source: str, model: MediaPlaylist, shown: MediaPlaylist, *, same: bool) -> Join | None:
        """How to follow the stream's other renditions, which were joined to `source`: with the same numbers and the
        same discontinuities (rule 180), also where the names of this one are the `same` at both. The ticks of sound are
        coarser than those of pictures, and players wait for ever for sound that goes on where the picture does not.

        None: they were not, this one is joined as they are, or it is too far from them.
        """
        there, ours = self._paths.join_of(self._key, source), self._join
        if there is None or (same and ours is not None and (ours.shift, ours.turns) == (there.shift, there.turns)):
            return None
        first = max(there.first, last_shown(shown) + 1 - there.shift)
        return replace(there, first=first) if abs(model.last_msn - first) <= MOST_BACK else None

    def compare(self, source: str, model: MediaPlaylist) -> bool:
        """What another upstream has while ours is overdue: True when it has the same presentation and more of it."""
        order = model.position.order
        if same_names(self.model, model):
            return order > self.model.position.order
        if self._rival is not None and self._rival[0] == source:
            self._passed = self._passed or order > self._rival[1]
        else:
            self._rival = source, order
        return False

    def visible(self, answer: UpstreamAnswer) -> tuple[MediaPlaylist, UpstreamAnswer] | None:
        """What viewers may have of the newest playlist; None: nothing that is new to them, so far."""
        if self._join is None:
            return self.model, answer
        model = joined(self.model, self._join)
        if model is None:
            return None
        # The validators are those of the upstream's text.
        headers = tuple(pair for pair in answer.headers if pair[0] not in ("etag", "last-modified"))
        return model, replace(answer, headers=headers, body=render(model).encode())

    def position(self, shown: Position) -> Position:
        """Where to go on; `shown`: where viewers are."""
        return shown if self._join is None else self.model.position

    def news(self, now: float) -> None:
        """Viewers got something new."""
        self._news_at = now
        step = self.model.part_target or float(self.model.target_duration)
        self._late_at = now + late_after(step)
        self._rival, self._passed = None, False

    # -- time

    def calm(self, now: float) -> bool:
        """Whether there is nothing to look at: nobody else has the stream, or nothing is late and nobody has failed."""
        return not self._several or (now < self._late_at and not self._paths.ailing)

    def overdue(self, now: float) -> bool:
        """Whether news is late, by the cadence of what came before, and somebody else could have it."""
        return self._several and now >= self._late_at

    def failed(self, now: float) -> bool:
        """Whether the upstream has to be given up now: it is gone, or there was no news for too long."""
        if not self._several or now < self._suspect_at:
            return False
        target_s = self.model.target_duration
        if self._paths.gone(self._key, self.source, now):
            self._suspect_at = now + target_s / 2
            return True
        if now - self._news_at < (PASSED_TARGETS if self._passed else FROZEN_TARGETS) * target_s:
            return False
        self._suspect_at = now + FROZEN_TARGETS * target_s
        self._paths.stands_still(self._key, self.source, now)
        return True
