"""Every rule that the doctor checks, in one place: docs/doctor.md is made from it. Sans-IO."""

from __future__ import annotations

from . import rules_delivery, rules_media, rules_playlist
from .findings import Rule

RULES: dict[int, Rule] = {
    rule.number: rule
    for rule in sorted((*rules_playlist.RULES, *rules_delivery.RULES, *rules_media.RULES), key=lambda rule: rule.number)
}
"""By number. 301 and above are the doctor's own."""


def markdown() -> str:
    """The table of docs/doctor.md."""
    lines = ["| rule | severity | what must hold | source | what players do | how to mend it |"]
    lines.append("|---|---|---|---|---|---|")
    lines += [
        f"| {r.number} | {r.severity} | {r.title} | {r.source} | {r.players} | {r.mend} |" for r in RULES.values()
    ]
    return "\n".join(lines) + "\n"
