"""The keys of a followed playlist."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import cast

from tests.edge_kit import UNIX, LiveStream, OnePath

from headwater.edge.host import Host
from headwater.edge.livewindow import LiveWindow
from headwater.edge.message import UpstreamAnswer
from headwater.edge.overrides import Kinds
from headwater.edge.version import Version

KEY = "/live/x/v/index.m3u8"


class Noting(OnePath):
    """Counts what is named."""

    def __init__(self) -> None:
        self.named: list[tuple[str, int]] = []

    def names(self, keys: Iterable[str], source: str) -> None:
        self.named.append((source, len(list(keys))))


def version(stream: LiveStream) -> Version:
    return Version(stream.model, UpstreamAnswer(1.0, UNIX, 200, (), stream.text().encode()), "1.1 e", "a", "b")


def window() -> tuple[LiveWindow, Noting, set[str]]:
    marked: set[str] = set()

    def move(added: Iterable[str], dropped: Iterable[str]) -> None:
        marked.update(added)
        marked.difference_update(dropped)

    paths = Noting()
    host = SimpleNamespace(window=move, growing=lambda keys, grown: None, paths=paths, kinds=Kinds())
    return LiveWindow(KEY, cast(Host, host)), paths, marked


def test_what_is_listed_is_marked_and_released() -> None:
    live, _, marked = window()
    stream = LiveStream(segments=2, window=2)
    live.move(version(stream), "a", over=False)
    assert f"/live/x/v/{stream.name}" in marked
    assert "/live/x/v/s100.m4s" in marked
    for _ in range(4):
        stream.step()
    live.move(version(stream), "a", over=False)
    assert "/live/x/v/s100.m4s" not in marked
    live.release()
    assert not marked


def test_only_what_is_new_is_named_again_but_all_of_it_by_another_upstream() -> None:
    live, paths, _ = window()
    stream = LiveStream(segments=2)
    live.move(version(stream), "a", over=False)
    whole = paths.named[-1][1]
    stream.step()
    live.move(version(stream), "a", over=False)
    assert paths.named[-1] == ("a", 1), "the next hint"
    live.move(version(stream), "b", over=False)
    assert paths.named[-1] == ("b", whole + 1)


def test_keys_of_uris() -> None:
    live, _, _ = window()
    assert live.keys(["p.m4s", "https://elsewhere.example/p.m4s", "/q.m4s"]) == ["/live/x/v/p.m4s", "/q.m4s"]
