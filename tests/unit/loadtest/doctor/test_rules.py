"""The texts and severities of the rules; that each is checked and fires is in `test_catalogue` and `checks`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.doctor_records import media, recording, rendition

from headwater.loadtest.doctor import rules_delivery, rules_media, rules_playlist
from headwater.loadtest.doctor.catalogue import RULES
from headwater.loadtest.doctor.findings import Rule, Seen, Severity, gather, printable
from headwater.loadtest.doctor.report import WIDTH, Report
from headwater.origin.conformance import RULES as OWN

ROOT = Path(__file__).parents[4]
MODULES = {"playlist": rules_playlist.RULES, "delivery": rules_delivery.RULES, "media": rules_media.RULES}
DOCTORS = 301
"""The first rule that is the doctor's own."""


def texts(rule: Rule) -> tuple[str, ...]:
    return (rule.title, rule.source, rule.players, rule.mend)


@pytest.mark.parametrize("rules", MODULES.values(), ids=MODULES.keys())
def test_rules_stand_in_the_order_of_their_numbers(rules: tuple[Rule, ...]) -> None:
    numbers = [rule.number for rule in rules]
    assert numbers == sorted(numbers)


def test_no_two_rules_say_the_same() -> None:
    assert len({rule.title for rule in RULES.values()}) == len(RULES)


def test_texts_are_whole_sentences_that_fit_a_cell_of_the_table() -> None:
    for rule in RULES.values():
        for text in texts(rule):
            assert printable(text) == text == " ".join(text.split()), rule
            assert "|" not in text and "<" not in text, rule
        assert rule.title[-1] not in ".…" and rule.players[-1] in ".…", rule


def test_every_rule_can_be_reported() -> None:
    made = recording(rendition(media(parts=4, opened=1)))
    for rule in RULES.values():
        text = Report(made, tuple(gather([Seen(rule.number, "", "seen")], RULES))).text()
        head = f"{rule.severity.value.upper():8} rule {rule.number}: {rule.title}"
        assert head in text.splitlines() and len(head) <= WIDTH
        flat = " ".join(text.split())
        assert f"players: {rule.players} mend: {rule.mend} source: {rule.source}" in flat


def test_sources_can_be_looked_up() -> None:
    """A section of a specification, a code of AVPlayer, an issue, a change, or what a player calls it."""
    known = re.compile(
        r"(RFC \d+(bis)?|appendix|ISO \d+(-\d+)?|Apple authoring|CoreMedia -|AVPlayer -|PR )"
        r"|#\d+|hls\.js|media3|ffmpeg|VLC"
    )
    for rule in RULES.values():
        assert known.search(rule.source), rule
        assert not re.search(r"RFC 8216(?!bis)", rule.source), rule


def test_numbers_are_those_of_the_list_of_rules() -> None:
    page = (ROOT / "docs" / "conformance.md").read_text()
    groups = re.findall(r"^\| (\d+)-(\d+) \| [^|]+ \| [^|]+ \|$", page, re.MULTILINE)
    listed = {number for first, last in groups for number in range(int(first), int(last) + 1)}
    assert len(groups) > 10
    assert {number for number in RULES if number not in listed} == {301, 302, 303}
    assert min(RULES.keys() - listed) == DOCTORS


def test_what_the_origin_asks_of_itself_it_can_be_asked_by_anybody() -> None:
    """Rule 48 counts parts as they are made; a playlist has no numbers of them."""
    assert OWN.keys() - RULES.keys() == {48}
    mild = {number: RULES[number].severity for number in OWN.keys() & RULES.keys()}
    assert {number for number, severity in mild.items() if severity is not Severity.ERROR} == {29, 51, 57, 58, 181}


@pytest.mark.parametrize(
    ("must", "should"),
    [
        (28, 29),  # 4.4.3.8: PART-HOLD-BACK MUST be two part targets and SHOULD be three
        (52, 51),  # 4.4.4.9: what says INDEPENDENT is; what is so should say it
        (42, 60),  # no part above PART-TARGET; not too short
        (76, 77),  # 4.4.5.4: what a report says is true; it says all
    ],
)
def test_a_must_is_an_error_and_a_should_a_warning(must: int, should: int) -> None:
    assert (RULES[must].severity, RULES[should].severity) == (Severity.ERROR, Severity.WARNING)


@pytest.mark.parametrize(("version", "severity"), [(6, Severity.ERROR), (7, Severity.ADVICE)])
def test_a_version_too_low_breaks_players_and_one_too_high_is_a_pity(version: int, severity: Severity) -> None:
    assert RULES[version].severity is severity


def test_what_apple_alone_asks_fails_no_stream() -> None:
    """But for a hole in decode times (204): any decoder stumbles over it."""
    alone = [rule for rule in RULES.values() if rule.source.startswith("Apple") and ";" not in rule.source]
    assert len(alone) > 5
    assert {rule.number for rule in alone if rule.severity is not Severity.ADVICE} == {204}
