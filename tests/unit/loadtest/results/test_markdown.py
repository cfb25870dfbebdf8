from __future__ import annotations

import dataclasses
import re

from tests.results_kit import run

from headwater.loadtest.records import ClockOffset, Count, Protocol
from headwater.loadtest.results import to_html, to_markdown
from headwater.loadtest.results.markdown import code, table, text

RESULT = run(12, samples=4)


def test_the_report_has_verdicts_timings_phases_errors_and_chaos() -> None:
    report = to_markdown(RESULT)
    assert report.startswith("# Load test of http://127.0.0.1:8080/live/demo/index.m3u8\n\n**FAILED: ")
    for piece in (
        "| warm-up     | `fatal == 0` ",
        "**broken**",
        "| part  ",
        "| stall ratio  ",
        "| reset part  ",
        "| kill -9 edge 1 ",
        "- protocol: HTTP/1.1, ",
        "- command: `headwater loadtest ",
        "- server's clock: 1.20 ms behind ours ± 400 us, by Date",
    ):
        assert piece in report, piece


def test_the_protocol_is_said() -> None:
    over_http2 = dataclasses.replace(RESULT, protocol=Protocol.HTTP2)
    assert "- protocol: HTTP/2 over TLS (h2), " in to_markdown(over_http2)
    assert "HTTP/2 over TLS (h2)" in to_html(over_http2)
    assert "HTTP/2" not in to_markdown(RESULT) + to_html(RESULT)


def test_a_run_without_broken_promises_passed() -> None:
    kept = tuple(verdict for verdict in RESULT.verdicts if verdict.ok)
    assert "**PASSED**" in to_markdown(dataclasses.replace(RESULT, verdicts=kept))
    assert "No invariant was asked for." in to_markdown(dataclasses.replace(RESULT, verdicts=()))


def test_an_invalid_run_gives_its_reasons_before_all_else() -> None:
    report = to_markdown(dataclasses.replace(RESULT, invalid=("process 0 was busy",)))
    assert report.split("\n")[2].startswith("**INVALID")
    assert "- process 0 was busy" in report


def test_percentiles_that_do_not_hold_are_marked_and_explained() -> None:
    report = to_markdown(run(12, samples=4, slow=0.05))
    assert "ms (!)" in report
    assert "(!) does not hold" in report


def test_a_clock_that_is_not_known_well_enough_is_said() -> None:
    unsure = dataclasses.replace(RESULT, clock=ClockOffset(0.1, 0.5, "Date"))
    assert "known to ± 500 ms only" in to_markdown(unsure)
    assert "known to" not in to_markdown(RESULT)


def test_a_single_phase_is_not_told_twice() -> None:
    alone = to_markdown(dataclasses.replace(RESULT, phases=RESULT.phases[:1]))
    assert "| figure                   |   whole run |\n" in alone


def test_a_long_command_is_not_cut() -> None:
    command = f"headwater loadtest http://x {'--assert fatal==0 ' * 40}--quiet"
    assert f"- command: `{command}`" in to_markdown(dataclasses.replace(RESULT, command=command))
    assert len(to_markdown(dataclasses.replace(RESULT, command="x" * 10**6))) < 20_000


def test_parts_before_their_date_are_told() -> None:
    ticks = tuple(dataclasses.replace(t, counts={**t.counts, Count.EARLY: 500}) for t in RESULT.ticks)
    report = to_markdown(dataclasses.replace(RESULT, ticks=ticks)).replace("\n", " ")
    assert re.search(r" 12,000 of [0-9,]+ parts arrived before the date of their end", report)
    assert "before the date" not in to_markdown(RESULT)


def test_a_constant_in_all_delays_is_told() -> None:
    assert "the date of their end. Such a constant" in to_markdown(run(12, samples=4, slow=1_000.0))
    assert "Such a constant" not in to_markdown(RESULT)


def test_words_from_outside_are_words() -> None:
    assert text("a|b <script> `x` [y](z)\x1b") == "a\\|b \\<script> \\`x\\` \\[y\\](z)\\\\x1b"
    assert code("a|b`c\n") == "`a¦b'c\\n`"
    evil = to_markdown(dataclasses.replace(RESULT, url="http://x/<script>\n# gone"))
    assert evil.startswith("# Load test of http://x/\\<script>\\\\n# gone\n")


def test_tables_read_well_as_text() -> None:
    assert table(("name", "n"), [("a", "1"), ("long name", "1,000")], "lr") == [
        "| name      |     n |",
        "| --------- | ----: |",
        "| a         |     1 |",
        "| long name | 1,000 |",
    ]
