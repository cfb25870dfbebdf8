from __future__ import annotations

from headwater.loadtest.doctor.catalogue import RULES
from headwater.loadtest.doctor.findings import EXAMPLES, MAX_TEXT, Seen, Severity, gather, printable


def test_one_finding_per_rule_and_severity_the_worst_first() -> None:
    seen = [Seen(176, "", "one"), Seen(8, "b", "x"), *(Seen(8, "a", f"y{n}") for n in range(9)), Seen(8, "a", "y1")]
    seen.append(Seen(8, "c", "mild", Severity.WARNING))
    error, warning, advice = gather(seen, RULES)
    assert (error.rule.number, error.severity, error.where, error.count) == (8, Severity.ERROR, ("b", "a"), 11)
    assert error.seen == ("x", "y0", "y1")
    assert len(error.seen) == EXAMPLES
    assert (warning.rule.number, warning.severity) == (8, Severity.WARNING)
    assert advice.rule.number == 176


def test_choice_of_rules() -> None:
    seen = [Seen(8, "", "x"), Seen(9, "", "y")]
    assert [f.rule.number for f in gather(seen, RULES, only=(9,))] == [9]
    assert [f.rule.number for f in gather(seen, RULES, ignored=(9,))] == [8]


def test_a_servers_text_does_nothing_to_the_terminal() -> None:
    assert printable("\x1b[31mred\n") == "\\x1b[31mred\\n"
    assert printable("\u202eabc") == "\\u202eabc"
    assert len(printable("x" * 10_000)) == MAX_TEXT + 1
