"""The checks know values only, and no recording makes them fail."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.doctor_records import answer, media, probe, recording, rendition

from headwater.loadtest.doctor import checks
from headwater.loadtest.doctor.values import ProbeKind

FOLDER = Path(__file__).parents[5] / "loadtest" / "doctor"
SHELLS = {"client.py", "watch.py", "probes.py", "run.py"}

LINES = [
    "#EXT-X-TARGETDURATION:{n}", "#EXT-X-MEDIA-SEQUENCE:{n}", "#EXT-X-DISCONTINUITY-SEQUENCE:{n}", "#EXTINF:{n},",
    "#EXT-X-PART-INF:PART-TARGET={n}", '#EXT-X-PART:DURATION={n},URI="{s}"', "{s}", '#EXT-X-MAP:URI="{s}"',
    "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={n},CAN-SKIP-UNTIL={n}", "#EXT-X-DISCONTINUITY",
    '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{s}"', '#EXT-X-RENDITION-REPORT:URI="{s}",LAST-MSN={n},LAST-PART={n}',
    "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:{n}Z", "#EXT-X-PROGRAM-DATE-TIME:9999-12-31T23:59:59Z",
    "#EXT-X-ENDLIST", "#EXT-X-SKIP:SKIPPED-SEGMENTS={n}", "#EXT-X-GAP", "#EXT-X-BYTERANGE:{n}@{n}",
    '#EXT-X-KEY:METHOD={s},URI="{s}"', '#EXT-X-DATERANGE:ID="{s}",START-DATE="{s}",DURATION={n}', "#EXT-X-BITRATE:{n}",
    '#EXT-X-DEFINE:NAME="{s}",VALUE="{s}"', "#EXT-X-VERSION:{n}", "#EXT-X-STREAM-INF:BANDWIDTH={n}", "{s}={n}",
]  # fmt: skip
NUMBERS = st.sampled_from(["0", "1", "2", "3.5", "59", "60", "-1", "4", "18446744073709551615", "1" * 30, "x", ""])
STRINGS = st.sampled_from(["a.m4s", "http://[x", "//h/b", "", "\u202e", "_HLS_msn", "../c?d=1", "x" * 50])
LINE = st.builds(lambda line, n, s: line.format(n=n, s=s), st.sampled_from(LINES), NUMBERS, STRINGS)
TEXT = st.lists(LINE, max_size=14).map(lambda lines: "\n".join(["#EXTM3U", "#EXT-X-TARGETDURATION:4", *lines]) + "\n")


@settings(max_examples=50)
@given(st.lists(TEXT, min_size=1, max_size=4), st.sampled_from(list(ProbeKind)))
def test_any_playlists(texts: list[str], kind: ProbeKind) -> None:
    record = rendition(*texts)
    record.probes.append(probe(kind, texts[0], before=media(parts=2, opened=1)))
    record.probes.append(probe(ProbeKind.DELTA, texts[-1], before=media(12, parts=2, opened=1)))
    made = recording(record, rendition(*texts, name="audio"), rendition(media(parts=2, opened=1), name="good"))
    made.entry_text, made.error = texts[0], "broken"
    checks.run(made)


@settings(max_examples=15)
@given(st.text(max_size=200), st.dictionaries(st.sampled_from(["date", "age", "cache-control", "content-range",
       "content-type", "last-modified", "vary", "content-encoding"]), st.text(max_size=40)))  # fmt: skip
def test_any_text_and_headers(text: str, headers: dict[str, str]) -> None:
    record = rendition(media(parts=2, opened=1), text, media(parts=2, opened=2))
    for version in record.versions:
        object.__setattr__(version, "answer", answer(headers=headers))
    for kind in ProbeKind:
        one = probe(kind, media(parts=2), before=media(parts=2))
        object.__setattr__(one, "answer", answer(headers=headers, status=206))
        record.probes.append(one)
    checks.run(recording(record))


def test_modules_that_are_no_shell_do_no_io() -> None:
    for path in FOLDER.rglob("*.py"):
        if path.name not in SHELLS:
            assert not re.search(r"import (asyncio|aiohttp|socket|time|logging)\b", path.read_text()), path
