"""The shape of the tree: packages, file sizes, pinned versions, and words that must not stand in any file."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import PackageNotFoundError, requires
from importlib.metadata import version as installed_version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FOLDERS = ("config", "edge", "ingest", "loadtest", "origin")

LONG_FILES: dict[str, str] = {}
"""Source files of more than 400 lines, each with the reason why it is one file."""

FORBIDDEN_HOSTS = re.compile(
    r"pyp[i]\.(org|io)|pythonhoste[d]|npmj[s]\.|yarnpk[g]\.com|crate[s]\.io|golan[g]\.org|mave[n]\.(org|apache)"
    r"|de[b]\.debian|debia[n]\.net|docke[r]\.io|gh[c]r\.io|qua[y]\.io",
    re.IGNORECASE,
)
"""Hosts of package and image registries: a file that names one stops working where that host is not reached. The
brackets keep this pattern from finding itself."""


def files() -> list[Path]:
    """Every file of the repository that is committed or could be."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file() and not path.is_symlink()]


def test_every_package_folder_is_in_the_list() -> None:
    found = sorted(
        ".".join(("headwater", *path.parent.relative_to(ROOT).parts))
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("__init__.py")
    )
    assert PROJECT["tool"]["setuptools"]["packages"] == found


def test_every_folder_of_modules_is_a_package() -> None:
    for folder in FOLDERS:
        for module in (ROOT / folder).rglob("*.py"):
            assert (module.parent / "__init__.py").exists(), module.parent


def test_every_package_opens_with_its_map() -> None:
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("__init__.py"):
            assert path.read_text().startswith('"""'), path


def test_the_view_for_tools_shows_every_folder() -> None:
    view = ROOT / "tests" / "pkg" / "headwater"
    assert {link.name: link.resolve() for link in view.iterdir()} == {name: ROOT / name for name in FOLDERS}


def test_types_are_shipped() -> None:
    for folder in FOLDERS:
        assert (ROOT / folder / "py.typed").exists()


def test_long_files_have_a_reason() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in files()
        if path.suffix == ".py" and (lines := path.read_text().count("\n")) > 400
    }
    assert all(lines <= 600 for lines in long.values()), long
    assert {name for name in long if not name.startswith("tests/")} == set(LONG_FILES), long


def test_no_registry_is_named() -> None:
    found = []
    for path in files():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {match.group()}" for match in FORBIDDEN_HOSTS.finditer(text)]
    assert not found


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def needed() -> set[str]:
    """Every distribution that the project and its development tools need here, whatever needs it."""
    declared = PROJECT["project"]
    waiting = [Requirement(text) for text in declared["dependencies"] + declared["optional-dependencies"]["dev"]]
    found: set[str] = set()
    while waiting:
        requirement = waiting.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        name = canonicalize_name(requirement.name)
        if name in found:
            continue
        try:
            below = requires(name) or []
        except PackageNotFoundError:
            pytest.fail(f"{name} is not installed: make setup")
        found.add(name)
        waiting += [Requirement(text) for text in below]
    return found


def test_everything_that_is_installed_is_pinned() -> None:
    pinned = pins()
    assert not needed() - set(pinned)
    assert {name: installed_version(name) for name in needed()} == {name: pinned[name] for name in needed()}


def test_pins_are_versions() -> None:
    for name, version in pins().items():
        assert re.fullmatch(r"[0-9][0-9A-Za-z.]*", version), name


IMPORT_NAMES = {
    "hdrh": "hdrhistogram",
    "av": "av",
    "imageio_ffmpeg": "imageio-ffmpeg",
    "jwt": "pyjwt",
    "prometheus_client": "prometheus-client",
    "pydantic_core": "pydantic",
    "annotated_types": "annotated-types",
}
"""Import name -> distribution, where they differ."""

TOOLS = {"import-linter", "mypy", "pytest-asyncio", "pytest-timeout", "pytest-xdist", "ruff"}
"""Development tools that no file imports."""


@cache
def imports_of(path: Path) -> frozenset[str]:
    """First words of what one file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.partition(".")[0])
    return frozenset(names)


def imported(folders: tuple[str, ...]) -> set[str]:
    """Distributions that the sources of `folders` import; the standard library and our own left out."""
    names: set[str] = set()
    for folder in folders:
        for path in (ROOT / folder).rglob("*.py"):
            names |= imports_of(path)
    foreign = names - set(sys.stdlib_module_names) - {"headwater", "tests"} - LOCAL
    return {IMPORT_NAMES.get(name, name) for name in foreign}


LOCAL = {path.stem for path in (ROOT / "tests").rglob("*.py")} | {
    path.name for path in (ROOT / "tests").rglob("*") if path.is_dir()
}
"""Helpers that tests import from their own folders."""


def declared(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(text).name) for text in requirements}


def test_the_server_declares_what_it_imports_and_nothing_else() -> None:
    project = PROJECT["project"]
    runtime = declared(project["dependencies"])
    development = declared(project["optional-dependencies"]["dev"])
    server = imported(("config", "edge", "ingest", "origin"))
    assert server <= runtime
    assert runtime == server | (imported(("loadtest",)) - development)
    assert development - TOOLS <= imported(("tests", "loadtest"))
    assert imported(("tests",)) <= runtime | development
