"""The files themselves, in a real directory."""

from __future__ import annotations

import errno
import os
import resource
import stat
import time
from pathlib import Path

import pytest

from headwater.edge.diskfiles import ABANDONED_S, TEMPORARY, DiskError, DiskFiles, drop_of
from headwater.edge.diskformat import Damaged, Drop, Record, name_of

KEY, BODY = "/live/x/s1.m4s", b"x" * 100_000


def record(key: str = KEY) -> Record:
    return Record(key, (("content-type", "video/mp4"),), 1.8e9, 0.0, 1.8e9 + 60, 1.8e9 + 600, '"1"', None)


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_an_object_is_one_file_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "cache"
    files = DiskFiles(folder)
    files.check()
    before = os.umask(0)
    try:
        size = files.write(record(), BODY)
    finally:
        os.umask(before)
    path = folder / name_of(KEY)
    assert everything(folder) == [name_of(KEY)]
    assert path.stat().st_size == size
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert files.read(KEY) == (record(), BODY)
    files.write(record(), b"another version")
    assert files.read(KEY) == (record(), b"another version")
    files.remove(KEY)
    files.remove(KEY)
    assert everything(folder) == []


def test_reading_notes_the_use(tmp_path: Path) -> None:
    files = DiskFiles(tmp_path)
    files.write(record(), BODY)
    os.utime(tmp_path / name_of(KEY), (1.0, 1.0))
    files.read(KEY)
    assert (tmp_path / name_of(KEY)).stat().st_mtime > 1.0


def test_damage_is_known(tmp_path: Path) -> None:
    files = DiskFiles(tmp_path)
    files.write(record(), BODY)
    path = tmp_path / name_of(KEY)
    whole = path.read_bytes()
    for content, why in (
        (whole[:-1], Drop.TRUNCATED),
        (whole[:20], Drop.TRUNCATED),
        (b"", Drop.TRUNCATED),
        (whole[:-1] + b"y", Drop.CORRUPT),
        (b"somebody else's file, of some length that is enough", Drop.FOREIGN),
    ):
        path.write_bytes(content)
        with pytest.raises(Damaged) as caught:
            files.read(KEY)
        assert caught.value.why is why


def test_another_object_s_file_at_this_name_is_not_taken_for_it(tmp_path: Path) -> None:
    files = DiskFiles(tmp_path)
    files.write(record("/other"), BODY)
    path = tmp_path / name_of(KEY)
    path.parent.mkdir(exist_ok=True)
    (tmp_path / name_of("/other")).rename(path)
    with pytest.raises(Damaged) as caught:
        files.read(KEY)
    assert caught.value.why is Drop.FOREIGN
    dropped: list[Drop] = []
    assert list(files.scan(dropped.append)) == []
    assert dropped == [Drop.FOREIGN]


def test_what_is_no_plain_file_is_not_followed_or_waited_for(tmp_path: Path) -> None:
    files = DiskFiles(tmp_path / "cache")
    files.check()
    path = tmp_path / "cache" / name_of(KEY)
    path.parent.mkdir()
    secret = tmp_path / "secret"
    secret.write_bytes(b"x" * 500)
    path.symlink_to(secret)
    with pytest.raises(OSError):
        files.read(KEY)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(Damaged):
        files.read(KEY)
    files.write(record(), BODY)
    assert files.read(KEY)[1] == BODY
    assert secret.read_bytes() == b"x" * 500


def test_the_scan_finds_the_newest_first_and_takes_away_what_is_damaged_or_abandoned(tmp_path: Path) -> None:
    files = DiskFiles(tmp_path)
    for number, name in enumerate(("/old", "/middle", "/new", "/damaged")):
        files.write(record(name), BODY)
        os.utime(tmp_path / name_of(name), (1e9 + number, 1e9 + number))
    (tmp_path / name_of("/damaged")).write_bytes(b"HWCACHE1 and no more")
    folder = (tmp_path / name_of("/old")).parent
    long_ago = time.time() - ABANDONED_S - 1  # noqa: TID251  (files have wall-clock times)
    for name in (f"{TEMPORARY}1-1", f"{TEMPORARY}1-2", "notes.txt"):
        (folder / name).write_bytes(b"x")
    for name in (f"{TEMPORARY}1-1", "notes.txt"):
        os.utime(folder / name, (long_ago, long_ago))
    (tmp_path / "readme").write_text("not ours")
    dropped: list[Drop] = []
    assert [seen.head.record.key for seen in files.scan(dropped.append)] == ["/new", "/middle", "/old"]
    assert dropped == [Drop.TRUNCATED]
    left = {Path(name).name for name in everything(tmp_path)}
    assert {"readme", "notes.txt", f"{TEMPORARY}1-2"} < left
    assert len(left) == 6


def test_a_write_that_fails_leaves_nothing_and_what_was_there(tmp_path: Path) -> None:
    files = DiskFiles(tmp_path)
    files.write(record(), b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(OSError) as caught:
            files.write(record(), BODY)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert drop_of(caught.value) is Drop.FULL
    assert everything(tmp_path) == [name_of(KEY)]
    assert files.read(KEY)[1] == b"old"


def test_errors_have_names() -> None:
    assert drop_of(OSError(errno.ENOSPC, "")) is drop_of(OSError(errno.EDQUOT, "")) is Drop.FULL
    assert drop_of(OSError(errno.EIO, "")) is drop_of(OSError(errno.EROFS, "")) is Drop.FAILED
    assert drop_of(FileNotFoundError(errno.ENOENT, "")) is Drop.GONE


def test_a_directory_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for folder, why in (
        (file, "File exists"),
        (file / "below", "Not a directory"),
        (Path("/proc/nothing"), "No such file"),
    ):
        with pytest.raises(DiskError, match=rf"^{folder}: {why}"):
            DiskFiles(folder).check()
