"""When the latency is said to be too small, and what is recommended."""

from __future__ import annotations

import dataclasses

import pytest

from headwater.ingest.srt.stats import Stats
from headwater.ingest.srtadvice import AGAIN_S, WINDOW_S, LatencyAdviser, needed_ms

CALM = Stats(
    packets=0,
    octets=0,
    retransmitted=0,
    lost=0,
    belated=0,
    duplicate=0,
    dropped=0,
    undecryptable=0,
    out_of_window=0,
    naks=0,
    rtt_s=0.1,
    rtt_var_s=0.005,
    bits_per_s=2e6,
    buffer_s=0,
    buffer_packets=0,
    buffer_bytes=0,
    latency_s=0.12,
    encrypted=False,
)


def at(packets: int, lost: int = 0, dropped: int = 0, latency_s: float = 0.12) -> Stats:
    return dataclasses.replace(CALM, packets=packets, lost=lost, dropped=dropped, latency_s=latency_s)


@pytest.mark.parametrize(
    ("rtt_s", "loss", "needed"),
    [(0.1, 0.0, 400), (0.1, 0.01, 400), (0.1, 0.05, 600), (0.1, 0.2, 800), (0.001, 0.01, 80)],
)
def test_the_rule_of_thumb(rtt_s: float, loss: float, needed: int) -> None:
    assert needed_ms(rtt_s, 0.0, loss) == needed


def test_a_clean_network_is_not_spoken_of() -> None:
    adviser = LatencyAdviser(0)
    assert [adviser.look(at(step * 1_000), step * WINDOW_S) for step in range(1, 20)] == [None] * 19


def test_loss_with_too_little_latency_is_told_once_a_minute_with_a_number() -> None:
    adviser = LatencyAdviser(0)
    assert adviser.look(at(500, lost=2), WINDOW_S / 2) is None
    said = [adviser.look(at(step * 1_000, lost=step * 8), step * WINDOW_S) for step in range(1, 14)]
    texts = [text for text in said if text is not None]
    assert [said.index(text) for text in texts[:1]] == [0] and len(texts) == 1 + 120 // AGAIN_S
    assert "latency of 120 ms is too small" in texts[0]
    assert "round trip 100 ms, 0.8% lost" in texts[0]
    assert "raise latency to 420 ms in the encoder" in texts[0]


def test_what_was_lost_for_good_is_said_also_when_the_latency_fits() -> None:
    adviser = LatencyAdviser(0)
    assert adviser.look(at(1_000, lost=8, latency_s=0.5), WINDOW_S) is None
    text = adviser.look(at(2_000, lost=100, dropped=30, latency_s=1.0), 2 * WINDOW_S)
    assert text is not None and "30 packets were lost for good" in text and "2000 ms" in text


def test_a_handful_of_packets_means_nothing() -> None:
    assert LatencyAdviser(0).look(at(50, lost=20), WINDOW_S) is None
