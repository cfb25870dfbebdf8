"""Every error of a conversation ends in a reason that is a metric label."""

from __future__ import annotations

from headwater.ingest.rtmp import errors


def test_reasons() -> None:
    tree = [errors.HandshakeError, errors.ChunkError, errors.CommandError, errors.LimitExceeded]
    assert [error.reason.value for error in tree] == ["handshake", "protocol", "protocol", "limit"]
    assert all(issubclass(error, errors.RtmpError) for error in tree)
    assert not issubclass(errors.WrongState, errors.RtmpError), "a mistake of the shell is no fault of the peer"
