"""Pinned playlists: followed before the first viewer comes, and after the last one left. Sans-IO.

A pin is a path. Every few seconds it is asked for as a viewer would, with all media playlists that it leads to; so the
edge follows them and fetches their init sections and newest parts, and they are never found to be unwatched.
"""

from __future__ import annotations

from typing import Protocol

from .keys import BadTarget, read_target
from .learn import children
from .message import Method, Outcome, Reply, Request, Response, Ticket

MAX_PINS = 200
"""Why: each costs the node a whole ladder, all the time."""
MAX_PATH = 512
MOST_EVERY_S = 5.0
"""Why: a stream that begins is warm this soon after its first playlist."""


class Core(Protocol):
    """What pins need of the core."""

    def look_up(self, request: Request, reply: Reply, now: float) -> Ticket | None:
        """Answer a request of our own, past the gate, now or later."""

    def uncounted(self, outcome: Outcome) -> None:
        """That answer went to no viewer."""


class BadPin(ValueError):
    """The path cannot be pinned; `str()` says why."""


class _Pin:
    """`configured`: it stands in the settings, and cannot be taken away here."""

    __slots__ = ("configured", "status", "tickets", "urls")

    def __init__(self, *, configured: bool) -> None:
        self.configured = configured
        self.status = 0
        """Of the last answer at the pinned path; 0: none yet."""
        self.tickets: dict[str, Ticket] = {}
        self.urls: dict[str, int] = {}
        """The media playlists that it leads to, with the status of each."""


class Pins:
    """`grace_s`: how long the core follows a playlist that nobody asks for."""

    def __init__(self, core: Core, configured: tuple[str, ...], grace_s: float) -> None:
        self._core = core
        self._every_s = min(MOST_EVERY_S, grace_s / 3)
        self._at = 0.0
        self._pins = {read_pin(path): _Pin(configured=True) for path in configured}

    def add(self, text: str) -> bool:
        """Pin this path; False when it is pinned already. Raises BadPin."""
        path = read_pin(text)
        if path in self._pins:
            return False
        if len(self._pins) >= MAX_PINS:
            raise BadPin(f"there are {MAX_PINS} pins already")
        self._pins[path] = _Pin(configured=False)
        self._at = 0.0
        return True

    def remove(self, text: str) -> bool:
        """Let this path go; False when it is not pinned. Raises BadPin for one that the settings pin."""
        path = read_pin(text)
        pin = self._pins.get(path)
        if pin is None:
            return False
        if pin.configured:
            raise BadPin("it is pinned by edge.pins in the settings")
        for ticket in pin.tickets.values():
            ticket.cancel()
        del self._pins[path]
        return True

    def listing(self) -> list[dict[str, object]]:
        """What is pinned and how it stands, as JSON has it."""
        return [
            {
                "path": path,
                "configured": pin.configured,
                "status": pin.status or None,
                "playlists": {url: status or None for url, status in pin.urls.items()},
            }
            for path, pin in self._pins.items()
        ]

    def handle_timeout(self, now: float) -> None:
        """Ask again, when it is time."""
        if now < self._at:
            return
        self._at = now + self._every_s
        for path, pin in self._pins.items():
            self._ask(pin, path, now)
            for url in pin.urls:
                self._ask(pin, url, now)

    def _ask(self, pin: _Pin, url: str, now: float) -> None:
        if url in pin.tickets:  # still on its way
            return

        def reply(response: Response) -> None:
            self._core.uncounted(response.outcome)
            pin.tickets.pop(url, None)
            self._answered(pin, url, response)

        ticket = self._core.look_up(Request(Method.GET, url.encode("ascii")), reply, now)
        if ticket is not None:
            pin.tickets[url] = ticket

    def _answered(self, pin: _Pin, url: str, response: Response) -> None:
        status = response.entity.status
        if url in pin.urls:
            pin.urls[url] = status
            return
        pin.status = status
        if status == 200:
            before = pin.urls
            pin.urls = {child: before.get(child, 0) for child in children(bytes(response.entity.body), url)}
            if pin.urls.keys() - before.keys():
                self._at = 0.0  # the new ones with the next tick, not with the next round

    def stop(self) -> None:
        """Ask no more."""
        for pin in self._pins.values():
            for ticket in pin.tickets.values():
                ticket.cancel()
            pin.tickets.clear()


def read_pin(text: str) -> str:
    """The canonical form of a path that is to be pinned. Raises BadPin."""
    if len(text) > MAX_PATH or not text.isascii():
        raise BadPin(f"not an ASCII path of at most {MAX_PATH} characters")
    target = read_target(text.encode("ascii"))
    if isinstance(target, BadTarget):
        raise BadPin(target.reason)
    if not target.playlist_like:
        raise BadPin("not the path of a playlist: it has to end in .m3u8")
    return target.plain
