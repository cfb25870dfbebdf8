"""Files that change, on a real file system."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from headwater.edge.filemark import mark

BEFORE_NS = 1_700_000_000_123_456_789


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file whose time of change is known to the nanosecond."""
    path = tmp_path / "keys"
    path.write_bytes(b"one")
    dated(path)
    return path


def dated(path: Path, ns: int = BEFORE_NS) -> None:
    os.utime(path, ns=(ns, ns))


def test_a_file_that_stays_as_it_is_keeps_its_mark(file: Path) -> None:
    before = mark(file)
    assert before == (BEFORE_NS, 3, file.stat().st_ino)
    file.read_bytes()
    os.utime(file, ns=(BEFORE_NS + 10**9, BEFORE_NS))  # it was read
    assert mark(file) == before


def test_a_touch_of_one_nanosecond_is_a_change(file: Path) -> None:
    before = mark(file)
    dated(file, BEFORE_NS + 1)
    assert mark(file) != before


def test_another_size_under_the_same_time_is_a_change(file: Path) -> None:
    before = mark(file)
    file.write_bytes(b"three")
    dated(file)
    assert mark(file) != before


def test_another_file_of_the_same_size_and_time_in_its_place_is_a_change(file: Path, tmp_path: Path) -> None:
    before = mark(file)
    other = tmp_path / "new"
    other.write_bytes(b"two")
    shutil.copystat(file, other)
    os.replace(other, file)
    assert mark(file)[:2] == before[:2]
    assert mark(file) != before


def test_a_link_that_is_turned_to_another_file_is_a_change(file: Path, tmp_path: Path) -> None:
    """As Kubernetes replaces mounted secrets."""
    (tmp_path / "two").write_bytes(b"two")
    dated(tmp_path / "two")
    link = tmp_path / "link"
    link.symlink_to(file)
    before = mark(link)
    assert before == mark(file), "it is the file that counts, not the link"
    (tmp_path / "swap").symlink_to(tmp_path / "two")
    os.replace(tmp_path / "swap", link)
    assert mark(link) == mark(tmp_path / "two") != before


def test_a_file_that_goes_and_comes_back_changes_twice(file: Path) -> None:
    there = mark(file)
    file.unlink()
    assert mark(file) == ()
    file.write_bytes(b"one")
    assert mark(file) != ()
    assert mark(file) != there, "its time is another one"


@pytest.mark.parametrize(
    "name", ["none", "none/below", "keys/below", "x" * 300, "dangling", "circle", "folder", "pipe"]
)
def test_where_there_is_no_regular_file_the_mark_is_empty(file: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    assert mark(tmp_path / name) == ()


def test_an_empty_file_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert mark(tmp_path / "empty")[1] == 0
