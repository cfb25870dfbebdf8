"""State files: one small JSON file per stream name, so that numbers and names go on after a restart.

A file is replaced as a whole, so a process that dies leaves the old one or the new one. It is not forced to
the disk on every write, because that would stop the event loop for milliseconds: after a power failure a
file may be lost, and then the stream's numbers start at the Unix second, which is above all earlier ones.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog

from headwater.config.section import NAME_PATTERN

from .timeline import Epoch

log = structlog.get_logger("headwater.ingest")

FORMAT = 1
"""Of the file. A file of another format is kept aside."""
MOST_FILE_BYTES = 4_096
"""A state file has about 250 bytes."""
MOST_FILES = 10_000
"""Files of ended streams that are kept. Why: publishers choose names, so the folder needs a bound."""
KEEP_S = 7 * 86_400.0
"""Seconds that the file of an ended stream is kept. Why: without one, numbers start at the Unix second, which is
above those of the ended stream as long as its segments last a second or more."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A state file as it was read."""

    name: str
    epoch: Epoch
    saved_unix: float
    """Unix seconds at which it was written."""


class StateStore:
    """The state files of one folder.

    Args:
        folder: made when it is not there. Stream names match `NAME_PATTERN`, so they are safe file names.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._name = re.compile(NAME_PATTERN)

    def load(self, unix: float) -> dict[str, Saved]:
        """Read every file, once, at start. Old files of ended streams are removed, unreadable ones set aside.

        Raises:
            OSError: the folder cannot be made, listed or written.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        probe = self._folder / ".probe"
        probe.write_bytes(b"")
        probe.unlink()
        found: dict[str, Saved] = {}
        for path in sorted(self._folder.glob("*.json")):
            if self._name.fullmatch(path.stem) is None or not path.is_file():
                continue
            saved = self._read(path)
            if saved is not None:
                found[saved.name] = saved
        self._prune(found, unix)
        return found

    def save(self, name: str, epoch: Epoch, unix: float) -> None:
        """Replace the file of `name`. Blocks for one small write without a flush to the disk.

        Raises:
            OSError: it cannot be written; the old file stays.
        """
        path = self._folder / f"{name}.json"
        temporary = self._folder / f".{name}.new"
        text = json.dumps({"format": FORMAT, "name": name, "saved_unix": unix, **asdict(epoch)})
        with open(temporary, "w", encoding="ascii") as file:
            file.write(text)
        os.replace(temporary, path)

    def forget(self, name: str) -> None:
        """Remove the file of a stream that ended."""
        try:
            (self._folder / f"{name}.json").unlink(missing_ok=True)
        except OSError as error:
            log.warning("state file cannot be removed", stream=name, reason=str(error))

    def _read(self, path: Path) -> Saved | None:
        try:
            if path.stat().st_size > MOST_FILE_BYTES:
                raise ValueError("too large")
            return _parse(path.stem, path.read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            aside = path.with_suffix(".bad")
            log.warning("state file unusable", file=str(path), reason=str(error), kept_as=aside.name)
            try:
                os.replace(path, aside)
            except OSError as failure:
                log.warning("state file cannot be set aside", file=str(path), reason=str(failure))
            return None

    def _prune(self, found: dict[str, Saved], unix: float) -> None:
        """Remove what nobody needs any more."""
        over = len(found) - MOST_FILES
        for saved in sorted(found.values(), key=lambda saved: saved.saved_unix):
            over -= 1
            if over < 0 and unix - saved.saved_unix <= KEEP_S:
                continue
            if unix - saved.saved_unix > 60.0:
                self.forget(saved.name)
                del found[saved.name]


def _parse(name: str, data: bytes) -> Saved:
    """Read a state file.

    Raises:
        ValueError: it is none, or of another stream; says what is wrong.
    """
    values = json.loads(data)
    if not isinstance(values, dict) or values.get("format") != FORMAT or values.get("name") != name:
        raise ValueError("not a state file of this stream")
    fields = ("next_msn", "discontinuity_sequence", "end", "date_us", "target_duration_s", "part_target_us", "late_us")
    values.setdefault("late_us", 0)  # files of before it was known
    for field in fields:
        value = values.get(field)
        if type(value) is not int or not 0 <= value < 1 << 60:
            raise ValueError(f"{field} is not a number in range")
    targets = 1 <= values["target_duration_s"] <= 3_600 and 1_000 <= values["part_target_us"] <= 60_000_000
    if not targets or values["late_us"] > 60_000_000:
        raise ValueError("the targets are out of range")
    saved_unix = values.get("saved_unix")
    if not isinstance(saved_unix, int | float) or type(values.get("ended")) is not bool:
        raise ValueError("saved_unix or ended is missing")
    epoch = Epoch(**{field: values[field] for field in fields}, ended=values["ended"])
    return Saved(name, epoch, float(saved_unix))
