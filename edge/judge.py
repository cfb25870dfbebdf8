"""How long answers may be used: what playlists tell of a stream, and what the operator says, at one place. Sans-IO."""

from __future__ import annotations

from headwater.origin.hls.model import MediaPlaylist

from .freshness import NEGATIVE_UNKNOWN_S, Life, Shape
from .learn import shape_of
from .message import UpstreamAnswer
from .overrides import Kinds, Policy
from .store import Store

MOST_TARGET_S = 60.0
"""Longest target duration that is believed for the lifetimes of other objects."""


class Judge:
    """Of one edge; `store` knows what is in a live window."""

    def __init__(self, policy: Policy, store: Store) -> None:
        self.kinds = Kinds()
        self.least_part_s = NEGATIVE_UNKNOWN_S
        """The shortest part target seen, and the longest target duration: for rules that count in them."""
        self.target_duration_s = 0.0
        self._policy = policy
        self._store = store

    def learn(self, model: MediaPlaylist) -> None:
        """What rules count in, from a media playlist."""
        self.least_part_s = min(self.least_part_s, model.part_target or self.least_part_s)
        self.target_duration_s = max(self.target_duration_s, min(float(model.target_duration), MOST_TARGET_S))

    def life(
        self, key: str, status: int, answer: UpstreamAnswer, model: MediaPlaylist | None = None
    ) -> tuple[Shape, Life]:
        """What the answer for `key` is, and how long it may be used by whom.

        `status`: 200 for a part of it too; `model`: the media playlist that it is.
        """
        shape = shape_of(key, answer, listed=self._store.marked(key))
        playlist = model is not None if status == 200 and answer.body else None
        life = self._policy.judge(
            status,
            answer.get,
            shape,
            answer.unix,
            self.kinds.of(key, answer.get("content-type") or "", media_playlist=playlist),
            live=model is not None and not model.ended,
            target_duration=float(model.target_duration) if model is not None else self.target_duration_s,
            part_target=self.least_part_s,
        )
        return shape, life
