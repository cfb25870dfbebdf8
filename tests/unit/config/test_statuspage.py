from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

from tests.status_kit import make_status

from headwater.config.status import Problem, WorkerStatus
from headwater.config.statuspage import SECURITY, render

EVIL = "\"><script>alert('1')</script>&"


class Tags(HTMLParser):
    """Notes tags, and that each that was opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag not in {"meta"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole() -> None:
    problem = Problem("bad", "Stream show has no publisher", "Look at the encoder.")
    page = render(make_status(problems=(problem,)))
    tags = Tags()
    tags.feed(page)
    assert not tags.open
    for text in (
        "1,234",
        "3.10 Mbit/s",
        "4.3 ms",
        "Look at the encoder.",
        "ready, with problems",
        "up 66 min",
        "answers",
    ):
        assert text in page
    assert "default-src 'none'" in SECURITY["Content-Security-Policy"]


def test_names_from_outside_are_text() -> None:
    page = render(make_status(name=EVIL, ready=EVIL, problems=(Problem("warn", EVIL, EVIL),)))
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 4


def test_an_idle_role_says_so() -> None:
    status = make_status()
    page = render(type(status)("origin", "1", 1.0, None, 1.0, (), None, (), ()))
    assert "None now." in page
    assert "Upstream" not in page
    assert ">ready<" in page


def test_the_processes_of_an_edge_and_none_where_there_is_one() -> None:
    assert "Processes" not in render(make_status())
    workers = (
        WorkerStatus("0", "ready", 4711, 2, 1_234, 600, 6, 64 << 20),
        WorkerStatus("node", "starting", None, 1, 0, 0, 0, 0),
    )
    text = render(replace(make_status(), workers=workers))
    assert "Processes" in text and "process 4711" in text and "1,234" in text and "64 MiB" in text
    assert '<span class="bad">starting</span>' in text
