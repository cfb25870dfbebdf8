"""Streams and namers, learned from playlists."""

from __future__ import annotations

import pytest

from headwater.edge import lineage
from headwater.edge.lineage import Lineage, folder_of


@pytest.mark.parametrize(
    ("multivariant", "child"),
    [
        ("/live/x/index.m3u8", "/live/x/v/index.m3u8"),
        ("/x/index.m3u8", "/x/video1_stream.m3u8"),
        ("/app/x/llhls.m3u8?abr=1", "/cdn/chunks/x/chunklist.m3u8?id=5"),
        ("/master.m3u8", "/a/b/c/prog.m3u8"),
    ],
)
def test_what_a_multivariant_playlist_leads_to_is_its_stream(multivariant: str, child: str) -> None:
    known = Lineage()
    known.leads_to(multivariant, [child])
    stream = known.stream_of(multivariant)
    assert stream == folder_of(multivariant)
    assert known.stream_of(child) == stream
    assert known.stream_of(folder_of(child) + "part-5.m4s") == stream


def test_nothing_learned_is_the_own_folder() -> None:
    assert Lineage().stream_of("/live/x/v/p1.m4s?a=/b/") == "/live/x/v/"


def test_renditions_that_report_on_each_other_are_one_stream() -> None:
    known = Lineage()
    known.beside("/live/x/v/index.m3u8", ["/live/x/a/index.m3u8"])
    known.beside("/live/x/a/index.m3u8", ["/live/x/v/index.m3u8"])
    assert known.stream_of("/live/x/v/p.m4s") == known.stream_of("/live/x/a/p.m4s") == "/live/x/"
    known.leads_to("/other/m.m3u8", ["/live/x/v/index.m3u8"])
    known.beside("/live/x/v/index.m3u8", ["/live/x/a/index.m3u8"])
    assert known.stream_of("/live/x/v/p.m4s") == "/other/", "a multivariant playlist says more"


def test_the_root_is_not_one_stream() -> None:
    known = Lineage()
    known.beside("/v/index.m3u8", ["/a/index.m3u8"])
    assert known.stream_of("/v/index.m3u8") == "/v/"


def test_only_namers_may_be_asked() -> None:
    known = Lineage()
    assert known.named_by("/p1.m4s", 0) and known.named_by("/p1.m4s", 5)
    known.name(["/p1.m4s"], 1)
    assert not known.named_by("/p1.m4s", 0)
    assert known.named_by("/p1.m4s", 1)
    known.name(["/p1.m4s"], 0)
    assert known.named_by("/p1.m4s", 0) and known.named_by("/p1.m4s", 1)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lineage, "MAX_NAMED", 10)
    monkeypatch.setattr(lineage, "MAX_STREAMS", 10)
    known = Lineage()
    known.name([f"/p{n}" for n in range(30)], 0)
    assert known.named_by("/p5", 1), "forgotten"
    assert not known.named_by("/p29", 1)
    for n in range(30):
        known.leads_to("/m.m3u8", [f"/f{n}/l.m3u8"])
    assert known.stream_of("/f5/x") == "/f5/"
    assert known.stream_of("/f29/x") == "/"
