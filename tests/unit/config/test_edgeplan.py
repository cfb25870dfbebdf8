"""Which settings each process of an edge gets."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from headwater.config.edgeplan import NODE, NODE_GRACE_S, PER_FOLLOWER, plan, share
from headwater.config.load import from_handover, handover
from headwater.config.settings import Edge, EdgeHttp, Settings
from headwater.config.settings_upstream import EdgeUpstream
from headwater.config.settings_viewers import Proxy, TokenKey, Tokens, ViewerLimits
from headwater.edge.fetch import HELD_PER_FOLLOWER

EDGE = Edge(
    node="leaf",
    workers=4,
    cache_bytes=1 << 30,
    upstreams=(EdgeUpstream(url="http://a:1", name="a"), EdgeUpstream(url="http://b:1", name="b", sibling=True)),
    pins=("/live/show/index.m3u8",),
    held=1_000,
    http=EdgeHttp(connections=10_000, header_bytes=64 << 10),
    tokens=Tokens(keys=(TokenKey(id="k", secret=SecretStr("s" * 32)),)),
    limits=ViewerLimits(connections_per_address=6, requests_per_s=4_000),
    proxy=Proxy(trusted=("10.0.0.0/8",), protocol=True),
)


def test_the_node_faces_the_upstreams_and_no_viewer() -> None:
    node = plan(EDGE, "http://unused", 4, "/tmp/s").node
    assert (node.upstream, node.upstreams, node.tiers, node.pins) == (None, EDGE.upstreams, EDGE.tiers, EDGE.pins)
    assert node.node == "leaf", "siblings know this node by it"
    assert not node.tokens.enabled
    assert node.proxy == Proxy()
    assert node.limits.requests_per_s is None
    assert node.http.connections == 4 * (EDGE.upstream_connections + PER_FOLLOWER * EDGE.followers)
    assert node.http.header_bytes > EDGE.http.header_bytes
    assert node.follow_grace_s == NODE_GRACE_S
    assert PER_FOLLOWER == HELD_PER_FOLLOWER


def test_a_worker_faces_viewers_and_the_node() -> None:
    worker = plan(EDGE, "http://unused", 4, "/tmp/s").worker
    assert (worker.upstream, [(one.label, one.url) for one in worker.upstreams]) == (None, [(NODE, "unix:/tmp/s")])
    assert (worker.pins, worker.tokens, worker.proxy, worker.node) == ((), EDGE.tokens, EDGE.proxy, "leaf")
    assert worker.upstream_timeout_s > EDGE.upstream_timeout_s
    assert worker.http.port == EDGE.http.port


def test_without_upstreams_the_node_asks_the_one_that_is_said() -> None:
    both = plan(Edge(), "http://127.0.0.1:8081", 2, "/tmp/s")
    assert both.node.upstream == "http://127.0.0.1:8081"
    assert both.worker.upstream is None


@pytest.mark.parametrize("workers", [1, 2, 7, 256])
def test_the_cache_is_divided_and_not_multiplied(workers: int) -> None:
    both = plan(EDGE, "", workers, "/tmp/s")
    assert both.node_cache_bytes == EDGE.cache_bytes // 2
    assert both.node_cache_bytes + workers * both.worker_cache_bytes <= EDGE.cache_bytes


def test_a_share_leaves_room_for_chance() -> None:
    worker = plan(EDGE, "", 4, "/tmp/s").worker
    assert worker.http.connections == share(10_000, 4) == 2_650
    assert worker.held == share(1_000, 4) == 298
    assert worker.limits.connections_per_address == 6, "so few may all come to one worker"
    assert worker.limits.requests_per_s == share(4_000, 4) == 1_095
    assert share(100, 1) == 100


def test_both_pass_through_the_hand_over() -> None:
    both = plan(EDGE.model_copy(update={"object_bytes": EDGE.cache_bytes}), "", 4, "/tmp/s")
    for edge in (both.node, both.worker):
        settings = Settings(edge=edge)
        assert from_handover(handover(settings)) == settings
