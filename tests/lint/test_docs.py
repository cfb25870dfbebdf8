"""The documentation says what is there: commands, files, links, settings."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from headwater.config import show

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

FENCE = re.compile(r"```.*?```|`[^`\n]+`|^    [^\n]*$", re.DOTALL | re.MULTILINE)


def code(page: Path) -> list[str]:
    """The pieces of a page that are set as code."""
    return FENCE.findall(page.read_text())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if not link.startswith(("http://", "https://")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_targets_exist(page: Path) -> None:
    named = {name for piece in code(page) for name in re.findall(r"\bmake ([a-z]+(?:-[a-z]+)*)", piece)}
    assert named <= TARGETS, named - TARGETS


def test_headwater_commands_exist() -> None:
    named = {
        match
        for page in PAGES
        for piece in code(page)
        for match in re.findall(r"(?:^|[`\s/])headwater ((?:config )?[a-z]+)\b", piece)
    }
    assert {"up", "origin", "edge", "publish", "config check", "config show"} <= named
    for name in sorted(named - {"config"}):
        ended = subprocess.run(
            [sys.executable, "-m", "headwater.config.cli", *name.split(), "--help"], capture_output=True, check=False
        )
        assert ended.returncode == 0, name


def test_the_reference_of_settings_is_current() -> None:
    assert (ROOT / "docs" / "configuration.md").read_text() == show.markdown(), "make docs"


def test_settings_that_pages_name_exist() -> None:
    from headwater.config import describe

    known = set(describe.leaves()) | describe.table_keys()
    for page in PAGES:
        for key in re.findall(r"`((?:edge|origin|ingest|log|state|demo)(?:\.[a-z_0-9]+)+)`", page.read_text()):
            module = ROOT / (key.replace(".", "/"))
            is_module = (
                module.exists() or module.with_suffix(".py").exists() or module.parent.with_suffix(".py").exists()
            )
            assert key in known or is_module or key.startswith(("ingest.media.", "edge.core")), f"{page.name}: {key}"


def test_conformance_names_what_exists() -> None:
    rows = [line for line in (ROOT / "docs" / "conformance.md").read_text().splitlines() if line.startswith("| ")]
    assert len(rows) > 20
    tests = {path.stem for path in (ROOT / "tests").rglob("*.py")}
    missing = []
    for row in rows:
        for path in re.findall(r"\b((?:config|edge|ingest|loadtest|origin|tests)(?:/[\w*]+)+)", row):
            if not list(ROOT.glob(path)) and not list(ROOT.glob(f"{path}.*")):
                missing.append(path)
        missing += [name for name in re.findall(r"\b(test_\w+)(?:\.py)?\b(?!`?\()", row) if not known_test(name, tests)]
    assert not missing


def test_conformance_speaks_of_every_rule() -> None:
    tables = (ROOT / "docs" / "conformance.md").read_text().partition("\n## ")[2]
    named: set[int] = set()
    for line in tables.splitlines():
        if line.startswith("| "):
            for first, last in re.findall(r"\b(\d{1,3})(?:-(\d{1,3}))?\b", line.split("|")[1]):
                named.update(range(int(first), int(last or first) + 1))
    assert not {*range(1, 230)} - named - {*range(188, 199)}, "188-198 tell what players do"


def known_test(name: str, modules: set[str]) -> bool:
    """True for a test module, and for a test function of any."""
    return name in modules or name in TEST_FUNCTIONS or any(known.startswith(name) for known in TEST_FUNCTIONS)


TEST_FUNCTIONS = {
    name for path in (ROOT / "tests").rglob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text())
}


def test_decisions_are_numbered_and_listed() -> None:
    folder = ROOT / "docs" / "adr"
    decisions = sorted(path.name for path in folder.glob("[0-9]*.md"))
    assert [name[:4] for name in decisions] == [f"{number:04}" for number in range(1, len(decisions) + 1)]
    index = (folder / "README.md").read_text()
    for name in decisions:
        assert f"({name})" in index
        assert (folder / name).read_text().startswith(f"# {name[:4]}: ")


def test_every_dependency_has_its_reason() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    page = (ROOT / "docs" / "dependencies.md").read_text().lower()
    for text in project["dependencies"] + project["optional-dependencies"]["dev"]:
        name = re.split(r"[><=~!\s\[]", text)[0]
        assert re.search(rf"\b{re.escape(name)}\b", page), name


def test_the_example_settings_are_valid(tmp_path: Path) -> None:
    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            "headwater.config.cli",
            "config",
            "check",
            "--config",
            str(ROOT / "deploy/headwater.toml"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr


def test_every_target_of_the_makefile_can_be_made() -> None:
    ended = subprocess.run(
        ["make", "--dry-run", "--always-make", *sorted(TARGETS)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
