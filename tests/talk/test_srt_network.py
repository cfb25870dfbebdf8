"""SRT over bad networks and for a long time: loss, reordering, copies, wraps, key changes, drifting clocks."""

from __future__ import annotations

import struct

import pytest
from tests.srt_kit import Path, Talk
from tests.srt_sender import Profile, Sender, control

from headwater.ingest.srt import CloseReason, Limits, Stats
from headwater.ingest.srt.keys import ODD, build_key_material, derive_kek

PASSPHRASE = "correct horse"


def payloads(count: int, size: int = 188) -> list[bytes]:
    return [struct.pack(">I", number) * (size // 4) for number in range(count)]


def connected(talk: Talk, profile: Profile | None = None) -> Sender:
    """A sender whose connection is made over a good network."""
    there, back = talk.there, talk.back
    talk.there, talk.back = Path(there.delay), Path(back.delay)
    sender = talk.add(profile)
    talk.run(talk.now + 2 * (there.delay + back.delay) + 0.05)
    talk.there, talk.back = there, back
    assert sender.connected
    return sender


def stats(talk: Talk) -> Stats:
    found = talk.listener.stats(talk.session(), talk.now)
    assert found is not None
    return found


def finish(talk: Talk, sender: Sender) -> None:
    """The last packets are followed by some that make their loss visible."""
    talk.play(sender, [b"tail" * 10] * 50, 0.01)
    talk.there.loss = 0.0
    talk.play(sender, [b"tail" * 10], 0.01)
    talk.run(talk.now + 2)


def delivered(talk: Talk) -> bytes:
    return talk.data().partition(b"tail" * 10)[0]


@pytest.mark.parametrize(
    "there",
    [
        Path(0.025, loss=0.01),
        Path(0.025, loss=0.1),
        Path(0.025, loss=0.3),
        Path(0.025, reorder=0.2),
        Path(0.025, duplicate=0.3),
        Path(0.025, jitter=0.02),
        Path(0.025, loss=0.1, duplicate=0.1, reorder=0.1, jitter=0.01),
    ],
    ids=lambda path: f"loss{path.loss} reorder{path.reorder} dup{path.duplicate} jitter{path.jitter}",
)
@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_missing_when_the_latency_allows_it(there: Path, seed: int) -> None:
    """50 ms of round trip, 700 ms of latency; the way back loses as much."""
    talk = Talk(there=there, back=Path(0.025, loss=there.loss), seed=seed, passphrase=PASSPHRASE)
    sender = connected(talk, Profile(latency_ms=700, passphrase=PASSPHRASE))
    packets = payloads(1500)
    talk.play(sender, packets, 0.002)
    finish(talk, sender)
    assert delivered(talk) == b"".join(packets)
    assert talk.lost == {}
    found = stats(talk)
    assert found.dropped == 0
    assert found.undecryptable == 0
    assert (found.duplicate + found.belated > 0) or not there.duplicate


def test_thirty_percent_loss_with_little_latency_loses_some_says_how_many_and_keeps_the_order() -> None:
    talk = Talk(there=Path(0.025, loss=0.3), back=Path(0.025, loss=0.3), seed=3)
    sender = connected(talk, Profile(latency_ms=120))
    packets = payloads(2000)
    talk.play(sender, packets, 0.002)
    finish(talk, sender)
    data = talk.data()
    got = [struct.unpack_from(">I", data, at)[0] for at in range(0, len(delivered(talk)), 188)]
    assert got == sorted(set(got)), "in order, once each"
    missing = talk.lost[talk.session()]
    assert 0 < missing < 400
    tail = (len(data) - len(delivered(talk))) // 40
    assert len(got) + tail + missing == 2051, "what is not delivered is reported"
    assert stats(talk).dropped == missing


def test_a_gap_holds_back_what_follows_for_the_latency_and_no_longer() -> None:
    talk = Talk(there=Path(0.01), back=Path(0.01))
    sender = connected(talk, Profile(latency_ms=300, drops_late=False))
    talk.play(sender, payloads(10), 0.01)
    talk.there.drop = lambda datagram: datagram[0] < 0x80 and struct.unpack_from(">I", datagram)[0] == 1010
    sent = talk.now
    talk.play(sender, payloads(100), 0.01)
    talk.run(talk.now + 0.5)
    late = [at for at, _ in talk.arrivals if at > sent + 0.02]
    # The packet behind the gap was sent 10 ms later; then its way, the latency, the grid.
    assert late[0] == pytest.approx(sent + 0.01 + 0.01 + 0.3, abs=0.011)
    assert talk.lost == {talk.session(): 1}
    assert len(talk.data()) == 109 * 188
    # A full loss report at once, and one in each interval of max((RTT + 4 RTTVar) / 2, 20 ms).
    assert 10 <= sender.naks <= 17
    assert sender.nak_times[0] == pytest.approx(sent + 0.03, abs=1e-6)


def test_losses_are_reported_in_the_datagram_that_shows_them() -> None:
    talk = Talk(there=Path(0.01), back=Path(0.01))
    sender = connected(talk)
    talk.play(sender, payloads(3), 0.01)
    for packet in payloads(4):
        sender.send(packet, talk.now, first_time=False)
    sender.send(b"seen" * 10, talk.now)
    talk.settle()
    shown = talk.now + 0.01
    talk.run(talk.now + 0.1)
    assert sender.nak_times == [pytest.approx(shown + 0.01)]
    assert sender.retransmitted == 4
    assert talk.data() == b"".join([*payloads(3), *payloads(4), b"seen" * 10])
    assert (stats(talk).lost, stats(talk).retransmitted, stats(talk).naks) == (4, 4, 1)


def test_a_drop_request_ends_the_waiting() -> None:
    talk = Talk(there=Path(0.01), back=Path(0.01))
    sender = connected(talk, Profile(latency_ms=2000))
    talk.play(sender, payloads(3), 0.01)
    lost = [sender.next_sequence + offset for offset in range(4)]
    for packet in payloads(4):
        sender.send(packet, talk.now, first_time=False)
    sender._kept.clear()
    talk.play(sender, [b"seen" * 10] * 20, 0.01)
    talk.run(talk.now + 0.1)
    assert sender.drop_requests >= 1
    assert talk.lost == {talk.session(): 4}
    assert talk.data() == b"".join(payloads(3)) + b"seen" * 200
    assert sender.acks[-1][1] == sender.next_sequence
    # Ranges that make no sense change nothing.
    for first, last in ((lost[0], lost[3]), (5, 4), (0, (1 << 31) - 1), (lost[0], lost[0] + 30_000)):
        sender.drop(first, last, talk.now)
    talk.settle()
    talk.play(sender, payloads(3), 0.01)
    talk.run(talk.now + 0.1)
    assert talk.data().endswith(b"".join(payloads(3)))
    assert talk.lost == {talk.session(): 4}


def test_packets_that_were_never_sent_are_dropped_as_well() -> None:
    talk = Talk()
    sender = connected(talk, Profile(latency_ms=2000))
    talk.play(sender, payloads(3), 0.01)
    first = sender.next_sequence
    for packet in payloads(5):
        sender.send(packet, talk.now, first_time=False)
    sender.drop(first, first + 4, talk.now)
    talk.settle()
    talk.run(talk.now + 0.05)
    assert talk.lost == {talk.session(): 5}
    talk.play(sender, payloads(3), 0.01)
    talk.run(talk.now + 0.1)
    assert talk.data() == b"".join(payloads(3) * 2)
    assert sender.naks == 0


@pytest.mark.parametrize("sequence", [(1 << 31) - 100, (1 << 31) - 1, 0])
def test_sequence_numbers_wrap(sequence: int) -> None:
    talk = Talk(there=Path(0.02, loss=0.1, reorder=0.1), back=Path(0.02), seed=5)
    sender = connected(talk, Profile(sequence=sequence, latency_ms=600))
    packets = payloads(300)
    talk.play(sender, packets, 0.002)
    finish(talk, sender)
    assert delivered(talk) == b"".join(packets)
    assert talk.lost == {}


@pytest.mark.parametrize("early", [True, False])
def test_timestamps_wrap_after_71_minutes(early: bool) -> None:
    wrap = (1 << 32) / 1e6
    talk = Talk(Limits(early_release=early), there=Path(0.02, loss=0.1), back=Path(0.02), seed=6)
    sender = connected(talk, Profile(latency_ms=600, clock_offset=wrap - 1001.0))
    assert sender.stamp(talk.now) > 0xFFF0_0000
    packets = payloads(600)
    talk.play(sender, packets, 0.005)
    assert sender.stamp(talk.now) < 0x1000_0000
    finish(talk, sender)
    assert delivered(talk) == b"".join(packets)
    assert talk.lost == {}


@pytest.mark.parametrize("loss", [0.0, 0.05])
def test_keys_change_without_losing_a_packet(loss: float) -> None:
    talk = Talk(there=Path(0.02, loss=loss), back=Path(0.02, loss=loss), seed=7, passphrase=PASSPHRASE)
    profile = Profile(passphrase=PASSPHRASE, key_length=32, latency_ms=600, refresh_after=300, announce_before=150)
    sender = connected(talk, profile)
    packets = payloads(2000)
    talk.play(sender, packets, 0.004)
    finish(talk, sender)
    assert delivered(talk) == b"".join(packets)
    assert len(set(sender.confirmed_keys)) == 8, "seven were announced after the first"
    assert stats(talk).undecryptable == 0


def test_a_key_that_never_came_costs_its_packets_until_it_does() -> None:
    talk = Talk(passphrase=PASSPHRASE)
    sender = connected(talk, Profile(passphrase=PASSPHRASE, refresh_after=20, announce_before=10))
    talk.there.drop = lambda datagram: datagram[:4] == b"\xff\xff\x00\x03"
    talk.play(sender, payloads(60), 0.01)
    talk.there.drop = None
    talk.play(sender, payloads(60), 0.01)
    talk.run(talk.now + 0.3)
    found = stats(talk)
    assert found.undecryptable > 0
    assert talk.lost[talk.session()] == found.undecryptable
    assert len(talk.data()) == (120 - found.undecryptable) * 188


def test_plain_packets_on_an_encrypted_connection_are_dropped() -> None:
    talk = Talk(passphrase=PASSPHRASE)
    sender = connected(talk, Profile(passphrase=PASSPHRASE))
    talk.play(sender, payloads(2), 0.01)
    sender.which = 0
    talk.play(sender, payloads(2), 0.01)
    sender.which = 1
    talk.play(sender, payloads(2), 0.01)
    talk.run(talk.now + 0.1)
    assert stats(talk).undecryptable == 2
    assert talk.lost[talk.session()] == 2
    assert talk.data() == b"".join(payloads(2) * 2)


def test_encrypted_packets_on_a_plain_connection_are_dropped_and_too_many_close_it() -> None:
    talk = Talk(Limits(undecryptable_in_a_row=50))
    sender = connected(talk)
    for number in range(60):
        sender.outgoing.append(sender.data_packet(1000 + number, b"x" * 188, 0, which=1))
    talk.settle()
    talk.run(talk.now + 0.1)
    assert talk.closed[talk.session()].reason is CloseReason.UNDECRYPTABLE
    assert sender.closed
    assert talk.data() == b""


def test_a_new_salt_is_asked_of_the_shell() -> None:
    talk = Talk(passphrase=PASSPHRASE)
    sender = connected(talk, Profile(passphrase=PASSPHRASE))
    salt, key = bytes(range(50, 66)), bytes(16)
    material = build_key_material(ODD, salt, derive_kek(PASSPHRASE, salt, 16), key)
    wrong = build_key_material(ODD, bytes(16), derive_kek("something else", bytes(16), 16), key)
    for message in (material, material, wrong):
        sender.announce(message, talk.now)
        talk.settle()
        talk.run(talk.now + 0.1)
    assert sender.confirmed_keys[1:] == [material, material]
    assert sender.key_states == [], "asked a moment ago: not again"
    talk.run(talk.now + 4)
    sender.keepalive(talk.now)
    talk.settle()
    talk.run(talk.now + 2)
    sender.announce(wrong, talk.now)
    talk.settle()
    talk.run(talk.now + 0.1)
    assert sender.key_states == [4]


def test_key_requests_on_a_plain_connection_are_refused() -> None:
    talk = Talk()
    sender = connected(talk)
    for body in (build_key_material(1, bytes(16), bytes(16), bytes(16)), b"", b"1234", bytes(300)):
        sender.announce(body, talk.now)
        talk.settle()
    talk.run(talk.now + 0.1)
    assert sender.key_states == [3, 3, 3, 3]


@pytest.mark.parametrize("rate", [1 + 200e-6, 1 - 200e-6])
def test_a_clock_that_is_200_ppm_off_for_24_hours(rate: float) -> None:
    """It ends 17 s off, which is 29 times the latency; and the timestamps wrap 20 times."""
    keepalive = b"\x80\x01\0\0"
    talk = Talk(
        Limits(early_release=False, idle_s=60), back=Path(drop=lambda datagram: datagram[:4] == keepalive), seed=2
    )
    sender = connected(talk, Profile(latency_ms=600, clock_rate=rate))
    worst = 0.0
    for step in range(24 * 120):
        talk.arrivals.clear()
        sent = talk.now
        sender.send(b"x" * 188, talk.now)
        talk.settle()
        talk.run(sent + 30)
        if step > 120:
            worst = max(worst, abs(talk.arrivals[0][0] - sent - 0.61))
    assert talk.lost == {}
    assert len(talk.data()) == 24 * 120 * 188
    # One sample in 30 s: a correction each 4 minutes, in which the clocks part by 48 ms; and the grid.
    assert worst < 0.11


def test_the_clock_follows_a_running_stream_closely() -> None:
    talk = Talk(Limits(early_release=False), there=Path(0.02, jitter=0.005), back=Path(0.02), seed=9)
    sender = connected(talk, Profile(latency_ms=300, clock_rate=1 + 200e-6))
    delays: list[float] = []
    for _ in range(6000):
        talk.arrivals.clear()
        sent = talk.now
        sender.send(b"x" * 188, talk.now)
        talk.settle()
        talk.run(talk.now + 0.05)
        delays += [at - sent for at, _ in talk.arrivals]
    assert talk.lost == {}
    assert max(delays[-1000:]) - min(delays[-1000:]) < 0.02


def test_peers_that_never_send_ackacks() -> None:
    talk = Talk(there=Path(0.02), back=Path(0.02))
    sender = connected(talk, Profile(answers_acks=False))
    talk.play(sender, payloads(500), 0.002)
    talk.run(talk.now + 0.05)
    assert talk.data() == b"".join(payloads(500))
    assert stats(talk).rtt_s == 0.1, "never measured"
    acks = len(sender.acks)
    assert 95 <= acks <= 115
    talk.run(talk.now + 4)
    repeats = len(sender.acks) - acks
    assert 5 <= repeats <= 16, "the last position is repeated a few times, not for ever"
    assert len(talk.listener._sessions[talk.session()]._feedback.acks._sent) <= 1024


def test_the_round_trip_time_is_measured_through_lost_ackacks() -> None:
    talk = Talk(there=Path(0.08, loss=0.3), back=Path(0.04, loss=0.3), seed=11)
    sender = connected(talk, Profile(latency_ms=1500))
    talk.play(sender, payloads(1000), 0.002)
    talk.run(talk.now + 0.5)
    assert stats(talk).rtt_s == pytest.approx(0.12, abs=0.001)


def test_light_acks_at_high_rates() -> None:
    talk = Talk()
    sender = connected(talk)
    for packet in payloads(640):
        sender.send(packet, talk.now)
    talk.settle()
    talk.run(talk.now + 0.1)
    assert sender.light_acks in (9, 10)
    assert talk.data() == b"".join(payloads(640))


def test_shutdown_delivers_what_waits_behind_a_gap() -> None:
    talk = Talk()
    sender = connected(talk, Profile(latency_ms=2000))
    sender.send(b"lost" * 10, talk.now, first_time=False)
    talk.play(sender, [b"seen" * 10] * 3, 0.001)
    sender._kept.clear()
    sender.shutdown(talk.now)
    talk.settle()
    talk.run(talk.now + 0.1)
    assert talk.data() == b"seen" * 30
    assert talk.lost == {talk.session(): 1}
    assert talk.closed[talk.session()].reason is CloseReason.PEER


def test_a_shutdown_that_overtakes_the_last_packets_costs_none() -> None:
    talk = Talk()
    sender = connected(talk)
    talk.play(sender, payloads(10), 0.01)
    sender.send(b"last" * 10, talk.now)
    late = sender.outgoing.pop()
    sender.shutdown(talk.now)
    talk.settle()
    talk.run(talk.now + 0.03)
    talk.inject(late, ("192.0.2.1", 4000))
    talk.run(talk.now + 0.1)
    assert talk.data() == b"".join(payloads(10)) + b"last" * 10
    assert talk.closed[talk.session()].reason is CloseReason.PEER


def test_a_sender_that_jumps_over_an_outage_goes_on() -> None:
    talk = Talk(Limits(flow_window=100))
    sender = connected(talk)
    talk.play(sender, payloads(10), 0.01)
    for packet in payloads(5000):
        sender.send(packet, talk.now, first_time=False)
    talk.play(sender, [b"seen" * 10] * 3, 0.01)
    talk.run(talk.now + 0.5)
    # The first packet after the outage might be a stray one: it counts as lost.
    assert talk.data() == b"".join(payloads(10)) + b"seen" * 20
    assert talk.lost == {talk.session(): 5001}
    assert stats(talk).out_of_window == 1


def test_a_stray_packet_far_ahead_changes_nothing() -> None:
    talk = Talk(Limits(flow_window=100))
    sender = connected(talk)
    talk.play(sender, payloads(10), 0.01)
    sender.outgoing.append(sender.data_packet(50_000, b"stray", 0))
    talk.play(sender, payloads(10), 0.01)
    talk.run(talk.now + 0.5)
    assert talk.data() == b"".join(payloads(10) * 2)
    assert talk.lost == {}
    assert stats(talk).out_of_window == 1


def test_the_buffer_keeps_to_its_bytes() -> None:
    talk = Talk(Limits(buffer_bytes=100_000))
    sender = connected(talk, Profile(latency_ms=8000))
    talk.there.drop = lambda datagram: datagram[0] < 0x80 and struct.unpack_from(">I", datagram)[0] == 1000
    for packet in payloads(300, 1316):
        sender.send(packet, talk.now)
        talk.settle()
        talk.run(talk.now + 0.002)
        assert stats(talk).buffer_bytes <= 100_000
    talk.run(talk.now + 0.1)
    assert talk.lost == {talk.session(): 1}
    assert talk.data() == b"".join(payloads(300, 1316)[1:])


@pytest.mark.parametrize("early", [True, False])
def test_a_sender_with_a_broken_clock_holds_its_stream_back_by_a_second_at_most(early: bool) -> None:
    talk = Talk(Limits(early_release=early))
    sender = connected(talk)
    for number, packet in enumerate(payloads(50)):
        stamp = (number * 977_777_777) & 0xFFFF_FFFF
        sender.outgoing.append(sender.data_packet(1000 + number, packet, stamp))
        talk.settle()
        talk.run(talk.now + 0.01)
    talk.run(talk.now + 1.3)
    assert talk.data() == b"".join(payloads(50))


def test_control_packets_of_no_meaning_are_ignored() -> None:
    talk = Talk()
    sender = connected(talk)
    for kind in (1, 2, 3, 4, 6, 7, 8, 9, 99, 0x7FFF):
        for body in (b"", b"1", bytes(4), bytes(100)):
            sender.outgoing.append(control(kind, 0, sender.peer, body=body, specific=5))
    talk.play(sender, payloads(3), 0.01)
    talk.run(talk.now + 0.1)
    assert talk.data() == b"".join(payloads(3))
    assert talk.listener.session_count == 1
