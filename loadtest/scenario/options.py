"""What the command line says, as a scenario."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headwater.config.load import read_toml

from .files import validated
from .settings import Scenario, resolved

DEFAULT_VIEWERS, DEFAULT_ARRIVE_S, DEFAULT_SECONDS = 100, 10.0, 60.0
COMMAND = "headwater loadtest"
_FLAGS = {"arrive_s": "--arrive", "duration_s": "--duration", "watch_s": "--watch", "headers": "--header"}
"""Of the crowd's options, the flags that are not called as their option."""
_CROWD = ("viewers", "arrive_s", "rate", "duration_s", "watch_s", "mode", "abr", "variant", "cmcd", "headers")
"""Options that a scenario file says itself."""
_RUN = ("url", "processes", "metrics", "seed", "insecure", "http2", "clock_offset_s")
"""Options that go before what a scenario file says."""


class UsageError(Exception):
    """Options that do not go together; the text is for the user."""


@dataclass(frozen=True, slots=True)
class Options:
    """Beside the scenario. `given`: what was said, by option."""

    given: Mapping[str, Any] = field(default_factory=dict)
    scenario: Path | None = None
    json: Path | None = None
    markdown: Path | None = None
    html: Path | None = None
    quiet: bool = False
    profile: Path | None = None


def options_of(given: Mapping[str, Any]) -> Options:
    """What `argparse` found; only what was said is in it."""
    own = {name: given[name] for name in ("scenario", "json", "markdown", "html", "quiet", "profile") if name in given}
    rest = {name: value for name, value in given.items() if name not in own}
    return Options(rest, **own)


def scenario_of(options: Options) -> Scenario:
    """The scenario of a file or of the options alone. Raises UsageError, ConfigError."""
    given = options.given
    document = _quick(given) if options.scenario is None else _from_file(options.scenario, given)
    document |= {name: given[name] for name in _RUN if name in given}
    if "source_addresses" in given:
        document["source_addresses"] = [part.strip() for part in given["source_addresses"].split(",") if part.strip()]
    if "url" not in document:
        raise UsageError("a URL is needed" + ("" if options.scenario is None else ", here or in the scenario file"))
    for phase in document["phases"]:
        phase["invariants"] = [*phase.get("invariants", ()), *given.get("invariants", ())]
    where = COMMAND if options.scenario is None else str(options.scenario)
    scenario = validated(document, where)
    return scenario if options.scenario is None else resolved(scenario, options.scenario.parent)


def _from_file(file: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    for name in _CROWD:
        if name in given:
            raise UsageError(f"{flag(name)}: the scenario file says that itself")
    document = read_toml(file)
    validated(document, str(file))  # so that its errors are its own
    return document


def _quick(given: Mapping[str, Any]) -> dict[str, Any]:
    viewers = given.get("viewers", DEFAULT_VIEWERS)
    duration_s = given.get("duration_s", DEFAULT_SECONDS)
    if viewers < 1:
        raise UsageError("--viewers: at least 1")
    if "rate" in given:
        if given["rate"] <= 0:
            raise UsageError("--rate: above 0")
        arrivals = {"kind": "constant", "rate": given["rate"]}
    else:
        arrive_s = given.get("arrive_s", min(DEFAULT_ARRIVE_S, duration_s))
        if not 0 < arrive_s <= duration_s:
            raise UsageError(f"--arrive: above 0, and not longer than the run of {duration_s:g} s")
        arrivals = {"kind": "flash", "viewers": viewers, "for_s": arrive_s}
    watchers = {name: given[name] for name in ("mode", "abr", "variant", "cmcd", "watch_s") if name in given}
    if "variant" in watchers:
        watchers.setdefault("abr", "fixed")
    watchers["headers"] = dict(map(header, given.get("headers", ())))
    phase = {"name": "run", "duration_s": duration_s, "arrivals": [arrivals], "keep": viewers}
    return {"viewers": [watchers], "phases": [phase]}


def header(text: str) -> tuple[str, str]:
    """`NAME: VALUE`. Raises UsageError."""
    name, colon, value = text.partition(":")
    if not colon:
        raise UsageError(f"--header {text!r:.60}: NAME: VALUE is needed")
    return name.strip(), value.strip()


def flag(name: str) -> str:
    """How an option of the crowd is written."""
    return _FLAGS.get(name, f"--{name.replace('_', '-')}")


def command_of(words: list[str]) -> list[str]:
    """The words of a command without what may be secret in them: the values of headers."""
    shown = []
    after_header = False
    for word in words:
        name, equals, text = word.partition("=")
        if after_header:
            shown.append(f"{word.partition(':')[0]}: ...")
        elif name == "--header" and equals:
            shown.append(f"{name}={text.partition(':')[0]}: ...")
        else:
            shown.append(word)
        after_header = word == "--header"
    return shown
