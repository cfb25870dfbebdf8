"""What passing playlists tell."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from tests.edge_kit import UNIX, LiveStream, OnePath

from headwater.edge.learn import MAX_CHILDREN, children, in_ranges, tell
from headwater.edge.message import UpstreamAnswer
from headwater.origin.hls.model import ByteRange, MediaPlaylist, Segment

MULTIVARIANT = """#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="x",URI="a/index.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="muxed"
#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"
v/index.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=2,AUDIO="a"
v/index.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=3,AUDIO="a"
https://elsewhere.example/index.m3u8
"""


class Noting(OnePath):
    """Notes what it is told."""

    def __init__(self, *, several: bool) -> None:
        self.several = several
        self.named: dict[str, list[str]] = {}
        self.led: list[str] = []

    def names(self, keys: Iterable[str], source: str) -> None:
        self.named[source] = list(keys)

    def leads_to(self, key: str, children: Iterable[str]) -> None:
        self.led = list(children)


def answer(body: str) -> UpstreamAnswer:
    return UpstreamAnswer(100.0, UNIX, 200, (), body.encode(), source="b")


def test_the_playlists_of_a_multivariant_playlist_on_this_server() -> None:
    assert children(MULTIVARIANT.encode(), "/live/x/index.m3u8") == ["/live/x/v/index.m3u8", "/live/x/a/index.m3u8"]


@pytest.mark.parametrize("body", [b"", b"#EXT-X-STREAM-INF", b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n\xff", b"\x00"])
def test_nonsense_leads_nowhere(body: bytes) -> None:
    assert children(body, "/live/x/index.m3u8") == []


def test_the_number_of_children_is_bounded() -> None:
    text = "#EXTM3U\n" + "".join(f"#EXT-X-STREAM-INF:BANDWIDTH=1\nv{n}.m3u8\n" for n in range(MAX_CHILDREN + 50))
    assert len(children(text.encode(), "/x/index.m3u8")) == MAX_CHILDREN


def test_with_one_upstream_nothing_is_told() -> None:
    paths = Noting(several=False)
    tell(paths, "/live/x/index.m3u8", answer(MULTIVARIANT), None)
    assert paths.led == []


def test_several_upstreams_hear_of_streams_and_names() -> None:
    paths = Noting(several=True)
    tell(paths, "/live/x/index.m3u8", answer(MULTIVARIANT), None)
    assert paths.led == ["/live/x/v/index.m3u8", "/live/x/a/index.m3u8"]
    model = LiveStream(segments=2).model
    tell(paths, "/live/x/v/index.m3u8", answer(""), model)
    assert paths.named == {"b": ["/live/x/v/init.mp4", "/live/x/v/s100.m4s", "/live/x/v/s101.m4s"]}


def test_files_in_ranges() -> None:
    segments = (Segment(1, "all.mp4", 2.0, byterange=ByteRange(5, 0)), Segment(2, "s.m4s", 2.0))
    model = MediaPlaylist(target_duration=2, media_sequence=1, segments=segments)
    assert list(in_ranges(model, "/x/index.m3u8")) == ["/x/all.mp4"]
