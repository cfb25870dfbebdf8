"""The real worker, in its own process, over a socket pair, with H.264 and AAC from ffmpeg."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from tests.worker_kit import (
    AUDIO,
    SOURCE,
    START,
    audio,
    audio_rung,
    check_samples,
    cuts_at_keyframes,
    decoded,
    heard,
    plan,
    rung,
    video,
)

from headwater.ingest.encode import wire
from headwater.ingest.encode.model import (
    Configure,
    Drain,
    Drained,
    Failed,
    FromWorker,
    Opened,
    Progress,
    Resume,
    ToWorker,
)
from headwater.ingest.media import Cut, Sample, Track, TrackStarted


class Host:
    """The other end."""

    def __init__(self) -> None:
        self.end, theirs = socket.socketpair()
        command = [sys.executable, "-m", "headwater.ingest.encode.worker", str(theirs.fileno())]
        self.process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stderr=subprocess.PIPE)
        theirs.close()
        self.said: list[FromWorker] = []
        self.over = False
        self._decoder = wire.Decoder()
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def send(self, *messages: ToWorker) -> None:
        for message in messages:
            self.end.sendall(b"".join(wire.encode(message)))

    def _read(self) -> None:
        while True:
            try:
                data = self.end.recv(1 << 18)
            except OSError:
                data = b""
            with self._changed:
                self.said += self._decoder.receive_data(data)  # type: ignore[arg-type]
                self.over = not data
                self._changed.notify_all()
            if not data:
                return

    def until(self, kind: type[object], count: int = 1) -> list[FromWorker]:
        """All that was said, once `count` messages of a kind are among it."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.over or self._count(kind) >= count, 20)
            assert self._count(kind) >= count, self.process.stderr and self.process.stderr.read().decode()
            return list(self.said)

    def _count(self, kind: type[object]) -> int:
        return sum(isinstance(said, kind) for said in self.said)

    def samples(self, rendition: str) -> list[Sample]:
        return [said for said in self.said if isinstance(said, Sample) and said.rendition == rendition]

    def track(self, rendition: str) -> Track:
        (opened,) = (said for said in self.said if isinstance(said, Opened) and said.rendition == rendition)
        return opened.track

    def close(self) -> None:
        with suppress(OSError):
            self.end.shutdown(socket.SHUT_RDWR)
        self._reader.join()
        self.end.close()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(6)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()


@pytest.fixture
def host() -> Iterator[Host]:
    made = Host()
    yield made
    made.close()


def feed() -> list[ToWorker]:
    """Video and sound in the order of their decode times, with a cut at each keyframe."""
    picture = video("testsrc2=size=320x180:rate=30", "-c:v libx264 -preset ultrafast -g 15 -bf 0", 2.0)
    sound = audio(seconds=2.0)
    timed: list[tuple[float, ToWorker]] = [(s.dts / 48_000, s) for s in sound.samples]
    at = 0.0
    for message in cuts_at_keyframes(picture):
        at = message.dts / 90_000 if isinstance(message, Sample) else at
        timed.append((at if not isinstance(message, Cut) else message.time / 90_000, message))
    started: list[ToWorker] = [TrackStarted(SOURCE, picture.track), TrackStarted(AUDIO, sound.track)]
    return started + [message for _, message in sorted(timed, key=lambda entry: entry[0])]


def test_a_ladder_from_start_to_drain(host: Host) -> None:
    rungs = rung(), rung(60, 106, divisor=2)
    messages = feed()
    cuts = [message.time for message in messages if isinstance(message, Cut)]
    assert len(cuts) == 4
    host.send(Configure(plan(*rungs, audio=[audio_rung()])), *messages, Drain(7))
    assert host.until(Drained)[-1] == Drained(7)
    for name, divisor in (("90p", 1), ("60p", 2)):
        samples, track = host.samples(name), host.track(name)
        check_samples(samples)
        assert len(samples) == 60 // divisor == len(decoded(track, samples))
        # 15 frames between keyframes: every other cut is one place late in the rung of every second frame.
        firsts = [next(sample for sample in samples if sample.pts >= cut) for cut in cuts]
        assert all(0 <= first.pts - cut <= 3_000 * (divisor - 1) for first, cut in zip(firsts, cuts, strict=True))
        assert [sample for sample in samples if sample.independent] == firsts
    sound = host.samples("audio-96k")
    check_samples(sound)
    assert sum(frame.samples for frame in heard(host.track("audio-96k"), sound)) >= 1.95 * 48_000
    host.close()
    assert host.process.returncode == 0


def test_progress_comes_twice_a_second_without_input(host: Host) -> None:
    host.until(Progress)
    began = time.monotonic()
    host.until(Progress, 4)
    assert time.monotonic() - began < 2.5
    assert all(said.resident_bytes > 1 << 20 for said in host.said if isinstance(said, Progress))


def test_a_replacement_starts_with_idrs_at_the_same_places(host: Host) -> None:
    position = START + 40 * 3_000
    host.send(Configure(plan(rung(), rung(60, 106))), Resume(position), *feed(), Drain(1))
    host.until(Drained)
    for name in ("90p", "60p"):
        samples = host.samples(name)
        assert samples[0].dts == position and samples[0].independent
        assert [(s.dts - START) // 3_000 for s in samples if s.independent] == [40, 45]
        assert len(decoded(host.track(name), samples)) == 20


def test_it_survives_another_size_and_another_codec(host: Host) -> None:
    other = video("testsrc2=size=256x144:rate=25", "-c:v libx265 -preset ultrafast -x265-params log-level=none", 1.0)
    later = other.at(60 * 3_000)
    host.send(Configure(plan(rung())), *feed(), TrackStarted(SOURCE, later.track), *cuts_at_keyframes(later, 4))
    host.send(Drain(1))
    host.until(Drained)
    samples = host.samples("90p")
    check_samples(samples)
    assert 60 + 27 <= len(samples) <= 60 + 30
    assert next(s for s in samples if s.pts >= START + 60 * 3_000).independent
    assert len(decoded(host.track("90p"), samples)) == len(samples)
    last = [said for said in host.said if isinstance(said, Failed)]
    assert not last


def test_what_is_not_the_protocol_ends_it_with_a_reason(host: Host) -> None:
    host.send(Cut(0, 0, 0))
    failed = host.until(Failed)[-1]
    assert isinstance(failed, Failed) and failed.rendition is None and "before Configure" in failed.reason
    assert host.process.wait(10) == 1


def test_signals_of_a_terminal_are_ignored_and_a_kill_leaves_nothing(host: Host) -> None:
    host.until(Progress)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        host.process.send_signal(number)
    host.until(Progress, 4)
    os.kill(host.process.pid, signal.SIGKILL)
    assert host.process.wait(5) == -signal.SIGKILL
    host.close()
    assert host.over
    assert not os.path.exists(f"/proc/{host.process.pid}")


def test_it_stands_behind_the_server(host: Host) -> None:
    host.until(Progress)
    assert os.getpriority(os.PRIO_PROCESS, host.process.pid) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 2)


def test_wrong_arguments_are_told() -> None:
    command = [sys.executable, "-m", "headwater.ingest.encode.worker", "x"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "usage" in done.stderr
