"""Lifetimes (RFC 9111 section 4.2; rules 146-149, 163)."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from headwater.edge.control import MAX_LIFETIME_S, read_cache_control
from headwater.edge.freshness import NEGATIVE_UNKNOWN_S, Life, Shape, default_lifetime, http_date, judge

UNIX = 1_800_000_000.0


def life(status: int = 200, shape: Shape = Shape.OTHER, **fields: str) -> Life:
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    return judge(status, named.get, shape, UNIX, target_duration=4.0, part_target=0.52)


def test_cache_control_is_read() -> None:
    control = read_cache_control('Public, MAX-AGE=60, s-maxage="30", no-cache="a, b", stale-if-error=9')
    assert (control.max_age, control.s_maxage, control.no_cache, control.stale_if_error) == (60, 30, True, 9)


@pytest.mark.parametrize("text", ["max-age=-1", "max-age=1.5", "max-age=", "max-age=abc", "max-age"])
def test_a_malformed_age_is_stale(text: str) -> None:
    assert read_cache_control(text).max_age == 0.0


def test_a_huge_age_is_capped() -> None:
    assert read_cache_control("max-age=99999999999999999999").max_age == MAX_LIFETIME_S


def test_s_maxage_before_max_age_before_expires() -> None:
    date, expires = formatdate(UNIX, usegmt=True), formatdate(UNIX + 90, usegmt=True)
    assert life(cache_control="max-age=60, s-maxage=30", expires=expires, date=date).lifetime == 30
    assert life(cache_control="max-age=60", expires=expires, date=date).lifetime == 60
    assert life(expires=expires, date=date).lifetime == 90
    assert life(expires=expires).lifetime == 90
    assert life(expires="0").lifetime == 0
    assert life(expires=formatdate(UNIX - 9, usegmt=True)).lifetime == 0


def test_what_is_not_stated_is_not_fresh_unless_a_playlist_speaks_of_it() -> None:
    assert life().lifetime == 0
    assert life(shape=Shape.PLAYLIST).lifetime == 2  # rule 146
    assert life(shape=Shape.BLOCKING).lifetime == 24
    assert life(shape=Shape.LISTED).lifetime == 24
    assert default_lifetime(Shape.PLAYLIST, None) == 0


def test_private_answers_are_for_one() -> None:
    for fields in ({"cache_control": "private"}, {"set_cookie": "a=b"}, {"vary": "*"}):
        verdict = life(200, Shape.OTHER, **fields)
        assert not verdict.share
        assert not verdict.keep


def test_no_store_may_be_shared_by_those_who_wait_but_not_kept() -> None:
    verdict = life(cache_control="no-store, max-age=60")
    assert verdict.share
    assert not verdict.keep


def test_no_cache_is_kept_for_revalidation_only() -> None:
    verdict = life(cache_control="no-cache, max-age=60")
    assert verdict.keep
    assert verdict.lifetime == 0


@pytest.mark.parametrize("status", [400, 401, 403, 409, 416, 429, 500, 502, 503, 504])
def test_rule_148_errors_about_the_moment_are_not_kept(status: int) -> None:
    assert not life(status, Shape.BLOCKING, cache_control="max-age=60").keep


@pytest.mark.parametrize(
    ("shape", "limit"),
    [
        (Shape.BLOCKING, 16.0),
        (Shape.PLAYLIST, 4.0),
        (Shape.LISTED, 4.0),
        (Shape.PENDING, 0.52),
        (Shape.OTHER, 0.52),
    ],
)
def test_rules_147_and_149_negative_lifetimes(shape: Shape, limit: float) -> None:
    assert life(404, shape).lifetime == limit
    assert life(404, shape, cache_control="max-age=3600").lifetime == limit
    assert life(404, shape, cache_control="max-age=0").lifetime == 0
    assert not life(404, shape, cache_control="no-store").keep


def test_rule_149_without_a_known_part_target() -> None:
    assert judge(404, dict[str, str]().get, Shape.PENDING, UNIX).lifetime == NEGATIVE_UNKNOWN_S


def test_redirects_are_kept_only_when_cacheable() -> None:
    assert not life(302, cache_control="max-age=60").keep
    assert life(301, cache_control="max-age=60").lifetime == 60


def test_rule_163_how_long_an_answer_is_usable_while_the_upstream_fails() -> None:
    assert life(shape=Shape.PLAYLIST, cache_control="max-age=2").usable == 12
    assert life(shape=Shape.PLAYLIST, cache_control="max-age=2, stale-if-error=3600").usable == 12
    assert life(shape=Shape.BLOCKING, cache_control="max-age=2").usable == 2
    assert life(shape=Shape.LISTED, cache_control="max-age=2").usable == MAX_LIFETIME_S
    assert life(cache_control="max-age=2").usable == 2
    assert life(cache_control="max-age=2, stale-if-error=8").usable == 10
    assert life(shape=Shape.PLAYLIST, cache_control="max-age=2, must-revalidate").usable == 0


@pytest.mark.parametrize("text", ["", "0", "yesterday", "Fri, 99 Foo 2026 00:00:00 GMT", "1 1 1 1 1 1"])
def test_dates_that_are_none(text: str) -> None:
    assert http_date(text) is None


def test_a_date() -> None:
    assert http_date("Sun, 06 Nov 1994 08:49:37 GMT") == 784_111_777
