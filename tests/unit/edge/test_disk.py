"""The disk tier on a real directory and a real loop: threads, errors, purges that cross what is under way."""

from __future__ import annotations

import asyncio
import resource
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.edge_house import until
from tests.edge_kit import Script, make_core

from headwater.edge import disk as disk_module
from headwater.edge.core import Core
from headwater.edge.disk import Disk
from headwater.edge.diskfiles import DiskError
from headwater.edge.diskformat import Drop, Record, name_of
from headwater.edge.diskindex import DiskRules
from headwater.edge.message import Entity
from headwater.edge.overrides import Kind
from headwater.edge.purge import Scope

BODY = b"x" * 20_000
RULES = DiskRules(1_000_000, 1_000, 100_000)


def entity(body: bytes = BODY, etag: str | None = '"1"') -> Entity:
    now = asyncio.get_running_loop().time()
    headers = (("Content-Type", "video/mp4"), ("Via", "1.1 edge"))
    return Entity(200, headers, body, received=now, lifetime=60.0, usable=600.0, etag=etag)


class Setup:
    """A disk below `folder`, begun."""

    def __init__(self, folder: Path, rules: DiskRules = RULES) -> None:
        self.folder = folder
        self.read_count = 0
        self.disk = Disk(folder, rules, "1.1 edge", self._on_read)
        self.core: Core = make_core(Script())
        self.disk.start(self.core)

    def _on_read(self) -> None:
        self.read_count += 1

    async def scanned(self) -> Setup:
        await until(lambda: self.disk.index.scanned)
        return self

    async def write(self, *keys: str, body: bytes = BODY) -> None:
        before = self.disk.writes
        for key in keys:
            self.disk.keep(key, entity(body), Kind.SEGMENT)
        await until(lambda: self.disk.writes == before + len(keys))

    async def read(self, key: str) -> bytes | None:
        """Its body; None when it is not there."""
        came: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self.disk.read(key, lambda record, body: came.set_result(None if record is None else body))
        return await came

    def files(self) -> int:
        return sum(path.is_file() for path in self.folder.rglob("*"))


@pytest.fixture
async def setup(tmp_path: Path) -> AsyncIterator[Setup]:
    made = Setup(tmp_path)
    yield await made.scanned()
    await made.disk.close()


@contextmanager
def blocked(disk: Disk, pool: str) -> Iterator[Callable[[], None]]:
    """A disk whose thread stands still until the block ends, or until what is given is called."""
    gate = threading.Event()
    executor = getattr(disk, pool)
    for _ in range(executor._max_workers):
        executor.submit(gate.wait)
    try:
        yield gate.set
    finally:
        gate.set()


