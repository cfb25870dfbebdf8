"""Scenario files: what is right is read whole, what is wrong is named: file, key, value, reason, what was meant."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from headwater.config.load import ConfigError
from headwater.loadtest.records import Mode
from headwater.loadtest.scenario.arrivals import arrivals_of
from headwater.loadtest.scenario.chaos import steps_of
from headwater.loadtest.scenario.files import load
from headwater.loadtest.scenario.settings import Scenario

EXAMPLES = sorted((Path(__file__).parents[4] / "deploy" / "loadtest").glob("*.toml"))
PHASE = '[[phases]]\nname = "a"\nduration_s = 10\narrivals = [{ kind = "constant", rate = 5 }]\n'


def read(folder: Path, text: str) -> Scenario:
    file = folder / "s.toml"
    file.write_text(text)
    return load(file)


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(folder, text)
    lines = str(caught.value).splitlines()
    prefix = f"{folder / 's.toml'}: "
    assert all(line.startswith(prefix) for line in lines), lines
    return [line.removeprefix(prefix) for line in lines]


@functools.cache
def example(file: Path) -> Scenario:
    return load(file)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_the_examples(file: Path) -> None:
    scenario = example(file)
    assert scenario.url
    assert arrivals_of(scenario)
    assert all(phase.invariants for phase in scenario.phases)


def test_there_are_examples_of_everything() -> None:
    scenarios = [example(file) for file in EXAMPLES]
    assert len(scenarios) >= 3
    assert any(scenario.publishers for scenario in scenarios)
    assert any(steps_of(scenario) for scenario in scenarios)


def test_the_smallest(tmp_path: Path) -> None:
    scenario = read(tmp_path, PHASE)
    assert (scenario.processes, scenario.url, scenario.duration_s) == (1, None, 10)
    (viewers,) = scenario.viewer_classes(scenario.phases[0])
    assert viewers.mode is Mode.HLSJS


def test_viewers_are_what_the_players_take(tmp_path: Path) -> None:
    text = '[[viewers]]\nname = "tv"\nmode = "legacy"\nshare = 2\nabr = "fixed"\nvariant = "720p"\nwatch_s = [30, 60]\n'
    scenario = read(tmp_path, text + 'cmcd = "query"\nread_bps = 500_000\nheaders = { X-A = "b" }\n' + PHASE)
    (viewers,) = scenario.viewer_classes(scenario.phases[0])
    assert (viewers.name, viewers.mode, viewers.variant) == ("tv", Mode.LEGACY, "720p")
    assert viewers.watch_s == (30.0, 60.0)
    assert viewers.headers == (("X-A", "b"),)


def test_a_publishers_file_stands_beside_the_scenario(tmp_path: Path) -> None:
    text = PHASE + '[[publishers]]\nurl = "rtmp://h/live/a"\nfile = "a.mp4"\n'
    assert read(tmp_path, text).publishers[0].file == tmp_path / "a.mp4"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"procesess = 2\n{PHASE}", "procesess = 2: unknown key; did you mean processes?"),
        (f"processes = 0\n{PHASE}", "processes = 0: below the least value, 1"),
        (f"processes = true\n{PHASE}", "processes = true: not a whole number"),
        ("", "phases: missing"),
        ("phases = []", "phases = []: fewer entries than 1"),
        (f'url = "rtmp://x/y"\n{PHASE}', 'url = "rtmp://x/y": http:// or https:// and a host are needed'),
        (f'metrics = ["x"]\n{PHASE}', 'metrics[0] = "x": http:// or https:// and a host are needed'),
        (f'source_addresses = ["::1", "x"]\n{PHASE}', 'source_addresses[1] = "x": not an IP address'),
        (f"[[viewers]]\nnmae = 1\n{PHASE}", "viewers[0].nmae = 1: unknown key; did you mean name?"),
        (
            f'[[viewers]]\nmode = "safri"\n{PHASE}',
            "viewers[0].mode = \"safri\": not one of 'hlsjs', 'safari' or 'legacy'",
        ),
        (f"[[viewers]]\nwatch_s = [5, 3]\n{PHASE}", "viewers[0].watch_s = [5, 3]: from more than to"),
        (f"[[viewers]]\nshare = 0\n{PHASE}", "viewers[0].share = 0: not above 0"),
        (f'[[viewers]]\nvariant = "1"\n{PHASE}', 'viewers[0].variant = "1": only with abr = "fixed"'),
        (
            f'[[viewers]]\nheaders = {{ a = "x\\r\\nb" }}\n{PHASE}',
            "viewers[0].headers: the value of a has characters that no header may have",
        ),
        (f"[[viewers]]\n[[viewers]]\n{PHASE}", "viewers: two classes have the same name"),
        (f"{PHASE}duration = 3", "phases[0].duration = 3: unknown key; did you mean duration_s?"),
        (
            PHASE.replace("duration_s = 10", "duration_s = 20_000").replace("[[", "processes = 2\n[["),
            "phases: 20000 s of 2 processes: more than 28800 s in all",
        ),
        (f'{PHASE}classes = ["x"]', "phases[0].classes = [\"x\"]: there are no viewers of the name 'x'"),
        (
            PHASE.replace('"constant"', '"constnt"'),
            'phases[0].arrivals[0].kind = "constnt": not one of constant, ramp, poisson, flash; did you mean constant?',
        ),
        (PHASE.replace('kind = "constant", ', ""), "phases[0].arrivals[0].kind: missing"),
        (
            PHASE.replace("rate = 5", "rate = 5, at_s = 10"),
            "phases[0].arrivals[0].at_s = 10: goes on after the end of its phase",
        ),
        (PHASE.replace("rate = 5", "rate = 5, vewers = 1"), "phases[0].arrivals[0].vewers = 1: unknown key"),
        ('[[phases]]\nname = "a"\nduration_s = 3', "phases: in no phase does anybody arrive"),
        (
            f'{PHASE}[[phases.chaos]]\ndo = "kill"\nat_s = 3\npidfile = "x"\npid_file = "y"',
            'phases[0].chaos[0].pidfile = "x": unknown key; did you mean pid_file?',
        ),
        (
            f'{PHASE}[[phases.chaos]]\ndo = "kill"\nat_s = 12\npid_file = "y"',
            "phases[0].chaos[0].at_s = 12: after the end of its phase",
        ),
        (
            f'{PHASE}[[phases.chaos]]\ndo = "run"\nat_s = 2\ncommand = "reboot"',
            'phases[0].chaos[0].command = "reboot": not a list',
        ),
        (
            f'{PHASE}[[phases.chaos]]\ndo = "netem"\nat_s = 2\ninterface = "-x"\ndelay_ms = 1',
            'phases[0].chaos[0].interface = "-x": does not match ^[A-Za-z0-9][A-Za-z0-9._@-]{0,14}$',
        ),
        (f'{PHASE}[[publishers]]\nurl = "http://x/"', 'publishers[0].url = "http://x/": bad URL: cannot publish to'),
        (
            f'{PHASE}[[publishers]]\nurl = "rtmp://h/live/a"\ncount = 2',
            'publishers[0].url = "rtmp://h/live/a": 2 encoders need {n} in the name of the stream',
        ),
        (
            f'{PHASE}[[publishers]]\nurl = "rtmp://h/live/a"\n'
            'faults = [{ kind = "loss", at_s = 1, for_s = 1, percent = 3 }]',
            'publishers[0].faults[0].kind = "loss": RTMP loses nothing: loss is for srt://',
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path: Path, text: str, expected: str) -> None:
    (problem,) = problems(tmp_path, text)
    assert problem.startswith(expected)


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    assert len(problems(tmp_path, f"seed = -1\nfoo = 2\n[[viewers]]\nshare = 0\n{PHASE}keep = -1")) == 4


def test_an_invariant_that_nobody_knows(tmp_path: Path) -> None:
    text = f'{PHASE}invariants = ["fatal == 0", "part p99 < 250 ms", "prt p99 < 250 ms"]'
    (problem,) = problems(tmp_path, text)
    assert problem.startswith('phases[0].invariants[2] = "prt p99 < 250 ms": ')
    assert "part" in problem


@pytest.mark.parametrize("content", [b"\xff", b"x" * (1 << 20) + b"y", b"a = "])
def test_files_that_are_none(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "s.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError):
        load(file)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing.toml: cannot be read: No such file"):
        load(tmp_path / "nothing.toml")
