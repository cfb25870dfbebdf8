"""How long answers may be used: what playlists tell of a stream together with what the operator says."""

from __future__ import annotations

import pytest
from tests.edge_kit import UNIX, named

from headwater.edge.freshness import NEGATIVE_UNKNOWN_S, Shape, Why
from headwater.edge.judge import MOST_TARGET_S, Judge
from headwater.edge.message import UpstreamAnswer
from headwater.edge.overrides import Kind, Override, Policy
from headwater.edge.store import Store
from headwater.origin.hls.model import MediaPlaylist

LIST = "/live/x/v/index.m3u8"
SEGMENT = "/live/x/v/s1.m4s"
TYPE = "application/vnd.apple.mpegurl"


def judge_of(kinds: dict[Kind, Override] | None = None, marked: tuple[str, ...] = ()) -> Judge:
    store = Store(1_000_000)
    store.mark(marked)
    return Judge(Policy(kinds or {}), store)


def taught(target_duration: int = 4, part_target: float | None = 0.2) -> Judge:
    judge = judge_of()
    judge.learn(playlist(target_duration, part_target))
    return judge


def playlist(target_duration: int = 4, part_target: float | None = None, *, ended: bool = False) -> MediaPlaylist:
    return MediaPlaylist(target_duration, 1, part_target=part_target, ended=ended)


def answer(status: int = 200, body: bytes = b"x", **fields: str) -> UpstreamAnswer:
    return UpstreamAnswer(100.0, UNIX, status, named(fields), body)


def lifetime(judge: Judge, key: str, status: int = 200, model: MediaPlaylist | None = None, **fields: str) -> float:
    return judge.life(key, status, answer(status, b"x", **fields), model)[1].lifetime


# -- what playlists tell


def test_before_any_playlist_came_little_is_believed() -> None:
    judge = judge_of()
    assert (judge.least_part_s, judge.target_duration_s) == (NEGATIVE_UNKNOWN_S, 0.0)


@pytest.mark.parametrize(
    ("playlists", "least_part_s", "target_duration_s"),
    [
        ([playlist(4, 0.2)], 0.2, 4.0),
        ([playlist(4, 0.2), playlist(2, 0.4)], 0.2, 4.0),
        ([playlist(2, 0.4), playlist(4, 0.2)], 0.2, 4.0),
        ([playlist(6, 1.0)], NEGATIVE_UNKNOWN_S, 6.0),
        ([playlist(6, None), playlist(6, 0.3), playlist(6, None)], 0.3, 6.0),
        ([playlist(60)], NEGATIVE_UNKNOWN_S, 60.0),
        ([playlist(86_400)], NEGATIVE_UNKNOWN_S, MOST_TARGET_S),
    ],
)
def test_the_shortest_part_and_the_longest_segment_count_within_reason(
    playlists: list[MediaPlaylist], least_part_s: float, target_duration_s: float
) -> None:
    judge = judge_of()
    for model in playlists:
        judge.learn(model)
    assert (judge.least_part_s, judge.target_duration_s) == (least_part_s, target_duration_s)


def test_rule_149_a_name_that_may_be_published_is_missing_for_the_shortest_part() -> None:
    assert lifetime(judge_of(), SEGMENT, 404) == NEGATIVE_UNKNOWN_S
    assert lifetime(taught(), SEGMENT, 404) == 0.2


def test_rule_146_what_says_nothing_lives_by_the_longest_segment_that_was_seen() -> None:
    assert lifetime(judge_of(), SEGMENT) == 0.0
    assert lifetime(taught(), SEGMENT) == 24.0
    assert lifetime(taught(), LIST, content_type=TYPE) == 2.0
    assert lifetime(taught(), f"{LIST}?_HLS_msn=5", content_type=TYPE) == 24.0


def test_a_playlist_lives_by_its_own_segments() -> None:
    judge = taught(4)
    assert lifetime(judge, LIST, model=playlist(10)) == 5.0
    assert lifetime(judge, LIST, model=playlist(1)) == 0.5
    assert lifetime(judge, LIST, model=playlist(100)) == 50.0, "the bound is for what others say of it"
    assert (judge.least_part_s, judge.target_duration_s) == (0.2, 4.0), "to judge is not to learn"


