"""The account of what the server did, to compare a harness's figures with. Sans-IO."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from .faults import Faults, Kind
from .schedule import Schedule


@dataclass
class Told:
    """Sums since the start."""

    faults: Faults
    listed: int = 0
    """Parts of the stream (each is one file per rendition)."""
    hit: Counter[Kind] = field(default_factory=Counter)
    """How many of them each kind of fault hit."""
    answers: Counter[str] = field(default_factory=Counter)
    """By `status what`: `200 playlist`, `404 part`…"""
    done: Counter[Kind] = field(default_factory=Counter)
    """Answers in which a fault was done."""
    connections: int = 0
    refused: int = 0
    """Connections ended because of a bound: too many, a head too long, nothing read or asked for too long."""

    def list(self, number: int, since_start_ms: int) -> None:
        """Part `number` entered the playlists."""
        self.listed += 1
        for fault in self.faults.all:
            if fault.hits(number, since_start_ms):
                self.hit[fault.kind] += 1

    def answer(self, label: str, kind: Kind | None) -> None:
        """One answer was begun."""
        self.answers[label] += 1
        if kind is not None:
            self.done[kind] += 1

    def report(self, schedule: Schedule, now_ms: float) -> dict[str, object]:
        """What `/told` says; times are Unix seconds."""
        shape = schedule.shape
        return {
            "start": schedule.start_ms / 1000,
            "now": now_ms / 1000,
            "part_s": shape.part_ms / 1000,
            "parts_per_segment": shape.parts,
            "faults": [
                {"kind": fault.kind, "amount": fault.amount, "share": fault.share, "from_s": fault.start_ms / 1000}
                for fault in self.faults.all
            ],
            "listed": self.listed,
            "hit": dict(self.hit),
            "answers": dict(self.answers),
            "done": dict(self.done),
            "connections": self.connections,
            "refused": self.refused,
        }
