"""Peers that flood, spoof, replay, and never stop asking: bounded state, no amplification, nothing lost by others."""

from __future__ import annotations

import random
import struct
import tracemalloc
from itertools import pairwise

import pytest
from tests.srt_kit import SECRET, Talk
from tests.srt_sender import CONCLUSION, INDUCTION, Profile, Sender, control, handshake

from headwater.ingest.srt import CloseReason, ConnectionRequested, Limits, Listener, RejectCode
from headwater.ingest.srt.limits import ALLOWANCES, REFUSED_EVENTS, SETTLED_ENTRIES

HOME = ("192.0.2.1", 4000)


def conclusion(listener: Listener, address: tuple[str, int], now: float, socket_id: int = 77) -> bytes:
    """What a caller that has its cookie sends."""
    cookie = listener._lobby._jar.cookie(address, now)
    return Sender(Profile(socket_id=socket_id)).conclusion(cookie, now)


def test_nobody_is_answered_with_more_bytes_than_he_sent_before_his_address_is_proven() -> None:
    dice = random.Random(1)
    listener = Listener(Limits(inductions_per_s=10**6, inductions_per_address_per_s=10**6), 0.0, SECRET)
    for number in range(3000):
        kind = dice.choice([INDUCTION, INDUCTION, CONCLUSION, 0, 0xFFFFFFFE, dice.randrange(1 << 32)])
        datagram = handshake(kind, version=dice.choice([4, 5]), cookie=dice.randrange(1 << 32))
        if dice.random() < 0.3:
            datagram += dice.randbytes(dice.randrange(60))
        if dice.random() < 0.2:
            datagram = datagram[: dice.randrange(len(datagram))]
        address = (f"10.0.{number % 256}.{number // 256}", 5000)
        listener.receive_datagram(datagram, address, number / 1000)
        answers = listener.datagrams_to_send()
        assert sum(len(answer) for answer, _ in answers) <= len(datagram)
        assert all(to == address for _, to in answers)
        assert not listener.events_received()
    assert listener.next_timeout() is None, "nothing is kept"


def test_a_flood_of_inductions_is_cut_off_for_its_address_and_others_get_in() -> None:
    talk = Talk()
    for _ in range(5_000):
        talk.listener.receive_datagram(Sender().induction(talk.now), ("203.0.113.5", 1), talk.now)
    assert len(talk.listener.datagrams_to_send()) == Limits().inductions_per_address_per_s
    assert talk.listener.counters.inductions_throttled == 4_800
    sender = talk.add()
    talk.run(talk.now + 0.1)
    assert sender.connected


def test_a_flood_of_inductions_from_everywhere_is_bounded() -> None:
    listener = Listener(Limits(), 0.0, SECRET)
    for number in range(10_000):
        address = (f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 1)
        listener.receive_datagram(Sender().induction(0.5), address, 0.5)
    assert len(listener.datagrams_to_send()) == Limits().inductions_per_s


def test_half_open_requests_are_bounded_per_address_and_in_all() -> None:
    limits = Limits(half_open=20, half_open_per_address=8)
    listener = Listener(limits, 0.0, SECRET)
    codes: list[RejectCode] = []
    asked = 0
    for host in range(4):
        for number in range(10):
            address = (f"192.0.2.{host}", 1000 + number)
            listener.receive_datagram(conclusion(listener, address, 1.0), address, 1.0)
            for event in listener.events_received():
                if isinstance(event, ConnectionRequested):
                    asked += 1
                else:
                    codes.append(event.code)  # type: ignore[union-attr, arg-type]
    assert asked == 20
    assert codes.count(RejectCode.OVERLOAD) == 4
    assert codes.count(RejectCode.BACKLOG) == 16
    # The shell never answers: the places come back.
    listener.handle_timeout(11.1)
    assert len(listener.events_received()) == 20
    address = ("192.0.2.0", 2000)
    listener.receive_datagram(conclusion(listener, address, 12.0), address, 12.0)
    assert isinstance(listener.events_received()[0], ConnectionRequested)


