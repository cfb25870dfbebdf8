from __future__ import annotations

from tests.doctor_kit import GOOD, examine

from headwater.loadtest.doctor.probes import NO_NAME, _sibling
from headwater.loadtest.doctor.values import ProbeKind


def test_everything_is_tried_on_the_first_rendition() -> None:
    source, audio = examine(GOOD).recording.renditions
    tried = {probe.kind for probe in source.probes}
    assert tried == set(ProbeKind) - {ProbeKind.GAP_FILE}
    statuses = {probe.kind: probe.answer.status for probe in source.probes}
    assert {kind for kind, status in statuses.items() if status == 400} == {
        ProbeKind.NO_MSN, ProbeKind.FAR_MSN, ProbeKind.FAR_PART, ProbeKind.LETTERS, ProbeKind.NEGATIVE,
    }  # fmt: skip
    assert statuses[ProbeKind.NO_FILE] == 404
    assert statuses[ProbeKind.RANGE] == 206
    assert statuses[ProbeKind.RANGE_PAST] == 416
    assert ProbeKind.FAR_MSN not in {probe.kind for probe in audio.probes}


def test_deltas_and_the_full_playlist_are_of_one_version() -> None:
    source = examine(GOOD).recording.renditions[0]
    (delta,), (full,) = source.probe(ProbeKind.DELTA), source.probe(ProbeKind.DELTA_FULL)
    assert delta.after is not None
    assert full.after is not None
    assert delta.after.skipped > 0
    assert delta.after.position == full.after.position


def test_a_name_that_never_was() -> None:
    assert _sibling("p1.m4s?x", "http://h/a/index.m3u8") == f"http://h/a/{NO_NAME}.m4s"
    assert _sibling("p1", "http://h/a/index.m3u8") == f"http://h/a/{NO_NAME}"
