"""The disk tier: media that left the memory, on files. Never waited for: what is slow, full or broken is left out.

memory ── keep ──> one thread writes        index: what is there (this loop only)
core  <── read ─── two threads read    scan: a thread looks through what the last process left
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import structlog

from headwater.config.settings_freshness import EdgeDisk

from .core import Core
from .diskfiles import DiskFiles, Seen, drop_of
from .diskformat import Damaged, Drop, Record, record_of
from .diskindex import DiskIndex, DiskRules
from .message import Cancel, Entity
from .overrides import Kind
from .purge import Scope

log = structlog.get_logger("headwater.edge")

QUEUED_BYTES = 64 << 20
"""Bodies that wait to be written. Why: a second of a slow disk; they are in memory for as long."""
MAX_READS = 256
"""Objects being read. Why: each is up to `edge.disk.max_object_bytes` of memory."""
REST_S = 10.0
"""How long nothing is written after an error."""
READ_S = 1.0
"""Longest wait for a read; then the upstream is asked. Why: a viewer's buffer outlives it, and a disk that hangs is
noticed by nobody else."""
BATCH = 16
"""Files that the scan hands over at once."""
PAUSE_S = 0.002
"""Between those. Why: the thread shares the interpreter with the loop, which would be late by milliseconds all the time
that the scan takes."""

Came = Callable[[Record | None, bytes], None]
"""Told what was read; None: it is a miss after all."""


class Disk:
    """Objects on disk below `folder`. Belongs to the running loop; `via`: our entry of the Via field."""

    def __init__(self, folder: Path, rules: DiskRules, via: str, on_read: Callable[[], None]) -> None:
        self._on_read = on_read
        self._files = DiskFiles(folder)
        self._rules = rules
        self._via = via
        self.index = DiskIndex(rules.bytes)
        self._loop = asyncio.get_running_loop()
        self._writer = ThreadPoolExecutor(1, "disk-write")
        self._readers = ThreadPoolExecutor(2, "disk-read")
        self._scanner = ThreadPoolExecutor(1, "disk-scan")
        self._closing = False
        self._queued = 0
        self._writing: dict[str, int] = {}
        """By key: the number of its newest write."""
        self._reading: dict[str, set[_Reading]] = {}
        self._reads = 0
        self._number = 0
        self._rest_until = 0.0
        self._resting = Drop.FAILED
        """Why."""
        self._said: set[Drop] = set()
        """Errors that the log has; until a write succeeds."""
        self.hits = 0
        """Objects that were read whole."""
        self.writes = 0
        self.drops: dict[Drop, int] = dict.fromkeys(Drop, 0)
        self._futures: set[asyncio.Future[None]] = set()

    @property
    def held_bytes(self) -> int:
        """Of the files that are known."""
        return self.index.bytes

    def start(self, core: Core) -> None:
        """Look whether the directory can be used, begin to look through it, and take what leaves the memory of `core`.

        Raises diskfiles.DiskError.
        """
        self._files.check()

        def leaving(key: str, entity: Entity) -> None:
            kind = next((value for name, value in entity.headers if name == "Content-Type"), "")
            self.keep(key, entity, core.kinds.of(key, kind, media_playlist=None))

        core.store.leaving = leaving
        self._run(self._scanner, self._scan)

    # -- to the disk

    def keep(self, key: str, entity: Entity, kind: Kind) -> None:
        """`entity` leaves the live window or the memory: write it, where it is worth it."""
        if self._closing or not self._rules.wants(entity, kind):
            return
        now = self._loop.time()
        record = record_of(key, entity, now, time.time(), self._via)  # noqa: TID251  (outlives the process)
        version = record.etag or record.last_modified
        if self.index.current(key, version, record.fresh_until):
            return
        size = len(entity.body)
        if now < self._rest_until or self._queued + size > QUEUED_BYTES:
            self.drops[self._resting if now < self._rest_until else Drop.BUSY] += 1
            return
        self._number += 1
        number = self._writing[key] = self._number
        self._queued += size
        self._run(self._writer, partial(self._write, record, entity.body, number))

    def _write(self, record: Record, body: bytes | memoryview, number: int) -> None:
        error, size = None, 0
        try:
            size = self._files.write(record, body)
        except OSError as failed:
            error = failed
        self._tell(self._written, record, len(body), number, size, error)

    def _written(self, record: Record, queued: int, number: int, size: int, error: OSError | None) -> None:
        key = record.key
        self._queued -= queued
        newest = self._writing.get(key) == number
        if newest:
            del self._writing[key]
        if error is not None:
            self._failed(drop_of(error), error)
            if drop_of(error) is Drop.FULL:  # the device has less than `edge.disk.bytes`: what is old makes room
                self._remove(self.index.give_back(2 * queued), Drop.EVICTED)
            return
        self.writes += 1
        if self._said:
            self._said.clear()
            log.info("disk-works-again")
        if newest:
            self._remove(
                self.index.put(key, size, record.etag or record.last_modified, record.fresh_until), Drop.EVICTED
            )
        elif key not in self._writing:  # purged while it was written
            self._remove([key], None)

    def _failed(self, why: Drop, error: OSError) -> None:
        self.drops[why] += 1
        self._rest_until, self._resting = self._loop.time() + REST_S, why
        self._say(why, error.strerror or str(error))

    def _say(self, why: Drop, error: str) -> None:
        """Once, until a write succeeds."""
        if why not in self._said:
            self._said.add(why)
            log.warning("disk-failed", error=error, what="the edge goes on without its disk tier")

    # -- from the disk

    def may_have(self, key: str) -> bool:
        """Whether it is worth reading `key`."""
        return self._reads < MAX_READS and self.index.may_have(key)

    def read(self, key: str, came: Came) -> Cancel:
        """Read the object at `key`; `came` is told once, from a later turn of the loop, unless that was cancelled."""
        reading = _Reading(key, came)
        reading.timer = self._loop.call_later(READ_S, self._late, reading)
        self._reading.setdefault(key, set()).add(reading)
        self._reads += 1
        self._run(self._readers, partial(self._read, reading))
        return reading.cancel

    def _late(self, reading: _Reading) -> None:
        self.drops[Drop.BUSY] += 1
        self._say(Drop.BUSY, f"a read takes more than {READ_S:g} s")
        reading.end(None, b"")

    def _read(self, reading: _Reading) -> None:
        found: tuple[Record, bytes] | Drop | OSError
        try:
            found = self._files.read(reading.key)
        except Damaged as error:
            found = error.why
        except OSError as error:
            found = error
        self._tell(self._come, reading, found)

    def _come(self, reading: _Reading, found: tuple[Record, bytes] | Drop | OSError) -> None:
        key = reading.key
        self._reads -= 1
        others = self._reading[key]
        others.discard(reading)
        if not others:
            del self._reading[key]
        if isinstance(found, OSError):
            error, found = found, drop_of(found)
            if found is not Drop.GONE:
                self._say(found, error.strerror or str(error))
        if found is Drop.BUSY:  # the file is as good as before
            self.drops[found] += 1
            reading.end(None, b"")
        elif isinstance(found, Drop):
            known = self.index.remove(key)
            if found is not Drop.GONE or known:  # before the scan is through, most of what is looked for is not there
                self.drops[found] += 1
            if found is not Drop.GONE and key not in self._writing:
                self._remove([key], None)
            reading.end(None, b"")
        elif reading.void:
            reading.end(None, b"")
        else:
            record, body = found
            self.index.touch(key)
            if reading.waits:
                self.hits += 1
                self._on_read()
            reading.end(record, body)

    # -- what goes

    def purge(self, scope: Scope) -> int:
        """Forget what `scope` covers, on its way to or from the disk too; how many files are known to go."""
        gone = self.index.purge(scope)
        for key in [key for key in self._writing if scope.covers(key)]:
            del self._writing[key]
        for key, readings in self._reading.items():
            if scope.covers(key):
                for reading in readings:
                    reading.void = True
        self._remove(gone, None)
        return len(gone)

    def drop(self, key: str) -> None:
        """The upstream says that it is not there any more, or has another version."""
        if self.index.remove(key) or not self.index.scanned:
            self._remove([key], None)

    def _remove(self, keys: list[str], why: Drop | None) -> None:
        for key in keys:
            if key in self._writing:  # its file is about to be another one
                continue
            if why is not None:
                self.drops[why] += 1
            # Behind the writes that were begun before, and before those that come after
            self._run(self._writer, partial(self._unlink, key))

    def _unlink(self, key: str) -> None:
        try:
            self._files.remove(key)
        except OSError as error:
            self._tell(self._failed, drop_of(error), error)

    # -- what was there

    def _scan(self) -> None:
        batch: list[Seen] = []
        for seen in self._files.scan(lambda why: self._tell(self._damaged, why)):
            if self._closing:
                return
            batch.append(seen)
            if len(batch) == BATCH:
                self._tell(self._found, batch)
                batch = []
                time.sleep(PAUSE_S)
        self._tell(self._found, batch)
        self._tell(self.index.end_scan)

    def _damaged(self, why: Drop) -> None:
        self.drops[why] += 1

    def _found(self, batch: list[Seen]) -> None:
        for seen in batch:
            record = seen.head.record
            version = record.etag or record.last_modified
            self._remove(self.index.found(record.key, seen.size, version, record.fresh_until), Drop.EVICTED)

    # -- threads

    def _run(self, pool: ThreadPoolExecutor, work: Callable[[], None]) -> None:
        if self._closing:
            return
        future = self._loop.run_in_executor(pool, work)
        self._futures.add(future)
        future.add_done_callback(self._ended)

    def _ended(self, future: asyncio.Future[None]) -> None:
        self._futures.discard(future)
        if not future.cancelled() and (error := future.exception()) is not None:
            log.error("disk-bug", exc_info=error)

    def _tell(self, tell: Callable[..., None], *values: object) -> None:
        """From a thread: have the loop do it."""
        if not self._closing:
            self._loop.call_soon_threadsafe(tell, *values)

    async def close(self) -> None:
        """Finish what is being written, forget what waits to be."""
        self._closing = True
        for pool in (self._writer, self._readers, self._scanner):
            pool.shutdown(wait=False, cancel_futures=True)
        await asyncio.gather(*self._futures, return_exceptions=True)


class _Reading:
    """One read under way."""

    __slots__ = ("_came", "key", "timer", "void")

    def __init__(self, key: str, came: Came) -> None:
        self._came: Came | None = came
        self.key = key
        self.timer: asyncio.TimerHandle | None = None
        self.void = False
        """It was purged meanwhile."""

    @property
    def waits(self) -> bool:
        """Whether somebody still does."""
        return self._came is not None

    def end(self, record: Record | None, body: bytes) -> None:
        """Tell whoever waits, if that was not done before."""
        came = self._came
        self.cancel()
        if came is not None:
            came(record, body)

    def cancel(self) -> None:
        """Nobody waits any more."""
        self._came = None
        if self.timer is not None:
            self.timer.cancel()


def disk_of(settings: EdgeDisk, node: str, on_read: Callable[[], None]) -> Disk:
    """The disk that `settings` describe, with a directory set. `on_read` hears of each object read, before viewers."""
    assert settings.dir is not None
    rules = DiskRules(settings.bytes, settings.min_bytes, settings.max_object_bytes)
    return Disk(settings.dir, rules, f"1.1 {node}", on_read)
