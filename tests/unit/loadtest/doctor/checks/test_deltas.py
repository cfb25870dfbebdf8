from __future__ import annotations

from tests.doctor_records import media, probe, recording, rendition, rules

from headwater.loadtest.doctor.checks.deltas import check
from headwater.loadtest.doctor.values import ProbeKind
from headwater.origin.hls import reader, writer
from headwater.origin.hls.directives import Skip

FULL = media(12, parts=4, opened=1).replace("CAN-BLOCK", "CAN-SKIP-UNTIL=24.000,CAN-BLOCK")
DELTA = writer.render(reader.read(FULL), delta=Skip.YES)


def found(delta: str, full: str = FULL, status: int = 200) -> set[int]:
    record = rendition(full)
    record.probes.append(probe(ProbeKind.DELTA, delta, before=full, status=status))
    record.probes.append(probe(ProbeKind.DELTA_FULL, full, before=full))
    return rules(check, recording(record))


def test_good_ones() -> None:
    assert "SKIPPED-SEGMENTS=5" in DELTA
    assert found(DELTA) == set()
    plain = media(12, parts=4, opened=1)
    assert found(plain, plain) == set()


def test_bad_ones() -> None:
    assert found(FULL) == {102}
    assert found("", status=400) == {102}
    assert found(DELTA, media(12, parts=4, opened=1)) == {102}
    assert found(DELTA.replace("SEGMENTS=5", "SEGMENTS=4")) == {104}
    assert found(DELTA.replace("SEGMENTS=5", "SEGMENTS=0")) == {107}
    assert found(DELTA.replace("MEDIA-SEQUENCE:100", "MEDIA-SEQUENCE:105")) == {104}
    assert found(DELTA.replace("s108.m4s", "x108.m4s")) == {112}
    assert found(DELTA.replace('URI="init.mp4"', "URI=")) in ({112}, set())
    assert found(DELTA.replace("CAN-SKIP-UNTIL=24", "CAN-SKIP-UNTIL=24"), FULL.replace("=24.000", "=36.000")) == {103}


def test_one_that_cannot_be_read() -> None:
    assert found(DELTA.replace("#EXTINF:4.000,", "#EXTINF:x,")) == {112}
    moved = DELTA.replace("#EXT-X-SKIP:SKIPPED-SEGMENTS=5\n", "").replace(
        "#EXT-X-MEDIA-SEQUENCE", "#EXT-X-SKIP:SKIPPED-SEGMENTS=5\n#EXT-X-MEDIA-SEQUENCE"
    )
    assert found(moved) == {105}


def test_another_version_is_not_compared() -> None:
    record = rendition(FULL)
    record.probes.append(probe(ProbeKind.DELTA, DELTA, before=FULL))
    later = FULL.replace("p112.0.m4s", "p112.9.m4s")
    record.probes.append(probe(ProbeKind.DELTA_FULL, later, before=FULL))
    assert rules(check, recording(record)) == set()
