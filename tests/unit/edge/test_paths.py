"""The contract between followers and objects, which tell and ask, and the choice of upstreams: both sides of it."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import replace

import pytest
from tests.edge_kit import UNIX, LiveStream, OnePath, Quiet, Script, Viewer

from headwater.edge.breaker import Breaker
from headwater.edge.core import TICK_S, Core, CoreLimits
from headwater.edge.join import Join
from headwater.edge.member import Member, ProbeRules
from headwater.edge.message import UpstreamAnswer
from headwater.edge.paths import Paths
from headwater.edge.succession import FROZEN_TARGETS
from headwater.edge.tiers import TierRules, Tiers
from headwater.origin.hls.model import RenditionReport
from headwater.origin.hls.writer import render

MAIN = "/live/x/index.m3u8"
LIST = "/live/x/v/index.m3u8"
AUDIO = "/live/x/a/index.m3u8"
TYPE = (("content-type", "application/vnd.apple.mpegurl"),)
MULTIVARIANT = """#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="x",URI="a/index.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"
v/index.m3u8
"""
ASKS = {"several", "ailing", "gone", "join_of"}
TELLS = {"stands_still", "taken_over", "names", "leads_to", "beside"}


class Ledger:
    """`paths.Paths` and nothing else, so that whoever wants more fails here. `dead` upstreams are gone."""

    def __init__(self, *, several: bool = True) -> None:
        self.several = several
        self.ailing = False
        self.dead: set[str] = set()
        self.still: list[tuple[str, str]] = []
        self.taken: list[tuple[str, str, bool]] = []
        self.at: Join | None = None
        self.asked: list[tuple[str, str]] = []
        self.joins_asked: set[tuple[str, str]] = set()
        self.named: dict[str, list[str]] = {}
        self.led: dict[str, list[str]] = {}
        self.neighbours: dict[str, list[str]] = {}

    def gone(self, key: str, source: str, now: float) -> bool:
        self.asked.append((key, source))
        return source in self.dead

    def stands_still(self, key: str, source: str, now: float) -> None:
        self.still.append((key, source))

    def taken_over(self, key: str, source: str, now: float, at: Join | None, *, changed: bool) -> None:
        self.taken.append((key, source, changed))
        self.at = at

    def join_of(self, key: str, source: str) -> Join | None:
        self.joins_asked.add((key, source))
        return None

    def names(self, keys: Iterable[str], source: str) -> None:
        self.named.setdefault(source, []).extend(keys)

    def leads_to(self, key: str, children: Iterable[str]) -> None:
        self.led[key] = list(children)

    def beside(self, key: str, others: Iterable[str]) -> None:
        self.neighbours[key] = list(others)


class Bench:
    """A core whose upstream is a script, and whose choice of upstreams is a ledger."""

    def __init__(self, *, several: bool = True) -> None:
        self.script = Script()
        self.ledger = Ledger(several=several)
        paths: Paths = self.ledger
        limits = CoreLimits("edge", 10_000_000, 100, 10, 1_000.0, b"k" * 32)
        self.core = Core(limits, self.script, Quiet(), lambda: True, paths, "edge-id")
        self.now = 100.0

    def get(self, target: str, source: str, text: str) -> Viewer:
        """A viewer asks, and the upstream `source` answers."""
        viewer = Viewer(self.core).get(target, self.now)
        self.answer(target, source, text)
        return viewer

    def answer(self, target: str, source: str, text: str) -> None:
        _, done = self.script.take(target)
        done(UpstreamAnswer(self.now, UNIX + self.now, 200, TYPE, text.encode(), source=source))

    def follow(self, stream: LiveStream, source: str = "a") -> None:
        self.get(LIST, source, stream.text())
        assert self.core.followers == 1

    def wait(self, seconds: float) -> None:
        for _ in range(round(seconds / TICK_S)):
            self.now += TICK_S
            self.core.handle_timeout(self.now)


def members_of(kind: type) -> dict[str, object]:
    return {name: member for name, member in vars(kind).items() if not name.startswith("_")}


def tiers(count: int = 2) -> Tiers:
    members = [Member(i, "abcdef"[i], Script(), Breaker(3, 2.0)) for i in range(count)]
    return Tiers(members, TierRules("me", ProbeRules("", 2.0, 2.0), 30.0, 1.25), 100.0)


# -- the words of the contract


def test_the_contract_has_these_words_and_no_others() -> None:
    assert set(members_of(Paths)) == ASKS | TELLS


@pytest.mark.parametrize("kind", [Tiers, OnePath, Ledger])
@pytest.mark.parametrize("name", sorted((ASKS | TELLS) - {"several", "ailing"}))
def test_whoever_chooses_is_told_and_asked_in_the_same_words(kind: type, name: str) -> None:
    assert inspect.signature(getattr(kind, name)) == inspect.signature(getattr(Paths, name))


def test_what_is_only_looked_at_is_no_call() -> None:
    members = members_of(Paths)
    assert {name for name, member in members.items() if isinstance(member, property)} == {"several", "ailing"}
    choice: Paths = tiers()
    assert (choice.several, choice.ailing) == (True, False)


# -- what the core tells and asks


def test_a_multivariant_playlist_says_which_playlists_are_one_stream() -> None:
    bench = Bench()
    bench.get(MAIN, "a", MULTIVARIANT)
    assert bench.ledger.led == {MAIN: [LIST, AUDIO]}


def test_a_playlist_says_what_its_upstream_names_and_what_stands_beside_it() -> None:
    bench, stream = Bench(), LiveStream(segments=2)
    report = RenditionReport("../a/index.m3u8", stream.msn, 0)
    bench.get(LIST, "a", render(replace(stream.model, reports=(report,))))
    assert bench.ledger.neighbours == {LIST: [AUDIO]}
    assert bench.ledger.joins_asked == {(LIST, "a")}
    assert set(bench.ledger.named) == {"a"}
    assert {"/live/x/v/init.mp4", "/live/x/v/s100.m4s", f"/live/x/v/{stream.name}"} <= set(bench.ledger.named["a"])


def test_only_what_is_new_is_named_again() -> None:
    bench, stream = Bench(), LiveStream()
    bench.follow(stream)
    bench.ledger.named.clear()
    target = f"{LIST}?_HLS_msn={stream.msn}&_HLS_part=0"
    stream.step()
    bench.answer(target, "a", stream.text())
    assert bench.ledger.named == {"a": [f"/live/x/v/{stream.name}"]}


def test_while_all_is_well_nobody_is_asked_about_every_tick() -> None:
    bench = Bench()
    bench.follow(LiveStream())
    bench.wait(0.5)
    assert bench.ledger.asked == []
    bench.ledger.ailing = True
    bench.wait(TICK_S)
    assert bench.ledger.asked == [(LIST, "a")]


def test_a_playlist_without_news_is_told_of_once_and_asked_of_whoever_is_there() -> None:
    bench, stream = Bench(), LiveStream()
    bench.follow(stream)
    bench.wait(FROZEN_TARGETS * stream.model.target_duration - 2 * TICK_S)
    assert bench.ledger.still == []
    bench.wait(4 * TICK_S)
    assert bench.ledger.still == [(LIST, "a")]
    assert bench.ledger.taken == []


def test_who_takes_over_with_other_names_is_told_of_with_the_numbers_that_viewers_get() -> None:
    bench, stream, other = Bench(), LiveStream(), LiveStream(first_msn=7, prefix="b-")
    bench.follow(stream)
    bench.ledger.ailing = True
    bench.ledger.dead.add("a")
    bench.wait(TICK_S)
    bench.answer(LIST, "b", other.text())
    assert bench.ledger.taken == [(LIST, "b", True)]
    assert bench.ledger.at is not None
    assert bench.ledger.at.first + bench.ledger.at.shift >= stream.msn, "no number comes twice"
    assert (LIST, "b") in bench.ledger.joins_asked
    assert f"/live/x/v/{other.name}" in bench.ledger.named["b"]


def test_who_takes_over_with_the_same_names_is_told_of_as_the_same_presentation() -> None:
    bench, stream = Bench(), LiveStream()
    bench.follow(stream)
    target = f"{LIST}?_HLS_msn={stream.msn}&_HLS_part=0"
    stream.step()
    bench.answer(target, "b", stream.text())
    assert (bench.ledger.taken, bench.ledger.at) == ([(LIST, "b", False)], None)


def test_of_one_upstream_nothing_is_asked_and_nothing_suspected() -> None:
    bench = Bench(several=False)
    bench.get(MAIN, "a", MULTIVARIANT)
    bench.follow(LiveStream())
    bench.ledger.ailing = True
    bench.wait(10.0)
    ledger = bench.ledger
    assert (ledger.led, ledger.asked, ledger.still, ledger.taken) == ({}, [], [], [])


# -- what the choice of upstreams makes of it


def test_nothing_is_gone_while_nobody_ails_and_nobody_ails_who_is_alone() -> None:
    for count in (1, 2):
        choice: Paths = tiers(count)
        assert choice.several is (count == 2)
        assert not choice.ailing
        assert not choice.gone(LIST, "a", 100.0)
        choice.stands_still(LIST, "a", 100.0)
        assert choice.gone(LIST, "a", 100.0) is (count == 2), "there has to be somebody else"


def test_a_stream_is_gone_as_a_whole_and_others_are_not() -> None:
    choice: Paths = tiers()
    choice.leads_to(MAIN, [LIST, AUDIO])
    choice.stands_still(LIST, "a", 100.0)
    assert choice.ailing
    assert choice.gone(AUDIO, "a", 100.0), "it is one stream with the video"
    assert not choice.gone("/live/y/v/index.m3u8", "a", 100.0)
    assert not choice.gone(LIST, "b", 100.0)
    assert choice.gone(LIST, "who", 100.0), "an upstream that is not there any more"


def test_renditions_that_report_on_each_other_are_one_stream_too() -> None:
    choice: Paths = tiers()
    for key, other in ((LIST, AUDIO), (AUDIO, LIST)):
        choice.beside(key, [other])
    choice.stands_still(LIST, "a", 100.0)
    assert choice.gone(AUDIO, "a", 100.0)


def test_all_renditions_are_joined_as_the_first_one_was() -> None:
    choice: Paths = tiers()
    choice.leads_to(MAIN, [LIST, AUDIO])
    join = Join(8, 100, 1)
    choice.taken_over(LIST, "b", 100.0, join, changed=True)
    assert choice.join_of(AUDIO, "b") == join
    assert (choice.join_of(AUDIO, "a"), choice.join_of("/live/y/v/index.m3u8", "b")) == (None, None)
    choice.taken_over(LIST, "b", 101.0, None, changed=False)
    assert choice.join_of(AUDIO, "b") is None


def test_who_comes_back_to_an_upstream_is_joined_anew() -> None:
    choice: Paths = tiers()
    choice.leads_to(MAIN, [LIST, AUDIO])
    choice.taken_over(LIST, "b", 100.0, Join(8, 100, 1), changed=True)
    choice.taken_over(AUDIO, "b", 100.0, Join(9, 100, 1), changed=True)
    choice.taken_over(LIST, "a", 130.0, Join(200, 0, 2), changed=True)
    assert choice.join_of(AUDIO, "b") is None, "its numbers have gone on since"
    assert choice.join_of(AUDIO, "a") == Join(200, 0, 2)
