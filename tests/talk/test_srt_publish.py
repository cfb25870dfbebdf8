"""Conversations of SRT senders with our listener over a simulated network, on a stepped clock."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from tests.srt_kit import Path, Talk
from tests.srt_sender import CONCLUSION, Profile, Sender, control, handshake

from headwater.ingest.srt import Acceptance, CloseReason, Limits, Mode, RejectCode

HOME = ("192.0.2.1", 4000)
PASSPHRASE = "correct horse"


def payloads(count: int, size: int = 188) -> list[bytes]:
    """Packets that can be told apart."""
    return [struct.pack(">I", number) * (size // 4) for number in range(count)]


def connected(talk: Talk, profile: Profile | None = None) -> Sender:
    """A sender whose connection is made."""
    sender = talk.add(profile)
    talk.run(talk.now + 0.1)
    assert sender.connected
    return sender


def test_the_usual_conversation() -> None:
    talk = Talk()
    sender = connected(talk)
    request = talk.requests[0]
    assert (request.stream_id.resource, request.stream_id.mode) == ("live/demo", Mode.PUBLISH)
    assert (request.encrypted, request.version, request.latency_s) == (None, "1.5.7", 0.12)
    packets = payloads(500)
    talk.play(sender, packets, 0.002)
    talk.run(talk.now + 0.1)
    assert talk.data() == b"".join(packets)
    stats = talk.listener.stats(talk.session(), talk.now)
    assert stats is not None
    assert (stats.packets, stats.lost, stats.dropped, stats.naks) == (500, 0, 0, 0)
    assert stats.rtt_s == pytest.approx(0.02, abs=1e-6)
    assert stats.bits_per_s == pytest.approx(500 * 204 * 8, rel=0.05)
    assert 95 <= len(sender.acks) <= 105, "one full ACK in 10 ms"
    assert [ack[0] for ack in sender.acks] == list(range(1, len(sender.acks) + 1))
    assert sender.acks[-1][1] == sender.next_sequence
    sender.shutdown(talk.now)
    talk.settle()
    talk.run(talk.now + 0.1)
    closed = talk.closed[talk.session()]
    assert (closed.reason, closed.detail) == (CloseReason.PEER, "the peer closed the connection")
    assert talk.listener.session_count == 0
    assert talk.listener.next_timeout() is None


def test_data_comes_out_as_soon_as_it_is_in_order() -> None:
    talk = Talk()
    sender = connected(talk)
    sent = talk.now
    sender.send(b"x" * 188, talk.now)
    talk.settle()
    talk.run(talk.now + 1)
    ((arrived, size),) = talk.arrivals
    assert arrived == pytest.approx(sent + 0.01)
    assert size == 188


def test_without_early_release_data_comes_out_with_the_pace_of_the_sender() -> None:
    talk = Talk(Limits(early_release=False), there=Path(delay=0.01, jitter=0.05))
    sender = connected(talk)
    start = talk.now
    talk.play(sender, payloads(50), 0.02)
    talk.run(talk.now + 1)
    assert talk.data() == b"".join(payloads(50))
    times = [at for at, _ in talk.arrivals]
    # The base is the handshake's way, somewhere in the jitter; then latency; then the grid of 10 ms.
    assert 0.12 + 0.01 <= times[0] - start <= 0.12 + 0.06 + 0.011
    steps = [after - before for before, after in pairwise(times)]
    assert max(steps) <= 0.0301
    assert times[-1] - times[0] == pytest.approx(0.98, abs=0.0101)


@pytest.mark.parametrize("length", [16, 24, 32])
def test_encrypted(length: int) -> None:
    talk = Talk(passphrase=PASSPHRASE)
    sender = connected(talk, Profile(passphrase=PASSPHRASE, key_length=length))
    assert talk.requests[0].encrypted is not None
    assert talk.requests[0].encrypted.length == length
    packets = payloads(100, 1316)
    talk.play(sender, packets, 0.001)
    talk.run(talk.now + 0.1)
    assert talk.data() == b"".join(packets)
    stats = talk.listener.stats(talk.session(), talk.now)
    assert stats is not None
    assert stats.encrypted


@pytest.mark.parametrize(
    ("ours", "theirs", "outcome", "code"),
    [
        (PASSPHRASE, "another passphrase", Acceptance.BAD_SECRET, RejectCode.BADSECRET),
        ("", PASSPHRASE, Acceptance.UNSECURE, RejectCode.UNSECURE),
    ],
)
def test_passphrases_that_do_not_agree(ours: str, theirs: str, outcome: Acceptance, code: RejectCode) -> None:
    talk = Talk(passphrase=ours)
    sender = talk.add(Profile(passphrase=theirs))
    talk.run(talk.now + 0.1)
    assert (sender.connected, sender.rejected) == (False, code)
    assert talk.outcomes == [outcome]
    assert [closed.reason for closed in talk.closed.values()] == [CloseReason.SECRET]
    assert talk.listener.session_count == 0


def test_the_shell_rejects() -> None:
    talk = Talk()
    talk.answer = RejectCode.CONFLICT
    sender = talk.add()
    talk.run(talk.now + 0.1)
    assert sender.rejected == 2409
    assert not talk.closed
    assert talk.listener.next_timeout() is None


def test_a_rejected_caller_that_repeats_itself_gets_the_same_answer_and_the_shell_is_not_asked_again() -> None:
    talk = Talk()
    talk.answer = RejectCode.FORBIDDEN
    sender = talk.add()
    talk.run(talk.now + 0.1)
    cookie = talk.listener._lobby._jar.cookie(HOME, talk.now)
    for _ in range(5):
        sender.rejected = 0
        talk.inject(sender.conclusion(cookie, talk.now), HOME)
        talk.run(talk.now + 0.25)
        assert sender.rejected == RejectCode.FORBIDDEN
    assert len(talk.requests) == 1
    assert talk.listener.counters.repeated == 5


def test_copies_of_a_conclusion_get_the_same_answer() -> None:
    talk = Talk()
    sender = connected(talk)
    cookie = talk.listener._lobby._jar.cookie(HOME, talk.now)
    for _ in range(4):
        talk.inject(sender.conclusion(cookie, talk.now), HOME)
        talk.run(talk.now + 0.3)
    assert len(talk.requests) == 1
    assert len(sender.answers) == 5
    assert len(set(sender.answers)) == 1
    talk.play(sender, payloads(10), 0.001)
    talk.run(talk.now + 0.1)
    assert talk.data() == b"".join(payloads(10))


def test_a_copy_of_the_conclusion_after_the_end_does_not_open_a_connection() -> None:
    talk = Talk()
    sender = connected(talk)
    cookie = talk.listener._lobby._jar.cookie(HOME, talk.now)
    conclusion = sender.conclusion(cookie, talk.now)
    sender.shutdown(talk.now)
    talk.settle()
    talk.run(talk.now + 0.5)
    talk.inject(conclusion, HOME)
    talk.run(talk.now + 0.5)
    assert len(talk.requests) == 1
    assert len(sender.answers) == 1


def test_the_answer_is_lost_and_the_conclusion_repeated() -> None:
    talk = Talk(back=Path(drop=lambda datagram: datagram[36:40] == b"\xff\xff\xff\xff"))
    sender = talk.add()
    talk.run(talk.now + 0.2)
    assert not sender.connected
    talk.back.drop = None
    cookie = talk.listener._lobby._jar.cookie(HOME, talk.now)
    sender.outgoing.append(sender.conclusion(cookie, talk.now))
    talk.settle()
    talk.run(talk.now + 0.2)
    assert sender.connected
    assert len(talk.requests) == 1


def test_a_wrong_cookie_is_not_answered() -> None:
    talk = Talk()
    sender = Sender()
    talk.senders[HOME] = sender
    for cookie in (0, 1, 0xFFFF_FFFF):
        talk.inject(sender.conclusion(cookie, talk.now), HOME)
    talk.run(talk.now + 0.5)
    assert talk.listener.counters.bad_cookies == 3
    assert not sender.answers
    assert not sender.rejected


def test_a_cookie_of_another_address_is_not_taken() -> None:
    talk = Talk()
    sender = Sender()
    cookie = talk.listener._lobby._jar.cookie(HOME, talk.now)
    talk.inject(sender.conclusion(cookie, talk.now), ("192.0.2.1", 4001))
    talk.inject(sender.conclusion(cookie, talk.now), ("192.0.2.2", 4000))
    assert talk.listener.counters.bad_cookies == 2
    assert not talk.requests


@pytest.mark.parametrize(("wait", "taken"), [(55.0, True), (125.0, False)])
def test_a_late_conclusion(wait: float, taken: bool) -> None:
    talk = Talk()
    sender = Sender()
    cookie = talk.listener._lobby._jar.cookie(HOME, talk.now)
    talk.run(talk.now + wait)
    talk.inject(sender.conclusion(cookie, talk.now), HOME)
    assert bool(talk.requests) is taken


def test_latency_is_the_greater_of_both_and_bounded() -> None:
    for asked, expected in ((50, 0.12), (600, 0.6), (60_000, 8.0)):
        talk = Talk()
        sender = connected(talk, Profile(latency_ms=asked))
        assert talk.requests[0].latency_s == expected
        assert sender.latency_ms == expected * 1000


@pytest.mark.parametrize(
    ("profile", "code"),
    [
        (Profile(version=0x010203), RejectCode.VERSION),
        (Profile(flags=0xBF | 0x40), RejectCode.MESSAGEAPI),
        (Profile(extensions=[(6, b"elif")]), RejectCode.CONGESTION),
        (Profile(extensions=[(7, b",cef:10s")]), RejectCode.FILTER),
        (Profile(extensions=[(8, bytes(8))]), RejectCode.GROUP),
        (Profile(stream_id="#!:what"), RejectCode.BAD_REQUEST),
        (Profile(mtu=64), RejectCode.ROGUE),
        (Profile(flow_window=0), RejectCode.ROGUE),
    ],
)
def test_what_is_not_offered_is_refused_without_asking(profile: Profile, code: RejectCode) -> None:
    talk = Talk()
    sender = talk.add(profile)
    talk.run(talk.now + 0.1)
    assert sender.rejected == code
    assert [event.code for event in talk.refused] == [code]
    assert not talk.requests
    assert talk.listener.counters.refused == 1


def test_live_congestion_control_by_name_is_fine() -> None:
    connected(Talk(), Profile(extensions=[(6, b"evil")]))


def test_handshake_version_4_and_rendezvous_are_refused() -> None:
    talk = Talk()
    sender = Sender()
    talk.senders[HOME] = sender
    cookie = talk.listener._lobby._jar.cookie(HOME, talk.now)
    talk.inject(handshake(CONCLUSION, version=4, flags=2, cookie=cookie), HOME)
    talk.run(talk.now + 0.1)
    assert sender.rejected == RejectCode.VERSION
    talk.inject(handshake(0, version=5), HOME)
    talk.run(talk.now + 0.1)
    assert sender.rejected == RejectCode.ROGUE


def test_idle_peers_are_closed_after_five_seconds_and_kept_alive_before() -> None:
    talk = Talk()
    sender = connected(talk)
    opened = talk.now
    talk.run(opened + 4.9)
    assert talk.listener.session_count == 1
    assert sender.keepalives >= 4
    sender.keepalive(talk.now)
    talk.settle()
    talk.run(opened + 9.8)
    assert talk.listener.session_count == 1
    talk.run(opened + 10.0)
    assert talk.closed[talk.session()].reason is CloseReason.IDLE
    assert sender.closed


def test_the_shell_closes() -> None:
    talk = Talk()
    sender = connected(talk)
    talk.listener.close(talk.session(), "taken over", talk.now)
    talk.settle()
    talk.run(talk.now + 0.1)
    assert sender.closed
    assert (talk.closed[talk.session()].reason, talk.closed[talk.session()].detail) == (
        CloseReason.SERVER,
        "taken over",
    )
    talk.listener.close(talk.session(), "again", talk.now)
    assert talk.listener.stats(talk.session(), talk.now) is None


def test_a_request_that_the_shell_does_not_answer_is_given_up() -> None:
    talk = Talk()
    talk._decide = lambda event: None  # type: ignore[method-assign]
    talk.add()
    talk.run(talk.now + 9.9)
    assert not talk.closed
    talk.run(talk.now + 1)
    session = talk.requests[0].session
    assert talk.closed[session].reason is CloseReason.UNANSWERED
    assert talk.listener.accept(session, None, talk.now) is Acceptance.GONE
    assert talk.listener.next_timeout() is None


def test_ipv6() -> None:
    address = ("2001:db8::1", 4000, 0, 2)
    talk = Talk()
    sender = talk.add(Profile(), address)
    talk.run(talk.now + 0.1)
    assert sender.connected
    talk.play(sender, payloads(3), 0.01)
    talk.run(talk.now + 0.1)
    assert talk.data(address) == b"".join(payloads(3))


def test_a_session_does_not_follow_another_address() -> None:
    talk = Talk()
    sender = connected(talk)
    packet = sender.data_packet(sender.next_sequence, b"evil", 0)
    talk.inject(packet, ("192.0.2.1", 4001))
    talk.inject(control(5, 0, sender.peer), ("203.0.113.9", 4000))
    talk.run(talk.now + 0.1)
    assert talk.listener.counters.wrong_address == 2
    assert talk.data() == b""
    assert talk.listener.session_count == 1


def test_fifty_callers_at_once_share_wake_ups() -> None:
    talk = Talk()
    senders = [talk.add(Profile(socket_id=100 + number), ("192.0.2.1", 5000 + number)) for number in range(50)]
    talk.run(talk.now + 0.1)
    assert all(sender.connected for sender in senders)
    wakes = 0
    inner = talk.listener.handle_timeout

    def counted(now: float) -> None:
        nonlocal wakes
        wakes += 1
        inner(now)

    talk.listener.handle_timeout = counted  # type: ignore[method-assign]
    for packet in payloads(40):
        for offset, sender in enumerate(senders):
            sender.send(packet, talk.now)
            talk.settle()
            if offset % 10 == 9:
                talk.run(talk.now + 0.001)
        talk.run(talk.now + 0.005)
    talk.run(talk.now + 0.2)
    assert all(talk.data(("192.0.2.1", 5000 + number)) == b"".join(payloads(40)) for number in range(50))
    assert wakes <= 65, "one wake-up in 10 ms, whatever the number of callers"
