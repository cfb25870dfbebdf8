from __future__ import annotations

from prometheus_client import CollectorRegistry

from headwater.config.crewmetrics import CrewMetrics, Restart, Standing
from headwater.config.supervisor import Cause


def test_each_process_and_the_hot_restarts() -> None:
    registry = CollectorRegistry()
    none = dict.fromkeys(Cause, 0)
    standing = {"0": Standing(True, none), "node": Standing(False, {Cause.DIED: 3, Cause.HUNG: 1})}
    metrics = CrewMetrics(lambda: standing, registry)
    metrics.restarts[Restart.REFUSED] += 1
    assert [registry.get_sample_value("headwater_edge_worker_up", {"worker": name}) for name in standing] == [1, 0]
    restarts = [
        registry.get_sample_value("headwater_edge_worker_restarts_total", {"worker": name, "cause": cause.value})
        for name in standing
        for cause in Cause
    ]
    assert restarts == [0, 0, 3, 1]
    assert registry.get_sample_value("headwater_edge_hot_restarts_total", {"result": "refused"}) == 1
    assert registry.get_sample_value("headwater_edge_hot_restarts_total", {"result": "done"}) == 0
