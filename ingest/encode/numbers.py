"""What one ladder has counted, for metrics. Sans-IO."""

from __future__ import annotations

from dataclasses import dataclass, field

from .model import Progress


@dataclass(slots=True)
class Numbers:
    """Sums over the life of a ladder, whatever number of workers it had; they only ever grow."""

    changes: dict[tuple[str, str], int] = field(default_factory=dict)
    """Steps of the level, by direction (`down`, `up`) and reason (`speed`, `lag`, `calm`)."""
    skips: int = 0
    frames: int = 0
    """Pictures of all video rungs that were delivered."""
    cpu_s: float = 0.0
    duplicated: int = 0
    dropped: int = 0
    errors: int = 0
    _last: Progress | None = None

    def another_worker(self) -> None:
        """The sums of the next Progress start at 0."""
        self._last = None

    def progress(self, said: Progress) -> None:
        """Add what is new in a worker's sums."""
        last, self._last = self._last, said
        self.cpu_s += max(0.0, said.cpu_s - (last.cpu_s if last else 0.0))
        self.duplicated += max(0, said.duplicated - (last.duplicated if last else 0))
        self.dropped += max(0, said.dropped - (last.dropped if last else 0))
        self.errors += max(0, said.errors - (last.errors if last else 0))

    def change(self, direction: str, reason: str) -> None:
        """One step of the level."""
        key = (direction, reason)
        self.changes[key] = self.changes.get(key, 0) + 1
