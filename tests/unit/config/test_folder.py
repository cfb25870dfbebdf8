from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from headwater.config.folder import PREFIX, SETTLED_S, PathTooLong, PrivateFolder


@pytest.fixture
def parent() -> Iterator[Path]:
    """With a short path, as sockets want it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        yield Path(name)


def make_old(folder: Path) -> None:
    then = folder.stat().st_mtime - 2 * SETTLED_S
    os.utime(folder, (then, then))


def test_nobody_else_may_look_and_nothing_stays(parent: Path) -> None:
    folder = PrivateFolder(parent)
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    (folder.path / "socket").touch()
    folder.close()
    folder.close()
    assert list(parent.iterdir()) == []


def test_what_a_killed_process_left_behind_is_removed_and_what_lives_is_not(parent: Path) -> None:
    left, young, other = (parent / f"{PREFIX}{name}" for name in ("left", "young", "other"))
    for folder in (left, young):
        folder.mkdir()
        (folder / "1.sock").touch()
    other.symlink_to(young)
    living = PrivateFolder(parent)
    make_old(left)
    make_old(living.path)
    another = PrivateFolder(parent)
    assert sorted(parent.iterdir()) == sorted((young, other, living.path, another.path))
    for each in (living, another):
        each.close()


def test_a_path_that_is_too_long_for_sockets(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 80)
    deep.mkdir()
    with pytest.raises(PathTooLong, match="TMPDIR"):
        PrivateFolder(deep)
    assert list(deep.iterdir()) == []
