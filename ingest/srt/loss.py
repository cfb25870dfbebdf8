"""The packets that are missing, as gaps between positions, and their form in a loss report. Sans-IO."""

from __future__ import annotations

from bisect import bisect_right

from .packets import MAX_LOSS_WORDS, RANGE
from .sequence import SEQUENCE_MASK


class LossList:
    """Gaps `first .. last` of positions, in order and apart from each other.

    A gap is opened above all others, and shrinks or splits as its packets come in.
    """

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        self.count = 0
        """Packets that are missing."""

    def __bool__(self) -> bool:
        return bool(self._firsts)

    @property
    def head(self) -> tuple[int, int]:
        """The oldest gap. Only when there is one."""
        return self._firsts[0], self._lasts[0]

    def open(self, first: int, last: int) -> None:
        """`first .. last` are missing; they are above every known gap."""
        self._firsts.append(first)
        self._lasts.append(last)
        self.count += last - first + 1

    def fill(self, position: int) -> bool:
        """`position` came in; whether it was missing."""
        at = bisect_right(self._firsts, position) - 1
        if at < 0 or position > self._lasts[at]:
            return False
        first, last = self._firsts[at], self._lasts[at]
        self.count -= 1
        if first == last:
            del self._firsts[at], self._lasts[at]
        elif position == first:
            self._firsts[at] = position + 1
        elif position == last:
            self._lasts[at] = position - 1
        else:
            self._lasts[at] = position - 1
            self._firsts.insert(at + 1, position + 1)
            self._lasts.insert(at + 1, last)
        return True

    def drop_head(self) -> int:
        """Give the oldest gap up; how many packets it was."""
        size = self._lasts[0] - self._firsts[0] + 1
        del self._firsts[0], self._lasts[0]
        self.count -= size
        return size

    def end_of(self, position: int) -> int:
        """The last packet of the gap that `position` is in. Only for one that is missing."""
        return self._lasts[bisect_right(self._firsts, position) - 1]

    def missing(self, first: int, last: int) -> list[int]:
        """The positions in `first .. last` that are missing."""
        found: list[int] = []
        start = max(0, bisect_right(self._firsts, first) - 1)
        for at in range(start, len(self._firsts)):
            if self._firsts[at] > last:
                break
            found += range(max(first, self._firsts[at]), min(last, self._lasts[at]) + 1)
        return found

    def words(self) -> list[int]:
        """The oldest gaps as the words of one loss report, as many as fit."""
        words: list[int] = []
        for first, last in zip(self._firsts, self._lasts, strict=True):
            if len(words) > MAX_LOSS_WORDS - 2:
                break
            words += encode(first, last)
        return words


def encode(first: int, last: int) -> list[int]:
    """One gap in a loss report: a number, or the marked first and the last of a range (draft appendix A)."""
    if first == last:
        return [first & SEQUENCE_MASK]
    return [first & SEQUENCE_MASK | RANGE, last & SEQUENCE_MASK]
