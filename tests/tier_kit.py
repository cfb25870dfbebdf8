"""For the tests of tiers: upstreams that behave like LL-HLS origins on a stepped clock, or do not, behind one core."""

from __future__ import annotations

from tests.edge_kit import UNIX, LiveStream, Quiet, Script, Viewer, body_of

from headwater.edge.breaker import Breaker
from headwater.edge.core import TICK_S, Core, CoreLimits
from headwater.edge.member import Member, ProbeRules
from headwater.edge.message import Failure, Purpose, UpstreamAnswer, UpstreamRequest
from headwater.edge.tiers import TierRules, Tiers
from headwater.origin.hls import reader
from headwater.origin.hls.directives import Directives, Serve, decide
from headwater.origin.hls.model import MediaPlaylist

FOLDER = "/live/x/v/"
LIST = f"{FOLDER}index.m3u8"
AUDIO = f"{FOLDER}audio.m3u8"
"""The same playlist as another rendition's."""


class Origin(Script):
    """`message.Upstream` of an origin or a shield that serves `stream`. `state`: well, dead (nobody listens) or hung
    (nothing is answered). `answers_early`: it holds no request, whatever is asked."""

    def __init__(self, stream: LiveStream | None) -> None:
        super().__init__()
        self.stream = stream
        self.state = "well"
        self.answers_early = False

    def pump(self, now: float) -> bool:
        """Answer what can be answered; True when that was anything."""
        some = False
        for entry in list(self.pending):
            answer = self._answer(entry[0], now)
            if answer is not None and entry in self.pending:
                self.pending.remove(entry)
                entry[1](answer)
                some = True
        return some

    def kill(self, now: float) -> None:
        """What is under way breaks off; nobody listens any more."""
        self.state = "dead"
        for _, done in list(self.pending):
            self.pending.pop(0)
            done(UpstreamAnswer(now, UNIX + now, failure=Failure.RESET))

    def asked(self, fragment: str) -> int:
        """Requests seen for what has `fragment` in its URL."""
        return sum(fragment in request.target for request in self.seen)

    def _answer(self, request: UpstreamRequest, now: float) -> UpstreamAnswer | None:
        if self.state == "dead":
            return UpstreamAnswer(now, UNIX + now, failure=Failure.CONNECT)
        if self.state == "hung":
            return None
        if request.purpose is Purpose.PROBE:
            return UpstreamAnswer(now, UNIX + now, 200)
        path, _, query = request.target.partition("?")
        stream = self.stream
        if stream is None or not path.startswith(FOLDER):
            return UpstreamAnswer(now, UNIX + now, 404)
        if path in (LIST, AUDIO):
            pairs = dict(pair.split("=") for pair in query.split("&") if pair)
            if pairs and not self.answers_early:
                ask = Directives(int(pairs["_HLS_msn"]), int(pairs["_HLS_part"]))
                verdict = decide(ask, stream.model.position)
                if not isinstance(verdict, Serve):
                    return None if not hasattr(verdict, "status") else UpstreamAnswer(now, UNIX + now, 400)
            return UpstreamAnswer(now, UNIX + now, 200, (("content-type", "x/y"),), stream.text().encode())
        name = path.removeprefix(FOLDER)
        if name == stream.name:
            return None
        listed = name in stream.text()
        fields = (("content-type", "video/mp4"), ("cache-control", "max-age=60"))
        return UpstreamAnswer(now, UNIX + now, 200 if listed else 404, fields, body_of(name))


class House:
    """A core in front of origins named a, b, …; `run` steps the clock."""

    def __init__(self, *origins: Origin) -> None:
        self.now = 100.0
        self.origins = origins
        self.members = [Member(i, "abcdef"[i], origin, Breaker(3, 2.0)) for i, origin in enumerate(origins)]
        rules = TierRules("edge", ProbeRules("", 2.0, 2.0), 30.0, 1.25)
        self.tiers = Tiers(self.members, rules, self.now)
        limits = CoreLimits("edge", 10_000_000, 1_000, 10, 30.0, b"k" * 32)
        self.core = Core(limits, self.tiers, Quiet(), lambda: True, self.tiers, "id-1")
        self.events: list[str] = []

    def pump(self) -> None:
        """Let everything that can happen now happen."""
        while sum(origin.pump(self.now) for origin in self.origins):
            pass

    def run(self, seconds: float, *, publishing: tuple[LiveStream, ...] = ()) -> None:
        """Let time pass; `publishing` get a part every half second."""
        end, due = self.now + seconds, self.now + 0.5
        while self.now < end - 1e-9:
            self.now += TICK_S
            if self.now >= due - 1e-9:
                due += 0.5
                for stream in publishing:
                    stream.step()
            self.pump()
            self.tiers.handle_timeout(self.now)
            self.core.handle_timeout(self.now)
            self.pump()
            while self.tiers.notices:
                self.events.append(self.tiers.notices.popleft().event)

    def get(self, target: str) -> Viewer:
        """Ask, and let the origins answer."""
        viewer = Viewer(self.core).get(target, self.now)
        self.pump()
        return viewer

    @property
    def followed(self) -> Member:
        """The member that the playlist's held request is at."""
        for member, origin in zip(self.members, self.origins, strict=True):
            if any(request.held for request, _ in origin.pending):
                return member
        raise AssertionError("nobody holds a request")


class Watcher:
    """A viewer who reloads part by part, and checks what no viewer may ever see."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.names: dict[tuple[int, int], str] = {}
        """By MSN and part; part -1: the segment."""
        self.times: list[float] = []
        """When there was a new part."""
        self.statuses: list[int] = []
        self.parts: list[int] = []
        self.order = (0, 0)
        self._viewer: Viewer | None = None
        self._hint: Viewer | None = None

    def look(self) -> None:
        """To be called every tick."""
        if self._viewer is None:
            query = "" if self.order == (0, 0) else f"?_HLS_msn={self.order[0] + 1}&_HLS_part={self.order[1]}"
            self._viewer = Viewer(self.house.core).get(LIST + query, self.house.now)
        if self._viewer.answers:
            self.statuses.append(self._viewer.status)
            if self._viewer.status == 200:
                self._seen(reader.read(self._viewer.body.decode()))
            self._viewer = None
        if self._hint is not None and self._hint.answers:
            self.parts.append(self._hint.status)
            self._hint = None

    def _seen(self, model: MediaPlaylist) -> None:
        order = model.position.order
        assert order >= self.order, f"numbers went back from {self.order} to {order}"
        for segment in model.all_segments:
            if segment.uri is not None:
                self._one_name((segment.msn, -1), segment.uri)
            for index, part in enumerate(segment.parts):
                self._one_name((segment.msn, index), part.uri)
        if order > self.order:
            self.times.append(self.house.now)
        self.order = order
        if self._hint is None and model.hints:
            self._hint = Viewer(self.house.core).get(FOLDER + model.hints[0].uri, self.house.now)

    def _one_name(self, number: tuple[int, int], name: str) -> None:
        assert self.names.setdefault(number, name) == name, f"{number} was {self.names[number]} and is {name}"

    def watch(self, seconds: float, *publishing: LiveStream) -> None:
        """For some time."""
        for step in range(round(seconds / TICK_S)):
            if step % 10 == 9:
                for stream in publishing:
                    stream.step()
            self.house.run(TICK_S)
            self.look()

    @property
    def longest_pause(self) -> float:
        """Between two new parts, seconds."""
        return max(b - a for a, b in zip(self.times, self.times[1:], strict=False))
