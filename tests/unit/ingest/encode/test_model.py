"""What a plan adds up to, and that every message between host and worker has its bytes."""

from __future__ import annotations

from fractions import Fraction
from typing import get_args

import pytest

from headwater.ingest.encode.model import AudioRung, FromWorker, Picture, Plan, Thumbnails, ToWorker, VideoRung
from headwater.ingest.media import Codec, Rendition

from .test_wire import MESSAGES

SOURCE = Rendition("source")
STILLS = Thumbnails(4.0, 320)


def rung(name: str, height: int) -> VideoRung:
    width = height * 16 // 9
    return VideoRung(
        Rendition(name), Codec.H264, "libx264", width, height, 3_000_000, 3_300_000, 1_650_000, "veryfast", "high"
    )


HIGH, LOW = rung("720p", 720), rung("360p", 360)
SOUND = AudioRung(Rendition("audio-aac"), Rendition("audio"), Codec.AAC, "aac", 96_000, 48_000, 2)


@pytest.mark.parametrize(
    ("plan", "rungs", "empty"),
    [
        (Plan(Fraction(30), None), (), True),
        (Plan(Fraction(30), SOURCE), (), True),
        (Plan(Fraction(30), SOURCE, list_source=False), (), True),
        (Plan(Fraction(30), SOURCE, (HIGH, LOW)), (HIGH, LOW), False),
        (Plan(Fraction(30), None, audio=(SOUND,)), (SOUND,), False),
        (Plan(Fraction(30), SOURCE, thumbnails=STILLS), (), False),
        (Plan(Fraction(30), SOURCE, (HIGH, LOW), (SOUND,), STILLS), (HIGH, LOW, SOUND), False),
    ],
)
def test_what_a_plan_has_a_worker_do(plan: Plan, rungs: tuple[VideoRung | AudioRung, ...], empty: bool) -> None:
    assert plan.rungs == rungs, "pictures first, the highest first"
    assert plan.empty is empty


def test_equal_plans_are_one() -> None:
    plan = Plan(Fraction(60, 2), SOURCE, (HIGH,), (SOUND,), STILLS)
    assert plan == Plan(Fraction(30), SOURCE, (rung("720p", 720),), (SOUND,), Thumbnails(4.0, 320))
    assert plan != Plan(Fraction(30), SOURCE, (HIGH,), (SOUND,), Thumbnails(2.0, 320))
    assert len({plan, Plan(Fraction(30), SOURCE, (HIGH,), (SOUND,), STILLS)}) == 1


def test_what_is_not_said() -> None:
    plan = Plan(Fraction(30), SOURCE)
    assert (plan.thumbnails, plan.list_source) == (None, True)
    assert (HIGH.divisor, SOUND.language, SOUND.name) == (1, "und", "")


def test_every_message_has_its_bytes() -> None:
    assert {type(message) for message in MESSAGES} == {*get_args(ToWorker), *get_args(FromWorker)}


def test_a_picture_does_not_fill_a_log() -> None:
    assert repr(Picture("image/jpeg", 90, b"PICTURE")) == "Picture(content_type='image/jpeg', time=90)"
