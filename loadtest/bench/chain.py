"""A whole chain under its viewers, and what kills a worker, the shield and the primary origin cost them.

Real players (hls.js in one Chromium: `devtools`) and scripted viewers, half of each at either leaf, watch through leaf,
shield and origin (`chainnodes`). Some players have sound, the others the same picture from a stream without. Twenty
seconds after all are there a worker of a leaf gets SIGKILL, 20 s later the shield, 20 s later the origin that is
followed. What must hold:

    players   the picture of each moves again 10 s after the last blow; in each phase each loads parts, and playlists
              by blocking reload
    viewers   none gives up, as its player would with a fatal error
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from headwater.loadtest.records import Count, PhaseSpan
from headwater.loadtest.results.document import from_json
from headwater.loadtest.results.figures import figures_of
from headwater.loadtest.results.model import RunResult
from headwater.loadtest.scenario.offset import wall

from .chaincpu import Used, busy_s
from .chainnodes import PICTURE, RESTART_S, STREAM, Chain, chain, connections
from .chainreport import JUDGED_AFTER_S, Look, Phase, PlayerLook, ended, not_low_latency, report
from .devtools import Pages, chromium_pages
from .edge import EdgeNode
from .processes import Peer, wait_until

PHASE_S = 20.0
"""Before the first blow, and after each."""
SETTLE_S = 10.0
"""From the last viewer's arrival to the first phase: start-up is over."""
ARRIVE_S = 10
LOOK_S = 2.0
"""Between looks at the players."""
LONGEST_S = 900
"""Of the load's runs, which are ended when all is seen."""
OPEN_S = 120.0
"""That a player may take to come up: the processors have the others, too."""
SCENARIO = """
name = "chain"
url = "{url}"

[[viewers]]
name = "viewers"
audio = false

[[phases]]
name = "chain"
duration_s = {seconds}
arrivals = [{{ kind = "flash", viewers = {viewers}, for_s = {arrive} }}]
keep = {viewers}
"""
"""Why without audio: half the requests, on cores that have the players and the servers, too."""


