from __future__ import annotations

import re

from tests.codec_vectors import AV1_KEY_FRAME, AV1_SHOW_EXISTING, AV1C

from headwater.ingest.media import Packet, TrackId
from headwater.ingest.mpegts.av1_ts import Av1Stream, is_av1, obus
from headwater.ingest.mpegts.output import Output, TrackOutput
from headwater.ingest.tracks import TrackConfigured, TrackRefused

START = b"\x00\x00\x01"
TEMPORAL, SEQUENCE, FRAME = AV1_KEY_FRAME[:2], AV1_KEY_FRAME[2:17], AV1_KEY_FRAME[17:]


def stream() -> tuple[Av1Stream, Output]:
    out = Output()
    return Av1Stream(TrackOutput(out, TrackId("v0")), 1_000, "und"), out


def test_temporal_units() -> None:
    reader, out = stream()
    reader.pes(AV1_KEY_FRAME, 900, None, 1.0, True)
    configured, packet = out.events
    assert isinstance(configured, TrackConfigured)
    assert (configured.track.width, configured.track.codec_string[:10]) == (64, "av01.0.00M")
    assert packet == Packet(TrackId("v0"), 900, 0, True, AV1_KEY_FRAME[2:], 1.0)
    out.events.clear()
    reader.pes(AV1_SHOW_EXISTING, 4_500, None, 2.0, True)
    assert out.events == [Packet(TrackId("v0"), 4_500, 0, False, AV1_SHOW_EXISTING[2:], 2.0)]
    out.events.clear()
    reader.pes(AV1_KEY_FRAME, 8_100, None, 3.0, True)
    assert [type(event) for event in out.events] == [Packet]
    reader.pes(TEMPORAL + AV1C[4:] + FRAME, 11_700, None, 4.0, True)
    assert [type(event) for event in out.events] == [Packet, TrackConfigured, Packet]


def test_what_cannot_be_used_is_counted() -> None:
    reader, out = stream()
    reader.pes(AV1_KEY_FRAME, None, None, 1.0, True)
    reader.pes(AV1_SHOW_EXISTING, 0, None, 1.0, True)
    reader.pes(AV1_KEY_FRAME, 900, None, 1.0, False)
    reader.lost()
    reader.end()
    assert out.events == []
    assert (out.counters.without_time, out.counters.before_config) == (1, 1)
    reader.pes(TEMPORAL + b"\x0a\x01\xff" + FRAME, 900, None, 1.0, True)
    assert [type(event) for event in out.events] == [TrackRefused]


def escaped(unit: bytes) -> bytes:
    return re.sub(rb"\x00\x00(?=[\x00-\x03])", b"\x00\x00\x03", unit)


def test_the_start_code_format() -> None:
    """With and without size fields, with emulation prevention: sequence header and frame hold 00 00 02 and 00 00 03."""
    whole = [TEMPORAL, SEQUENCE, FRAME]
    assert b"".join(START + escaped(unit) for unit in whole) != b"".join(START + unit for unit in whole)
    assert obus(b"".join(START + escaped(unit) for unit in whole)) == AV1_KEY_FRAME
    bare = [bytes((unit[0] & ~2,)) + unit[2:] for unit in whole]
    assert obus(b"".join(START + escaped(unit) for unit in bare)) == AV1_KEY_FRAME
    long = b"\x30" + b"\x77" * 300
    assert obus(START + long) == b"\x32\xac\x02" + long[1:]
    extended = b"\x34\x08" + b"\x77" * 3
    assert obus(b"\x00" + START + extended) == b"\x36\x08\x03" + b"\x77" * 3


def test_damaged_start_code_format() -> None:
    assert obus(START) == obus(START + b"\x80") == obus(START + b"\x04") == b""
    assert obus(b"") == b""


def test_how_ffmpeg_sends_it_is_recognised() -> None:
    assert is_av1(AV1_KEY_FRAME)
    assert not is_av1(AV1_SHOW_EXISTING)
    assert not is_av1(b"\x20\x00\x0f\x10")
    assert not is_av1(b"")


def test_hidden_frames_wait_for_the_shown_one() -> None:
    """By the mapping each frame is an access unit of its own, and temporal delimiters may be missing."""
    reader, out = stream()
    reader.pes(AV1_KEY_FRAME, 900, None, 1.0, True)
    out.events.clear()
    hidden, shown = b"\x32\x02\x20\x55", b"\x32\x02\x30\x66"
    reader.pes(hidden, 4_500, 4_500, 2.0, True)
    assert out.events == []
    reader.pes(shown, 8_100, 4_500, 3.0, True)
    assert out.events == [Packet(TrackId("v0"), 8_100, 0, False, hidden + shown, 3.0)]
    out.events.clear()
    # A loss takes the hidden ones along; so does what never ends.
    reader.pes(hidden, 4_500, 4_500, 4.0, True)
    reader.lost()
    for _ in range(500):
        reader.pes(hidden, 4_500, 4_500, 4.0, True)
        assert len(reader._hidden) <= 1_000
    assert out.counters.oversized == 1
    reader.end()
    reader.pes(shown, 11_700, None, 5.0, True)
    assert out.events == [Packet(TrackId("v0"), 11_700, 0, False, shown, 5.0)]
