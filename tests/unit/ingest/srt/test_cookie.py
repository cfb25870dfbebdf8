"""Cookies and ids."""

from __future__ import annotations

from headwater.ingest.srt.cookie import CookieJar, IdSource

HOME = ("192.0.2.1", 4000)


def test_a_cookie_is_of_one_address_one_port_one_secret_and_two_minutes() -> None:
    jar = CookieJar(bytes(32))
    cookie = jar.cookie(HOME, 600.0)
    assert cookie == jar.cookie(HOME, 659.9)
    assert jar.valid(cookie, HOME, 600.0)
    assert jar.valid(cookie, HOME, 719.9)
    assert not jar.valid(cookie, HOME, 720.0)
    assert not jar.valid(cookie, HOME, 599.9)
    assert not jar.valid(cookie, ("192.0.2.1", 4001), 600.0)
    assert not jar.valid(cookie, ("192.0.2.2", 4000), 600.0)
    assert not CookieJar(bytes(31) + b"1").valid(cookie, HOME, 600.0)
    assert jar.valid(jar.cookie(HOME, 0.0), HOME, 0.0)


def test_cookies_are_never_zero() -> None:
    jar = CookieJar(bytes(32))
    assert all(0 < jar.cookie(("192.0.2.1", port), 0.0) < 1 << 32 for port in range(2000))


def test_ids_are_in_range_and_differ() -> None:
    source = IdSource(bytes(32))
    numbers = [source.number(30) for _ in range(1000)]
    assert len(set(numbers)) == 1000
    assert all(0 < number < 1 << 30 for number in numbers)
    assert max(numbers) > 1 << 29
    assert {IdSource(bytes(32)).number(1) for _ in range(5)} == {1}
    assert IdSource(bytes(32)).number(31) != IdSource(b"x" * 32).number(31)