async def test_what_leaves_the_memory_is_on_disk(setup: Setup) -> None:
    setup.core.store.put("/a.m4s", entity())
    setup.core.store.mark(["/a.m4s"])
    assert setup.disk.writes == 0
    setup.core.store.release(["/a.m4s"])
    await until(lambda: setup.disk.writes == 1)
    assert setup.disk.may_have("/a.m4s")
    assert await setup.read("/a.m4s") == BODY
    assert (setup.disk.hits, setup.read_count) == (1, 1)
    assert setup.disk.held_bytes == -(-(setup.folder / name_of("/a.m4s")).stat().st_size // 4_096) * 4_096
    setup.core.store.sweep(asyncio.get_running_loop().time() + 1e6)
    await asyncio.sleep(0.02)
    assert setup.disk.writes == 1, "the same version is there already"


async def test_parts_and_what_is_no_media_stay_off_it(setup: Setup) -> None:
    setup.core.kinds.note("/p.m4s", Kind.PART)
    for key, kind in (("/p.m4s", "video/mp4"), ("/poster.jpg", "image/jpeg"), ("/v.m3u8", "application/x-mpegurl")):
        one = entity()
        one.headers = (("Content-Type", kind),)
        setup.core.store.put(key, one)
        setup.core.store.mark([key])
        setup.core.store.release([key])
    await asyncio.sleep(0.05)
    assert setup.disk.writes == 0


async def test_it_survives_a_restart(tmp_path: Path) -> None:
    first = await Setup(tmp_path).scanned()
    await first.write("/a.m4s", "/b.m4s")
    await first.disk.close()
    second = Setup(tmp_path)
    assert second.disk.may_have("/a.m4s")
    assert await second.read("/a.m4s") == BODY, "without waiting for the scan"
    await second.scanned()
    assert len(second.disk.index) == 2
    assert second.disk.may_have("/b.m4s")
    assert not second.disk.may_have("/c.m4s")
    assert second.disk.drops[Drop.GONE] == 0
    await second.disk.close()


async def test_a_smaller_limit_after_a_restart_keeps_the_newest(tmp_path: Path) -> None:
    first = await Setup(tmp_path).scanned()
    for key in ("/a.m4s", "/b.m4s", "/c.m4s"):
        await first.write(key)
        await asyncio.sleep(0.02)
    await first.read("/a.m4s")
    await first.disk.close()
    second = await Setup(tmp_path, DiskRules(50_000, 1_000, 50_000)).scanned()
    await until(lambda: second.files() == 2)
    assert [key for key in ("/a.m4s", "/b.m4s", "/c.m4s") if second.disk.may_have(key)] == ["/a.m4s", "/c.m4s"]
    assert second.disk.drops[Drop.EVICTED] == 1
    await second.disk.close()


async def test_the_limit_holds_and_what_was_not_used_for_longest_goes(tmp_path: Path) -> None:
    setup = await Setup(tmp_path, DiskRules(100_000, 1_000, 50_000)).scanned()
    await setup.write("/1.m4s", "/2.m4s", "/3.m4s", "/4.m4s")
    assert await setup.read("/1.m4s") == BODY
    await setup.write("/5.m4s")
    await until(lambda: setup.files() == 4)
    assert [n for n in range(1, 6) if setup.disk.may_have(f"/{n}.m4s")] == [1, 3, 4, 5]
    assert setup.disk.held_bytes <= 100_000
    assert setup.disk.drops[Drop.EVICTED] == 1
    await setup.disk.close()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda raw: raw[:-5], Drop.TRUNCATED),
        (lambda raw: raw[:-1] + b"y", Drop.CORRUPT),
        (lambda raw: b"x" * len(raw), Drop.FOREIGN),
    ],
)
async def test_a_damaged_file_is_a_miss_counted_and_taken_away(
    setup: Setup, change: Callable[[bytes], bytes], why: Drop
) -> None:
    await setup.write("/a.m4s")
    path = setup.folder / name_of("/a.m4s")
    path.write_bytes(change(path.read_bytes()))
    assert await setup.read("/a.m4s") is None
    assert setup.disk.drops[why] == 1
    assert not setup.disk.may_have("/a.m4s")
    await until(lambda: not path.exists())
    await setup.write("/a.m4s")
    assert await setup.read("/a.m4s") == BODY


async def test_a_file_that_somebody_took_away_is_a_miss(setup: Setup) -> None:
    await setup.write("/a.m4s")
    (setup.folder / name_of("/a.m4s")).unlink()
    assert await setup.read("/a.m4s") is None
    assert setup.disk.drops[Drop.GONE] == 1
    assert setup.disk.held_bytes == 0


async def test_a_disk_that_is_full_is_said_once_and_tried_again_later(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_module, "REST_S", 0.2)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with capture_logs() as lines:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
        try:
            for number in range(3):
                setup.disk.keep(f"/{number}.m4s", entity(), Kind.SEGMENT)
            await until(lambda: setup.disk.drops[Drop.FULL] == 3)
            setup.disk.keep("/rest.m4s", entity(), Kind.SEGMENT)
            assert setup.disk.drops[Drop.FULL] == 4, "not even tried"
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        await asyncio.sleep(0.25)
        await setup.write("/a.m4s")
    assert [line["event"] for line in lines] == ["disk-failed", "disk-works-again"]
    assert lines[0]["error"] == "File too large"
    assert await setup.read("/a.m4s") == BODY
    assert setup.files() == 1


async def test_a_slow_disk_is_left_out_and_nothing_waits_for_it(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_module, "QUEUED_BYTES", 2 * len(BODY))
    with blocked(setup.disk, "_writer") as go_on:
        began = time.monotonic()
        for number in range(5):
            setup.disk.keep(f"/{number}.m4s", entity(), Kind.SEGMENT)
        assert time.monotonic() - began < 0.1
        assert setup.disk.drops[Drop.BUSY] == 3
        go_on()
        await until(lambda: setup.disk.writes == 2)
    setup.disk.keep("/9.m4s", entity(), Kind.SEGMENT)
    await until(lambda: setup.disk.writes == 3)


async def test_reads_are_bounded(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_module, "MAX_READS", 1)
    await setup.write("/a.m4s", "/b.m4s")
    with blocked(setup.disk, "_readers"):
        came: list[Record | None] = []
        setup.disk.read("/a.m4s", lambda record, body: came.append(record))
        assert not setup.disk.may_have("/b.m4s")
    await until(lambda: came)
    assert setup.disk.may_have("/b.m4s")


