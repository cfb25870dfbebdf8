"""Debian's Prometheus scrapes an origin and two edges while a few viewers watch: `make soak SOAK=prometheus-soak`.

What must hold: no scrape fails, the number of series is bounded, every rule of `deploy/prometheus` evaluates, and every
query of the dashboards in `deploy/grafana` returns data.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from headwater.loadtest.follow import FollowError, PartFollower

from .edge import EdgeNode
from .processes import Peer, free_port, wait_until
from .server import Headwater

PROMETHEUS = Path("/usr/bin/prometheus")
DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
STREAM = "demo"
VIEWERS = 3
"""At each edge."""
SCRAPE_S = 5
"""Between scrapes, and the time that one may take."""
RATE_SCRAPES = 8
"""Scrapes that a rate of a dashboard looks back."""
MOST_SERIES = 800
"""Of one process with one stream of two renditions. Why: about 250 are there, 46 more for each further rendition whose
players report; three times that would be a label gone wild."""


@dataclass
class Findings:
    """What the run saw; `problems` is empty when all of it held."""

    scrapes: int = 0
    series: dict[str, int] = field(default_factory=dict)
    """By process, at the end; and at most over the run."""
    slowest_s: float = 0.0
    """The scrape that took longest."""
    queries: int = 0
    problems: list[str] = field(default_factory=list)


def dashboard_queries(scrape_s: int = SCRAPE_S) -> Iterator[tuple[str, str]]:
    """(where, query) of every panel and variable of the dashboards, variables filled in with everything."""
    for path in sorted((DEPLOY / "grafana" / "dashboards").glob("*.json")):
        board = json.loads(path.read_text())
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                query = target["expr"]
                for variable in board["templating"]["list"]:
                    query = query.replace(f"${variable['name']}", variable.get("allValue") or "")
                yield f"{path.stem}: {panel['title']}", query.replace("$__rate_interval", f"{RATE_SCRAPES * scrape_s}s")


class Prometheus:
    """One server, its data in `folder`, which scrapes `targets`: job -> ports of admin listeners."""

    def __init__(self, folder: Path, targets: dict[str, list[int]], scrape_s: int) -> None:
        folder.mkdir(parents=True)
        self.port = free_port()
        jobs = [
            {"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{port}" for port in ports]}]}
            for job, ports in targets.items()
        ]
        config = {
            "global": {"scrape_interval": f"{scrape_s}s", "evaluation_interval": f"{scrape_s}s"},
            "rule_files": [str(DEPLOY / "prometheus" / "alerts.yml")],
            "scrape_configs": jobs,
        }
        (folder / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
        self.peer = Peer(
            [
                str(PROMETHEUS),
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--log.level=warn",
            ],
            folder / "prometheus.log",
        )

    def ask(self, path: str, **arguments: str) -> Any:
        """The `data` of an API call; None while it does not answer. ValueError: it refuses the query."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(arguments)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 503:
                    return None
                raise ValueError(error.read().decode(errors="replace")[:500]) from error
        except OSError:
            return None

    def values(self, query: str) -> list[tuple[dict[str, str], float]]:
        """Labels and value of each series that `query` has now."""
        data = self.ask("query", query=query)
        return [(row["metric"], float(row["value"][1])) for row in (data or {}).get("result", ())]


@contextlib.contextmanager
def second_edge(server: Headwater, folder: Path) -> Iterator[EdgeNode]:
    """One more edge of the same origin."""
    edge = EdgeNode(folder, "edge2", {"origin": server.url("", at="origin")})
    try:
        yield edge
    finally:
        edge.peer.stop()


class Viewers:
    """Players of both renditions at each port, in a thread, each with CMCD of its own."""

    def __init__(self, ports: list[int]) -> None:
        self._ports = ports
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._watch()), name="viewers")
        self.problems: list[str] = []
        self.parts = 0

    def __enter__(self) -> Viewers:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()

    async def _watch(self) -> None:
        async with asyncio.TaskGroup() as group:
            for port in self._ports:
                for number in range(VIEWERS):
                    for rendition in ("source", "audio"):
                        group.create_task(self._follow(port, f"{port}-{number}", rendition))

    async def _follow(self, port: int, session_id: str, rendition: str) -> None:
        # CTA-5004-A as a player sends it. One in three says that it stalls.
        report = {
            "CMCD-Request": f"bl={1_500 + 100 * (port % 7)},mtp=12000,ltc=2600,sta=p,v=2",
            "CMCD-Session": f'sid="{session_id}"',
            **({"CMCD-Status": "bs"} if session_id.endswith("0") else {}),
        }
        url = f"http://127.0.0.1:{port}/live/{STREAM}/{rendition}/index.m3u8"
        try:
            async with aiohttp.ClientSession(headers=report) as session:
                async for _ in PartFollower(session, url).parts():
                    self.parts += 1
                    if self._stop.is_set():
                        return
        except (FollowError, aiohttp.ClientError) as error:
            self.problems.append(f"{url}: {error}")


