from __future__ import annotations

from tests.edge_kit import PART_S, LiveStream, Script, Viewer, make_core

from headwater.edge.message import Failure
from headwater.edge.overview import overview
from headwater.edge.viewers import Visitor

LIST = "/live/x/v/index.m3u8"


def test_what_is_followed_is_told() -> None:
    stream, script = LiveStream(), Script()
    core = make_core(script)
    Viewer(core).get(LIST, 100.0, visitor=Visitor("10.0.0.1"))
    script.playlist(LIST, 100.0, stream)
    for part in stream.model.segments[-1].parts:
        script.answer(f"/live/x/v/{part.uri}", 100.1, b"x" * 50_000, cache_control="max-age=60")
    look = overview(core, 100.5)
    (followed,) = look.followed
    assert (followed.stream, followed.rendition, followed.state) == ("x", "v", "following")
    assert (followed.last_msn, followed.silent_s, followed.viewers) == (stream.msn - 1, 0.5, 1)
    assert followed.bitrate == 50_000 * 8 / PART_S
    assert look.viewers == {"x": 1}
    script.fail(f"{LIST}?_HLS_msn={stream.msn}&_HLS_part=0", 101.0, Failure.RESET)
    assert overview(core, 101.0).followed[0].state == "upstream fails"


def test_other_paths_are_not_told() -> None:
    stream, script = LiveStream(), Script()
    core = make_core(script)
    Viewer(core).get("/secret/list.m3u8", 100.0, visitor=Visitor("10.0.0.1"))
    script.playlist("/secret/list.m3u8", 100.0, stream)
    (followed,) = overview(core, 100.0).followed
    assert (followed.stream, followed.viewers) == ("other", 0)
