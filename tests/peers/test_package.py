"""The package as a container gets it: by the Dockerfile's own `pip` lines, where nothing else is installed.

`make test` installs the wheel alone, and lends it the dependencies that are there; `make test-whole` installs all anew.
"""

from __future__ import annotations

import fnmatch
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import urllib.request
import zipfile
from pathlib import Path

import pytest
from tests.profile import WHOLE

from headwater.loadtest.bench.processes import Peer, free_port, wait_until

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")

pytestmark = [pytest.mark.peer, pytest.mark.timeout(600)]


def pip_line(word: str) -> str:
    """The Dockerfile's `python -m pip WORD ...` command, without what follows it."""
    found = re.findall(rf"^RUN (python -m pip {word} [^&\n]*)", DOCKERFILE, re.MULTILINE)
    assert len(found) == 1
    return str(found[0])


def run(line: str, python: Path, dist: Path, cwd: Path) -> None:
    """Run a Dockerfile line with another interpreter and another /dist."""
    line = line.replace("/dist", shlex.quote(str(dist)))
    line = re.sub(r"^python ", f"{shlex.quote(str(python))} ", line)
    # Half of an installation is compiling what is not imported here.
    environment = os.environ | {"PIP_NO_COMPILE": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    ended = subprocess.run(line, shell=True, cwd=cwd, capture_output=True, text=True, check=False, env=environment)
    assert ended.returncode == 0, f"{line}\n{ended.stdout}\n{ended.stderr}"


def context(target: Path) -> None:
    """The build context: what .dockerignore lets through, as COPY does it."""
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    kept = [rule[1:] for rule in rules if rule.startswith("!")]
    dropped = [rule for rule in rules if not rule.startswith("!") and rule != "*"]
    for name in kept:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__", "vendor"))
        else:
            shutil.copy(source, target / name)
    assert dropped == ["**/__pycache__", "origin/pages/vendor"]
    vendor = ROOT / "origin" / "pages" / "vendor"
    if vendor.exists():  # what `make vendor` puts there
        shutil.copytree(vendor, target / "origin" / "pages" / "vendor")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of an environment that holds the wheel."""
    folder = tmp_path_factory.mktemp("package")
    source, dist, final = folder / "src", folder / "dist", folder / "final"
    source.mkdir()
    context(source)
    run(pip_line("wheel") + ("" if WHOLE else " --no-build-isolation"), Path(sys.executable), dist, source)
    subprocess.run([sys.executable, "-m", "venv", *([] if WHOLE else ["--without-pip"]), str(final)], check=True)
    if WHOLE:
        shutil.copy(ROOT / "constraints.txt", dist)
        run(pip_line("install"), final / "bin" / "python", dist, folder)
    else:
        pip = f"{shlex.quote(sys.executable)} -m pip --python {shlex.quote(str(final))}"
        run(f"{pip} install --no-index --no-deps /dist/headwater-*.whl", Path(sys.executable), dist, folder)
        (packages,) = final.glob("lib/python*/site-packages")
        (packages / "lent.pth").write_text(sysconfig.get_path("purelib"))
    return final / "bin"


def wheel(installed: Path) -> zipfile.ZipFile:
    (path,) = (installed.parent.parent / "dist").glob("headwater-*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_holds_headwater_and_nothing_else(installed: Path) -> None:
    with wheel(installed) as archive:
        names = archive.namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {"headwater"} == {top for top in tops if not fnmatch.fnmatch(top, "headwater-*.dist-info")}
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    assert "headwater/config/py.typed" in names
    assert any(name.startswith("headwater/origin/pages/") and name.endswith(".html") for name in names)


def test_it_is_the_wheel_that_answers(installed: Path, tmp_path: Path) -> None:
    said = subprocess.run(
        [str(installed / "python"), "-c", "import headwater.edge; print(headwater.edge.__file__)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert Path(said).is_relative_to(installed.parent)


if WHOLE:

    def test_no_test_tool_is_installed(installed: Path) -> None:
        listed = subprocess.run(
            [str(installed / "python"), "-m", "pip", "list", "--format", "freeze"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert "aiohttp==" in listed
        assert "pytest" not in listed


def test_the_commands_answer(installed: Path, tmp_path: Path) -> None:
    for arguments in (("--version",), ("config", "check"), ("publish", "--help")):
        ended = subprocess.run(
            [str(installed / "headwater"), *arguments], cwd=tmp_path, capture_output=True, check=False
        )
        assert ended.returncode == 0, ended.stderr


def test_the_server_starts_is_healthy_and_ends_on_sigterm(installed: Path, tmp_path: Path) -> None:
    ports = {
        name: free_port()
        for name in ("EDGE__HTTP", "ORIGIN__HTTP", "INGEST__RTMP", "INGEST__SRT", "EDGE__ADMIN", "ORIGIN__ADMIN")
    }
    env = {f"HEADWATER_{name}__PORT": str(port) for name, port in ports.items()}
    server = Peer(
        [str(installed / "headwater"), "up", "--state.dir", str(tmp_path / "state")], tmp_path / "log", env=env
    )
    try:
        wait_until(lambda: "Headwater is running" in server.text(), timeout_s=60, what="the start", peer=server)
        for name in ("EDGE__HTTP", "ORIGIN__HTTP", "EDGE__ADMIN", "ORIGIN__ADMIN"):
            with urllib.request.urlopen(f"http://127.0.0.1:{ports[name]}/healthz", timeout=5) as answer:
                assert answer.status == 200
        health = subprocess.run(
            [str(installed / "python"), "-m", "headwater.config.health"],
            cwd=tmp_path,
            env={**os.environ, **env},
            capture_output=True,
            check=False,
        )
        assert health.returncode == 0, health.stderr
    finally:
        code = server.stop()
    assert code == 0, server.text()