def test_connections_are_bounded_per_address_and_in_all() -> None:
    talk = Talk(Limits(sessions=5, sessions_per_address=3))
    senders = [talk.add(Profile(socket_id=number + 1), ("192.0.2.1", 5000 + number)) for number in range(4)]
    senders += [talk.add(Profile(socket_id=number + 1), ("192.0.2.2", 5000 + number)) for number in range(3)]
    talk.run(talk.now + 0.1)
    assert [sender.rejected for sender in senders] == [0, 0, 0, RejectCode.OVERLOAD, 0, 0, RejectCode.RESOURCE]
    talk.listener.close(talk.session(("192.0.2.1", 5000)), "make room", talk.now)
    late = talk.add(Profile(socket_id=9), ("192.0.2.1", 6000))
    talk.run(talk.now + 0.1)
    assert late.connected


def test_one_ipv6_customer_counts_as_one_address() -> None:
    talk = Talk(Limits(sessions_per_address=2))
    for number in range(3):
        talk.add(Profile(socket_id=number + 1), (f"2001:db8:0:1::{number + 1:x}", 5000, 0, 0))
    other = talk.add(Profile(socket_id=8), ("2001:db8:0:2::1", 5000, 0, 0))
    talk.run(talk.now + 0.1)
    assert talk.listener.session_count == 3
    assert other.connected


def test_a_caller_that_is_rejected_for_ever_is_asked_about_less_and_less() -> None:
    talk = Talk()
    talk.answer = RejectCode.UNAUTHORIZED
    sender = Sender()
    talk.senders[HOME] = sender
    for number in range(3_000):
        talk.inject(conclusion(talk.listener, HOME, talk.now, number + 1), HOME)
        if number % 20 == 0:
            talk.run(talk.now + 0.1)
    assert len(talk.requests) < 60, "200 to begin with, 5 for each, 2 come back in a second"
    assert talk.listener.counters.throttled > 2_000, "and then it is not even answered"
    assert len(talk.refused) < 250
    other = talk.add(None, ("192.0.2.99", 4000))
    talk.run(talk.now + 0.1)
    assert other.rejected == RejectCode.UNAUTHORIZED, "others are asked about"


def test_what_is_remembered_of_addresses_is_bounded() -> None:
    listener = Listener(Limits(), 0.0, SECRET)
    refused = 0
    for number in range(3 * ALLOWANCES):
        address = (f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 1)
        cookie = listener._lobby._jar.cookie(address, 1.0)
        listener.receive_datagram(handshake(CONCLUSION, cookie=cookie), address, 1.0)
        if number % 500 == 0:
            events = listener.events_received()
            assert len(events) <= REFUSED_EVENTS
            refused += len(events)
            listener.datagrams_to_send()
    lobby = listener._lobby
    assert len(lobby._settled._entries) <= SETTLED_ENTRIES
    assert len(lobby._admission._allowances._left) <= ALLOWANCES
    assert not lobby._by_caller
    assert refused > 0


def test_a_shell_that_does_not_fetch_loses_datagrams_and_nothing_else() -> None:
    listener = Listener(Limits(outgoing=10, inductions_per_address_per_s=100), 0.0, SECRET)
    for _ in range(50):
        listener.receive_datagram(Sender().induction(1.0), HOME, 1.0)
    assert len(listener.datagrams_to_send()) == 10
    assert listener.counters.outgoing_dropped == 40


def test_spoofed_and_random_datagrams_cost_a_live_caller_nothing() -> None:
    talk = Talk()
    sender = talk.add()
    talk.run(talk.now + 0.1)
    dice = random.Random(5)
    sent = [struct.pack(">I", number) * 47 for number in range(300)]
    for packet in sent:
        sender.send(packet, talk.now)
        talk.settle()
        for _ in range(20):
            elsewhere = (f"203.0.113.{dice.randrange(255)}", dice.randrange(1, 65536))
            choice = dice.randrange(5)
            if choice == 0:
                evil = sender.data_packet(sender.next_sequence + dice.randrange(50), b"evil" * 47, 0)
            elif choice == 1:
                evil = control(dice.choice([0, 2, 3, 5, 6, 7, 0x7FFF]), 0, sender.peer, body=dice.randbytes(16))
            elif choice == 2:
                evil = dice.randbytes(dice.randrange(1600))
            elif choice == 3:
                evil = handshake(CONCLUSION, cookie=dice.randrange(1 << 32))
            else:
                evil = sender.data_packet(0, b"evil", 0)[:12] + dice.randbytes(8)
            talk.inject(evil, elsewhere)
        talk.run(talk.now + 0.002)
    talk.run(talk.now + 0.1)
    assert talk.data() == b"".join(sent)
    assert talk.lost == {}
    assert talk.listener.session_count == 1
    assert not talk.closed


