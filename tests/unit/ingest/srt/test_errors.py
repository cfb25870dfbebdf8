"""Reasons and codes."""

from __future__ import annotations

from headwater.ingest.srt import errors
from headwater.ingest.srt.errors import CloseReason, HandshakeRefused, RejectCode


def test_codes_on_the_wire() -> None:
    named = {code.name: code.value for code in RejectCode}
    expected = {"BADSECRET": 1010, "UNSECURE": 1011, "CRYPTO": 1017, "FORBIDDEN": 2403, "DOWN": 2503}
    assert named | expected == named
    assert RejectCode.of(2409) is RejectCode.CONFLICT
    assert RejectCode.of(9999) is RejectCode.UNKNOWN


def test_reasons_are_labels() -> None:
    assert {reason.value for reason in CloseReason} == {
        "peer", "idle", "server", "rejected", "secret", "unanswered", "undecryptable", "protocol",
    }  # fmt: skip


def test_the_tree() -> None:
    tree = [errors.PacketError, HandshakeRefused, errors.StreamIdError, errors.KeyMaterialError, errors.WrongSecret]
    assert all(issubclass(error, errors.SrtError) for error in tree)
    assert not issubclass(errors.WrongState, errors.SrtError), "a mistake of the shell is no fault of the peer"
    refusal = HandshakeRefused(RejectCode.FILTER, "a filter")
    assert (refusal.code, str(refusal)) == (RejectCode.FILTER, "a filter")
