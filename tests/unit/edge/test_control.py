"""Cache-Control and the fields that are meant for this cache (RFC 9213; W3C Edge Architecture, Surrogate-Control)."""

from __future__ import annotations

import time

import pytest

from headwater.edge.control import (
    MAX_LIFETIME_S,
    CacheControl,
    governing,
    read_cache_control,
    read_surrogate,
    read_targeted,
)


def test_a_structured_field_is_read() -> None:
    control = read_targeted(
        'max-age=600, s-maxage=30;reason=x, stale-if-error=9, must-revalidate, ext="a, b", x=(1 2);q'
    )
    assert control == CacheControl(600, 30, must_revalidate=True, stale_if_error=9, present=True, targeted=True)
    assert read_targeted(" no-store,  private ") == CacheControl(
        no_store=True, private=True, present=True, targeted=True
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "Max-Age=60",
        "max-age=60,",
        ",",
        "max-age = 60",
        "max-age=60; ",
        "a b",
        'x="open',
        "max-age=60 no-store",
        "é",
    ],
)
def test_what_is_no_structured_field_counts_as_absent(text: str) -> None:
    assert read_targeted(text) is None
    fields = {"cdn-cache-control": text, "cache-control": "max-age=7"}
    assert governing(fields.get).max_age == 7


@pytest.mark.parametrize("text", ["max-age", 'max-age="60"', "max-age=1.5", "max-age=-1", "max-age=?1"])
def test_a_directive_of_another_type_is_ignored(text: str) -> None:
    control = read_targeted(text)
    assert control is not None
    assert control.max_age is None


def test_the_last_of_a_name_counts_and_false_is_not_there() -> None:
    assert read_targeted("max-age=1, max-age=2") == read_targeted("max-age=2")
    control = read_targeted("no-store=?0, no-cache=?1")
    assert control is not None
    assert (control.no_store, control.no_cache) == (False, True)


def test_hostile_fields_cost_no_time() -> None:
    began = time.process_time()
    for text in (
        "(" * 8_000,
        "a=(" + "1 " * 4_000,
        "a;" * 4_000,
        'a="' + "\\" * 8_000,
        "a," * 4_000,
        "a=1.1.1" * 1_000,
    ):
        assert read_targeted(text) is None
    assert time.process_time() - began < 0.5


def test_surrogate_control_is_read() -> None:
    control = read_surrogate('max-age=3600+600, content="ESI/1.0, X", no-store;other')
    assert control == CacheControl(3600, stale_if_error=600, present=True, targeted=True)
    assert read_surrogate("MAX-AGE=9, no-store") == CacheControl(9, no_store=True, present=True, targeted=True)
    assert read_surrogate("no-store-remote") == CacheControl(no_store=True, present=True, targeted=True)
    assert read_surrogate("max-age=99999999999") == CacheControl(MAX_LIFETIME_S, present=True, targeted=True)


@pytest.mark.parametrize("text", ["", 'content="ESI/1.0"', "max-age=5;someone", "???"])
def test_a_surrogate_control_without_anything_for_us_leaves_cache_control(text: str) -> None:
    fields = {"surrogate-control": text, "cache-control": "max-age=7"}
    assert governing(fields.get) == read_cache_control("max-age=7")


def test_the_order_is_cdn_cache_control_surrogate_control_cache_control() -> None:
    fields = {"cache-control": "max-age=1", "surrogate-control": "max-age=2", "cdn-cache-control": "max-age=3"}
    assert governing(fields.get).max_age == 3
    del fields["cdn-cache-control"]
    assert governing(fields.get).max_age == 2
    del fields["surrogate-control"]
    assert governing(fields.get).max_age == 1
