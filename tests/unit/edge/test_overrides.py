"""Lifetimes by class of object: what an operator may say, and what stands above it (rules 146-149, 163)."""

from __future__ import annotations

import pytest
from tests.edge_kit import UNIX, LiveStream, Script, Viewer, make_core

from headwater.edge import overrides
from headwater.edge.control import MAX_LIFETIME_S
from headwater.edge.freshness import Shape, Why
from headwater.edge.message import UpstreamAnswer
from headwater.edge.overrides import Kind, Kinds, Override, Policy, kinds_of
from headwater.edge.version import Version

MANY = Override(least_s=600, stale_s=86_400, negative_s=600)


def judged(
    kind: Kind, override: Override, shape: Shape, status: int = 200, *, live: bool = False, **fields: str
) -> tuple[float, float]:
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    policy = Policy({kind: override})
    life = policy.judge(status, named.get, shape, UNIX, kind, live=live, target_duration=4.0, part_target=0.5)
    return life.lifetime, life.usable


def test_least_and_most() -> None:
    assert judged(Kind.SEGMENT, Override(least_s=60), Shape.LISTED, cache_control="max-age=1")[0] == 60
    assert judged(Kind.SEGMENT, Override(least_s=60), Shape.LISTED, cache_control="no-cache")[0] == 60
    assert judged(Kind.SEGMENT, Override(most_s=5), Shape.LISTED, cache_control="max-age=99")[0] == 5
    assert judged(Kind.OTHER, Override(), Shape.OTHER, cache_control="max-age=99") == (99, 99)


@pytest.mark.parametrize("said", ["no-store", "private"])
def test_what_may_not_be_kept_is_not_kept(said: str) -> None:
    life = Policy({Kind.SEGMENT: MANY}).judge(200, {"cache-control": said}.get, Shape.LISTED, UNIX, Kind.SEGMENT)
    assert not life.keep
    assert life.lifetime == 0


def test_rule_163_stale_seconds_of_segments_may_be_less() -> None:
    assert judged(Kind.SEGMENT, Override(), Shape.LISTED)[1] == MAX_LIFETIME_S
    assert judged(Kind.SEGMENT, Override(stale_s=30), Shape.LISTED, cache_control="max-age=10")[1] == 40
    assert judged(Kind.OTHER, Override(stale_s=30), Shape.OTHER, cache_control="max-age=10")[1] == 40


def test_rules_146_and_163_a_live_playlist_gets_no_more_than_the_protocol_allows() -> None:
    assert judged(Kind.PLAYLIST, MANY, Shape.PLAYLIST, live=True, cache_control="max-age=1") == (2, 12)
    assert judged(Kind.PLAYLIST, MANY, Shape.PLAYLIST, live=False, cache_control="max-age=1") == (600, 87_000)
    assert judged(Kind.PLAYLIST, MANY, Shape.BLOCKING, live=True, cache_control="max-age=1") == (24, 24)
    assert judged(Kind.PLAYLIST, Override(stale_s=0), Shape.PLAYLIST, live=True, cache_control="max-age=1") == (1, 1)


@pytest.mark.parametrize(
    ("kind", "shape", "most"),
    [
        (Kind.PLAYLIST, Shape.PLAYLIST, 4.0),
        (Kind.PLAYLIST, Shape.BLOCKING, 16.0),
        (Kind.SEGMENT, Shape.PENDING, 0.5),
        (Kind.PART, Shape.PENDING, 0.5),
        (Kind.OTHER, Shape.PENDING, 600.0),
    ],
)
def test_rules_147_and_149_negative_lifetimes_are_lengthened_only_for_what_is_no_stream(
    kind: Kind, shape: Shape, most: float
) -> None:
    assert judged(kind, MANY, shape, 404)[0] == most
    assert judged(kind, Override(negative_s=0.1), shape, 404)[0] == 0.1
    assert judged(kind, Override(negative_s=600, most_s=0), shape, 404)[0] == 0


@pytest.mark.parametrize("status", [400, 403, 429, 503])
def test_rule_148_stands_above_every_setting(status: int) -> None:
    life = Policy({Kind.OTHER: MANY}).judge(status, dict[str, str]().get, Shape.PENDING, UNIX, Kind.OTHER)
    assert not life.keep


