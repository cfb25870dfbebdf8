"""Whose playlist is shown."""

from __future__ import annotations

import dataclasses

import pytest
from tests.edge_kit import UNIX, LiveStream, OnePath

from headwater.edge.join import Join
from headwater.edge.message import UpstreamAnswer
from headwater.edge.succession import Succession, same_names
from headwater.origin.hls.model import MediaPlaylist

KEY = "/live/x/v/index.m3u8"


class Paths(OnePath):
    """Two upstreams; those in `dead` are gone."""

    several = True

    def __init__(self) -> None:
        self.dead: set[str] = set()
        self.still: list[str] = []
        self.taken: list[tuple[str, bool]] = []
        self.at: Join | None = None

    def gone(self, key: str, source: str, now: float) -> bool:
        return source in self.dead

    def stands_still(self, key: str, source: str, now: float) -> None:
        self.still.append(source)

    def taken_over(self, key: str, source: str, now: float, at: Join | None, *, changed: bool) -> None:
        self.taken.append((source, changed))
        self.at = at

    def join_of(self, key: str, source: str) -> Join | None:
        return self.at


def answer(stream: LiveStream, source: str, at: float = 100.0) -> UpstreamAnswer:
    fields = (("etag", '"1"'), ("last-modified", "x"), ("content-type", "y/z"))
    return UpstreamAnswer(at, UNIX + at, 200, fields, stream.text().encode(), source=source)


def followed(stream: LiveStream) -> tuple[Paths, Succession]:
    paths = Paths()
    return paths, Succession(KEY, paths, answer(stream, "a"), stream.model)


def test_versions_of_one_presentation_have_the_same_names() -> None:
    stream = LiveStream()
    before = stream.model
    for _ in range(3):
        stream.step()
    assert same_names(before, stream.model) and same_names(stream.model, before)


def test_other_names_or_other_numbers_are_another_presentation() -> None:
    ours = LiveStream().model
    assert not same_names(ours, LiveStream(prefix="x-").model)
    shifted = tuple(dataclasses.replace(segment, msn=segment.msn + 1) for segment in ours.segments)
    assert not same_names(ours, dataclasses.replace(ours, segments=shifted))
    assert not same_names(ours, LiveStream(first_msn=900).model), "nothing in common proves nothing"


def test_gaps_are_not_compared() -> None:
    ours = LiveStream().model
    gone = dataclasses.replace(ours.segments[-1], gap=True, uri="gap.m4s", parts=())
    theirs = dataclasses.replace(ours, segments=(*ours.segments[:-1], gone))
    assert same_names(ours, theirs)


def test_the_same_presentation_is_taken_from_whoever_has_it() -> None:
    stream = LiveStream()
    paths, succession = followed(stream)
    stream.step()
    assert succession.accepts(answer(stream, "b"), stream.model, stream.model)
    assert (succession.source, paths.taken, paths.at) == ("b", [("b", False)], None)


def test_another_presentation_is_refused_until_ours_is_gone() -> None:
    ours, theirs = LiveStream(), LiveStream(prefix="x-")
    paths, succession = followed(ours)
    assert not succession.accepts(answer(theirs, "b"), theirs.model, ours.model)
    assert (succession.source, paths.taken) == ("a", [])
    paths.dead.add("a")
    assert succession.accepts(answer(theirs, "b"), theirs.model, ours.model)
    assert (succession.source, paths.taken) == ("b", [("b", True)])
    assert succession.position(ours.model.position) == theirs.model.position
    visible = succession.visible(answer(theirs, "b"))
    assert visible is not None
    assert visible[1].headers == (("content-type", "y/z"),), "the validators are of another text"
    assert visible[1].body != answer(theirs, "b").body


def test_a_rendition_that_is_a_segment_ahead_is_joined_alike() -> None:
    sound, picture, theirs = LiveStream(), LiveStream(), LiveStream(first_msn=7, segments=10, prefix="x-")
    sound.step()  # of a segment of which there is no picture yet
    paths, succession = followed(picture)
    other = Succession("/live/x/a/index.m3u8", paths, answer(sound, "a"), sound.model)
    paths.dead.add("a")
    assert succession.accepts(answer(theirs, "b"), theirs.model, picture.model)
    assert other.accepts(answer(theirs, "b"), theirs.model, sound.model)
    one, two = (which.visible(answer(theirs, "b")) for which in (succession, other))
    assert one is not None and two is not None
    assert one[0].segments == two[0].segments != ()


