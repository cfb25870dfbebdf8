from __future__ import annotations

from prometheus_client import CollectorRegistry

from headwater.config.crewmetrics import CrewMetrics, Restart, Standing


def test_each_process_and_the_hot_restarts() -> None:
    registry = CollectorRegistry()
    metrics = CrewMetrics(lambda: {"0": Standing(True, 0), "node": Standing(False, 3)}, registry)
    metrics.restarts[Restart.REFUSED] += 1
    values = {
        (name, label): registry.get_sample_value(f"headwater_edge_worker_{name}", {"worker": label})
        for name in ("up", "restarts_total")
        for label in ("0", "node")
    }
    assert list(values.values()) == [1, 0, 0, 3]
    assert registry.get_sample_value("headwater_edge_hot_restarts_total", {"result": "refused"}) == 1
    assert registry.get_sample_value("headwater_edge_hot_restarts_total", {"result": "done"}) == 0