@dataclass
class Findings:
    """What the run saw; `problems` is empty when all of it held."""

    lines: list[str] = field(default_factory=list)
    """Markdown."""
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def run(folder: Path, *, players: int, sounding: int, viewers: int, say: Callable[[str], None]) -> Findings:
    """Run it; `players`: of hls.js, `sounding`: those of them that have sound; `say` prints progress.

    Raises TimeoutError or PeerEnded when the chain does not come up.
    """
    with chain(folder / "chain") as servers:
        with chromium_pages(folder) as pages:
            say("the chain runs")
            _open(pages, servers, players, sounding)
            say(f"{players} players play")
            with _crowds(servers, folder, viewers) as crowds:
                for leaf, peer in crowds:
                    _wait_there(leaf, peer, viewers // 2)
                say(f"{viewers} viewers are there")
                time.sleep(SETTLE_S)
                watched = _Watched(servers, pages, [peer for _, peer in crowds])
                looks, phases = _blows(watched, say)
                runs = [_result(peer, leaf) for leaf, peer in crowds]
        restarts = {name: future.result() for name, future in servers.restarts.items()}
    found = Findings(lines=report(phases, looks, runs, list(servers.nodes)))
    for name, seconds in restarts.items():
        found.notes.append(
            f"The {name} was started again after {RESTART_S:.0f} s, and ready {seconds:.1f} s after the kill"
        )
    for run_ in runs:
        found.notes += [f"{run_.url}: the load's figures do not hold: {reason}" for reason in run_.invalid]
    _judge(found, looks, runs, phases)
    return found


def _open(pages: Pages, servers: Chain, count: int, sounding: int) -> None:
    for number in range(count):
        leaf, stream = servers.leaves[number % 2], STREAM if number < sounding else PICTURE
        page = pages.open(f"{leaf.base}/live/{stream}/")
        pages.wait_playing(page, timeout_s=OPEN_S)


@contextlib.contextmanager
def _crowds(servers: Chain, folder: Path, viewers: int) -> Iterator[list[tuple[EdgeNode, Peer]]]:
    """A `headwater loadtest` at each leaf, with half of the viewers."""
    with contextlib.ExitStack() as stack:
        found = []
        for number, leaf in enumerate(servers.leaves, 1):
            scenario, log = folder / f"viewers-{number}.toml", folder / f"viewers-{number}.log"
            url = f"{leaf.base}/live/{STREAM}/index.m3u8"
            scenario.write_text(SCENARIO.format(url=url, seconds=LONGEST_S, viewers=viewers // 2, arrive=ARRIVE_S))
            command = [sys.executable, "-m", "headwater.config.cli", "loadtest", "--scenario", str(scenario), "--quiet"]
            peer = Peer([*command, "--json", str(scenario.with_suffix(".json"))], log)
            stack.callback(peer.kill)
            found.append((leaf, peer))
        yield found


def _wait_there(leaf: EdgeNode, peer: Peer, viewers: int) -> None:
    wait_until(
        lambda: connections(leaf) >= viewers,
        timeout_s=120,
        what=lambda: f"{viewers} viewers are there, not {connections(leaf)}",
        peer=peer,
    )


def _result(peer: Peer, leaf: EdgeNode) -> RunResult:
    """End a run of the load harness early, as Ctrl-C does: its report. Raises RuntimeError when there is none."""
    code = peer.stop(60)
    report_file = peer.log.with_suffix(".json")
    if not report_file.exists():
        raise RuntimeError(f"the load at {leaf.base} ended with {code} and no report: {peer.text()[-2_000:]}")
    return from_json(report_file.read_text())


@dataclass(frozen=True)
class _Watched:
    servers: Chain
    pages: Pages
    crowds: list[Peer]
    used: Used = field(default_factory=Used)

    def look(self, *, whole: bool) -> Look:
        """At the players; `whole`: at the servers, too."""
        players = tuple(map(PlayerLook.of, self.pages.all_figures()))
        if not whole:
            return Look(wall(), players)
        return Look(wall(), players, self.servers.look(), self.servers.parts(), self._busy_s())

    def _busy_s(self) -> dict[str, float]:
        self.used.look()
        players, crowds = {self.pages.pid}, {crowd.pid for crowd in self.crowds}
        return {
            "all": busy_s(),
            "players": self.used.of(players),
            "scripted viewers": self.used.of(crowds),
            "servers": self.used.of(self.used.children() - players - crowds),
        }


def _blows(watched: _Watched, say: Callable[[str], None]) -> tuple[list[Look], list[Phase]]:
    servers = watched.servers
    blows: list[tuple[str, Callable[[], None]]] = [
        ("before", lambda: None),
        ("a worker of leaf-1 is killed", servers.kill_worker),
        ("the shield is killed", servers.kill_shield),
        ("the primary origin is killed", servers.kill_primary),
    ]
    looks = [watched.look(whole=True)]
    phases = []
    for name, blow in blows:
        start = looks[-1].at
        say(name)
        blow()
        while (left := start + PHASE_S - wall()) > 0:
            time.sleep(min(left, LOOK_S))
            looks.append(watched.look(whole=False))
        looks.append(watched.look(whole=True))
        phases.append(Phase(name, start, looks[-1].at))
    return looks, phases


def _judge(found: Findings, looks: list[Look], runs: list[RunResult], phases: list[Phase]) -> None:
    for number, state in ended(looks, phases[-1].start + JUDGED_AFTER_S).items():
        found.problems.append(f"player {number + 1} does not play {JUDGED_AFTER_S:.0f} s after the last blow: {state}")
    for phase in phases:
        for number in not_low_latency(phase, looks):
            found.problems.append(f"player {number + 1} had no part or no blocking reload: {phase.name}")
    for run_ in runs:
        whole = figures_of(PhaseSpan("whole", 0, run_.seconds + 60), run_.ticks, (), ())
        if gave_up := whole.count(Count.FATAL):
            found.problems.append(f"{gave_up} scripted viewers of {run_.url} gave up: {dict(whole.errors)}")
