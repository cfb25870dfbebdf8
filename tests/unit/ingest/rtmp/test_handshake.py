"""The server's handshake: plain echo, digests at both places, any segmentation, refusals."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from tests.rtmp_client import Publisher

from headwater.ingest.rtmp.errors import CloseReason, HandshakeError
from headwater.ingest.rtmp.handshake import (
    PLAYER_KEY,
    SERVER_KEY,
    SIGNATURE_KEY,
    Phase,
    ServerHandshake,
    digest_offset,
    find_digest,
)

ENTROPY = bytes(range(32))


def shake(data: bytes, size: int) -> tuple[bytes, bytes, ServerHandshake]:
    """Feed `data` in pieces of `size`; (answer, rest, handshake)."""
    handshake = ServerHandshake(ENTROPY)
    answer = rest = b""
    for at in range(0, len(data), size):
        out, left = handshake.receive(data[at : at + size])
        answer += out
        rest += left
    return answer, rest, handshake


@pytest.mark.parametrize("size", [1, 7, 1536, 1537, 10_000])
@pytest.mark.parametrize("base", [None, 772, 8])
def test_any_segmentation(size: int, base: int | None) -> None:
    publisher = Publisher(digest_base=base)
    data = publisher.hello() + publisher.c2() + b"chunks"
    whole = shake(data, len(data))[0]
    answer, rest, handshake = shake(data, size)
    assert answer == whole
    assert len(answer) == 3073
    assert rest == b"chunks"
    assert handshake.phase is Phase.DONE
    assert handshake.done
    assert handshake.with_digest == (base is not None)


def test_plain_echoes_c1_with_its_time() -> None:
    c1 = b"\x01\x02\x03\x04" + bytes(4) + bytes(range(256)) * 6
    c1 = c1[:1536]
    answer, _, handshake = shake(b"\x03" + c1, 4096)
    assert answer[:1] == b"\x03"
    assert answer[5:9] == bytes(4), "a zero version in S1 announces the plain form"
    assert answer[1537:] == c1
    assert handshake.phase is Phase.C2


@pytest.mark.parametrize("base", [772, 8])
def test_digest_answer_can_be_verified(base: int) -> None:
    hello = Publisher(digest_base=base).hello()
    answer, _, _ = shake(hello, 4096)
    s1, s2 = answer[1:1537], answer[1537:]
    assert s1[4] >= 3, "peers look for the digest from version 3 on"
    found = find_digest(s1, SERVER_KEY)
    assert found is not None
    assert found[0] == base
    at = digest_offset(hello[1:], base)
    key = hmac.digest(SIGNATURE_KEY, hello[1:][at : at + 32], hashlib.sha256)
    assert s2[-32:] == hmac.digest(key, s2[:-32], hashlib.sha256)
    assert len(PLAYER_KEY) == 30
    assert len(SIGNATURE_KEY) == 68


def test_version_without_digest_is_plain() -> None:
    c1 = bytes(4) + b"\x09\x00\x7c\x02" + bytes(1528)
    answer, _, handshake = shake(b"\x03" + c1, 4096)
    assert answer[1537:] == c1
    assert not handshake.with_digest


def test_digest_with_a_zero_version_is_plain() -> None:
    hello = Publisher(digest_base=772).hello()
    changed = hello[:5] + bytes(4) + hello[9:]
    answer, _, _ = shake(changed, 4096)
    assert answer[1537:] == changed[1:]


def test_answer_depends_on_entropy_only() -> None:
    hello = Publisher(digest_base=8).hello()
    assert shake(hello, 99)[0] == shake(hello, 4096)[0]
    assert ServerHandshake(b"x" * 32).receive(hello)[0] != shake(hello, 4096)[0]


@pytest.mark.parametrize(
    ("first", "words"), [(6, "RTMPE"), (8, "RTMPE"), (0x16, "TLS"), (ord("G"), "HTTP"), (0, "version 0"), (255, "255")]
)
def test_other_protocols_are_refused(first: int, words: str) -> None:
    with pytest.raises(HandshakeError, match=words) as caught:
        ServerHandshake(ENTROPY).receive(bytes([first]))
    assert caught.value.reason is CloseReason.HANDSHAKE


def test_nothing_is_answered_early() -> None:
    handshake = ServerHandshake(ENTROPY)
    assert handshake.receive(b"") == (b"", b"")
    assert handshake.receive(b"\x03" + bytes(1535)) == (b"", b"")
    assert len(handshake.receive(b"\x00")[0]) == 3073
