from __future__ import annotations

import json

from tests.doctor_records import media, recording, rendition

from headwater.loadtest.doctor.catalogue import RULES
from headwater.loadtest.doctor.findings import Seen, gather
from headwater.loadtest.doctor.report import SCHEMA, WIDTH, Report


def report(*seen: Seen) -> Report:
    made = recording(rendition(media(parts=4, opened=1), name="so\x1burce"))
    made.note("not \x07 looked into")
    return Report(made, tuple(gather(seen, RULES)))


def test_text() -> None:
    text = report(Seen(42, "source", "part 1 " + "of a segment " * 20), Seen(176, "", "one variant")).text()
    assert text.isprintable() or "\x1b" not in text
    assert "ERROR    rule 42: No part is longer than PART-TARGET in source" in text
    assert "ADVICE   rule 176" in text
    assert "note: not \\x07 looked into" in text
    assert text.endswith("1 error, 1 advice.\n")
    assert all(len(line) <= WIDTH + 20 for line in text.splitlines())


def test_nothing_found() -> None:
    clean = report()
    assert clean.text().endswith("No finding.\n")
    assert not clean.failed


def test_json() -> None:
    document = json.loads(report(Seen(42, "source", "long"), Seen(142, "source", "no gzip")).json())
    assert document["schema"] == SCHEMA
    assert document["failed"] is True
    assert document["low_latency"] is True
    assert document["counts"] == {"error": 1, "warning": 1, "advice": 0}
    assert [finding["rule"] for finding in document["findings"]] == [42, 142]
    assert document["findings"][0]["mend"] == RULES[42].mend
    assert document["renditions"][0]["versions"] == 1
