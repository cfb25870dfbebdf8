"""The command line as a scenario, and what does not go together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headwater.config.load import ConfigError
from headwater.loadtest.records import Abr, Cmcd, Mode
from headwater.loadtest.scenario.arrivals import arrivals_of
from headwater.loadtest.scenario.options import Options, UsageError, command_of, options_of, scenario_of
from headwater.loadtest.scenario.settings import Constant, Flash, Scenario

URL = "http://h/live/a/index.m3u8"
FILE = 'url = "http://file/"\nseed = 7\n[[phases]]\nname = "a"\nduration_s = 10\ninvariants = ["fatal == 0"]\n'
FILE += 'arrivals = [{ kind = "constant", rate = 5 }]\n'


def scenario(**given: Any) -> Scenario:
    return scenario_of(Options({"url": URL, **given}))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "s.toml"
    path.write_text(FILE)
    return path


def test_the_defaults() -> None:
    found = scenario()
    (phase,) = found.phases
    assert (found.url, phase.duration_s, phase.keep) == (URL, 60, 100)
    assert phase.arrivals == (Flash(kind="flash", viewers=100, for_s=10),)
    assert len(arrivals_of(found)) == 100


def test_a_short_run_has_them_all() -> None:
    assert len(arrivals_of(scenario(duration_s=3.0, viewers=7))) == 7


def test_a_rate_ends_at_the_number_of_viewers() -> None:
    found = scenario(rate=50.0, viewers=200)
    assert found.phases[0].arrivals == (Constant(kind="constant", rate=50),)
    assert len(arrivals_of(found)) == 200
    assert arrivals_of(found)[-1].at == pytest.approx(4, abs=0.1)


def test_everything() -> None:
    found = scenario(
        mode="safari", variant="720p", cmcd="query", headers=["X-A: b: c"], watch_s=(5.0, 10.0), processes=3, seed=9,
        source_addresses="127.0.0.2, 127.0.0.3", metrics=["http://h/metrics"], insecure=True, clock_offset_s=0.5,
        http2=True, url="https://h/a.m3u8", invariants=["fatal == 0"],
    )  # fmt: skip
    (viewers,) = found.viewer_classes(found.phases[0])
    assert (viewers.mode, viewers.abr, viewers.variant, viewers.cmcd) == (Mode.SAFARI, Abr.FIXED, "720p", Cmcd.QUERY)
    assert viewers.headers == (("X-A", "b: c"),)
    assert viewers.watch_s == (5.0, 10.0)
    assert found.source_addresses == ("127.0.0.2", "127.0.0.3")
    assert (found.processes, found.seed, found.insecure, found.clock_offset_s) == (3, 9, True, 0.5)
    assert found.http2
    assert found.phases[0].invariants == ("fatal == 0",)
    assert len(arrivals_of(found)) > 300  # leavers are replaced


def test_a_file_and_what_goes_before_it(file: Path) -> None:
    found = scenario_of(Options({"seed": 1, "invariants": ["stalls == 0"]}, scenario=file))
    assert (found.url, found.seed) == ("http://file/", 1)
    assert found.phases[0].invariants == ("fatal == 0", "stalls == 0")
    assert scenario_of(Options({"url": URL}, scenario=file)).url == URL


@pytest.mark.parametrize(
    ("name", "flag"), [("viewers", "--viewers"), ("arrive_s", "--arrive"), ("headers", "--header")]
)
def test_what_the_file_says_itself(file: Path, name: str, flag: str) -> None:
    with pytest.raises(UsageError, match=f"^{flag}: the scenario file says that itself"):
        scenario_of(Options({name: 5}, scenario=file))


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"url": None}, "a URL is needed"),
        ({"viewers": 0}, "--viewers"),
        ({"rate": 0.0}, "--rate"),
        ({"arrive_s": 100.0}, "--arrive"),
        ({"arrive_s": 0.0}, "--arrive"),
        ({"headers": ["nothing"]}, "NAME: VALUE"),
    ],
)
def test_bad_usage(given: dict[str, Any], text: str) -> None:
    whole = {name: value for name, value in {"url": URL, **given}.items() if value is not None}
    with pytest.raises(UsageError, match=text):
        scenario_of(Options(whole))


@pytest.mark.parametrize(
    "given",
    [{"url": "rtmp://x/y"}, {"processes": 0}, {"invariants": ["foo < 3"]}, {"metrics": ["x"]}, {"duration_s": 1e9},
     {"headers": ["A b: c"]}, {"watch_s": (9.0, 3.0)}, {"abr": "top", "variant": "1"}],
)  # fmt: skip
def test_values_that_cannot_be(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"^headwater loadtest: "):
        scenario(**given)


def test_a_file_without_a_url(file: Path) -> None:
    file.write_text(FILE.partition("\n")[2])
    with pytest.raises(UsageError, match="or in the scenario file"):
        scenario_of(Options({}, scenario=file))


def test_what_is_not_of_the_scenario() -> None:
    options = options_of({"url": URL, "json": Path("a"), "quiet": True, "viewers": 3})
    assert (options.json, options.quiet, options.html) == (Path("a"), True, None)
    assert options.given == {"url": URL, "viewers": 3}


def test_headers_are_not_told() -> None:
    words = ["URL", "--header", "Authorization: Bearer x", "--header=Cookie: y", "--viewers", "3"]
    assert command_of(words) == ["URL", "--header", "Authorization: ...", "--header=Cookie: ...", "--viewers", "3"]