def test_what_varies_is_for_one_unless_the_field_makes_no_difference() -> None:
    def why(vary: str, policy: Policy = Policy()) -> Why | None:  # noqa: B008  (immutable)
        return policy.judge(200, {"vary": vary}.get, Shape.OTHER, UNIX, Kind.OTHER).why

    assert why("Accept-Encoding, origin,") is None
    assert why("Origin, Access-Control-Request-Headers, Access-Control-Request-Method") is None
    assert why("Accept-Encoding, User-Agent") is Why.VARY
    assert why("*") is Why.VARY
    lenient = Policy(harmless=frozenset(("user-agent", "accept-encoding")))
    assert why("Accept-Encoding, User-Agent", lenient) is None


def test_classes_of_names() -> None:
    kinds = Kinds()
    assert kinds.of("/a/index.m3u8", "", media_playlist=False) is Kind.MULTIVARIANT
    assert kinds.of("/a/index.m3u8", "", media_playlist=True) is Kind.PLAYLIST
    assert kinds.of("/a/index.m3u8", "", media_playlist=None) is Kind.PLAYLIST
    assert kinds.of("/a/s1.m4s?x=1", "", media_playlist=None) is Kind.SEGMENT
    assert kinds.of("/a/poster.jpg", "image/jpeg", media_playlist=None) is Kind.OTHER
    kinds.note("/a/s1.m4s", Kind.PART)
    assert kinds.of("/a/s1.m4s#bytes=0-9", "video/mp4", media_playlist=None) is Kind.PART


def test_remembered_classes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overrides, "MAX_KINDS", 3)
    kinds = Kinds()
    for number in range(9):
        kinds.note(f"/{number}.m4s", Kind.PART)
    assert [number for number in range(9) if kinds.of(f"/{number}.m4s", "", media_playlist=None) is Kind.PART] == [
        6,
        7,
        8,
    ]


def test_a_followed_playlist_tells_parts_and_init_sections_from_segments() -> None:
    stream = LiveStream(segments=2)
    version = Version(stream.model, UpstreamAnswer(1.0, UNIX, 200, (), stream.text().encode()), "v", "a", "b")
    found = kinds_of(version)
    assert found["init.mp4"] is Kind.INIT
    assert found[stream.name] is Kind.PART, "hinted"
    assert found["p100000.m4s"] is Kind.PART
    assert "s100.m4s" not in found


def test_the_edge_obeys_a_class() -> None:
    script, stream = Script(), LiveStream()
    core = make_core(script, policy=Policy({Kind.PART: Override(most_s=1), Kind.SEGMENT: Override(least_s=60)}))
    Viewer(core).get("/live/x/v/index.m3u8", 1.0)
    script.playlist("/live/x/v/index.m3u8", 1.0, stream)
    part = f"/live/x/v/{stream.name}"
    script.answer(part, 1.1, b"part", content_type="video/mp4", cache_control="max-age=60")
    assert Viewer(core).get(part, 2.0).status == 200
    assert not Viewer(core).get(part, 2.2).answers
    segment = "/live/x/v/s108.m4s"
    Viewer(core).get(segment, 2.0)
    script.answer(segment, 2.1, b"segment", content_type="video/mp4", cache_control="max-age=1")
    assert Viewer(core).get(segment, 62.0).status == 200


def test_rule_163_a_304_for_a_live_playlist_that_is_not_followed_gives_it_no_longer_life() -> None:
    script, stream = Script(), LiveStream()
    core = make_core(script, followers=0, policy=Policy({Kind.PLAYLIST: Override(least_s=600)}))
    Viewer(core).get("/v/index.m3u8", 1.0)
    script.playlist("/v/index.m3u8", 1.0, stream, etag='"1"', cache_control="max-age=1")
    assert Viewer(core).get("/v/index.m3u8", 2.9).status == 200
    late = Viewer(core).get("/v/index.m3u8", 3.1)
    script.answer("/v/index.m3u8", 3.1, status=304)
    assert late.status == 200
    assert not Viewer(core).get("/v/index.m3u8", 5.2).answers
