from __future__ import annotations

from tests.doctor_records import media, recording, rendition

from headwater.loadtest.doctor.advise import notes


def test_what_plain_hls_lacks() -> None:
    (text,) = notes(recording(rendition(media())))
    assert text == (
        "source: for low latency it lacks parts (EXT-X-PART-INF, EXT-X-PART), EXT-X-PRELOAD-HINT, PART-HOLD-BACK, "
        "CAN-BLOCK-RELOAD=YES, CAN-SKIP-UNTIL"
    )


def test_low_latency_lacks_nothing() -> None:
    assert notes(recording(rendition(media(parts=4, opened=1)))) == []


def test_what_was_not_checked() -> None:
    ended = rendition(media(tail="#EXT-X-ENDLIST"), name="ended")
    broken = rendition("nonsense", name="broken")
    keys = rendition(media(parts=4, opened=1, head='#EXT-X-KEY:METHOD=AES-128,URI="k"'), name="keys")
    texts = notes(recording(ended, broken, keys))
    assert "ended: the stream has ended, what moves was not checked" in texts
    assert any(text.startswith("broken: no playlist could be read") for text in texts)
    assert any(text.startswith("keys: encrypted") for text in texts)
