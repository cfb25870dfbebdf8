"""Our caller receives from a listener that sends."""

from __future__ import annotations

import struct

import pytest
from tests.srt_kit import Pull
from tests.srt_sender import Profile, control, handshake

from headwater.ingest.srt import (
    Caller,
    CloseReason,
    Connected,
    KeyOffer,
    Limits,
    RejectCode,
    SessionClosed,
    WrongState,
    derive_kek,
)

PASSPHRASE = "correct horse"
SALT = bytes(range(16))


def payloads(count: int, size: int = 188) -> list[bytes]:
    return [struct.pack(">I", number) * (size // 4) for number in range(count)]


def offer(passphrase: str, length: int = 16) -> KeyOffer:
    return KeyOffer(SALT, derive_kek(passphrase, SALT, length))


def play(pull: Pull, packets: list[bytes], spacing: float = 0.002) -> None:
    for packet in packets:
        pull.sender.send(packet, pull.now)
        pull.run(spacing)


def closed(pull: Pull) -> SessionClosed:
    event = pull.events[-1]
    assert isinstance(event, SessionClosed)
    assert pull.caller.next_timeout() is None
    return event


def test_a_pull() -> None:
    pull = Pull(Profile(latency_ms=250, sequence=(1 << 31) - 20))
    pull.caller.connect(Pull.ADDRESS, "#!::r=live/demo,m=request", None, pull.now)
    pull.run(0.5)
    assert pull.events == [Connected(pull.caller.session, 0.25, False, "1.5.7")]
    assert pull.sender.received_stream_id == b"#!::r=live/demo,m=request"
    play(pull, payloads(300))
    pull.run(0.2)
    assert pull.data == b"".join(payloads(300))
    stats = pull.caller.stats(pull.caller.session, pull.now)
    assert stats is not None
    assert stats.packets == 300
    assert stats.rtt_s == pytest.approx(0.04, abs=1e-6)
    pull.sender.shutdown(pull.now)
    pull.run(0.2)
    assert closed(pull).reason is CloseReason.PEER


@pytest.mark.parametrize("length", [16, 24, 32])
def test_an_encrypted_pull_with_key_changes(length: int) -> None:
    profile = Profile(passphrase=PASSPHRASE, key_length=length, refresh_after=100)
    pull = Pull(profile)
    pull.caller.connect(Pull.ADDRESS, "demo", offer(PASSPHRASE, length), pull.now)
    pull.run(0.5)
    assert pull.events == [Connected(pull.caller.session, 0.12, True, "1.5.7")]
    play(pull, payloads(450))
    pull.run(0.2)
    assert pull.data == b"".join(payloads(450))
    assert len(pull.sender.confirmed_keys) >= 4


def test_losses_are_reported_and_repaired() -> None:
    pull = Pull(Profile(latency_ms=500))
    pull.caller.connect(Pull.ADDRESS, "", None, pull.now)
    pull.run(0.5)
    for number, packet in enumerate(payloads(100)):
        pull.sender.send(packet, pull.now, first_time=number % 5 != 0)
        pull.run(0.002)
    pull.run(0.5)
    assert pull.data == b"".join(payloads(100))
    assert pull.sender.received_stream_id == b""


@pytest.mark.parametrize(
    ("theirs", "ours", "code"),
    [
        (PASSPHRASE, "another passphrase", RejectCode.BADSECRET),
        (PASSPHRASE, "", RejectCode.UNSECURE),
        ("", PASSPHRASE, None),
    ],
)
def test_passphrases_that_do_not_agree(theirs: str, ours: str, code: RejectCode | None) -> None:
    pull = Pull(Profile(passphrase=theirs))
    pull.caller.connect(Pull.ADDRESS, "demo", offer(ours) if ours else None, pull.now)
    pull.run(0.5)
    assert (closed(pull).reason, closed(pull).code) == (CloseReason.SECRET, code)
    assert pull.sender.closed is (code is None), "one that accepted is told"


def answered(*, kind: int = 0xFFFFFFFF, flags: int = 1, extensions: bytes = b"", version: int = 5) -> Pull:
    """A listener that gives this as its conclusion."""
    pull = Pull(Profile())
    pull.deaf = True
    pull.caller.connect(Pull.ADDRESS, "demo", None, pull.now)
    pull.run(0.1)
    me = pull.caller.session
    pull.sender.outgoing.append(handshake(1, flags=0x4A17, cookie=7, peer=me))
    pull.run(0.1)
    pull.sender.outgoing.append(handshake(kind, flags=flags, extensions=extensions, version=version, peer=me))
    pull.run(0.1)
    return pull


HSRSP = struct.pack(">HHIIHH", 2, 3, 0x010507, 0xBF, 120, 120)


def test_the_answer_that_is_needed() -> None:
    assert isinstance(answered(extensions=HSRSP).events[0], Connected)


@pytest.mark.parametrize(
    ("kind", "extensions", "version"),
    [
        (0xFFFFFFFF, b"", 5),
        (0xFFFFFFFF, HSRSP, 4),
        (0xFFFFFFFF, HSRSP[:8], 5),
        (0xFFFFFFFF, struct.pack(">HHIIHH", 2, 3, 0x010203, 0xBF, 120, 120), 5),
        (0xFFFFFFFF, struct.pack(">HHIIHH", 2, 3, 0x010507, 0xFF, 120, 120), 5),
        (0xFFFFFFFF, HSRSP + struct.pack(">HHI", 7, 1, 0), 5),
        (0xFFFFFFFF, HSRSP + struct.pack(">HHI", 4, 9, 0), 5),
    ],
)
def test_answers_that_cannot_be_used(kind: int, extensions: bytes, version: int) -> None:
    pull = answered(kind=kind, extensions=extensions, version=version)
    assert closed(pull).reason is CloseReason.PROTOCOL


def test_a_listener_that_says_that_its_encryption_failed() -> None:
    pull = answered(extensions=HSRSP + struct.pack(">HHI", 4, 1, 3))
    assert closed(pull).reason is CloseReason.SECRET


def test_a_rejection_is_told_by_its_name() -> None:
    event = closed(answered(kind=2404))
    assert (event.reason, event.code) == (CloseReason.REJECTED, RejectCode.NOTFOUND)
    assert "NOTFOUND" in event.detail
    assert closed(answered(kind=3456)).code is RejectCode.UNKNOWN


def test_an_induction_of_something_else() -> None:
    pull = Pull(Profile())
    pull.deaf = True
    pull.caller.connect(Pull.ADDRESS, "demo", None, pull.now)
    pull.run(0.1)
    pull.sender.outgoing.append(handshake(1, version=4, cookie=7, peer=pull.caller.session))
    pull.run(0.1)
    assert closed(pull).reason is CloseReason.PROTOCOL


def test_handshakes_are_repeated_and_given_up_after_three_seconds() -> None:
    pull = Pull(Profile())
    pull.deaf = True
    sent: list[bytes] = []
    launch = pull._launch

    def counted(inbound: bool, datagram: bytes) -> None:
        sent.append(datagram)
        launch(inbound, datagram)

    pull._launch = counted  # type: ignore[method-assign]
    pull.caller.connect(Pull.ADDRESS, "demo", None, pull.now)
    pull.run(2.9)
    assert len(sent) == 12
    stamps = [struct.unpack_from(">I", datagram, 8)[0] for datagram in sent]
    assert stamps == sorted(set(stamps))
    assert not pull.events
    pull.run(0.2)
    assert closed(pull).reason is CloseReason.UNANSWERED


def test_datagrams_of_others_are_ignored() -> None:
    pull = Pull(Profile())
    pull.caller.connect(Pull.ADDRESS, "demo", None, pull.now)
    pull.run(0.5)
    me = pull.caller.session
    pull.caller.receive_datagram(control(5, 0, me), ("203.0.113.1", 9000), pull.now)
    pull.caller.receive_datagram(control(5, 0, me + 1), Pull.ADDRESS, pull.now)
    pull.caller.receive_datagram(b"short", Pull.ADDRESS, pull.now)
    counters = pull.caller.counters
    assert (counters.wrong_address, counters.unknown, counters.malformed) == (1, 1, 1)
    assert pull.caller.stats(me, pull.now) is not None


def test_close_before_and_after_the_connection() -> None:
    pull = Pull(Profile())
    pull.caller.connect(Pull.ADDRESS, "demo", None, pull.now)
    pull.caller.close(pull.caller.session, "not needed", pull.now)
    pull.settle()
    assert closed(pull) == SessionClosed(pull.caller.session, CloseReason.SERVER, "not needed")
    pull = Pull(Profile())
    pull.caller.connect(Pull.ADDRESS, "demo", None, pull.now)
    pull.run(0.5)
    pull.caller.close(pull.caller.session, "enough", pull.now)
    pull.run(0.5)
    assert closed(pull).reason is CloseReason.SERVER
    assert pull.sender.closed
    assert pull.caller.stats(pull.caller.session, pull.now) is None


def test_mistakes_of_the_shell() -> None:
    caller = Caller(Limits(), 0.0, bytes(32))
    with pytest.raises(ValueError, match="512"):
        caller.connect(Pull.ADDRESS, "x" * 513, None, 0.0)
    caller.connect(Pull.ADDRESS, "x", None, 0.0)
    with pytest.raises(WrongState):
        caller.connect(Pull.ADDRESS, "x", None, 0.0)


def test_two_callers_have_different_ids_and_keys() -> None:
    first, second = Caller(Limits(), 0.0, bytes(32)), Caller(Limits(), 0.0, bytes(31) + b"1")
    assert first.session != second.session
    for caller in (first, second):
        caller.connect(Pull.ADDRESS, "x", offer(PASSPHRASE, 32), 0.0)
    assert first._key != second._key
    assert first._sequence != second._sequence
