from __future__ import annotations

from headwater.edge.cmcd import Fault, Report, State
from headwater.edge.reports import families
from headwater.edge.viewers import Audience, Visitor


def test_families_of_an_audience() -> None:
    audience, visitor = Audience(b"k" * 32, 10), Visitor("10.0.0.1")
    audience.saw(visitor, b"", "/live/x/v/index.m3u8")
    report = Report(
        session=b"secret", buffer_s=2.0, throughput_bps=3e6, latency_s=2.5, stalled=True, state=State.PAUSED
    )
    audience.report(report, visitor, "/live/x/v/p1.m4s")
    audience.report(Fault.VALUE, visitor, "/live/x/v/p1.m4s")
    samples = {
        (sample.name.removeprefix("headwater_edge_"), *sample.labels.values()): sample.value
        for family in families(audience)
        for sample in family.samples
    }
    assert samples["viewers", "x", "v"] == samples["stream_viewers", "x"] == 1
    assert samples["cmcd_malformed_total", "value"] == 1
    assert samples["cmcd_malformed_total", "syntax"] == 0
    assert samples["cmcd_reports_total", "x", "v"] == samples["cmcd_stalls_total", "x", "v"] == 1
    assert samples["cmcd_states_total", "x", "v", "paused"] == 1
    assert samples["cmcd_buffer_seconds_sum", "x", "v"] == 2.0
    assert samples["cmcd_buffer_seconds_bucket", "x", "v", "1.0"] == 0
    assert samples["cmcd_buffer_seconds_bucket", "x", "v", "2.0"] == 1
    assert samples["cmcd_throughput_bits_per_second_count", "x", "v"] == 1
    assert samples["cmcd_latency_seconds_bucket", "x", "v", "+Inf"] == 1
    assert not any("secret" in str(key) or "10.0.0.1" in str(key) for key in samples)
