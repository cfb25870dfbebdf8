"""What a run found: ticks merged, invariants judged, and the report as JSON, Markdown, HTML and on the terminal.

    Tick ──> collector ──> RunResult ──> document (JSON out and in), markdown, page (HTML), compare
                 │              ▲
                 │              └── invariants: `part p99 < 250 ms` -> Verdict
                 └──> Snapshot ──> live (terminal)
    /metrics ──> scrape ──> series ──> ServerSample

    model        RunResult, Machine, Verdict
    histograms   HdrHistograms: bounded reading, sums, percentiles
    figures      sums, ratios and percentiles of a span, and whether they hold
    units        figures as people read them
    timeline     moments of a run; axes, plots: SVG out of them

Sans-IO but for `live` and `scrape`. Not here: files, the command line, the machine's description.
"""

from .collector import Collector, Snapshot
from .compare import compare
from .document import ReportError, from_json, to_json
from .invariants import InvariantError, check_invariant, judge, series_of
from .live import LiveView
from .markdown import to_markdown
from .model import Machine, RunResult, Verdict
from .page import to_html
from .scrape import scrape

__all__ = [
    "Collector",
    "InvariantError",
    "LiveView",
    "Machine",
    "ReportError",
    "RunResult",
    "Snapshot",
    "Verdict",
    "check_invariant",
    "compare",
    "from_json",
    "judge",
    "scrape",
    "series_of",
    "to_html",
    "to_json",
    "to_markdown",
]
