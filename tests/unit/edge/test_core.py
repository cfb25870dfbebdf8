"""The request core on a stepped clock: bounds on everything that viewers name, and rounds that end."""

from __future__ import annotations

from tests.edge_kit import LiveStream, Script, Viewer, make_core

from headwater.edge import core as core_module
from headwater.edge.cmcd import Fault
from headwater.edge.message import Method, Outcome
from headwater.edge.viewers import OTHER, Visitor
from headwater.origin.hls.model import MediaPlaylist

LIST = "/live/x/v/index.m3u8"
TYPE = {"content_type": "application/vnd.apple.mpegurl"}


def test_the_most_pairs_that_a_target_may_have_can_be_followed() -> None:
    query = "&".join(f"k{number:02}=1" for number in range(64))
    stream = LiveStream()
    script = Script()
    core = make_core(script)
    viewer = Viewer(core).get(f"{LIST}?{query}", 100.0)
    script.answer(LIST, 100.0, b"", 404)
    script.playlist(f"{LIST}?{query}", 100.1, stream)
    assert viewer.status == 200
    assert core.followers == 1
    assert f"{LIST}?_HLS_msn={stream.msn}&_HLS_part=0&{query}" in script.targets
    one_more = Viewer(core).get(f"{LIST}?{query}&k=1", 100.2)
    assert one_more.status == 400


def test_remembered_targets_are_bounded_in_number_and_length() -> None:
    core = make_core(Script(), held=0)
    for number in range(core_module.MAX_TARGETS + 10):
        Viewer(core).get(f"/{number}", 1.0)
    assert len(core._targets) <= core_module.MAX_TARGETS
    Viewer(core).get("/" + "x" * core_module.MAX_TARGET_BYTES, 1.0)
    assert all(len(raw) <= core_module.MAX_TARGET_BYTES for raw in core._targets)


def test_a_head_joins_the_get_of_another_and_gets_its_own_answer() -> None:
    script = Script()
    core = make_core(script)
    get, head = Viewer(core).get("/a.mp4", 1.0), Viewer(core).get("/a.mp4", 1.0, Method.HEAD, range="bytes=0-1")
    ranged = Viewer(core).get("/a.mp4", 1.0, range="bytes=1-2")
    assert script.targets == ["/a.mp4"]
    script.answer("/a.mp4", 1.5, b"0123", content_type="video/mp4", cache_control="max-age=9")
    assert (get.status, head.status, ranged.status) == (200, 200, 206)
    assert (head.answer.outcome, ranged.answer.outcome) == (Outcome.JOIN, Outcome.JOIN)
    assert ranged.body == b"12"


def test_what_is_evicted_while_viewers_wait_for_it_still_reaches_them() -> None:
    script = Script()
    core = make_core(script, cache_bytes=8_000)
    viewers = [Viewer(core).get("/a", 1.0) for _ in range(3)]
    other = Viewer(core).get("/b", 1.0)
    script.answer("/b", 1.1, b"b" * 3_000, cache_control="max-age=9")
    script.answer("/a", 1.2, b"a" * 3_000, cache_control="max-age=9")
    assert [viewer.body for viewer in viewers] == [b"a" * 3_000] * 3
    assert other.body == b"b" * 3_000
    assert core.store.evictions == 1
    assert core.store.bytes <= 8_000
    large = Viewer(core).get("/c", 1.3)
    script.answer("/c", 1.4, b"c" * 9_000, cache_control="max-age=9")
    assert large.body == b"c" * 9_000, "larger than the whole store"


def test_what_a_follower_leaves_behind_is_weighed_with_its_compressed_form() -> None:
    stream = LiveStream()
    script = Script()
    core = make_core(script)
    Viewer(core).get(LIST, 100.0)
    script.playlist(LIST, 100.0, stream)
    for request, _ in list(script.pending):
        if "_HLS_" not in request.target:
            script.answer(request.target, 100.0, b"", 404)
    waiting = Viewer(core).get(f"{LIST}?_HLS_msn={stream.msn}", 100.1, gzip=True)
    target = f"{LIST}?_HLS_msn={stream.msn}&_HLS_part=0"
    ended = LiveStream()
    ended.ended = True
    script.answer(target, 101.0, ended.text(), 200, **TYPE, cache_control="max-age=60")
    assert waiting.status == 200
    Viewer(core).get(LIST, 101.1, gzip=True)
    for key in (LIST, *(f"/live/x/v/{name}" for name in names(stream.model))):
        core.store.remove(key)
    assert core.store.bytes == 0
    assert len(core.store) == 0


def names(model: MediaPlaylist) -> list[str]:
    """Of all parts, the hint and the init section."""
    return ["init.mp4", *(hint.uri for hint in model.hints), *(p.uri for s in model.segments for p in s.parts)]


def test_one_request_that_keeps_being_sent_round_is_ended() -> None:
    script = Script()
    core = make_core(script)
    viewer = Viewer(core).get("/a", 1.0)
    rounds = 0
    while not viewer.answers:
        rounds += 1
        script.answer("/a", 1.0 + rounds, status=304)
        assert rounds <= core_module.MAX_ROUNDS + 1
    assert viewer.status == 503
    assert core.tally.held == 0


def test_a_report_is_in_no_key_and_goes_nowhere() -> None:
    stream, script = LiveStream(), Script()
    core = make_core(script)
    visitor = Visitor("10.0.0.1")
    report = "CMCD=bl%3D2100%2Csid%3D%22s1%22"
    first = Viewer(core).get(f"{LIST}?{report}", 100.0, visitor=visitor, agent=b"p")
    assert script.targets == [LIST]
    script.playlist(LIST, 100.1, stream)
    assert first.status == 200
    part = stream.model.segments[-1].parts[0].uri
    script.answer(f"/live/x/v/{part}", 100.2, b"part", cache_control="max-age=60")
    for number in range(20):
        viewer = Viewer(core).get(f"/live/x/v/{part}?CMCD=bl%3D{number}", 100.3, visitor=visitor, agent=b"p")
        assert viewer.answer.outcome is Outcome.HIT
    held = Viewer(core).get(f"{LIST}?_HLS_msn={stream.msn}&_HLS_part=0&{report}", 100.4, visitor=visitor, agent=b"p")
    assert not held.answers
    assert all("CMCD" not in request.target for request in script.seen)
    assert all(b"CMCD" not in raw for raw in core._targets)
    # The very first came before it was known that there is such a stream.
    reports = {labels: quality.reports for labels, quality in core.audience.qualities()}
    assert reports == {OTHER: 1, ("x", "v"): 21}
    assert core.audience.viewers()["x", "v"] == core.audience.viewers()["x", ""] == 1


def test_a_report_that_cannot_be_read_costs_the_viewer_nothing() -> None:
    script = Script()
    core = make_core(script)
    viewer = Viewer(core).get("/a?CMCD=%zz&b=1", 1.0, cmcd=b"((((")
    assert script.targets == ["/a?b=1"]
    script.answer("/a?b=1", 1.1, b"x")
    assert viewer.status == 200
    assert core.audience.faults[Fault.SYNTAX] == 1
    assert Viewer(core).get("/a?CMCD=x#y", 1.2).status == 400
