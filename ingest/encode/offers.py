"""What players are offered of a stream with a ladder. Sans-IO.

A rung that is not encoded now is not offered: its media playlist goes on, as GAP, for those who are on it, and who
chooses anew finds the others. The source is offered where the plan says so and segments start on its keyframes, and
wherever there is nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from headwater.ingest.media import Offered, Rendition

from .model import Plan


class Offers:
    """What was said to be offered."""

    def __init__(self) -> None:
        self._offered: dict[Rendition, bool] = {}
        """Where nothing was said, it is."""

    def update(
        self, plan: Plan, rungs: Iterable[Rendition], is_there: Callable[[Rendition], bool], *, regular: bool
    ) -> list[Offered]:
        """What has changed.

        Args:
            plan: of the ladder.
            rungs: those that have not ended.
            is_there: whether players can be sent to a rung now.
            regular: segments start on keyframes of the source.
        """
        known = list(rungs)
        changed = [offer for rung in known if (offer := self._say(rung, is_there(rung))) is not None]
        if plan.video_source is not None and plan.video:
            others = any(rung.rendition in known and is_there(rung.rendition) for rung in plan.video)
            offer = self._say(plan.video_source, not others or (plan.list_source and regular))
            if offer is not None:
                changed.append(offer)
        return changed

    def _say(self, rendition: Rendition, offered: bool) -> Offered | None:
        if self._offered.get(rendition, True) == offered:
            return None
        self._offered[rendition] = offered
        return Offered(rendition, offered)
