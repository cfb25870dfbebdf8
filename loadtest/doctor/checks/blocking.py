"""Answers to directives: rules 32, 80-101. Sans-IO."""

from __future__ import annotations

from collections.abc import Iterator

from headwater.loadtest.doctor.findings import Seen
from headwater.loadtest.doctor.values import QUICK_S, Probe, Recording, RenditionRecord, Version, has_parts, holds
from headwater.loadtest.doctor.values import ProbeKind as K
from headwater.origin.hls import directives

SLOW_S = 0.8
"""A plain request that takes this long has been held. Why: three round trips around the earth."""

TOGETHER_S = 0.2


def check(recording: Recording) -> Iterator[Seen]:
    """Each rendition that was probed."""
    for record in recording.renditions:
        yield from _plain(recording, record)
        last = record.last
        if last is None or not last.control.can_block_reload or last.ended:
            continue
        early = list(_early(record))
        yield from early
        if not any(seen.rule == 32 for seen in early):
            yield from _holds(record)
        yield from _old(recording, record)
        yield from _wrong(record)


def _early(record: RenditionRecord) -> Iterator[Seen]:
    """Answers of the watch that do not hold what was waited for."""
    last = record.last
    if last is not None and last.part_target is not None and not has_parts(last):
        return  # rule 36 says it
    asked = [v for v in record.versions if v.msn is not None and v.playlist is not None]
    steady = record.steady
    missed = [v for v in asked if not v.satisfied and v in steady]
    if asked and len(missed) * 2 > len(asked) and len(missed) > 1:
        yield Seen(32, record.name, f"{len(missed)} of {len(asked)} answers came before what was asked for was listed")
        return
    for version in missed:
        yield Seen(80 if version.part is None else 81, record.name, _missed(version))
    refused = [v for v in record.versions if v.msn is not None and 400 <= v.answer.status < 500]
    for version in refused:
        what = directives.query(version.msn, version.part)
        yield Seen(
            81 if version.part is not None else 80, record.name, f"{what}, the next one: {version.answer.status}"
        )
    hung = [
        v for v in record.versions if v.msn is not None and not v.answer.status and "not finished" in v.answer.failure
    ]
    for version in hung:
        waited = version.answer.done - version.answer.sent
        last = record.last
        if last is not None and waited > 3 * last.target_duration + 1:
            yield Seen(91, record.name, f"{directives.query(version.msn, version.part)} was held for {waited:.1f} s")


def _missed(version: Version) -> str:
    assert version.playlist is not None  # filtered
    at = version.playlist.position
    asked = directives.query(version.msn, version.part)
    return f"{asked} was answered with {at.last_msn} complete and {at.open_parts} parts more"


def _holds(record: RenditionRecord) -> Iterator[Seen]:
    for probe in record.probe(K.NEXT_SEGMENT):
        if probe.before is not None and (text := _unsatisfied(probe, probe.before.last_msn + 1)):
            yield Seen(80, record.name, text)
    for probe in record.probe(K.PAST_END):
        before = probe.before
        if before is None:
            continue
        what = f"part {before.position.last_part_count + 50} of segment {before.last_msn}"
        if probe.answer.status >= 400:
            yield Seen(82, record.name, f"{what}: {probe.answer.status}")
        elif probe.after is not None and not holds(probe.after, before.last_msn + 1, 0):
            yield Seen(82, record.name, f"{what}: answered before part 0 of {before.last_msn + 1} was listed")
        elif not probe.answer.status:
            yield Seen(82, record.name, f"{what}: {probe.answer.failure}")


def _unsatisfied(probe: Probe, msn: int) -> str:
    if probe.answer.status >= 400:
        return f"{probe.kind}: {probe.answer.status}"
    if probe.after is not None and not holds(probe.after, msn, None):
        return f"{probe.kind} {msn}: answered when {probe.after.last_msn} was the last"
    return ""


def _plain(recording: Recording, record: RenditionRecord) -> Iterator[Seen]:
    plain = [probe.answer for probe in record.probe(K.PLAIN) if probe.answer.status == 200]
    if len(plain) > 1 and min(a.waited for a in plain) > SLOW_S + recording.lag:
        yield Seen(95, record.name, f"plain requests took {min(a.waited for a in plain):.2f} s and more")
    yield from _same(record)