def test_replayed_packets_of_a_session_change_nothing() -> None:
    talk = Talk()
    sender = talk.add()
    talk.run(talk.now + 0.1)
    captured: list[bytes] = []
    launch = talk._launch

    def capture(inbound: bool, address: tuple[str, int], datagram: bytes) -> None:
        if inbound:
            captured.append(datagram)
        launch(inbound, address, datagram)

    talk._launch = capture  # type: ignore[method-assign, assignment]
    talk.play(sender, [b"live" * 47] * 100, 0.002)
    for datagram in captured * 3:
        talk.inject(datagram, HOME)
    talk.play(sender, [b"more" * 47] * 10, 0.002)
    talk.run(talk.now + 0.1)
    assert talk.data() == b"live" * 4700 + b"more" * 470
    stats = talk.listener.stats(talk.session(), talk.now)
    assert stats is not None
    assert stats.belated == 300
    assert talk.lost == {}


@pytest.mark.parametrize("size", [0, 1, 15, 1501, 9000])
def test_datagrams_of_impossible_sizes_are_counted(size: int) -> None:
    listener = Listener(Limits(), 0.0, SECRET)
    listener.receive_datagram(bytes(size), HOME, 1.0)
    assert listener.counters.malformed == 1
    assert not listener.datagrams_to_send()


def test_socket_ids_cannot_be_guessed_from_others() -> None:
    talk = Talk(Limits(sessions_per_address=200))
    for number in range(100):
        talk.add(Profile(socket_id=number + 1), ("192.0.2.1", 5000 + number))
    talk.run(talk.now + 0.1)
    ids = [talk.session(("192.0.2.1", 5000 + number)) for number in range(100)]
    assert len(set(ids)) == 100
    assert all(0 < number < 1 << 30 for number in ids)
    assert len({later - earlier for earlier, later in pairwise(ids)}) == 99


def test_a_flood_of_everything_is_cheap_in_memory() -> None:
    talk = Talk()
    talk.answer = RejectCode.UNAUTHORIZED
    dice = random.Random(6)
    tracemalloc.start()
    for number in range(4_000):
        address = (f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 1 + number % 60_000)
        if number % 3 == 0:
            datagram = conclusion(talk.listener, address, talk.now, number + 1)
        elif number % 3 == 1:
            datagram = Sender().induction(talk.now)
        else:
            datagram = dice.randbytes(1400)
        talk.listener.receive_datagram(datagram, address, talk.now)
        if number % 50 == 0:
            talk._shell()
            talk._flying.clear()
            talk.requests.clear()
            talk.run(talk.now + 0.01)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20
    assert talk.listener.session_count == 0


def test_memory_of_a_peer_that_sends_every_other_packet_is_bounded() -> None:
    talk = Talk(Limits(max_latency_s=60))
    sender = talk.add(Profile(latency_ms=60_000))
    talk.run(talk.now + 0.1)
    session = talk.listener._sessions[talk.session()]
    for number in range(0, 30_000, 2):
        talk.inject(sender.data_packet(1001 + number, b"x" * 100, 0), HOME)
        if number % 5000 == 0:
            talk.run(talk.now + 0.01)
    talk.run(talk.now + 0.5)
    assert len(session._buffer._held) <= 25_600
    assert len(session._buffer.losses._firsts) <= 25_600
    assert all(len(words) <= 364 for words in [session._buffer.losses.words()])
    assert CloseReason.PEER not in {event.reason for event in talk.closed.values()}
