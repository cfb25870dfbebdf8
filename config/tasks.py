"""What all tasks of the running loop wait for, as text: `/debug/tasks` of the admin listener.

Tasks that wait at the same place are one entry, so that ten thousand held requests are a line, not a page. A task has
no birthday; its age is known from the first time that somebody looked.
"""

from __future__ import annotations

import asyncio
import os.path
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from types import CodeType

MOST_TASKS = 5_000
"""Tasks whose stack is walked. Why: 5 us each; a loop that serves viewers must not stand still for longer."""
MOST_PLACES = 200
MOST_FRAMES = 30
MOST_NAMES = 3
MOST_NAME = 80
"""Characters of a task's name."""

Place = tuple[tuple[CodeType, int], ...]
"""Code and line, from the task's own coroutine inwards to where it waits."""


@dataclass(slots=True)
class _Group:
    """Tasks that wait at one place."""

    count: int = 0
    names: list[str] = field(default_factory=list)
    oldest: float = 0.0
    """Seconds since it was first seen."""


class Tasks:
    """Looks at the tasks of the running loop. `clock`: monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: weakref.WeakKeyDictionary[asyncio.Task[object], float] = weakref.WeakKeyDictionary()

    def text(self) -> str:
        """The page: places by how many tasks wait there."""
        tasks = asyncio.all_tasks()
        now = self._clock()
        groups: dict[Place, _Group] = {}
        for task in islice(tasks, MOST_TASKS):
            group = groups.setdefault(_place(task), _Group())
            group.count += 1
            group.oldest = max(group.oldest, now - self._seen.setdefault(task, now))
            if len(group.names) < MOST_NAMES:
                group.names.append(task.get_name()[:MOST_NAME])
        lines = [f"{len(tasks)} tasks"]
        if len(tasks) > MOST_TASKS:
            lines[0] += f", {MOST_TASKS} of them below"
        ordered = sorted(groups.items(), key=lambda item: -item[1].count)
        for place, group in ordered[:MOST_PLACES]:
            lines += ["", *_entry(place, group)]
        if len(groups) > MOST_PLACES:
            lines += ["", f"and {len(groups) - MOST_PLACES} other places"]
        return "\n".join(lines) + "\n"


def _place(task: asyncio.Task[object]) -> Place:
    """Where it waits: its coroutine, what that awaits, and so on; `Task.get_stack` tells the outermost only."""
    place: list[tuple[CodeType, int]] = []
    waits: object = task.get_coro()
    while waits is not None and len(place) < MOST_FRAMES:
        frame = getattr(waits, "cr_frame", None) or getattr(waits, "gi_frame", None) or getattr(waits, "ag_frame", None)
        if frame is None:  # a future, or what is written in C
            break
        place.append((frame.f_code, frame.f_lineno))
        waits = getattr(waits, "cr_await", None) or getattr(waits, "gi_yieldfrom", None)
    return tuple(place)


def _entry(place: Place, group: _Group) -> list[str]:
    names = ", ".join(map(repr, group.names))
    if group.count > len(group.names):
        names += ", ..."
    age = f"seen first {group.oldest:.1f} s ago" if group.oldest else "not seen before"
    head = f"{group.count} x {names}: {'the oldest was ' if group.count > 1 and group.oldest else ''}{age}"
    return [head, *(f"    {_file(code)}:{line} {code.co_qualname}" for code, line in place)]


def _file(code: CodeType) -> str:
    """The last three parts of its path."""
    return "/".join(code.co_filename.split(os.path.sep)[-3:])
