"""A whole chain under its viewers, and what kills a worker, the shield and the primary origin cost them.

Real players (hls.js in one Chromium, and ffmpegs: `hlscopy`) and scripted viewers, half of each at either leaf, watch
one stream through leaf, shield and origin (`chainnodes`). Twenty seconds after all are there a worker of a leaf gets
SIGKILL, 20 s later the shield, 20 s later the origin that is followed. What must hold:

    players   the picture of each moves again 10 s after the last blow, and each ffmpeg gets more
    viewers   none gives up, as its player would with a fatal error
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from headwater.loadtest.records import Count, PhaseSpan
from headwater.loadtest.results.document import from_json
from headwater.loadtest.results.figures import figures_of
from headwater.loadtest.results.model import RunResult
from headwater.loadtest.scenario.offset import wall

from .chainnodes import RESTART_S, STREAM, Chain, chain, connections
from .chainreport import JUDGED_AFTER_S, Look, Phase, PlayerLook, copies_ended, ended, report
from .devtools import Pages, chromium_pages
from .edge import EdgeNode
from .hlscopy import HlsCopy
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
WIDTH, HEIGHT = 320, 40
"""Of a player, pixels: the picture is decoded below what is seen of the page, and not drawn."""
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


def run(folder: Path, *, players: int, copies: int, viewers: int, say: Callable[[str], None]) -> Findings:
    """Run it; `players`: of hls.js, `copies`: ffmpegs; `say` prints progress.

    Raises TimeoutError or PeerEnded when the chain does not come up.
    """
    with chain(folder / "chain") as servers:
        with chromium_pages(folder) as pages:
            say("the chain runs")
            _open(pages, servers, players)
            say(f"{players} players play")
            with _copies(servers, folder, copies) as clients, _crowds(servers, folder, viewers) as crowds:
                for leaf, peer in crowds:
                    there = partial(_there, leaf, viewers // 2)
                    wait_until(there, timeout_s=120, what="all viewers are there", peer=peer)
                say(f"{viewers} viewers are there")
                time.sleep(SETTLE_S)
                watched = _Watched(servers, pages, clients)
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
    _judge(found, looks, runs, phases[-1].start)
    return found


def _open(pages: Pages, servers: Chain, count: int) -> None:
    for number in range(count):
        leaf = servers.leaves[number % 2]
        page = pages.open(f"{leaf.base}/live/{STREAM}/", width=WIDTH, height=HEIGHT)
        pages.wait_playing(page, timeout_s=OPEN_S)


@contextlib.contextmanager
def _copies(servers: Chain, folder: Path, count: int) -> Iterator[list[HlsCopy]]:
    with contextlib.ExitStack() as stack:
        found = []
        for number in range(count):
            url = f"{servers.leaves[number % 2].base}/live/{STREAM}/index.m3u8"
            found.append(HlsCopy(url, folder / f"copy-{number + 1}.log"))
            stack.callback(found[-1].peer.kill)
        yield found


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


def _there(leaf: EdgeNode, viewers: int) -> bool:
    return connections(leaf) >= viewers


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
    copies: list[HlsCopy]

    def look(self, *, whole: bool) -> Look:
        """At the players; `whole`: at the servers, too."""
        players = tuple(map(PlayerLook.of, self.pages.all_figures()))
        copies = tuple(copy.frames for copy in self.copies)
        if not whole:
            return Look(wall(), players, copies=copies)
        servers = self.servers
        return Look(wall(), players, servers.look(), servers.parts(), _busy_s(), copies)


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


def _judge(found: Findings, looks: list[Look], runs: list[RunResult], last_blow: float) -> None:
    for number, state in ended(looks, last_blow + JUDGED_AFTER_S).items():
        found.problems.append(f"player {number + 1} does not play {JUDGED_AFTER_S:.0f} s after the last blow: {state}")
    for number in copies_ended(looks, last_blow + JUDGED_AFTER_S):
        found.problems.append(f"ffmpeg {number + 1} gets nothing {JUDGED_AFTER_S:.0f} s after the last blow")
    for run_ in runs:
        whole = figures_of(PhaseSpan("whole", 0, run_.seconds + 60), run_.ticks, (), ())
        if gave_up := whole.count(Count.FATAL):
            found.problems.append(f"{gave_up} scripted viewers of {run_.url} gave up: {dict(whole.errors)}")


def _busy_s() -> float:
    """Of all processors and all processes, since the machine's start."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    user, nice, system, _idle, _waiting, hard, soft = map(int, fields[1:8])
    return (user + nice + system + hard + soft) / os.sysconf("SC_CLK_TCK")
