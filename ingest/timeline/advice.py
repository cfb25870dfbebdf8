"""Warnings for the broadcaster in plain words, at most one a minute per kind. Sans-IO."""

from __future__ import annotations

from .model import TICKS, Advice, AdviceKind

EVERY_S = 60.0


class Adviser:
    """Collects advice; what was said less than a minute ago is not said again."""

    def __init__(self) -> None:
        self._said: dict[AdviceKind, float] = {}
        self._new: list[Advice] = []

    def take(self) -> list[Advice]:
        """What is new since the last call."""
        new, self._new = self._new, []
        return new

    def say(self, kind: AdviceKind, now: float, text: str) -> None:
        """Say one thing."""
        said = self._said.get(kind)
        if said is None or now - said >= EVERY_S:
            self._said[kind] = now
            self._new.append(Advice(kind, text))

    def part_target(self, now: float, wanted_ms: int, chosen_ms: int) -> None:
        """PART-TARGET had to be raised."""
        self.say(
            AdviceKind.PART_TARGET,
            now,
            f"the frames of this stream do not fill parts of {wanted_ms} ms, so parts last {chosen_ms} ms: players "
            f"stay {3 * chosen_ms / 1000:.2f} s behind live instead of {3 * wanted_ms / 1000:.2f} s. "
            "A higher frame rate avoids it",
        )

    def part_misfit(self, now: float, rendition: str, target_ms: int) -> None:
        """PART-TARGET is fixed already and a later track does not fit it."""
        self.say(
            AdviceKind.PART_TARGET,
            now,
            f"the frames of {rendition} do not fill the parts of {target_ms} ms that this stream already has: its "
            "parts are shorter than players expect. End the stream and start it again to choose anew",
        )

    def long_gop(self, now: float, interval: int, target_duration_s: int) -> None:
        """Keyframes are farther apart than a segment may last."""
        self.say(
            AdviceKind.LONG_GOP,
            now,
            f"keyframes come every {interval / TICKS:.1f} s, but a segment may last {target_duration_s} s: segments "
            "are cut between keyframes, where players cannot start or recover, so joining takes longer. "
            "Set the encoder's keyframe interval to 2 s",
        )

    def no_keyframe(self, now: float, target_duration_s: int) -> None:
        """A segment was cut without a keyframe."""
        self.say(
            AdviceKind.NO_KEYFRAME,
            now,
            f"no keyframe for {target_duration_s} s: the segment was cut without one, players cannot start there. "
            "Set the encoder's keyframe interval to 2 s",
        )

    def on_grid(self, now: float) -> None:
        """Segments end where the source has no keyframes."""
        self.say(
            AdviceKind.LONG_GOP,
            now,
            "keyframes of the source are too rare or too irregular for segments to end on them: players are offered "
            "the encoded renditions, and not the source. Set the encoder's keyframe interval to 2 s",
        )

    def no_first_keyframe(self, now: float, waited_s: float) -> None:
        """The stream cannot begin."""
        self.say(
            AdviceKind.NO_KEYFRAME,
            now,
            f"{waited_s:.0f} s of video without a keyframe: the stream begins with the first one",
        )

    def jump(self, now: float, rendition: str) -> None:
        """A publisher's clock jumped."""
        self.say(
            AdviceKind.JUMP,
            now,
            f"the timestamps of {rendition} jumped: the stream goes on without a gap and is marked as discontinuous",
        )

    def bases(self, now: float, rendition: str) -> None:
        """A track's clock has nothing to do with the primary's."""
        self.say(
            AdviceKind.JUMP,
            now,
            f"the timestamps of {rendition} are far from those of the first track: it is placed by its arrival, "
            "so sound and picture may be apart by some milliseconds",
        )

    def frozen(self, now: float, rendition: str) -> None:
        """A publisher's clock stands still."""
        self.say(
            AdviceKind.FROZEN, now, f"the timestamps of {rendition} stand still: times of arrival are used instead"
        )

    def gap(self, now: float, rendition: str) -> None:
        """A rendition is silent."""
        self.say(
            AdviceKind.GAP, now, f"nothing comes for {rendition}: the missing time is listed as a gap until it does"
        )

    def late_track(self, now: float, rendition: str) -> None:
        """Packets came after their time was listed as a gap."""
        self.say(
            AdviceKind.LATE_TRACK,
            now,
            f"packets of {rendition} came after their time was over and were dropped: the encoder sends its tracks "
            "too far apart, or the network stalled",
        )

    def overlap(self, now: float, rendition: str) -> None:
        """Audio times run behind the samples."""
        self.say(
            AdviceKind.OVERLAP,
            now,
            f"{rendition} sends more sound than its timestamps have room for: packets were dropped",
        )

    def overflow(self, now: float, rendition: str) -> None:
        """A secondary track runs too far ahead."""
        self.say(
            AdviceKind.OVERFLOW,
            now,
            f"{rendition} runs too far ahead of the first track: packets were dropped",
        )