# -- what it is


@pytest.mark.parametrize(
    ("key", "status", "marked", "shape"),
    [
        (LIST, 200, False, Shape.PLAYLIST),
        (f"{LIST}?_HLS_msn=5", 200, False, Shape.BLOCKING),
        (SEGMENT, 200, False, Shape.LISTED),
        ("/live/x/v/data.bin", 200, False, Shape.OTHER),
        ("/live/x/v/data.bin", 200, True, Shape.LISTED),
        ("/live/x/v/data.bin", 404, True, Shape.PENDING),
        (LIST, 404, False, Shape.PLAYLIST),
    ],
)
def test_what_stands_in_a_live_window_is_media_whatever_it_is_called(
    key: str, status: int, marked: bool, shape: Shape
) -> None:
    assert judge_of(marked=(key,) if marked else ()).life(key, status, answer(status))[0] is shape


def test_rfc_9110_section_15_3_7_a_part_is_judged_as_the_whole_that_it_is_of() -> None:
    judge, part = taught(), answer(206, cache_control="max-age=60")
    assert judge.life(SEGMENT, 200, part)[1].lifetime == 60.0
    assert not judge.life(SEGMENT, 206, part)[1].keep


def test_what_is_for_one_viewer_is_told_with_the_reason() -> None:
    life = judge_of().life(SEGMENT, 200, answer(set_cookie="a=b"))[1]
    assert (life.share, life.why) == (False, Why.COOKIE)


def test_an_expiry_without_a_date_counts_from_when_the_answer_came() -> None:
    # UNIX is 2027-01-15 08:00:00 GMT
    assert lifetime(judge_of(), SEGMENT, expires="Fri, 15 Jan 2027 08:01:30 GMT") == 90.0


# -- what the operator says


EACH = {kind: Override(least_s=100.0 + number, most_s=100.0 + number) for number, kind in enumerate(Kind)}
"""A lifetime of its own for every class, to see which one was found."""


def kind_of(judge: Judge, key: str, body: bytes = b"x", model: MediaPlaylist | None = None, **fields: str) -> Kind:
    life = judge.life(key, 200, answer(200, body, cache_control="max-age=1", **fields), model)[1]
    return next(kind for kind, override in EACH.items() if override.least_s == life.lifetime)


def test_the_body_tells_a_multivariant_playlist_from_a_media_playlist() -> None:
    judge = judge_of(EACH)
    assert kind_of(judge, LIST) is Kind.MULTIVARIANT
    assert kind_of(judge, LIST, model=playlist(ended=True)) is Kind.PLAYLIST
    assert kind_of(judge, LIST, body=b"") is Kind.PLAYLIST, "where there is none, nothing tells"
    assert kind_of(judge, "/live/x/list", content_type=TYPE) is Kind.MULTIVARIANT


def test_parts_and_init_sections_are_known_from_playlists_that_are_followed() -> None:
    judge = judge_of(EACH)
    assert kind_of(judge, SEGMENT) is Kind.SEGMENT
    judge.kinds.note(SEGMENT, Kind.PART)
    assert kind_of(judge, SEGMENT) is Kind.PART
    assert kind_of(judge, "/x", content_type="video/mp4") is Kind.SEGMENT
    assert kind_of(judge, "/x", content_type="text/css") is Kind.OTHER


def test_a_missing_playlist_is_of_neither_sort_whatever_the_error_page_is() -> None:
    judge = judge_of({Kind.MULTIVARIANT: Override(negative_s=0.1), Kind.PLAYLIST: Override(negative_s=0.2)})
    assert lifetime(judge, LIST, 404) == 0.2


def test_rule_146_the_operators_word_on_a_live_playlist_is_bounded_until_it_has_ended() -> None:
    judge = judge_of({Kind.PLAYLIST: Override(least_s=600.0)})
    assert lifetime(judge, LIST, model=playlist(4), cache_control="max-age=1") == 2.0
    assert lifetime(judge, LIST, model=playlist(4, ended=True), cache_control="max-age=1") == 600.0
