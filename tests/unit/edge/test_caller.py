"""Whose request it is."""

from __future__ import annotations

from tests.edge_kit import make_callers

from headwater.config.settings_viewers import Proxy
from headwater.edge import caller as caller_module
from headwater.edge.caller import Caller, Callers
from headwater.edge.message import Method, Request, Tally

PROXY = "198.51.100.1"


def callers_of(**proxy: object) -> Callers:
    return make_callers(Tally(), proxy=Proxy.model_validate({"trusted": ["198.51.100.0/24"], **proxy}))


def who(caller: Caller, **fields: bytes) -> str:
    request = Request(Method.GET, b"/", **fields)  # type: ignore[arg-type]
    guest = caller.of(request, 0.0)
    assert request.visitor is not None
    assert guest.key == request.visitor.address
    return request.visitor.address


def test_one_field_is_believed_and_only_from_trusted_peers() -> None:
    fields = {"x_forwarded_for": b"192.0.2.7", "forwarded": b"for=192.0.2.8"}
    assert who(Caller(callers_of(forwarded="x-forwarded-for"), PROXY, 0.0), **fields) == "192.0.2.7"
    assert who(Caller(callers_of(forwarded="forwarded"), PROXY, 0.0), **fields) == "192.0.2.8"
    assert who(Caller(callers_of(), PROXY, 0.0), **fields) == PROXY
    assert who(Caller(callers_of(forwarded="forwarded"), "203.0.113.5", 0.0), **fields) == "203.0.113.5"
    assert who(Caller(callers_of(forwarded="forwarded"), PROXY, 0.0), x_forwarded_for=b"192.0.2.7") == PROXY


def test_a_proxys_connection_has_many_viewers_and_remembers_some() -> None:
    caller = Caller(callers_of(forwarded="x-forwarded-for"), PROXY, 0.0)
    first = Request(Method.GET, b"/", x_forwarded_for=b"192.0.2.1")
    again = Request(Method.GET, b"/", x_forwarded_for=b"192.0.2.1")
    guest = caller.of(first, 0.0)
    assert caller.of(again, 0.0) is guest
    assert again.visitor is first.visitor
    for number in range(2 * caller_module.MAX_BEHIND):
        assert who(caller, x_forwarded_for=b"10.0.%d.%d" % (number // 250, number % 250)).startswith("10.0.")


def test_a_header_is_expected_of_trusted_peers_where_it_is_configured() -> None:
    assert callers_of(protocol=True).expects_header(PROXY)
    assert not callers_of(protocol=True).expects_header("203.0.113.5")
    assert not callers_of().expects_header(PROXY)
