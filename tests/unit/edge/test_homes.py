"""Where streams live: bounded load, slow start, siblings, streams that stand still."""

from __future__ import annotations

from collections import Counter

from tests.edge_kit import UNIX, Script

from headwater.edge.breaker import Breaker
from headwater.edge.homes import FROZEN_S, IDLE_S, MAX_FROZEN, MAX_HOMES, Homes
from headwater.edge.join import Join
from headwater.edge.member import Member
from headwater.edge.message import Failure, UpstreamAnswer

NOW = 100.0


def members(names: str, siblings: str = "") -> list[Member]:
    both = [*siblings, *names]
    return [Member(i, name, Script(), Breaker(3, 2.0), sibling=name in siblings) for i, name in enumerate(both)]


def homes_of(some: list[Member], factor: float = 1.25, node: str = "me") -> Homes:
    return Homes(some, node, factor, 30.0)


def down(member: Member, now: float = NOW) -> None:
    member.heard(UpstreamAnswer(now, UNIX, failure=Failure.CONNECT))


def test_a_stream_stays_where_it_is() -> None:
    some = members("abc")
    homes = homes_of(some)
    first = homes.order("/s/", NOW, siblings=True)[0]
    for second in range(300):
        assert homes.order("/s/", NOW + second, siblings=True)[0] is first
        homes.expire(NOW + second)
    assert first.streams == 1


def test_bounded_load_holds_for_every_mix_of_streams() -> None:
    some = members("abcd")
    homes = homes_of(some)
    for n in range(400):
        homes.order(f"/s{n}/", NOW, siblings=True)
        fair = (n + 1) / 4
        assert max(member.streams for member in some) <= 1.25 * fair + 1
    assert sum(member.streams for member in some) == 400


def test_a_failed_home_gives_its_streams_to_the_others_and_gets_new_ones_slowly() -> None:
    some = members("ab")
    homes = homes_of(some, factor=100.0)
    for n in range(200):
        homes.order(f"/s{n}/", NOW, siblings=True)
    a, b = some
    assert a.streams > 60 and b.streams > 60
    down(a)
    for n in range(200):
        assert homes.order(f"/s{n}/", NOW + 1, siblings=True)[0] is b
    assert (a.streams, b.streams) == (0, 200)
    assert a.breaker.allows(NOW + 2)
    a.heard(UpstreamAnswer(NOW + 2, UNIX, 200))
    fresh = Counter(homes.order(f"/new{n}/", NOW + 2, siblings=True)[0].name for n in range(200))
    assert fresh["a"] < 40, "a tenth of its weight at first"
    later = Counter(homes.order(f"/later{n}/", NOW + 40, siblings=True)[0].name for n in range(200))
    assert later["a"] > 60
    assert homes.order("/s0/", NOW + 40, siblings=True)[0] is b, "who is watched is not moved back"


def test_idle_streams_are_forgotten_with_their_joins() -> None:
    some = members("ab")
    homes = homes_of(some)
    home = homes.order("/s/", NOW, siblings=True)[0]
    homes.joined("/s/", home, Join(5), changed=True)
    assert homes.join_of("/s/", home) == Join(5)
    homes.joined("/s/", home, None, changed=False)
    assert homes.join_of("/s/", home) is None
    homes.joined("/s/", home, Join(6), changed=True)
    homes.expire(NOW + IDLE_S + 0.1)
    assert home.streams == 0
    assert homes.join_of("/s/", home) is None


def test_the_number_of_homes_is_bounded() -> None:
    some = members("ab")
    homes = homes_of(some)
    for n in range(MAX_HOMES + 50):
        homes.settle(f"/s{n}/", some[n % 2], NOW)
    assert sum(member.streams for member in some) == MAX_HOMES
    for n in range(MAX_FROZEN + 50):
        homes.freeze(f"/s{n}/", some[0], NOW)
    assert homes.well(some[0], "/s1/", NOW)
    assert not homes.well(some[0], f"/s{MAX_FROZEN}/", NOW)


def test_a_stream_that_stands_still_is_asked_of_others_for_a_while() -> None:
    some = members("ab")
    homes = homes_of(some)
    home = homes.order("/s/", NOW, siblings=True)[0]
    homes.freeze("/s/", home, NOW)
    assert homes.order("/s/", NOW, siblings=True)[0] is not home
    assert homes.well(home, "/other/", NOW), "it is that stream alone"
    homes.expire(NOW + FROZEN_S + 0.1)
    assert homes.well(home, "/s/", NOW + FROZEN_S + 0.1)


def test_where_it_stands_still_everywhere_only_the_last_one_counts() -> None:
    a, b = some = members("ab")
    homes = homes_of(some)
    homes.freeze("/s/", a, NOW)
    homes.freeze("/s/", b, NOW)
    assert homes.well(a, "/s/", NOW)
    assert not homes.well(b, "/s/", NOW)


def test_siblings_are_asked_for_what_is_theirs_and_parents_for_the_rest() -> None:
    some = members("p", siblings="xyz")
    homes = homes_of(some)
    turns = Counter(homes.order(f"/s{n}/", NOW, siblings=True)[0].name for n in range(400))
    assert set(turns) == {"x", "y", "z", "p"}
    assert 60 < turns["p"] < 150, "this node's own quarter"
    for n in range(50):
        order = homes.order(f"/s{n}/", NOW, siblings=True)
        assert order[-1].name == "p" and len(order) <= 2


def test_all_edges_of_a_tier_agree_whose_turn_it_is() -> None:
    nodes = {}
    for node in "xyz":
        nodes[node] = homes_of(members("p", siblings="xyz".replace(node, "")), node=node)
    for n in range(100):
        chosen = {node: homes.order(f"/s{n}/", NOW, siblings=True)[0].name for node, homes in nodes.items()}
        (owner,) = [node for node, name in chosen.items() if name == "p"]
        assert all(name == owner for node, name in chosen.items() if node != owner)


def test_what_an_edge_asks_never_goes_to_a_sibling() -> None:
    some = members("p", siblings="xyz")
    homes = homes_of(some)
    for n in range(100):
        homes.order(f"/s{n}/", NOW, siblings=True)
        assert not any(member.sibling for member in homes.order(f"/s{n}/", NOW, siblings=False))


def test_a_sibling_that_is_down_is_passed_over() -> None:
    some = members("p", siblings="x")
    homes = homes_of(some)
    down(some[0])
    assert all(homes.order(f"/s{n}/", NOW, siblings=True)[0].name == "p" for n in range(50))