async def test_a_disk_that_hangs_is_waited_for_no_longer_than_a_second(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_module, "READ_S", 0.05)
    await setup.write("/a.m4s")
    with capture_logs() as lines, blocked(setup.disk, "_readers"):
        assert await setup.read("/a.m4s") is None
        assert await setup.read("/a.m4s") is None
        assert setup.disk.drops[Drop.BUSY] == 2
        assert [line["error"] for line in lines] == ["a read takes more than 0.05 s"]
    await until(lambda: not setup.disk._reading)
    assert setup.disk.hits == 0
    monkeypatch.undo()
    assert await setup.read("/a.m4s") == BODY


async def test_a_read_error_is_said_once_and_counted(setup: Setup) -> None:
    await setup.write("/a.m4s", "/b.m4s")
    with capture_logs() as lines:
        for name in ("/a.m4s", "/b.m4s"):
            path = setup.folder / name_of(name)
            path.unlink()
            path.symlink_to(path)
            assert await setup.read(name) is None
        await setup.write("/c.m4s")
    assert setup.disk.drops[Drop.FAILED] == 2
    assert [line["event"] for line in lines] == ["disk-failed", "disk-works-again"]


ALL = Scope(prefixes=("/live/",))


async def test_a_purge_takes_files_away(setup: Setup) -> None:
    await setup.write("/live/a.m4s", "/live/b.m4s", "/other/c.m4s")
    assert setup.disk.purge(ALL) == 2
    assert not setup.disk.may_have("/live/a.m4s")
    await until(lambda: setup.files() == 1)
    assert setup.disk.may_have("/other/c.m4s")


async def test_a_purge_counts_for_what_is_being_written(setup: Setup) -> None:
    with blocked(setup.disk, "_writer"):
        setup.disk.keep("/live/a.m4s", entity(b"old" * 1_000), Kind.SEGMENT)
        setup.disk.keep("/live/b.m4s", entity(b"old" * 1_000), Kind.SEGMENT)
        setup.disk.purge(ALL)
        setup.disk.keep("/live/b.m4s", entity(b"new" * 1_000, etag='"2"'), Kind.SEGMENT)
    await until(lambda: setup.disk.writes == 3)
    await until(lambda: setup.files() == 1)
    assert not setup.disk.may_have("/live/a.m4s")
    assert await setup.read("/live/b.m4s") == b"new" * 1_000


async def test_a_purge_counts_for_what_is_being_read(setup: Setup) -> None:
    await setup.write("/live/a.m4s")
    came: list[Record | None] = []
    with blocked(setup.disk, "_readers"):
        setup.disk.read("/live/a.m4s", lambda record, body: came.append(record))
        with blocked(setup.disk, "_writer"):
            setup.disk.purge(ALL)
    await until(lambda: came)
    assert came == [None]


async def test_a_purge_counts_for_what_no_scan_has_found_yet(tmp_path: Path) -> None:
    first = await Setup(tmp_path).scanned()
    await first.write("/live/a.m4s", "/other/c.m4s")
    await first.disk.close()
    made = Disk(tmp_path, RULES, "1.1 edge", lambda: None)
    with blocked(made, "_scanner"):
        made.start(make_core(Script()))
        assert made.purge(ALL) == 0
        assert not made.may_have("/live/a.m4s")
    await until(lambda: made.index.scanned)
    await until(lambda: sum(path.is_file() for path in tmp_path.rglob("*")) == 1)
    assert made.may_have("/other/c.m4s")
    await made.close()


async def test_what_the_upstream_replaced_is_dropped(setup: Setup) -> None:
    await setup.write("/a.m4s")
    setup.disk.drop("/a.m4s")
    await until(lambda: setup.files() == 0)
    assert setup.disk.held_bytes == 0


async def test_after_the_end_nothing_is_told(setup: Setup) -> None:
    await setup.write("/a.m4s")
    came: list[Record | None] = []
    with blocked(setup.disk, "_readers"):
        setup.disk.read("/a.m4s", lambda record, body: came.append(record))
        closing = asyncio.ensure_future(setup.disk.close())
        await asyncio.sleep(0.01)
    await closing
    setup.disk.keep("/b.m4s", entity(), Kind.SEGMENT)
    await asyncio.sleep(0.02)
    assert came == []


async def test_a_reader_who_left_is_not_told(setup: Setup) -> None:
    await setup.write("/a.m4s")
    came: list[Record | None] = []
    setup.disk.read("/a.m4s", lambda record, body: came.append(record))()
    await until(lambda: not setup.disk._reading)
    assert setup.disk.hits == 0
    assert came == []


async def test_a_directory_that_cannot_be_used(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    made = Disk(file, RULES, "1.1 edge", lambda: None)
    with pytest.raises(DiskError):
        made.start(make_core(Script()))
    await made.close()
