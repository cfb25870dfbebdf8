"""The command line: help, exit codes, what the config commands print."""

from __future__ import annotations

import asyncio
import functools
import subprocess
import sys
from pathlib import Path

import pytest

from headwater.config.cli import main, split_settings
from headwater.ingest.encode.capacity import Capacity
from headwater.ingest.encode.cost import Machine


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def exit_code(*arguments: str) -> int:
    try:
        return main(arguments)
    except SystemExit as end:
        assert isinstance(end.code, int)
        return end.code


@pytest.mark.parametrize(
    "command",
    [
        (),
        ("up",),
        ("origin",),
        ("edge",),
        ("publish",),
        ("doctor",),
        ("loadtest",),
        ("loadtest", "compare"),
        ("config",),
        ("config", "check"),
        ("config", "show"),
    ],
)
def test_help_of_every_command(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(*command, "--help") == 0
    assert capsys.readouterr().out.startswith(f"usage: {' '.join(('headwater', *command))}")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nonsense",),
        ("config",),
        ("up", "--nonsense"),
        ("up", "--edge.http.port"),
        ("up", "--edge.http.prot", "1"),
        ("up", "--config", "missing.toml"),
        ("edge", "--edge.http.port=70000"),
        ("config", "check", "--log.level", "loud"),
        ("config", "show", "edge.htp"),
        ("config", "show", "--toml", "--markdown"),
        ("config", "check", "--nonsense"),
        ("doctor",),
        ("doctor", "rtmp://127.0.0.1/x"),
        ("doctor", "http://127.0.0.1:1/x", "--seconds", "0"),
        ("doctor", "http://127.0.0.1:1/x", "--rule", "9999"),
        ("doctor", "http://127.0.0.1:1/x", "--edge.http.port", "1"),
        ("doctor", "http://127.0.0.1:1/x"),
        ("loadtest",),
        ("loadtest", "rtmp://127.0.0.1/x"),
        ("loadtest", "http://127.0.0.1:1/x"),
        ("loadtest", "http://127.0.0.1:1/x", "--viewers", "0"),
        ("loadtest", "http://127.0.0.1:1/x", "--arrive", "soon"),
        ("loadtest", "http://127.0.0.1:1/x", "--assert", "prt p99 < 1 s"),
        ("loadtest", "http://127.0.0.1:1/x", "--scenario", "missing.toml"),
        ("loadtest", "http://127.0.0.1:1/x", "--html", "missing/report.html"),
        ("loadtest", "http://127.0.0.1:1/x", "--source-addresses", "192.0.2.1"),
        ("loadtest", "http://127.0.0.1:1/x", "--edge.http.port", "1"),
        ("loadtest", "compare", "missing.json", "missing.json"),
        ("loadtest", "compare", "missing.json"),
        ("publish",),
        ("publish", "rtmp://127.0.0.1/live/x", "--size", "5x5"),
        ("publish", "rtmp://127.0.0.1/live/x", "--size", "5"),
        ("publish", "rtmp://127.0.0.1/live/x", "--fps", "1/0"),
        ("publish", "rtmp://127.0.0.1/live/x", "--edge.http.port", "1"),
    ],
)
def test_bad_usage_is_2_and_says_why(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(*arguments) == 2
    said = capsys.readouterr()
    assert said.err
    assert not said.out


def test_settings_among_the_arguments() -> None:
    arguments = ["up", "--edge.http.port", "1", "--demo", "--log.level=info", "--state.dir", "--odd"]
    assert split_settings(arguments) == (
        ["up", "--demo"],
        [("edge.http.port", "1"), ("log.level", "info"), ("state.dir", "--odd")],
    )


def test_a_file_name_with_a_dot_is_no_setting() -> None:
    assert split_settings(["publish", "rtmp://a.b/c", "--file=x.mp4"])[1] == []


def test_config_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check"]) == 0
    assert capsys.readouterr().out == "no settings file: fine, 0 settings not at default\n"
    Path("headwater.toml").write_text("[edge.http]\nport = 1\n")
    assert main(["config", "check"]) == 0
    assert capsys.readouterr().out == "headwater.toml: fine, 1 setting not at default\n"


@functools.cache
def _this_machine() -> Machine:
    return asyncio.run(Capacity(("libx264",)).get())


@pytest.fixture
def probed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The encoders of this machine are tried out once."""
    machine = _this_machine()

    async def get(_: Capacity) -> Machine:
        return machine

    monkeypatch.setattr(Capacity, "get", get)


@pytest.mark.usefixtures("probed")
def test_config_check_prints_the_ladder(capsys: pytest.CaptureFixture[str]) -> None:
    Path("headwater.toml").write_text(
        "[[ingest.encode.stream]]\nname = 'show'\nenabled = true\nrungs = [{ height = 480, encoder = 'h264_nvenc' }]\n"
    )
    assert main(["config", "check", "--source", "1920x1080@30", "--stream", "show"]) == 0
    said = capsys.readouterr().out
    assert said.startswith('headwater.toml: fine, 1 setting not at default\n\nStream "show" of application "live"')
    assert "854x480 h264" in said
    assert " cores; " in said
    assert main(["config", "check", "--source", "320x180@30", "--application", "other"]) == 0
    said = capsys.readouterr().out
    assert "no ladder: ingest.encode.enabled is false for it" in said
    assert 'Stream "NAME" of application "other"' in said


def test_config_check_with_a_source_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check", "--source", "big"]) == 2
    assert capsys.readouterr().err.startswith("headwater config check: --source big: not WIDTHxHEIGHT[@FPS]")
    Path("film.mp4").write_bytes(b"no film")
    assert main(["config", "check", "--source", "film.mp4"]) == 2
    assert capsys.readouterr().err.startswith("headwater config check: --source film.mp4: ")


@pytest.mark.usefixtures("probed")
def test_config_check_of_a_ladder_that_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Path("headwater.toml").write_text(
        "[ingest.encode]\nenabled = true\nrefuse_over_capacity = 'refuse'\n"
        "rungs = [{ height = 2160, preset = 'placebo' }]\n"
    )
    assert main(["config", "check", "--source", "3840x2160@60"]) == 1
    assert "\nRefused: the ladder needs about " in capsys.readouterr().out


def test_config_show(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "show", "edge.http", "--edge.http.port", "7"]) == 0
    assert "edge.http.port = 7\n    from flag --edge.http.port;" in capsys.readouterr().out
    assert main(["config", "show", "--toml", "state"]) == 0
    assert capsys.readouterr().out == '[state]\ndir = ".headwater"\n'
    assert main(["config", "show", "--markdown"]) == 0
    assert capsys.readouterr().out.startswith("# Settings\n")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("--version") == 0
    assert capsys.readouterr().out.startswith("headwater 0.")


def test_the_light_commands_load_no_heavy_library() -> None:
    code = (
        "import sys; from headwater.config.cli import main; main(['config', 'check']);"
        "heavy = {'av', 'aiohttp', 'uvloop', 'numpy', 'PIL', 'cryptography'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_a_reader_that_has_read_enough_is_no_error() -> None:
    command = [sys.executable, "-m", "headwater.config.cli", "config", "show"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as shown:
        assert shown.stdout is not None and shown.stderr is not None
        shown.stdout.close()
        assert shown.stderr.read() == b""
