"""The publisher over SRT: a real ffmpeg sends, and another one listens and writes down what it gets."""

from __future__ import annotations

import stat
import threading
from fractions import Fraction
from pathlib import Path

import av
import pytest

from headwater.loadtest.bench.processes import FFMPEG, Peer, free_udp_port, wait_until
from headwater.loadtest.publish import PublishOptions, run
from headwater.loadtest.publish.connection import ConnectFailed
from headwater.loadtest.publish.flv import TagKind, TagSplitter
from headwater.loadtest.publish.options import BadTarget
from headwater.loadtest.publish.srt import (
    NEEDED,
    arguments_of,
    find_ffmpeg,
    flv_start,
    flv_tag,
    parse_srt_target,
    url_of,
)

SMALL = {"width": 160, "height": 90, "fps": Fraction(25), "bitrate": 200_000}


def listens(port: int) -> bool:
    return f":{port:04X} " in Path("/proc/net/udp").read_text()


class Recorder:
    """An ffmpeg that listens for SRT and writes down what comes."""

    def __init__(self, path: Path, parameters: str = "") -> None:
        self.path = path
        self.port = free_udp_port()
        url = f"srt://127.0.0.1:{self.port}?mode=listener{parameters}"
        self.peer = Peer(
            [FFMPEG, "-loglevel", "error", "-y", "-i", url, "-map", "0", "-c", "copy", str(path)],
            path.with_suffix(".log"),
        )
        wait_until(lambda: listens(self.port), timeout_s=20, what="ffmpeg listens", peer=self.peer)

    @property
    def url(self) -> str:
        return f"srt://127.0.0.1:{self.port}"


def tracks_of(path: Path) -> list[tuple[str, float]]:
    """Codec and seconds of each track."""
    with av.open(str(path)) as container:
        times: dict[int, list[float]] = {stream.index: [] for stream in container.streams}
        for packet in container.demux():
            if packet.pts is not None:
                times[packet.stream_index].append(float(packet.pts * packet.time_base))
        names = {stream.index: stream.codec.canonical_name for stream in container.streams}
    return sorted((names[index], max(found) - min(found)) for index, found in times.items() if found)


def test_the_picture_arrives(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "got.mkv", "&passphrase=correct-horse")
    try:
        url = f"{recorder.url}?passphrase=correct-horse&pbkeylen=24&latency=200&streamid=publish:live/x"
        assert run(PublishOptions(url, duration_s=2.0, quiet=True, **SMALL), stop=threading.Event()) == 0  # type: ignore[arg-type]
        assert recorder.peer.wait(20) == 0
    finally:
        recorder.peer.kill()
    (sound, sound_s), (picture, picture_s) = tracks_of(recorder.path)
    assert (sound, picture) == ("aac", "h264")
    assert picture_s > 1.5 and sound_s > 1.5


def test_a_file_arrives_with_all_its_sound(tmp_path: Path) -> None:
    source = tmp_path / "source.mp4"
    made = [FFMPEG, "-loglevel", "error", "-f", "lavfi", "-i", "testsrc=size=160x90:rate=25", "-f", "lavfi", "-i"]
    made += ["sine", "-t", "2", "-map", "0", "-map", "1", "-map", "1", "-pix_fmt", "yuv420p", "-g", "25", str(source)]
    maker = Peer(made, tmp_path / "made.log")
    assert maker.wait(60) == 0, maker.text()
    recorder = Recorder(tmp_path / "got.mkv")
    try:
        assert run(PublishOptions(recorder.url, file=source, quiet=True), stop=threading.Event()) == 0
        assert recorder.peer.wait(20) == 0
    finally:
        recorder.peer.kill()
    assert [name for name, _ in tracks_of(recorder.path)] == ["aac", "aac", "h264"]


def test_a_listener_that_refuses_is_told_without_secrets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recorder = Recorder(tmp_path / "got.mkv", "&passphrase=correct-horse")
    try:
        url = f"{recorder.url}?passphrase=wrong-passphrase&streamid=live/x?key=tell-nobody"
        assert run(PublishOptions(url, duration_s=20.0, quiet=True, **SMALL), stop=threading.Event()) == 1  # type: ignore[arg-type]
    finally:
        recorder.peer.kill()
    said = capsys.readouterr().err
    assert said == f"headwater publish: {recorder.url}: the server refused: the passphrase is another one\n"


def test_nobody_listens(capsys: pytest.CaptureFixture[str]) -> None:
    url = f"srt://127.0.0.1:{free_udp_port()}?passphrase=tell-nobody&streamid=live/x?key=tell-nobody-either"
    assert run(PublishOptions(url, duration_s=20.0, quiet=True, **SMALL), stop=threading.Event()) == 1  # type: ignore[arg-type]
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "failed: Input/output error" in said
    assert "tell-nobody" not in said


def test_without_an_ffmpeg_one_line_says_what_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    useless = tmp_path / "ffmpeg"
    useless.write_text("#!/bin/sh\necho file http tcp\n")
    useless.chmod(useless.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(useless))
    assert run(PublishOptions("srt://127.0.0.1:9", quiet=True), stop=threading.Event()) == 1
    assert capsys.readouterr().err == f"headwater publish: {NEEDED}\n"
    with pytest.raises(ConnectFailed):
        find_ffmpeg()


def test_urls() -> None:
    assert run(PublishOptions("srt://127.0.0.1"), stop=threading.Event()) == 2
    with pytest.raises(BadTarget, match="port"):
        parse_srt_target("srt://h")
    target = parse_srt_target("srt://h:1?streamid=#!::r=live/x,m=publish&passphrase=a long secret&latency=120")
    assert url_of(target) == (
        "srt://h:1?pkt_size=1316&streamid=%23%21%3A%3Ar%3Dlive%2Fx%2Cm%3Dpublish&passphrase=a%20long%20secret&pbkeylen=16"
        "&latency=120000"
    )
    command = arguments_of("ffmpeg", PublishOptions("", file=Path("a.ts"), audio=False, duration_s=2.5), target)
    assert command[command.index("-i") + 1] == "a.ts"
    assert "0:a?" not in command and command[command.index("-t") + 1] == "2.5"


def test_tags_are_those_of_a_file() -> None:
    tags = [(TagKind.VIDEO, 0x12345678, b"picture"), (TagKind.AUDIO, 5, b"")]
    written = flv_start(audio=True) + b"".join(flv_tag(*tag) for tag in tags)
    assert [tuple(tag) for tag in TagSplitter().feed(written)] == tags
