"""Encoders side by side: each lane is a thread, each rung has its lane for life, and the caller waits for all.

The GIL is free while libavcodec encodes. The caller's own thread is the first lane, so that with one lane there is no
other thread at all; and a lane that hangs stops the caller, which is how the host learns of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Generic, TypeVar

Result = TypeVar("Result")
Job = Callable[[], Result]

MOST_LANES = 4
"""Why: a ladder's highest rung takes as long as the three below it together."""


class Lanes(Generic[Result]):
    """Threads for jobs.

    Args:
        count: lanes, the caller's thread among them.
    """

    def __init__(self, count: int) -> None:
        self._count = max(1, min(count, MOST_LANES))
        self._inboxes: list[SimpleQueue[list[tuple[int, Job[Result]]] | None]] = []
        self._done: SimpleQueue[list[tuple[int, Result | BaseException]]] = SimpleQueue()
        for number in range(1, self._count):
            inbox: SimpleQueue[list[tuple[int, Job[Result]]] | None] = SimpleQueue()
            self._inboxes.append(inbox)
            threading.Thread(target=self._serve, args=(inbox,), name=f"lane {number}", daemon=True).start()

    @property
    def count(self) -> int:
        """Lanes."""
        return self._count

    def run(self, jobs: Sequence[tuple[int, Job[Result]]]) -> list[Result | BaseException]:
        """Do all jobs, each on its lane, those of one lane in order. A job's exception is its result.

        `jobs`: lane and what to do.
        """
        lanes: list[list[tuple[int, Job[Result]]]] = [[] for _ in range(self._count)]
        for place, (lane, job) in enumerate(jobs):
            lanes[lane % self._count].append((place, job))
        busy = 0
        for inbox, work in zip(self._inboxes, lanes[1:], strict=True):
            if work:
                inbox.put(work)
                busy += 1
        done = _work(lanes[0])
        for _ in range(busy):
            done += self._done.get()
        done.sort(key=lambda entry: entry[0])
        return [result for _, result in done]

    def close(self) -> None:
        """End the threads."""
        for inbox in self._inboxes:
            inbox.put(None)

    def _serve(self, inbox: SimpleQueue[list[tuple[int, Job[Result]]] | None]) -> None:
        while (work := inbox.get()) is not None:
            self._done.put(_work(work))


def _work(jobs: list[tuple[int, Job[Result]]]) -> list[tuple[int, Result | BaseException]]:
    return [(place, _result(job)) for place, job in jobs]


def _result(job: Job[Result]) -> Result | BaseException:
    try:
        return job()
    except Exception as error:  # the caller must get an answer for every job
        return error


def spread(weights: Sequence[float], lanes: int) -> list[int]:
    """A lane for each weight, so that lanes have about the same to do; the heaviest goes first."""
    loads = [0.0] * max(1, lanes)
    places = [0] * len(weights)
    for index in sorted(range(len(weights)), key=lambda index: -weights[index]):
        places[index] = loads.index(min(loads))
        loads[places[index]] += weights[index]
    return places