def run(folder: Path, *, seconds: float, say: Callable[[str], None], scrape_s: int = SCRAPE_S) -> Findings:
    """Run it for `seconds` after the stream plays; `say` prints progress."""
    if not PROMETHEUS.exists():
        raise FileNotFoundError(f"{PROMETHEUS}: install prometheus")
    found = Findings()
    server = Headwater(folder / "server", demo=True).start()
    prometheus: Prometheus | None = None
    try:
        server.wait_playable(STREAM)
        with second_edge(server, folder) as second:
            edges = [server.ports["edge_admin"], second.admin]
            prometheus = Prometheus(
                folder / "prometheus",
                {"headwater-origin": [server.ports["origin_admin"]], "headwater-edge": edges},
                scrape_s,
            )
            with Viewers([server.ports["edge"], second.port]) as viewers:
                _observe(prometheus, found, seconds, say)
                _judge_targets(prometheus, found)
                _judge_queries(prometheus, found, scrape_s)
            found.problems += viewers.problems
            say(f"{viewers.parts} parts watched, {found.scrapes} scrapes, {found.queries} queries")
    finally:
        if prometheus is not None:
            prometheus.peer.stop()
        server.stop()
    return found


def _observe(prometheus: Prometheus, found: Findings, seconds: float, say: Callable[[str], None]) -> None:
    wait_until(
        lambda: len(prometheus.values("up == 1")) == 3, timeout_s=30, what="three targets are up", peer=prometheus.peer
    )
    began = said = time.monotonic()
    while (now := time.monotonic()) < began + seconds:
        time.sleep(min(2.0, seconds))
        for labels, value in prometheus.values("scrape_samples_scraped"):
            name = f"{labels['job']} {labels['instance']}"
            found.series[name] = max(found.series.get(name, 0), int(value))
        if now - said >= 60:
            said = now
            say(f"{now - began:.0f} s: {sum(found.series.values())} series")


def _judge_targets(prometheus: Prometheus, found: Findings) -> None:
    span = f"[{24 * 3600}s]"
    found.scrapes = int(sum(value for _, value in prometheus.values(f"sum(count_over_time(up{span}))")))
    for labels, value in prometheus.values(f"count_over_time(up{span}) - sum_over_time(up{span}) > 0"):
        found.problems.append(f"{value:.0f} scrapes of {labels.get('instance')} failed")
    for _, value in prometheus.values(f"max_over_time(scrape_duration_seconds{span})"):
        found.slowest_s = max(found.slowest_s, value)
    for target in (prometheus.ask("targets") or {}).get("activeTargets", ()):
        if target["lastError"]:
            found.problems.append(f"{target['scrapeUrl']}: {target['lastError']}")
    for labels, viewers in prometheus.values(f'headwater_edge_stream_viewers{{stream="{STREAM}"}}'):
        if viewers != VIEWERS:
            found.problems.append(f"{labels.get('instance')}: {viewers:.0f} viewers are counted, not {VIEWERS}")
    for name, count in found.series.items():
        if count > MOST_SERIES:
            found.problems.append(f"{name}: {count} series")


def _judge_queries(prometheus: Prometheus, found: Findings, scrape_s: int) -> None:
    for group in (prometheus.ask("rules") or {"groups": ()})["groups"]:
        for rule in group["rules"]:
            if rule["health"] != "ok":
                found.problems.append(f"rule {rule['name']}: {rule['health']} {rule.get('lastError', '')}")
    for where, query in dashboard_queries(scrape_s):
        found.queries += 1
        try:
            if not prometheus.values(query):
                found.problems.append(f"no data: {where}: {query}")
        except ValueError as error:
            found.problems.append(f"{where}: {error}")
