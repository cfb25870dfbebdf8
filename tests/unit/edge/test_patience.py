"""A worker's requests while its node is away: a conversation on a stepped clock."""

from __future__ import annotations

import pytest
from tests.edge_kit import Script
from tests.fill_kit import Upload

from headwater.edge.growing import Flow
from headwater.edge.message import Cancel, Failure, Purpose, UpstreamAnswer, UpstreamRequest
from headwater.edge.patience import AGAIN_S, MAX_TRIES, PATIENCE_S, Patient


class Talk:
    """A worker's upstream over a node that the test plays."""

    def __init__(self) -> None:
        self.node = Script()
        self.now = 100.0
        self.patient = Patient(self.node, self.now)
        self.got: list[UpstreamAnswer] = []

    def ask(self, target: str, purpose: Purpose = Purpose.OBJECT) -> Cancel:
        return self.patient.fetch(UpstreamRequest(target, purpose), self.got.append)

    def answer(self, target: str, status: int = 200, failure: Failure | None = None) -> None:
        _, done = self.node.take(target)
        done(UpstreamAnswer(self.now, 0.0, status=0 if failure else status, failure=failure))

    def breaks(self, target: str) -> None:
        self.answer(target, failure=Failure.RESET)

    def step(self, seconds: float) -> None:
        self.now += seconds
        self.patient.handle_timeout(self.now)


@pytest.fixture
def talk() -> Talk:
    return Talk()


@pytest.mark.parametrize("failure", [Failure.RESET, Failure.CONNECT])
@pytest.mark.parametrize("purpose", list(Purpose))
def test_what_breaks_off_is_asked_again_and_nobody_is_told(talk: Talk, failure: Failure, purpose: Purpose) -> None:
    talk.ask("/a", purpose)
    talk.answer("/a", failure=failure)
    assert (talk.got, talk.node.targets, talk.patient.away) == ([], [], True)
    talk.step(AGAIN_S / 2)
    assert talk.node.targets == []
    talk.step(AGAIN_S)
    assert talk.node.targets == ["/a"]
    talk.answer("/a")
    assert [answer.status for answer in talk.got] == [200]
    assert (talk.patient.away, talk.patient.repeated) == (False, 1)


@pytest.mark.parametrize("failure", [Failure.TIMEOUT, Failure.INVALID, Failure.TOO_LARGE, Failure.BUSY])
def test_other_failures_are_answers(talk: Talk, failure: Failure) -> None:
    talk.ask("/a")
    talk.answer("/a", failure=failure)
    assert [answer.failure for answer in talk.got] == [failure]
    assert not talk.patient.away


def test_a_status_is_an_answer_whatever_it_is(talk: Talk) -> None:
    talk.ask("/a")
    talk.answer("/a", 502)
    assert [answer.status for answer in talk.got] == [502]


def test_patience_has_an_end_for_those_who_were_there_and_for_those_who_came_since(talk: Talk) -> None:
    talk.ask("/a")
    talk.breaks("/a")
    talk.step(AGAIN_S)
    talk.ask("/b")  # accepted by nobody: it waits in the socket's queue
    talk.step(PATIENCE_S - 2 * AGAIN_S)
    assert talk.got == []
    talk.step(AGAIN_S)
    assert [answer.failure for answer in talk.got] == [Failure.RESET]
    talk.step(AGAIN_S)
    assert [answer.failure for answer in talk.got] == [Failure.RESET, Failure.CONNECT]
    assert talk.node.targets == []


def test_a_node_that_answers_one_ends_the_silence_for_all(talk: Talk) -> None:
    talk.ask("/held")
    talk.ask("/b")
    talk.breaks("/held")
    talk.breaks("/b")
    talk.step(AGAIN_S)
    talk.answer("/b")
    talk.step(2 * PATIENCE_S)  # the other one is held by the node, as long as that likes
    assert len(talk.got) == 1 and talk.node.targets == ["/held"]


def test_a_request_that_ends_the_node_each_time_is_given_up(talk: Talk) -> None:
    talk.ask("/bad")
    for _ in range(MAX_TRIES - 1):
        talk.breaks("/bad")
        talk.step(AGAIN_S)
    assert talk.got == []
    talk.breaks("/bad")
    assert [answer.failure for answer in talk.got] == [Failure.RESET]


def test_who_leaves_is_forgotten_under_way_and_between_two_tries(talk: Talk) -> None:
    talk.ask("/a")()
    assert talk.node.targets == []
    leave = talk.ask("/b")
    talk.breaks("/b")
    leave()
    leave()
    talk.step(PATIENCE_S)
    assert (talk.got, talk.node.targets) == ([], [])


def test_an_answer_may_make_somebody_else_leave(talk: Talk) -> None:
    leaves: list[Cancel] = []
    talk.patient.fetch(UpstreamRequest("/a"), lambda _: leaves[0]())
    leaves.append(talk.ask("/b"))
    for target in ("/a", "/b"):
        talk.breaks(target)
    talk.step(PATIENCE_S)
    assert (talk.got, talk.node.targets) == ([], [])


def test_stop_answers_nobody(talk: Talk) -> None:
    talk.ask("/a")
    talk.ask("/b")
    talk.breaks("/b")
    talk.patient.stop()
    talk.step(PATIENCE_S)
    assert (talk.got, talk.node.targets) == ([], [])


class Taker:
    """`message.Arriving`."""

    def __init__(self) -> None:
        self.got = b""

    def head(self, answer: UpstreamAnswer, length: int | None, flow: Flow) -> bool:
        return length != 1

    def piece(self, data: bytes, at: float) -> None:
        self.got += data


def test_a_body_that_is_taken_as_it_comes_is_not_asked_again_here(talk: Talk) -> None:
    taker = Taker()
    talk.patient.fetch(UpstreamRequest("/a", arriving=taker), talk.got.append)
    upload = Upload(*talk.node.take("/a"), UpstreamAnswer(talk.now, 0.0, 200), 6).piece(b"abc", talk.now)
    upload.fail(talk.now, Failure.RESET)
    talk.step(1.0)
    assert (talk.got[0].failure, taker.got, talk.node.pending) == (Failure.RESET, b"abc", [])
    talk.patient.fetch(UpstreamRequest("/b", arriving=taker), talk.got.append)
    Upload(*talk.node.take("/b"), UpstreamAnswer(talk.now, 0.0, 200), 1).fail(talk.now, Failure.RESET)
    talk.step(1.0)
    assert talk.node.targets == ["/b"], "nothing of it was taken"
