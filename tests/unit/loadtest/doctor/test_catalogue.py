from __future__ import annotations

import re
from pathlib import Path

from tests.talk.test_doctor_broken import FAULTS

from headwater.loadtest.doctor import rules_delivery, rules_media, rules_playlist
from headwater.loadtest.doctor.catalogue import RULES, markdown

ROOT = Path(__file__).parents[4]


def test_each_rule_stands_once_and_says_everything() -> None:
    every = (*rules_playlist.RULES, *rules_delivery.RULES, *rules_media.RULES)
    assert len(RULES) == len(every) > 100
    for rule in every:
        assert all((rule.title, rule.source, rule.players, rule.mend))
        assert rule.mend.endswith((".", "…"))


def test_checks_say_only_rules_that_are_there_and_all_of_them() -> None:
    text = "".join(path.read_text() for path in (ROOT / "loadtest/doctor/checks").glob("*.py"))
    assert {int(number) for number in re.findall(r"Seen\(\s*(\d+),", text)} <= RULES.keys()
    assert {int(number) for number in re.findall(r"\b\d{1,3}\b", text)} >= RULES.keys()


def test_each_rule_has_a_broken_stream_or_a_test_of_its_check() -> None:
    shown = {rule for fault in FAULTS.values() for rule in fault.rules}
    tests = "".join(path.read_text() for path in (ROOT / "tests/unit/loadtest/doctor/checks").glob("*.py"))
    shown |= {int(number) for group in re.findall(r"== \{([\d, ]+)\}", tests) for number in group.split(",") if number}
    shown |= {int(number) for number in re.findall(r"\b(\d{1,3})\),", tests)}
    assert not RULES.keys() - shown


def test_the_page_has_the_table() -> None:
    assert markdown() in (ROOT / "docs" / "doctor.md").read_text()
