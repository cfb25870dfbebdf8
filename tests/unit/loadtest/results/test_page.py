from __future__ import annotations

import base64
import dataclasses
import hashlib
import html.parser
import re

import pytest
from tests.results_kit import run

from headwater.loadtest.records import ChaosEvent, PhaseSpan
from headwater.loadtest.results import RunResult, Verdict, to_html

EVIL = "<script>alert(1)</script><img src=http://evil.example/x>\"'&\x1b[2J"
VOID = {"meta", "br", "line", "rect", "circle", "path"}


class Page(html.parser.HTMLParser):
    """What a browser would find: every tag with its attributes, the text, the script and the style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: dict[str, str] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID or (tag in {"path", "rect"} and not self.get_starttag_text().endswith("/>")):  # type: ignore[union-attr]
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.words[self.open[-1]] = self.words.get(self.open[-1], "") + data


@pytest.fixture(scope="module")
def result() -> RunResult:
    return run(12, samples=4)


@pytest.fixture(scope="module")
def page(result: RunResult) -> Page:
    return Page(to_html(result))


def test_the_page_is_well_formed_and_whole(page: Page) -> None:
    assert not page.open
    assert page.words["h1"] == "http://127.0.0.1:8080/live/demo/index.m3u8"
    assert "invariants broken" in page.words["p"]
    titles = page.words["figcaption"]
    for title in (
        "Delay of parts since publication",
        "Delay of parts by percentile",
        "How long parts took",
        "Viewers",
        "Joins per second",
        "Errors and stalls per second",
        "Delivered",
        "Latency at the playhead",
        "Server CPU",
        "Server memory",
        "Generator CPU",
        "Generator lag",
    ):
        assert title in titles


def test_nothing_is_loaded_from_elsewhere(page: Page) -> None:
    for tag, attributes in page.tags:
        assert tag not in {"link", "img", "iframe", "object", "embed", "base", "a", "form", "use", "image", "video"}
        assert not attributes.keys() & {"src", "href", "xlink:href", "srcset", "action", "style", "onload"}
    assert "url(" not in page.words["style"]
    assert "@import" not in page.words["style"]
    assert not re.search(r"fetch|XMLHttp|import\b|WebSocket|innerHTML|eval", page.words["script"])


def test_the_policy_allows_the_script_of_the_page_and_no_other(page: Page) -> None:
    (policy,) = [a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    digest = base64.b64encode(hashlib.sha256(page.words["script"].encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def test_words_from_outside_are_words(result: RunResult) -> None:
    evil = dataclasses.replace(
        result,
        url=EVIL,
        scenario=EVIL,
        command=EVIL,
        machine=dataclasses.replace(result.machine, processor=EVIL, system=EVIL, python=EVIL),
        clock=dataclasses.replace(result.clock, source=EVIL, uncertainty_s=9.0),
        phases=(PhaseSpan(EVIL, 0, 12),),
        chaos=(ChaosEvent(1.0, EVIL, ok=True, detail=EVIL),),
        verdicts=(Verdict(EVIL, EVIL, ok=False, measured=None, shown=EVIL, note=EVIL),),
        invalid=(EVIL,),
        ticks=tuple(dataclasses.replace(tick, errors={EVIL: 1}) for tick in result.ticks),
    )
    text = to_html(evil)
    page = Page(text)
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert "img" not in [tag for tag, _ in page.tags]
    assert "\x1b" not in text
    assert EVIL.replace("\x1b", "\\x1b") == page.words["h1"]


def test_an_invalid_run_says_so_first(result: RunResult) -> None:
    page = Page(to_html(dataclasses.replace(result, invalid=("process 0 was busy",))))
    assert page.words["li"] == "process 0 was busy"
    assert "INVALID" in page.words["p"]


def test_a_percentile_that_does_not_hold_is_marked() -> None:
    page = Page(to_html(run(12, samples=4, slow=0.05)))
    assert any(attributes.get("class") == "n doubted" for _, attributes in page.tags)
    assert "does not hold" in page.words["small"]
    assert "generator too late to tell" in page.words["span"]


def test_an_empty_run_has_a_page(result: RunResult) -> None:
    empty = dataclasses.replace(result, ticks=(), server=(), chaos=(), phases=(), verdicts=(), seconds=0.0)
    page = Page(to_html(empty))
    assert "no invariant was asked for" in page.words["p"]
    assert "svg" not in [tag for tag, _ in page.tags]
