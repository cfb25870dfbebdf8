"""Slow readers over HTTP/2: what came is read at their own speed, and windows open no faster."""

from __future__ import annotations

import pytest

from headwater.loadtest.players.lane import Kind
from headwater.loadtest.records import ViewerClass

from .http2_kit import Bench

SLOW_BPS = 80_000


def test_a_slow_reader_opens_its_windows_slowly() -> None:
    """80,000 bit/s are 10,000 bytes a second; 16 KiB may be ahead."""
    bench = Bench(ViewerClass(read_bps=SLOW_BPS))
    bench.ask(bench.media, Kind.PART)
    server, sent = bench.server, 0
    server.head(1)
    for _ in range(100):
        server.hear()
        if size := min(server.h2.local_flow_control_window(1), 16_384, 60_000 - sent):
            server.h2.send_data(1, b"x" * size, end_stream=sent + size == 60_000)
            sent += size
            server.say()
        assert sent <= 16_384 + 10_000 * (bench.now - 100.0)
        bench.pass_by(0.1)
    assert sent == 60_000
    assert len(bench.heard) == 1
    (answer,) = bench.heard
    assert isinstance(answer, tuple)
    assert answer[5] == pytest.approx(106.0, abs=0.15), "when all of it is read"


def test_a_slow_reader_that_gives_up_hears_nothing_more() -> None:
    bench = Bench(ViewerClass(read_bps=SLOW_BPS))
    bench.ask(bench.media, Kind.PART)
    bench.server.answer(1, b"x" * 10_000)
    bench.pass_by(0.5)
    bench.hub.abandon(bench.media)
    bench.pass_by(2.0)
    assert bench.heard == []
    bench.ask(bench.media, Kind.PART)
    bench.server.answer(3, b"x" * 1_000)
    bench.pass_by(0.2)
    assert len(bench.heard) == 1


def test_what_a_slow_reader_has_got_survives_the_connection() -> None:
    bench = Bench(ViewerClass(read_bps=SLOW_BPS))
    bench.ask(bench.media, Kind.PART)
    bench.server.answer(1, b"x" * 10_000)
    bench.server.connection.connection_lost(None)
    bench.pass_by(1.1)
    assert len(bench.heard) == 1
