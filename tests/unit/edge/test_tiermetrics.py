"""The upstreams' metrics."""

from __future__ import annotations

from prometheus_client import CollectorRegistry
from tests.edge_kit import Script

from headwater.edge.breaker import Breaker
from headwater.edge.member import Member, ProbeRules
from headwater.edge.message import Failure, UpstreamAnswer, UpstreamRequest
from headwater.edge.tiermetrics import TierMetrics
from headwater.edge.tiers import TierRules, Tiers


def test_every_upstream_is_shown_as_it_is() -> None:
    scripts = [Script(), Script()]
    members = [Member(i, "ab"[i], scripts[i], Breaker(3, 2.0)) for i in (0, 1)]
    tiers = Tiers(members, TierRules("me", ProbeRules("", 1, 1), 30.0, 1.25), 100.0)
    registry = CollectorRegistry()
    TierMetrics(tiers, registry)
    answers: list[UpstreamAnswer] = []
    tiers.fetch(UpstreamRequest("/x/p.m4s"), answers.append)
    used = next(i for i in (0, 1) if scripts[i].pending)
    scripts[used].fail("/x/p.m4s", 100.0, Failure.CONNECT)
    scripts[1 - used].answer("/x/p.m4s", 100.1)
    tiers.stands_still("/x/l.m3u8", "b", 100.0)
    tiers.taken_over("/x/l.m3u8", "a", 100.0, None, changed=True)
    members[1].counts.hedges, members[1].counts.hedges_won = 3, 1

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"headwater_edge_upstream_{name}", labels)

    failed, good = "ab"[used], "ab"[1 - used]
    assert (value("up", upstream=failed), value("up", upstream=good)) == (0, 1)
    assert value("breaker", upstream=failed, state="open") == 1
    assert value("breaker", upstream=failed, state="closed") == 0
    assert value("breaker", upstream=good, state="closed") == 1
    assert value("requests_total", upstream=failed, result="connect") == 1
    assert value("requests_total", upstream=good, result="2xx") == 1
    assert value("failovers_total", upstream=failed) == 1
    assert value("hedges_total", upstream="b", outcome="won") == 1
    assert value("hedges_total", upstream="b", outcome="lost") == 2
    assert value("frozen_total", upstream="b") == 1
    assert value("takeovers_total", upstream="a", names="changed") == 1
    assert value("takeovers_total", upstream="a", names="same") == 0
    assert value("streams", upstream="a") == 1
