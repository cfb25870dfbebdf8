"""What events show of a peer."""

from __future__ import annotations

from headwater.ingest.srt.events import ConnectionRequested
from headwater.ingest.srt.keys import KeyAnswer, KeyOffer, KeyRequest
from headwater.ingest.srt.streamid import parse


def test_text_forms_leave_secrets_out() -> None:
    stream_id = parse("publish:live/demo:alice:s3cret?token=t0ken&other=0ther")
    event = ConnectionRequested(1, ("192.0.2.1", 2), stream_id, KeyRequest(bytes(16), 16), 0.12, "1.5.4")
    shown = repr(event)
    assert "live/demo" in shown
    assert not any(secret in shown for secret in ("s3cret", "t0ken", "0ther"))
    assert "7777" not in repr(KeyAnswer(b"7777")) + repr(KeyOffer(bytes(16), b"7777"))
