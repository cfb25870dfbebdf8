"""Canonical keys (rules 100, 158, 159, 254; RFC 3986 section 6.2.2)."""

from __future__ import annotations

import pytest

from headwater.edge.keys import MAX_PAIRS, BadTarget, Target, read_target, resolve, with_directives
from headwater.origin.hls.directives import Directives, Reject, Skip


def good(raw: bytes) -> Target:
    target = read_target(raw)
    assert isinstance(target, Target), target
    return target


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"/", "/"),
        (b"/live/x/v/index.m3u8", "/live/x/v/index.m3u8"),
        (b"/%7Euser/%61.ts", "/~user/a.ts"),
        (b"/a%c3%a4", "/a%C3%A4"),
        (b"/a b", "/a%20b"),
        (b"/a|b", "/a%7Cb"),
        (b"/a//b", "/a//b"),
        (b"/a%3Fb", "/a%3Fb"),
        (b"/a%3Bb;c", "/a%3Bb;c"),
        (b"/...", "/..."),
        (b"/a%2Bb+c", "/a%2Bb+c"),
    ],
)
def test_the_path_is_normalised(raw: bytes, path: str) -> None:
    assert good(raw).full == path


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"x",
        b"*",
        b"http://host/a",
        b"host:80",
        b"/a%",
        b"/a%2",
        b"/a%zz",
        b"/a%00b",
        b"/a\x00b",
        b"/a%0d%0ab",
        b"/a%7f",
        b"/a%2Fb",
        b"/a%2fb",
        b"/a%5cb",
        b"/a\\b",
        b"/..",
        b"/a/../b",
        b"/a/./b",
        b"/a/%2e%2e/b",
        b"/a/.%2E",
        b"/a#b",
        b"/a?b#c",
        b"/a?b=%",
        b"/a?b=%00",
        b"/a?" + b"&".join(b"k%d=1" % n for n in range(MAX_PAIRS + 1)),
    ],
)
def test_what_two_servers_could_read_differently_is_refused(raw: bytes) -> None:
    assert isinstance(read_target(raw), BadTarget)


def test_queries_are_sorted_by_name_and_keep_the_order_of_one_name() -> None:
    assert good(b"/a?b=2&a=1&b=1").full == "/a?a=1&b=2&b=1"
    assert good(b"/a?%62=2&a=1").full == "/a?a=1&b=2"
    assert good(b"/a?&&x").full == "/a?x"
    assert good(b"/a?x").full != good(b"/a?x=").full
    assert good(b"/a?").full == "/a"


def test_an_escaped_reserved_character_stays_escaped() -> None:
    assert good(b"/a?x=1%2B1").full == "/a?x=1%2B1"
    assert good(b"/a?x=1+1").full == "/a?x=1+1"
    assert good(b"/a?x=%26%3d").full == "/a?x=%26%3D"


def test_directives_are_read_and_kept_apart() -> None:
    target = good(b"/p.m3u8?_HLS_skip=YES&b=1&_HLS_part=3&_HLS_msn=7")
    assert target.directives == Directives(7, 3, Skip.YES)
    assert target.asked
    assert target.plain == "/p.m3u8?b=1"
    assert target.full == "/p.m3u8?_HLS_msn=7&_HLS_part=3&_HLS_skip=YES&b=1"
    assert target.path == "/p.m3u8"
    assert target.playlist_like


def test_directives_in_any_order_are_one_key() -> None:
    one = good(b"/p.m3u8?_HLS_msn=7&_HLS_part=3")
    two = good(b"/p.m3u8?_HLS_part=3&_HLS_msn=7")
    assert one == two


def test_bad_directives_are_carried_as_a_rejection() -> None:
    assert isinstance(good(b"/p.m3u8?_HLS_part=3").directives, Reject)
    assert isinstance(good(b"/p.m3u8?_HLS_msn=-1").directives, Reject)


def test_what_is_about_the_viewer_is_dropped() -> None:
    assert good(b"/p.m3u8?CMCD=br%3D1&_HLS_throughput=5&_HLS_primary_id=x").full == "/p.m3u8"


def test_names_that_are_not_utf8_survive() -> None:
    assert good(b"/a?%ff=%fe").full == "/a?%FF=%FE"


@pytest.mark.parametrize(
    ("uri", "key"),
    [
        ("p1.m4s", "/live/x/v/p1.m4s"),
        ("../a/p1.m4s", "/live/x/a/p1.m4s"),
        ("/z.m4s?b=1&a=2", "/z.m4s?a=2&b=1"),
        ("ä.m4s", "/live/x/v/%C3%A4.m4s"),
        ("http://elsewhere/p1.m4s", None),
        ("//elsewhere/p1.m4s", None),
        ("http://[", None),
        ("%zz", None),
    ],
)
def test_uris_of_a_playlist_are_resolved(uri: str, key: str | None) -> None:
    assert resolve("/live/x/v/index.m3u8", uri) == key


def test_a_playlist_with_a_query_resolves_from_its_path() -> None:
    assert resolve("/live/index.m3u8?s=1", "p.m4s") == "/live/p.m4s"


def test_directives_are_put_into_a_canonical_target() -> None:
    assert with_directives("/p.m3u8", 7, 3) == "/p.m3u8?_HLS_msn=7&_HLS_part=3"
    assert with_directives("/p.m3u8", 7, None) == "/p.m3u8?_HLS_msn=7"
    assert with_directives("/p.m3u8?A=1&b=2", 7, 3) == "/p.m3u8?A=1&_HLS_msn=7&_HLS_part=3&b=2"


def test_directives_do_not_count_among_the_pairs_that_a_target_may_have() -> None:
    query = b"&".join(b"k%d=1" % number for number in range(64))
    plain = good(b"/a.m3u8?" + query).plain
    assert with_directives(plain, 5, 0).startswith("/a.m3u8?_HLS_msn=5&_HLS_part=0&")
    assert isinstance(read_target(b"/a?" + query + b"&k=1"), BadTarget)
    assert isinstance(read_target(b"/a?" + b"_HLS_msn=1&" * 7), BadTarget)
