"""Whether the latency of an SRT connection fits its network, in words for the broadcaster. Sans-IO.

Rule of thumb: a lost packet needs a round trip to come again, and may be lost again. 4 round trips are enough for 1 %
of loss, 6 for 5 %, 8 for more; libsrt's own guide says 3 to 4 on good links.
"""

from __future__ import annotations

from .srt.stats import Stats

WINDOW_S = 10.0
"""Over which loss is measured."""
AGAIN_S = 60.0
"""Between two sayings."""
LEAST_PACKETS = 200
"""In a window, for its loss to mean anything."""
ROUND_TRIPS = ((0.01, 4), (0.05, 6), (1.0, 8))
"""Up to this share of lost packets, so many round trips."""
LEAST_MS = 80
"""Never less is recommended: frames of a slow encoder come in bursts."""


def needed_ms(rtt_s: float, rtt_var_s: float, loss: float) -> int:
    """The latency that a link needs, rounded up to 10 ms. `loss`: share of packets, 0..1."""
    trips = next(trips for most, trips in ROUND_TRIPS if loss <= most)
    exact_ms = max(LEAST_MS, round(trips * (rtt_s + rtt_var_s) * 1_000))
    return -(-exact_ms // 10) * 10


class LatencyAdviser:
    """Looks at one connection once in a while.

    Args:
        now: monotonic seconds.
    """

    def __init__(self, now: float) -> None:
        self._window_at = now
        self._before: Stats | None = None
        self._said_at = float("-inf")

    def look(self, stats: Stats, now: float) -> str | None:
        """What there is to say, or None."""
        if now - self._window_at < WINDOW_S:
            return None
        before, self._before, self._window_at = self._before, stats, now
        packets = stats.packets - (before.packets if before is not None else 0)
        lost = stats.lost - (before.lost if before is not None else 0)
        dropped = stats.dropped - (before.dropped if before is not None else 0)
        if packets < LEAST_PACKETS or lost <= 0 or now - self._said_at < AGAIN_S:
            return None
        loss = min(1.0, lost / (packets + dropped))
        needed = needed_ms(stats.rtt_s, stats.rtt_var_s, loss)
        latency_ms = round(stats.latency_s * 1_000)
        if latency_ms >= needed:
            return self._too_bad(latency_ms, dropped, loss, now) if dropped else None
        self._said_at = now
        gone = f"{dropped} packets came too late" if dropped else "packets may come too late"
        return (
            f"the latency of {latency_ms} ms is too small for this network (round trip {stats.rtt_s * 1_000:.0f} ms, "
            f"{loss:.1%} lost): {gone}; raise latency to {needed} ms in the encoder"
        )

    def _too_bad(self, latency_ms: int, dropped: int, loss: float, now: float) -> str:
        self._said_at = now
        return (
            f"{dropped} packets were lost for good although the latency of {latency_ms} ms fits the round trip "
            f"({loss:.1%} lost): lower the bit rate, or raise latency to {2 * latency_ms} ms in the encoder"
        )
