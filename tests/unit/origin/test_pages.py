"""The pages are well-formed, need nothing from elsewhere and refer only to what is there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[3]
PAGES = ROOT / "origin" / "pages"
# Where the server shows each page (DESIGN.md section 5).
PLACES = {"index.html": "/t/token/", "player.html": "/t/token/live/NAME/"}
# What other parts of the server answer, and what the build puts there.
ELSEWHERE = {"/t/token/live/NAME/index.m3u8", "/t/token/streams.json", "/t/token/assets/vendor/hls.min.js"}
VOID = {"meta", "link", "img", "br", "hr", "input"}


class Document(HTMLParser):
    """Elements of a page; fails on what is not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.inline: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), (tag, names)
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, self.getpos()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("script", "style") and data.strip():
            self.inline.append(data)

    def references(self) -> list[str]:
        return [value for _, attrs in self.elements for name in ("href", "src") if (value := attrs.get(name))]

    def ids(self) -> list[str]:
        return [value for _, attrs in self.elements if (value := attrs.get("id"))]


def document(page: str) -> Document:
    return Document((PAGES / page).read_text())


@pytest.mark.parametrize("page", PLACES)
def test_nothing_is_inline(page: str) -> None:
    found = document(page)
    assert found.inline == []
    for tag, attrs in found.elements:
        assert tag != "style"
        assert not [name for name in attrs if name == "style" or name.startswith("on")], tag


@pytest.mark.parametrize("page", PLACES)
def test_references_lead_to_files_also_below_a_prefix(page: str) -> None:
    for reference in document(page).references():
        assert not urlsplit(reference).netloc and not reference.startswith("/"), reference
        place = urljoin("http://h" + PLACES[page], reference)
        path = urlsplit(place).path
        if path in ELSEWHERE or path == "/t/token/":
            continue
        prefix = "/t/token/assets/"
        assert path.startswith(prefix), reference
        assert (PAGES / path.removeprefix(prefix)).is_file(), reference


@pytest.mark.parametrize("page", PLACES)
def test_page_is_usable(page: str) -> None:
    found = document(page)
    tags = [tag for tag, _ in found.elements]
    assert ("html", {"lang": "en"}) in found.elements
    assert tags.count("h1") == tags.count("main") == tags.count("title") == 1
    assert "noscript" in tags
    assert any(attrs.get("name") == "viewport" for _, attrs in found.elements)
    assert len(found.ids()) == len(set(found.ids()))
    for tag, attrs in found.elements:
        if tag == "img":
            assert "alt" in attrs
        if tag == "button":
            assert attrs.get("type") == "button"
        if (label := attrs.get("aria-labelledby")) is not None:
            assert label in found.ids()


def test_the_video_starts_muted_and_in_the_page() -> None:
    (video,) = [attrs for tag, attrs in document("player.html").elements if tag == "video"]
    assert {"autoplay", "muted", "playsinline", "controls"} <= set(video)


@pytest.mark.parametrize(
    ("page", "script"), [("index.html", "list.js"), ("player.html", "player.js"), ("player.html", "quality.js")]
)
def test_scripts_find_their_elements(page: str, script: str) -> None:
    text = (PAGES / script).read_text()
    wanted = set(re.findall(r'getElementById\("([^"]+)"\)', text))
    assert wanted and wanted <= set(document(page).ids())
    assert not re.search(r"innerHTML|eval\(|document\.write|https?://", text)


def test_every_figure_has_a_text() -> None:
    shown = {value for _, attrs in document("player.html").elements if (value := attrs.get("data-figure"))}
    table = re.search(r"const texts = \{(.*?)\n  \};", (PAGES / "figures.js").read_text(), re.DOTALL)
    assert table is not None
    assert shown == set(re.findall(r"^    (\w+):", table[1], re.MULTILINE))


def test_style_and_icon() -> None:
    assert "url(" not in (PAGES / "style.css").read_text()
    assert "@import" not in (PAGES / "style.css").read_text()
    assert ElementTree.parse(PAGES / "favicon.svg").getroot().tag.endswith("svg")


@pytest.mark.parametrize("script", sorted(path.name for path in PAGES.glob("*.js")))
def test_scripts_are_sound(script: str) -> None:
    node = shutil.which("node")
    if node is not None:  # npm's machine has it; elsewhere the browser tests find the same
        subprocess.run([node, "--check", str(PAGES / script)], check=True)


def test_hls_js_is_pinned_without_addresses() -> None:
    package = json.loads((ROOT / "package.json").read_text())
    lock = json.loads((ROOT / "package-lock.json").read_text())
    version = package["dependencies"]["hls.js"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    entry = lock["packages"]["node_modules/hls.js"]
    assert entry["version"] == version and entry["integrity"].startswith("sha512-")
    assert "resolved" not in (ROOT / "package-lock.json").read_text()
