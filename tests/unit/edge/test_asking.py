"""From a front end to the core: whose request it is, whether it may go on; and readers that are behind."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.edge_kit import Script, make_callers, make_core

from headwater.config.settings_viewers import Proxy
from headwater.edge.asking import Laggard, ask, refused_by, whose
from headwater.edge.caller import Caller, Callers
from headwater.edge.core import Core
from headwater.edge.gate import Gate
from headwater.edge.guard import FORGED_COST, STRAINED_TICKS, Bucket, Guest
from headwater.edge.message import Method, Request, Response, Tally
from headwater.edge.tokens import mint

PROXY, VIEWER, OTHER = "198.51.100.1", "192.0.2.7", "192.0.2.8"
UNIX = 1_800_000_000.0
SECRET = b"a-secret-of-some-length"


def request_of(target: str = "/live/x/a.mp4", **fields: object) -> Request:
    return Request(Method.GET, target.encode(), **fields)  # type: ignore[arg-type]


def behind_proxies() -> Callers:
    return make_callers(Tally(), proxy=Proxy(trusted=["198.51.100.0/24"], forwarded="x-forwarded-for"))


# -- whose it is


def test_a_request_is_the_peers() -> None:
    caller = Caller(make_callers(Tally()), VIEWER, 0.0)
    request = request_of(x_forwarded_for=OTHER.encode())
    assert whose(caller, request, 1.0) is caller.guest
    assert caller.guest.key == VIEWER
    assert request.visitor is not None and request.visitor.address == VIEWER
    assert request.visitor is caller.visitor, "one for all requests of the connection"


def test_through_a_proxy_each_request_is_somebody_elses() -> None:
    callers = behind_proxies()
    caller = Caller(callers, PROXY, 0.0)
    requests = [request_of(x_forwarded_for=address.encode()) for address in (VIEWER, OTHER)]
    guests = [whose(caller, request, 1.0) for request in requests]
    assert [guest.key for guest in guests] == [VIEWER, OTHER]
    assert guests[0] is callers.guard.guest(VIEWER, 1.0), "the same who comes without the proxy"
    assert [request.visitor.address for request in requests if request.visitor is not None] == [VIEWER, OTHER]
    alone = request_of()
    assert whose(caller, alone, 1.0).key == PROXY


@pytest.mark.parametrize("counted", [True, False])
def test_whom_nobody_counts_leaves_no_visitor(counted: bool) -> None:
    guard = make_callers(Tally()).guard
    request = request_of()
    whose(Caller(Callers(Proxy(), guard, counted=counted), VIEWER, 0.0), request, 1.0)
    assert (request.visitor is not None) is counted


# -- whether it may go on


def test_an_address_that_asks_too_much_is_refused_while_others_go_on() -> None:
    tally = Tally()
    guard = make_callers(tally, requests_per_s_per_address=1).guard
    greedy, other = guard.guest(VIEWER, 0.0), guard.guest(OTHER, 0.0)
    answers = [refused_by(guard, greedy, request_of(), 0.0) for _ in range(3)]
    assert [None if answer is None else answer.status for answer in answers] == [None, None, 429]
    assert refused_by(guard, other, request_of(), 0.0) is None
    assert refused_by(guard, greedy, request_of(), 1.0) is None, "with time it may again"
    assert tally.refused == {"address-requests": 1}


def test_who_has_no_limits_of_its_own_is_not_counted() -> None:
    guard = make_callers(Tally(), requests_per_s_per_address=1).guard
    here = guard.guest("127.0.0.1", 0.0)
    assert here.bucket is None
    assert [refused_by(guard, here, request_of(), 0.0) for _ in range(10)] == [None] * 10


def test_under_strain_who_has_no_limits_of_its_own_is_refused_too() -> None:
    tally = Tally()
    guard = make_callers(tally).guard
    newcomer = guard.guest("127.0.0.1", 0.0)
    for _ in range(STRAINED_TICKS):
        guard.look(1.0, False)
    answer = refused_by(guard, newcomer, request_of(), 1.0)
    assert answer is not None and answer.status == 503
    newcomer.watched = 0.5
    assert refused_by(guard, newcomer, request_of(), 1.0) is None, "who watches goes on"
    assert tally.refused == {"shed": 1}


@pytest.mark.parametrize(
    ("target", "goes_on"),
    [("/healthz", True), ("/readyz", True), ("/healthz/", False), ("/live/healthz", False), ("/", False)],
)
def test_under_strain_load_balancers_still_learn_how_it_is(target: str, goes_on: bool) -> None:
    guard = make_callers(Tally()).guard
    for _ in range(STRAINED_TICKS):
        guard.look(1.0, False)
    assert (refused_by(guard, guard.guest(VIEWER, 0.0), request_of(target), 1.0) is None) is goes_on


def test_what_load_balancers_ask_counts_against_their_address_like_everything() -> None:
    guard = make_callers(Tally(), requests_per_s_per_address=1).guard
    guest = guard.guest(VIEWER, 0.0)
    answers = [refused_by(guard, guest, request_of("/healthz"), 0.0) for _ in range(3)]
    assert [answer is None for answer in answers] == [True, True, False]


# -- the core


def guarded(script: Script) -> Core:
    """A core that wants playback tokens."""
    core = make_core(script)
    core.gate = Gate((), core.tally)
    core.gate.use_secrets({"a": SECRET})
    core.gate.tell_time(0.0, UNIX)
    return core


def token(secret: bytes = SECRET, expires: float = 100.0, path: str = "/live/x/") -> str:
    return mint("a", secret, expires=UNIX + expires, paths=[path])


def left(guest: Guest, now: float = 0.0) -> int:
    """Requests that it may still make at once."""
    assert guest.bucket is not None
    count = 0
    while guest.bucket.take(now):
        count += 1
    return count


@pytest.mark.parametrize(
    ("target", "status", "fine"),
    [
        (f"/t/{token(b'another-secret-of-some-length')}/live/x/a.mp4", 403, FORGED_COST),
        (f"/t/{token(expires=-1)}/live/x/a.mp4", 403, 0),
        (f"/t/{token(path='/live/y/')}/live/x/a.mp4", 403, 0),
        ("/t/nonsense/live/x/a.mp4", 403, 0),
        ("/live/x/a.mp4", 403, 0),
        ("/healthz", 200, 0),
    ],
    ids=["forged", "expired", "elsewhere", "nonsense", "none", "public"],
)
def test_only_a_forged_token_costs_its_sender_more_than_a_request(target: str, status: int, fine: float) -> None:
    guest, answers = Guest(VIEWER, Bucket(50.0, 0.0)), list[Response]()
    assert ask(guarded(Script()), guest, request_of(target), answers.append, 0.0) is None
    assert [answer.entity.status for answer in answers] == [status]
    assert left(guest) == 100 - fine


def test_a_forged_token_of_somebody_without_limits_is_refused_like_any() -> None:
    answers: list[Response] = []
    target = f"/t/{token(b'another-secret-of-some-length')}/live/x/a.mp4"
    assert ask(guarded(Script()), Guest("127.0.0.1", None), request_of(target), answers.append, 0.0) is None
    assert [answer.entity.status for answer in answers] == [403]


def test_what_has_to_wait_gets_a_ticket_and_no_fine() -> None:
    script = Script()
    core = guarded(script)
    guest, answers = Guest(VIEWER, Bucket(50.0, 0.0)), list[Response]()
    tickets = [
        ask(core, guest, request_of(f"/t/{token()}/live/x/a.mp4"), answers.append, 0.0),
        ask(core, guest, request_of(f"/t/{token()}/live/x/a.mp4"), answers.append, 0.0),
    ]
    assert tickets[0] is not None and tickets[1] is not None
    assert (script.targets, core.tally.held) == (["/live/x/a.mp4"], 2)
    tickets[0].cancel()
    script.answer("/live/x/a.mp4", 1.0, b"x", cache_control="max-age=10")
    assert [bytes(answer.entity.body) for answer in answers] == [b"x"], "the other one has left"
    assert left(guest) == 100


# -- readers that are behind


def test_a_reader_without_any_progress_is_cut_off_after_the_stall() -> None:
    laggard = Laggard(100.0, 7, 1_000, stall_s=10.0, least_bytes_s=100.0)
    assert laggard.deadline == 110.0
    assert laggard.goal == 1_007
    assert laggard.late(110.0, 7)


def test_a_slow_reader_is_left_alone_until_all_that_was_owed_should_have_been_read() -> None:
    laggard = Laggard(100.0, 0, 2_500, stall_s=10.0, least_bytes_s=100.0)
    deadlines = []
    for gone in (1, 2, 3):
        assert not laggard.late(laggard.deadline, gone)
        deadlines.append(laggard.deadline)
    assert deadlines == [120.0, 130.0, 135.0], "never beyond the stall and 2500 bytes at 100 a second"
    assert laggard.late(135.0, 2_499)


def test_progress_counts_from_the_last_look() -> None:
    laggard = Laggard(100.0, -500, 500, stall_s=10.0, least_bytes_s=1.0)
    assert not laggard.late(110.0, -100)
    assert laggard.late(120.0, -100), "nothing since then"


def test_what_falls_back_is_no_progress() -> None:
    """HTTP/1 counts what is left, below zero: it may be more than before only when more was written."""
    assert Laggard(100.0, -500, 500, stall_s=10.0, least_bytes_s=1.0).late(101.0, -600)


@given(
    st.floats(0.5, 60.0), st.floats(1.0, 1e6), st.integers(1, 10_000_000), st.lists(st.integers(1, 1_000), min_size=1)
)
def test_however_a_reader_reads_it_has_its_stall_and_its_time_and_no_more(
    stall_s: float, least_bytes_s: float, owed: int, steps: list[int]
) -> None:
    laggard = Laggard(0.0, 0, owed, stall_s, least_bytes_s)
    cutoff, gone, before = stall_s + owed / least_bytes_s, 0, laggard.deadline
    for step in steps:
        gone += step
        if laggard.late(before, gone):
            assert before == cutoff, "who reads is cut off only when its time is over"
            break
        assert before < laggard.deadline <= cutoff
        assert laggard.deadline - before <= stall_s * (1 + 1e-9)
        assert laggard.goal == owed, "what it has to take stays the same"
        before = laggard.deadline
    assert laggard.late(laggard.deadline, gone), "and at once when it stops"
