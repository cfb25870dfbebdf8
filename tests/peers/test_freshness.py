"""An edge in front of nginx with plain files: lifetimes, revalidation, and `headwater purge` on the command line."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from headwater.loadtest.bench.caches import NGINX
from headwater.loadtest.bench.edge import EdgeNode
from headwater.loadtest.bench.processes import fetched, free_port, started, wait_until

pytestmark = [pytest.mark.peer, pytest.mark.timeout(90)]

CONFIG = """
daemon off;
user root;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 256; }}
http {{
    types {{ video/mp4 m4s mp4; application/vnd.apple.mpegurl m3u8; text/plain txt; }}
    log_format short '$request_uri $status';
    access_log {folder}/access.log short;
    server {{
        listen 127.0.0.1:{port};
        root {folder}/files;
        location / {{ add_header Cache-Control "public, max-age=600"; }}
        location /cdn/ {{
            add_header Cache-Control "private, no-store";
            add_header Surrogate-Control "max-age=600";
        }}
        location /mine/ {{ add_header Cache-Control "private"; }}
        location /varied/ {{ add_header Cache-Control "max-age=600"; add_header Vary "Accept-Language"; }}
    }}
}}
"""
EXTRA = "[edge.freshness.other]\nmost_s = 0\n"


class House:
    """nginx, an edge before it, and what nginx was asked for."""

    def __init__(self, folder: Path) -> None:
        self.files, self.folder = folder / "files", folder
        self._looks = 0
        for name in ("a.m4s", "b.m4s", "note.txt", "cdn/a.m4s", "mine/a.m4s", "varied/a.m4s", "live/v/s1.m4s"):
            self.write(name, f"first {name}")
        self.write("live/index.m3u8", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv/index.m3u8\n")
        self.write("live/v/index.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\ns1.m4s\n#EXT-X-ENDLIST\n")
        port = free_port()
        self.origin = f"http://127.0.0.1:{port}"
        (folder / "nginx.conf").write_text(CONFIG.format(folder=folder, port=port))
        self.nginx = started(
            [NGINX, "-c", str(folder / "nginx.conf"), "-p", str(folder)],
            folder / "nginx.log",
            lambda _: fetched(f"http://127.0.0.1:{port}/a.m4s", 2)[0] == 200,
            what="nginx answers",
            timeout_s=20,
        )
        try:
            self.edge = EdgeNode(folder, "edge", {"nginx": self.origin}, extra=EXTRA)
        except BaseException:
            self.nginx.kill()
            raise
        (folder / "access.log").write_text("")

    def write(self, name: str, text: str) -> None:
        path = self.files / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def get(self, name: str) -> str:
        """Its first word: which version it is."""
        status, body = fetched(f"{self.edge.base}/{name}", 10)
        assert status == 200, (name, status)
        return body.decode().split()[0]

    def asked(self, name: str) -> list[str]:
        """The statuses of what nginx was asked for at `name`."""
        # It writes a line after it has answered: when that of a later request is there, all are.
        self._looks += 1
        mark = f"/look-{self._looks}"
        fetched(self.origin + mark, 10)
        deadline = time.monotonic() + 10
        while mark not in (text := (self.folder / "access.log").read_text()):
            assert time.monotonic() < deadline, text
            time.sleep(0.01)
        return [line.split()[1] for line in text.splitlines() if line.split()[0] == f"/{name}"]

    def purge(self, *options: str) -> tuple[int, str]:
        """`headwater purge`."""
        command = [sys.executable, "-m", "headwater.config.cli", "purge", *options]
        command += ["--admin", f"http://127.0.0.1:{self.edge.admin}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    made = House(tmp_path_factory.mktemp("freshness"))
    yield made
    made.edge.peer.kill()
    made.nginx.kill()


def test_what_is_fresh_is_not_asked_for_and_what_is_stale_is_revalidated(house: House) -> None:
    for _ in range(3):
        assert house.get("a.m4s") == "first"
        assert house.get("note.txt") == "first"
    assert house.asked("a.m4s") == ["200"]
    assert house.asked("note.txt") == ["200", "304", "304"], "edge.freshness.other.most_s = 0"


def test_surrogate_control_counts_and_stays_here(house: House) -> None:
    for _ in range(2):
        with urllib.request.urlopen(f"{house.edge.base}/cdn/a.m4s", timeout=10) as answer:
            assert answer.headers["Cache-Control"] == "private, no-store"
            assert answer.headers["Surrogate-Control"] is None
    assert house.asked("cdn/a.m4s") == ["200"]


@pytest.mark.parametrize("name", ["mine/a.m4s", "varied/a.m4s"])
def test_what_is_for_one_is_fetched_for_each(house: House, name: str) -> None:
    for _ in range(3):
        house.get(name)
    assert house.asked(name) == ["200"] * 3
    assert house.edge.metric("headwater_edge_hit_for_miss") >= 1


def test_a_url_is_purged_hard_and_soft(house: House) -> None:
    house.get("b.m4s")
    house.write("b.m4s", "second version, longer")
    assert house.get("b.m4s") == "first"
    assert house.purge(f"{house.edge.base}/b.m4s", "--soft") == (
        0,
        "purged: 1 objects, 0 playlists, 0 fetches, 0 disk\n",
    )
    assert house.get("b.m4s") == "second"
    assert house.purge("/b.m4s", "--soft")[0] == 0
    assert house.get("b.m4s") == "second"
    assert house.asked("b.m4s") == ["200", "200", "304"]
    assert house.purge("/b.m4s")[0] == 0
    assert house.get("b.m4s") == "second"
    assert house.asked("b.m4s")[3:] == ["200"]


def test_a_stream_is_purged(house: House) -> None:
    names = ("live/index.m3u8", "live/v/index.m3u8", "live/v/s1.m4s")
    for name in (*names, "a.m4s"):
        house.get(name)
    code, text = house.purge("--stream", f"{house.edge.base}/live/index.m3u8")
    assert (code, text) == (0, "purged: 3 objects, 0 playlists, 0 fetches, 0 disk\n")
    before = [len(house.asked(name)) for name in (*names, "a.m4s")]
    for name in (*names, "a.m4s"):
        house.get(name)
    assert [len(house.asked(name)) for name in (*names, "a.m4s")] == [
        before[0] + 1,
        before[1] + 1,
        before[2] + 1,
        before[3],
    ]
    assert house.edge.metric("headwater_edge_purged_total", kind="stream") == 3
    assert house.edge.metric("headwater_edge_purges_total", kind="stream") == 1


def test_what_goes_wrong_is_said_in_a_line(house: House) -> None:
    admin = f"http://127.0.0.1:{house.edge.admin}"
    code, text = house.purge("relative.m4s")
    assert code == 2
    assert text.startswith(f"headwater purge: {admin}: 400: the request-target is not a path; the body is")
    house.edge.admin, kept = free_port(), house.edge.admin
    code, text = house.purge("/a.m4s")
    assert (code, text) == (
        1,
        f"headwater purge: http://127.0.0.1:{house.edge.admin}: [Errno 111] Connection refused\n",
    )
    house.edge.admin = house.edge.port
    assert house.purge("/a.m4s")[0] == 1
    house.edge.admin = kept
    assert house.purge()[0] == 2
    assert house.purge("/a.m4s", "--prefix", "/")[0] == 2


def test_a_purge_is_a_line_in_the_log_without_the_token_of_its_url(house: House) -> None:
    assert house.purge("https://edge.example/t/h1.key.claims.mac/live/v/s1.m4s?x=1")[0] == 0
    (line,) = [line for line in house.edge.peer.text().splitlines() if "h1.key" in line or "/live/v/s1.m4s" in line]
    assert "purged" in line
    assert "kind=url" in line
    assert "claims" not in line


def test_segments_on_disk_survive_kill_9_and_an_origin_that_is_gone(house: House, tmp_path: Path) -> None:
    names = [f"live/v/d{number}.m4s" for number in range(12)]
    for name in names:
        house.write(name, f"{name} " * 3_000)
    own = "cache_bytes = 250000\nobject_bytes = 250000"
    disk = f'[edge.disk]\ndir = "{tmp_path / "disk"}"\n'
    first = EdgeNode(tmp_path, "first", {"nginx": house.origin}, own=own, extra=disk)
    try:
        for name in names:
            assert fetched(f"{first.base}/{name}", 10)[0] == 200
        wait_until(lambda: first.metric("headwater_edge_disk_writes_total") >= 6, timeout_s=10, what="some are written")
    finally:
        first.peer.kill()
    second = EdgeNode(tmp_path, "second", {"nobody": f"http://127.0.0.1:{free_port()}"}, own=own, extra=disk)
    try:
        for name in names[:6]:
            assert fetched(f"{second.base}/{name}", 10) == (200, f"{name} ".encode() * 3_000)
        assert second.metric("headwater_edge_disk_hits_total") == 6
        assert fetched(f"{second.base}/{names[-1]}", 10)[0] == 502, "it was in memory alone"
    finally:
        code = second.peer.stop()
    assert code == 0


def test_a_disk_that_cannot_be_used_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    command = [sys.executable, "-m", "headwater.config.cli", "edge", "--edge.disk.dir", str(tmp_path / "file")]
    command += ["--edge.http.port", "0", "--edge.admin.port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == f'flag --edge.disk.dir: edge.disk.dir = "{tmp_path / "file"}": not a folder\n'
    command[command.index(str(tmp_path / "file"))] = "/proc/none"
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "headwater: edge.disk.dir: /proc/none: No such file or directory\n"
