"""One viewer: joins, chooses, watches, pauses, seeks, leaves. Sans-IO.

`now` is Unix time by the server's clock wherever it stands in this folder.
"""

from __future__ import annotations

from headwater.loadtest.records import Abr, Cmcd, ViewerClass
from headwater.origin.hls.attributes import PlaylistError

from . import cmcd, retry
from .address import Address
from .dice import Dice
from .ladder import Bandwidth, Choice, Ladder
from .lane import NOBODY, Answer, Kind, Lane, Port, kept
from .ledger import Ledger, us
from .library import Library, is_multivariant
from .playhead import Playhead, State
from .track import Track
from .view import Unit, View

FOREVER = float("inf")


class Player:
    """One viewer. `join` begins; the port is asked for everything that follows."""

    __slots__ = (
        "_bandwidth", "_choice", "_dice", "_ladder", "_lane", "_next_pause", "_next_seek", "_resume_at", "_sid",
        "_tries", "gone", "head", "ledger", "library", "port", "reporting", "still", "tracks", "url", "viewer",
    )  # fmt: skip

    def __init__(
        self,
        port: Port,
        library: Library,
        ledger: Ledger,
        viewer: ViewerClass,
        url: Address,
        seed: tuple[int, ...],
        now: float,
    ) -> None:
        self.port = port
        self.library = library
        self.ledger = ledger
        self.viewer = viewer
        self.url = url
        self._dice = Dice(*seed)
        self._lane: Lane | None = Lane(self)
        self._tries = 0
        self.head = Playhead(ledger, now)
        self.tracks: tuple[Track, ...] = ()
        self._ladder: Ladder | None = None
        self._choice: Choice | None = None
        self.reporting = viewer.cmcd is not Cmcd.OFF
        self._bandwidth = Bandwidth() if self.reporting or viewer.abr is Abr.THROUGHPUT else None
        self._sid = self._dice.bits()
        self.still = False
        """Paused, or gone: nothing is asked for."""
        self.gone = False
        self._resume_at = FOREVER
        self._next_pause = self._next_seek = FOREVER

    @property
    def player(self) -> Player:
        """The owner of its first lane is the viewer itself."""
        return self

    # -- joining

    def join(self, now: float) -> None:
        """Come in."""
        self.ledger.joined += 1
        self._next_pause = self._draw(self.viewer.pause_every_s, now)
        self._next_seek = self._draw(self.viewer.seek_every_s, now)
        self.woken(now)

    def _draw(self, mean: float | None, now: float) -> float:
        return FOREVER if mean is None else now + self._dice.distance(mean)

    def woken(self, now: float) -> None:
        """Ask for the playlist that the viewer was given."""
        lane = self._lane
        if lane is not None and not self.gone:
            target, extra = b"", b""
            if self.reporting:
                target, extra = self.tell(None, Kind.MULTIVARIANT, self.url.target, None)
            lane.ask(self.port, Kind.MULTIVARIANT, self.url, now, target, extra)

    def answered(self, lane: Lane, answer: Answer, now: float) -> None:
        """The first playlist came: multivariant, or a media playlist."""
        if answer.status != 200:
            self.ledger.bytes += answer.size
            self.failed(lane, f"status {answer.status}", now)
            return
        if not is_multivariant(answer.body):
            self.tracks = (Track(self, "av", self.url, lane),)
            self._start()
            lane.kind = Kind.PLAYLIST
            self.tracks[0].answered(lane, answer, now)
            return
        self.ledger.bytes += answer.size
        self.ledger.others += 1
        self.ledger.first_byte_us.append(us(answer.first - lane.asked))
        self.ledger.response_us.append(us(now - lane.asked))
        try:
            self._ladder = self.library.ladder(self.url, answer.body)
            self._choice = self._ladder.first(self.viewer)
        except PlaylistError as error:
            self.failed(lane, "no variant for" if str(error).startswith("no variant") else "malformed", now)
            return
        audio = self._choice.audio if self.viewer.audio else None
        self.tracks = (Track(self, "v" if self._choice.audio else "av", self._choice.video, lane),)
        if audio is not None:
            self.tracks += (Track(self, "a", audio),)
        self._start()
        for track in self.tracks:
            track.pump(now)

    def _start(self) -> None:
        self._lane = None
        self.head.buffers = tuple(track.buffer for track in self.tracks)

    def failed(self, lane: Lane, why: str, now: float) -> None:
        """No first playlist: try again, or give up."""
        self.ledger.error(f"{why} {lane.kind.value}")
        pause = retry.pause(lane.kind, why, self._tries)
        self._tries += 1
        if pause is None:
            self.give_up(now)
            return
        self.ledger.retries += 1
        if pause:
            self.port.wake(now + pause, self)
        else:
            self.woken(now)

    # -- what the tracks say

    def viewed(self, track: Track, view: View, now: float) -> None:
        """A track has a new version of its playlist."""
        head = self.head
        if head.state is State.JOINING and head.goal == 0.0:
            self.tune(now)
        elif track.view is view and track.key > view.next_key:
            track.place(view)  # after a switch
        elif view.units and head.head < view.units[0].start and track.key < view.units[0].key:
            self.tune(now)  # out of the window, and so is what comes next: back to live (hls.js synchronizeToLiveEdge)

    def tune(self, now: float, back: float = 0.0) -> None:
        """Put the playhead to the hold-back, or `back` seconds before it, once all tracks know what there is."""
        views = [track.view for track in self.tracks if track.view is not None and track.view.units]
        if len(views) < len(self.tracks):
            return
        whole = self.tracks[0].whole
        hold = views[0].hold_back(whole=whole)
        ends = [view.end(whole=whole) for view in views]
        head = min(edge for edge, _, _ in ends) - hold - back
        units: list[Unit] = []
        for view in views:
            unit = view.at(head, whole=whole)
            if unit is None:
                return
            units.append(unit)
        head = max(head, *(unit.start for unit in units))
        goal = min(head + hold, *(filled for _, filled, _ in ends))
        for track, unit in zip(self.tracks, units, strict=True):
            track.begin(unit)
        self.head.tune(head, goal, now)
        for track in self.tracks:
            track.pump(now)

    def wants_other(self, track: Track) -> bool:
        """At the start of a segment: is it to be loaded from another rendition?"""
        if self.viewer.abr is Abr.THROUGHPUT and track is self.tracks[0]:
            self._adapt()
        return track.wanted != track.address

    def _adapt(self) -> None:
        if self._ladder is None or self._choice is None or self._bandwidth is None:
            return
        choice = self._ladder.fitting(self._bandwidth.bps, self._choice)
        if choice is self._choice:
            return
        self._choice = choice
        self.ledger.switches += 1
        self.tracks[0].wanted = choice.video
        if len(self.tracks) > 1 and choice.audio is not None:
            self.tracks[1].wanted = choice.audio

    def measured(self, seconds: float, size: int) -> None:
        """Media of `size` bytes came in `seconds`."""
        if self._bandwidth is not None:
            self._bandwidth.sample(seconds, size)

    def track_done(self, now: float) -> None:
        """The stream ended, and a track has all of it."""
        self.head.final = all(track.done for track in self.tracks)

    def tell(self, track: Track | None, kind: Kind, target: bytes, unit: Unit | None) -> tuple[bytes, bytes]:
        """Target and header lines with what CMCD says."""
        head = self.head
        report = cmcd.Report(
            sid=f"{self._sid:016x}",
            cid=cmcd.content_id(self.url.target),
            ot="m",
            bl=int(head.level * 1000),
            su=head.state is not State.PLAYING,
            bs=head.state is State.STALLED,
        )
        if track is not None and not kept(kind):
            choice = self._choice if track is self.tracks[0] else None
            report.ot = "i" if kind is Kind.INIT else track.role
            report.br = None if choice is None else choice.bandwidth // 1000
            report.mtp = int(self._bandwidth.bps / 1000) if self._bandwidth is not None else None
            report.d = int(unit.duration * 1000) if unit is not None and kind is not Kind.INIT else None
        return cmcd.put(report, self.viewer.cmcd, target)

    # -- time

    def sample(self, now: float) -> None:
        """Once a second: latency, and whatever the viewer does."""
        head = self.head
        head.advance(now)
        state = head.state
        if not self.tracks:
            return
        if state is State.PLAYING or state is State.STALLED:
            view = self.tracks[0].view
            if view is not None and view.dated:
                self.ledger.latency_us.append(us(now - head.head))
            if now >= self._next_pause:
                self._pause(now)
            elif now >= self._next_seek:
                self._seek(now)
        elif state is State.ENDED:
            self.leave(now)
            return
        elif self.still and now >= self._resume_at:  # PAUSED, or SEEKING: an answer under way may have made it tune
            self._resume(now)
        for track in self.tracks:
            if not track.media.busy:
                track.pump(now)

    def _pause(self, now: float) -> None:
        self.head.pause(now)
        if self.head.state is State.PAUSED:
            self.still = True
            self._resume_at = now + self._dice.between(*self.viewer.pause_s)
        self._next_pause = self._draw(self.viewer.pause_every_s, now)

    def _resume(self, now: float) -> None:
        self.still = False
        self._next_pause = self._draw(self.viewer.pause_every_s, now)
        self.head.resume(now)
        for track in self.tracks:
            track.resumed(now)

    def _seek(self, now: float) -> None:
        self._next_seek = self._draw(self.viewer.seek_every_s, now)
        self.ledger.seeks += 1
        self.tune(now, self._dice.between(*self.viewer.seek_back_s))

    # -- the end

    def leave(self, now: float) -> None:
        """The viewer has seen enough, or the stream ended."""
        if not self.gone:
            self.ledger.left += 1
            self.finish(now)

    def give_up(self, now: float) -> None:
        """A fatal error."""
        if not self.gone:
            self.ledger.fatal += 1
            self.finish(now)

    def finish(self, now: float) -> None:
        """Nothing is counted any more."""
        self.gone = self.still = True
        self.head.finish(now)
        self.port.gone(self)

    def lanes(self) -> list[Lane]:
        """All there are."""
        found = [] if self._lane is None else [self._lane]
        for track in self.tracks:
            found.append(track.lists)
            if track.media is not track.lists:
                found.append(track.media)
        return found

    def dismiss(self) -> None:
        """Let go of everything, so that no cycle is left for the collector."""
        for lane in self.lanes():
            lane.owner = NOBODY
        self.tracks = ()
        self._lane = None
