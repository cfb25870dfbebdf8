"""Which modules may do I/O. Import-linter holds the sans-IO ones to it; here nobody is forgotten."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]

SHELLS = {
    "headwater.config.admin": "aiohttp listener",
    "headwater.config.child": "process entry",
    "headwater.config.cli": "process entry",
    "headwater.config.control": "HTTP client of the processes of an edge",
    "headwater.config.crew": "processes",
    "headwater.config.crewbook": "HTTP client, event loop, metrics registry",
    "headwater.config.crewmetrics": "metrics registry",
    "headwater.config.demo": "dice: makes the demo's key",
    "headwater.config.edgemember": "composition root of one process of an edge",
    "headwater.config.edgerole": "composition root",
    "headwater.config.facts": "looks at the servers",
    "headwater.config.folder": "files, clock",
    "headwater.config.generation": "processes",
    "headwater.config.health": "process entry",
    "headwater.config.load": "reads files",
    "headwater.config.logs": "logging",
    "headwater.config.loopwatch": "event loop",
    "headwater.config.purge": "HTTP client",
    "headwater.config.purgeproxy": "aiohttp handlers",
    "headwater.config.pinproxy": "aiohttp handlers",
    "headwater.config.report": "metrics registry",
    "headwater.config.roles": "composition root",
    "headwater.config.running": "signals, limits of the process, logging",
    "headwater.config.sockets": "listening sockets",
    "headwater.config.spare": "a process",
    "headwater.config.stages": "metrics registry",
    "headwater.config.statusbook": "event loop, clock, metrics registry",
    "headwater.config.tasks": "tasks of the running loop",
    "headwater.config.supervisor": "processes",
    "headwater.config.token": "clock, reads key files",
    "headwater.edge.app": "server",
    "headwater.edge.arrival": "asyncio protocol",
    "headwater.edge.body": "writes to a transport",
    "headwater.edge.encrypted": "asyncio transport",
    "headwater.edge.disk": "threads, clock, logging",
    "headwater.edge.diskfiles": "files",
    "headwater.edge.bind": "listening sockets",
    "headwater.edge.fetch": "upstream client",
    "headwater.edge.filemark": "looks at files",
    "headwater.edge.http1": "asyncio protocol",
    "headwater.edge.http2.connection": "asyncio protocol",
    "headwater.edge.http2.repeat": "asyncio protocol",
    "headwater.edge.keyring": "key files, HTTP client",
    "headwater.edge.listener": "listening socket",
    "headwater.edge.metrics": "metrics registry",
    "headwater.edge.parse": "its early answers carry the Date header",
    "headwater.edge.jsonbody": "aiohttp handlers",
    "headwater.edge.pinapi": "aiohttp handlers",
    "headwater.edge.purgeapi": "aiohttp handlers",
    "headwater.edge.refusals": "logging",
    "headwater.edge.storemetrics": "metrics registry",
    "headwater.edge.tiermetrics": "metrics registry",
    "headwater.edge.tls": "certificate files, a thread",
    "headwater.edge.tlsmetrics": "metrics registry",
    "headwater.edge.tlsserver": "listening socket",
    "headwater.edge.upstreams": "composition of the upstream clients, logging",
    "headwater.edge.relay": "upstream client: waits and timers of the running loop",
    "headwater.edge.reports": "metrics registry",
    "headwater.edge.wire": "clock: the Date header",
    "headwater.ingest.connection": "a socket and its timers",
    "headwater.ingest.encode.capacity": "a process",
    "headwater.ingest.encode.crew": "tasks of the running loop",
    "headwater.ingest.encode.host": "timers of the running loop",
    "headwater.ingest.encode.ladders": "tasks of the running loop",
    "headwater.ingest.encode.metrics": "metrics registry",
    "headwater.ingest.encode.outlet": "logging",
    "headwater.ingest.encode.process": "a process and its socket",
    "headwater.ingest.encode.spares": "processes",
    "headwater.ingest.encode.worker": "processes that use av",
    "headwater.ingest.feed": "logging",
    "headwater.ingest.gate": "clock, logging",
    "headwater.ingest.kek": "a thread",
    "headwater.ingest.listen": "listening sockets",
    "headwater.ingest.metrics": "metrics registry",
    "headwater.ingest.pull": "sockets, threads, dice",
    "headwater.ingest.rtmplisten": "listeners",
    "headwater.ingest.series": "metrics registry",
    "headwater.ingest.server": "composition of the listeners",
    "headwater.ingest.srtlisten": "a UDP port, dice",
    "headwater.ingest.srtmetrics": "metrics registry",
    "headwater.ingest.srtpublisher": "timers of the running loop",
    "headwater.ingest.state": "files",
    "headwater.ingest.stream": "timers of the running loop",
    "headwater.ingest.streams": "timers of the running loop",
    "headwater.ingest.transit": "metrics",
    "headwater.ingest.udp": "sockets",
    "headwater.loadtest": "black box: talks to servers from outside",
    "headwater.origin.app": "aiohttp server",
    "headwater.origin.assets": "reads the files of the pages",
    "headwater.origin.guard": "timers of the running loop, aiohttp protocols",
    "headwater.origin.handlers": "aiohttp handlers",
    "headwater.origin.held": "futures of the running loop",
    "headwater.origin.hub": "timers of the running loop",
    "headwater.origin.metrics": "metrics registry",
    "headwater.origin.rendition": "metrics",
    "headwater.origin.responses": "aiohttp responses",
    "headwater.origin.stills": "aiohttp responses",
    "headwater.origin.stream": "timers of the running loop",
}
"""Modules and packages that own I/O, a clock or dice, and which."""


def modules() -> list[str]:
    """Every module of the server and its tools, packages' own `__init__` left out."""
    return [
        ".".join(("headwater", *path.relative_to(ROOT).with_suffix("").parts))
        for folder in ("config", "edge", "ingest", "loadtest", "origin")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path.name != "__init__.py"
    ]


def listed_under(module: str, names: set[str]) -> bool:
    parts = module.split(".")
    return any(".".join(parts[:length]) in names for length in range(2, len(parts) + 1))


def sans_io() -> set[str]:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (contract,) = [entry for entry in contracts if entry["id"] == "sans-io"]
    return set(contract["source_modules"])


def test_every_module_is_core_or_shell() -> None:
    shells, core = set(SHELLS), sans_io()
    neither = [module for module in modules() if not listed_under(module, shells) and not listed_under(module, core)]
    assert not neither, "put each into the sans-io contract of pyproject.toml, or into SHELLS with its reason"


def test_no_module_is_both() -> None:
    shells, core = set(SHELLS), sans_io()
    assert not [module for module in modules() if listed_under(module, shells) and listed_under(module, core)]


def test_only_the_workers_use_the_codec_library() -> None:
    """A crash inside it must not be one of the server."""
    users = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for folder in ("config", "edge", "ingest", "origin")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"^\s*(import|from) av\b", path.read_text(), re.MULTILINE)
    }
    assert users
    assert all(name.startswith("ingest.encode.worker.") for name in users), users


def test_the_lists_name_what_exists() -> None:
    known = set(modules()) | {module.rpartition(".")[0] for module in modules()}
    known |= {"headwater.loadtest"}
    assert not (sans_io() | set(SHELLS)) - known
