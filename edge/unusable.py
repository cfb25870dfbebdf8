"""What a setting names, and what is so wrong that the edge does not start. Sans-IO."""

from __future__ import annotations


class Unusable(Exception):
    """`str()` says why in one line, without a secret."""

    setting = ""
    """That names it."""

    @property
    def line(self) -> str:
        """For whoever starts the edge: the setting, and why."""
        return f"{self.setting}: {self}"
