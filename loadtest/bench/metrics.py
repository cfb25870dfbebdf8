"""Reads single series out of the text of a /metrics page."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample


def samples(text: str, name: str, /, **labels: str) -> list[Sample]:
    """The samples of a metric that have these labels. Raises ValueError for a line of it that cannot be read."""
    found = []
    for line in text.splitlines():
        if line.partition("{")[0].partition(" ")[0] == name:  # only these: to parse a whole page takes long
            for family in text_string_to_metric_families(line + "\n"):
                found += [sample for sample in family.samples if labels.items() <= sample.labels.items()]
    return found


def total(text: str, name: str, /, **labels: str) -> float:
    """Sum of the same; 0 when there are none."""
    return sum(sample.value for sample in samples(text, name, **labels))
