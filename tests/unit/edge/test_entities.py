"""Answers of the edge's own, and answers made from the upstream's."""

from __future__ import annotations

from headwater.edge.entities import (
    PREFLIGHT,
    crowded,
    is_media,
    is_playlist,
    local,
    method_not_allowed,
    received,
)
from headwater.edge.freshness import Life
from headwater.edge.message import Entity, UpstreamAnswer

LIFE = Life(True, 5.0, True, 9.0)


def field(entity: Entity, name: str) -> str | None:
    found = [value for key, value in entity.headers if key.lower() == name]
    assert len(found) <= 1, found
    return found[0] if found else None


def upstream(*headers: tuple[str, str], status: int = 200, body: bytes = b"x" * 300) -> UpstreamAnswer:
    return UpstreamAnswer(7.0, 0.0, status, headers, body)


def test_rule_155_every_answer_has_cors() -> None:
    for entity in (local(400, "no"), PREFLIGHT, crowded(), method_not_allowed(), received(upstream(), LIFE, "1.1 e")):
        assert field(entity, "access-control-allow-origin") == "*"
        exposed = field(entity, "access-control-expose-headers") or ""
        for name in ("Age", "Date", "Content-Length", "Content-Range", "Common-Access-Token", "CMSD-Static"):
            assert name in exposed.split(", ")


def test_errors_are_kept_by_nobody() -> None:
    entity = local(503, "why", retry_after=3)
    assert field(entity, "cache-control") == "no-store"
    assert field(entity, "retry-after") == "3"
    assert entity.body == b"503 Service Unavailable: why\n"
    assert entity.own
    assert field(method_not_allowed(), "allow") == "GET, HEAD, OPTIONS"


def test_the_connections_own_fields_are_not_passed_on() -> None:
    entity = received(
        upstream(
            ("connection", "X-Hop, close"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("access-control-allow-origin", "https://a"),
            ("server", "nginx"),
            ("timing-allow-origin", "https://a"),
            ("age", "5"),
            ("x-kept", "1"),
            ("etag", '"a"'),
        ),
        LIFE,
        "1.1 e",
    )
    names = [name for name, _ in entity.headers]
    assert "X-Kept" in names
    assert "ETag" in names
    for gone in ("Connection", "X-Hop", "Keep-Alive", "Transfer-Encoding", "Server", "Age"):
        assert gone not in names
    assert field(entity, "access-control-allow-origin") == "*"
    assert field(entity, "timing-allow-origin") == "*"
    assert field(entity, "via") == "1.1 e"
    assert (entity.age, entity.lifetime, entity.usable, entity.received) == (5.0, 5.0, 9.0, 7.0)


def test_via_and_cache_status_of_the_tier_above_go_on() -> None:
    entity = received(upstream(("via", "1.1 shield"), ("cache-status", "shield; hit")), LIFE, "1.1 e")
    assert field(entity, "via") == "1.1 shield, 1.1 e"
    assert entity.trail == "shield; hit"


def test_vary_says_what_the_edge_varies_by() -> None:
    text = received(upstream(("content-type", "application/json"), ("vary", "Origin, Accept-Encoding")), LIFE, "e")
    assert field(text, "vary") == "Accept-Encoding"
    assert text.compress
    media = received(upstream(("content-type", "video/mp4"), ("vary", "X-Thing")), LIFE, "e")
    assert field(media, "vary") == "X-Thing"
    assert not media.compress


def test_small_and_large_texts_are_not_compressed() -> None:
    kind = ("content-type", "application/vnd.apple.mpegurl")
    assert not received(upstream(kind, body=b"x" * 100), LIFE, "e").compress
    assert not received(upstream(kind, body=b"x" * 1_000_000), LIFE, "e").compress
    assert not received(upstream(kind, status=404), LIFE, "e").compress


def test_kinds() -> None:
    assert is_playlist("/a.m3u8", "")
    assert is_playlist("/a", "Application/vnd.apple.mpegurl; charset=utf-8")
    assert not is_playlist("/a.mp4", "video/mp4")
    assert is_media("/a", "video/iso.segment")
    assert is_media("/a.m4s", "application/octet-stream")
    assert not is_media("/a", "audio/mpegurl")
