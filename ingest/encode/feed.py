"""What waits for the worker: in order, bounded, and no more of it under way than the worker needs. Sans-IO.

    put -> [ queue ] -> next -> socket -> worker           acknowledge <- what the rungs have come to

Only a little of the source is under way in the socket and in the worker: what is there cannot be taken back when the
rungs have to jump ahead.
"""

from __future__ import annotations

from collections import deque

from headwater.ingest.media import VIDEO_TIMESCALE, Hole, Rendition, Sample

from .model import Adjust, Drain, Resume, ToWorker

UNDER_WAY_S = 0.4
"""Seconds of video under way. Why: what is under way is worked on also when the rungs jump, and it keeps the worker
busy."""
LEAST_UNDER_WAY = 18
"""Frames that may be under way whatever they last. Why: a decoder holds up to 16 back for reordering, a slow source has
one frame in a second."""


class Feed:
    """The queue to one worker.

    Args:
        video: rendition that the rungs are made from, or None.
        most_bytes: payloads that may wait.
        most_s: seconds of video that may wait.
        waits_for_key: the video begins with its next keyframe.
    """

    def __init__(self, video: Rendition | None, most_bytes: int, most_s: float, *, waits_for_key: bool = False) -> None:
        self._video = video
        self._most_bytes = most_bytes
        self._most = int(most_s * VIDEO_TIMESCALE)
        self._queue: deque[ToWorker] = deque()
        self._under_way: deque[int] = deque()
        self._resume = 0
        self._waits_for_key = waits_for_key
        self.size = 0
        """Bytes of payloads that wait."""
        self.dropped = 0
        """Video samples that were not given to the worker."""

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def overflows(self) -> bool:
        """More waits than may: `jump` follows."""
        return self.size > self._most_bytes or self._span() > self._most

    def put(self, message: ToWorker) -> None:
        """Append a message."""
        if isinstance(message, Sample) and message.rendition == self._video:
            if self._waits_for_key:
                if not message.independent:
                    self.dropped += 1
                    return
                self._waits_for_key = False
                self._queue.append(Hole(message.rendition, message.pts))
            self.size += len(message.payload)
        elif isinstance(message, Sample):
            self.size += len(message.payload)
        self._queue.append(message)

    def urgent(self, message: Adjust | Drain | Resume) -> None:
        """A message that goes before what waits, in place of earlier ones of its kind."""
        self._queue = deque(waiting for waiting in self._queue if type(waiting) is not type(message))
        if isinstance(message, Resume):
            self._resume = message.position
            self._under_way.clear()
        self._queue.appendleft(message)

    def next(self) -> ToWorker | None:
        """The next message to be sent; None: there is none, or the worker has enough to do."""
        if not self._queue:
            return None
        message = self._queue[0]
        if isinstance(message, Sample):
            if message.rendition == self._video:
                if not self._open(message.pts):
                    return None
                if message.pts >= self._resume:
                    self._under_way.append(message.pts)
            self.size -= len(message.payload)
        elif isinstance(message, Hole) and message.rendition == self._video:
            self._under_way.clear()  # nothing of what is before it waits for anything
        elif isinstance(message, Resume):
            self._resume = message.position
        return self._queue.popleft()

    def acknowledge(self, position: int) -> None:
        """The rungs have come to `position`, 90 kHz ticks."""
        while self._under_way and self._under_way[0] < position:
            self._under_way.popleft()

    def jump(self, position: int) -> None:
        """Nothing before `position` (90 kHz) is wanted: the worker is told, and spared what it need not decode.

        When too much waits all the same, the video begins again at its next keyframe.
        """
        keys = [index for index, message in enumerate(self._queue) if self._is_key(message, position)]
        if keys:
            self._drop_video(keys[-1])
        if self.overflows:
            self._drop_video(len(self._queue))
            self._waits_for_key = True
        self.urgent(Resume(position))

    def _is_key(self, message: ToWorker, position: int) -> bool:
        if not isinstance(message, Sample) or message.rendition != self._video:
            return False
        return message.independent and message.pts <= position

    def _drop_video(self, before: int) -> None:
        """Leave out the video in front of the queue's item number `before`."""
        kept: deque[ToWorker] = deque()
        for index, message in enumerate(self._queue):
            if index < before and isinstance(message, Sample) and message.rendition == self._video:
                self.size -= len(message.payload)
                self.dropped += 1
            else:
                kept.append(message)
        self._queue = kept

    def _open(self, pts: int) -> bool:
        under_way = self._under_way
        return len(under_way) < LEAST_UNDER_WAY or pts - under_way[0] <= UNDER_WAY_S * VIDEO_TIMESCALE

    def _span(self) -> int:
        first = next((m.pts for m in self._queue if isinstance(m, Sample) and m.rendition == self._video), None)
        last = next((m.pts for m in reversed(self._queue) if isinstance(m, Sample) and m.rendition == self._video), 0)
        return 0 if first is None else last - first
