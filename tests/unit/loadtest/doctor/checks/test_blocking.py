from __future__ import annotations

import pytest
from tests.doctor_records import media, probe, recording, rendition, rules

from headwater.loadtest.doctor.checks.blocking import check
from headwater.loadtest.doctor.values import Probe, ProbeKind

NOW = media(8, parts=4, opened=2)
NEXT = media(9, parts=4, opened=1)


def found(*probes: Probe) -> set[int]:
    record = rendition(NOW)
    record.probes.extend(probes)
    return rules(check, recording(record))


def test_good_answers() -> None:
    assert found(
        probe(ProbeKind.NEXT_SEGMENT, NEXT, before=NOW),
        probe(ProbeKind.PAST_END, NOW, before=NOW),
        probe(ProbeKind.OLD, NOW, before=NOW),
        probe(ProbeKind.NO_MSN, status=400),
        probe(ProbeKind.FAR_PART, NEXT, before=NOW),
        probe(ProbeKind.UNKNOWN, NOW),
    ) == set()  # fmt: skip


@pytest.mark.parametrize(
    ("one", "rule"),
    [
        (probe(ProbeKind.NEXT_SEGMENT, NOW, before=NOW), 80),
        (probe(ProbeKind.NEXT_SEGMENT, status=400, before=NOW), 80),
        (probe(ProbeKind.PAST_END, media(8, parts=4), before=NOW), 82),
        (probe(ProbeKind.PAST_END, status=404, before=NOW), 82),
        (probe(ProbeKind.PAST_END, status=0, before=NOW), 82),
        (probe(ProbeKind.OLD, status=400, before=NOW), 83),
        (probe(ProbeKind.LISTED, status=400, before=NOW), 96),
        (probe(ProbeKind.NO_MSN, NOW), 85),
        (probe(ProbeKind.FAR_MSN, status=0), 86),
        (probe(ProbeKind.FAR_PART, NOW, before=NOW), 87),
        (probe(ProbeKind.NEGATIVE, status=500), 89),
        (probe(ProbeKind.UNKNOWN, status=400), 90),
    ],
)
def test_bad_answers(one: Probe, rule: int) -> None:
    assert found(one) == {rule}


def test_different_texts_of_one_version() -> None:
    assert found(probe(ProbeKind.PLAIN, NOW), probe(ProbeKind.TWIN, NOW)) == set()
    assert found(probe(ProbeKind.PLAIN, NOW), probe(ProbeKind.TWIN, NOW + "# 1\n")) == {101}
    assert found(probe(ProbeKind.PLAIN, NOW), probe(ProbeKind.TWIN, NEXT)) == set()
    assert found(probe(ProbeKind.PLAIN, NOW), probe(ProbeKind.IDENTITY, NOW + "# 1\n")) == {170}
