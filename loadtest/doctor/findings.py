"""What a check says: `Seen` of one rule, gathered into one `Finding` per rule and severity. Sans-IO."""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

EXAMPLES = 3
"""Examples kept per finding. Why: more of the same tells nothing, and a broken stream shows it in each version."""
MAX_TEXT = 300
"""Characters of one example: what a server sends must not fill the terminal."""


class Severity(enum.StrEnum):
    """How bad it is."""

    ERROR = "error"
    """Breaks a MUST of the protocol, or players are known to stop."""
    WARNING = "warning"
    """Breaks a SHOULD, or players are known to stall, drift or waste."""
    ADVICE = "advice"
    """Asked by Apple's authoring specification only, or would be better."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the checklist, in words for who runs the stream."""

    number: int
    title: str
    severity: Severity
    source: str
    """Section of the specification, or the player whose code or tracker shows it."""
    players: str
    """What players do with it."""
    mend: str
    """How to mend it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One observation. `where`: the rendition, empty for the stream as a whole."""

    rule: int
    where: str
    what: str
    severity: Severity | None = None
    """None: the rule's own."""


@dataclass(frozen=True, slots=True)
class Finding:
    """All observations of one rule."""

    rule: Rule
    severity: Severity
    where: tuple[str, ...]
    seen: tuple[str, ...]
    """The first EXAMPLES different ones."""
    count: int
    """Observations in all, also equal ones."""


def gather(
    seen: Iterable[Seen], rules: Mapping[int, Rule], *, only: Collection[int] = (), ignored: Collection[int] = ()
) -> list[Finding]:
    """One finding per rule and severity: the worst first, then by number. `only` empty: all rules."""
    groups: dict[tuple[int, Severity], list[Seen]] = {}
    for one in seen:
        if one.rule in ignored or (only and one.rule not in only):
            continue
        groups.setdefault((one.rule, one.severity or rules[one.rule].severity), []).append(one)
    order = list(Severity)
    found = [_finding(rules[number], severity, group) for (number, severity), group in groups.items()]
    return sorted(found, key=lambda finding: (order.index(finding.severity), finding.rule.number))


def _finding(rule: Rule, severity: Severity, group: list[Seen]) -> Finding:
    where = tuple(dict.fromkeys(printable(one.where) for one in group if one.where))
    texts = tuple(dict.fromkeys(printable(one.what) for one in group))
    return Finding(rule, severity, where, texts[:EXAMPLES], len(group))


def printable(text: str) -> str:
    """`text` of a server, safe for a terminal: no control characters, bounded."""
    cut = text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)
