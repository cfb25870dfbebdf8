from __future__ import annotations

from headwater.edge.post import Place, Post


def test_cache_status_names_the_node_apart() -> None:
    assert [Post(place).cache_name("leaf-1") for place in Place] == ["leaf-1", "leaf-1.workers", "leaf-1"]


def test_an_edge_of_one_process_makes_all_by_itself() -> None:
    post = Post()
    assert not post.is_node and not post.is_worker
    assert (post.cdn_id, post.viewer_key, post.cache_bytes, post.listening) == ("", b"", None, ())