def sound() -> tuple[Paths, Succession, LiveStream, Join]:
    """A rendition with the same names at both upstreams, and how the picture would be joined to the second one."""
    stream = LiveStream()
    paths, succession = followed(stream)
    stream.step()
    return paths, succession, stream, Join(stream.model.last_msn, 3, 1)


def test_a_rendition_that_has_the_same_names_there_is_joined_as_the_others() -> None:
    paths, succession, stream, picture = sound()
    shown = succession.model
    paths.at = picture
    assert succession.accepts(answer(stream, "b"), stream.model, shown)
    assert paths.taken == [("b", True)]
    seen = succession.visible(answer(stream, "b"))
    assert seen is not None
    assert seen[0].position.order > shown.position.order
    assert seen[0].segments[0].discontinuity
    assert {segment.msn - picture.shift for segment in seen[0].segments} <= {one.msn for one in stream.model.segments}


def test_and_also_when_it_was_there_before_them() -> None:
    paths, succession, stream, picture = sound()
    assert succession.accepts(answer(stream, "b"), stream.model, succession.model)
    assert paths.taken == [("b", False)]
    shown = succession.visible(answer(stream, "b"))
    assert shown is not None
    paths.at = picture
    stream.step()
    assert succession.accepts(answer(stream, "b"), stream.model, shown[0])
    seen = succession.visible(answer(stream, "b"))
    assert seen is not None
    assert seen[0].media_sequence > shown[0].last_msn
    stream.step()
    assert succession.accepts(answer(stream, "b"), stream.model, seen[0])
    later = succession.visible(answer(stream, "b"))
    assert later is not None
    assert later[0].media_sequence == seen[0].media_sequence, "once"
    assert paths.taken == [("b", False)]


def test_what_was_joined_as_the_others_goes_on_at_whoever_has_the_same() -> None:
    paths, succession, stream, picture = sound()
    paths.at = picture
    assert succession.accepts(answer(stream, "b"), stream.model, succession.model)
    stream.step()
    assert succession.accepts(answer(stream, "c"), stream.model, succession.model)
    assert paths.taken == [("b", True), ("c", False)]


def test_others_that_are_far_away_are_not_followed() -> None:
    paths, succession, stream, picture = sound()
    paths.at = dataclasses.replace(picture, first=picture.first + 50)
    assert succession.accepts(answer(stream, "b"), stream.model, succession.model)
    assert paths.taken == [("b", False)]


def test_what_is_followed_alone_is_passed_on_as_it_came() -> None:
    stream = LiveStream()
    _, succession = followed(stream)
    given = answer(stream, "a")
    assert succession.visible(given) == (stream.model, given)


def test_frozen_after_one_and_a_half_target_durations_and_said_once_in_that_time() -> None:
    stream = LiveStream()
    paths, succession = followed(stream)
    assert not succession.failed(105.9)
    assert succession.failed(106.0)
    assert not any(succession.failed(106.0 + tenth / 10) for tenth in range(60))
    assert succession.failed(112.0)
    assert paths.still == ["a", "a"]
    succession.news(112.5)
    assert not succession.failed(118.0)


def test_frozen_sooner_when_another_is_seen_to_move_on() -> None:
    ours, theirs = LiveStream(), LiveStream(prefix="x-")
    _, succession = followed(ours)
    assert not succession.compare("b", theirs.model)
    assert not succession.failed(103.5), "it was seen once"
    theirs.step()
    assert not succession.compare("b", theirs.model)
    assert not succession.failed(102.9)
    assert succession.failed(103.0)


def test_gone_is_acted_upon_at_once_and_not_at_every_tick() -> None:
    paths, succession = followed(LiveStream())
    paths.dead.add("a")
    assert succession.failed(100.1)
    assert not succession.failed(100.2)
    assert succession.failed(102.2)


def test_more_of_the_same_is_a_reason_to_change() -> None:
    stream = LiveStream()
    _, succession = followed(stream)
    same: MediaPlaylist = stream.model
    assert not succession.compare("b", same)
    stream.step()
    assert succession.compare("b", stream.model)


@pytest.mark.parametrize(("now", "late"), [(100.8, False), (100.9, True)])
def test_overdue_by_the_cadence(now: float, late: bool) -> None:
    _, succession = followed(LiveStream())
    assert succession.overdue(now) is late


def test_with_one_upstream_nothing_is_overdue_or_failed() -> None:
    stream = LiveStream()
    succession = Succession(KEY, OnePath(), answer(stream, ""), stream.model)
    assert not succession.overdue(500.0)
    assert not succession.failed(500.0)
