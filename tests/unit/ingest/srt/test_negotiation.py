"""What a conclusion gets."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from headwater.ingest.srt import handshake as hs
from headwater.ingest.srt.errors import HandshakeRefused, RejectCode
from headwater.ingest.srt.extensions import Capabilities, ExtensionType, Features, block, build_text, split
from headwater.ingest.srt.keys import build_key_material
from headwater.ingest.srt.limits import Limits
from headwater.ingest.srt.negotiation import answer_for, read_answer, read_request, rejection_for

HOME = ("192.0.2.1", 4000)
FLAGS = 0xBF
MATERIAL = build_key_material(1, bytes(16), bytes(16), bytes(16))


def capabilities(
    kind: ExtensionType = ExtensionType.HSREQ, *, version: int = 0x010507, flags: int = FLAGS, receive: int = 0,
    send: int = 0,
) -> bytes:  # fmt: skip
    return block(kind, Capabilities(version, flags, receive, send).build())


def request(extensions: bytes) -> hs.Handshake:
    return hs.Handshake(5, 0, 1, 1000, 1456, 8192, hs.CONCLUSION, 77, 5, extensions=extensions)


@pytest.mark.parametrize(
    ("flags", "send", "expected"), [(FLAGS, 0, 0.12), (FLAGS, 500, 0.5), (FLAGS, 0xFFFF, 8.0), (0, 500, 0.12)]
)
def test_latency(flags: int, send: int, expected: float) -> None:
    proposal = read_request(request(capabilities(flags=flags, send=send, receive=77)), Limits())
    assert proposal.latency_s == expected
    assert proposal.send_latency_ms == (77 if flags else 0)


def test_latency_never_exceeds_what_the_field_can_say() -> None:
    proposal = read_request(request(capabilities()), Limits(latency_s=100, max_latency_s=200))
    assert round(proposal.latency_s * 1000) == 0xFFFF


def test_an_answer_can_be_read_by_the_caller() -> None:
    asked = request(
        capabilities(send=300)
        + block(ExtensionType.SID, build_text("live/demo"))
        + block(ExtensionType.KMREQ, MATERIAL)
    )
    proposal = read_request(asked, Limits())
    assert (proposal.mtu, proposal.version, proposal.stream_id.resource) == (1456, "1.5.7", "live/demo")
    answer = answer_for(proposal, HOME, 4711, 5, Limits(), MATERIAL)
    assert (answer.encryption, answer.extension, answer.sequence, answer.socket_id) == (2, 3, 1000, 4711)
    kinds = dict(split(answer.extensions))
    assert kinds[ExtensionType.KMRSP] == MATERIAL
    assert struct.unpack(">IIHH", kinds[ExtensionType.HSRSP]) == (0x010504, 0x3F, 300, 0)
    found = read_answer(answer, Limits())
    assert (found.socket_id, found.latency_s) == (4711, 0.12)
    assert found.material is not None


def test_a_plain_answer() -> None:
    proposal = read_request(request(capabilities()), Limits())
    answer = answer_for(proposal, HOME, 4711, 5, Limits(), b"")
    assert (answer.encryption, answer.extension) == (0, 1)
    assert [kind for kind, _ in split(answer.extensions)] == [ExtensionType.HSRSP]


def test_a_failed_key_exchange_says_its_state() -> None:
    answer = request(capabilities(ExtensionType.HSRSP) + block(ExtensionType.KMRSP, (3).to_bytes(4)))
    assert read_answer(answer, Limits()).key_state == 3


GCM = MATERIAL[:8] + b"\x04\x01" + MATERIAL[10:]


@pytest.mark.parametrize(
    ("extensions", "code"),
    [
        (b"", RejectCode.ROGUE),
        (capabilities(ExtensionType.HSRSP), RejectCode.ROGUE),
        (block(ExtensionType.HSREQ, bytes(8)), RejectCode.ROGUE),
        (capabilities(version=0x0102FF), RejectCode.VERSION),
        (capabilities(flags=FLAGS | Features.STREAM), RejectCode.MESSAGEAPI),
        (capabilities() + block(ExtensionType.CONGESTION, build_text("file")), RejectCode.CONGESTION),
        (capabilities() + block(ExtensionType.FILTER, build_text("fec,cols:10")), RejectCode.FILTER),
        (capabilities() + block(ExtensionType.GROUP, bytes(8)), RejectCode.GROUP),
        (capabilities() + block(ExtensionType.SID, build_text("#!:x")), RejectCode.BAD_REQUEST),
        (capabilities() + block(ExtensionType.SID, b"\xff\xff\xff\xff"), RejectCode.ROGUE),
        (capabilities() + block(ExtensionType.KMREQ, GCM), RejectCode.CRYPTO),
        (capabilities() + block(ExtensionType.KMREQ, MATERIAL[:-4]), RejectCode.ROGUE),
        (capabilities() + block(ExtensionType.KMREQ, b""), RejectCode.ROGUE),
        (capabilities() + b"\0\5\0\7abcd", RejectCode.ROGUE),
    ],
)
def test_refusals(extensions: bytes, code: RejectCode) -> None:
    with pytest.raises(HandshakeRefused) as caught:
        read_request(request(extensions), Limits())
    assert caught.value.code is code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"version": 4}, RejectCode.VERSION),
        ({"version": 6}, RejectCode.VERSION),
        ({"socket_id": 0}, RejectCode.ROGUE),
        ({"mtu": 100}, RejectCode.ROGUE),
        ({"flow_window": 0}, RejectCode.ROGUE),
    ],
)
def test_fixed_fields(changes: dict[str, int], code: RejectCode) -> None:
    with pytest.raises(HandshakeRefused) as caught:
        read_request(replace(request(capabilities()), **changes), Limits())  # type: ignore[arg-type]
    assert caught.value.code is code


def test_unknown_extensions_and_live_congestion_are_fine() -> None:
    extensions = capabilities() + struct.pack(">HHI", 99, 1, 0) + block(ExtensionType.CONGESTION, build_text("live"))
    assert read_request(request(extensions), Limits()).material is None


def test_rejections_are_no_longer_than_the_shortest_request() -> None:
    rejection = rejection_for(request(capabilities()), HOME, RejectCode.CONFLICT)
    assert (rejection.type, rejection.rejects) == (2409, True)
    assert len(rejection.build(0, 77)) == 64