def _same(record: RenditionRecord) -> Iterator[Seen]:
    """Requests at the same time: of the same version the text is the same."""
    plain, twins = record.probe(K.PLAIN), record.probe(K.TWIN)
    unequal = [True for twin in twins for one in _beside(twin, plain) if _differ(one, twin)]
    if unequal:
        yield Seen(101, record.name, "two equal requests at the same time had different texts of one version")
        return
    for identity in record.probe(K.IDENTITY):
        coded = [one for one in _beside(identity, plain) if one.answer.header("content-encoding")]
        if any(_differ(one, identity) for one in coded):
            yield Seen(170, record.name, "the text with gzip and the one without differ in one version")


def _beside(probe: Probe, others: list[Probe]) -> list[Probe]:
    """Those that were sent at the same time."""
    return [other for other in others if abs(other.answer.sent - probe.answer.sent) < TOGETHER_S]


def _differ(one: Probe, other: Probe) -> bool:
    """Different texts of the same moment."""
    if one.after is None or other.after is None or one.after.position != other.after.position:
        return False
    if one.after.hints != other.after.hints or one.after.reports != other.after.reports:
        return False  # another version
    return one.text != other.text


def _old(recording: Recording, record: RenditionRecord) -> Iterator[Seen]:
    for probe in record.probe(K.OLD):
        if probe.answer.status >= 400 or not probe.answer.status:
            why = probe.answer.failure or str(probe.answer.status)
            yield Seen(83, record.name, f"a position before the window: {why}")
    listed = record.probe(K.LISTED)
    for probe in listed:
        if probe.answer.status >= 400:
            yield Seen(96, record.name, f"the last part that is listed: {probe.answer.status}")
    target = record.last.part_target if record.last else None
    waits = [probe.answer.waited for probe in listed if probe.answer.ok]
    plain = [probe.answer.waited for probe in record.probe(K.PLAIN) if probe.answer.ok]
    if (
        target is not None
        and len(waits) > 1
        and plain
        and min(waits) > max(plain) + recording.lag + min(0.1, target / 4)
    ):
        yield Seen(96, record.name, f"the last part that is listed: held for {min(waits):.2f} s")
    for probe, ordered in zip(listed, record.probe(K.ORDER), strict=False):
        if probe.answer.ok and ordered.answer.status >= 400:
            yield Seen(100, record.name, f"_HLS_part before _HLS_msn: {ordered.answer.status}")


_REFUSED = (
    (85, K.NO_MSN, "_HLS_part without _HLS_msn"),
    (86, K.FAR_MSN, "_HLS_msn 1000 ahead"),
    (89, K.LETTERS, "_HLS_msn=abc"),
    (89, K.NEGATIVE, "_HLS_msn=-1"),
)


def _wrong(record: RenditionRecord) -> Iterator[Seen]:
    for rule, kind, text in _REFUSED:
        for probe in record.probe(kind):
            if probe.answer.status != 400:
                yield Seen(rule, record.name, f"{text}: {_outcome(probe)}")
    for probe in record.probe(K.FAR_PART):
        closed = probe.after is not None and probe.before is not None and probe.after.last_msn > probe.before.last_msn
        # The segment may have closed in between: then it is a part past the end, and held (rule 82).
        if probe.answer.status != 400 and not closed and not _slow_close(probe):
            yield Seen(87, record.name, f"_HLS_part=1000: {_outcome(probe)}")
    for probe in record.probe(K.UNKNOWN):
        if probe.answer.status >= 400:
            yield Seen(90, record.name, f"_HLS_doctor=1: {probe.answer.status}")


def _slow_close(probe: Probe) -> bool:
    return probe.answer.status == 503


def _outcome(probe: Probe) -> str:
    if not probe.answer.status:
        return f"no answer in {QUICK_S:.0f} s" if "not finished" in probe.answer.failure else probe.answer.failure
    return f"{probe.answer.status} after {probe.answer.waited:.2f} s"
