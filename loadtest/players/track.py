"""One rendition as a player loads it: playlist, init section, parts. Sans-IO.

    hlsjs    one lane: blocking reload, then the part(s) it names, then the next blocking reload
    safari   two lanes: the hinted part on one, the blocking reload for it on the other; a part that came before its
             playlist waits for it (`_hinted`)
    legacy   one lane: polls as RFC 8216 6.3.4 says, loads whole segments

`pump` is the heart: it is called after everything that happened, and asks for what is next on each lane that is free.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater.loadtest.records import Mode
from headwater.origin.hls import directives
from headwater.origin.hls.attributes import PlaylistError

from . import retry
from .address import Address
from .lane import Answer, Kind, Lane
from .ledger import us
from .playhead import Buffer, State
from .view import Unit, View

if TYPE_CHECKING:
    from .player import Player

MAX_BUFFER_S = 30.0
"""A track that has this much ahead loads nothing more (hls.js maxBufferLength)."""
NEVER = 1 << 62
GRACE_S = 2.0
"""Beside the three target durations after which a server answers 503 (6.2.5.2, rule 91)."""
BACK_S = 1.0
"""A unit that ends this much before the end of the buffer: the stream's dates went back."""


class Track:
    """One rendition of one viewer."""

    __slots__ = (
        "_hint", "_hint_key", "_hinted_at", "_init", "_list_rest", "_list_tries", "_media_rest", "_media_tries",
        "_parallel", "_plain", "_view_at", "address", "buffer", "done", "key", "lists", "live",
        "media", "player", "role", "view", "viewer", "wanted", "whole",
    )  # fmt: skip

    def __init__(self, player: Player, role: str, address: Address, lane: Lane | None = None) -> None:
        self.player = player
        self.role = role
        """Object type as CMCD says it: v, a, av."""
        self.address = address
        self.wanted = address
        """The rendition to change to at the next segment."""
        self.viewer = player.viewer
        mode = self.viewer.mode
        self.whole = mode is Mode.LEGACY
        """Loads segments, not parts."""
        self._parallel = mode is Mode.SAFARI
        self.lists = lane or Lane(self)
        self.lists.owner = self
        self.media = Lane(self) if self._parallel else self.lists
        self.buffer = Buffer()
        self.view: View | None = None
        self._view_at = 0.0
        self.key = NEVER
        """Of what is loaded next; NEVER: not placed yet."""
        self.live = NEVER
        """Units from this key on were published while the viewer waited for them; NEVER: it has to catch up first."""
        self.done = False
        """The stream ended and everything is loaded."""
        self._init: Address | None = None
        self._list_rest = self._media_rest = 0.0
        """Not to be asked before."""
        self._list_tries = self._media_tries = 0
        self._plain = False
        """The next reload does without directives: the one before failed (rule 92)."""
        self._hint: Address | None = None
        """The hint that was asked for last, and its place."""
        self._hint_key = NEVER
        self._hinted_at = 0.0
        """When it came, before any playlist listed it; 0: it did not."""

    # -- what is next

    def woken(self, now: float) -> None:
        """A pause is over."""
        self.pump(now)

    def pump(self, now: float) -> None:
        """Ask for what is next."""
        player = self.player
        if player.still:
            return
        if not self.media.busy and self.key != NEVER and now >= self._media_rest:
            self._load(now)
        # On a lane of its own the playlist goes on while a part waits to be tried again
        if not self.lists.busy and now >= self._list_rest and (self._parallel or now >= self._media_rest):
            self._reload(now)

    def _load(self, now: float) -> None:
        view, player = self.view, self.player
        if view is None or self.buffer.end - player.head.head > MAX_BUFFER_S:
            return
        while (unit := view.find(self.key, whole=self.whole)) is not None:
            if unit.gap:
                player.ledger.gaps += 1
                self.key = unit.next_key
            elif self._hinted_at and self._is_hint(unit):
                self._take(unit, self._hinted_at, now)
            else:
                self._get(unit, now)
                return
        if view.playlist.ended:
            self.done = True
            player.track_done(now)
        elif self._parallel and view.hint is not None and view.hint != self._hint and not self._hinted_at:
            self._get_hint(view, view.hint, now)

    def _get(self, unit: Unit, now: float) -> None:
        self._hinted_at = 0.0
        if unit.boundary and self.player.wants_other(self):
            self._switch(now)
        elif unit.init is not None and unit.init != self._init:
            self._ask(self.media, Kind.INIT, unit.init, now)
            self.media.unit = unit
        else:
            self.media.unit = unit
            kind = Kind.SEGMENT if unit.whole else Kind.PART
            self._ask(self.media, kind, unit.address, now, extra=unit.range)

    def _get_hint(self, view: View, hint: Address, now: float) -> None:
        self._hint, self._hint_key = hint, view.next_key
        self.media.unit = None
        self._ask(self.media, Kind.PART, hint, now, extra=view.hint_range, hold=self._patience(view))

    def _is_hint(self, unit: Unit) -> bool:
        return self._hint is not None and unit.key == self._hint_key and unit.address.target == self._hint.target

    def _reload(self, now: float) -> None:
        view = self.view
        if view is None or self._plain or not self._blocks(view):
            self._plain = False
            if view is None or not view.playlist.ended:
                self._ask(self.lists, Kind.PLAYLIST, self.address, now)
        elif not view.playlist.ended:
            playlist = view.playlist
            # 6.3.7: a delta update only while the copy is younger than half the Skip Boundary
            until = playlist.control.can_skip_until
            skip = until is not None and now - self._view_at < until / 2
            hold = self._patience(view)
            self._ask(self.lists, Kind.PLAYLIST, self.address, now, target=view.ask(skip=skip), hold=hold)

    def _blocks(self, view: View) -> bool:
        return view.playlist.control.can_block_reload and not self.whole

    def _patience(self, view: View) -> float:
        """How long a blocking reload may be held before the player gives it up."""
        playlist = view.playlist
        if self._parallel or playlist.part_target is None:
            return 3.0 * playlist.target_duration + GRACE_S
        return min(10.0, max(3 * playlist.part_target, 0.8 * playlist.target_duration))  # rule 92

    def _ask(
        self,
        lane: Lane,
        kind: Kind,
        where: Address,
        now: float,
        *,
        target: bytes = b"",
        extra: bytes = b"",
        hold: float = 0.0,
    ) -> None:
        lane.patience = hold
        if self.player.reporting:
            target, more = self.player.tell(self, kind, target or where.target, lane.unit)
            extra += more
        lane.ask(self.player.port, kind, where, now, target, extra)

    # -- what came

    def answered(self, lane: Lane, answer: Answer, now: float) -> None:
        """An answer is whole."""
        ledger = self.player.ledger
        ledger.bytes += answer.size
        if lane.stale:
            self.pump(now)
        elif answer.status != 200 and answer.status != 206:
            self.failed(lane, f"status {answer.status}", now)
        elif lane.kind is Kind.PLAYLIST:
            self.listed(lane, answer, now)
        else:
            if not lane.held:
                ledger.first_byte_us.append(us(answer.first - lane.asked))
            if lane.kind is Kind.INIT:
                ledger.others += 1
                ledger.response_us.append(us(now - lane.asked))
                self._init = lane.unit.init if lane.unit is not None else None
            else:
                self._loaded(lane, answer, now)
            self.pump(now)

    def _loaded(self, lane: Lane, answer: Answer, now: float) -> None:
        self.player.measured(now - answer.first, answer.size)
        unit = lane.unit
        if unit is None:  # a hint
            listed = None if self.view is None else self.view.find(self._hint_key, whole=False)
            if listed is None or not self._is_hint(listed):
                self._hinted_at = now
                return
            unit = listed
        self._take(unit, now, now)

    def _take(self, unit: Unit, came: float, now: float) -> None:
        """A unit that came at `came` goes into the buffer."""
        player, view = self.player, self.view
        ledger, head = player.ledger, player.head
        self._media_tries = 0
        self._hinted_at = 0.0
        self.key = unit.next_key
        dated = view is not None and view.dated
        if unit.key < self.live:
            ledger.response_us.append(us(now - self.media.asked))
        elif dated:
            (ledger.segment_us if unit.whole else ledger.part_us).append(us(came - unit.end))
            if came < unit.end:
                ledger.early += 1
        if unit.whole:
            ledger.segments += 1
        else:
            ledger.parts += 1
        if dated and unit.end < self.buffer.end - BACK_S:
            player.tune(now)
            return
        head.advance(now)
        if head.state is State.STALLED:
            ledger.late += 1
        self.buffer.append(unit.start, unit.end)
        head.grown(now)

    def listed(self, lane: Lane, answer: Answer, now: float) -> None:
        """A body of the playlist came."""
        player, old = self.player, self.view
        ledger = player.ledger
        ledger.playlists += 1
        try:
            view = player.library.view(self.address, answer.body, old)
        except PlaylistError:
            self.failed(lane, "malformed", now)
            return
        self._list_tries = 0
        news = old is None or view.next_key > old.next_key
        if not lane.held:
            ledger.first_byte_us.append(us(answer.first - lane.asked))
            ledger.response_us.append(us(now - lane.asked))
        if old is not None:
            if self.live == NEVER and old.end(whole=self.whole)[2] <= self.key < NEVER:
                self.live = self._live_from(lane, old, view)
            if lane.held and old.next_key >= self.live:
                self._judge(lane, old, view, now)
        if old is None or view.next_key >= old.next_key:  # else an old copy out of some cache
            self.view, self._view_at = view, now
        self._rest(lane, view, news, now)
        # hls.js' tune-in: what a cache kept for longer than a part is refreshed with a blocking reload before the start
        tuned_in = (
            old is not None or not self._blocks(view) or answer.age < (view.playlist.part_target or answer.age + 1)
        )
        if tuned_in:
            player.viewed(self, view, now)
        self._drop_dead_hint(view)
        self.pump(now)

    def _live_from(self, lane: Lane, old: View, view: View) -> int:
        """The first unit that was published while the viewer waited for it: it has caught up."""
        since = lane.asked if lane.held else lane.asked - view.playlist.target_duration
        first, end = old.end(whole=self.whole)[2], view.end(whole=self.whole)[2]
        units = view.segments if self.whole else view.units
        new = (unit.key for unit in units if unit.key >= first and unit.end > since)
        return next(new, end) if view.dated else end

    def _judge(self, lane: Lane, old: View, view: View, now: float) -> None:
        """Was the answer to a blocking reload in time, and was it the next version?"""
        ledger = self.player.ledger
        if view.next_key <= old.next_key:
            ledger.behind += 1
            return
        if view.dated:
            ledger.playlist_us.append(us(now - view.edge))
        asked = view.find(old.next_key, whole=False)
        # Published while we waited, and yet not sent before something else was published, too.
        if asked is not None and asked.next_key < view.next_key and (asked.end > lane.asked or not view.dated):
            ledger.behind += 1

    def _rest(self, lane: Lane, view: View, news: bool, now: float) -> None:
        """When the playlist may be asked for again."""
        target = view.playlist.target_duration
        if self._blocks(view):
            # A server that blocks and yet says nothing new is not asked again at once (hls.js)
            self._list_rest = now + target / 2 if lane.held and not news else now
        else:
            # RFC 8216, 6.3.4: a target duration from the last load, half of it when nothing was new
            self._list_rest = max(now, lane.asked + (target if news else target / 2))
        if self._list_rest > now and not view.playlist.ended:
            self.player.port.wake(self._list_rest, self)

    def _drop_dead_hint(self, view: View) -> None:
        """A hinted part that the playlist lists under another name, or not at all, is not waited for."""
        lane = self.media
        if not self._parallel or not lane.busy or not lane.held or lane.kind is not Kind.PART:
            return
        listed = view.find(self._hint_key, whole=False)
        if listed is not None and (listed.gap or not self._is_hint(listed)):
            self.player.port.abandon(lane)

    # -- what failed

    def failed(self, lane: Lane, why: str, now: float) -> None:
        """A request came to nothing: try again, or give up."""
        player, kind = self.player, lane.kind
        player.ledger.error(f"{why} {kind.value}")
        if lane.stale or (lane.held and kind is Kind.PART):
            self.pump(now)  # of a hint: the playlist will say what to load
            return
        tries = self._list_tries if kind is Kind.PLAYLIST else self._media_tries
        pause = retry.pause(kind, why, tries)
        if pause is None:
            player.give_up(now)
            return
        player.ledger.retries += 1
        if kind is Kind.PLAYLIST:
            self._list_tries, self._list_rest, self._plain = tries + 1, now + pause, True
        else:
            self._media_tries, self._media_rest = tries + 1, now + pause
        if pause:
            player.port.wake(now + pause, self)
        self.pump(now)

    # -- where to load

    def begin(self, unit: Unit) -> None:
        """Load from `unit` on: at the start, and after a seek."""
        self.key = unit.key
        self.live = NEVER
        self.buffer.reset(unit.start)
        self._hinted_at = 0.0
        self._hint = None
        self.done = False
        self._media_tries, self._media_rest = 0, 0.0
        if self.media.busy and self.media.kind is not Kind.PLAYLIST:
            self.media.stale = True

    def resumed(self, now: float) -> None:
        """After a pause. What was published in it does not count as late."""
        if not self.lists.busy:
            self.live = NEVER
        self.pump(now)

    def _switch(self, now: float) -> None:
        """Change to the rendition `wanted`, where the next segment begins."""
        reports = {} if self.view is None else self.view.reports
        msn, part = reports.get(self.wanted.url, (None, None))
        self.address, self.view, self.key, self.live = self.wanted, None, NEVER, NEVER
        self._hint, self._hinted_at, self._list_rest, self._plain = None, 0.0, 0.0, False
        if self.lists.busy:
            self.player.port.abandon(self.lists)
        # Rule 96: players ask for the place that the rendition report names
        query = directives.query(msn, part)
        target = self.address.plus(query) if query and not self.whole else b""
        self._ask(self.lists, Kind.PLAYLIST, self.address, now, target=target)

    def place(self, view: View) -> None:
        """After a switch: go on where the buffer ends."""
        unit = view.after(self.buffer.end, whole=self.whole)
        self.key = view.next_key if unit is None else unit.key
        self.live = NEVER
