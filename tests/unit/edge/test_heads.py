"""What an HTTP/1 connection answers in turn."""

from __future__ import annotations

import pytest

from headwater.edge.entities import local
from headwater.edge.heads import Head, Refusal
from headwater.edge.message import Method, Request


@pytest.mark.parametrize(("method", "bodiless"), [(Method.GET, False), (Method.HEAD, True), (Method.OPTIONS, False)])
def test_only_the_answer_to_a_head_request_has_no_content(method: Method, bodiless: bool) -> None:
    assert Head(Request(method, b"/"), True, False).bodiless is bodiless


@pytest.mark.parametrize(("keep_alive", "http10"), [(True, False), (False, True)])
def test_a_head_keeps_what_its_connection_needs_to_know(keep_alive: bool, http10: bool) -> None:
    request = Request(Method.GET, b"/a")
    head = Head(request, keep_alive, http10)
    assert head.request is request
    assert (head.keep_alive, head.http10) == (keep_alive, http10)


def test_the_bytes_of_a_request_are_kept_only_where_they_mean_the_same_again() -> None:
    raw = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
    request = Request(Method.GET, b"/a")
    assert Head(request, True, False).raw is None
    assert Head(request, True, False, raw).raw == raw


def test_a_refusal_ends_the_connection_and_reads_on_so_that_the_peer_sees_it() -> None:
    entity = local(405, "not served here")
    refusal = Refusal(entity, "method")
    assert refusal.entity is entity
    assert refusal.reason == "method"
    assert not refusal.keep_alive
    assert refusal.linger
    assert not refusal.http10, "the answer says Connection: close by itself"
    assert not refusal.bodiless, "nobody knows that a HEAD was meant"


def test_an_error_tells_the_peer_its_words_and_the_metric_its_label() -> None:
    refusal = Refusal.of(431, "the header fields are too long", "head")
    assert (refusal.entity.status, refusal.reason) == (431, "head")
    assert refusal.entity.body == b"431 Request Header Fields Too Large: the header fields are too long\n"
    assert refusal.entity.own
    assert dict(refusal.entity.headers)["Cache-Control"] == "no-store"


@pytest.mark.parametrize(("retry_after", "field"), [(None, None), (3, "3")])
def test_an_error_says_when_to_come_back_where_that_is_known(retry_after: int | None, field: str | None) -> None:
    refusal = Refusal.of(503, "full", "connections", retry_after=retry_after)
    assert dict(refusal.entity.headers).get("Retry-After") == field


def test_what_is_changed_in_one_refusal_is_not_changed_in_others() -> None:
    one, other = Refusal.of(400, "no", "malformed"), Refusal.of(400, "no", "malformed")
    one.linger, one.http10 = False, True
    assert other.linger
    assert not other.http10
