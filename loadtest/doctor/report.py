"""Findings -> text for people, JSON for programs. Sans-IO."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from dataclasses import dataclass

from .findings import Finding, Severity, printable
from .values import FileKind, Recording, low_latency

SCHEMA = 1
"""Version of the JSON document: raised when a field changes its meaning or goes."""
WIDTH = 100


@dataclass(frozen=True, slots=True)
class Report:
    """What one run found."""

    recording: Recording
    findings: tuple[Finding, ...]

    @property
    def failed(self) -> bool:
        """Whether there is an error."""
        return any(finding.severity is Severity.ERROR for finding in self.findings)

    def text(self) -> str:
        """For the terminal."""
        return "\n".join([*self._head(), "", *self._body(), *self._notes(), self._verdict()]) + "\n"

    def json(self) -> str:
        """The document of docs/doctor.md."""
        recording = self.recording
        document = {
            "schema": SCHEMA,
            "url": recording.url,
            "low_latency": low_latency(recording.renditions),
            "seconds": round(max(0.0, recording.ended - recording.began), 3),
            "lag_s": round(recording.lag, 3),
            "failed": self.failed,
            "counts": {severity.value: self.count(severity) for severity in Severity},
            "renditions": [
                {
                    "name": printable(record.name),
                    "url": record.url,
                    "versions": len(record.versions),
                    "parts": len(record.files_of(FileKind.PART)),
                    "segments": len(record.files_of(FileKind.SEGMENT)),
                }
                for record in recording.renditions
            ],
            "findings": [_plain(finding) for finding in self.findings],
            "notes": [printable(note) for note in recording.notes],
        }
        return json.dumps(document, indent=2, ensure_ascii=True) + "\n"

    def count(self, severity: Severity) -> int:
        """Findings of one severity."""
        return Counter(finding.severity for finding in self.findings)[severity]

    def _head(self) -> list[str]:
        recording = self.recording
        kind = "Low-Latency HLS" if low_latency(recording.renditions) else "HLS without low latency"
        lines = [f"{printable(recording.url)}: {kind}, watched for {recording.ended - recording.began:.0f} s"]
        for record in recording.renditions:
            parts, segments = len(record.files_of(FileKind.PART)), len(record.files_of(FileKind.SEGMENT))
            lines.append(
                f"  {printable(record.name)}: {len(record.versions)} playlists, {parts} parts, {segments} segments"
            )
        return lines

    def _body(self) -> list[str]:
        lines: list[str] = []
        for finding in self.findings:
            rule = finding.rule
            where = f" in {', '.join(finding.where[:4])}" if finding.where else ""
            more = ", …" if len(finding.where) > 4 else ""
            lines.append(f"{finding.severity.value.upper():8} rule {rule.number}: {rule.title}{where}{more}")
            lines += [line for text in finding.seen for line in _wrapped("seen", text)]
            if finding.count > len(finding.seen):
                lines.append(f"           ({finding.count} times in all)")
            lines += [*_wrapped("players", rule.players), *_wrapped("mend", rule.mend)]
            lines += [*_wrapped("source", rule.source), ""]
        return lines

    def _notes(self) -> list[str]:
        notes = self.recording.notes
        return [*(f"note: {printable(note)}" for note in notes), ""] if notes else []

    def _verdict(self) -> str:
        counts = [
            f"{number} {severity.value}{'' if number == 1 or severity is Severity.ADVICE else 's'}"
            for severity in Severity
            if (number := self.count(severity))
        ]
        return f"{', '.join(counts)}." if counts else "No finding."


def _wrapped(label: str, text: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=f"  {label + ':':9}", subsequent_indent=" " * 11, break_on_hyphens=False
    )


def _plain(finding: Finding) -> dict[str, object]:
    rule = finding.rule
    return {
        "rule": rule.number,
        "severity": finding.severity.value,
        "title": rule.title,
        "where": list(finding.where),
        "seen": list(finding.seen),
        "count": finding.count,
        "players": rule.players,
        "mend": rule.mend,
        "source": rule.source,
    }
