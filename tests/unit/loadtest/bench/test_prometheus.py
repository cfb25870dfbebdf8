from __future__ import annotations

from headwater.loadtest.bench.prometheus import dashboard_queries


def test_every_variable_of_a_query_is_filled_in() -> None:
    asked = list(dashboard_queries())
    assert len({where for where, _ in asked}) > 40
    assert not [query for _, query in asked if "$" in query]
    assert any("headwater_edge_viewers" in query for _, query in asked)
