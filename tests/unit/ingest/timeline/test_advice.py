"""What the broadcaster is told."""

from __future__ import annotations

import pytest

from headwater.ingest.timeline.advice import EVERY_S, Adviser
from headwater.ingest.timeline.model import AdviceKind


def test_a_kind_is_said_once_a_minute() -> None:
    adviser = Adviser()
    for now in (0.0, 1.0, EVERY_S - 0.1):
        adviser.gap(now, "audio")
        adviser.jump(now, "source")
    assert [advice.kind for advice in adviser.take()] == [AdviceKind.GAP, AdviceKind.JUMP]
    assert adviser.take() == []
    adviser.gap(EVERY_S, "audio")
    assert [advice.kind for advice in adviser.take()] == [AdviceKind.GAP]


@pytest.mark.parametrize(
    ("call", "arguments", "words"),
    [
        ("part_target", (520, 600), ["600 ms", "1.80 s", "1.56 s"]),
        ("part_misfit", ("audio", 520), ["audio", "520 ms"]),
        ("long_gop", (900_000, 4), ["10.0 s", "4 s", "keyframe interval to 2 s"]),
        ("no_keyframe", (4,), ["4 s", "keyframe interval"]),
        ("no_first_keyframe", (12.4,), ["12 s"]),
        ("bases", ("audio",), ["audio", "arrival"]),
        ("frozen", ("source",), ["source", "stand still"]),
        ("late_track", ("audio",), ["audio", "dropped"]),
        ("overlap", ("audio",), ["audio", "dropped"]),
        ("overflow", ("audio",), ["audio", "ahead"]),
    ],
)
def test_the_words_name_what_and_how_much(call: str, arguments: tuple[object, ...], words: list[str]) -> None:
    adviser = Adviser()
    getattr(adviser, call)(0.0, *arguments)
    (advice,) = adviser.take()
    assert all(word in advice.text for word in words), advice.text
