"""The loop: order of messages, reports in time, faults that are told."""

from __future__ import annotations

import socket
import threading

import pytest
from tests.worker_kit import SOURCE, Bench, plan, rung, video

from headwater.ingest.encode import wire
from headwater.ingest.encode.model import (
    Adjust,
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
from headwater.ingest.encode.worker.link import Link
from headwater.ingest.encode.worker.loop import ProtocolError, Worker, run
from headwater.ingest.media import Cut, Hole, TrackStarted


@pytest.mark.parametrize("message", [Resume(1), Adjust(1), Drain(1), Cut(0, 0, 0), Hole(SOURCE, 1), video().samples[0]])
def test_nothing_comes_before_the_configuration(message: ToWorker) -> None:
    with pytest.raises(ProtocolError, match="before Configure"):
        Worker(lambda said: None, 1).handle(message)


def test_messages_of_a_worker_are_not_for_a_worker() -> None:
    bench = Bench(plan())
    with pytest.raises(ProtocolError, match="not for a worker"):
        bench.give(Drained(1))  # type: ignore[arg-type]


def test_work_is_counted_as_busy_and_waiting_is_not() -> None:
    """Time passes only in the clock that is looked at."""
    times = iter(range(10_000))
    said: list[FromWorker] = []
    worker = Worker(said.append, 1, lambda: 5, clock=lambda: next(times) / 10)
    for message in (Configure(plan()), Drain(1), Drain(2)):
        worker.handle(message)  # the clock is looked at before and after: 0.1 s each
        for _ in range(5):
            worker.breathe()
    reports = [message for message in said if isinstance(message, Progress)]
    assert sum(report.busy_s for report in reports) == pytest.approx(0.3)
    assert {report.queued for report in reports} == {5}


def test_long_work_reports_between_its_frames() -> None:
    """A frame after a gap of four seconds is 120 places."""
    clip = video()
    said: list[FromWorker] = []
    times = iter(range(1_000_000))
    worker = Worker(said.append, 1, clock=lambda: next(times) / 50)
    first, late = clip.samples[0], clip.at(4 * 90_000).samples[0]
    for message in (Configure(plan(rung())), TrackStarted(SOURCE, clip.track), Cut(0, first.pts, 0), first):
        worker.handle(message)
    said.clear()
    worker.handle(late)
    reports = [message for message in said if isinstance(message, Progress)]
    assert len(reports) >= 4
    assert sum(report.busy_s for report in reports) >= 1


def test_it_serves_until_the_host_is_gone() -> None:
    host, theirs = socket.socketpair()
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(run(Link(theirs, exits=False), 1)))
    thread.start()
    clip = video()
    messages: list[ToWorker] = [
        Configure(plan(rung())),
        TrackStarted(SOURCE, clip.track),
        Cut(0, clip.samples[0].pts, 0),
    ]
    for message in (*messages, *clip.samples[:5], Drain(4)):
        host.sendall(b"".join(wire.encode(message)))
    decoder = wire.Decoder()
    said: list[wire.Message] = []
    while not said or said[-1] != Drained(4):
        said += [message for message in decoder.receive_data(host.recv(1 << 16)) if not isinstance(message, Progress)]
    assert isinstance(said[0], Opened) and len(said) == 7
    host.close()
    thread.join(5)
    assert codes == [0]


def test_a_fault_is_told_before_the_end() -> None:
    host, theirs = socket.socketpair()
    errors: list[str] = []

    def serve() -> None:
        try:
            run(Link(theirs, exits=False), 1)
        except ProtocolError as error:
            errors.append(str(error))

    thread = threading.Thread(target=serve)
    thread.start()
    host.sendall(b"".join(wire.encode(Drain(1))))
    decoder = wire.Decoder()
    said: list[wire.Message] = []
    while data := host.recv(1 << 16):
        said += decoder.receive_data(data)
    thread.join(5)
    host.close()
    assert said == [Failed(None, "ProtocolError: Drain before Configure")] and errors
